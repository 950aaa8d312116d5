//! What coordinators say to each other: postcard bodies of POST requests below `/raft`.
//!
//! Invariant: every message between members names the cluster that it is meant for and how often that was recovered by force;
//! a node of another one does not act on it.

use super::types::{LogId, TypeConfig, Vote};
use crate::model::command::{Command, Outcome};
use crate::model::ids::{NodeId, Uuid};
use openraft::alias::SnapshotMetaOf;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a message at the most, but for snapshots.
pub(super) const MESSAGE_LIMIT_BYTES: usize = 64 << 20;

/// The cluster, and how often it was recovered by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lineage {
    pub(super) cluster: Uuid,
    pub(super) recoveries: u32,
}

/// A message between members.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) lineage: Lineage,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) message: T,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply<T> {
    /// What was asked for.
    Done(T),
    /// This node is of another cluster.
    Foreign(Lineage),
    /// This node has another number than was thought.
    OtherNode(NodeId),
    /// This node does not take part yet, or not any more.
    NotReady,
}

/// Entries or a heartbeat.
#[derive(Serialize, Deserialize)]
pub(super) struct Append {
    pub(super) rpc: openraft::raft::AppendEntriesRequest<TypeConfig>,
    /// Since the leader last heard from a majority, ms.
    pub(super) quorum_age_ms: u64,
}

/// A whole snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct Install {
    pub(super) vote: Vote,
    pub(super) meta: SnapshotMetaOf<TypeConfig>,
    pub(super) state: bytes::Bytes,
}

/// What became of a command at the node that was thought to lead.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Submitted {
    /// It was decided, at this index.
    Decided { outcome: Outcome, index: u64 },
    /// It was not taken: it may be given to somebody else.
    NotTaken,
    /// Nobody knows whether it will be decided.
    Unknown,
}

/// A command and how long it may take.
#[derive(Serialize, Deserialize)]
pub(super) struct Submit {
    pub(super) command: Command,
    pub(super) wait_ms: u64,
}

/// The answer to a question for how far a linearizable read has to wait.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ReadIndex {
    /// Up to here.
    At(Option<LogId>),
    /// This node does not lead, or cannot tell.
    NotLeader,
}

/// A change of the members, for the leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum MemberChange {
    /// A node without a log asks to take part.
    Join { node: NodeId, url: String },
    /// Somebody adds a node.
    Add { node: NodeId, url: String },
    /// Somebody adds a node that does not vote.
    AddLearner { node: NodeId, url: String },
    /// Somebody removes a node.
    Remove { node: NodeId },
    /// Somebody names all that vote.
    Voters { nodes: Vec<NodeId> },
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum MemberAnswer {
    /// It is so.
    Done(Lineage),
    /// This node does not lead.
    NotLeader,
    /// It cannot be: why, for people.
    Refused(String),
}

/// What a node without a cluster asks all that it knows.
#[derive(Serialize, Deserialize)]
pub(super) struct Inquiry {
    pub(super) from: NodeId,
    pub(super) peers: Vec<NodeId>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) node: NodeId,
    /// Drawn when the process began.
    pub(super) boot: u64,
    /// The peers that it was given.
    pub(super) peers: Vec<NodeId>,
    pub(super) kind: StandingKind,
}

/// See [`Standing`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum StandingKind {
    /// It has neither log nor vote; it may have been asked to found a cluster.
    Empty,
    /// It takes part in a cluster, or is about to.
    Member {
        lineage: Lineage,
        /// Does the cluster exist, as far as this node knows?
        is_formed: bool,
    },
}

/// Asks an empty node to found a cluster.
#[derive(Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) cluster: Uuid,
    pub(super) initiator: NodeId,
    /// [`Standing::boot`] of the node that is asked, so that a late message does not reach one that was wiped since.
    pub(super) boot: u64,
}

/// Encodes a message.
pub(super) fn encode<T: Serialize>(message: &T) -> bytes::Bytes {
    postcard::to_stdvec(message).expect("messages hold nothing that cannot be encoded").into()
}

/// Decodes a message.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| format!("this is no message of this version: {error}"))
}
