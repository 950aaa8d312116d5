//! What is handed on to workers: injected events and operator graphs.

use super::*;
use axum::routing::{get, post};
use axum::{Extension, http};
use serde_json::json;

type Seen = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// A worker's REST interface that notes what comes; it answers 500 to events of the type `Bad`.
async fn worker(seen: Seen) -> String {
    async fn events(
        Extension(seen): Extension<Seen>,
        uri: http::Uri,
        headers: HeaderMap,
        Json(body): Json<Value>,
    ) -> Response {
        let is_bad = body["event_type"] == "Bad";
        seen.lock().expect("no panic").push((uri.path().to_owned(), headers, body));
        if is_bad {
            return answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({"error": "no such event", "code": "engine_error"}),
            );
        }
        answer(StatusCode::OK, json!({"accepted": true, "output_events": []}))
    }
    async fn batch(Extension(seen): Extension<Seen>, uri: http::Uri, Json(body): Json<Value>) -> Json<Value> {
        let events = body["events"].as_array().map_or(0, Vec::len);
        seen.lock().expect("no panic").push((uri.path().to_owned(), HeaderMap::new(), body));
        Json(json!({"accepted": events, "output_events": [{"event_type": "Out"}], "processing_time_us": 1}))
    }
    let graph = || async { Json(json!({"nodes": [{"id": 0}], "edges": [], "sources": [], "sinks": []})) };
    let router = Router::new()
        .route("/api/v1/pipelines/{id}/events", post(events))
        .route("/api/v1/pipelines/{id}/events-batch", post(batch))
        .route("/api/v1/pipelines/{id}/topology", get(graph))
        .layer(Extension(seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn with_worker() -> (Cluster, Seen) {
    let (cluster, seen) = (Cluster::with_workers(0), Seen::default());
    cluster.worker("w", &worker(seen.clone()).await, 1);
    (cluster, seen)
}

#[tokio::test]
async fn an_event_goes_to_the_worker_of_its_pipeline() {
    let (cluster, seen) = with_worker().await;
    cluster.post("/connectors", broker()).await;
    let pipelines = ["first", "second", "third"].map(|name| json!({"name": name, "source": PROGRAM}));
    let route = |to: &str, types: Value| json!({"from_pipeline": "_external", "to_pipeline": to, "event_types": types});
    let routes = [route("second", json!(["Sensor*"])), route("third", json!(["Sensor1", "Login"]))];
    let made = cluster.post("/pipeline-groups", json!({"name": "g", "pipelines": pipelines, "routes": routes})).await;
    assert_eq!(made.status, 201, "{made:?}");
    for (event_type, target) in [("SensorReading", 1), ("Sensor1", 1), ("Login", 2), ("Logins", 0), ("Other", 0)] {
        let event = json!({"event_type": event_type, "fields": {"a": 1}});
        let mut request = request("POST", "/pipeline-groups/g/inject", Some(event.clone()));
        request.headers_mut().insert("traceparent", "00-1-2-01".parse().expect("it is a value"));
        let answer = cluster.send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let placement = &made.body["placements"][target];
        assert_eq!((&answer.body["routed_to"], &answer.body["worker_id"]), (&placement["pipeline_name"], &json!("w")));
        assert_eq!(answer.body["worker_response"], json!({"accepted": true, "output_events": []}));
        let (path, headers, body) = seen.lock().expect("no panic").pop().expect("the worker was asked");
        assert_eq!(path, format!("/api/v1/pipelines/{}/events", placement["pipeline_id"].as_str().expect("an id")));
        assert_eq!(
            (&headers["x-api-key"], &headers["traceparent"]),
            (&http::HeaderValue::from_static("worker-key"), &http::HeaderValue::from_static("00-1-2-01"))
        );
        assert_eq!(body, event);
    }
}

#[tokio::test]
async fn what_the_worker_cannot_do_is_a_bad_gateway() {
    let (cluster, _) = with_worker().await;
    let group = cluster.deploy("g").await;
    let inject = format!("/pipeline-groups/{group}/inject");
    let bad = cluster.post(&inject, json!({"event_type": "Bad", "fields": {}})).await;
    assert_eq!((bad.status, &bad.body["code"]), (502, &json!("routing_failed")));
    assert!(bad.text.contains("500: no such event"), "{}", bad.text);
    let unknown = cluster.post("/pipeline-groups/nobody/inject", json!({"event_type": "A"})).await;
    assert_eq!(unknown.status, 404);
    // Nobody listens there any more.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    cluster.worker("w", &format!("http://{closed}"), 1);
    let gone = cluster.post(&inject, json!({"event_type": "A"})).await;
    assert_eq!((gone.status, &gone.body["code"]), (502, &json!("routing_failed")));
    cluster.call("DELETE", "/workers/w", None).await;
    let gone = cluster.post(&inject, json!({"event_type": "A"})).await;
    assert_eq!(gone.status, 502, "all workers are dead: {gone:?}");
}

#[tokio::test]
async fn replicas_get_what_belongs_to_them() {
    let (cluster, seen) = with_worker().await;
    cluster.post("/connectors", broker()).await;
    let pipeline = json!({"name": "p", "source": PROGRAM, "replicas": 3, "partition_key": "k"});
    cluster.post("/pipeline-groups", json!({"name": "g", "pipelines": [pipeline]})).await;
    cluster
        .post("/pipeline-groups", json!({"name": "h", "pipelines": [{"name": "p", "source": PROGRAM, "replicas": 3}]}))
        .await;
    let mut by_key = std::collections::BTreeMap::new();
    for turn in 0..60 {
        let key = format!("k{}", turn % 10);
        let answer = cluster.post("/pipeline-groups/g/inject", json!({"event_type": "A", "fields": {"k": key}})).await;
        let replica = answer.body["routed_to"].as_str().expect("a name").to_owned();
        assert_eq!(by_key.entry(key).or_insert_with(|| replica.clone()), &replica, "a key stays where it is");
    }
    let used: std::collections::BTreeSet<_> = by_key.values().collect();
    assert_eq!(used.len(), 3, "keys are spread: {by_key:?}");
    let mut turns = Vec::new();
    for _ in 0..3 {
        let answer = cluster.post("/pipeline-groups/h/inject", json!({"event_type": "A"})).await;
        turns.push(answer.body["routed_to"].as_str().expect("a name").to_owned());
    }
    turns.sort();
    assert_eq!(turns, ["p#0", "p#1", "p#2"]);
    assert_eq!(seen.lock().expect("no panic").len(), 63);
}

#[tokio::test]
async fn operators_are_shown_by_the_worker() {
    let (cluster, _) = with_worker().await;
    let group = cluster.deploy("g").await;
    let graph = cluster.get(&format!("/pipeline-groups/{group}/topology")).await;
    assert_eq!((graph.status, &graph.body["nodes"]), (200, &json!([{"id": 0}])));
    let key = only_key(&cluster);
    let phase = Phase::Failed { reason: "it panicked".into() };
    cluster.fake.apply(Change::Report { pipeline: key, epoch: 1, worker: WorkerId::new("w"), phase });
    let empty = cluster.get(&format!("/pipeline-groups/{group}/topology")).await;
    assert_eq!(empty.body, json!({"nodes": [], "edges": [], "sources": [], "sinks": []}));
    assert_eq!(cluster.get("/pipeline-groups/nobody/topology").await.status, 404);
}

#[tokio::test]
async fn batches_are_divided_among_pipelines() {
    let (cluster, seen) = with_worker().await;
    cluster.post("/connectors", broker()).await;
    let pipelines = ["first", "second"].map(|name| json!({"name": name, "source": PROGRAM}));
    let routes = json!([{"from_pipeline": "_external", "to_pipeline": "second", "event_types": ["B"]}]);
    let spec = json!({"name": "g", "pipelines": pipelines, "routes": routes});
    assert_eq!(cluster.post("/pipeline-groups", spec).await.status, 201);
    let text = "# three events\nA { i: 1 }\n@5s B { i: 2 }\nnonsense\nA { i: 3 }\n";
    let answer = cluster.post("/pipeline-groups/g/inject-batch", json!({"events_text": text})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.body["events_sent"], &answer.body["events_failed"]), (&json!(3), &json!(1)));
    assert_eq!(answer.body["output_events"], json!([{"event_type": "Out"}, {"event_type": "Out"}]));
    assert!(answer.body["errors"][0].as_str().is_some_and(|error| error.starts_with("line 4: ")), "{answer:?}");
    let bodies: Vec<Value> = seen.lock().expect("no panic").iter().map(|(_, _, body)| body["events"].clone()).collect();
    let event = |event_type: &str, i: u32| json!({"event_type": event_type, "fields": {"i": i}});
    assert_eq!(bodies, [json!([event("A", 1), event("A", 3)]), json!([event("B", 2)])]);
    let empty = cluster.post("/pipeline-groups/g/inject-batch", json!({"events_text": ""})).await;
    assert_eq!((empty.status, &empty.body["events_sent"]), (200, &json!(0)));
    cluster.call("DELETE", "/workers/w", None).await;
    let gone = cluster.post("/pipeline-groups/g/inject-batch", json!({"events_text": text})).await;
    assert_eq!((gone.status, &gone.body["code"]), (502, &json!("routing_failed")));
}
