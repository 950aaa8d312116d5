//! Groups: deploying, deploying again, changing, removing.

use super::*;
use serde_json::json;

#[tokio::test]
async fn a_group_is_deployed_and_shown() {
    let cluster = Cluster::with_workers(2);
    cluster.post("/connectors", broker()).await;
    let made = cluster.post("/pipeline-groups", group("g")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let expected = json!({
        "pipeline_name": "p", "worker_id": "worker-1", "worker_address": "http://worker-1:9000",
        "pipeline_id": made.body["placements"][0]["pipeline_id"], "status": "running", "epoch": 1,
    });
    assert_eq!(made.body["placements"], json!([expected]));
    assert_eq!((made.body["status"].as_str(), made.body["pipeline_count"].as_u64()), (Some("running"), Some(1)));
    assert_eq!(made.body["sources"], json!({"p": PROGRAM}));
    let id = made.body["id"].as_str().expect("it has an id");
    assert_eq!(cluster.get(&format!("/pipeline-groups/{id}")).await.body, made.body);
    assert_eq!(cluster.get("/pipeline-groups/g").await.body, made.body, "its name will do");
    assert_eq!(cluster.get("/pipeline-groups").await.body["pipeline_groups"], json!([made.body]));
    assert!(!made.text.contains("hush-hush"));
}

#[tokio::test]
async fn a_pipeline_never_runs_twice() {
    let cluster = Cluster::with_workers(2);
    let id = cluster.deploy("g").await;
    let again = cluster.post("/pipeline-groups", group("g")).await;
    assert_eq!((again.status, again.body["id"].as_str()), (200, Some(&*id)));
    assert_eq!(cluster.state().pipelines_in_order().len(), 1);
    let mut other = group("g");
    other["pipelines"][0]["source"] = json!(PROGRAM.replace("50.0", "60.0"));
    let refused = cluster.post("/pipeline-groups", other.clone()).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("already_exists")));
    let replaced = cluster.post("/pipeline-groups?replace=true", other.clone()).await;
    assert_eq!((replaced.status, replaced.body["id"].as_str()), (200, Some(&*id)), "{replaced:?}");
    assert_eq!(replaced.body["placements"][0]["epoch"], 2);
    other["pipelines"][0]["source"] = json!(PROGRAM.replace("50.0", "70.0"));
    assert_eq!(cluster.call("PUT", &format!("/pipeline-groups/{id}"), Some(other.clone())).await.status, 200);
    assert_eq!(cluster.state().pipelines_in_order().len(), 1);
    other["name"] = json!("h");
    assert_eq!(cluster.call("PUT", &format!("/pipeline-groups/{id}"), Some(other)).await.status, 400);
    let unknown = cluster.call("PUT", "/pipeline-groups/nobody", Some(group("nobody"))).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("group_not_found")));
}

#[tokio::test]
async fn without_a_worker_nothing_is_stored() {
    let cluster = Cluster::with_workers(0);
    cluster.post("/connectors", broker()).await;
    let refused = cluster.post("/pipeline-groups", group("g")).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("no_workers_available")));
    assert!(refused.headers.contains_key("retry-after") && cluster.state().groups.is_empty());
    // One that does not speak our protocol cannot run anything.
    let body = json!({"worker_id": "w", "address": "http://w:1", "capacity": {"cpu_cores": 1, "max_pipelines": 9}});
    assert_eq!(cluster.post("/workers/register", body).await.status, 201);
    assert_eq!(cluster.post("/pipeline-groups", group("g")).await.status, 503);
    let stored = cluster.post("/pipeline-groups?wait_for_workers=true", group("g")).await;
    assert_eq!((stored.status, stored.body["status"].as_str()), (201, Some("degraded")), "{stored:?}");
    assert_eq!(stored.body["placements"][0]["worker_id"], "");
}

#[tokio::test]
async fn everything_that_is_wrong_with_all_programs_is_said() {
    let cluster = Cluster::with_workers(1);
    cluster.post("/connectors", broker()).await;
    let wrong = PROGRAM.replace("temperature > ", "temprature > ");
    let unknown = PROGRAM.replace("mqtt_1", "mqtt_9");
    let pipelines = [("a", wrong.as_str()), ("b", PROGRAM), ("c", unknown.as_str())];
    let pipelines = pipelines.map(|(name, source)| json!({"name": name, "source": source}));
    let answer = cluster.post("/pipeline-groups", json!({"name": "g", "pipelines": pipelines})).await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("compile_error")));
    let diagnostics = answer.body["diagnostics"].as_array().expect("there are some");
    let errors = diagnostics.iter().filter(|it| it["severity"] == "error");
    let found: Vec<_> = errors.map(|it| (it["pipeline"].as_str(), it["line"].as_u64(), it["code"].as_str())).collect();
    let expected =
        [(Some("a"), Some(7), Some("E0206")), (Some("c"), Some(5), Some("E0204")), (Some("c"), Some(9), Some("E0204"))];
    assert_eq!(found, expected);
    assert!(diagnostics.iter().all(|it| it["column"].is_u64() && it["message"].is_string()));
    assert!(diagnostics[0]["hint"].as_str().is_some_and(|hint| hint.contains("temperature")), "{}", diagnostics[0]);
    assert!(answer.body["error"].as_str().is_some_and(|it| it.starts_with("3 errors in the programs: a:7:")));
    assert!(cluster.state().groups.is_empty());
}

