//! What the sockets of workers and the leader's loop need of consensus, so that both can be tested without it.
//!
//! Invariants of whoever implements it: changes are applied in one order everywhere; what [`Agreement::read`] gives is not
//! older than anything that was decided before the call.

use crate::model::command::{Change, Outcome};
use crate::model::ids::NodeId;
use crate::model::state::State;
use crate::seams::Pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Who leads, as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leading {
    /// The term; a node that leads twice does so in two terms.
    pub term: u64,
    /// The leader; `None`: none is known.
    pub leader: Option<NodeId>,
}

/// Why a change was not decided, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// There is no leader: nothing was changed.
    #[error("no leader in time: ask again")]
    NoLeader,
    /// It may be decided, or not.
    #[error("what became of the change is unknown: look before it is asked for again")]
    OutcomeUnknown,
}

/// See the module's head.
pub trait Agreement: Send + Sync {
    /// The newest state here, and a sign of every change.
    fn watch(&self) -> watch::Receiver<Arc<State>>;
    /// Who leads, and a sign of every change.
    fn watch_leader(&self) -> watch::Receiver<Leading>;
    /// Has a change decided, by whoever leads.
    fn submit(&self, change: Change, patience: Duration) -> Pending<'static, Result<Outcome, Undecided>>;
    /// A state that holds everything decided before this call; `None`: nobody could tell in time.
    fn read(&self, patience: Duration) -> Pending<'static, Option<Arc<State>>>;
    /// Was a majority heard within this time?
    fn has_quorum_within(&self, limit: Duration) -> bool;
}
