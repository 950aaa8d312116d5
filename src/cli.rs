//! The `rarog` binary: command line and glue, the only place that knows all the crates.

mod args;
mod check;
mod program;
mod run;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Exit codes (docs/cli.md): 0 ok, 1 failed check, 2 usage or unreadable file, 3 cannot reach, 4 taken over.
pub mod exit {
    /// A check failed, or the pipeline did.
    pub const FAILED: u8 = 1;
    /// Usage, or a file that cannot be read.
    pub const USAGE: u8 = 2;
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::main(args),
        Command::Simulate(args) => run::main(args.into()),
        Command::Check(args) => check::check(&args),
        Command::Fmt(args) => check::format(&args),
        Command::Explain(args) => check::explain(&args),
        Command::Graph(args) => check::graph(&args),
    }
}
