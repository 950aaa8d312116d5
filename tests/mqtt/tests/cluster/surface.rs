//! The surface that scripts and people use, on real processes.

use crate::PATIENCE;
use rarog_mqtt_tests::broker::free_port;
use rarog_mqtt_tests::cluster::{Cluster, Layout, group_of};
use rarog_mqtt_tests::rest::Rest;
use serde_json::json;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

#[test]
fn answers_have_the_shapes_that_scripts_read() {
    let cluster = Cluster::start(&Layout::independent(1, &[]));
    cluster.wait_for_leader_or_alone();
    let rest = cluster.coordinator(0);
    let spec = group_of(1);
    let answer = rest.post("/api/v1/cluster/pipeline-groups", &spec).expect("it answers");
    assert_eq!(answer.status, 400, "the connector is missing: {answer}");
    assert_eq!(cluster.register_connector(0, 1).status, 201);
    assert_eq!(cluster.register_connector(0, 1).status, 200);
    let other = json!({"name": "mqtt_1", "connector_type": "mqtt", "params": {"host": "elsewhere"}});
    assert_eq!(rest.post("/api/v1/cluster/connectors", &other).expect("it answers").status, 409);
    let bad = json!({"name": "m 1", "connector_type": "mqtt", "params": {"host": "x"}});
    assert_eq!(rest.post("/api/v1/cluster/connectors", &bad).expect("it answers").status, 400);
    let answer = rest.post("/api/v1/cluster/pipeline-groups", &spec).expect("it answers");
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("no_workers_available")), "{answer}");
    let list = rest.get("/api/v1/cluster/pipeline-groups").expect("it answers").json();
    assert_eq!(list["total"], 0, "nothing was stored");
    let answer = rest.get("/no/such/path").expect("it answers");
    assert!(answer.status == 404 && answer.json()["code"].is_string(), "{answer}");
    let answer = rest.raw(
        "POST",
        "/api/v1/cluster/connectors",
        &[("content-type", "application/json")],
        b"{",
        Duration::from_secs(5),
    );
    let answer = answer.expect("it answers");
    assert!(answer.status == 400 && answer.json()["error"].is_string(), "{answer}");
    let huge = vec![b' '; 2 << 20];
    let answer = rest.raw(
        "POST",
        "/api/v1/cluster/connectors",
        &[("content-type", "application/json")],
        &huge,
        Duration::from_secs(5),
    );
    assert_eq!(answer.expect("it answers").status, 413);
}

/// Clients that send half of a call, or never read their answer, and keep their connection.
#[test]
fn slow_clients_keep_nobody_waiting() {
    const EACH: usize = 100;
    let cluster = Cluster::start(&Layout::independent(1, &[0]));
    cluster.wait_for_leader_or_alone();
    cluster.wait_for_workers(0, 1, PATIENCE);
    let half_a_head = "POST /api/v1/cluster/connectors HTTP/1.1\r\nhost: x\r\n";
    let half_a_body = format!("{half_a_head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{");
    let never_read = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
    let mut held = Vec::new();
    for port in [cluster.coordinators[0].port, cluster.workers[0].port] {
        for text in [half_a_head, &half_a_body, &never_read] {
            for _ in 0..EACH {
                let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
                client.write_all(text.as_bytes()).expect("it takes it");
                held.push(client);
            }
        }
    }
    assert_eq!(cluster.register_connector(0, 1).status, 201);
    cluster.deploy(0, 1);
    cluster.wait_placed(0, "sensor_filter_1", "", PATIENCE);
    let of_worker = Rest::at(cluster.workers[0].port).get("/api/v1/pipelines").expect("it answers");
    assert_eq!(of_worker.json()["total"], 1, "{of_worker}");
    drop(held);
}

#[test]
fn health_answers_at_once_whatever_hangs() {
    let mut cluster = Cluster::start(&Layout::raft(3, &[0]));
    cluster.wait_for_leader(PATIENCE);
    cluster.coordinators[1].pause();
    cluster.coordinators[2].pause();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(3) {
        let call = Instant::now();
        let health = cluster.health(0).expect("it answers without a majority");
        assert!(health["workers"]["total"].is_u64() && health["role"] == "coordinator", "{health}");
        slowest = slowest.max(call.elapsed());
    }
    println!("the slowest answer took {slowest:?}");
    let ready = cluster.coordinator(0).get("/ready").expect("it answers");
    assert_eq!(ready.status, 503, "{ready}");
    cluster.coordinators[1].resume();
    cluster.coordinators[2].resume();
    cluster.wait_for_leader(PATIENCE);
}

#[test]
fn a_worker_by_itself_offers_metrics_on_a_port_of_their_own() {
    let metrics = free_port();
    let options = ["--metrics", "--metrics-port", &metrics.to_string()].map(String::from);
    let layout = Layout { worker_options: options.into(), ..Layout::independent(1, &[0]) };
    let cluster = Cluster::start(&layout);
    cluster.wait_for_workers(0, 1, PATIENCE);
    for port in [metrics, cluster.workers[0].port] {
        let answer = Rest::at(port).get("/metrics").expect("it answers");
        assert!(answer.status == 200 && answer.body.contains("rarog_coordinator_connected 1"), "{answer}");
    }
    assert_eq!(Rest::at(metrics).get("/api/v1/pipelines").expect("it answers").status, 404);
}

#[test]
fn keys_are_asked_for_and_roles_are_kept() {
    let layout = Layout {
        coordinator_options: vec!["--api-key".into(), "hush".into()],
        worker_options: vec!["--api-key".into(), "hush".into()],
        ..Layout::independent(1, &[0])
    };
    let cluster = Cluster::start(&layout);
    cluster.wait_for_workers(0, 1, PATIENCE);
    let open = cluster.coordinator(0);
    assert_eq!(open.get("/health").expect("it answers").status, 200);
    assert_eq!(open.get("/api/v1/cluster/workers").expect("it answers").status, 401);
    let wrong = Rest { key: Some("loud".into()), ..open.clone() };
    assert_eq!(wrong.get("/api/v1/cluster/workers").expect("it answers").status, 401);
    let right = Rest { key: Some("hush".into()), ..open };
    assert_eq!(right.get("/api/v1/cluster/workers").expect("it answers").status, 200);
    let log = cluster.logs();
    assert!(!log.contains("hush"), "a key is in the log:\n{log}");
}
