//! Workers: REST registration, heartbeats, draining.

use super::*;
use crate::model::state::WorkerStatus;
use serde_json::json;

fn registration(name: &str) -> Value {
    json!({
        "worker_id": name, "address": "http://w:9000", "api_key": "hush-hush",
        "capacity": {"cpu_cores": 2, "pipelines_running": 0, "max_pipelines": 10},
    })
}

#[tokio::test]
async fn a_worker_registers_and_sends_heartbeats() {
    let cluster = Cluster::with_workers(1);
    let answer = cluster.post("/workers/register", registration("w")).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["worker_id"], "w");
    assert_eq!((&answer.body["status"], &answer.body["heartbeat_interval_secs"]), (&json!("registered"), &json!(5)));
    let beat = json!({"events_processed": 7, "pipelines_running": 1, "pipeline_metrics": []});
    let answer = cluster.post("/workers/w/heartbeat", beat.clone()).await;
    assert_eq!((answer.status, answer.body), (200, json!({"acknowledged": true})));
    assert_eq!(cluster.fake.beats.lock().expect("no panic").len(), 2);
    let unknown = cluster.post("/workers/x/heartbeat", beat).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("worker_not_found")));
    let list = cluster.get("/workers").await;
    let shown = &list.body["workers"];
    assert_eq!((&shown[0]["id"], &shown[0]["status"]), (&json!("w"), &json!("registering")));
    assert_eq!((&shown[1]["id"], &shown[1]["status"]), (&json!("worker-1"), &json!("ready")));
    for key in ["address", "pipelines_running", "max_pipelines", "cpu_cores", "assigned_pipelines", "events_processed"]
    {
        assert!(!shown[1][key].is_null(), "{key} of {}", shown[1]);
    }
    assert!(!list.text.contains("hush-hush") && !list.text.contains("worker-key"), "keys do not show");
    assert_eq!(cluster.get("/workers/worker-1").await.body, shown[1]);
    assert_eq!(cluster.get("/workers/nobody").await.status, 404);
}

#[tokio::test]
async fn wrong_registrations_are_refused() {
    let cluster = Cluster::with_workers(0);
    for (key, value) in [
        ("worker_id", json!("a b")),
        ("worker_id", json!("w".repeat(129))),
        ("worker_id", json!(1)),
        ("address", json!("a".repeat(4097))),
        ("capacity", json!({"cpu_cores": 0, "max_pipelines": 10})),
        ("capacity", json!({"cpu_cores": 1})),
        ("capacity", Value::Null),
        ("instance", json!("no uuid")),
    ] {
        let mut body = registration("w");
        body[key] = value;
        let answer = cluster.post("/workers/register", body).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad_request")), "{key}: {answer:?}");
    }
    assert!(cluster.state().workers.is_empty());
}

#[tokio::test]
async fn a_removed_worker_is_gone() {
    let cluster = Cluster::with_workers(1);
    assert_eq!(cluster.call("DELETE", "/workers/worker-1", None).await.body, json!({"deleted": true}));
    let gone = cluster.call("DELETE", "/workers/worker-1", None).await;
    assert_eq!((gone.status, &gone.body["code"]), (404, &json!("worker_not_found")));
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_drained() {
    let cluster = Cluster::with_workers(2);
    let group = cluster.deploy("g").await;
    let source = cluster.worker_of(&group);
    let fake = cluster.fake.clone();
    let key = only_key(&cluster);
    tokio::spawn(async move {
        // The leader's part.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let to = Some(WorkerId::new("worker-2"));
        fake.apply(Change::Place {
            moves: vec![crate::model::command::Move { pipeline: key, seen: 1, to, migration: None }],
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        fake.run_all();
        fake.apply(Change::Deregister { worker: WorkerId::new("worker-1") });
    });
    let start = Instant::now();
    let answer = cluster.post(&format!("/workers/{source}/drain"), json!({"timeout_secs": 30})).await;
    assert_eq!(answer.body, json!({"worker_id": source, "pipelines_migrated": 1, "status": "drained"}));
    assert_eq!(start.elapsed().as_secs(), 2, "until the successor takes records");
    assert!(!cluster.state().workers.contains_key(&WorkerId::new(&source)), "it is let go");
    assert_eq!(cluster.get(&format!("/workers/{source}")).await.status, 404);
    // No body is needed.
    let answer = cluster.call("POST", "/workers/worker-2/drain", None).await;
    assert_eq!(answer.body["status"], "draining", "nobody can take what it runs");
    assert_eq!(start.elapsed().as_secs(), 62, "the time for a drain if nobody says");
    let again = cluster.call("POST", "/workers/worker-2/drain", None).await;
    assert_eq!((again.status, &again.body["pipelines_migrated"]), (200, &json!(0)));
    assert_eq!(cluster.state().workers[&WorkerId::new("worker-2")].status, WorkerStatus::Draining);
    for (path, body, status) in [("nobody", json!({}), 404), ("worker-2", json!({"timeout_secs": 601}), 400)] {
        assert_eq!(cluster.post(&format!("/workers/{path}/drain"), body).await.status, status, "{path}");
    }
}
