//! Commands, reads, kills and restarts.

use crate::nodes::{LEADER_PATIENCE, Nodes, PATIENCE, await_some, put};
use rarog_control::model::command::Outcome;
use rarog_control::raft::{COMMAND_LIMIT_BYTES, Consensus, Flush, RaftConfig, ReadError, SubmitError, Timings};
use rarog_control::seams::Seams;
use rarog_control::seams::memory::MemoryDisk;
use rarog_control::seams::real::{SystemClock, SystemEntropy, TcpNet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_single_node_decides_at_once_and_remembers() {
    let mut nodes = Nodes::new([1]);
    nodes.start(1);
    nodes.put(1, "a");
    assert!(nodes.node(1).state().connectors.contains_key("a"), "the caller of a command sees its effect");
    let cluster = await_some("the cluster has an identity", || nodes.node(1).state().cluster);
    assert_eq!(nodes.node(1).cluster(), Some(cluster));
    nodes.kill(1);
    nodes.start(1);
    nodes.put(1, "b");
    let state = nodes.on(1, nodes.node(1).read(LEADER_PATIENCE)).expect("it leads");
    assert_eq!(state.connectors.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(state.cluster, Some(cluster));
    assert!(nodes.node(1).has_quorum_within(Duration::from_millis(500)));
}

#[test]
fn every_node_takes_commands_and_reads_what_was_decided() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    nodes.leader();
    for round in 0..10 {
        for node in [1, 2, 3] {
            let name = format!("c{round}n{node}");
            nodes.put(node, &name);
            assert!(nodes.node(node).state().connectors.contains_key(&name), "the caller sees its effect");
            for reader in [1, 2, 3] {
                let state = nodes.on(reader, nodes.node(reader).read(LEADER_PATIENCE)).expect("there is a leader");
                assert!(state.connectors.contains_key(&name), "node {reader} reads what node {node} was told");
            }
        }
    }
    let coordinators = await_some("all coordinators are known", || {
        let state = nodes.node(1).state();
        (state.coordinators.len() == 3).then(|| state.coordinators.clone())
    });
    assert_eq!(coordinators, nodes.peers());
    for node in [1, 2, 3] {
        assert!(nodes.node(node).has_quorum_within(Duration::from_millis(2_000)));
    }
    let metrics = nodes.metrics(nodes.leader());
    assert_eq!(metrics.state, "Leader");
    assert_eq!(metrics.peers.len(), 2);
    let too_large = nodes.submit(2, put(&"x".repeat(COMMAND_LIMIT_BYTES)));
    assert!(matches!(too_large, Err(SubmitError::TooLarge { .. })));
}

#[test]
fn a_killed_leader_is_replaced_and_catches_up_when_it_is_back() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    nodes.put(nodes.leader(), "before");
    let killed = nodes.leader();
    nodes.kill(killed);
    let since = Instant::now();
    await_some("another one leads", || nodes.running().into_iter().find(|node| nodes.node(*node).leadership().is_self));
    // How long it may take is held in simulated time; here it depends on what else the machine does.
    println!("a new leader after {:?}", since.elapsed());
    for node in nodes.running() {
        nodes.put(node, &format!("from-{node}"));
    }
    nodes.start(killed);
    for name in ["before".to_owned()]
        .into_iter()
        .chain(nodes.running().iter().filter(|n| **n != killed).map(|n| format!("from-{n}")))
    {
        nodes.await_connector(&name);
    }
    nodes.put(killed, "after");
    nodes.await_connector("after");
}

#[test]
fn nobody_waits_for_silence_where_the_leaders_process_is_gone() {
    let mut nodes = Nodes::new([1, 2, 3]);
    // By silence alone nobody would lead before everything here has given up.
    let forever = u64::try_from(PATIENCE.as_millis()).expect("it is short");
    nodes.timings = Timings { election_min_ms: forever, election_max_ms: 2 * forever, ..nodes.timings };
    nodes.start_all();
    let killed = nodes.leader();
    nodes.put(killed, "before");
    nodes.kill(killed);
    await_some("another one leads", || nodes.running().into_iter().find(|node| nodes.node(*node).leadership().is_self));
    nodes.put(nodes.leader(), "after");
}

#[test]
fn all_nodes_killed_come_back_with_everything() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    for number in 0..20 {
        nodes.put(1 + number % 3, &format!("c{number}"));
    }
    let cluster = nodes.node(1).cluster();
    for node in [1, 2, 3] {
        nodes.kill(node);
    }
    nodes.start_all();
    let state = nodes.on(2, nodes.node(2).read(LEADER_PATIENCE)).expect("there is a leader");
    assert_eq!(state.connectors.len(), 20);
    assert_eq!(nodes.node(3).cluster(), cluster);
}

