//! The interface against a state that is changed by the same `apply`, without consensus and without sockets.

mod connectors;
mod doors;
mod groups;
mod proxied;
mod views;
mod workers;

use super::*;
use crate::coordinator::agreement::Agreement;
use crate::coordinator::fleet::Fleet;
use crate::coordinator::parts::Observer;
use crate::model::apply::apply;
use crate::model::command::Command;
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::state::{Capacity, Phase};
use crate::raft::{Leadership, Member, Metrics as RaftMetrics, PeerLag, SubmitError};
use crate::seams::Pending;
use crate::seams::real::{SystemEntropy, TcpNet};
use crate::wire::Metrics;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::watch;
use tower::ServiceExt;

/// A program as deployment scripts write it.
pub(super) const PROGRAM: &str = "event SensorReading:\n    sensor_id: str\n    temperature: float\n\
    stream Input = SensorReading\n    .from(mqtt_1, topic: \"in\")\n\
    stream HighTemp = Input\n    .where(temperature > 50.0)\n\
    stream Output = HighTemp\n    .to(mqtt_1, topic: \"out\")\n";

/// What becomes of changes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fair,
    NoLeader,
    OutcomeUnknown,
}

/// Consensus of one that keeps nothing.
pub(super) struct Fake {
    state: watch::Sender<Arc<State>>,
    weather: Mutex<Weather>,
    /// Do workers do at once what they are told?
    obedient: Mutex<bool>,
    leading: watch::Sender<Leadership>,
    beats: Mutex<Vec<WorkerId>>,
}

impl Fake {
    fn apply(&self, change: Change) -> Outcome {
        let mut outcome = Outcome::Unchanged;
        self.state.send_modify(|state| {
            outcome = apply(Arc::make_mut(state), &Command { at_ms: NOW_MS, change });
        });
        outcome
    }

    /// Workers report that they run what is placed.
    pub fn run_all(&self) {
        let state = self.state.borrow().clone();
        for (key, pipeline) in state.pipelines_in_order() {
            let Some(placement) = &pipeline.placement else { continue };
            if placement.phase == Phase::Deploying {
                let (epoch, worker) = (placement.epoch, placement.worker.clone());
                self.apply(Change::Report { pipeline: key.clone(), epoch, worker, phase: Phase::Running });
            }
        }
    }
}

/// The time of day, which stands still.
pub(super) const NOW_MS: u64 = 1_000_000;

impl Clock for Fake {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

impl Agreement for Fake {
    fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    fn submit(&self, change: Change, _: Duration) -> Pending<'static, Result<Outcome, SubmitError>> {
        let answer = match *self.weather.lock().expect("no panic") {
            Weather::Fair => Ok(self.apply(change)),
            Weather::NoLeader => Err(SubmitError::NoLeader),
            Weather::OutcomeUnknown => Err(SubmitError::OutcomeUnknown),
        };
        if *self.obedient.lock().expect("no panic") {
            self.run_all();
        }
        Box::pin(async move { answer })
    }

    fn read(&self, _: Duration) -> Pending<'static, Option<Arc<State>>> {
        let is_fair = *self.weather.lock().expect("no panic") == Weather::Fair;
        let state = is_fair.then(|| self.state.borrow().clone());
        Box::pin(async move { state })
    }

    fn watch_leader(&self) -> watch::Receiver<Leadership> {
        self.leading.subscribe()
    }

    fn has_quorum_within(&self, _: Duration) -> bool {
        *self.weather.lock().expect("no panic") == Weather::Fair
    }
}

impl Ledger for Fake {
    fn raft_metrics(&self) -> RaftMetrics {
        let member = |node| Member { node, url: format!("http://c{node}:9100"), votes: true };
        RaftMetrics {
            id: 1,
            state: "Leader".into(),
            current_term: 3,
            current_leader: Some(1),
            last_applied: Some(7),
            last_log_index: Some(9),
            committed: Some(8),
            snapshot: None,
            membership: vec![member(1), member(2)],
            peers: [(2, PeerLag { matched: Some(4), lag: 5 })].into(),
            cluster: Some(Uuid::from_u128(1)),
            problem: None,
        }
    }
}

impl Observer for Fake {
    fn fleet(&self) -> Arc<Fleet> {
        Arc::new(Fleet { leader: Some(2), ..Fleet::default() })
    }

    fn live_sockets(&self) -> usize {
        3
    }

