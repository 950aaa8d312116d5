//! Whose node this is: its number, its cluster, and whether it takes part yet. Kept in a file beside the log.
//!
//! ```text
//!            ask to found                first vote or entries of that cluster
//!   blank ───────────────> bound ──────────────────────────────────────────────> member
//!     │                      └── may be bound anew ──┐                              ^
//!     └── admitted by a leader ───────────────────────┴── entries of the leader ─────┘
//! ```
//! Invariant: a node that has voted in a cluster, or has entries of it, is never bound to another one; a node that was admitted
//! by a leader votes only after it has heard from one, since it may have voted before it lost its disk.

use super::log::Log;
use super::message::{Envelope, Found, Lineage, Reply};
use crate::model::ids::{NodeId, Uuid};
use crate::seams::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of the file.
pub(super) const META: &str = "raft.meta";

/// Version of the file.
const FORMAT: u32 = 1;

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Meta {
    format: u32,
    node: NodeId,
    cluster: Option<Uuid>,
    #[serde(default)]
    recoveries: u32,
    #[serde(default)]
    role: Role,
}

/// How a node came to its cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// It is one of those that found it, as this node has asked.
    Founder(NodeId),
    /// It was admitted.
    #[default]
    Admitted,
}

/// Why a folder does not fit this node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// The disk failed.
    #[error("{place}: {source}")]
    Io {
        /// The file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("{place} cannot be understood: {reason}. Put it back from a copy, or start without this folder")]
    Damaged {
        /// The file.
        place: String,
        /// Why.
        reason: String,
    },
    /// It is another node's.
    #[error(
        "the folder {place} belongs to coordinator {known}, and this is to be coordinator {given}: give each coordinator a \
         folder of its own, or use the number {known}"
    )]
    OtherNode {
        /// The folder.
        place: String,
        /// Whose it is.
        known: NodeId,
        /// The number that was given.
        given: NodeId,
    },
}

/// A kind of call by another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Asks for a vote.
    Vote,
    /// Asks whether a vote would be given; promises nothing.
    PreVote,
    /// Comes from a leader.
    Lead,
    /// Anything else between members.
    Other,
}

/// See the module's head.
pub(super) struct Membership {
    disk: Arc<dyn Disk>,
    log: Log,
    inner: Mutex<Inner>,
}

struct Inner {
    meta: Meta,
    /// May it not be bound to another cluster any more? Set before the first call is let through.
    is_sealed: bool,
}

impl Membership {
    /// Reads the file, which is made if it is missing.
    pub(super) fn open(disk: Arc<dyn Disk>, log: Log, node: NodeId) -> Result<Membership, MetaError> {
        let place = format!("{}/{META}", disk.place());
        let failed = |source| MetaError::Io { place: place.clone(), source };
        let damaged = |reason: String| MetaError::Damaged { place: place.clone(), reason };
        let meta = match disk.read(META).map_err(failed)? {
            None if !log.is_blank() => return Err(damaged("it is missing, and there is a log beside it".into())),
            None => {
                let meta = Meta { format: FORMAT, node, cluster: None, recoveries: 0, role: Role::default() };
                store(&*disk, &meta).map_err(failed)?;
                meta
            }
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?,
        };
        if meta.format != FORMAT {
            return Err(damaged(format!("it has format {}, and this version knows {FORMAT}", meta.format)));
        }
        if meta.node != node {
            return Err(MetaError::OtherNode { place: disk.place(), known: meta.node, given: node });
        }
        if meta.cluster.is_none() && !log.is_blank() {
            return Err(damaged("it names no cluster, and there is a log beside it".into()));
        }
        let is_sealed = !log.is_blank();
        Ok(Membership { disk, log, inner: Mutex::new(Inner { meta, is_sealed }) })
    }

    /// The cluster, if there is one.
    pub(super) fn lineage(&self) -> Option<Lineage> {
        let inner = self.inner();
        let cluster = inner.meta.cluster?;
        Some(Lineage { cluster, recoveries: inner.meta.recoveries })
    }

    /// How it came to its cluster.
    pub(super) fn role(&self) -> Role {
        self.inner().meta.role
    }

