//! One fault each: what has to hold during it and after it.

use crate::scene::{name, running, under_load};
use crate::{PATIENCE, assert_exact};
use rarog_mqtt_tests::cluster::{Layout, wait_until};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_worker_that_dies_under_load_loses_nothing_and_its_successor_may_die_too() {
    let inputs = [1, 2];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0, 0]), &inputs);
    let (first, _) = cluster.place(0, &name(1)).expect("it is placed");
    let first = cluster.worker(&first);
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(8),
        &mut cluster,
        |cluster| cluster.workers[first].kill(),
        |cluster| {
            let (second, _) = cluster.wait_placed(0, &name(1), &cluster.workers[first].name.clone(), PATIENCE);
            let second = cluster.worker(&second);
            cluster.workers[second].kill();
        },
    );
    assert_exact(&load, "two deaths");
}

#[test]
fn a_worker_that_hangs_is_replaced_and_does_not_speak_when_it_wakes() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    let (first, _) = cluster.place(0, &name(1)).expect("it is placed");
    let first = cluster.worker(&first);
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(7),
        &mut cluster,
        |cluster| cluster.workers[first].pause(),
        |cluster| {
            cluster.workers[first].resume();
        },
    );
    let (worker, _) = cluster.wait_placed(0, &name(1), &cluster.workers[first].name.clone(), PATIENCE);
    assert_exact(&load, "a hung worker");
    let again = cluster.workers[first].name.clone();
    wait_until("the hung worker is healthy again", PATIENCE, || {
        (cluster.worker_status(0, &again)? == "ready").then_some(())
    });
    // It has let go: what it would do now, the other one does.
    assert_eq!(cluster.place(0, &name(1)).map(|(worker, _)| worker), Some(worker));
    load.publish(200, &inputs);
    assert_exact(&load, "after it woke");
}

#[test]
fn all_coordinators_may_restart_and_nothing_is_deployed_again() {
    let inputs = [1, 2, 3];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1, 2]), &inputs);
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(8),
        &mut cluster,
        |cluster| {
            cluster.coordinators.iter_mut().for_each(|coordinator| coordinator.kill());
        },
        |cluster| cluster.coordinators.iter_mut().for_each(|coordinator| coordinator.launch()),
    );
    cluster.wait_for_leader(PATIENCE);
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 3, PATIENCE);
    }
    let tally = assert_exact(&load, "all coordinators restarted");
    assert_eq!(tally.repeated, 0, "nobody had to take over: {tally:?}");
    for n in inputs {
        assert_eq!(cluster.place(0, &name(n)), Some((format!("worker-{n}"), "running".into())));
    }
}

#[test]
fn everything_may_restart_at_once() {
    let inputs = [1, 2];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1]), &inputs);
    cluster.coordinators.iter_mut().for_each(|coordinator| coordinator.kill());
    cluster.workers.iter_mut().for_each(|worker| worker.kill());
    load.publish(200, &inputs);
    cluster.coordinators.iter_mut().for_each(|coordinator| coordinator.launch());
    cluster.workers.iter_mut().for_each(|worker| worker.launch());
    assert_exact(&load, "cold restart");
    load.publish(200, &inputs);
    assert_exact(&load, "after the cold restart");
}

#[test]
fn a_worker_whose_home_dies_with_it_is_replaced() {
    let inputs = [1, 2, 3];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1, 2]), &inputs);
    let leader = cluster.wait_for_leader(PATIENCE);
    let follower = (0..3).find(|index| *index != leader).expect("there are three");
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(8),
        &mut cluster,
        |cluster| {
            cluster.coordinators[follower].kill();
            cluster.workers[follower].kill();
        },
        |_| {},
    );
    let (worker, _) = cluster.wait_placed(leader, &name(follower + 1), &format!("worker-{}", follower + 1), PATIENCE);
    println!("moved to {worker}");
    assert_exact(&load, "a follower and its worker died");
}

#[test]
fn a_paused_leader_is_replaced_and_does_no_harm_when_it_wakes() {
    let inputs = [1, 2, 3];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1, 2]), &inputs);
    let leader = cluster.wait_for_leader(PATIENCE);
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(9),
        &mut cluster,
        |cluster| cluster.coordinators[leader].pause(),
        |cluster| {
            cluster.coordinators[leader].resume();
        },
    );
    assert_exact(&load, "a paused leader");
    cluster.wait_for_leader(PATIENCE);
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 3, PATIENCE);
    }
}

#[test]
fn a_coordinator_with_an_empty_disk_is_taken_back() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1, 2]), &inputs);
    let leader = cluster.wait_for_leader(PATIENCE);
    let wiped = (0..3).find(|index| *index != leader).expect("there are three");
    cluster.coordinators[wiped].kill();
    cluster.coordinators[wiped].wipe();
    cluster.coordinators[wiped].launch();
    let knows = || {
        let metrics = cluster.coordinator(wiped).get("/raft/metrics").ok()?.json();
        (metrics["state"].as_str()?.contains("Follower") && cluster.place(wiped, &name(1)).is_some()).then_some(())
    };
    wait_until("the wiped coordinator is a voter again and knows all", PATIENCE, knows);
    load.publish(200, &inputs);
    assert_exact(&load, "a wiped coordinator");
}

#[test]
fn a_broker_that_restarts_loses_nothing() {
    let inputs = [1, 2];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(7),
        &mut cluster,
        |cluster| cluster.broker.stop(),
        |cluster| cluster.broker.launch(),
    );
    assert_exact(&load, "the broker restarted");
}

#[test]
fn a_worker_that_is_started_twice_is_superseded() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0]), &inputs);
    let mut twin = cluster.twin_of(0);
    let code = cluster.workers[0].wait(PATIENCE);
    assert_eq!(code, Some(4), "{}", cluster.workers[0].log());
    load.publish(200, &inputs);
    assert_exact(&load, "superseded");
    twin.kill();
}

