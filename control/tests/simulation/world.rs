//! What a simulation knows beside its hosts: the states that coordinators show, the broker, and the record of all that happened.
//!
//! The broker is not reached over the simulated network: a worker that no coordinator reaches may well reach it. Whoever connects
//! with the name of a pipeline cuts off who had it before.

use rarog_control::model::ids::{EpochNumber, NodeId, PipelineKey};
use rarog_control::model::state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// See the module's head.
#[derive(Default)]
pub struct World {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    record: Vec<String>,
    /// By coordinator that runs, its newest state and who leads.
    coordinators: BTreeMap<NodeId, (Arc<State>, Option<NodeId>)>,
    /// By pipeline, who is connected with its name.
    broker: BTreeMap<PipelineKey, Arc<Connection>>,
    /// By pipeline, the newest placement that was told that it is the owner.
    granted: BTreeMap<PipelineKey, EpochNumber>,
    /// Requests that were answered.
    answers: usize,
    /// Client ids whose sessions were removed.
    buried: BTreeSet<String>,
    /// What must not have happened.
    wrongs: Vec<String>,
}

struct Connection {
    worker: String,
    epoch: EpochNumber,
    cut: Notify,
}

/// A connection to the broker, until it is dropped.
pub struct Link {
    world: Arc<World>,
    pipeline: PipelineKey,
    connection: Arc<Connection>,
}

impl World {
    /// Notes something that happened now, on some host.
    pub fn note(&self, what: impl Display) {
        self.note_at(turmoil::sim_elapsed().expect("hosts run in a simulation"), what);
    }

    /// Notes something that was done from outside.
    pub fn note_at(&self, at: Duration, what: impl Display) {
        self.inner().record.push(format!("{:>7} ms  {what}", at.as_millis()));
    }

    /// Everything that happened, in order.
    pub fn record(&self) -> Vec<String> {
        self.inner().record.clone()
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.inner().wrongs.clone()
    }

    /// A coordinator shows this.
    pub fn shows(&self, node: NodeId, state: Arc<State>, leader: Option<NodeId>) {
        self.inner().coordinators.insert(node, (state, leader));
    }

    /// A coordinator has crashed.
    pub fn crashed(&self, node: NodeId) {
        self.inner().coordinators.remove(&node);
    }

    /// What the coordinators that run show.
    pub fn coordinators(&self) -> BTreeMap<NodeId, (Arc<State>, Option<NodeId>)> {
        self.inner().coordinators.clone()
    }

    /// The newest placement of a pipeline that was told so far that it is the owner.
    pub fn granted(&self, pipeline: &PipelineKey) -> EpochNumber {
        self.inner().granted.get(pipeline).copied().unwrap_or(0)
    }

    /// A placement was told that it is the owner; when it asked, `before` had been told so.
    pub fn grant(&self, pipeline: &PipelineKey, epoch: EpochNumber, before: EpochNumber) {
        let mut inner = self.inner();
        if epoch < before {
            inner.wrongs.push(format!("{pipeline}: epoch {epoch} was called the owner after {before} was"));
        }
        let newest = inner.granted.entry(pipeline.clone()).or_default();
        *newest = epoch.max(*newest);
    }

    /// Who is connected with the name of a pipeline.
    pub fn connected(&self, pipeline: &PipelineKey) -> Option<(String, EpochNumber)> {
        self.inner().broker.get(pipeline).map(|it| (it.worker.clone(), it.epoch))
    }

    /// How many pipelines have a connection.
    pub fn connections(&self) -> usize {
        self.inner().broker.len()
    }

    pub fn connect(self: &Arc<World>, pipeline: &PipelineKey, worker: &str, epoch: EpochNumber) -> Link {
        let connection = Arc::new(Connection { worker: worker.into(), epoch, cut: Notify::new() });
        let before = self.inner().broker.insert(pipeline.clone(), connection.clone());
        if let Some(before) = before {
            before.cut.notify_one();
        }
        Link { world: self.clone(), pipeline: pipeline.clone(), connection }
    }

    /// A request was answered.
    pub fn answered(&self) {
        self.inner().answers += 1;
    }

    /// How many requests were answered.
    pub fn answers(&self) -> usize {
        self.inner().answers
    }

    /// A session is removed.
    pub fn bury(&self, client: &str) {
        self.inner().buried.insert(client.into());
    }

    /// How many sessions were removed.
    pub fn buried(&self) -> usize {
        self.inner().buried.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with it")
    }
}

impl Link {
    /// Waits until somebody else has connected with this name.
    pub async fn cut(&self) {
        self.connection.cut.notified().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut inner = self.world.inner();
        if inner.broker.get(&self.pipeline).is_some_and(|it| Arc::ptr_eq(it, &self.connection)) {
            inner.broker.remove(&self.pipeline);
        }
    }
}
