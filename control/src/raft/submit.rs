//! Commands and linearizable reads, from any node.
//!
//! Invariant: a command is given to a second node only when the first one has not seen it, or has said that it did not take
//! it; so it is applied once, or somebody is told that nobody knows.

use super::consensus::{Consensus, Inner, Leadership};
use super::message::{ReadIndex, Submit, Submitted};
use super::types::Proposal;
use crate::model::command::{Change, Command, Outcome};
use crate::model::state::State;
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, RaftError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Time that a leader is waited for unless the caller says otherwise, ms.
pub const DEFAULT_PATIENCE_MS: u64 = 2_000;

/// Bytes of a command at the most.
pub const COMMAND_LIMIT_BYTES: usize = 8 << 20;

/// Time that a command may take once it was given to a leader, ms.
const COMMIT_MS: u64 = 2_000;

/// Time that a call may take longer than what it is to do, ms.
const CALL_MARGIN_MS: u64 = 250;

/// Time after which a node that did not take a command is asked again, ms.
const RETRY_MS: u64 = 10;

/// Time that one attempt at a read may take, ms.
const READ_ATTEMPT_MS: u64 = 500;

/// Why nothing is known to be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Nobody took it: nothing has changed.
    #[error("there is no leader: no majority of the coordinators can be reached; nothing was changed, try again")]
    NoLeader,
    /// Somebody took it, and did not say what became of it.
    #[error("what became of the change is unknown: look before you try again")]
    OutcomeUnknown,
    /// It is larger than a command may be: nothing has changed.
    #[error("the change has {bytes} bytes, and {COMMAND_LIMIT_BYTES} are allowed: split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Why there is no state that is known to be the newest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No leader has confirmed in time that it leads.
    #[error("no leader could confirm in time that it leads: no majority of the coordinators can be reached")]
    NoLeader,
    /// This node did not get the state in time.
    #[error("this coordinator is behind and did not catch up in time")]
    Behind,
}

impl Consensus {
    /// Has a change decided, wherever the leader is. A leader is waited for as long as `patience` says; a leader that took it
    /// gets two seconds more. When this returns, [`Consensus::state`] shows the effect (unless this node is badly behind).
    pub async fn submit(&self, change: Change, patience: Duration) -> Result<Outcome, SubmitError> {
        let command = Command { at_ms: self.inner.seams.clock.now_ms(), change };
        let bytes = super::message::encode(&command).len();
        if bytes > COMMAND_LIMIT_BYTES {
            return Err(SubmitError::TooLarge { bytes });
        }
        let deadline = Instant::now() + patience;
        loop {
            let leadership = self.leader(deadline).await.ok_or(SubmitError::NoLeader)?;
            match self.attempt(&leadership, &command).await {
                Submitted::Decided { outcome, index } => {
                    let late = Instant::now() + Duration::from_millis(COMMIT_MS);
                    if !self.inner.wait_applied(Some(index), late).await {
                        tracing::warn!(node = self.node(), index, "a change was decided, and is not seen here yet");
                    }
                    return Ok(outcome);
                }
                Submitted::Unknown => return Err(SubmitError::OutcomeUnknown),
                Submitted::NotTaken if Instant::now() >= deadline => return Err(SubmitError::NoLeader),
                Submitted::NotTaken => sleep(Duration::from_millis(RETRY_MS)).await,
            }
        }
    }

    /// A state that has everything that was decided before this call, wherever the leader is.
    pub async fn read(&self, patience: Duration) -> Result<Arc<State>, ReadError> {
        let deadline = Instant::now() + patience;
        loop {
            let leadership = self.leader(deadline).await.ok_or(ReadError::NoLeader)?;
            let patience = deadline.min(Instant::now() + Duration::from_millis(READ_ATTEMPT_MS));
            if let Ok(Some(index)) = timeout_at(patience, self.read_index(&leadership)).await {
                if !self.inner.wait_applied(index, deadline).await {
                    return Err(ReadError::Behind);
                }
                return Ok(self.state());
            }
            if Instant::now() >= deadline {
                return Err(ReadError::NoLeader);
            }
            sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    /// Waits until some leader is known.
    async fn leader(&self, deadline: Instant) -> Option<Leadership> {
        let mut leadership = self.inner.leadership.subscribe();
        let found = timeout_at(deadline, leadership.wait_for(|now| now.leader.is_some())).await;
        found.ok()?.ok().map(|known| known.clone())
    }

    async fn attempt(&self, leadership: &Leadership, command: &Command) -> Submitted {
        let Some(leader) = leadership.leader else { return Submitted::NotTaken };
        let wait = Duration::from_millis(COMMIT_MS);
        if leader == self.node() {
            return self.inner.decide(command.clone(), wait).await;
        }
        let Some(url) = &leadership.url else { return Submitted::NotTaken };
        let submit = Submit { command: command.clone(), wait_ms: COMMIT_MS };
        let patience = wait + Duration::from_millis(CALL_MARGIN_MS);
        match self.inner.caller.call(leader, url, "/raft/submit", submit, patience).await {
            Ok(submitted) => submitted,
            Err(error) if error.may_have_been_taken() => {
                tracing::warn!(node = self.node(), leader, %error, "nobody knows what became of a change");
                Submitted::Unknown
            }
            Err(_) => Submitted::NotTaken,
        }
    }

    /// Up to where a read has to wait; `None`: the leader did not confirm that it leads.
    async fn read_index(&self, leadership: &Leadership) -> Option<Option<u64>> {
        let leader = leadership.leader?;
        let answer = if leader == self.node() {
            self.inner.confirm_lead().await
        } else {
            let wait = Duration::from_millis(READ_ATTEMPT_MS);
            self.inner.caller.call(leader, leadership.url.as_ref()?, "/raft/read-index", (), wait).await.ok()?
        };
        match answer {
            ReadIndex::At(position) => Some(position.map(|position| position.index)),
            ReadIndex::NotLeader => None,
        }
    }
}

impl Inner {
    /// Has a command decided if this node leads.
    pub(super) async fn decide(&self, command: Command, wait: Duration) -> Submitted {
        let Some(raft) = self.raft() else { return Submitted::NotTaken };
        match timeout(wait, raft.client_write(Proposal(Arc::new(command)))).await {
            Ok(Ok(response)) => Submitted::Decided { outcome: response.data.0, index: response.log_id.index },
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => Submitted::NotTaken,
            Ok(Err(error)) => {
                tracing::warn!(node = self.config.node, %error, "nobody knows what became of a change");
                Submitted::Unknown
            }
            Err(_) => Submitted::Unknown,
        }
    }

    /// Has a majority confirm that this node leads, and says up to where everything is decided.
    pub(super) async fn confirm_lead(&self) -> ReadIndex {
        let Some(raft) = self.raft() else { return ReadIndex::NotLeader };
        match raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => ReadIndex::At(Some(*linearizer.read_log_id().log_id())),
            Err(error) => {
                tracing::debug!(node = self.config.node, %error, "this node cannot confirm that it leads");
                ReadIndex::NotLeader
            }
        }
    }

    /// Waits until the state has everything up to an index.
    async fn wait_applied(&self, index: Option<u64>, deadline: Instant) -> bool {
        let mut applied = self.published.applied.subscribe();
        let has = applied.wait_for(|applied| applied.map(|applied| applied.index) >= index);
        matches!(timeout_at(deadline, has).await, Ok(Ok(_)))
    }
}
