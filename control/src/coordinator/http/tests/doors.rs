//! What every request passes: shapes of errors, keys, limits, origins.

use super::*;
use serde_json::json;

/// Every error has the one shape.
#[track_caller]
fn shaped(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let (error, code) = (&answer.body["error"], &answer.body["code"]);
    assert!(error.as_str().is_some_and(|it| !it.is_empty()) && code.is_string(), "{what}: {}", answer.text);
}

#[tokio::test]
async fn every_error_has_the_same_shape() {
    let cluster = Cluster::with_workers(0);
    for (method, path, status) in [
        ("GET", "//", 404),
        ("GET", "//nothing/here", 404),
        ("GET", "/nothing", 404),
        ("POST", "/topology", 405),
        ("PATCH", "/connectors", 405),
        ("POST", "//health", 405),
        ("GET", "/connectors/%FF", 400),
        ("GET", "/workers?limit=%FF", 400),
        ("POST", "/models", 501),
        ("GET", "/pipeline-groups/g/dlq", 501),
        ("POST", "/rescale", 501),
        ("POST", "/pipeline/generate", 501),
        ("GET", "//auth/login", 501),
        ("GET", "//api/v1/playground/run", 501),
        ("POST", "//raft/write", 501),
    ] {
        shaped(&cluster.call(method, path, None).await, status, &format!("{method} {path}"));
    }
}

