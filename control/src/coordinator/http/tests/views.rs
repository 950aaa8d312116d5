//! Views: health, topology, migrations, sums, and reads without a leader.

use super::*;
use crate::model::command::Move;
use crate::model::state::{MigrationReason, WorkerStatus};
use serde_json::json;

#[tokio::test]
async fn health_has_its_keys_with_and_without_a_leader() {
    let cluster = Cluster::with_workers(2);
    cluster.deploy("g").await;
    for weather in [Weather::Fair, Weather::NoLeader] {
        cluster.weather(weather);
        let answer = cluster.get("//health").await;
        assert_eq!(answer.status, 200);
        let body = &answer.body;
        assert_eq!((&body["status"], &body["role"]), (&json!("healthy"), &json!("coordinator")));
        assert_eq!(body["workers"], json!({"total": 2, "healthy": 2, "unhealthy": 0, "draining": 0}));
        assert_eq!((&body["ws_connections"], &body["pipeline_groups"]), (&json!(3), &json!(1)));
        assert_eq!((&body["active_migrations"], &body["total_events_processed"]), (&json!(0), &json!(0)));
        assert_eq!(body["last_health_sweep"], json!({"workers_checked": 0, "workers_marked_unhealthy": 0}));
        assert_eq!(body["worker_list"][0]["id"], "worker-1");
        assert!(body["version"].is_string());
    }
    assert_eq!(Cluster::with_workers(0).get("//health").await.body["status"], "no_workers");
}

#[tokio::test]
async fn readiness_is_being_able_to_write() {
    let cluster = Cluster::with_workers(0);
    for (path, without) in
        [("//ready", 503), ("//health/ready", 503), ("//health/live", 200), ("//health/started", 200)]
    {
        cluster.weather(Weather::Fair);
        assert_eq!(cluster.get(path).await.status, 200, "{path}");
        cluster.weather(Weather::NoLeader);
        let answer = cluster.get(path).await;
        assert_eq!(answer.status, without, "{path}");
        assert_eq!(answer.body["error"].is_string(), without == 503, "{path}");
    }
}

#[tokio::test]
async fn without_a_leader_reads_are_old_and_changes_are_refused() {
    let cluster = Cluster::with_workers(1);
    let group = cluster.deploy("g").await;
    let fresh = cluster.get("/topology").await;
    assert!(!fresh.headers.contains_key(STALE_HEADER));
    cluster.weather(Weather::NoLeader);
    for path in [
        "/topology",
        "/workers",
        "/workers/worker-1",
        "/connectors",
        "/connectors/mqtt_1",
        "/migrations",
        "/pipeline-groups",
        "/pipeline-groups/g",
        "/summary",
        "/metrics",
        "/scaling",
    ] {
        let answer = cluster.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let age = answer.headers.get(STALE_HEADER).and_then(|age| age.to_str().ok()?.parse::<u64>().ok());
        assert!(age.is_some(), "{path} is marked");
    }
    assert_eq!(cluster.get("/topology").await.body, fresh.body);
    for (weather, code) in [(Weather::NoLeader, "no_leader"), (Weather::OutcomeUnknown, "outcome_unknown")] {
        cluster.weather(weather);
        let pipeline = json!({"name": "other", "pipelines": [{"name": "p", "source": PROGRAM}]});
        for (method, path, body) in [
            ("POST", "/pipeline-groups".to_owned(), Some(pipeline)),
            ("DELETE", format!("/pipeline-groups/{group}"), None),
            ("POST", "/connectors".into(), Some(broker())),
            ("DELETE", "/connectors/mqtt_1".into(), None),
            ("DELETE", "/workers/worker-1".into(), None),
            ("POST", "/workers/worker-1/drain".into(), None),
        ] {
            let answer = cluster.call(method, &path, body).await;
            assert_eq!((answer.status, &answer.body["code"]), (503, &json!(code)), "{method} {path}");
            assert!(answer.headers.contains_key("retry-after"), "{method} {path}");
        }
    }
}

/// The first group's first pipeline in the topology.
async fn entry(cluster: &Cluster) -> Value {
    cluster.get("/topology").await.body["groups"][0]["pipelines"][0].clone()
}

