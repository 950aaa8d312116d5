//! What tests of this module have in common: consensus of one, a state with placements, sockets of workers.

use super::agreement::Agreement;
use super::liveness::Deadlines;
use crate::model::apply::apply;
use crate::model::command::{Change, Command, Outcome};
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::spec::{ConnectorSpec, GroupSpec, PipelineSpec};
use crate::model::state::{Capacity, Connector, Group, Phase, Pipeline, Placement, State};
use crate::raft::{Leadership, SubmitError};
use crate::seams::{Clock, Entropy, Pending};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Deadlines of tests: short, and long enough for a busy machine.
pub(super) const DEADLINES: Deadlines =
    Deadlines { ping: Duration::from_millis(600), heartbeat: Duration::from_millis(600) };

/// The cluster of tests.
pub(super) const CLUSTER: Uuid = Uuid::from_u128(77);

/// Consensus that always agrees with itself, unless it was told to fail.
pub(super) struct Alone {
    states: watch::Sender<Arc<State>>,
    leading: watch::Sender<Leadership>,
    submitted: Arc<Mutex<Vec<Change>>>,
    has_leader: AtomicBool,
}

/// Node 1 leads, or node 2.
fn leads(term: u64, is_self: bool) -> Leadership {
    Leadership { term, leader: Some(if is_self { 1 } else { 2 }), url: None, is_self }
}

impl Alone {
    pub(super) fn new(state: State) -> Arc<Alone> {
        Arc::new(Alone {
            states: watch::Sender::new(Arc::new(state)),
            leading: watch::Sender::new(leads(1, true)),
            submitted: Arc::default(),
            has_leader: AtomicBool::new(true),
        })
    }

    /// What was asked for so far.
    pub(super) fn submitted(&self) -> Vec<Change> {
        self.submitted.lock().expect("no test panics with it").clone()
    }

    /// Changes the state.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        self.states.send_modify(|state| {
            let mut next = State::clone(state);
            change(&mut next);
            next.version += 1;
            *state = Arc::new(next);
        });
    }

    /// Another term begins.
    pub(super) fn set_term(&self, term: u64, is_self: bool) {
        self.leading.send_replace(leads(term, is_self));
    }

    /// From now on there is a leader, or none.
    pub(super) fn set_leader(&self, has_leader: bool) {
        self.has_leader.store(has_leader, Ordering::SeqCst);
    }
}

impl Agreement for Alone {
    fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.states.subscribe()
    }

    fn watch_leader(&self) -> watch::Receiver<Leadership> {
        self.leading.subscribe()
    }

    fn submit(&self, change: Change, _: Duration) -> Pending<'static, Result<Outcome, SubmitError>> {
        if !self.has_leader.load(Ordering::SeqCst) {
            return Box::pin(async { Err(SubmitError::NoLeader) });
        }
        self.submitted.lock().expect("no test panics with it").push(change.clone());
        let command = Command { at_ms: NOW_MS, change };
        let mut outcome = Outcome::Unchanged;
        self.states.send_modify(|state| {
            let mut next = State::clone(state);
            outcome = apply(&mut next, &command);
            *state = Arc::new(next);
        });
        Box::pin(async { Ok(outcome) })
    }

    fn read(&self, _: Duration) -> Pending<'static, Option<Arc<State>>> {
        let state = self.has_leader.load(Ordering::SeqCst).then(|| self.states.borrow().clone());
        Box::pin(async { state })
    }

    fn has_quorum_within(&self, _: Duration) -> bool {
        self.has_leader.load(Ordering::SeqCst)
    }
}

/// The time of tests, Unix time, ms.
const NOW_MS: u64 = 1_000_000;

/// A clock that stands still.
pub(super) struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

/// Numbers in order.
#[derive(Default)]
pub(super) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// The key of the pipeline of [`formed`].
pub(super) fn key() -> PipelineKey {
    PipelineKey::new(Uuid::from_u128(9), "p", 0)
}

/// A formed cluster, with a pipeline on worker `w`, process 1, epoch 3.
pub(super) fn formed() -> State {
    let spec = PipelineSpec {
        name: "p".into(),
        source: "event E:\n    a: int\nstream S = E\n    .from(m, topic: \"in\")\n    .where(a > 1)\n    .to(m, topic: \"out\")\n"
            .into(),
        worker_affinity: None,
        replicas: 1,
        partition_key: None,
    };
    let params = [("host", "127.0.0.1"), ("port", "1883")].map(|(name, value)| (name.into(), value.into()));
    let connector = ConnectorSpec {
        name: "m".into(),
        connector_type: "mqtt".into(),
        params: BTreeMap::from(params),
        description: None,
    };
    let placement = Placement {
        worker: WorkerId::new("w"),
        instance: Uuid::from_u128(1),
        epoch: 3,
        phase: Phase::Deploying,
        since_ms: 0,
        from: None,
        migration: None,
    };
    let pipeline = Pipeline {
        id: Uuid::from_u128(4),
        replicas: 1,
        revision: 1,
        epoch: 3,
        placement: Some(placement),
        clients: BTreeMap::new(),
    };
    let mut state = State { cluster: Some(CLUSTER), version: 1, ..State::default() };
    state.connectors.insert("m".into(), Connector { spec: connector, revision: 1 });
    let spec = GroupSpec { name: "g".into(), pipelines: vec![spec], routes: vec![] };
    let pipelines = BTreeMap::from([(key(), pipeline)]);
    let facts = BTreeMap::new();
    let group = Group { spec, number: 0, created_ms: 0, revision: 1, incarnation: 1, facts, pipelines };
    state.groups.insert(key().group, group);
    state
}

/// What workers of tests can carry.
pub(super) const CAPACITY: Capacity = Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 100 };
