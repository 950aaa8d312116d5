//! `check`, `fmt`, `explain`, `graph`: what the front end alone can say.

use crate::args::{CheckArgs, Connectors, DiagnosticFormat, ExplainArgs, FmtArgs, GraphArgs, GraphFormat};
use crate::{exit, files, program, stdout};
use rarog_lang::diagnostic::Severity;
use rarog_lang::plan::Plan;
use rarog_lang::render::{SourceText, render_human, render_json};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Prints every diagnostic of every program; exit code 1 if there is an error, 2 if a program cannot be read.
pub fn check(args: &CheckArgs) -> ExitCode {
    let mut code = 0;
    let (mut errors, mut warnings) = (0, 0);
    let mut plans = Vec::new();
    for path in &args.programs {
        let Ok(compiled) = program::front_end(path, &args.connectors) else {
            code = exit::USAGE;
            continue;
        };
        let of_program = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        errors += of_program;
        warnings += compiled.diagnostics.len() - of_program;
        match args.format {
            DiagnosticFormat::Human => say!("{}", render_human(&compiled.diagnostics, &compiled.sources)),
            DiagnosticFormat::Json => stdout::print(&render_json(&compiled.diagnostics, &compiled.sources)),
        }
        plans.extend(compiled.plan.or(compiled.draft));
    }
    // What a wrong program would have is not known.
    let known = program::check_connectors(&args.connectors, &plans.iter().collect::<Vec<_>>());
    if let (Err(message), true) = (known, plans.len() == args.programs.len()) {
        say_line!("rarog check: {message}");
        code = exit::USAGE;
    }
    if args.format == DiagnosticFormat::Human && errors + warnings > 0 {
        say_line!("{}, {}", count(errors, "error"), count(warnings, "warning"));
    }
    ExitCode::from(if errors > 0 { code.max(exit::FAILED) } else { code })
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Formats programs in place, or says which are not formatted.
pub fn format(args: &FmtArgs) -> ExitCode {
    let mut code = 0;
    for path in &args.programs {
        match format_file(path, args.check) {
            Ok(true) => {}
            Ok(false) => {
                say_line!("{} is not formatted; run rarog fmt {0}", path.display());
                code = code.max(exit::FAILED);
            }
            Err((failure, message)) => {
                say!("{message}");
                code = code.max(failure);
            }
        }
    }
    ExitCode::from(code)
}

fn format_file(path: &Path, check: bool) -> Result<bool, (u8, String)> {
    let usage = |message: String| (exit::USAGE, format!("rarog: {message}\n"));
    let text = files::read_program(path).map_err(usage)?;
    let formatted = rarog_lang::format::format(&text).map_err(|diagnostics| {
        let sources = [SourceText::new(path.display().to_string(), text.clone())];
        (exit::FAILED, render_human(&diagnostics, &sources))
    })?;
    if check {
        return Ok(formatted == text);
    }
    if files::is_stdin(path) {
        stdout::print(&formatted);
        return Ok(true);
    }
    if formatted == text {
        return Ok(true);
    }
    fs::write(path, formatted).map_err(|error| usage(files::cannot_write(path, &error)))?;
    Ok(true)
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

/// Shows a plan, also one that this build cannot run yet (then exit code 1); the diagnostics go to stderr.
fn with_draft(path: &Path, connectors: &Connectors, show: impl Fn(&Plan) -> String) -> ExitCode {
    let compiled = match program::front_end(path, connectors) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    say!("{}", render_human(&compiled.diagnostics, &compiled.sources));
    if let Some(plan) = compiled.plan.as_ref().or(compiled.draft.as_ref()) {
        if let Err(message) = program::check_connectors(connectors, &[plan]) {
            say_line!("rarog: {message}");
            return ExitCode::from(exit::USAGE);
        }
        stdout::print(&show(plan));
    }
    ExitCode::from(if compiled.plan.is_some() { 0 } else { exit::FAILED })
}
