//! What is done to the cluster in a run, and what must hold after each of it.

use crate::cluster::{Cluster, NODES, PATIENCE_MS, WORKERS};
use crate::coordinator::{self, PING_DEADLINE};
use crate::user::Wish;
use hyper::Method;
use rarog_control::model::ids::NodeId;
use rarog_control::model::state::WorkerStatus;
use serde_json::{Value, json};
use std::time::Duration;

/// What a change may take on its way through consensus and digests, ms.
const SLACK_MS: u64 = 400;

/// Time in which a coordinator is elected, ms.
const ELECTION_MS: u64 = 2_000;

/// Time in which a false alarm would have been given, ms.
const QUIET_MS: u64 = 3_000;

/// Time for which all coordinators are down, ms.
const DARK_MS: u64 = 2_000;

/// Pipelines of the two groups.
const ALPHA: usize = 3;
const BETA: usize = 4;
const ALL: usize = ALPHA + BETA;

const SOURCE: &str = "event E:
    a: int
stream S = E
    .from(m, topic: \"in\")
    .where(a > 1)
    .to(m, topic: \"out\")
";

/// Plays it all; gives the record of what happened.
pub fn play(seed: u64) -> Vec<String> {
    let mut cluster = Cluster::new(seed);
    let it = &mut cluster;
    it.until("all workers are ready everywhere", PATIENCE_MS, |it| {
        it.agree() && WORKERS.iter().all(|name| it.status(name) == Some(WorkerStatus::Ready))
    });
    deploy(it);
    kill_the_leader(it);
    kill_a_worker(it);
    bring_back(it);
    cut_off_a_worker(it);
    hold_a_worker(it);
    split_off_a_coordinator_with_a_worker(it);
    hold_a_coordinator(it);
    kill_all_coordinators(it);
    delete_a_group(it);
    let wrongs = it.world.wrongs();
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    it.world.record()
}

/// Two groups, each by way of some coordinator, one of them twice.
fn deploy(it: &mut Cluster) {
    let connector = json!({"name": "m", "connector_type": "mqtt", "params": {"host": "broker"}});
    ask(it, Method::POST, "/connectors", connector);
    for (name, pipelines) in [("alpha", ALPHA), ("beta", BETA), ("alpha", ALPHA)] {
        let pipelines = (1..=pipelines).map(|number| json!({"name": format!("{name}-{number}"), "source": SOURCE}));
        let group = json!({"name": name, "pipelines": pipelines.collect::<Vec<_>>()});
        ask(it, Method::POST, "/pipeline-groups", group);
    }
    it.until("everything runs", PATIENCE_MS, |it| it.is_settled(ALL) && it.state().groups.len() == 2);
}

/// Workers move to the others, and nothing that runs is touched.
fn kill_the_leader(it: &mut Cluster) {
    let before = it.epochs();
    let leader = it.leader().expect("there is one");
    it.crash_coordinator(leader);
    it.until("another one leads", ELECTION_MS, |it| it.leader().is_some_and(|new| new != leader));
    it.run(QUIET_MS);
    assert_eq!(it.epochs(), before, "no worker was lost, so nothing moves");
    assert_eq!(it.ready(), WORKERS.len());
}

/// Its pipelines run elsewhere.
fn kill_a_worker(it: &mut Cluster) {
    let name = some_worker(it);
    it.crash_worker(name);
    lose(it, name);
}

/// Both come back, and the worker gets its share.
fn bring_back(it: &mut Cluster) {
    let is_down = |node: &NodeId| !it.world.coordinators().contains_key(node);
    let down: Vec<NodeId> = NODES.into_iter().filter(is_down).collect();
    for node in down {
        it.start(&coordinator::name(node));
    }
    let lost = WORKERS.into_iter().find(|name| it.status(name) == Some(WorkerStatus::Unhealthy));
    let lost = lost.expect("one was killed");
    it.start(lost);
    it.until("all are back", PATIENCE_MS, |it| {
        it.world.coordinators().len() == NODES.len() && is_whole(it) && it.placed_on(lost) > 0
    });
}

/// A worker that no coordinator reaches, and that reaches the broker.
fn cut_off_a_worker(it: &mut Cluster) {
    let name = some_worker(it);
    it.cut_off(name);
    lose(it, name);
    it.run(it.draw.below(2_000));
    it.reach_again(name);
    it.until("it is back", PATIENCE_MS, is_whole);
}

/// A worker that hangs for a while.
fn hold_a_worker(it: &mut Cluster) {
    let name = some_worker(it);
    it.hold(name);
    lose(it, name);
    it.run(it.draw.below(2_000));
    it.let_go_on(name);
    it.until("it is back", PATIENCE_MS, is_whole);
}

/// A worker with a coordinator that knows nothing of what the others decide, and must not call it the owner of what it has lost.
fn split_off_a_coordinator_with_a_worker(it: &mut Cluster) {
    let place = it.draw.below(WORKERS.len() as u64) as usize;
    // Its home, as hosts are set up.
    let (node, name) = (NODES[place], WORKERS[place]);
    it.split_off(node, name);
    lose_within(it, name, 2 * PING_DEADLINE);
    it.run(QUIET_MS);
    assert_eq!(it.running(), ALL, "it has not come between");
    it.join_again(node, name);
    it.until("they are back", PATIENCE_MS, is_whole);
}

/// A coordinator that hangs for a while, with workers at it: they move, and nothing that runs is touched.
fn hold_a_coordinator(it: &mut Cluster) {
    let before = it.epochs();
    let node = some_node(it);
    it.hold(&coordinator::name(node));
    it.run(QUIET_MS);
    it.let_go_on(&coordinator::name(node));
    it.run(QUIET_MS);
    it.until("all are back", PATIENCE_MS, is_whole);
    assert_eq!(it.epochs(), before, "no worker was lost, so nothing moves");
}

/// What runs goes on, and is known when they are back.
fn kill_all_coordinators(it: &mut Cluster) {
    let before = it.epochs();
    for node in NODES {
        it.crash_coordinator(node);
    }
    it.run(DARK_MS);
    assert_eq!(it.world.connections(), ALL, "workers go on by themselves");
    for node in NODES {
        it.start(&coordinator::name(node));
    }
    it.run(QUIET_MS);
    it.until("all are back", PATIENCE_MS, is_whole);
    assert_eq!(it.epochs(), before, "no worker was lost, so nothing moves");
}

/// Nothing is left of it, at the broker neither.
fn delete_a_group(it: &mut Cluster) {
    let state = it.state();
    let (id, _) = state.groups.iter().find(|(_, group)| group.spec.name == "beta").expect("it was deployed");
    ask(it, Method::DELETE, &format!("/pipeline-groups/{id}"), Value::Null);
    it.until("it is gone", PATIENCE_MS, |it| it.state().groups.len() == 1);
    it.until("its sessions are removed", PATIENCE_MS, |it| it.state().tombstones.is_empty() && it.is_settled(ALPHA));
    assert_eq!(it.world.buried(), BETA, "each of its pipelines had one");
}

/// A worker is found gone in time, and all that it ran runs elsewhere.
fn lose(it: &mut Cluster, name: &str) {
    lose_within(it, name, PING_DEADLINE);
}

fn lose_within(it: &mut Cluster, name: &str, time: Duration) {
    let limit = time.as_millis() as u64 + SLACK_MS;
    it.until("it is found gone", limit, |it| it.status(name) == Some(WorkerStatus::Unhealthy));
    it.until("its pipelines run elsewhere", SLACK_MS, |it| it.placed_on(name) == 0 && it.running() == ALL);
}

fn is_whole(it: &Cluster) -> bool {
    it.is_settled(ALL) && it.ready() == WORKERS.len()
}

fn ask(it: &mut Cluster, method: Method, path: &str, body: Value) {
    let node = some_node(it);
    let before = it.world.answers();
    it.wish(Wish { node, method, path: format!("/api/v1/cluster{path}"), body });
    it.until("it is answered", PATIENCE_MS, |it| it.world.answers() > before);
}

fn some_node(it: &Cluster) -> NodeId {
    NODES[it.draw.below(NODES.len() as u64) as usize]
}

fn some_worker(it: &Cluster) -> &'static str {
    WORKERS[it.draw.below(WORKERS.len() as u64) as usize]
}
