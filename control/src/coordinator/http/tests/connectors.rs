//! Connectors: what is stored, what is refused, what is shown.

use super::*;
use serde_json::json;

#[tokio::test]
async fn the_same_again_changes_nothing() {
    let cluster = Cluster::with_workers(0);
    let first = cluster.post("/connectors", broker()).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["params"], json!({"host": "broker", "port": "1883", "password": "***"}));
    assert_eq!(cluster.post("/connectors", broker()).await.status, 200);
    let mut other = broker();
    other["params"]["host"] = json!("elsewhere");
    let refused = cluster.post("/connectors", other.clone()).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("already_exists")));
    assert_eq!(cluster.get("/connectors/mqtt_1").await.body["params"]["host"], "broker");
    assert_eq!(cluster.call("PUT", "/connectors/mqtt_1", Some(other)).await.status, 200);
    let stored = cluster.state().connectors["mqtt_1"].clone();
    assert_eq!((stored.spec.params["host"].as_str(), stored.revision), ("elsewhere", 2));
}

#[tokio::test]
async fn hidden_secrets_that_come_back_are_kept() {
    let cluster = Cluster::with_workers(0);
    cluster.post("/connectors", broker()).await;
    let mut shown = cluster.get("/connectors/mqtt_1").await.body;
    shown["params"]["port"] = json!("1884");
    assert_eq!(cluster.call("PUT", "/connectors/mqtt_1", Some(shown)).await.status, 200);
    let params = &cluster.state().connectors["mqtt_1"].spec.params;
    assert_eq!((params["password"].as_str(), params["port"].as_str()), ("hush-hush", "1884"));
}

#[tokio::test]
async fn wrong_ones_are_refused_before_anything_is_stored() {
    let cluster = Cluster::with_workers(0);
    let with = |name: &str, kind: &str, params: Value| json!({"name": name, "connector_type": kind, "params": params});
    let host = || json!({"host": "h"});
    for (body, expected) in [
        (with("1a", "mqtt", host()), "a letter or _"),
        (with("", "mqtt", host()), "a letter or _"),
        (with("a-b", "mqtt", host()), "a letter or _"),
        (with(&"a".repeat(129), "mqtt", host()), "the limit is 128"),
        (with("a", "mqtt", json!({})), "mqtt needs host"),
        (with("a", "mqtt", json!({"host": "h", "port": "many"})), "port takes a positive integer"),
        (with("a", "mqtt", json!({"host": "h".repeat(4097)})), "the limit is 4096"),
        (with("a", "kafka", json!({"brokers": "b"})), "kafka is not supported yet"),
        (with("a", "mqtt", json!({"host": "h", "hosst": "h"})), "no parameter hosst"),
    ] {
        let answer = cluster.post("/connectors", body.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("connector_validation")), "{body}: {answer:?}");
        assert!(answer.text.contains(expected), "{} lacks {expected}", answer.text);
    }
    let number = json!({"name": "a", "connector_type": "mqtt", "params": {"host": "h", "port": 1883}});
    assert_eq!(cluster.post("/connectors", number).await.status, 400, "parameters are texts");
    assert!(cluster.state().connectors.is_empty());
}

#[tokio::test]
async fn they_are_listed_and_removed() {
    let cluster = Cluster::with_workers(1);
    let id = cluster.deploy("g").await;
    let list = cluster.get("/connectors?limit=1").await.body;
    assert_eq!((&list["total"], list["connectors"][0]["name"].as_str()), (&json!(1), Some("mqtt_1")));
    let used = cluster.call("DELETE", "/connectors/mqtt_1", None).await;
    assert_eq!((used.status, &used.body["code"]), (409, &json!("in_use")));
    assert!(used.text.contains("used by g"), "{}", used.text);
    cluster.call("DELETE", &format!("/pipeline-groups/{id}"), None).await;
    assert_eq!(cluster.call("DELETE", "/connectors/mqtt_1", None).await.body, json!({"deleted": true}));
    for (method, body) in [("GET", None), ("DELETE", None), ("PUT", Some(broker()))] {
        let gone = cluster.call(method, "/connectors/mqtt_1", body).await;
        assert_eq!((gone.status, &gone.body["code"]), (404, &json!("connector_not_found")), "{method}");
    }
}
