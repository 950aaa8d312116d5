//! What the leader hears of workers, shared by those who hear it and the loop that acts on it.
//!
//! Invariant: nothing of an earlier term is left when a new one begins.

use super::fleet::{Digest, Fleet, Sweep};
use super::liveness::{Deadlines, Liveness};
use super::rates::Rates;
use crate::model::ids::NodeId;
use crate::model::observed::Observed;
use crate::model::state::State;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// See the module's head.
#[derive(Debug)]
pub struct FailureDetector {
    node: NodeId,
    deadlines: Deadlines,
    inner: Mutex<Inner>,
    heard: Notify,
}

#[derive(Debug)]
struct Inner {
    term: u64,
    liveness: Liveness,
    rates: Rates,
    sweep: Sweep,
}

impl Inner {
    fn new(term: u64, deadlines: Deadlines, now: Instant) -> Inner {
        let liveness = Liveness::new(deadlines, now);
        Inner { term, liveness, rates: Rates::default(), sweep: Sweep::default() }
    }
}

impl FailureDetector {
    /// One that has heard nothing.
    pub fn new(node: NodeId, deadlines: Deadlines, now: Instant) -> FailureDetector {
        let inner = Mutex::new(Inner::new(0, deadlines, now));
        FailureDetector { node, deadlines, inner, heard: Notify::new() }
    }

    /// This node leads in this term, if it is not an old one. What was heard in it so far stays.
    pub fn lead(&self, term: u64, now: Instant) {
        let mut inner = self.inner();
        if term > inner.term {
            *inner = Inner::new(term, self.deadlines, now);
        }
    }

    /// A digest has come in this term; gives what is seen with it.
    pub fn hear(&self, digest: Digest, term: u64, now: Instant) -> Fleet {
        self.lead(term, now);
        let mut inner = self.inner();
        for sight in &digest.sights {
            inner.rates.hear(&sight.metrics.pipelines, now);
        }
        inner.liveness.hear(digest, now);
        let fleet = inner.liveness.fleet(self.node, inner.sweep, now);
        drop(inner);
        self.heard.notify_one();
        fleet
    }

    /// Waits for the next digest.
    pub async fn heard(&self) {
        self.heard.notified().await;
    }

    /// What is known of every worker, and of the load.
    pub fn observe(&self, state: &State, now: Instant) -> Observed {
        let mut inner = self.inner();
        inner.liveness.tick(state, now);
        let workers = state.workers.keys().map(|id| (id.clone(), inner.liveness.verdict(id, state, now))).collect();
        Observed { workers, rates: inner.rates.per_second(now) }
    }

    /// Workers were looked after.
    pub fn swept(&self, sweep: Sweep) {
        self.inner().sweep = sweep;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is one assignment, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
