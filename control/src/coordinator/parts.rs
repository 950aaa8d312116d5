//! What the REST interface needs of the other parts of a coordinator: what all agree on, and what is seen of workers.
//!
//! Both are traits, so that the interface can be tested without a network and without time.

use super::fleet::Fleet;
use crate::model::command::{Change, Outcome};
use crate::model::ids::{NodeId, WorkerId};
use crate::model::state::State;
use crate::seams::Pending;
use crate::wire::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The replicated state, as one coordinator reaches it. A change may be asked for on every coordinator.
pub trait Ledger: Send + Sync {
    /// What this coordinator has applied so far, and a sign of every change.
    fn watch(&self) -> watch::Receiver<Arc<State>>;

    /// The same, without waiting.
    fn state(&self) -> Arc<State> {
        self.watch().borrow().clone()
    }

    /// Has a change made. When the answer is there this coordinator has applied it.
    fn submit(&self, change: Change, patience: Duration) -> Pending<'static, Result<Outcome, Unavailable>>;

    /// The state after everything that was decided before the call; `None`: nobody could tell in time.
    fn read(&self, patience: Duration) -> Pending<'static, Option<Arc<State>>>;

    /// Who decides.
    fn quorum(&self) -> Quorum;
}

/// Why nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The change was not made.
    #[error("there is no leader: no majority of the coordinators is reached; nothing was changed")]
    NoLeader,
    /// It may have been made.
    #[error("what became of the request is unknown: look before asking again")]
    OutcomeUnknown,
}

/// A coordinator's part in the vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Leader,
    /// It follows.
    Follower,
    /// It asks for votes.
    Candidate,
    /// It has no vote (yet).
    Learner,
}

/// Who decides, as one coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// This coordinator.
    pub node: NodeId,
    /// Its part.
    pub role: Role,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The term.
    pub term: u64,
    /// The last entry of its log.
    pub last_log_index: u64,
    /// The last one that is decided.
    pub committed: u64,
    /// The last one that it has applied.
    pub applied: u64,
    /// All members.
    pub members: Vec<Member>,
}

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Where it is reached, `http://host:port`.
    pub address: String,
    /// Has it a vote?
    pub votes: bool,
    /// Entries that it lacks; the leader alone knows.
    pub lag: Option<u64>,
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
