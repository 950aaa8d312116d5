//! `check`, `fmt`, `explain`, `graph`: what the front end alone can say.

use crate::args::{CheckArgs, Connectors, DiagnosticFormat, ExplainArgs, FmtArgs, GraphArgs, GraphFormat};
use crate::{exit, files, program, stdout};
use rarog_lang::diagnostic::Severity;
use rarog_lang::plan::Plan;
use rarog_lang::render::{render_human, render_json};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Prints every diagnostic of every program; exit code 1 if there is an error.
pub fn check(args: &CheckArgs) -> ExitCode {
    let mut failed = false;
    for path in &args.programs {
        let compiled = match program::front_end(path, &args.connectors) {
            Ok(compiled) => compiled,
            Err(code) => return code,
        };
        failed |= compiled.diagnostics.iter().any(|d| d.severity == Severity::Error);
        match args.format {
            DiagnosticFormat::Human => eprint!("{}", render_human(&compiled.diagnostics, &compiled.sources)),
            DiagnosticFormat::Json => stdout::print(&render_json(&compiled.diagnostics, &compiled.sources)),
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
    let usage = |message: String| (exit::USAGE, format!("rarog: {message}\n"));
    let text = files::read_program(path).map_err(usage)?;
    let formatted = format_text(path, &text)?;
    if formatted == text {
        return Ok(true);
    }
    if check {
        return Ok(false);
    }
    fs::write(path, formatted).map_err(|error| usage(files::cannot_write(path, &error)))?;
    Ok(true)
}

// The formatter of the language is not there yet.
fn format_text(path: &Path, _text: &str) -> Result<String, (u8, String)> {
    Err((exit::USAGE, format!("rarog: this build cannot format {}\n", path.display())))
}

/// Prints the plan in words.
pub fn explain(args: &ExplainArgs) -> ExitCode {
    with_draft(&args.program, &args.connectors, rarog_lang::explain::explain)
}

/// Draws the plan.
pub fn graph(args: &GraphArgs) -> ExitCode {
    with_draft(
        &args.program,
        &args.connectors,
        match args.format {
            GraphFormat::Ascii => rarog_lang::graph::graph_ascii,
            GraphFormat::Dot => rarog_lang::graph::graph_dot,
            GraphFormat::Json => rarog_lang::graph::graph_json,
        },
    )
}

/// Shows a plan, also one that this build cannot run yet; the diagnostics go to stderr.
fn with_draft(path: &Path, connectors: &Connectors, show: impl Fn(&Plan) -> String) -> ExitCode {
    let compiled = match program::front_end(path, connectors) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    eprint!("{}", render_human(&compiled.diagnostics, &compiled.sources));
    match compiled.plan.or(compiled.draft) {
        Some(plan) => {
            stdout::print(&show(&plan));
            ExitCode::SUCCESS
        }
        None => ExitCode::from(exit::FAILED),
    }
}
