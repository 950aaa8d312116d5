//! What the sockets of workers and the leader's loop need of consensus, so that both can be tested without it.
//!
//! Invariants of whoever implements it: changes are applied in one order everywhere; what [`Agreement::read`] gives is not
//! older than anything that was decided before the call.

use crate::model::command::{Change, Outcome};
use crate::model::state::State;
use crate::raft::{Consensus, Leadership, SubmitError};
use crate::seams::Pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// See the module's head.
pub trait Agreement: Send + Sync {
    /// The newest state here, and a sign of every change.
    fn watch(&self) -> watch::Receiver<Arc<State>>;
    /// Who leads, and a sign of every change.
    fn watch_leader(&self) -> watch::Receiver<Leadership>;
    /// Has a change decided, by whoever leads.
    fn submit(&self, change: Change, patience: Duration) -> Pending<'static, Result<Outcome, SubmitError>>;
    /// A state that holds everything decided before this call; `None`: nobody could tell in time.
    fn read(&self, patience: Duration) -> Pending<'static, Option<Arc<State>>>;
    /// Was a majority heard within this time?
    fn has_quorum_within(&self, limit: Duration) -> bool;
}

impl Agreement for Consensus {
    fn watch(&self) -> watch::Receiver<Arc<State>> {
        Consensus::watch(self)
    }

    fn watch_leader(&self) -> watch::Receiver<Leadership> {
        self.watch_leadership()
    }

    fn submit(&self, change: Change, patience: Duration) -> Pending<'static, Result<Outcome, SubmitError>> {
        let consensus = self.clone();
        Box::pin(async move { Consensus::submit(&consensus, change, patience).await })
    }

    fn read(&self, patience: Duration) -> Pending<'static, Option<Arc<State>>> {
        let consensus = self.clone();
        Box::pin(async move { Consensus::read(&consensus, patience).await.ok() })
    }

    fn has_quorum_within(&self, limit: Duration) -> bool {
        Consensus::has_quorum_within(self, limit)
    }
}
