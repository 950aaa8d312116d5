//! The REST interface of a worker: the pipelines that run on it, whoever put them there.
//!
//! ```text
//!   /api/v1/pipelines ──┬──> Standalone ──> Engine     deployed here directly
//!                       └──> Placed                     what the cluster has placed here: to be read, not to be changed
//! ```

mod graph;
mod http;
mod metrics;
mod queues;
pub mod standalone;

pub use queues::Queues;

use crate::agent::engine::Engine;
use crate::coordinator::auth::Keys;
use crate::coordinator::limits::RateLimit;
use crate::model::ids::{EpochNumber, PipelineKey, Uuid};
use crate::model::state::Phase;
use crate::seams::Clock;
use rarog_lang::plan::Plan;
use standalone::Standalone;
use std::sync::Arc;

/// A pipeline that the cluster has placed here.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Which.
    pub pipeline: PipelineKey,
    /// What it is known by outside.
    pub id: Uuid,
    /// The placement.
    pub epoch: EpochNumber,
    /// Its group, for people.
    pub group_name: String,
    /// VPL.
    pub source: Arc<str>,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// What became of it.
    pub phase: Phase,
    /// Since when it is here, Unix time.
    pub since_ms: u64,
}

/// The half of the worker that the cluster talks to.
pub trait Membership: Send + Sync {
    /// What the cluster has placed here.
    fn placed(&self) -> Vec<Placed>;
    /// Is there a socket to a coordinator?
    fn is_connected(&self) -> bool;
}

/// A worker without a cluster.
pub struct Alone;

impl Membership for Alone {
    fn placed(&self) -> Vec<Placed> {
        Vec::new()
    }

    fn is_connected(&self) -> bool {
        true
    }
}

/// What the interface shows. See the module's head.
pub struct Worker {
    /// Its name.
    pub name: String,
    /// What runs pipelines.
    pub engine: Arc<dyn Engine>,
    /// Pipelines that were deployed here directly.
    pub standalone: Standalone,
    /// Those of the cluster.
    pub membership: Arc<dyn Membership>,
    /// Who may call.
    pub keys: Keys,
    /// How often one address may change something.
    pub rate: RateLimit,
    /// Whose pages may call: origins, or `*`.
    pub cors_origins: Vec<String>,
    /// How many injected events may wait for a pipeline.
    pub queues: Queues,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// When it started, Unix time.
    pub started_ms: u64,
}

impl Worker {
    /// Its routes, with those by which other workers reach this one.
    pub fn routes(self: Arc<Self>, others: axum::Router) -> axum::Router {
        http::guarded(http::routes(self.clone()).merge(others), self)
    }

    /// `/metrics` alone, for a port of its own.
    pub fn metrics_routes(self: Arc<Self>) -> axum::Router {
        http::metrics_routes(self)
    }
}

#[cfg(test)]
mod tests;
