//! How clusters come about, and how nodes without a log get into them.

use crate::nodes::{Nodes, await_some};
use rarog_control::model::secret::Secret;
use rarog_control::raft::{RaftConfig, StartError};
use rarog_control::seams::real;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[test]
fn a_cluster_forms_without_an_absent_peer_after_a_while_and_takes_it_in_later() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.timings.absent_ms = 1_000;
    // The lowest number is the absent one.
    let since = Instant::now();
    nodes.start(2);
    nodes.start(3);
    nodes.leader();
    assert!(since.elapsed() >= Duration::from_millis(1_000), "the absent one was not waited for");
    nodes.put(3, "a");
    nodes.start(1);
    nodes.await_connector("a");
    nodes.await_voters(2, &[1, 2, 3]);
    nodes.put(1, "b");
    let clusters: BTreeSet<_> = [1, 2, 3].iter().map(|node| nodes.node(*node).cluster()).collect();
    assert_eq!(clusters.len(), 1);
}

#[test]
fn a_minority_never_forms_a_cluster() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.timings.absent_ms = 100;
    nodes.start(1);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(nodes.node(1).leadership().leader, None);
    assert_eq!(nodes.metrics(1).last_log_index, None);
    nodes.start(3);
    nodes.put(1, "a");
}

#[test]
fn nodes_that_start_together_form_one_cluster_many_times() {
    for _ in 0..3 {
        let mut nodes = Nodes::new([1, 2, 3, 4, 5]);
        nodes.start_all();
        nodes.put(4, "a");
        nodes.await_connector("a");
        let clusters: BTreeSet<_> = nodes.running().iter().map(|node| nodes.node(*node).cluster()).collect();
        assert_eq!(clusters.len(), 1);
    }
}

#[test]
fn a_node_that_lost_its_disk_learns_before_it_votes_again() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    nodes.put(1, "a");
    nodes.await_voters(nodes.leader(), &[1, 2, 3]);
    let wiped = nodes.leader();
    nodes.kill(wiped);
    nodes.wipe(wiped);
    let leader = nodes.leader();
    nodes.put(leader, "b");
    nodes.start(wiped);
    nodes.await_connector("b");
    assert_eq!(nodes.node(wiped).state().connectors.len(), 2);
    nodes.await_voters(leader, &[1, 2, 3]);
    // Its vote counts again: without it there is no majority now.
    let other = nodes.running().into_iter().find(|node| *node != wiped && *node != nodes.leader());
    nodes.kill(other.expect("there are three"));
    nodes.put(wiped, "c");
}

#[test]
fn two_nodes_that_lost_their_disks_do_not_make_a_majority() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.timings.absent_ms = 200;
    nodes.start_all();
    nodes.put(1, "a");
    nodes.await_connector("a");
    nodes.await_voters(1, &[1, 2, 3]);
    for node in [1, 2] {
        nodes.kill(node);
        nodes.wipe(node);
    }
    nodes.start(1);
    nodes.start(2);
    await_some("3 has lost its leader", || nodes.node(3).leadership().leader.is_none().then_some(()));
    // Long enough for what must not happen.
    std::thread::sleep(Duration::from_millis(1_000));
    for node in [1, 2, 3] {
        assert_eq!(nodes.node(node).leadership().leader, None, "node {node}");
    }
    let recovered = nodes.on(3, nodes.node(3).recover_force()).expect("it has the state");
    assert_eq!(Some(recovered.cluster), nodes.node(3).cluster());
    // The others start anew under its lead.
    nodes.put(3, "b");
    nodes.await_connector("a");
    nodes.await_connector("b");
    nodes.await_voters(3, &[1, 2, 3]);
}

