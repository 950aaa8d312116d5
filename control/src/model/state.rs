//! The replicated state of a cluster.
//!
//! Invariants: of every pipeline there is at most one placement; its epoch only grows, also over placements that are gone;
//! whatever can be computed from the rest is not stored. It is stored in a format whose fields have no names: none may be left
//! out, and enums carry their variant outside.

use super::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use super::secret::Secret;
use super::spec::{ConnectorSpec, GroupSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that all coordinators agree on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Made when the cluster formed.
    pub cluster: Option<Uuid>,
    /// Number of commands applied so far.
    pub version: u64,
    /// By node, where coordinators are reached (`http://host:port`).
    pub coordinators: BTreeMap<NodeId, String>,
    /// Workers that have registered and were not removed.
    pub workers: BTreeMap<WorkerId, Worker>,
    /// Connectors, by name.
    pub connectors: BTreeMap<String, Connector>,
    /// Groups, by id.
    pub groups: BTreeMap<Uuid, Group>,
    /// Moves that are under way or ended less than an hour ago.
    pub migrations: BTreeMap<Uuid, Migration>,
    /// By client id, sessions that have to be removed at their brokers.
    pub tombstones: BTreeMap<String, Tombstone>,
    /// Number of the next group: groups are placed in the order of their numbers.
    pub next_group: u64,
    /// Since when pipelines are to be moved to newcomers, Unix time: set by registrations, cleared when it is done.
    pub rebalance_since_ms: Option<u64>,
    /// The processes that were drained to the end: they are not let in again, others of the same name are.
    pub drained: BTreeMap<WorkerId, Uuid>,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Where its REST interface is reached.
    pub address: String,
    /// The key that it asks for.
    pub api_key: Option<Secret>,
    /// Its present process.
    pub instance: Uuid,
    /// The version of our protocol that it speaks; 0: none, so it can be watched and gets no pipelines.
    pub protocol: u16,
    /// What it says it can carry.
    pub capacity: Capacity,
    /// Whether it is fit for pipelines.
    pub status: WorkerStatus,
    /// Why, if it is not ready.
    pub reason: Option<String>,
    /// When the status last changed, Unix time.
    pub since_ms: u64,
}

impl Worker {
    /// Can it be given pipelines, as far as everybody knows?
    pub fn takes_pipelines(&self) -> bool {
        self.status == WorkerStatus::Ready && self.protocol > 0
    }
}

/// What a worker can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Processors.
    pub cpu_cores: u32,
    /// Pipelines that run there as it says; what is placed there counts, not this.
    #[serde(default)]
    pub pipelines_running: u32,
    /// Pipelines at the most.
    pub max_pipelines: u32,
}

/// Whether a worker is fit for pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerStatus {
    /// It has called and was not heard on a socket so far.
    Registering,
    /// It is.
    Ready,
    /// It is gone, hangs or is cut off.
    Unhealthy,
    /// Its pipelines are being moved away.
    Draining,
}

/// A connector, and how often it was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    /// As it was given.
    pub spec: ConnectorSpec,
    /// From 1, one more with every change.
    pub revision: u64,
}

/// A group of pipelines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// As it was given.
    pub spec: GroupSpec,
    /// Its place in the order of deployment.
    pub number: u64,
    /// When it was deployed, Unix time.
    pub created_ms: u64,
    /// From 1, one more with every change of its spec.
    pub revision: u64,
    /// The newest incarnation that a pipeline of it got.
    pub incarnation: u64,
    /// By the name of the pipeline, what its program asks for.
    pub facts: BTreeMap<Arc<str>, Facts>,
    /// Its pipelines; each replica is one. While the number of replicas changes those of the old incarnation are here as well.
    pub pipelines: BTreeMap<PipelineKey, Pipeline>,
}

/// What compiling a pipeline's program has found and decisions depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Does it keep state between records? Then its replicas need a key, and planned moves take the state along.
    pub stateful: bool,
    /// Connectors of the cluster that it names.
    pub connectors: BTreeSet<String>,
}

/// One replica of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// What brokers and outputs know it by, see [`super::names::pipeline_id`]; does not change while the group lives.
    pub id: Uuid,
    /// The replicas among which records are divided, this one included.
    pub replicas: u16,
    /// The group's revision whose source it is to run.
    pub revision: u64,
    /// The newest epoch, whether or not a placement with it exists.
    pub epoch: EpochNumber,
    /// Where it runs or is to run; `None`: no worker can take it.
    pub placement: Option<Placement>,
    /// By client id, what its present incarnation has made at brokers.
    pub clients: BTreeMap<String, Client>,
}

/// The right and the duty of a worker to run a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// The worker.
    pub worker: WorkerId,
    /// Its process.
    pub instance: Uuid,
    /// The generation of this placement.
    pub epoch: EpochNumber,
    /// What the worker has reported.
    pub phase: Phase,
    /// When the phase last changed, Unix time.
    pub since_ms: u64,
    /// The worker that ran it before, until this one is subscribed.
    pub from: Option<WorkerId>,
    /// The move that made it.
    pub migration: Option<Uuid>,
}

/// Where a placement is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Ordered; the worker has not reported that it takes records.
    Deploying,
    /// It takes records.
    Running,
    /// It lives and does not take records, or cannot put them out.
    Degraded {
        /// Why, for people.
        reason: String,
    },
    /// It has stopped taking records and handed its state to the target of its migration.
    Released,
    /// An error of its own ended it.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// What a pipeline has made at a broker under one client id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The connector, with all that is needed to reach its broker.
    pub connector: ConnectorSpec,
    /// What it has subscribed to; empty for a sink.
    pub filters: Vec<String>,
}

/// A session that has to be removed at its broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The connector, with all that is needed to reach its broker.
    pub connector: ConnectorSpec,
    /// Whose it was, for people.
    pub pipeline: String,
    /// Since when, Unix time.
    pub since_ms: u64,
}

/// A move of a pipeline from one worker to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// What moves.
    pub pipeline: PipelineKey,
    /// From where; `None`: it ran nowhere.
    pub source: Option<WorkerId>,
    /// To where.
    pub target: WorkerId,
    /// The epoch of the placement that it makes: the next one while it is pending.
    pub epoch: EpochNumber,
    /// Does the state of the pipeline go with it, from worker to worker?
    pub with_state: bool,
    /// Why.
    pub reason: MigrationReason,
    /// How far it is.
    pub status: MigrationStatus,
    /// When it began, Unix time.
    pub started_ms: u64,
    /// When it ended, Unix time.
    pub ended_ms: Option<u64>,
}

/// Why a pipeline moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationReason {
    /// Its worker is gone.
    Failover,
    /// To spread the load.
    Rebalance,
    /// Its worker is being emptied.
    Drain,
    /// Somebody asked for it.
    Manual,
}

/// How far a move is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStatus {
    /// Decided; the worker that runs it is asked to stop and to hand its state over. Its placement is the old one still.
    Pending,
    /// The target has the order.
    InProgress,
    /// The target takes records.
    Completed,
    /// It did not come about.
    Failed {
        /// Why, for people.
        reason: String,
    },
}
