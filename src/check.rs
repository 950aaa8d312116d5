//! `check`, `fmt`, `explain`, `graph`: what the front end alone can say.

use crate::args::{CheckArgs, DiagnosticFormat, ExplainArgs, FmtArgs, GraphArgs, GraphFormat};
use crate::{exit, program};
use rarog_lang::diagnostic::Severity;
use rarog_lang::plan::Plan;
use rarog_lang::render::{SourceText, render_human, render_json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints every diagnostic of every program; exit code 1 if there is an error.
pub fn check(args: &CheckArgs) -> ExitCode {
    let mut failed = false;
    for path in &args.programs {
        let compiled = match program::front_end(std::slice::from_ref(path), &args.connector) {
            Ok(compiled) => compiled,
            Err(code) => return code,
        };
        failed |= compiled.diagnostics.iter().any(|d| d.severity == Severity::Error);
        match args.format {
            DiagnosticFormat::Human => eprint!("{}", render_human(&compiled.diagnostics, &compiled.sources)),
            DiagnosticFormat::Json => print!("{}", render_json(&compiled.diagnostics, &compiled.sources)),
        }
    }
    ExitCode::from(if failed { exit::FAILED } else { 0 })
}

/// Formats programs in place, or says which are not formatted.
pub fn format(args: &FmtArgs) -> ExitCode {
    let mut code = 0;
    for path in &args.programs {
        match format_file(path, args.check) {
            Ok(true) => {}
            Ok(false) => {
                eprintln!("{} is not formatted; run rarog fmt {0}", path.display());
                code = code.max(exit::FAILED);
            }
            Err((failure, message)) => {
                eprint!("{message}");
                code = code.max(failure);
            }
        }
    }
    ExitCode::from(code)
}

fn format_file(path: &Path, check: bool) -> Result<bool, (u8, String)> {
    let usage = |what: &str, error: std::io::Error| (exit::USAGE, format!("cannot {what} {}: {error}\n", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| usage("read", error))?;
    let formatted = rarog_lang::format::format(&text).map_err(|diagnostics| {
        let sources = [SourceText::new(path.display().to_string(), text.clone())];
        (exit::FAILED, render_human(&diagnostics, &sources))
    })?;
    if formatted == text {
        return Ok(true);
    }
    if check {
        return Ok(false);
    }
    std::fs::write(path, formatted).map_err(|error| usage("write", error))?;
    Ok(true)
}

/// Prints the plan in words.
pub fn explain(args: &ExplainArgs) -> ExitCode {
    with_draft(&args.program, &args.connector, |plan| print!("{}", rarog_lang::explain::explain(plan)))
}

/// Draws the plan.
pub fn graph(args: &GraphArgs) -> ExitCode {
    with_draft(&args.program, &args.connector, |plan| {
        let text = match args.format {
            GraphFormat::Ascii => rarog_lang::graph::graph_ascii(plan),
            GraphFormat::Dot => rarog_lang::graph::graph_dot(plan),
            GraphFormat::Json => rarog_lang::graph::graph_json(plan),
        };
        print!("{text}");
    })
}

/// Shows a plan, also one that this build cannot run yet; the diagnostics go to stderr.
fn with_draft(path: &PathBuf, connectors: &[String], show: impl Fn(&Plan)) -> ExitCode {
    let compiled = match program::front_end(std::slice::from_ref(path), connectors) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    eprint!("{}", render_human(&compiled.diagnostics, &compiled.sources));
    match compiled.plan.or(compiled.draft) {
        Some(plan) => {
            show(&plan);
            ExitCode::SUCCESS
        }
        None => ExitCode::from(exit::FAILED),
    }
}