#[tokio::test]
async fn bodies_that_are_none_are_refused() {
    let cluster = Cluster::with_workers(1);
    let send = |content_type: Option<&'static str>, body: Vec<u8>| {
        let mut request = Request::post(format!("{BASE}/connectors"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        cluster.send(request.body(Body::from(body)).expect("it is possible"))
    };
    let json_type = Some("application/json");
    for (content_type, body, status) in [
        (None, b"{}".to_vec(), 415),
        (Some("text/plain"), b"{}".to_vec(), 415),
        (json_type, vec![], 400),
        (json_type, b"{".to_vec(), 400),
        (json_type, b"[]".to_vec(), 400),
        (json_type, b"\xff\xfe".to_vec(), 400),
        (json_type, b"{\"name\": \"a\", \"connector_type\": null}".to_vec(), 400),
        (json_type, "[".repeat(100_000).into_bytes(), 400),
        (json_type, vec![b' '; 1 << 20], 400),
        (json_type, vec![b' '; (1 << 20) + 1], 413),
        (Some("application/json; charset=utf-8"), broker().to_string().into_bytes(), 201),
    ] {
        let answer = send(content_type, body).await;
        if status == 201 {
            assert_eq!(answer.status, 201, "{answer:?}");
        } else {
            shaped(&answer, status, &format!("{content_type:?}"));
        }
        assert!(status != 413 || answer.text.contains("1048576 bytes"), "{}", answer.text);
    }
    // The length is not announced.
    let pieces = [(); 3].map(|()| Ok::<_, std::io::Error>(vec![b' '; 1 << 19]));
    let pieces = futures_util::stream::iter(pieces);
    let request = Request::post(format!("{BASE}/connectors")).header("content-type", "application/json");
    shaped(&cluster.send(request.body(Body::from_stream(pieces)).expect("it is possible")).await, 413, "a stream");
}

#[tokio::test]
async fn garbage_is_refused_everywhere() {
    let cluster = Cluster::with_workers(1);
    let group = cluster.deploy("g").await;
    for path in [
        "/workers/register",
        "/workers/worker-1/heartbeat",
        "/workers/nobody/drain",
        "/pipeline-groups",
        "/connectors",
        "/validate",
        "/pipeline/graph",
        &format!("/pipelines/{group}/p/migrate"),
        &format!("/pipeline-groups/{group}/inject"),
    ] {
        for garbage in ["\u{0}", "nul", "{]", "[[[[", "{\"a\":1e999}", "\"text\"", "{\"name\":{\"name\":{}}}", "[1]"] {
            let request = Request::post(format!("{BASE}{path}")).header("content-type", "application/json");
            let answer = cluster.send(request.body(Body::from(garbage)).expect("it is possible")).await;
            // All fields of these may be missing.
            let may_pass = path.ends_with("heartbeat") || path.ends_with("drain");
            let may_pass = may_pass && ["{\"a\":1e999}", "{\"name\":{\"name\":{}}}", "[1]"].contains(&garbage);
            if !may_pass {
                shaped(&answer, 400, &format!("{path} with {garbage}"));
            }
        }
    }
}

fn keyed(method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> Request<Body> {
    let mut request = request(method, path, body);
    if let Some(key) = key {
        request.headers_mut().insert("x-api-key", key.parse().expect("it is a value"));
    }
    request
}

#[tokio::test]
async fn keys_open_what_their_role_may() {
    let file = r#"{"keys":[{"key":"v","role":"viewer"},{"key":"o","role":"operator"}]}"#;
    let keys = Keys::none().with_admin("a").with_json(file).expect("it is right");
    let cluster = Cluster::new(1, |rest| rest.keys = keys);
    for (method, path, body, [none, viewer, operator, admin]) in [
        ("GET", "//health", None, [200, 200, 200, 200]),
        ("GET", "//metrics", None, [200, 200, 200, 200]),
        ("GET", "/workers", None, [401, 200, 200, 200]),
        ("POST", "/validate", Some(json!({"source": ""})), [401, 200, 200, 200]),
        ("POST", "/connectors", Some(broker()), [401, 403, 201, 200]),
        ("DELETE", "/connectors/mqtt_1", None, [401, 403, 403, 200]),
        ("GET", "/nothing", None, [401, 404, 404, 404]),
    ] {
        for (key, status) in
            [(None, none), (Some("wrong"), none), (Some("v"), viewer), (Some("o"), operator), (Some("a"), admin)]
        {
            let answer = cluster.send(keyed(method, path, key, body.clone())).await;
            assert_eq!(answer.status, status, "{method} {path} with {key:?}");
            if [401, 403].contains(&status) {
                shaped(&answer, status, path);
                assert_eq!(answer.body["code"], status.to_string());
            }
        }
    }
    let mut bearer = request("GET", "/workers", None);
    bearer.headers_mut().insert("authorization", "Bearer a".parse().expect("it is a value"));
    assert_eq!(cluster.send(bearer).await.status, 401, "a key counts in its own header alone");
}

#[tokio::test(start_paused = true)]
async fn changes_come_at_a_rate() {
    let cluster = Cluster::new(1, |rest| rest.rate = RateLimit::new(1));
    let from = |peer: &str| {
        let mut request = request("POST", "/validate", Some(json!({"source": ""})));
        request.extensions_mut().insert(crate::coordinator::server::Peer::new(peer));
        request
    };
    for status in [200, 200, 429] {
        assert_eq!(cluster.send(from("10.0.0.1:1000")).await.status, status);
    }
    let limited = cluster.send(from("10.0.0.1:2000")).await;
    shaped(&limited, 429, "the port is of no account");
    assert_eq!((&limited.body["code"], &limited.body["retry_after_seconds"]), (&json!("rate_limited"), &json!(1)));
    assert_eq!(limited.headers["retry-after"], "1");
    assert_eq!(cluster.send(from("10.0.0.2:1000")).await.status, 200);
    assert_eq!(cluster.get("/workers").await.status, 200, "looking is free");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.send(from("10.0.0.1:1000")).await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_unless_they_are_named() {
    let from = |method: &str, origin: &str| {
        let mut request = request(method, "/workers", None);
        request.headers_mut().insert("origin", origin.parse().expect("it is a value"));
        if method == "OPTIONS" {
            request.headers_mut().insert("access-control-request-method", "GET".parse().expect("it is a value"));
        }
        request
    };
    for (allowed, origin, expected) in [
        (vec![], "http://a", None),
        (vec!["http://a".to_owned()], "http://a", Some("http://a")),
        (vec!["http://a".to_owned()], "http://b", None),
        (vec!["*".to_owned()], "http://b", Some("*")),
    ] {
        let keys = Keys::none().with_admin("a");
        let cluster = Cluster::new(0, |rest| (rest.cors_origins, rest.keys) = (allowed.clone(), keys));
        let answer = cluster.send(from("GET", origin)).await;
        assert_eq!(answer.status, 401);
        let header = answer.headers.get("access-control-allow-origin").and_then(|it| it.to_str().ok());
        assert_eq!(header, expected, "{allowed:?} {origin}");
        let preflight = cluster.send(from("OPTIONS", origin)).await;
        assert_eq!(preflight.status, if expected.is_some() { 204 } else { 405 }, "{allowed:?} {origin}");
    }
}

#[tokio::test]
async fn who_wants_the_leader_itself_is_told_where_it_is() {
    let cluster = Cluster::with_workers(0);
    let direct = || {
        let mut request = request("GET", "/workers", None);
        request.headers_mut().insert("x-rarog-no-forward", "1".parse().expect("it is a value"));
        request
    };
    assert_eq!(cluster.send(direct()).await.status, 200);
    let leader = Leadership { leader: Some(2), url: Some("http://c2:9100".into()), ..Leadership::default() };
    cluster.fake.leading.send_replace(leader);
    let answer = cluster.send(direct()).await;
    shaped(&answer, 421, "a follower");
    assert_eq!(answer.body["code"], "not_leader");
    assert!(answer.text.contains("http://c2:9100"), "{}", answer.text);
    assert_eq!(cluster.get("/workers").await.status, 200);
}
