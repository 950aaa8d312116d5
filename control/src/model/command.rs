//! Everything that can happen to the state of a cluster.
//!
//! Commands carry the time at which they were made and every id that was drawn for them, so that applying them needs neither
//! a clock nor randomness. Those that depend on what their maker saw name it (an instance, an epoch, a revision), and are
//! refused when that is no longer so.

use super::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use super::secret::Secret;
use super::spec::{ConnectorSpec, GroupSpec};
use super::state::{Capacity, Client, Facts, MigrationReason, Phase, WorkerStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// A group is deployed, or changed to this spec if `replace`. Its first placements are decided when it is applied, so that
    /// groups that are deployed at the same time through several coordinators are spread.
    Deploy {
        /// Id for it, if it is new.
        id: Uuid,
        /// What to run.
        spec: GroupSpec,
        /// Change the group of that name.
        replace: bool,
        /// By pipeline name, what compiling has found.
        facts: BTreeMap<Arc<str>, Facts>,
    },
    /// Pipelines of old incarnations end, because the new ones take records. Refused for others.
    Retire {
        /// Those that end.
        pipelines: Vec<PipelineKey>,
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
    /// A pipeline is about to make these sessions at brokers. Those that it made before and no longer names are to be removed.
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such worker.
    #[error("there is no worker {0}")]
    UnknownWorker(WorkerId),
    /// There is no such group.
    #[error("there is no pipeline group {0}")]
    UnknownGroup(Uuid),
    /// There is no such pipeline.
    #[error("there is no pipeline {0}")]
    UnknownPipeline(PipelineKey),
    /// There is no such connector.
    #[error("there is no connector {0}")]
    UnknownConnector(String),
    /// Another process of that worker is known.
    #[error("another process of that worker is known: {known}")]
    OtherInstance {
        /// The one that is known.
        known: Uuid,
    },
    /// A newer placement is known.
    #[error("epoch {given} is not the newest one, which is {newest}")]
    OldEpoch {
        /// The one that was named.
        given: EpochNumber,
        /// The newest.
        newest: EpochNumber,
    },
    /// This process was drained; a new one of the same name is welcome.
    #[error("this process of worker {0} was drained: start a new one")]
    Drained(WorkerId),
    /// There is no such migration that has not ended.
    #[error("there is no migration {0} under way")]
    UnknownMigration(Uuid),
    /// The worker cannot be given pipelines: it is not ready, is full, or does not speak the protocol.
    #[error("worker {0} cannot take pipelines: it is not ready, is full, or does not speak the protocol")]
    NoTarget(WorkerId),
    /// The name is taken by something with other content.
    #[error("{0} exists with other content: replace it, or take another name")]
    NameTaken(String),
    /// Groups name the connector.
    #[error("connector {connector} is used by {}: change them first", by.join(", "))]
    InUse {
        /// The connector.
        connector: String,
        /// Their names.
        by: Vec<String>,
    },
    /// The cluster has an identity.
    #[error("the cluster has an identity: {0}")]
    Formed(Uuid),
    /// Anything else, in words.
    #[error("{0}")]
    Invalid(String),
}
