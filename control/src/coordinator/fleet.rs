//! What is known of workers and not replicated: digests, as coordinators send them to the leader, and the view of them all that
//! comes back. Data only.

use crate::model::ids::{NodeId, Uuid, WorkerId};
use crate::wire::Metrics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a worker keeps in touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A socket of our own protocol.
    Agent,
    /// A socket of heartbeat frames.
    Frames,
    /// Heartbeats over REST.
    Rest,
}

/// A worker as one coordinator sees it on one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// The worker.
    pub worker: WorkerId,
    /// Its process; `None`: it does not say, the one that is registered is taken for it.
    pub instance: Option<Uuid>,
    /// How it keeps in touch.
    pub line: Line,
    /// Since it was heard, ms.
    pub age_ms: u64,
    /// Was it not heard for its deadline?
    pub silent: bool,
    /// What it last said that it does.
    pub metrics: Metrics,
}

/// All workers that one coordinator sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The coordinator.
    pub node: NodeId,
    /// Random, drawn when its process started: sockets of an earlier one did not end, their coordinator did.
    pub boot: u64,
    /// Grows with every digest of a process; an older one that comes late is dropped.
    pub number: u64,
    /// The workers.
    pub sights: Vec<Sight>,
}

/// A worker as the leader sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Its process.
    pub instance: Option<Uuid>,
    /// The coordinator that heard it last.
    pub home: NodeId,
    /// How it keeps in touch.
    pub line: Line,
    /// Since it was heard, ms.
    pub age_ms: u64,
    /// Was it not heard for its deadline?
    pub silent: bool,
    /// What it last said that it does.
    pub metrics: Metrics,
}

/// Everything that the leader sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// The leader that made it; `None`: no leader has answered so far.
    pub leader: Option<NodeId>,
    /// By worker.
    pub workers: BTreeMap<WorkerId, Seen>,
    /// By coordinator, since its digest came, ms.
    pub coordinators: BTreeMap<NodeId, u64>,
    /// What was found when workers were last looked after.
    pub sweep: Sweep,
}

/// Outcome of looking after the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Workers that were looked at.
    pub checked: usize,
    /// Those found gone that were not known to be.
    pub lost: usize,
}