#[test]
fn a_node_that_is_far_behind_gets_a_snapshot() {
    let mut nodes = Nodes::new([1, 2, 3]);
    (nodes.timings.snapshot_every, nodes.timings.keep_entries) = (20, 5);
    nodes.start_all();
    let behind = nodes.follower();
    nodes.kill(behind);
    let leader = nodes.leader();
    for number in 0..60 {
        nodes.put(leader, &format!("c{number}"));
    }
    await_some("the log is replaced by a snapshot", || nodes.metrics(leader).snapshot.filter(|at| *at >= 40));
    nodes.start(behind);
    nodes.await_connector("c59");
    assert_eq!(nodes.node(behind).state(), nodes.node(leader).state());
    // What was purged is not needed for a restart either.
    let before = nodes.node(leader).state().connectors.clone();
    for node in [1, 2, 3] {
        nodes.kill(node);
    }
    nodes.start_all();
    let state = nodes.on(behind, nodes.node(behind).read(LEADER_PATIENCE)).expect("there is a leader");
    assert_eq!(state.connectors, before);
}

#[test]
fn without_a_majority_nothing_is_decided_or_read() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    nodes.put(1, "a");
    let lost = nodes.follower();
    nodes.kill(lost);
    nodes.kill(nodes.follower());
    let alone = nodes.running()[0];
    let patience = Duration::from_millis(300);
    let limit = Duration::from_millis(1_000);
    await_some("it notices", || (!nodes.node(alone).has_quorum_within(limit)).then_some(()));
    let read = nodes.on(alone, nodes.node(alone).read(patience));
    assert_eq!(read.err(), Some(ReadError::NoLeader));
    let submitted = nodes.on(alone, nodes.node(alone).submit(put("b"), patience));
    assert_eq!(submitted, Err(SubmitError::NoLeader));
    assert!(nodes.node(alone).state().connectors.contains_key("a"), "the known state is there all the same");
    nodes.start(lost);
    nodes.put(alone, "c");
    assert!(!nodes.node(alone).state().connectors.contains_key("b"), "what was refused has not happened");
}

#[test]
fn a_leader_that_is_shut_down_hands_over_at_once() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.start_all();
    let leader = nodes.leader();
    nodes.put(leader, "a");
    let node = nodes.node(leader).clone();
    nodes.on(leader, node.shutdown());
    drop(node);
    nodes.kill(leader);
    let successor = nodes.leader();
    assert_ne!(successor, leader);
    nodes.put(successor, "b");
    assert_eq!(nodes.on(successor, nodes.node(successor).submit(put("c"), Duration::ZERO)), Ok(Outcome::Applied));
}

#[test]
fn a_node_whose_disk_fails_takes_part_no_more_and_says_so() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be made");
    let disk = Arc::new(MemoryDisk::new());
    let seams = Seams {
        net: Arc::new(TcpNet),
        disk: disk.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let config =
        RaftConfig { node: 1, peers: BTreeMap::new(), key: None, timings: Timings::default(), flush: Flush::Inline };
    let start = || runtime.block_on(Consensus::start(config.clone(), seams.clone())).expect("the disk works");
    let node = start();
    assert_eq!(runtime.block_on(node.submit(put("a"), LEADER_PATIENCE)), Ok(Outcome::Applied));
    disk.fail_at(disk.writes());
    let lost = runtime.block_on(node.submit(put("b"), LEADER_PATIENCE));
    assert_eq!(lost, Err(SubmitError::OutcomeUnknown));
    let problem = await_some("it is said", || node.metrics().problem);
    assert!(problem.contains("until it is restarted"), "{problem}");
    await_some("it leads no more", || node.leadership().leader.is_none().then_some(()));
    runtime.block_on(node.shutdown());
    disk.crash(1);
    let node = start();
    let state = runtime.block_on(node.read(LEADER_PATIENCE)).expect("it leads");
    assert!(state.connectors.contains_key("a"));
}

/// Prints what is measured; the numbers depend on the machine and the build.
#[test]
#[ignore = "a measurement"]
fn measure_commands_and_failover() {
    let mut nodes = Nodes::new([1, 2, 3]);
    nodes.timings = Timings::default();
    nodes.start_all();
    for (who, node) in [("leader", nodes.leader()), ("follower", nodes.follower())] {
        let mut times: Vec<Duration> = (0..1_000)
            .map(|number| {
                let since = Instant::now();
                nodes.put(node, &format!("{who}-{}", number % 50));
                since.elapsed()
            })
            .collect();
        times.sort();
        println!("submit at the {who}: p50 {:?}, p99 {:?}, max {:?}", times[500], times[990], times[999]);
    }
    let mut gone: Vec<Duration> = (0..10)
        .map(|_| {
            let killed = nodes.leader();
            nodes.kill(killed);
            let since = Instant::now();
            await_some("another one leads", || {
                nodes.running().into_iter().find(|node| nodes.node(*node).leadership().is_self)
            });
            let gone = since.elapsed();
            nodes.start(killed);
            nodes.leader();
            gone
        })
        .collect();
    gone.sort();
    println!("leader killed, another one leads: p50 {:?}, max {:?}", gone[5], gone[9]);
}
