//! What a coordinator and the agent of a worker say to each other over their WebSocket.
//!
//! ```text
//!  agent ── Hello ──────────────────> coordinator      (its home: any member)
//!        <───────────────── Welcome ──                 or Refused, and the socket is closed
//!        <── Ping ── Pong ─────────────>               both ways, every ping interval
//!        <── Install, Remove, Release ──               what the replicated state says of this worker, when it changes
//!        ── Clients ── <── Recorded ────               before a pipeline makes new sessions at brokers
//!        ── Owner ──── <── Owned ───────               before it connects and before it publishes
//!        ── Report ────────────────────>
//!        <── Bury ──── Buried ─────────>
//! ```
//! One JSON object per text frame, tagged by `type`. Orders repeat what is in the state: one that is lost comes again with the
//! next socket, one that comes twice changes nothing. Invariant: an agent acts on an order only if its epoch is not older
//! than one that it has seen for that pipeline.

use crate::model::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use crate::model::secret::Secret;
use crate::model::spec::ConnectorSpec;
use crate::model::state::{Capacity, Client, Phase};
use rarog_lang::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of this protocol; a coordinator refuses others and names both.
pub const PROTOCOL: u16 = 1;

/// Where agents call.
pub const AGENT_PATH: &str = "/api/v1/cluster/agent";

/// Bytes of one frame at the most, either way.
pub const FRAME_LIMIT_BYTES: usize = 64 << 20;

/// From an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCoordinator {
    /// The first frame.
    Hello(Hello),
    /// The answer to a ping, and what the worker does.
    Pong {
        /// The ping's number.
        number: u64,
        /// What it does.
        metrics: Metrics,
    },
    /// Is the coordinator there?
    Ping {
        /// A number for the pong.
        number: u64,
    },
    /// What became of a placement.
    Report {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
        /// What became of it.
        phase: Phase,
    },
    /// These sessions are about to be made.
    Clients {
        /// A number for the answer.
        request: u64,
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
        /// By client id.
        clients: BTreeMap<String, Client>,
    },
    /// Is this placement the newest one of its pipeline? Answered after a linearizable read.
    Owner {
        /// A number for the answer.
        request: u64,
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
    },
    /// These sessions of tombstones are gone.
    Buried {
        /// Their client ids.
        clients: Vec<String>,
    },
    /// The worker is about to close this socket on purpose.
    Farewell {
        /// Why, for the log.
        reason: String,
    },
}

/// Who calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// Its name.
    pub worker: WorkerId,
    /// Its process.
    pub instance: Uuid,
    /// The cluster whose placements it holds, if it holds some.
    pub cluster: Option<Uuid>,
    /// Proof that it may register, if the cluster asks for one; also the key that its REST interface asks for.
    pub api_key: Option<Secret>,
    /// Where its REST interface is reached.
    pub address: String,
    /// What it can carry.
    pub capacity: Capacity,
    /// The placements that it holds, those included that it knows from before a restart and that nobody has confirmed.
    pub held: Vec<Held>,
    /// Was this process welcomed before? Then another process of that name that is known is the newer one.
    #[serde(default)]
    pub welcomed: bool,
}

/// A placement that a worker holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The placement.
    pub epoch: EpochNumber,
    /// What became of it.
    pub phase: Phase,
}

/// What a worker does; not replicated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Records taken in since the process started, over all pipelines.
    pub events_processed: u64,
    /// Pipelines that run.
    pub pipelines_running: u32,
    /// By pipeline.
    pub pipelines: Vec<PipelineMetrics>,
}

/// What a pipeline does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PipelineMetrics {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// Records taken in by this placement.
    pub events_in: u64,
    /// Records put out by it.
    pub events_out: u64,
    /// Its connections.
    pub connectors: Vec<ConnectorHealth>,
}

/// The state of one connection of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectorHealth {
    /// Name of the connector.
    pub connector_name: String,
    /// Its kind.
    pub connector_type: String,
    /// Is it connected?
    pub connected: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Messages that came in over it.
    pub messages_received: u64,
    /// Since the last of them, s.
    pub seconds_since_last_message: u64,
}

/// From a coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    /// The worker is registered, and this socket is its life line.
    Welcome {
        /// The cluster.
        cluster: Uuid,
        /// The coordinator that answers.
        node: NodeId,
        /// All coordinators, where a worker may call: `http://host:port`.
        coordinators: Vec<String>,
        /// Time between pings, ms.
        ping_interval_ms: u64,
    },
    /// The worker may not join; the socket is closed.
    Refused {
        /// `unauthorized`, `foreign_cluster`, `superseded`, `protocol`, `invalid`.
        code: String,
        /// For people.
        message: String,
    },
    /// Is the worker there?
    Ping {
        /// A number for the pong.
        number: u64,
    },
    /// The coordinator is there.
    Pong {
        /// The ping's number.
        number: u64,
        /// Has it been able to reach a majority within its limit? A worker leaves one that has not.
        has_quorum: bool,
    },
    /// Run this.
    Install(Box<Order>),
    /// Stop this, if its epoch is not newer.
    Remove {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The epoch up to which it is to be gone.
        epoch: EpochNumber,
    },
    /// Stop taking in, finish, and hand the state to another worker.
    Release {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
        /// Where the REST interface of the successor is reached.
        successor: String,
        /// The key that it asks for.
        api_key: Option<Secret>,
        /// The epoch that the successor gets.
        successor_epoch: EpochNumber,
    },
    /// The clients of a request are recorded, or why not.
    Recorded {
        /// The request.
        request: u64,
        /// Why not.
        refused: Option<String>,
    },
    /// The answer to a question for the owner.
    Owned {
        /// The request.
        request: u64,
        /// What was found.
        verdict: Verdict,
    },
    /// Remove these sessions at their brokers: clean start, no expiry.
    Bury {
        /// By client id.
        sessions: BTreeMap<String, ConnectorSpec>,
    },
}

/// Whether a placement is the newest one of its pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Owner,
    /// It was overruled, or the pipeline is gone: stop.
    Superseded,
    /// Nobody could tell: no leader, no majority. Ask again.
    Unknown,
}

/// What to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The placement.
    pub epoch: EpochNumber,
    /// What brokers and outputs know the pipeline by.
    pub id: Uuid,
    /// See [`crate::model::state::Pipeline::incarnation`].
    pub incarnation: u64,
    /// Replicas among which records are divided.
    pub replicas: u16,
    /// The field by which they are divided.
    pub partition_key: Option<String>,
    /// Name of the group, for people.
    pub group_name: String,
    /// VPL, for people.
    pub source: Arc<str>,
    /// The plan; connectors of the cluster are in it without their secrets.
    pub plan: Arc<Plan>,
    /// By name, the connectors of the cluster that the plan uses, with all their parameters.
    pub connectors: BTreeMap<String, ConnectorSpec>,
    /// What earlier placements of this incarnation have made at brokers.
    pub clients: BTreeMap<String, Client>,
    /// Is a state to come from the worker that ran it before? It is waited for.
    pub state_comes: bool,
}