    /// Does it take part, or will it without doing anything for it?
    pub(super) fn is_member(&self) -> bool {
        let inner = self.inner();
        inner.is_sealed || (inner.meta.cluster.is_some() && inner.meta.role == Role::Admitted)
    }

    /// Checks a call of another member, which is let through if there is no answer.
    pub(super) fn check<T, R>(&self, envelope: &Envelope<T>, call: Call) -> Option<Reply<R>> {
        let mut inner = self.inner();
        if envelope.to != inner.meta.node {
            return Some(Reply::OtherNode(inner.meta.node));
        }
        let Some(cluster) = inner.meta.cluster else { return Some(Reply::NotReady) };
        let mine = Lineage { cluster, recoveries: inner.meta.recoveries };
        if envelope.lineage != mine {
            return Some(Reply::Foreign(mine));
        }
        let awaits_leader = inner.meta.role == Role::Admitted && self.log.is_blank();
        match call {
            Call::Vote | Call::PreVote if awaits_leader => return Some(Reply::NotReady),
            Call::Vote | Call::Lead => inner.is_sealed = true,
            Call::PreVote | Call::Other => {}
        }
        None
    }

    /// Binds this node to a cluster that is being founded; says whether it is.
    pub(super) fn bind(&self, found: &Found) -> io::Result<bool> {
        self.change(|inner| {
            if inner.is_sealed || (inner.meta.cluster.is_some() && inner.meta.role == Role::Admitted) {
                return false;
            }
            inner.meta.cluster = Some(found.cluster);
            inner.meta.role = Role::Founder(found.initiator);
            true
        })
    }

    /// Lets nobody bind this node any more, if it is bound to this cluster.
    pub(super) fn seal(&self, cluster: Uuid) -> bool {
        let mut inner = self.inner();
        if inner.is_sealed || inner.meta.cluster != Some(cluster) {
            return false;
        }
        inner.is_sealed = true;
        true
    }

    /// A leader has admitted this node; false if it has become a member otherwise meanwhile.
    pub(super) fn admit(&self, lineage: Lineage) -> io::Result<bool> {
        self.change(|inner| {
            if inner.is_sealed {
                return false;
            }
            inner.meta.cluster = Some(lineage.cluster);
            inner.meta.recoveries = lineage.recoveries;
            inner.meta.role = Role::Admitted;
            true
        })
    }

    /// Forgets the cluster. The log is to be empty.
    pub(super) fn forget(&self) -> io::Result<()> {
        self.change(|inner| {
            *inner = Inner {
                meta: Meta { cluster: None, recoveries: 0, role: Role::default(), ..inner.meta },
                is_sealed: false,
            };
            true
        })?;
        Ok(())
    }

    /// Counts one more recovery by force.
    pub(super) fn count_recovery(&self) -> io::Result<()> {
        self.change(|inner| {
            inner.meta.recoveries += 1;
            true
        })?;
        Ok(())
    }