#[test]
fn a_node_left_behind_by_a_recovery_is_refused() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    nodes.put(1, "a");
    nodes.await_connector("a");
    for node in [1, 2, 3] {
        nodes.kill(node);
    }
    let seams = await_some("the folder is free", || real::seams(&nodes.folder(3)).ok());
    let config = nodes.config(3);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be made");
    let recovering = rarog_control::raft::Consensus::recover_offline(&config, &seams);
    let recovered = runtime.block_on(recovering).expect("it has the state");
    assert_eq!(recovered.recoveries, 1);
    drop(seams);
    nodes.start(3);
    nodes.put(3, "b");
    assert!(nodes.node(3).state().connectors.contains_key("a"));
    nodes.start(1);
    nodes.start(2);
    await_some("1 and 2 go on by themselves, and 3 without them", || {
        (nodes.metrics(1).problem.is_some() || nodes.metrics(2).problem.is_some()).then_some(())
    });
    assert!(nodes.metrics(1).last_log_index < nodes.metrics(3).last_log_index || nodes.node(3).members().len() == 1);
    nodes.put(3, "c");
    assert!(!nodes.node(1).state().connectors.contains_key("c"));
}

#[test]
fn a_node_of_another_cluster_is_refused_and_both_are_named() {
    let mut other = Nodes::new([3]);
    other.start(3);
    other.put(3, "theirs");
    let foreign = other.node(3).cluster().expect("it has formed").to_string();
    other.kill(3);
    let mut nodes = Nodes::new([1, 2, 3]);
    await_some("the folder is free", || real::seams(&other.folder(3)).ok());
    std::fs::create_dir_all(nodes.folder(3)).expect("writable");
    for file in std::fs::read_dir(other.folder(3)).expect("it is there") {
        let file = file.expect("readable");
        std::fs::copy(file.path(), nodes.folder(3).join(file.file_name())).expect("writable");
    }
    nodes.timings.absent_ms = 200;
    let alone = RaftConfig { peers: nodes.peers(), ..other.config(3) };
    nodes.start(1);
    nodes.start(2);
    nodes.put(1, "ours");
    nodes.start_as(alone).expect("its folder is whole");
    let own = nodes.node(1).cluster().expect("it has formed").to_string();
    let problem = await_some("it is seen", || [1, 2, 3].iter().find_map(|node| nodes.metrics(*node).problem));
    assert!(problem.contains(&own) && problem.contains(&foreign), "{problem}");
    nodes.put(2, "still ours");
    assert!(!nodes.node(1).state().connectors.contains_key("theirs"));
    assert!(!nodes.node(3).state().connectors.contains_key("ours"));
}

#[test]
fn a_folder_belongs_to_one_node() {
    let mut nodes = Nodes::new([1, 2]);
    let mut config = nodes.config(1);
    config.peers.remove(&2);
    nodes.start_as(config).expect("it is a free folder");
    nodes.put(1, "a");
    nodes.kill(1);
    let folder = nodes.folder(1);
    std::fs::create_dir_all(nodes.folder(2)).expect("writable");
    await_some("the folder is free", || real::seams(&folder).ok());
    std::fs::rename(folder, nodes.folder(2)).expect("a free name");
    let refused = nodes.start_as(nodes.config(2)).expect_err("it is node 1's").to_string();
    assert!(refused.contains("belongs to coordinator 1"), "{refused}");
}

#[test]
fn a_node_has_to_be_among_its_peers() {
    let mut nodes = Nodes::new([1, 2]);
    let mut config = nodes.config(1);
    config.peers.remove(&1);
    assert!(matches!(nodes.start_as(config), Err(StartError::NotListed { node: 1, .. })));
}

#[test]
fn nodes_without_the_key_are_kept_out() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.timings.absent_ms = 200;
    nodes.key = Some(Secret::new("right"));
    nodes.start(1);
    nodes.start(2);
    nodes.put(1, "a");
    nodes.start_as(RaftConfig { key: Some(Secret::new("wrong")), ..nodes.config(3) }).expect("it starts");
    let problem = await_some("it is told", || nodes.metrics(3).problem);
    assert!(problem.contains("401"), "{problem}");
    assert!(nodes.node(3).state().connectors.is_empty());
    nodes.kill(3);
    nodes.start(3);
    nodes.await_connector("a");
}

#[test]
fn a_single_node_grows_into_a_cluster() {
    let mut nodes = Nodes::new([1, 2, 3]);
    let mut config = nodes.config(1);
    config.peers.retain(|node, _| *node == 1);
    nodes.start_as(config).expect("it is a free folder");
    nodes.put(1, "a");
    nodes.kill(1);
    nodes.start_all();
    nodes.await_connector("a");
    nodes.await_voters(1, &[1, 2, 3]);
    nodes.kill(1);
    nodes.put(2, "b");
}
