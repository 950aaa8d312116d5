//! What most tests begin with: a cluster under load.

use crate::{PATIENCE, assert_exact};
use rarog_mqtt_tests::cluster::{Cluster, Layout, Load};
use std::time::Duration;

/// A cluster with the groups of these inputs deployed over coordinator 1, and a load that has passed through it.
pub fn running(layout: &Layout, inputs: &[usize]) -> (Cluster, Load) {
    let cluster = Cluster::start(layout);
    let mut load = Load::connect(&cluster.broker.uri());
    cluster.wait_for_leader_or_alone();
    for coordinator in 0..layout.coordinators {
        let healthy = if layout.raft {
            layout.homes.len()
        } else {
            layout.homes.iter().filter(|home| **home == coordinator).count()
        };
        cluster.wait_for_workers(coordinator, healthy as u64, PATIENCE);
    }
    for n in inputs {
        let answer = cluster.register_connector(0, *n);
        assert_eq!(answer.status, 201, "{answer}");
        cluster.deploy(0, *n);
    }
    for n in inputs {
        cluster.wait_placed(0, &name(*n), "", PATIENCE);
    }
    load.publish(200, inputs);
    assert_exact(&load, "before");
    (cluster, load)
}

/// The pipeline of an input.
pub fn name(n: usize) -> String {
    format!("sensor_filter_{n}")
}

/// Publishes at 250 per second; at 1 s `fault` happens, at 2 s `after`, and it goes on until `end`.
pub fn under_load(
    load: &mut Load,
    inputs: &[usize],
    end: Duration,
    cluster: &mut Cluster,
    fault: impl FnOnce(&mut Cluster),
    after: impl FnOnce(&mut Cluster),
) {
    let (mut fault, mut after) = (Some(fault), Some(after));
    load.publish_paced(250.0, inputs, |elapsed| {
        if let Some(fault) = fault.take_if(|_| elapsed > Duration::from_secs(1)) {
            fault(cluster);
        }
        if let Some(after) = after.take_if(|_| elapsed > Duration::from_secs(4)) {
            after(cluster);
        }
        elapsed > end
    });
}
