//! The agent against coordinators of paper: in one process, over pipes, in a time that only passes when nothing else happens.

mod paper;

use super::bookkeeping::Bookkeeper;
use super::engine::{Engine, Event};
use super::{Agent, AgentConfig, Ended};
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::state::{Capacity, Phase};
use crate::wire::{Order, ToAgent, ToCoordinator};
use paper::{Paper, Pipes, until};
use rarog_lang::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const A: &str = "a:1";
const B: &str = "b:1";

fn start(pipes: &Arc<Pipes>, coordinators: &[&str]) -> (Agent, Bookkeeper) {
    let engine = Bookkeeper::default();
    let config = AgentConfig {
        worker: WorkerId::new("w"),
        instance: Uuid::from_u128(9),
        coordinators: coordinators.iter().map(|address| format!("http://{address}")).collect(),
        api_key: None,
        address: "http://w:9000".into(),
        capacity: Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 100 },
    };
    let agent = Agent::start(config, Arc::new(engine.clone()), pipes.seams()).expect("an empty disk can be read");
    (agent, engine)
}

fn key() -> PipelineKey {
    PipelineKey::new(Uuid::from_u128(1), "p", 0)
}

fn install(epoch: u64) -> ToAgent {
    ToAgent::Install(Box::new(Order {
        pipeline: key(),
        epoch,
        id: Uuid::from_u128(2),
        incarnation: 1,
        replicas: 1,
        partition_key: None,
        group_name: "g".into(),
        source: "".into(),
        plan: Arc::new(Plan::default()),
        connectors: BTreeMap::new(),
        clients: BTreeMap::new(),
        state_comes: false,
    }))
}

fn is_report(frame: &ToCoordinator, is: impl Fn(&Phase) -> bool) -> bool {
    matches!(frame, ToCoordinator::Report { phase, .. } if is(phase))
}

/// Installs a pipeline and waits until it runs.
async fn run_one(coordinator: &Paper) {
    until("it is there", || coordinator.sockets() > 0).await;
    coordinator.say(install(1));
    until("it runs", || coordinator.heard(|frame| is_report(frame, |phase| *phase == Phase::Running))).await;
}

