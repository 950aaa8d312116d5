//! Three coordinators that are one Raft cluster, four workers: the phases of the suite that users bring along.

use crate::{PATIENCE, assert_exact};
use rarog_mqtt_tests::cluster::{Cluster, Layout, Load};
use std::time::Duration;

const ALL: [usize; 4] = [1, 2, 3, 4];
const HOMES: [usize; 4] = [0, 0, 1, 2];

#[test]
fn a_raft_cluster_passes_all_phases() {
    let mut cluster = Cluster::start(&Layout::raft(3, &HOMES));
    let mut load = Load::connect(&cluster.broker.uri());
    formation(&cluster);
    replication(&cluster, &mut load);
    load.publish(500, &ALL);
    assert_exact(&load, "2 baseline");
    worker_failover(&mut cluster, &mut load);
    cross_coordinator_migration(&mut cluster, &mut load);
    let killed = leader_failover(&mut cluster, &mut load);
    recovery(&mut cluster, &mut load, killed);
    traffic_during_a_kill(&mut cluster, &mut load);
}

fn formation(cluster: &Cluster) {
    cluster.wait_for_leader(PATIENCE);
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 4, PATIENCE);
    }
    let states: Vec<String> = (0..3)
        .map(|index| {
            let metrics = cluster.coordinator(index).get("/raft/metrics").expect("it answers").json();
            metrics["state"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    let count = |name: &str| states.iter().filter(|state| state.contains(name)).count();
    assert_eq!((count("Leader"), count("Follower")), (1, 2), "{states:?}");
}

fn replication(cluster: &Cluster, load: &mut Load) {
    for n in ALL {
        let coordinator = HOMES[n - 1];
        let answer = cluster.register_connector(coordinator, n);
        assert_eq!(answer.status, 201, "{answer}");
        cluster.deploy(coordinator, n);
    }
    for coordinator in 0..3 {
        for n in ALL {
            let (worker, _) = cluster.wait_placed(coordinator, &format!("sensor_filter_{n}"), "", PATIENCE);
            assert_eq!(worker, format!("worker-{n}"));
        }
    }
    load.publish(100, &ALL);
    assert_exact(load, "1 replication");
}

fn worker_failover(cluster: &mut Cluster, load: &mut Load) {
    cluster.workers[0].kill();
    let (to, took) = cluster.wait_placed(0, "sensor_filter_1", "worker-1", PATIENCE);
    println!("3: sensor_filter_1 runs on {to} after {took:?}");
    assert_eq!(cluster.worker_status(0, "worker-1").as_deref(), Some("unhealthy"));
    load.publish(500, &ALL);
    assert_exact(load, "3 worker failover");
}

fn cross_coordinator_migration(cluster: &mut Cluster, load: &mut Load) {
    cluster.workers[1].kill();
    for n in 1..=2 {
        let what = format!("sensor_filter_{n}");
        let is_elsewhere = || {
            let (worker, status) = cluster.place(1, &what)?;
            (matches!(&*worker, "worker-3" | "worker-4") && status == "running").then_some(())
        };
        rarog_mqtt_tests::cluster::wait_until(
            &format!("{what} on a worker of another coordinator"),
            PATIENCE,
            is_elsewhere,
        );
    }
    for coordinator in 1..3 {
        assert!(cluster.health(coordinator).is_some());
    }
    load.publish(500, &ALL);
    assert_exact(load, "4 cross-coordinator migration");
}

fn leader_failover(cluster: &mut Cluster, load: &mut Load) -> usize {
    let leader = cluster.wait_for_leader(PATIENCE);
    cluster.coordinators[leader].kill();
    let next = cluster.wait_for_leader(PATIENCE);
    assert_ne!(next, leader);
    let answer = cluster.coordinator(next).get("/api/v1/cluster/topology").expect("the new leader answers");
    assert_eq!(answer.status, 200, "{answer}");
    load.publish(500, &ALL);
    assert_exact(load, "5 leader failover");
    leader
}

fn recovery(cluster: &mut Cluster, load: &mut Load, killed: usize) {
    cluster.coordinators[killed].launch();
    cluster.workers[0].launch();
    cluster.workers[1].launch();
    cluster.wait_for_leader(PATIENCE);
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 4, PATIENCE);
    }
    for (coordinator, sockets) in [(0, 2), (1, 1), (2, 1)] {
        cluster.wait_for_sockets(coordinator, sockets, PATIENCE);
    }
    for n in ALL {
        let answer = cluster.register_connector(HOMES[n - 1], n);
        assert_eq!(answer.status, 200, "{answer}");
        cluster.deploy(HOMES[n - 1], n);
    }
    load.publish(500, &ALL);
    assert_exact(load, "6 recovery");
}

fn traffic_during_a_kill(cluster: &mut Cluster, load: &mut Load) {
    let leader = cluster.wait_for_leader(PATIENCE);
    let mut killed = false;
    load.publish_paced(100.0, &ALL, |elapsed| {
        if elapsed > Duration::from_secs(2) && !killed {
            cluster.coordinators[leader].kill();
            killed = true;
        }
        elapsed > Duration::from_secs(8)
    });
    assert_ne!(cluster.wait_for_leader(PATIENCE), leader);
    assert_exact(load, "7 traffic during the leader's kill");
    load.settle(Duration::from_millis(500));
    let tally = load.tally();
    assert_eq!((tally.lost, tally.repeated_without_id, tally.invented), (0, 0, 0), "{tally:?}");
}
