//! Runs one pipeline to its end on `n` timely threads.

use super::render::render;
use super::shared::{Counters, Host, Shared, StreamCounts};
use super::source::Intake;
use super::tick::Tick;
use crate::operators::Clockwork;
use rarog_lang::plan::{PLAN_VERSION, Plan};
use std::sync::Arc;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan was made by another version.
    #[error("the plan has version {0}, this build runs version {PLAN_VERSION}; compile the program again")]
    Version(u32),
    /// An operator failed.
    #[error("{0}")]
    Failed(String),
    /// Threads could not be started.
    #[error("cannot start the worker threads: {0}")]
    Threads(String),
}

impl Counters {
    /// Counters for a plan.
    pub fn new(plan: &Plan) -> Counters {
        Counters { streams: plan.streams.iter().map(|_| StreamCounts::default()).collect(), ..Counters::default() }
    }
}

/// Runs a plan on `workers` threads until the intake ends, all that came in has been handed to the host, and every peer has
/// let go of its state.
pub fn run(
    plan: Arc<Plan>,
    host: Arc<dyn Host>,
    counters: Arc<Counters>,
    intake: Arc<dyn Intake>,
    workers: usize,
    clockwork: Clockwork,
) -> Result<(), RunError> {
    if plan.version != PLAN_VERSION {
        return Err(RunError::Version(plan.version));
    }
    let shared = Arc::new(Shared::new(plan, host, counters));
    let config = if workers <= 1 { timely::Config::thread() } else { timely::Config::process(workers) };
    let of_peers = shared.clone();
    let guards = timely::execute(config, move |worker| {
        let built = worker.dataflow::<Tick, _, _>(|scope| render(scope, &of_peers, &intake, clockwork));
        if let Err(reason) = built {
            of_peers.fail(reason);
        }
    })
    .map_err(RunError::Threads)?;
    for joined in guards.join() {
        if let Err(reason) = joined {
            shared.fail(format!("a worker thread ended: {reason}"));
        }
    }
    match shared.failure() {
        Some(reason) => Err(RunError::Failed(reason)),
        None => Ok(()),
    }
}