#[tokio::test]
async fn an_entry_names_the_old_worker_while_its_pipeline_moves() {
    let cluster = Cluster::with_workers(2);
    cluster.deploy("g").await;
    let on = |worker: &str, status: &str| json!({"name": "p", "worker_id": worker, "worker_address": format!("http://{worker}:9000"), "status": status});
    assert_eq!(entry(&cluster).await, on("worker-1", "running"));
    cluster.stubborn();
    let (key, to) = (only_key(&cluster), WorkerId::new("worker-2"));
    let migration = Some((Uuid::from_u128(5), MigrationReason::Failover));
    cluster.fake.apply(Change::WorkerStatus {
        worker: WorkerId::new("worker-1"),
        instance: Uuid::from_u128(1),
        status: WorkerStatus::Unhealthy,
        reason: Some("its socket ended".into()),
        moves: vec![Move { pipeline: key.clone(), seen: 1, to: Some(to), migration }],
    });
    assert_eq!(entry(&cluster).await, on("worker-1", "moving"));
    assert_eq!(cluster.get("/pipeline-groups/g").await.body["status"], "moving");
    let migrations = cluster.get("/migrations").await.body;
    let expected = json!({
        "id": Uuid::from_u128(5), "pipeline_name": "p", "group_id": key.group, "source_worker": "worker-1",
        "target_worker": "worker-2", "status": "in_progress", "reason": "failover", "elapsed_ms": 0,
    });
    assert_eq!(migrations["migrations"], json!([expected]));
    cluster.fake.run_all();
    assert_eq!(entry(&cluster).await, on("worker-2", "running"));
    let shown = cluster.get(&format!("/migrations/{}", Uuid::from_u128(5))).await.body;
    assert_eq!(shown["status"], "completed");
    let topology = cluster.get("/topology").await.body;
    let groups: Vec<_> =
        topology["workers"].as_array().expect("a list").iter().map(|it| &it["pipeline_groups"]).collect();
    assert_eq!(groups, [&json!([]), &json!(["g"])]);
}

#[tokio::test]
async fn who_cannot_take_records_is_degraded() {
    let cluster = Cluster::with_workers(1);
    cluster.deploy("g").await;
    let key = only_key(&cluster);
    let report = |phase| Change::Report { pipeline: key.clone(), epoch: 1, worker: WorkerId::new("worker-1"), phase };
    for (phase, status, of_group) in [
        (Phase::Degraded { reason: "broker is gone".into() }, "degraded", "degraded"),
        (Phase::Failed { reason: "it panicked".into() }, "failed", "failed"),
    ] {
        cluster.fake.apply(report(phase));
        let entry = entry(&cluster).await;
        assert_eq!((&entry["worker_id"], &entry["status"]), (&json!("worker-1"), &json!(status)));
        assert!(entry["reason"].is_string(), "{entry}");
        assert_eq!(cluster.get("/pipeline-groups/g").await.body["status"], of_group);
    }
}

#[tokio::test]
async fn a_pipeline_is_moved_by_request() {
    let cluster = Cluster::with_workers(2);
    let group = cluster.deploy("g").await;
    let path = format!("/pipelines/{group}/p/migrate");
    let to = |worker: &str| json!({"target_worker_id": worker});
    let answer = cluster.post(&path, to("worker-2")).await;
    assert_eq!((answer.status, &answer.body["status"]), (202, &json!("started")), "{answer:?}");
    assert_eq!((&answer.body["pipeline"], &answer.body["group_id"]), (&json!("p"), &json!(group)));
    assert_eq!(cluster.worker_of(&group), "worker-2");
    let id = answer.body["migration_id"].as_str().expect("it has an id");
    let shown = cluster.get(&format!("/migrations/{id}")).await.body;
    assert_eq!((&shown["status"], &shown["reason"]), (&json!("completed"), &json!("manual")));
    for (path, target, status, code) in [
        (path.as_str(), "worker-2", 400, "invalid_operation"),
        (&path, "nobody", 404, "worker_not_found"),
        ("/pipelines/nobody/p/migrate", "worker-1", 404, "group_not_found"),
        ("/pipelines/g/q/migrate", "worker-1", 404, "pipeline_not_found"),
    ] {
        let answer = cluster.post(path, to(target)).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{path} {target}");
    }
    assert_eq!(cluster.get("/migrations/none").await.body["code"], "migration_not_found");
}