#[tokio::test]
async fn replicas_of_what_keeps_state_need_a_key() {
    let cluster = Cluster::with_workers(2);
    cluster.post("/connectors", broker()).await;
    let source = PROGRAM.replace(".where(temperature > 50.0)", ".distinct(sensor_id)");
    let mut spec = json!({"name": "g", "pipelines": [{"name": "p", "source": source, "replicas": 2}]});
    let refused = cluster.post("/pipeline-groups", spec.clone()).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("partition_key"), "{}", refused.text);
    spec["pipelines"][0]["partition_key"] = json!("sensor_id");
    let made = cluster.post("/pipeline-groups", spec).await;
    assert_eq!(made.status, 201, "{made:?}");
    let placements = made.body["placements"].as_array().expect("there are some");
    let names: Vec<_> = placements.iter().map(|it| it["pipeline_name"].as_str()).collect();
    assert_eq!(names, [Some("p#0"), Some("p#1")]);
}

#[tokio::test(start_paused = true)]
async fn placements_are_waited_for() {
    let cluster = Cluster::with_workers(1);
    cluster.post("/connectors", broker()).await;
    cluster.stubborn();
    let fake = cluster.fake.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        fake.run_all();
    });
    let start = Instant::now();
    let made = cluster.post("/pipeline-groups", group("g")).await;
    assert_eq!((made.status, made.body["status"].as_str()), (201, Some("running")));
    assert_eq!(start.elapsed().as_secs(), 3);
    let late = cluster.post("/pipeline-groups", group("h")).await;
    assert_eq!((late.status, late.body["status"].as_str()), (201, Some("deploying")));
    assert_eq!(start.elapsed().as_secs(), 8);
}

#[tokio::test]
async fn wrong_specs_are_refused_by_name() {
    let cluster = Cluster::with_workers(1);
    let spec = |change: fn(&mut Value)| {
        let mut spec = group("g");
        change(&mut spec);
        spec
    };
    for (body, status, expected) in [
        (spec(|it| it["name"] = json!("a b")), 400, "other characters"),
        (spec(|it| it["name"] = json!(7)), 400, "invalid type"),
        (spec(|it| it["pipelines"] = json!([])), 400, "no pipelines"),
        (spec(|it| it["pipelines"] = json!("p")), 400, "invalid type"),
        (spec(|it| it["pipelines"][0]["replicas"] = json!(65)), 400, "from 1 to 64"),
        (spec(|it| it["pipelines"][0]["replicas"] = json!(-1)), 400, "invalid value"),
        (spec(|it| it["routes"] = json!([{"from_pipeline": "p", "to_pipeline": "q"}])), 400, "pipeline q"),
        (spec(|it| it["pipelines"][0]["source"] = json!("x".repeat(2 << 20))), 413, "1048576 bytes"),
    ] {
        let answer = cluster.post("/pipeline-groups", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text.contains(expected), "{} lacks {expected}", answer.text);
    }
    assert!(cluster.state().groups.is_empty());
}

#[tokio::test]
async fn a_group_is_torn_down() {
    let cluster = Cluster::with_workers(1);
    let id = cluster.deploy("g").await;
    let path = format!("/pipeline-groups/{id}");
    assert_eq!(cluster.call("DELETE", &path, None).await.body, json!({"torn_down": true}));
    assert!(cluster.state().groups.is_empty());
    for method in ["GET", "DELETE"] {
        let gone = cluster.call(method, &path, None).await;
        assert_eq!((gone.status, &gone.body["code"]), (404, &json!("group_not_found")), "{method}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_in_the_order_of_deployment() {
    let cluster = Cluster::with_workers(1);
    for name in ["c", "a", "b"] {
        cluster.deploy(name).await;
    }
    let page = cluster.get("/pipeline-groups?limit=2&offset=1").await.body;
    let names: Vec<_> = page["pipeline_groups"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(page["pagination"], json!({"total": 3, "limit": 2, "offset": 1, "has_more": false}));
    for wrong in ["limit=1001", "limit=0", "limit=x", "offset=-1"] {
        let answer = cluster.get(&format!("/pipeline-groups?{wrong}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad_request")), "{wrong}");
    }
}
