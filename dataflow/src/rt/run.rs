//! Runs one pipeline to its end on `n` timely threads.

use super::render::render;
use super::shared::{Counters, Shared, StreamCounts};
use super::tick::Tick;
use super::worker::{Job, WorkerThread};
use rarog_lang::plan::{PLAN_VERSION, Plan};
use std::sync::Arc;

/// Why a run ended early.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan was made by another version.
    #[error("the plan has version {0}, this build runs version {PLAN_VERSION}; compile the program again")]
    Version(u32),
    /// An operator failed.
    #[error("{0}")]
    Failed(String),
    /// It was dropped while it ran.
    #[error("the pipeline was dropped")]
    Dropped,
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

/// Runs a pipeline on `workers` threads until the intake ends, all that came in has been handed to the host, and every
/// peer has let go of its state.
pub fn run(job: Job, workers: usize) -> Result<(), RunError> {
    if workers <= 1 { WorkerThread::start("rarog-worker")?.install(job)?.wait() } else { run_wide(job, workers) }
}

/// One pipeline on `workers` timely threads of its own.
fn run_wide(job: Job, workers: usize) -> Result<(), RunError> {
    if job.plan.version != PLAN_VERSION {
        return Err(RunError::Version(job.plan.version));
    }
    let (intake, clockwork) = (job.intake.clone(), job.clockwork);
    let shared = Arc::new(Shared::new(job, Arc::default()));
    let of_peers = shared.clone();
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
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
