//! The right to connect, as connectors ask for it: a [`Warrant`] for one placement.

use rarog_connectors::mqtt::{Asked, Permission, Permit};
use rarog_control::agent::engine::Warrant;
use rarog_control::model::ids::{EpochNumber, PipelineKey};
use rarog_control::wire::Verdict;
use std::sync::Arc;

/// See the module's head.
pub struct Ownership {
    /// Whom to ask.
    pub warrant: Arc<dyn Warrant>,
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The placement.
    pub epoch: EpochNumber,
}

impl Permit for Ownership {
    fn ask(&self) -> Asked {
        let verdict = self.warrant.owner(&self.pipeline, self.epoch);
        Box::pin(async move {
            match verdict.await {
                Verdict::Owner => Permission::Granted,
                Verdict::Superseded => Permission::Denied,
                Verdict::Unknown => Permission::Unknown,
            }
        })
    }
}