    /// Changes the file first and memory then; `false` changes nothing.
    fn change(&self, change: impl FnOnce(&mut Inner) -> bool) -> io::Result<bool> {
        let mut inner = self.inner();
        let mut changed = Inner { meta: inner.meta.clone(), is_sealed: inner.is_sealed };
        if !change(&mut changed) {
            return Ok(false);
        }
        store(&*self.disk, &changed.meta)?;
        *inner = changed;
        Ok(true)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn store(disk: &dyn Disk, meta: &Meta) -> io::Result<()> {
    disk.replace(META, &serde_json::to_vec_pretty(meta)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::journal::Flush;
    use crate::raft::types::Vote;
    use crate::seams::memory::MemoryDisk;
    use openraft::storage::RaftLogStorage;

    const OURS: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn open(disk: &Arc<MemoryDisk>) -> (Membership, Log) {
        let log = Log::open(disk.clone(), Flush::Inline).expect("it is whole");
        (Membership::open(disk.clone(), log.clone(), 2).expect("it is node 2's"), log)
    }

    fn found(cluster: Uuid) -> Found {
        Found { cluster, initiator: 1, boot: 0 }
    }

    fn call(membership: &Membership, cluster: Uuid, call: Call) -> Result<(), Reply<()>> {
        let envelope = Envelope { lineage: Lineage { cluster, recoveries: 0 }, from: 1, to: 2, message: () };
        membership.check(&envelope, call).map_or(Ok(()), Err)
    }

    async fn vote(log: &mut Log) {
        log.save_vote(&Vote::new(1, 1)).await.expect("the disk works");
    }

    #[tokio::test]
    async fn a_blank_node_is_bound_and_bound_anew_until_it_has_let_a_vote_through() {
        let disk = Arc::new(MemoryDisk::new());
        let (membership, _) = open(&disk);
        assert!(matches!(call(&membership, OURS, Call::Vote), Err(Reply::NotReady)));
        assert!(membership.bind(&found(OTHER)).expect("the disk works"));
        assert!(membership.bind(&found(OURS)).expect("the disk works"));
        assert!(matches!(call(&membership, OTHER, Call::Vote), Err(Reply::Foreign(_))));
        assert!(call(&membership, OURS, Call::PreVote).is_ok());
        assert!(membership.bind(&found(OURS)).expect("the disk works"), "a pre-vote promises nothing");
        assert!(call(&membership, OURS, Call::Vote).is_ok());
        assert!(!membership.bind(&found(OTHER)).expect("the disk works"));
        // If it comes back without a vote, none was given.
        let (membership, mut log) = open(&disk);
        assert!(membership.bind(&found(OTHER)).expect("the disk works"));
        assert!(membership.bind(&found(OURS)).expect("the disk works"));
        vote(&mut log).await;
        let (membership, _) = open(&disk);
        assert!(!membership.bind(&found(OTHER)).expect("the disk works"));
        assert!(!membership.admit(Lineage { cluster: OTHER, recoveries: 0 }).expect("the disk works"));
        assert_eq!(membership.lineage(), Some(Lineage { cluster: OURS, recoveries: 0 }));
    }

    #[tokio::test]
    async fn an_admitted_node_votes_after_it_has_heard_from_a_leader() {
        let disk = Arc::new(MemoryDisk::new());
        let (membership, mut log) = open(&disk);
        assert!(membership.admit(Lineage { cluster: OURS, recoveries: 0 }).expect("the disk works"));
        for kind in [Call::Vote, Call::PreVote] {
            assert!(matches!(call(&membership, OURS, kind), Err(Reply::NotReady)));
        }
        assert!(call(&membership, OURS, Call::Lead).is_ok());
        assert!(matches!(call(&membership, OURS, Call::Vote), Err(Reply::NotReady)), "nothing is on its disk yet");
        vote(&mut log).await;
        assert!(call(&membership, OURS, Call::Vote).is_ok());
    }

    #[tokio::test]
    async fn calls_for_others_are_told_so() {
        let disk = Arc::new(MemoryDisk::new());
        let (membership, _) = open(&disk);
        membership.bind(&found(OURS)).expect("the disk works");
        let lineage = Lineage { cluster: OURS, recoveries: 0 };
        let other = membership.check::<_, ()>(&Envelope { lineage, from: 1, to: 3, message: () }, Call::Other);
        assert!(matches!(other, Some(Reply::OtherNode(2))));
        membership.count_recovery().expect("the disk works");
        assert!(matches!(call(&membership, OURS, Call::Other), Err(Reply::Foreign(Lineage { recoveries: 1, .. }))));
    }

    #[tokio::test]
    async fn a_folder_that_does_not_fit_is_refused() {
        let disk = Arc::new(MemoryDisk::new());
        let (_, mut log) = open(&disk);
        let refused = |node| Membership::open(disk.clone(), log.clone(), node).err().map(|error| error.to_string());
        assert!(refused(3).is_some_and(|text| text.contains("belongs to coordinator 2")));
        assert_eq!(refused(2), None);
        vote(&mut log).await;
        disk.remove(META).expect("the disk works");
        let refused = Membership::open(disk.clone(), log, 2).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("there is a log beside it")));
        disk.replace(META, b"{").expect("the disk works");
        let log = Log::open(disk.clone(), Flush::Inline).expect("it is whole");
        assert!(matches!(Membership::open(disk, log, 2), Err(MetaError::Damaged { .. })));
    }
}
