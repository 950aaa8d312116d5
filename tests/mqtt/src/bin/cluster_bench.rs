//! Faults against a cluster of real processes, many of each, and what they cost: p50 and p99 beside the goal.
//!
//! ```text
//! cluster_bench [kill|hang|leader|move|cold|quiet …] [--rounds N] [--minutes N]
//! ```
//! Three coordinators, three workers, 250 readings per second through one pipeline all the while; what came out is counted
//! exactly. Build the binary first (`cargo build --release`), and say which with `RAROG_BIN`.

use rarog_mqtt_tests::cluster::{Cluster, Layout, Load, wait_until};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const RATE: f64 = 250.0;
/// From one fault to the next, beyond what the cluster needs to be whole again.
const REST: Duration = Duration::from_millis(700);
const PIPELINE: &str = "sensor_filter_1";

fn main() {
    let (mut faults, mut rounds, mut minutes) = (Vec::new(), 50, 30);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number follows");
        match &*argument {
            "--rounds" => rounds = number(),
            "--minutes" => minutes = number(),
            fault => faults.push(fault.to_owned()),
        }
    }
    if faults.is_empty() {
        faults = ["kill", "hang", "leader", "move", "cold"].map(String::from).into();
    }
    println!("| fault | measured | rounds | p50 ms | p99 ms | max ms | goal p50 / p99 ms |");
    println!("|---|---|---|---|---|---|---|");
    for fault in faults {
        match &*fault {
            "kill" => under_load("worker killed", rounds, kill),
            "hang" => under_load("worker hung", rounds, hang),
            "leader" => under_load("leader killed", rounds, leader),
            "move" => under_load("planned move", rounds, planned_move),
            "cold" => cold(rounds),
            "quiet" => quiet(Duration::from_secs(60 * minutes as u64)),
            other => panic!("unknown fault {other}; there are kill, hang, leader, move, cold, quiet"),
        }
    }
}

/// What one round of a fault measured, by name and goal.
type Round = Vec<(&'static str, &'static str, Duration)>;

fn started() -> Cluster {
    let layout = Layout { know_all: true, ..Layout::raft(3, &[0, 1, 2]) };
    let cluster = Cluster::start(&layout);
    cluster.wait_for_leader(PATIENCE);
    whole(&cluster);
    assert_eq!(cluster.register_connector(0, 1).status, 201);
    cluster.deploy(0, 1);
    cluster.wait_placed(0, PIPELINE, "", PATIENCE);
    cluster
}

/// Waits until nothing is missing.
fn whole(cluster: &Cluster) {
    cluster.wait_for_leader(PATIENCE);
    for coordinator in 0..3 {
        cluster.wait_for_workers(coordinator, 3, PATIENCE);
    }
}

fn under_load(name: &str, rounds: usize, fault: impl Fn(&mut Cluster) -> Round) {
    let mut cluster = started();
    let mut load = Load::connect(&cluster.broker.uri());
    let stop = AtomicBool::new(false);
    let (mut measured, mut at): (Vec<Round>, Vec<(Instant, Instant)>) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let load = &mut load;
        let publishing = scope.spawn(|| load.publish_paced(RATE, &[1], |_| stop.load(Ordering::Acquire)));
        for _ in 0..rounds {
            thread::sleep(REST);
            let began = Instant::now();
            measured.push(fault(&mut cluster));
            whole(&cluster);
            at.push((began, Instant::now()));
        }
        thread::sleep(REST);
        stop.store(true, Ordering::Release);
        publishing.join().expect("the load does not panic");
    });
    let tally = load.account();
    let gaps: Vec<Duration> = at.iter().map(|(from, to)| load.longest_gap_within(1, &[1], *from, *to)).collect();
    for index in 0..measured.first().map_or(0, Vec::len) {
        let (what, goal, _) = measured[0][index];
        row(name, what, goal, measured.iter().map(|round| round[index].2).collect());
    }
    let goal = match name {
        "planned move" => "- / 150",
        "worker killed" => "100 / 500",
        _ => "",
    };
    row(name, "output gap", goal, gaps);
    println!(
        "| {name} | of {} outputs: lost {}, repeated {}, repeated without known id {}, invented {} | | | | | 0, -, 0, 0 |",
        tally.expected, tally.lost, tally.repeated, tally.repeated_without_id, tally.invented
    );
}

fn row(name: &str, what: &str, goal: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize].as_secs_f64() * 1e3;
    println!("| {name} | {what} | {} | {:.0} | {:.0} | {:.0} | {goal} |", times.len(), at(0.5), at(0.99), at(1.0));
}

/// The worker that runs the pipeline, and a coordinator that stays.
fn owner(cluster: &Cluster) -> (usize, usize) {
    let leader = cluster.wait_for_leader(PATIENCE);
    let (worker, _) = cluster.wait_placed(leader, PIPELINE, "", PATIENCE);
    (cluster.worker(&worker), leader)
}

