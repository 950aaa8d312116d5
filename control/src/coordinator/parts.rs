//! What the REST interface needs of the other parts of a coordinator: what all agree on, and what is seen of workers.
//!
//! Both are traits, so that the interface can be tested without a network and without time.

use super::agreement::Agreement;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::model::ids::WorkerId;
use crate::raft::{Consensus, Metrics as RaftMetrics};
use crate::wire::Metrics;
use std::sync::Arc;

/// The replicated state, and how those who agree on it are doing.
pub trait Ledger: Agreement {
    /// See [`RaftMetrics`].
    fn raft_metrics(&self) -> RaftMetrics;
}

impl Ledger for Consensus {
    fn raft_metrics(&self) -> RaftMetrics {
        self.metrics()
    }
}

/// What is seen of workers.
pub trait Observer: Send + Sync {
    /// What the leader sees, as this coordinator knows it.
    fn fleet(&self) -> Arc<Fleet>;

    /// Live sockets of workers at this very coordinator.
    fn live_sockets(&self) -> usize;

    /// A heartbeat, or a registration, has come over REST.
    fn heartbeat(&self, worker: &WorkerId, metrics: Metrics);
}

impl Observer for Hub {
    fn fleet(&self) -> Arc<Fleet> {
        Hub::fleet(self)
    }

    fn live_sockets(&self) -> usize {
        Hub::live_sockets(self)
    }

    fn heartbeat(&self, worker: &WorkerId, metrics: Metrics) {
        Hub::heartbeat(self, worker, metrics);
    }
}
