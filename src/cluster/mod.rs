//! What makes this process part of a cluster: a coordinator, or a worker with the engine that runs what coordinators order.

mod coordinator;
pub mod engine;
mod logging;
mod server;
mod signals;
pub mod state;

use crate::args::{CoordinatorArgs, ServerArgs};
use crate::run::Failure;
use std::process::ExitCode;

/// `rarog coordinator`
pub fn coordinator(args: &CoordinatorArgs) -> ExitCode {
    ended("coordinator", coordinator::run(args))
}

/// `rarog server`
pub fn server(args: &ServerArgs) -> ExitCode {
    ended("server", server::run(args))
}

fn ended(command: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            say_line!("rarog {command}: {message}");
            ExitCode::from(code)
        }
    }
}