/// Asks as fast as it can until the worker is no longer called healthy.
fn detected(cluster: &Cluster, coordinator: usize, worker: usize, began: Instant) -> Duration {
    let name = cluster.workers[worker].name.clone();
    while cluster.worker_status(coordinator, &name).as_deref() == Some("ready") {
        assert!(began.elapsed() < PATIENCE, "{name} is called ready still");
    }
    began.elapsed()
}

fn kill(cluster: &mut Cluster) -> Round {
    let (worker, leader) = owner(cluster);
    let began = Instant::now();
    cluster.workers[worker].kill();
    let detected = detected(cluster, leader, worker, began);
    cluster.wait_placed(leader, PIPELINE, &cluster.workers[worker].name.clone(), PATIENCE);
    thread::sleep(REST);
    cluster.workers[worker].launch();
    vec![("detected", "10 / 50", detected)]
}

fn hang(cluster: &mut Cluster) -> Round {
    let (worker, leader) = owner(cluster);
    let began = Instant::now();
    cluster.workers[worker].pause();
    let detected = detected(cluster, leader, worker, began);
    cluster.wait_placed(leader, PIPELINE, &cluster.workers[worker].name.clone(), PATIENCE);
    thread::sleep(REST);
    cluster.workers[worker].resume();
    vec![("detected", "1000 / 1500", detected)]
}

fn leader(cluster: &mut Cluster) -> Round {
    let leader = cluster.wait_for_leader(PATIENCE);
    let other = cluster.coordinator((leader + 1) % 3);
    let began = Instant::now();
    cluster.coordinators[leader].kill();
    let mut number = 0;
    let written = loop {
        number += 1;
        let params = json!({"host": "127.0.0.1", "port": format!("{}", 1000 + (began.elapsed().as_nanos() % 60_000))});
        let body = json!({"name": "written", "connector_type": "mqtt", "params": params});
        let answer = match number {
            _ if other.get("/api/v1/cluster/connectors/written").is_ok_and(|answer| answer.status == 200) => {
                other.put("/api/v1/cluster/connectors/written", &body)
            }
            _ => other.post("/api/v1/cluster/connectors", &body),
        };
        if answer.is_ok_and(|answer| matches!(answer.status, 200 | 201)) {
            break began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "no write succeeds");
    };
    cluster.coordinators[leader].launch();
    vec![("a write succeeds", "500 / 900 (goal 300 / 700)", written)]
}

fn planned_move(cluster: &mut Cluster) -> Round {
    let (worker, leader) = owner(cluster);
    let target = cluster.workers[(worker + 1) % 3].name.clone();
    let id = cluster.group_id(leader, "group_1").expect("the group is listed");
    let began = Instant::now();
    let path = format!("/api/v1/cluster/pipelines/{id}/{PIPELINE}/migrate");
    let answer = cluster.coordinator(leader).post(&path, &json!({"target_worker_id": target})).expect("it answers");
    assert_eq!(answer.status, 202, "{answer}");
    cluster.wait_placed(leader, PIPELINE, &cluster.workers[worker].name.clone(), PATIENCE);
    vec![("moved", "", began.elapsed())]
}

/// Everything is killed and started again; until every pipeline has put something out.
fn cold(rounds: usize) {
    let mut cluster = started();
    for n in 2..=3 {
        assert_eq!(cluster.register_connector(0, n).status, 201);
        cluster.deploy(0, n);
        cluster.wait_placed(0, &format!("sensor_filter_{n}"), "", PATIENCE);
    }
    let mut load = Load::connect(&cluster.broker.uri());
    let mut times = Vec::new();
    for _ in 0..rounds {
        cluster.coordinators.iter_mut().chain(&mut cluster.workers).for_each(|member| member.kill());
        // What is published while everything is down comes out when everything is up.
        load.publish(60, &[1, 2, 3]);
        let began = Instant::now();
        cluster.coordinators.iter_mut().chain(&mut cluster.workers).for_each(|member| member.launch());
        wait_until("all pipelines produce", PATIENCE, || (load.tally().lost == 0).then_some(()));
        times.push(began.elapsed());
        whole(&cluster);
    }
    row("cold restart", "every pipeline produces", "5000", times);
    let tally = load.account();
    println!(
        "| cold restart | of {} outputs: lost {}, repeated {}, without known id {} | | | | | 0 |",
        tally.expected, tally.lost, tally.repeated, tally.repeated_without_id
    );
}

/// Nothing happens: false alarms are counted.
fn quiet(time: Duration) {
    let cluster = started();
    let leader = cluster.wait_for_leader(PATIENCE);
    let term = |index: usize| {
        let metrics = cluster.coordinator(index).get("/raft/metrics").ok()?.json();
        metrics["current_term"].as_u64()
    };
    let (began, first_term) = (Instant::now(), term(leader));
    let mut alarms = 0;
    while began.elapsed() < time {
        let healthy = cluster.health(leader).and_then(|health| health["workers"]["healthy"].as_u64());
        alarms += usize::from(healthy != Some(3));
        thread::sleep(Duration::from_millis(100));
    }
    let changes = term(leader).zip(first_term).map(|(now, then)| now - then);
    println!(
        "| quiet for {time:?} | looks with a worker missing: {alarms}, leader changes: {changes:?} | | | | | 0, 0 |"
    );
}
