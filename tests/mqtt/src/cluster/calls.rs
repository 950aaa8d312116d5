//! What tests ask a cluster for, and wait for, over its REST interface.

use super::Cluster;
use crate::rest::Answer;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether something has come about.
const POLL: Duration = Duration::from_millis(10);

/// The program of the suites for topic `n`: hot readings from `e2e/input/<n>` to `e2e/output`.
fn program(n: usize) -> String {
    format!(
        "event SensorReading:\n    sensor_id: str\n    temperature: float\n    seq: int\n\
         stream Input = SensorReading\n    .from(mqtt_{n}, topic: \"e2e/input/{n}\")\n\
         stream HighTemp = Input\n    .where(temperature > 50.0)\n\
         stream Output = HighTemp\n    .to(mqtt_{n}, topic: \"e2e/output\")\n"
    )
}

/// A group with one pipeline, `sensor_filter_<n>`.
pub fn group_of(n: usize) -> Value {
    json!({"name": format!("group_{n}"), "pipelines": [{"name": format!("sensor_filter_{n}"), "source": program(n)}]})
}

/// Waits until `done` gives something; panics with `what` if it does not in time. How long it took.
pub fn wait_until<T>(what: &str, timeout: Duration, mut done: impl FnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(found) = done() {
            return (found, began.elapsed());
        }
        assert!(began.elapsed() < timeout, "{what}: not within {timeout:?}");
        thread::sleep(POLL);
    }
}

impl Cluster {
    /// Waits until a coordinator shows this many healthy workers.
    pub fn wait_for_workers(&self, coordinator: usize, healthy: u64, timeout: Duration) -> Duration {
        let what = format!("{healthy} healthy workers at coordinator {}", coordinator + 1);
        wait_until(&what, timeout, || (self.health(coordinator)?["workers"]["healthy"] == healthy).then_some(())).1
    }

    /// Waits until a coordinator has this many sockets of workers.
    pub fn wait_for_sockets(&self, coordinator: usize, count: u64, timeout: Duration) -> Duration {
        let what = format!("{count} sockets at coordinator {}", coordinator + 1);
        wait_until(&what, timeout, || (self.health(coordinator)?["ws_connections"] == count).then_some(())).1
    }

    /// What a coordinator says of its health; `None` if it does not answer.
    pub fn health(&self, coordinator: usize) -> Option<Value> {
        let answer = self.coordinator(coordinator).get("/health").ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// The index of the leader that a majority of the running coordinators name.
    pub fn leader(&self) -> Option<usize> {
        let running = (0..self.coordinators.len()).filter(|index| self.coordinators[*index].is_up());
        let named: Vec<u64> = running
            .filter_map(|index| self.coordinator(index).get("/raft/metrics").ok()?.json()["current_leader"].as_u64())
            .collect();
        let leader = named.iter().copied().max_by_key(|node| named.iter().filter(|other| *other == node).count())?;
        let agree = named.iter().filter(|node| **node == leader).count();
        let index = leader as usize - 1;
        (agree * 2 > self.coordinators.len() && self.coordinators[index].is_up()).then_some(index)
    }

    /// Waits for a leader.
    pub fn wait_for_leader(&self, timeout: Duration) -> usize {
        wait_until("a leader", timeout, || self.leader()).0
    }

    /// Waits until coordinator 1 can serve writes.
    pub fn wait_for_leader_or_alone(&self) {
        let ready = || (self.coordinator(0).get("/ready").ok()?.status == 200).then_some(());
        wait_until("coordinator 1 is ready", Duration::from_secs(60), ready);
    }

    /// The id of a group, by its name.
    pub fn group_id(&self, coordinator: usize, name: &str) -> Option<String> {
        let list = self.coordinator(coordinator).get("/api/v1/cluster/pipeline-groups").ok()?.json();
        let group = list["pipeline_groups"].as_array()?.iter().find(|group| group["name"] == name)?.clone();
        group["id"].as_str().map(String::from)
    }

    /// Registers the broker as `mqtt_<n>` with a coordinator.
    pub fn register_connector(&self, coordinator: usize, n: usize) -> Answer {
        let params = json!({"host": "127.0.0.1", "port": self.broker.port().to_string()});
        let body = json!({"name": format!("mqtt_{n}"), "connector_type": "mqtt", "params": params});
        self.coordinator(coordinator).post("/api/v1/cluster/connectors", &body).expect("the coordinator answers")
    }

    /// Deploys `sensor_filter_<n>` over a coordinator; the group's id.
    pub fn deploy(&self, coordinator: usize, n: usize) -> String {
        let answer = self.coordinator(coordinator).post("/api/v1/cluster/pipeline-groups", &group_of(n));
        let answer = answer.expect("the coordinator answers");
        assert!(matches!(answer.status, 200 | 201), "deploy {n}: {answer}");
        answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
    }

    /// The worker and the status of a pipeline in a coordinator's topology.
    pub fn place(&self, coordinator: usize, pipeline: &str) -> Option<(String, String)> {
        let topology = self.coordinator(coordinator).get("/api/v1/cluster/topology").ok()?.json();
        let groups = topology["groups"].as_array()?.clone();
        let entries = groups.iter().filter_map(|group| group["pipelines"].as_array()).flatten();
        let entry = entries.into_iter().find(|entry| entry["name"] == pipeline)?.clone();
        Some((entry["worker_id"].as_str()?.to_owned(), entry["status"].as_str().unwrap_or("running").to_owned()))
    }

    /// Waits until a pipeline runs on a worker other than `not`; the worker and how long it took.
    pub fn wait_placed(&self, coordinator: usize, pipeline: &str, not: &str, timeout: Duration) -> (String, Duration) {
        let what = format!("{pipeline} running on a worker other than {not:?}");
        wait_until(&what, timeout, || {
            let (worker, status) = self.place(coordinator, pipeline)?;
            (worker != not && status == "running").then_some(worker)
        })
    }

    /// The status of a worker in a coordinator's list.
    pub fn worker_status(&self, coordinator: usize, worker: &str) -> Option<String> {
        let list = self.coordinator(coordinator).get("/api/v1/cluster/workers").ok()?.json();
        let entry = list["workers"].as_array()?.iter().find(|entry| entry["id"] == worker)?.clone();
        entry["status"].as_str().map(String::from)
    }
}
