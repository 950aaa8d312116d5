//! `rarog run`: programs on a file, on standard input, or live on their connectors.

mod checkpoint;
pub mod dead;
pub mod engine;
pub mod host;
pub mod live;
mod on_file;
mod replay;
mod results;
pub mod stop;
mod stoppable;
pub mod talk;

use crate::args::RunArgs;
use crate::{exit, files, program};
use rarog_lang::plan::Plan;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// A program that is to run.
pub struct Pipeline {
    /// Its name: `--name`, else the program's file name without extension.
    pub name: String,
    /// What it does.
    pub plan: Arc<Plan>,
}

/// Why a run ended badly.
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For people.
    pub message: String,
}

impl Failure {
    /// The command line or a file cannot be used.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { code: exit::USAGE, message: message.into() }
    }

    /// A pipeline, or something that it needs, has failed.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { code: exit::FAILED, message: message.into() }
    }
}

/// The exit code of a command; why it failed is said.
pub fn exit_code(command: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            say_line!("rarog {command}: {message}");
            ExitCode::from(code)
        }
    }
}

/// Runs programs.
pub fn main(args: &RunArgs) -> ExitCode {
    let programs: Vec<PathBuf> = args.file.iter().chain(&args.programs).cloned().collect();
    let on_stdin = programs.iter().chain(&args.input).filter(|path| files::is_stdin(path)).count();
    if on_stdin > 1 {
        say_line!("rarog run: only one thing can come on standard input; put the others into files");
        return ExitCode::from(exit::USAGE);
    }
    let named = spare(args, &programs).and_then(|()| names(args, &programs));
    let ended = match named {
        Ok(names) => match compile(args, &programs, names) {
            Ok(pipelines) => known_connectors(args, &pipelines).and_then(|()| run(args, pipelines)),
            Err(code) => return code,
        },
        Err(failure) => Err(failure),
    };
    exit_code("run", ended)
}

fn known_connectors(args: &RunArgs, pipelines: &[Pipeline]) -> Result<(), Failure> {
    let plans: Vec<&Plan> = pipelines.iter().map(|pipeline| &*pipeline.plan).collect();
    program::check_connectors(&args.connectors, &plans).map_err(Failure::usage)
}

fn run(args: &RunArgs, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    match &args.input {
        Some(input) => on_file::run(args, input, pipelines),
        None => live::run(args, pipelines),
    }
}

/// The file of dead letters is written to: it must be none that is read.
fn spare(args: &RunArgs, programs: &[PathBuf]) -> Result<(), Failure> {
    let Some(dead) = args.dead_letters.as_deref().and_then(|dead| dead.canonicalize().ok()) else { return Ok(()) };
    let input = args.input.as_ref().map(PathBuf::from);
    match programs.iter().chain(&input).find(|read| read.canonicalize().is_ok_and(|read| read == dead)) {
        Some(read) if dead.is_file() => {
            let message =
                format!("--dead-letters would overwrite {}, which is read; give another file", read.display());
            Err(Failure::usage(message))
        }
        _ => Ok(()),
    }
}

/// One name per program, all different: it is who a pipeline is towards brokers and in the summary.
fn names(args: &RunArgs, programs: &[PathBuf]) -> Result<Vec<String>, Failure> {
    if let Some(name) = &args.name {
        if programs.len() > 1 {
            return Err(Failure::usage("--name is for one program; several go by their file names"));
        }
        return Ok(vec![name.clone()]);
    }
    let name = |path: &PathBuf| {
        path.file_stem()
            .filter(|_| !files::is_stdin(path))
            .map_or("program".into(), |stem| stem.to_string_lossy().into_owned())
    };
    let names: Vec<String> = programs.iter().map(name).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            let way_out = if args.input.is_some() { "" } else { ", or run them apart with --name" };
            let message = format!("two programs have the name {name}; rename one{way_out}");
            return Err(Failure::usage(message));
        }
    }
    Ok(names)
}

/// Compiles every program before any of them runs.
fn compile(args: &RunArgs, programs: &[PathBuf], names: Vec<String>) -> Result<Vec<Pipeline>, ExitCode> {
    let compile = |path: &Path| program::compile(path, &args.connectors).map(Arc::new);
    let plans: Vec<Result<Arc<Plan>, ExitCode>> = programs.iter().map(|path| compile(path)).collect();
    names.into_iter().zip(plans).map(|(name, plan)| Ok(Pipeline { name, plan: plan? })).collect()
}
