//! Whole coordinators on real sockets and folders.

use super::*;
use crate::http_client::Answer;
use crate::seams::real::{TcpNet, seams};
use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("rarog-coordinator-{:x}", getrandom::u64().expect("the system has randomness"));
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Client {
    http: HttpClient,
    url: String,
    key: Option<&'static str>,
}

impl Client {
    fn of(address: &str, key: Option<&'static str>) -> Client {
        Client { http: HttpClient::new(Arc::new(TcpNet)), url: format!("http://{address}"), key }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.key.map(|key| ("x-api-key", key)));
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        self.http.request(&self.url, method, path, &headers, body, PATIENCE).await.expect("it answers")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.call(Method::GET, path, None).await;
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.get("/ready").await.0 != 200 {
            assert!(Instant::now() < deadline, "{} does not become ready", self.url);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn connect(&self, name: &str) -> u16 {
        let connector = json!({"name": name, "connector_type": "console", "params": {}});
        self.call(Method::POST, "/api/v1/cluster/connectors", Some(connector)).await.status.as_u16()
    }
}

async fn start(config: &CoordinatorConfig, folder: &Folder) -> Coordinator {
    // Tasks of one that has just ended may hold the folder for a moment.
    let deadline = Instant::now() + PATIENCE;
    let seams = loop {
        match seams(&folder.0) {
            Ok(seams) => break seams,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    Coordinator::start(config.clone(), seams).await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_alone_keeps_what_it_was_told() {
    let (folder, config) = (Folder::new(), CoordinatorConfig::alone("127.0.0.1:0"));
    let coordinator = start(&config, &folder).await;
    let client = Client::of(coordinator.address(), None);
    client.until_ready().await;
    let (status, raft) = client.get("/raft/metrics").await;
    assert_eq!((status, &raft["current_leader"]), (200, &json!(1)));
    assert!(raft["state"].as_str().is_some_and(|state| state.contains("Leader")), "{raft}");
    assert_eq!(client.connect("c").await, 201);
    assert_eq!(client.get("/health").await.1["status"], "no_workers");
    assert_eq!(client.get("/nothing").await, (404, json!({"error": "there is nothing at /nothing", "code": "404"})));
    coordinator.shutdown().await;
    let again = start(&config, &folder).await;
    let client = Client::of(again.address(), None);
    client.until_ready().await;
    assert_eq!(client.connect("c").await, 200, "it is there already");
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_three_does_everything() {
    let mut ports = Vec::new();
    for _ in 0..3 {
        ports.push(TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("it is bound"));
    }
    let peers: BTreeMap<NodeId, String> = (1..).zip(ports.iter().map(|address| format!("http://{address}"))).collect();
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let mut running = Vec::new();
    for (place, folder) in folders.iter().enumerate() {
        let config = CoordinatorConfig {
            node: place as NodeId + 1,
            peers: peers.clone(),
            keys: Keys::none().with_admin("a"),
            ..CoordinatorConfig::alone(&ports[place].to_string())
        };
        running.push(start(&config, folder).await);
    }
    let clients: Vec<Client> = running.iter().map(|it| Client::of(it.address(), Some("a"))).collect();
    for client in &clients {
        client.until_ready().await;
    }
    for (place, client) in clients.iter().enumerate() {
        assert_eq!(client.connect(&format!("c{place}")).await, 201, "at coordinator {}", place + 1);
        for other in &clients {
            let (status, list) = other.get("/api/v1/cluster/connectors").await;
            assert_eq!((status, &list["total"]), (200, &json!(place + 1)), "what was written is read everywhere");
        }
    }
    assert_eq!(Client::of(running[0].address(), None).get("/api/v1/cluster/connectors").await.0, 401);
    let leader = running.iter().position(|it| it.consensus().leadership().is_self).expect("somebody leads");
    running.remove(leader).shutdown().await;
    for (place, client) in clients.iter().enumerate().filter(|(place, _)| *place != leader) {
        client.until_ready().await;
        assert_eq!(client.connect(&format!("d{place}")).await, 201, "the others go on");
    }
    let last = running.pop().expect("two are left");
    running.pop().expect("one more").shutdown().await;
    let client = Client::of(last.address(), Some("a"));
    let start = Instant::now();
    let (status, health) = client.get("/health").await;
    assert_eq!((status, &health["role"]), (200, &json!("coordinator")));
    assert!(start.elapsed() < Duration::from_secs(1), "health waits for nobody");
    assert_eq!(client.get("/ready").await.0, 503, "one of three cannot write");
    assert_eq!(client.connect("e").await, 503);
    assert_eq!(client.get("/api/v1/cluster/connectors").await.1["total"], 5, "it knows what it knew");
    last.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_harms_nobody() {
    let folder = Folder::new();
    let coordinator = start(&CoordinatorConfig::alone("127.0.0.1:0"), &folder).await;
    let silent = TcpStream::connect(coordinator.address()).await.expect("it listens");
    let head = "a".repeat(1 << 20);
    for garbage in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n", head.as_bytes()] {
        let mut stream = TcpStream::connect(coordinator.address()).await.expect("it listens");
        // It may have been cut off before everything was sent.
        _ = stream.write_all(garbage).await;
        _ = stream.shutdown().await;
        let mut answer = Vec::new();
        _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is cut off");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    let client = Client::of(coordinator.address(), None);
    assert_eq!(client.get("/health/live").await.0, 200);
    drop(silent);
    coordinator.shutdown().await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let viewer = Keys::none().with_json(r#"{"keys":[{"key":"k","role":"viewer"}]}"#).expect("it is right");
    let alone = || CoordinatorConfig::alone("127.0.0.1:0");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("it is bound");
    for (config, expected) in [
        (CoordinatorConfig { keys: viewer, ..alone() }, "no key has the role admin"),
        (CoordinatorConfig { ping_deadline: Duration::from_millis(250), ..alone() }, "--ping-deadline"),
        (CoordinatorConfig { heartbeat_interval: Duration::ZERO, ..alone() }, "--heartbeat-timeout"),
        (CoordinatorConfig { node: 2, peers: [(1, "http://a:1".into())].into(), ..alone() }, "not among its peers"),
        (CoordinatorConfig::alone(&taken.1), "cannot listen on"),
    ] {
        let folder = Folder::new();
        let started = Coordinator::start(config, seams(&folder.0).expect("it is new")).await;
        let error = started.err().expect(expected).to_string();
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_does_not_wait_for_a_compiler() {
    let folder = Folder::new();
    let coordinator = start(&CoordinatorConfig::alone("127.0.0.1:0"), &folder).await;
    let address = coordinator.address().to_owned();
    Client::of(&address, None).until_ready().await;
    // More than there are threads, each almost as long as a body may be.
    let program: String = (0..40_000).map(|at| format!("let a{at} = {at} + 1\n")).collect();
    let compiling: Vec<_> = (0..4)
        .map(|_| {
            let (client, body) = (Client::of(&address, None), json!({"source": program}));
            tokio::spawn(async move { client.call(Method::POST, "/api/v1/cluster/validate", Some(body)).await.status })
        })
        .collect();
    let client = Client::of(&address, None);
    let mut asked = 0;
    while !compiling.iter().all(|task| task.is_finished()) {
        let answer = tokio::time::timeout(Duration::from_secs(2), client.get("/health")).await;
        assert_eq!(answer.expect("it waits for nobody").0, 200);
        asked += 1;
    }
    assert!(asked > 0, "it was asked meanwhile");
    for task in compiling {
        assert_eq!(task.await.expect("no panic").as_u16(), 200);
    }
    coordinator.shutdown().await;
}