#[tokio::test(start_paused = true)]
async fn a_home_that_hangs_does_not_hold_up_the_socket() {
    let pipes = Pipes::new();
    let _home = pipes.hanging(A);
    let away = pipes.coordinator(B);
    let began = Instant::now();
    let (_agent, _) = start(&pipes, &[A, B]);
    until("it is there", || away.sockets() > 0).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let pongs = |paper: &Paper| paper.times(|frame| matches!(frame, ToCoordinator::Pong { .. }));
    until("it has answered for a while", || pongs(&away).len() > 60).await;
    let longest = pongs(&away).windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest < Some(Duration::from_millis(300)), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_coordinator_is_given_up_also_while_home_hangs() {
    let pipes = Pipes::new();
    let _home = pipes.hanging(A);
    let away = pipes.coordinator(B);
    let third = pipes.coordinator("c:1");
    let (_agent, _) = start(&pipes, &[A, B, "c:1"]);
    until("it is there", || away.sockets() > 0).await;
    away.fall_silent();
    let silent = Instant::now();
    until("it goes elsewhere", || third.sockets() > 0).await;
    assert!(silent.elapsed() < Duration::from_millis(1_500), "{:?}", silent.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_goes_home_with_the_new_socket_first() {
    let pipes = Pipes::new();
    let away = pipes.coordinator(B);
    let (agent, _) = start(&pipes, &[A, B]);
    run_one(&away).await;
    let home = pipes.coordinator(A);
    let ready = Instant::now();
    until("it is home", || home.sockets() > 0).await;
    assert!(ready.elapsed() >= Duration::from_secs(5), "{:?}", ready.elapsed());
    let is_farewell = |frame: &ToCoordinator| matches!(frame, ToCoordinator::Farewell { .. });
    until("it takes leave", || away.heard(is_farewell)).await;
    let hello = home.times(|frame| matches!(frame, ToCoordinator::Hello(hello) if hello.held.len() == 1));
    assert!(hello[0] <= away.times(is_farewell)[0], "it has a socket all the time");
    assert_eq!(agent.connected_to().as_deref(), Some("http://a:1"));
}

#[tokio::test(start_paused = true)]
async fn it_leaves_one_without_a_majority_and_does_not_run_about_when_all_are() {
    let pipes = Pipes::new();
    let (first, second) = (pipes.coordinator(A), pipes.coordinator(B));
    let (_agent, _) = start(&pipes, &[A, B]);
    until("it is there", || first.sockets() > 0).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.lose_quorum();
    let lost = Instant::now();
    until("it moves", || second.sockets() > 0).await;
    assert!(lost.elapsed() < Duration::from_millis(700), "{:?}", lost.elapsed());
    second.lose_quorum();
    let before = first.opened() + second.opened();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let moves = first.opened() + second.opened() - before;
    assert!(moves <= 11, "{moves} moves in 10 s");
    assert!(first.sockets() + second.sockets() > 0);
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_a_socket_opens_is_reported() {
    let pipes = Pipes::new();
    let coordinator = pipes.coordinator(A);
    let (_agent, engine) = start(&pipes, &[A]);
    run_one(&coordinator).await;
    coordinator.welcome_after(Duration::from_secs(1));
    let before = coordinator.opened();
    coordinator.close();
    until("it has called again", || coordinator.opened() > before).await;
    let phase = Phase::Degraded { reason: "the broker is gone".into() };
    engine.say(Event::Phase { pipeline: key(), epoch: 1, phase });
    until("it is told", || {
        coordinator.heard(|frame| is_report(frame, |phase| matches!(phase, Phase::Degraded { .. })))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelines_go_on_without_coordinators_and_questions_stay_open() {
    let pipes = Pipes::new();
    let coordinator = pipes.coordinator(A);
    let (_agent, engine) = start(&pipes, &[A]);
    run_one(&coordinator).await;
    pipes.remove(A);
    coordinator.close();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(engine.running(), BTreeMap::from([(key(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_pipelines_takes_leave_and_does_not_wait_for_its_deadline() {
    let pipes = Pipes::new();
    let coordinator = pipes.coordinator(A);
    let (agent, engine) = start(&pipes, &[A]);
    run_one(&coordinator).await;
    let began = Instant::now();
    agent.shutdown(began + Duration::from_secs(8)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(engine.running().is_empty());
    until("it takes leave", || coordinator.heard(|frame| matches!(frame, ToCoordinator::Farewell { .. }))).await;
}

#[tokio::test(start_paused = true)]
async fn a_superseded_process_stops_everything() {
    let pipes = Pipes::new();
    let coordinator = pipes.coordinator(A);
    let (agent, engine) = start(&pipes, &[A]);
    run_one(&coordinator).await;
    coordinator.say(ToAgent::Refused { code: "superseded".into(), message: "a newer process".into() });
    assert_eq!(agent.ended().await, Ended::Superseded(WorkerId::new("w")));
    until("nothing runs", || engine.running().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn another_cluster_ends_only_a_worker_that_runs_nothing() {
    let pipes = Pipes::new();
    let coordinator = pipes.coordinator(A);
    let (agent, engine) = start(&pipes, &[A]);
    run_one(&coordinator).await;
    coordinator.refuse("foreign_cluster");
    let before = coordinator.opened();
    coordinator.close();
    until("it has called again, twice", || coordinator.opened() > before + 1).await;
    assert_eq!(engine.running(), BTreeMap::from([(key(), 1)]));
    engine.stop(&key(), 1, super::engine::Ending::Now).expect("it runs");
    assert!(matches!(agent.ended().await, Ended::ForeignCluster(_)));
}

#[tokio::test(start_paused = true)]
async fn without_websockets_it_is_seen_by_heartbeats() {
    let pipes = Pipes::new();
    let proxy = pipes.without_websockets(A);
    let (_agent, _) = start(&pipes, &[A]);
    until("it has registered", || {
        proxy.lock().expect("nobody panics with it").iter().any(|path| path.ends_with("/register"))
    })
    .await;
    until("it sends heartbeats", || {
        let paths = proxy.lock().expect("nobody panics with it").clone();
        paths.iter().filter(|path| *path == "/api/v1/cluster/workers/w/heartbeat").count() >= 2
    })
    .await;
}
