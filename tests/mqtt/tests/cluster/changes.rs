//! What people change while a cluster runs: deployments at the same time, moves, numbers of replicas, workers that join.

use crate::scene::{name, running, under_load};
use crate::{PATIENCE, assert_exact};
use rarog_mqtt_tests::cluster::{Cluster, Layout, group_of, wait_until};
use rarog_mqtt_tests::rest::Rest;
use rarog_mqtt_tests::sums::{self, expected, reading, windows};
use rarog_mqtt_tests::{Observer, Publisher};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn one_group_that_is_deployed_everywhere_at_once_is_one() {
    let (cluster, mut load) = running(&Layout::raft(3, &[0, 1]), &[1]);
    for n in 2..=4 {
        assert_eq!(cluster.register_connector(n % 3, n).status, 201);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let cluster = &cluster;
            let deploys: Vec<_> = (0..6).map(|at| scope.spawn(move || cluster.deploy(at % 3, n))).collect();
            deploys.into_iter().map(|deploy| deploy.join().expect("each of them is answered")).collect()
        });
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
        cluster.wait_placed(0, &name(n), "", PATIENCE);
    }
    let list = cluster.coordinator(1).get("/api/v1/cluster/pipeline-groups").expect("it answers").json();
    assert_eq!(list["total"], 4, "{list}");
    load.publish(400, &[1, 2, 3, 4]);
    assert_eq!(assert_exact(&load, "deployed at once").repeated, 0, "nothing runs twice");
}

#[test]
fn windows_are_right_although_their_pipeline_moves_and_its_worker_drains() {
    const COUNT: u64 = 12_000;
    let cluster = Cluster::start(&Layout::raft(1, &[0, 0, 0]));
    cluster.wait_for_leader_or_alone();
    cluster.wait_for_workers(0, 3, PATIENCE);
    assert_eq!(cluster.register_connector(0, 1).status, 201);
    let observer = Observer::subscribe(&cluster.broker.uri(), "judge", "sums", 1);
    let source = sums::program("mqtt_1", "in", "sums");
    let spec = json!({"name": "sums", "pipelines": [{"name": "sums", "source": source}]});
    let rest = cluster.coordinator(0);
    let answer = rest.post("/api/v1/cluster/pipeline-groups", &spec).expect("it answers");
    assert_eq!(answer.status, 201, "{answer}");
    let (mut worker, _) = cluster.wait_placed(0, "sums", "", PATIENCE);
    let uri = cluster.broker.uri();
    let load = std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        // One more that closes the last window of the others.
        publisher.publish_paced("in", 1, 3000.0, (0..=COUNT).map(reading));
        publisher.finish()
    });
    let id = cluster.group_id(0, "sums").expect("the group is listed");
    let others = |worker: &str| cluster.workers.iter().map(|other| other.name.clone()).find(|other| other != worker);
    for _ in 0..3 {
        let target = others(&worker).expect("there are three");
        let path = format!("/api/v1/cluster/pipelines/{id}/sums/migrate");
        let answer = rest.post(&path, &json!({"target_worker_id": target})).expect("it answers");
        assert_eq!(answer.status, 202, "{answer}");
        let (now, took) = cluster.wait_placed(0, "sums", &worker, PATIENCE);
        println!("moved to {now} in {took:?}");
        worker = now;
    }
    let answer = rest.post(&format!("/api/v1/cluster/workers/{worker}/drain"), &json!({})).expect("it answers");
    assert_eq!((answer.status, &answer.json()["pipelines_migrated"]), (200, &json!(1)), "{answer}");
    cluster.wait_placed(0, "sums", &worker, PATIENCE);
    assert_eq!(load.join().expect("the load is published"), 0);
    let wanted = expected(COUNT);
    let all = observer.wait_until(PATIENCE, |seen| seen.len() >= wanted.len() && windows(seen).0.len() >= wanted.len());
    let (got, repeats) = windows(&observer.seen());
    assert!(all, "{} of {} windows", got.len(), wanted.len());
    assert_eq!((got, repeats), (wanted, 0));
}

#[test]
fn more_replicas_and_fewer_lose_nothing() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0, 0]), &inputs);
    let id = cluster.group_id(0, "group_1").expect("the group is listed");
    let replicas = |n: u64| {
        let mut spec = group_of(1);
        spec["pipelines"][0]["replicas"] = json!(n);
        spec["pipelines"][0]["partition_key"] = json!("sensor_id");
        spec
    };
    let put = |cluster: &mut Cluster, n: u64| {
        let answer = cluster.coordinator(0).put(&format!("/api/v1/cluster/pipeline-groups/{id}"), &replicas(n));
        let answer = answer.expect("it answers");
        assert_eq!(answer.status, 200, "{answer}");
        wait_until(&format!("{n} replicas run"), PATIENCE, || (entries(cluster).len() == n as usize).then_some(()));
    };
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(7),
        &mut cluster,
        |cluster| put(cluster, 3),
        |cluster| put(cluster, 1),
    );
    let tally = load.account();
    println!("1, 3, 1 replicas: {tally:?}");
    // A new incarnation may read again what the old one has not acknowledged; it has ids of its own.
    assert_eq!((tally.lost, tally.invented), (0, 0), "{tally:?}");
}

/// Instances that run.
fn entries(cluster: &Cluster) -> Vec<Value> {
    let topology = cluster.coordinator(0).get("/api/v1/cluster/topology").expect("it answers").json();
    let groups = topology["groups"].as_array().cloned().unwrap_or_default();
    let pipelines = groups.iter().filter_map(|group| group["pipelines"].as_array()).flatten();
    pipelines.filter(|entry| entry["status"] == "running").cloned().collect()
}

#[test]
fn a_pipeline_whose_broker_is_away_is_degraded_until_it_is_back() {
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0]), &[1]);
    cluster.broker.stop();
    let (entry, _) = wait_until("it is degraded", PATIENCE, || {
        let topology = cluster.coordinator(0).get("/api/v1/cluster/topology").ok()?.json();
        let entry = topology["groups"][0]["pipelines"][0].clone();
        (entry["status"] == "degraded").then_some(entry)
    });
    assert!(entry.to_string().contains("mqtt_1"), "the reason is named: {entry}");
    let metrics = Rest::at(cluster.workers[0].port).get("/metrics").expect("it answers").body;
    let is_its = |line: &&str| line.starts_with("varpulis_connector_health{") && line.contains("mqtt_1");
    let health: Vec<&str> = metrics.lines().filter(is_its).collect();
    assert!(!health.is_empty() && health.iter().all(|line| line.ends_with(" 0")), "{health:?}");
    cluster.broker.launch();
    cluster.wait_placed(0, &name(1), "", PATIENCE);
    load.publish(200, &[1]);
    assert_exact(&load, "the broker is back");
}

#[test]
fn a_worker_that_joins_gets_its_share_and_nothing_is_lost() {
    let inputs = [1, 2, 3, 4];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    let joining = cluster.workers[1].name.clone();
    cluster.workers[1].kill();
    cluster.wait_for_workers(0, 1, PATIENCE);
    for n in inputs {
        cluster.wait_placed(0, &name(n), &joining, PATIENCE);
    }
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(6),
        &mut cluster,
        |cluster| cluster.workers[1].launch(),
        |cluster| {
            let share = || {
                let at = |n: &usize| cluster.place(0, &name(*n)).is_some_and(|(worker, _)| worker == joining);
                (inputs.iter().filter(|n| at(n)).count() == 2).then_some(())
            };
            wait_until("two of four run on the worker that joined", PATIENCE, share);
        },
    );
    assert_exact(&load, "a worker joined");
}
