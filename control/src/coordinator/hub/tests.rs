//! Sockets of workers against a real server on loopback.

use super::*;
use crate::coordinator::detector::FailureDetector;
use crate::coordinator::digest::Digests;
use crate::coordinator::testing::{Alone, CAPACITY, CLUSTER, Counting, DEADLINES, Still, formed, key};
use crate::http_client::HttpClient;
use crate::model::command::Change;
use crate::model::ids::Uuid;
use crate::model::secret::Secret;
use crate::model::state::Phase;
use crate::seams::real::TcpNet;
use crate::wire::{Held, Hello, PROTOCOL, ToAgent, ToCoordinator, Verdict};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(10);

/// A coordinator that leads, and what tests look at.
struct Bench {
    hub: Arc<Hub>,
    agreement: Arc<Alone>,
    address: String,
}

impl Bench {
    async fn new() -> Bench {
        let agreement = Alone::new(formed());
        let config = HubConfig {
            node: 1,
            ping_interval: Duration::from_millis(50),
            heartbeat_interval: Duration::from_secs(1),
            deadlines: DEADLINES,
            may_register: Arc::new(|key| key == Some("k")),
        };
        let parts = HubParts {
            agreement: agreement.clone(),
            compiler: Arc::new(Compiler::new()),
            clock: Arc::new(Still),
            entropy: Arc::new(Counting::default()),
        };
        let hub = Hub::new(config, parts);
        let digests = Digests {
            node: 1,
            hub: hub.clone(),
            detector: Arc::new(FailureDetector::new(1, DEADLINES, Instant::now())),
            agreement: agreement.clone(),
            http: HttpClient::new(Arc::new(TcpNet)),
            key: None,
            is_peer: Arc::new(|_| true),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let router = hub.router().merge(digests.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        tokio::spawn(async move { digests.post_all().await });
        Bench { hub, agreement, address }
    }

    async fn connect(&self, path: &str) -> Client {
        let stream = TcpStream::connect(&self.address).await.expect("it listens");
        let url = format!("ws://{}{path}", self.address);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("it upgrades");
        Client(socket)
    }

    async fn call(&self, hello: Hello) -> Client {
        let mut client = self.connect(AGENT_PATH).await;
        client.send(&ToCoordinator::Hello(hello)).await;
        client
    }

    /// Waits until it is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Bench) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "in vain: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A worker's end of a socket.
struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn send<T: serde::Serialize>(&mut self, frame: &T) {
        let text = serde_json::to_string(frame).expect("it is a frame");
        self.0.send(Message::text(text)).await.expect("the socket takes it");
    }

    /// The next text; `None`: the socket has ended.
    async fn text(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame that is no ping.
    async fn frame(&mut self) -> Option<ToAgent> {
        loop {
            match serde_json::from_str(&self.text().await?).expect("it is a frame") {
                ToAgent::Ping { .. } => {}
                frame => return Some(frame),
            }
        }
    }

    async fn json(&mut self) -> Option<Value> {
        Some(serde_json::from_str(&self.text().await?).expect("it is JSON"))
    }

    /// The code with which it is refused; the socket is closed after it.
    async fn refusal(mut self) -> String {
        let frame = self.frame().await;
        let Some(ToAgent::Refused { code, .. }) = frame else { panic!("{frame:?} is no refusal") };
        assert!(self.frame().await.is_none(), "the socket is closed");
        code
    }

    async fn welcome(&mut self) {
        let frame = self.frame().await;
        assert!(matches!(frame, Some(ToAgent::Welcome { cluster: CLUSTER, node: 1, .. })), "{frame:?}");
    }
}

fn hello(instance: u128) -> Hello {
    Hello {
        protocol: PROTOCOL,
        worker: WorkerId::new("w"),
        instance: Uuid::from_u128(instance),
        cluster: None,
        api_key: Some(Secret::new("k")),
        address: "http://127.0.0.1:9".into(),
        capacity: CAPACITY,
        held: vec![],
        welcomed: false,
    }
}

fn held(epoch: u64) -> Vec<Held> {
    vec![Held { pipeline: key(), epoch, phase: Phase::Running }]
}

#[tokio::test]
async fn a_worker_is_welcomed_and_told_what_is_placed_there() {
    let bench = Bench::new().await;
    let mut client = bench.call(hello(1)).await;
    client.welcome().await;
    assert!(bench.hub.fleet().workers.contains_key(&WorkerId::new("w")), "the leader knows of it before");
    let frame = client.frame().await;
    let Some(ToAgent::Install(order)) = frame else { panic!("{frame:?}") };
    assert_eq!((&order.pipeline, order.epoch), (&key(), 3));
    client.send(&ToCoordinator::Report { pipeline: key(), epoch: 3, phase: Phase::Running }).await;
    let report = Change::Report { pipeline: key(), epoch: 3, worker: WorkerId::new("w"), phase: Phase::Running };
    bench.until("the report is forwarded", |bench| bench.agreement.submitted().contains(&report)).await;
    bench.agreement.change(|state| state.groups.clear());
    let frame = client.frame().await;
    assert!(matches!(frame, Some(ToAgent::Remove { epoch: 3, .. })), "{frame:?}");
}

#[tokio::test]
async fn what_a_worker_holds_is_not_ordered_again_and_its_news_is_reported() {
    let bench = Bench::new().await;
    let mut client = bench.call(Hello { held: held(3), cluster: Some(CLUSTER), ..hello(1) }).await;
    client.welcome().await;
    bench
        .until("its phase is forwarded", |bench| {
            bench.agreement.submitted().iter().any(|change| matches!(change, Change::Report { epoch: 3, .. }))
        })
        .await;
    client.send(&ToCoordinator::Ping { number: 8 }).await;
    let frame = client.frame().await;
    assert!(matches!(frame, Some(ToAgent::Pong { number: 8, has_quorum: true })), "{frame:?}");
}

#[tokio::test]
async fn those_who_may_not_join_are_told_why() {
    let bench = Bench::new().await;
    let refusal = async |hello| bench.call(hello).await.refusal().await;
    assert_eq!(refusal(Hello { protocol: PROTOCOL + 1, ..hello(1) }).await, "protocol");
    assert_eq!(refusal(Hello { api_key: None, ..hello(1) }).await, "unauthorized");
    assert_eq!(refusal(Hello { cluster: Some(Uuid::nil()), held: held(1), ..hello(1) }).await, "foreign_cluster");
    assert_eq!(refusal(Hello { worker: WorkerId::new("a b"), ..hello(1) }).await, "invalid");
    bench.call(hello(2)).await.welcome().await;
    assert_eq!(refusal(Hello { welcomed: true, ..hello(1) }).await, "superseded");
}

#[tokio::test]
async fn a_process_that_knows_orders_from_before_its_restart_is_the_newer_one() {
    let bench = Bench::new().await;
    bench.call(hello(1)).await.welcome().await;
    let mut client = bench.call(Hello { held: held(3), cluster: Some(CLUSTER), ..hello(2) }).await;
    client.welcome().await;
    let frame = client.frame().await;
    assert!(matches!(frame, Some(ToAgent::Remove { epoch: 3, .. })), "it is placed on the older process: {frame:?}");
}

#[tokio::test]
async fn a_newer_process_supersedes_the_older() {
    let bench = Bench::new().await;
    let mut older = bench.call(Hello { held: held(3), ..hello(1) }).await;
    older.welcome().await;
    bench.call(hello(2)).await.welcome().await;
    assert_eq!(older.refusal().await, "superseded");
}

#[tokio::test]
async fn a_socket_counts_until_it_ends() {
    let bench = Bench::new().await;
    let mut client = bench.call(hello(1)).await;
    client.welcome().await;
    assert_eq!(bench.hub.live_sockets(), 1);
    drop(client);
    bench.until("the end is seen", |bench| bench.hub.live_sockets() == 0).await;
    bench.until("the leader knows", |bench| bench.hub.fleet().workers.is_empty()).await;
}

#[tokio::test]
async fn a_silent_worker_is_seen_as_silent_until_it_is_heard() {
    let bench = Bench::new().await;
    let mut client = bench.call(hello(1)).await;
    client.welcome().await;
    let is_silent = |bench: &Bench| bench.hub.fleet().workers.get(&WorkerId::new("w")).map(|seen| seen.silent);
    bench.until("it is silent", |bench| is_silent(bench) == Some(true)).await;
    assert_eq!(bench.hub.live_sockets(), 0);
    client.send(&ToCoordinator::Pong { number: 1, metrics: Metrics::default() }).await;
    bench.until("it is back", |bench| is_silent(bench) == Some(false)).await;
}

#[tokio::test]
async fn what_cannot_be_understood_ends_its_socket_alone() {
    let bench = Bench::new().await;
    let mut good = bench.call(hello(1)).await;
    good.welcome().await;
    for garbage in ["", "{", "[1]", "{\"type\":\"nonsense\"}", "\u{0}\u{fffd}"] {
        let mut client = bench.call(Hello { worker: WorkerId::new("v"), ..hello(5) }).await;
        client.welcome().await;
        client.0.send(Message::text(garbage)).await.expect("the socket takes it");
        assert_eq!(client.refusal().await, "invalid");
        let mut first = bench.connect(AGENT_PATH).await;
        first.0.send(Message::text(garbage)).await.expect("the socket takes it");
        assert_eq!(first.refusal().await, "invalid");
    }
    bench.until("one is left", |bench| bench.hub.live_sockets() == 1).await;
}

#[tokio::test]
async fn the_owner_is_told_after_a_read() {
    let bench = Bench::new().await;
    let mut client = bench.call(Hello { held: held(3), ..hello(1) }).await;
    client.welcome().await;
    let mut ask = async |request, epoch| {
        client.send(&ToCoordinator::Owner { request, pipeline: key(), epoch }).await;
        loop {
            match client.frame().await {
                Some(ToAgent::Owned { request: answered, verdict }) if answered == request => return verdict,
                Some(_) => {}
                None => panic!("the socket has ended"),
            }
        }
    };
    assert_eq!(ask(1, 3).await, Verdict::Owner);
    assert_eq!(ask(2, 2).await, Verdict::Superseded);
    bench.agreement.set_leader(false);
    assert_eq!(ask(3, 3).await, Verdict::Unknown);
    bench.agreement.set_leader(true);
    bench.agreement.change(|state| state.groups.clear());
    assert_eq!(ask(4, 3).await, Verdict::Superseded);
}

#[tokio::test]
async fn reports_wait_for_a_leader() {
    let bench = Bench::new().await;
    let mut client = bench.call(hello(1)).await;
    client.welcome().await;
    bench.agreement.set_leader(false);
    client.send(&ToCoordinator::Clients { request: 1, pipeline: key(), epoch: 3, clients: [].into() }).await;
    let refused = loop {
        if let Some(ToAgent::Recorded { request: 1, refused }) = client.frame().await {
            break refused;
        }
    };
    assert!(refused.is_some());
    for phase in [Phase::Degraded { reason: "x".into() }, Phase::Running] {
        client.send(&ToCoordinator::Report { pipeline: key(), epoch: 3, phase }).await;
    }
    bench.agreement.set_leader(true);
    bench
        .until("the last one is forwarded", |bench| {
            matches!(bench.agreement.submitted().last(), Some(Change::Report { phase: Phase::Running, .. }))
        })
        .await;
}

#[tokio::test]
async fn without_a_majority_pongs_say_so() {
    let bench = Bench::new().await;
    let mut client = bench.call(Hello { held: held(3), ..hello(1) }).await;
    client.welcome().await;
    bench.agreement.set_leader(false);
    client.send(&ToCoordinator::Ping { number: 1 }).await;
    loop {
        match client.frame().await {
            Some(ToAgent::Pong { has_quorum, .. }) => return assert!(!has_quorum),
            Some(_) => {}
            None => panic!("the socket has ended"),
        }
    }
}

#[tokio::test]
async fn heartbeat_frames_are_answered_as_ever() {
    let bench = Bench::new().await;
    let mut client = bench.connect(FRAMES_PATH).await;
    client.send(&json!({"type": "Heartbeat", "events_processed": 1, "pipelines_running": 0})).await;
    assert_eq!(client.json().await.expect("an answer")["type"], "Error", "Identify comes first");
    client.0.send(Message::text("?")).await.expect("the socket takes it");
    assert_eq!(client.json().await.expect("an answer")["type"], "Error");
    let identify = json!({"type": "Identify", "worker_id": "old", "api_key": "k"});
    client.send(&identify).await;
    assert_eq!(client.json().await.expect("an answer")["type"], "Error", "it is not registered");
    let registration = Change::Register {
        worker: WorkerId::new("old"),
        address: "http://o:1".into(),
        api_key: None,
        instance: Uuid::from_u128(6),
        protocol: 0,
        capacity: CAPACITY,
    };
    bench.agreement.submit(registration, PATIENCE).await.expect("it is decided");
    client.send(&identify).await;
    assert_eq!(client.json().await, Some(json!({"type": "IdentifyAck", "heartbeat_interval_secs": 1})));
    let beat = json!({"type": "Heartbeat", "events_processed": 7, "pipelines_running": 2, "pipeline_metrics": []});
    client.send(&beat).await;
    assert_eq!(client.json().await, Some(json!({"type": "HeartbeatAck"})));
    let events =
        |bench: &Bench| bench.hub.fleet().workers.get(&WorkerId::new("old")).map(|s| s.metrics.events_processed);
    bench.until("the leader sees it", |bench| events(bench) == Some(7)).await;
    drop(client);
    bench.until("its end is seen", |bench| bench.hub.live_sockets() == 0).await;
    let mut client = bench.connect(FRAMES_PATH).await;
    client.send(&json!({"type": "Identify", "worker_id": "old", "api_key": "wrong"})).await;
    assert_eq!(client.json().await.expect("an answer")["type"], "Error");
    assert_eq!(client.text().await, None, "a wrong key ends it");
}

#[tokio::test]
async fn a_hub_that_closes_lets_everybody_go() {
    let bench = Bench::new().await;
    let mut client = bench.call(hello(1)).await;
    client.welcome().await;
    bench.hub.close();
    while client.frame().await.is_some() {}
    bench.until("nobody is left", |bench| bench.hub.live_sockets() == 0).await;
    assert!(bench.hub.fleet().workers.contains_key(&WorkerId::new("w")), "the leader is told nothing of it");
}