#[test]
fn deleting_a_group_stops_it_also_after_a_failover_and_removes_its_sessions() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    let (first, _) = cluster.place(0, &name(1)).expect("it is placed");
    let first_index = cluster.worker(&first);
    cluster.workers[first_index].kill();
    cluster.wait_placed(0, &name(1), &first, PATIENCE);
    let id = cluster.group_id(0, "group_1").expect("the group is listed");
    let answer = cluster.coordinator(0).delete(&format!("/api/v1/cluster/pipeline-groups/{id}")).expect("it answers");
    assert_eq!((answer.status, &answer.json()["torn_down"]), (200, &json!(true)), "{answer}");
    cluster.workers[first_index].launch();
    cluster.wait_for_workers(0, 2, PATIENCE);
    let before = load.observer().count();
    wait_until("no pipeline runs anywhere", PATIENCE, || {
        let list = cluster.coordinator(0).get("/api/v1/cluster/workers").ok()?.json();
        list["workers"].as_array()?.iter().all(|worker| worker["pipelines_running"] == 0).then_some(())
    });
    load.publish_unread(100, &inputs);
    load.settle(Duration::from_secs(1));
    assert_eq!(load.observer().count(), before, "nothing comes out of a deleted pipeline");
}

#[test]
fn an_upgrade_to_another_topic_reads_the_new_one_and_not_the_old_one() {
    let inputs = [1];
    let (cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    let mut spec = rarog_mqtt_tests::cluster::group_of(1);
    let source =
        spec["pipelines"][0]["source"].as_str().expect("it has a source").replace("e2e/input/1", "e2e/input/7");
    spec["pipelines"][0]["source"] = source.into();
    let refused = cluster.coordinator(0).post("/api/v1/cluster/pipeline-groups", &spec).expect("it answers");
    assert_eq!(refused.status, 409, "{refused}");
    let id = cluster.group_id(0, "group_1").expect("the group is listed");
    let answer =
        cluster.coordinator(0).put(&format!("/api/v1/cluster/pipeline-groups/{id}"), &spec).expect("it answers");
    assert_eq!(answer.status, 200, "{answer}");
    cluster.wait_placed(0, &name(1), "", PATIENCE);
    load.publish(200, &[7]);
    assert_exact(&load, "the new topic");
    let before = load.observer().count();
    load.publish_unread(100, &[1]);
    load.settle(Duration::from_secs(1));
    assert_eq!(load.observer().count(), before, "the old topic is not read any more");
}

#[test]
fn two_pipelines_share_a_connector_and_two_groups_the_names_of_their_pipelines() {
    let (cluster, mut load) = running(&Layout::raft(1, &[0]), &[1]);
    let mut spec = rarog_mqtt_tests::cluster::group_of(1);
    spec["name"] = "another".into();
    let source =
        spec["pipelines"][0]["source"].as_str().expect("it has a source").replace("e2e/input/1", "e2e/input/2");
    spec["pipelines"][0]["source"] = source.into();
    let answer = cluster.coordinator(0).post("/api/v1/cluster/pipeline-groups", &spec).expect("it answers");
    assert_eq!((answer.status, &answer.json()["status"]), (201, &json!("running")), "{answer}");
    load.publish(500, &[1, 2]);
    let tally = assert_exact(&load, "shared names");
    assert_eq!(tally.repeated, 0, "{tally:?}");
}

#[test]
fn a_planned_move_loses_and_repeats_nothing() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(1, &[0, 0]), &inputs);
    let (first, _) = cluster.place(0, &name(1)).expect("it is placed");
    let target = if first == "worker-1" { "worker-2" } else { "worker-1" };
    let id = cluster.group_id(0, "group_1").expect("the group is listed");
    under_load(
        &mut load,
        &inputs,
        Duration::from_secs(5),
        &mut cluster,
        |cluster| {
            let path = format!("/api/v1/cluster/pipelines/{id}/sensor_filter_1/migrate");
            let answer = cluster.coordinator(0).post(&path, &json!({"target_worker_id": target})).expect("it answers");
            assert_eq!(answer.status, 202, "{answer}");
        },
        |_| {},
    );
    let (worker, _) = cluster.wait_placed(0, &name(1), &first, PATIENCE);
    assert_eq!(worker, target);
    let tally = assert_exact(&load, "a planned move");
    println!("repeated: {}", tally.repeated);
}

#[test]
fn two_coordinators_with_empty_disks_are_recovered_by_force() {
    let inputs = [1];
    let (mut cluster, mut load) = running(&Layout::raft(3, &[0, 1, 2]), &inputs);
    for lost in [1, 2] {
        cluster.coordinators[lost].kill();
        cluster.coordinators[lost].wipe();
    }
    wait_until("the one that is left is not ready", PATIENCE, || {
        (cluster.coordinator(0).get("/ready").ok()?.status == 503).then_some(())
    });
    load.publish(200, &inputs);
    assert_exact(&load, "without a majority");
    let asked = cluster.coordinator(0).post("/raft/recover", &json!({})).expect("it answers");
    assert_eq!(asked.status, 400, "{asked}");
    let done = cluster.coordinator(0).post("/raft/recover", &json!({"force": true})).expect("it answers");
    assert_eq!(done.status, 200, "{done}");
    cluster.wait_for_leader_or_alone();
    for lost in [1, 2] {
        cluster.coordinators[lost].launch();
    }
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 3, PATIENCE);
    }
    assert!(cluster.place(2, &name(1)).is_some(), "nothing was deployed again");
    load.publish(200, &inputs);
    assert_exact(&load, "recovered");
}