#[tokio::test]
async fn sums_fit() {
    let cluster = Cluster::with_workers(2);
    cluster.deploy("g").await;
    let summary = cluster.get("/summary").await.body;
    let expected = json!({
        "total_workers": 2, "healthy_workers": 2, "unhealthy_workers": 0, "draining_workers": 0, "total_pipeline_groups": 1,
        "active_pipeline_groups": 1, "total_events_processed": 0, "events_per_second": 0,
    });
    assert_eq!(summary, expected);
    let scaling = cluster.get("/scaling").await.body;
    assert_eq!((&scaling["action"], &scaling["timestamp"]), (&json!("scale_down"), &json!("1970-01-01T00:16:40Z")));
    assert_eq!(cluster.get("/metrics").await.body, json!({"pipelines": []}));
    let view = cluster.get("/raft").await.body;
    assert_eq!((&view["leader_id"], &view["nodes"][1]["role"]), (&json!(1), &json!("follower")));
    assert_eq!((&view["nodes"][1]["lag"], &view["commit_index"]), (&json!(5), &json!(8)));
    let text = cluster.get("//metrics").await.text;
    for line in [
        "varpulis_cluster_workers_total{status=\"ready\"} 2",
        "varpulis_cluster_pipeline_groups_total 1",
        "varpulis_cluster_deployments_total 1",
        "varpulis_cluster_migrations_total{result=\"success\"} 0",
        "varpulis_cluster_raft_role 2",
        "varpulis_cluster_raft_term 3",
        "varpulis_cluster_raft_commit_index 8",
        "rarog_worker_sockets 3",
        "rarog_raft_peer_lag_entries{node=\"2\"} 5",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is missing in {text}");
    }
    assert_eq!(cluster.get("/prometheus").await.text, text);
}

#[tokio::test]
async fn programs_are_judged_and_drawn() {
    let cluster = Cluster::with_workers(0);
    cluster.post("/connectors", broker()).await;
    let right = cluster.post("/validate", json!({"source": PROGRAM})).await;
    assert_eq!((right.status, &right.body["valid"]), (200, &json!(true)));
    let wrong = cluster.post("/validate", json!({"source": PROGRAM.replace("50.0", "fifty")})).await;
    assert_eq!((wrong.status, &wrong.body["valid"]), (200, &json!(false)));
    assert_eq!(
        (&wrong.body["diagnostics"][0]["line"], &wrong.body["diagnostics"][0]["severity"]),
        (&json!(7), &json!("error"))
    );
    let graph = cluster.post("/pipeline/graph", json!({"vpl": PROGRAM})).await;
    assert_eq!(graph.status, 200);
    let kinds: Vec<_> = graph.body["nodes"].as_array().expect("a list").iter().map(|it| &it["node_type"]).collect();
    assert!(kinds.contains(&&json!("source")) && kinds.contains(&&json!("filter")) && kinds.contains(&&json!("sink")));
    assert_eq!(graph.body["edges"][0]["source"], "n0");
    assert_eq!(cluster.post("/pipeline/graph", json!({"vpl": "stream = "})).await.status, 400);
    assert_eq!(cluster.post("/validate", json!({})).await.status, 400);
}

#[tokio::test]
async fn the_load_is_spread_by_request() {
    let cluster = Cluster::with_workers(1);
    for name in ["a", "b", "c", "d"] {
        cluster.deploy(name).await;
    }
    cluster.worker("worker-2", "http://worker-2:9000", 2);
    let answer = cluster.call("POST", "/rebalance", None).await;
    assert_eq!((answer.status, &answer.body["migrations_started"]), (200, &json!(2)), "{answer:?}");
    let state = cluster.state();
    for (worker, count) in [("worker-1", 2), ("worker-2", 2)] {
        assert_eq!(state.placed_on(&WorkerId::new(worker)).len(), count, "{worker}");
    }
    let listed = cluster.get("/migrations").await.body;
    assert!(listed["migrations"].as_array().expect("a list").iter().all(|it| it["reason"] == "rebalance"));
    let again = cluster.call("POST", "/rebalance", None).await;
    assert_eq!(again.body, json!({"migrations_started": 0, "migration_ids": []}));
}
