//! What makes this process part of a cluster: a coordinator, or a worker with the engine that runs what coordinators order.

mod coordinator;
pub mod engine;
mod logging;
mod server;
mod signals;
pub mod state;

use crate::args::{CoordinatorArgs, ServerArgs};
use crate::run::exit_code;
use std::process::ExitCode;

/// `rarog coordinator`
pub fn coordinator(args: &CoordinatorArgs) -> ExitCode {
    exit_code("coordinator", coordinator::run(args))
}

/// `rarog server`
pub fn server(args: &ServerArgs) -> ExitCode {
    exit_code("server", server::run(args))
}