    fn heartbeat(&self, worker: &WorkerId, _: Metrics) {
        self.beats.lock().expect("no panic").push(worker.clone());
    }
}

/// A coordinator without a network.
pub(super) struct Cluster {
    pub fake: Arc<Fake>,
    pub app: Router,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Cluster {
    /// With these workers, `worker-1` and so on, which do at once what they are told.
    pub fn with_workers(count: u32) -> Cluster {
        Cluster::new(count, |_| ())
    }

    pub fn new(count: u32, change: impl FnOnce(&mut Rest)) -> Cluster {
        let fake = Arc::new(Fake {
            state: watch::Sender::new(Arc::default()),
            weather: Mutex::new(Weather::Fair),
            obedient: Mutex::new(true),
            leading: watch::Sender::new(Leadership { is_self: true, ..Leadership::default() }),
            beats: Mutex::default(),
        });
        fake.apply(Change::Form { cluster: Uuid::from_u128(1) });
        let mut rest = Rest {
            ledger: fake.clone(),
            observer: fake.clone(),
            compiler: Arc::default(),
            keys: Keys::none(),
            rate: RateLimit::new(0),
            cors_origins: vec![],
            heartbeat_interval_s: 5,
            http: HttpClient::new(Arc::new(TcpNet)),
            clock: fake.clone(),
            entropy: Arc::new(SystemEntropy),
            counters: Arc::default(),
            last_read: Mutex::new(Instant::now()),
            turn: AtomicU64::new(0),
        };
        change(&mut rest);
        let cluster = Cluster { fake, app: router(Arc::new(rest), Router::new()) };
        for number in 1..=count {
            cluster.worker(&format!("worker-{number}"), &format!("http://worker-{number}:9000"), u128::from(number));
        }
        cluster
    }

    /// A worker that speaks our protocol registers.
    pub fn worker(&self, name: &str, address: &str, instance: u128) {
        self.fake.apply(Change::Register {
            worker: WorkerId::new(name),
            address: address.into(),
            api_key: Some(crate::model::secret::Secret::new("worker-key")),
            instance: Uuid::from_u128(instance),
            protocol: 1,
            capacity: Capacity { cpu_cores: 4, pipelines_running: 0, max_pipelines: 100 },
        });
    }

    pub fn weather(&self, weather: Weather) {
        *self.fake.weather.lock().expect("no panic") = weather;
    }

    /// Workers do nothing until [`Fake::run_all`].
    pub fn stubborn(&self) {
        *self.fake.obedient.lock().expect("no panic") = false;
    }

    pub fn state(&self) -> Arc<State> {
        self.fake.state.borrow().clone()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("handlers do not fail");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("it is in memory").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("answers are texts");
        let status = head.status.as_u16();
        Answer { status, headers: head.headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// A request below the base path, or from the root if the path begins with `//`.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(request(method, path, body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    /// Registers the broker and deploys [`PROGRAM`] as a group of this name; its id.
    pub async fn deploy(&self, name: &str) -> String {
        self.post("/connectors", broker()).await;
        let answer = self.post("/pipeline-groups", group(name)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().expect("it has an id").to_owned()
    }

    /// Where the only replica of a group's pipeline is placed.
    pub fn worker_of(&self, group: &str) -> String {
        let id = group.parse().expect("it is an id");
        let state = self.state();
        let pipeline = state.groups[&id].pipelines.values().next().expect("it has one");
        pipeline.placement.as_ref().expect("it is placed").worker.to_string()
    }
}

pub(super) fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let uri = path.strip_prefix('/').filter(|rest| rest.starts_with('/'));
    let uri = uri.map_or_else(|| format!("{BASE}{path}"), str::to_owned);
    let request = Request::builder().method(method).uri(uri);
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .expect("the test asks for something possible")
}

pub(super) fn broker() -> Value {
    serde_json::json!({
        "name": "mqtt_1",
        "connector_type": "mqtt",
        "params": {"host": "broker", "port": "1883", "password": "hush-hush"},
    })
}

/// A group of one pipeline, `p`.
pub(super) fn group(name: &str) -> Value {
    serde_json::json!({"name": name, "pipelines": [{"name": "p", "source": PROGRAM}]})
}

pub(super) fn only_key(cluster: &Cluster) -> PipelineKey {
    let state = cluster.state();
    let pipelines = state.pipelines_in_order();
    assert_eq!(pipelines.len(), 1);
    pipelines[0].0.clone()
}
