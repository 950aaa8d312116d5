//! Two coordinators that share nothing, three workers: the phases of the suite that users bring along.

use crate::{PATIENCE, assert_exact};
use rarog_mqtt_tests::cluster::{Cluster, Layout, Load};
use std::time::Duration;

const ALL: [usize; 3] = [1, 2, 3];

#[test]
fn independent_coordinators_pass_all_phases() {
    let mut cluster = Cluster::start(&Layout::independent(2, &[0, 0, 1]));
    let mut load = Load::connect(&cluster.broker.uri());
    setup(&cluster);
    load.publish(100, &ALL);
    assert_exact(&load, "0 setup");
    load.publish(500, &ALL);
    assert_exact(&load, "1 baseline");
    web_sockets(&cluster);
    worker_failover(&mut cluster, &mut load);
    cascading_failure(&mut cluster, &mut load);
    coordinator_failover(&mut cluster, &mut load);
    recovery(&mut cluster, &mut load);
    traffic_during_a_kill(&mut cluster, &mut load);
}

fn setup(cluster: &Cluster) {
    cluster.wait_for_workers(0, 2, PATIENCE);
    cluster.wait_for_workers(1, 1, PATIENCE);
    for n in ALL {
        let coordinator = usize::from(n == 3);
        let answer = cluster.register_connector(coordinator, n);
        assert_eq!(answer.status, 201, "{answer}");
        cluster.deploy(coordinator, n);
    }
    let placed: Vec<String> =
        (1..=2).map(|n| cluster.wait_placed(0, &format!("sensor_filter_{n}"), "", PATIENCE).0).collect();
    assert_eq!(placed, ["worker-1", "worker-2"]);
    cluster.wait_placed(1, "sensor_filter_3", "", PATIENCE);
}

fn web_sockets(cluster: &Cluster) {
    for (coordinator, sockets) in [(0, 2), (1, 1)] {
        let health = cluster.health(coordinator).expect("it answers");
        assert_eq!((&health["ws_connections"], &health["status"]), (&sockets.into(), &"healthy".into()), "{health}");
    }
}

fn worker_failover(cluster: &mut Cluster, load: &mut Load) {
    cluster.workers[0].kill();
    let lost = cluster.wait_for_sockets(0, 1, PATIENCE);
    let (to, took) = cluster.wait_placed(0, "sensor_filter_1", "worker-1", PATIENCE);
    assert_eq!(to, "worker-2");
    assert_eq!(cluster.worker_status(0, "worker-1").as_deref(), Some("unhealthy"));
    let log = cluster.coordinators[0].log();
    assert!(log.lines().any(|line| line.contains("WebSocket disconnected") && line.contains("worker-1")), "{log}");
    println!("3: socket gone after {lost:?}, moved after {took:?}");
    load.publish(500, &ALL);
    assert_exact(load, "3 worker failover");
}

fn cascading_failure(cluster: &mut Cluster, load: &mut Load) {
    cluster.workers[1].kill();
    cluster.wait_for_workers(0, 0, PATIENCE);
    let health = cluster.health(1).expect("coordinator 2 answers");
    assert_eq!(health["status"], "healthy", "{health}");
    load.publish(500, &[3]);
    assert_exact(load, "4 cascading failure");
}

fn coordinator_failover(cluster: &mut Cluster, load: &mut Load) {
    let before = cluster.health(1).expect("it answers");
    cluster.coordinators[0].kill();
    assert!(cluster.health(0).is_none());
    load.publish(200, &[3]);
    assert_exact(load, "5 coordinator failover");
    let after = cluster.health(1).expect("it answers");
    assert_eq!((&after["ws_connections"], &after["status"]), (&before["ws_connections"], &before["status"]));
}

fn recovery(cluster: &mut Cluster, load: &mut Load) {
    cluster.coordinators[0].launch();
    cluster.workers[0].launch();
    cluster.workers[1].launch();
    cluster.wait_for_workers(0, 2, PATIENCE);
    cluster.wait_for_sockets(0, 2, PATIENCE);
    cluster.wait_for_sockets(1, 1, PATIENCE);
    for n in 1..=2 {
        // Nothing has to be registered or deployed again; scripts that do so all the same change nothing.
        cluster.wait_placed(0, &format!("sensor_filter_{n}"), "", PATIENCE);
        let answer = cluster.register_connector(0, n);
        assert_eq!(answer.status, 200, "{answer}");
        cluster.deploy(0, n);
    }
    load.publish(500, &ALL);
    assert_exact(load, "6 recovery");
}

fn traffic_during_a_kill(cluster: &mut Cluster, load: &mut Load) {
    let mut killed = false;
    load.publish_paced(100.0, &ALL, |elapsed| {
        if elapsed > Duration::from_secs(2) && !killed {
            cluster.coordinators[0].kill();
            killed = true;
        }
        elapsed > Duration::from_secs(8)
    });
    assert!(cluster.health(1).is_some());
    assert_exact(load, "7 traffic during a coordinator's kill");
    load.settle(Duration::from_millis(500));
    let tally = load.tally();
    assert_eq!((tally.lost, tally.repeated_without_id, tally.invented), (0, 0, 0), "{tally:?}");
}
