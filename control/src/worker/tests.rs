//! The interface of a worker on an engine that only keeps books: shapes, keys, limits, and everything that is wrong with a call.

use super::*;
use crate::agent::bookkeeping::Bookkeeper;
use crate::coordinator::limits::BODY_BYTES;
use crate::seams::memory::MemoryDisk;
use crate::seams::real::{SystemClock, SystemEntropy};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const PROGRAM: &str = "stream A = E\n    .where(x > 1)\n";

/// A pipeline of the cluster.
struct OfCluster(Placed);

impl Membership for OfCluster {
    fn placed(&self) -> Vec<Placed> {
        vec![self.0.clone()]
    }

    fn is_connected(&self) -> bool {
        false
    }
}

fn placed() -> Placed {
    let group = Uuid::from_u128(1);
    Placed {
        pipeline: PipelineKey::new(group, "p", 0),
        id: Uuid::from_u128(2),
        epoch: 1,
        group_name: "g".into(),
        source: "".into(),
        plan: Arc::new(Plan::default()),
        phase: Phase::Running,
        since_ms: 0,
    }
}

fn worker(disk: Arc<MemoryDisk>, keys: Keys, per_second: u32) -> Router {
    let engine = Arc::new(Bookkeeper::default());
    let parts = (disk as _, Arc::new(SystemClock) as _, Arc::new(SystemEntropy) as _);
    let worker = Worker {
        name: "w".into(),
        engine: engine.clone(),
        standalone: Standalone::open(engine, parts, 2).expect("the folder can be read"),
        membership: Arc::new(OfCluster(placed())),
        keys,
        rate: RateLimit::new(per_second),
        cors_origins: Vec::new(),
        queues: Queues::new(3),
        clock: Arc::new(SystemClock),
        started_ms: 0,
    };
    Arc::new(worker).routes(Router::new())
}

fn open() -> Router {
    worker(Arc::default(), Keys::none(), 0)
}

async fn call(router: &Router, method: &str, path: &str, body: impl Into<Body>, key: &str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("x-api-key", key).body(body.into()).expect("it is a request");
    let response = router.clone().oneshot(request).await.expect("it answers");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn post(router: &Router, path: &str, body: Value) -> (u16, Value) {
    call(router, "POST", path, body.to_string(), "").await
}

#[tokio::test]
async fn a_pipeline_is_deployed_changed_kept_and_deleted() {
    let disk = Arc::new(MemoryDisk::new());
    let router = worker(disk.clone(), Keys::none(), 0);
    let (status, made) = post(&router, "/api/v1/pipelines", json!({"name": "a", "source": PROGRAM})).await;
    assert_eq!((status, &made["status"]), (201, &json!("running")), "{made}");
    let path = format!("/api/v1/pipelines/{}", made["id"].as_str().expect("it has an id"));
    let other = PROGRAM.replace('1', "2");
    assert_eq!(
        post(&router, &format!("{path}/reload"), json!({"source": other})).await,
        (200, json!({"reloaded": true}))
    );
    let event = json!({"event_type": "E", "fields": {"x": 3}});
    let (status, answer) = post(&router, &format!("{path}/events"), event.clone()).await;
    assert_eq!((status, &answer["output_events"][0]["fields"]["x"]), (200, &json!(3)), "{answer}");
    let (_, graph) = call(&router, "GET", &format!("{path}/topology"), "", "").await;
    assert_eq!(graph["nodes"][0]["node_type"], "Source", "{graph}");
    let restarted = worker(disk, Keys::none(), 0);
    let (_, shown) = call(&restarted, "GET", &path, "", "").await;
    assert_eq!((&shown["name"], &shown["source"]), (&json!("a"), &json!(other)), "it is there after a restart");
    assert_eq!(call(&restarted, "DELETE", &path, "", "").await, (200, json!({"deleted": true})));
    assert_eq!(call(&restarted, "GET", &path, "", "").await.0, 404);
}

#[tokio::test]
async fn everything_wrong_is_said_in_one_shape() {
    let router = open();
    let cluster = format!("/api/v1/pipelines/{}", placed().id);
    let too_many = json!({"events": vec![json!({"event_type": "E"}); 4]}).to_string();
    let misspelt = json!({"name": "a", "source": PROGRAM.replace("where", "wehre")}).to_string();
    let cases: [(&str, &str, String, u16, &str); 11] = [
        ("GET", "/no/such/path", String::new(), 404, "404"),
        ("PATCH", "/api/v1/pipelines", String::new(), 405, "405"),
        ("POST", "/api/v1/pipelines", "{".into(), 400, "bad_request"),
        ("POST", "/api/v1/pipelines", "{}".into(), 400, "bad_request"),
        ("POST", "/api/v1/pipelines", " ".repeat(BODY_BYTES + 1), 413, "payload_too_large"),
        ("POST", "/api/v1/pipelines", misspelt, 400, "compile_error"),
        ("GET", "/api/v1/pipelines/none", String::new(), 404, "pipeline_not_found"),
        ("GET", "/api/v1/pipelines?limit=many", String::new(), 400, "bad_request"),
        ("DELETE", &cluster, String::new(), 409, "managed_by_cluster"),
        ("POST", &format!("{cluster}/events-batch"), too_many, 429, "queue_depth_exceeded"),
        ("GET", &format!("{cluster}/logs"), String::new(), 501, "not_implemented"),
    ];
    for (method, path, body, status, code) in cases {
        let (given, answer) = call(&router, method, path, body, "").await;
        assert_eq!((given, &answer["code"]), (status, &json!(code)), "{method} {path}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_limits_and_quotas_hold() {
    let locked = worker(Arc::default(), Keys::none().with_admin("hush").with_anonymous_viewers(), 0);
    let body = || json!({"name": "a", "source": PROGRAM}).to_string();
    assert_eq!(call(&locked, "POST", "/api/v1/pipelines", body(), "loud").await.0, 401);
    assert_eq!(call(&locked, "POST", "/api/v1/pipelines", body(), "hush").await.0, 201);
    let request = |method: &str| Request::builder().method(method).uri("/api/v1/pipelines").body(Body::from(body()));
    let without_key = async |method| {
        let request = request(method).expect("it is a request");
        locked.clone().oneshot(request).await.expect("it answers").status().as_u16()
    };
    assert_eq!((without_key("GET").await, without_key("POST").await), (200, 403), "those without a key may read");
    let router = open();
    for (number, status) in [(1, 201), (2, 201), (3, 429)] {
        let (given, answer) = call(&router, "POST", "/api/v1/pipelines", body(), "").await;
        assert_eq!(given, status, "pipeline {number}: {answer}");
    }
    let limited = worker(Arc::default(), Keys::none(), 1);
    let mut given = Vec::new();
    for _ in 0..3 {
        given.push(call(&limited, "POST", "/api/v1/pipelines", "{", "").await.0);
    }
    assert_eq!(given, [400, 400, 429], "a burst of twice the rate");
    assert_eq!(call(&limited, "GET", "/health", "", "").await.0, 200, "reading is not limited");
    assert_eq!(call(&limited, "GET", "/ready", "", "").await.0, 503, "there is no coordinator");
}
