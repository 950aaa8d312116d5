//! The state machine of a Raft node: applies committed commands to the [`State`] and shows it to everybody else.
//!
//! Invariant: what [`Published`] shows was committed; the caller of a command is answered after its effect is shown.

use super::journal::{Flush, JournalError};
use super::snapshot;
use super::types::{Applied, LogId, Membership, Proposal, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use crate::model::apply::apply;
use crate::model::command::Outcome;
use crate::model::ids::NodeId;
use crate::model::state::State;
use crate::seams::Disk;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use std::io;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// What others see of the state machine.
pub(super) struct Published {
    /// The state.
    pub(super) state: watch::Sender<Arc<State>>,
    /// Up to where it was applied; never ahead of the state.
    pub(super) applied: watch::Sender<Option<LogId>>,
}

impl Default for Published {
    fn default() -> Published {
        Published { state: watch::Sender::new(Arc::default()), applied: watch::Sender::new(None) }
    }
}

/// See the module's head.
pub(super) struct Machine {
    disk: Arc<dyn Disk>,
    flush: Flush,
    published: Arc<Published>,
    state: Arc<State>,
    applied: Option<LogId>,
    membership: StoredMembership,
}

impl Machine {
    /// The machine of a disk; openraft restores its snapshot and applies the log behind it.
    pub(super) fn new(disk: Arc<dyn Disk>, flush: Flush, published: Arc<Published>) -> Result<Machine, JournalError> {
        snapshot::load(&*disk)?;
        let membership = StoredMembership::new(None, Membership::new_with_defaults(Vec::new(), []));
        Ok(Machine { disk, flush, published, state: Arc::default(), applied: None, membership })
    }

    fn publish(&self) {
        self.published.state.send_replace(self.state.clone());
        self.published.applied.send_replace(self.applied);
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let mut answers = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            self.applied = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = &entry.payload {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
            }
            let outcome = apply_entry(&mut self.state, entry.payload);
            answers.extend(responder.map(|responder| (responder, outcome)));
        }
        self.publish();
        for (responder, outcome) in answers {
            responder.send(Applied(outcome));
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        Builder { disk: self.disk.clone(), flush: self.flush, meta, state: self.state.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: Bytes) -> io::Result<()> {
        let state = snapshot::decode(&data)?;
        // At a restart this is the stored one.
        let stored = snapshot::load(&*self.disk).map_err(io::Error::other)?;
        if stored.is_none_or(|(stored, _)| stored != *meta) {
            let (disk, meta) = (self.disk.clone(), meta.clone());
            aside(self.flush, move || snapshot::store(&*disk, &meta, &data)).await?;
        }
        self.state = Arc::new(state);
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let stored = snapshot::load(&*self.disk).map_err(io::Error::other)?;
        Ok(stored.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Applies an entry to a state.
pub(super) fn apply_entry(
    state: &mut Arc<State>,
    payload: EntryPayload<Proposal, NodeId, openraft::BasicNode>,
) -> Outcome {
    match payload {
        EntryPayload::Blank => Outcome::Unchanged,
        EntryPayload::Normal(proposal) => apply(Arc::make_mut(state), &proposal.0),
        EntryPayload::Membership(_) => Outcome::Applied,
    }
}

/// A state that becomes a snapshot.
pub(super) struct Builder {
    disk: Arc<dyn Disk>,
    flush: Flush,
    meta: SnapshotMeta,
    state: Arc<State>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let (disk, meta, state) = (self.disk.clone(), self.meta.clone(), self.state.clone());
        aside(self.flush, move || {
            // A newer one may have come from the leader meanwhile.
            if let Some((stored, snapshot)) = snapshot::load(&*disk).map_err(io::Error::other)?
                && stored.last_log_id > meta.last_log_id
            {
                return Ok(Snapshot { meta: stored, snapshot });
            }
            let bytes = snapshot::encode(&state)?;
            snapshot::store(&*disk, &meta, &bytes)?;
            Ok(Snapshot { meta, snapshot: bytes })
        })
        .await
    }
}

/// Does something that takes long on a thread of its own, or at once where everything is to be the same every time.
async fn aside<T: Send + 'static>(
    flush: Flush,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if flush == Flush::Inline {
        return work();
    }
    let (sender, receiver) = oneshot::channel();
    // Whoever does not wait any more does not want the result.
    std::thread::Builder::new().name("raft-snapshot".into()).spawn(move || drop(sender.send(work())))?;
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the thread that writes the snapshot has ended")))
}
