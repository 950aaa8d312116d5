//! The `rarog` binary: command line and glue, the only place that knows all the crates.

// Most arguments belong to commands (`cli.rs`) that join when the language front end does.
#[allow(dead_code, unused_imports)]
mod args;
#[allow(dead_code)]
mod files;
mod generate;
// Joins `run` with the rest of it.
#[allow(dead_code)]
#[path = "run/replay/mod.rs"]
mod replay;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Exit codes (docs/cli.md): 0 ok, 1 failed check, 2 usage or unreadable file, 3 cannot reach, 4 taken over.
pub mod exit {
    /// Usage, or a file that cannot be read.
    pub const USAGE: u8 = 2;
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Generate(args) => generate::main(&args),
        _ => {
            eprintln!("rarog {}: this build cannot run programs yet", env!("CARGO_PKG_VERSION"));
            ExitCode::from(exit::USAGE)
        }
    }
}
