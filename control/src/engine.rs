//! The seam between those who decide what runs and those who run it.
//!
//! An engine is a process's set of pipelines. Invariants: a pipeline runs at most once in it; an order with an epoch older
//! than one already seen for the pipeline is refused, so a decider that was overruled cannot undo what its successor did.

use rarog_lang::plan::Plan;
use std::fmt;
use std::sync::Arc;

/// Name of a pipeline, unique within an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineId(Arc<str>);

impl PipelineId {
    /// The pipeline of this name.
    pub fn new(name: &str) -> PipelineId {
        PipelineId(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Generation of a placement: every new decision about a pipeline has a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What to run.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The decision that puts it here.
    pub epoch: Epoch,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Threads; with one it shares a thread with its neighbours.
    pub workers: u16,
}

/// Where a pipeline is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes records.
    Running,
    /// Its input has ended and everything that came in is through.
    Ended,
    /// An error of its own ended it; the others are not concerned.
    Failed(String),
}

/// What is known of a pipeline that was installed and not dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The decision that put it here.
    pub epoch: Epoch,
    /// Where it is in its life.
    pub state: State,
    /// Records taken from its sources.
    pub records: u64,
}

/// Why an order was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A newer decision is known.
    OldEpoch {
        /// The epoch of the order.
        given: Epoch,
        /// The newest one seen.
        newest: Epoch,
    },
    /// There is no such pipeline.
    Unknown(PipelineId),
    /// It could not be started: no thread, a connector that cannot be used.
    CannotStart(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::OldEpoch { given, newest } => {
                write!(f, "epoch {} is older than {}, which was seen already", given.0, newest.0)
            }
            Refused::Unknown(pipeline) => write!(f, "there is no pipeline {pipeline}"),
            Refused::CannotStart(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

/// Runs plans.
pub trait Engine: Send + Sync {
    /// Starts a pipeline. One of that name with an older epoch is dropped first; with the same epoch nothing changes.
    fn install(&self, placement: Placement) -> Result<(), Refused>;

    /// Stops a pipeline and lets go of its state; returns when it is gone.
    fn drop_pipeline(&self, pipeline: &PipelineId, epoch: Epoch) -> Result<(), Refused>;

    /// All pipelines, by name.
    fn status(&self) -> Vec<Status>;
}
