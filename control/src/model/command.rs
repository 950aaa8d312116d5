//! Everything that can happen to the state of a cluster.
//!
//! Commands carry the time at which they were made and every id that was drawn for them, so that applying them needs neither
//! a clock nor randomness. Those that depend on what their maker saw name it (an instance, an epoch, a revision), and are
//! refused when that is no longer so.

use super::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use super::secret::Secret;
use super::spec::{ConnectorSpec, GroupSpec};
use super::state::{Capacity, Client, MigrationReason, Phase, WorkerStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change that is asked for, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Unix time at which it was made.
    pub at_ms: u64,
    /// The change.
    pub change: Change,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The cluster gets its identity. Refused if it has one.
    Form {
        /// The identity.
        cluster: Uuid,
    },
    /// A coordinator is reached at this address.
    Coordinator {
        /// Its number.
        node: NodeId,
        /// `http://host:port`; `None`: it is not a member any more.
        address: Option<String>,
    },
    /// A worker has called. An instance other than the known one supersedes it: its placements are to be confirmed or moved.
    Register {
        /// Its name.
        worker: WorkerId,
        /// Where its REST interface is reached.
        address: String,
        /// The key that it asks for.
        api_key: Option<Secret>,
        /// Its process.
        instance: Uuid,
        /// See [`super::state::Worker::protocol`].
        protocol: u16,
        /// What it can carry.
        capacity: Capacity,
    },
    /// A worker's status has changed.
    WorkerStatus {
        /// Its name.
        worker: WorkerId,
        /// The process that is meant; refused for another.
        instance: Uuid,
        /// The new status.
        status: WorkerStatus,
        /// Why, for people.
        reason: Option<String>,
        /// What is decided together with it, so that losing a worker costs one round.
        moves: Vec<Move>,
    },
    /// A worker is forgotten; what is placed there loses its placement.
    Deregister {
        /// Its name.
        worker: WorkerId,
    },
    /// A connector is stored: new, or changed if `replace`.
    PutConnector {
        /// What to store.
        spec: ConnectorSpec,
        /// Change one that is there.
        replace: bool,
    },
    /// A connector is removed. Refused while a group names it.
    RemoveConnector {
        /// Its name.
        name: String,
    },
    /// A group is deployed, or changed to this spec if `replace`.
    Deploy {
        /// Id for it, if it is new.
        id: Uuid,
        /// What to run.
        spec: GroupSpec,
        /// Change the group of that name.
        replace: bool,
        /// By pipeline name, whether it keeps state (which replicas without a key must not).
        stateful: BTreeMap<String, bool>,
        /// First placements.
        moves: Vec<Move>,
    },
    /// A group and everything of it is to go.
    Delete {
        /// The group.
        group: Uuid,
    },
    /// Pipelines get placements.
    Place {
        /// Each by itself: one that was overruled does not hold the others back.
        moves: Vec<Move>,
    },
    /// A planned move of a pipeline whose state is to go with it begins; the placement changes when the state has arrived.
    Release {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The newest epoch that its maker saw; refused if there is a newer one.
        seen: EpochNumber,
        /// Where it is to run.
        to: WorkerId,
        /// Its number as a migration.
        migration: Uuid,
        /// Why.
        reason: MigrationReason,
    },
    /// A migration has ended without its move.
    FailMigration {
        /// The migration.
        migration: Uuid,
        /// Why, for people.
        reason: String,
    },
    /// A worker says what became of a placement.
    Report {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement; refused for another.
        epoch: EpochNumber,
        /// The worker that says it.
        worker: WorkerId,
        /// What became of it.
        phase: Phase,
    },
    /// A pipeline is about to make these sessions at brokers. Those of its present incarnation that it no longer names stay
    /// recorded until [`Change::Dropped`] or the end of the incarnation.
    Clients {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement; refused for another.
        epoch: EpochNumber,
        /// By client id.
        clients: BTreeMap<String, Client>,
    },
    /// Sessions of tombstones are removed at their brokers.
    Buried {
        /// Their client ids.
        clients: Vec<String>,
    },
    /// Moves that ended long ago are forgotten.
    ForgetMigrations {
        /// Those that ended before this Unix time.
        before_ms: u64,
    },
    /// Pipelines were spread over newcomers, or need not be.
    Rebalanced,
}

/// A pipeline gets a new placement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The newest epoch that its maker saw; refused if there is a newer one.
    pub seen: EpochNumber,
    /// Where it is to run; `None`: nowhere.
    pub to: Option<WorkerId>,
    /// Its number as a migration and why, if it is one.
    pub migration: Option<(Uuid, MigrationReason)>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It has changed the state.
    Applied,
    /// A group was stored, or was there already with the same content.
    Group {
        /// Its id.
        id: Uuid,
        /// Was it there already?
        existed: bool,
    },
    /// The state has it already.
    Unchanged,
    /// It did not fit the state and has changed nothing.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such worker.
    UnknownWorker(WorkerId),
    /// There is no such group.
    UnknownGroup(Uuid),
    /// There is no such pipeline.
    UnknownPipeline(PipelineKey),
    /// There is no such connector.
    UnknownConnector(String),
    /// Another process of that worker is known.
    OtherInstance {
        /// The one that is known.
        known: Uuid,
    },
    /// A newer placement is known.
    OldEpoch {
        /// The one that was named.
        given: EpochNumber,
        /// The newest.
        newest: EpochNumber,
    },
    /// The name is taken by something with other content.
    NameTaken(String),
    /// Groups name the connector.
    InUse {
        /// The connector.
        connector: String,
        /// Their names.
        by: Vec<String>,
    },
    /// The cluster has an identity.
    Formed(Uuid),
    /// Anything else, in words.
    Invalid(String),
}
