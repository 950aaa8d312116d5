//! The types that openraft is instantiated with. Nothing outside of this module's folder sees them.

use crate::model::command::{Command, Outcome};
use crate::model::ids::NodeId;
use openraft::impls::leader_id_std;
use openraft::rt::deterministic_rng::DeterministicRng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

openraft::declare_raft_types!(
    /// See the module's head.
    pub(super) TypeConfig:
        D = Proposal,
        R = Applied,
        NodeId = u64,
        Node = openraft::BasicNode,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = Runtime,
);

/// Tokio, with timers drawn from the seed of the task that started the node.
pub(super) type Runtime = DeterministicRng<openraft::TokioRuntime>;

/// A node.
pub(super) type Raft = openraft::Raft<TypeConfig, super::machine::Machine>;

/// Position in the log.
pub(super) type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// An entry of the log.
pub(super) type Entry = openraft::alias::EntryOf<TypeConfig>;
/// A vote.
pub(super) type Vote = openraft::alias::VoteOf<TypeConfig>;
/// The members as of some position.
pub(super) type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub(super) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
/// A whole snapshot; its data is [`super::snapshot`]'s encoding of the state.
pub(super) type Snapshot = openraft::alias::SnapshotOf<TypeConfig, bytes::Bytes>;
/// The members.
pub(super) type Membership = openraft::Membership<NodeId, openraft::BasicNode>;

/// A command on its way through the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Proposal(pub(super) Arc<Command>);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {}", self.0.at_ms)
    }
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Applied(pub(super) Outcome);
