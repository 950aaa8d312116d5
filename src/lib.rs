//! Command line and glue, the only place that knows all the crates: what the `rarog` binary is, as a library, so that tests can
//! run its engine in their own process.

#[macro_use]
mod stderr;
mod args;
mod check;
mod client;
pub mod cluster;
#[cfg(feature = "demo")]
mod demo;
mod files;
mod generate;
mod program;
mod run;
mod stdout;

use args::Command;
use std::process::ExitCode;

/// Exit codes (docs/cli.md); 0 is ok.
pub mod exit {
    /// A check failed, or a pipeline did.
    pub const FAILED: u8 = 1;
    /// Usage, or a file that cannot be read.
    pub const USAGE: u8 = 2;
    /// A connector could not be reached in time.
    pub const UNREACHABLE: u8 = 3;
    /// Another run of the same name has taken the connection.
    pub const TAKEN_OVER: u8 = 4;
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    match args::parse().command {
        Command::Run(args) => run::main(&args),
        Command::Simulate(args) => run::main(&args.into()),
        Command::Check(args) => check::check(&args),
        Command::Fmt(args) => check::format(&args),
        Command::Explain(args) => check::explain(&args),
        Command::Graph(args) => check::graph(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::main(&args),
        Command::Generate(args) => generate::main(&args),
        Command::Coordinator(args) => cluster::coordinator(&args),
        Command::Server(args) => cluster::server(&args),
        Command::Deploy(args) => client::deploy(&args),
        Command::Ls(args) => client::ls(&args),
        Command::Topology(args) => client::topology(&args),
        Command::Delete(args) => client::delete(&args),
        Command::Members(args) => client::members(&args),
        Command::Workers(args) => client::workers(&args),
        Command::Health(args) => client::health(&args),
    }
}
