//! The rules of [`super`], one by one.

use super::*;
use crate::model::state::{Capacity, Worker, WorkerStatus};
use crate::wire::Metrics;

const DEADLINES: Deadlines = Deadlines { ping: Duration::from_secs(1), heartbeat: Duration::from_secs(15) };

/// A leader, its workers `w` (ours) and `old` (heartbeats), and a clock that is moved by hand.
struct Bench {
    liveness: Liveness,
    state: State,
    now: Instant,
    numbers: BTreeMap<NodeId, u64>,
}

fn worker(protocol: u16) -> Worker {
    Worker {
        address: "http://w:1".into(),
        api_key: None,
        instance: Uuid::from_u128(1),
        protocol,
        capacity: Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 100 },
        status: WorkerStatus::Ready,
        reason: None,
        since_ms: 0,
    }
}

fn sight(name: &str, instance: u128, line: Line) -> Sight {
    let instance = Some(Uuid::from_u128(instance));
    Sight { worker: WorkerId::new(name), instance, line, age_ms: 10, silent: false, metrics: Metrics::default() }
}

impl Bench {
    fn new() -> Bench {
        let now = Instant::now();
        let mut state = State::default();
        state.workers.insert(WorkerId::new("w"), worker(1));
        state.workers.insert(WorkerId::new("old"), worker(0));
        let mut bench = Bench { liveness: Liveness::new(DEADLINES, now), state, now, numbers: BTreeMap::new() };
        bench.pass(0);
        bench
    }

    fn digest(&mut self, node: NodeId, boot: u64, sights: &[Sight]) {
        let number = self.numbers.entry(node).or_default();
        *number += 1;
        self.liveness.hear(Digest { node, boot, number: *number, sights: sights.to_vec() }, self.now);
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 50 {
            self.now += Duration::from_millis(50);
            self.liveness.tick(&self.state, self.now);
        }
        self.liveness.tick(&self.state, self.now);
    }

    fn verdict(&self, name: &str) -> Verdict {
        self.liveness.verdict(&WorkerId::new(name), &self.state, self.now)
    }

    fn gone(&self, name: &str) -> bool {
        matches!(self.verdict(name), Verdict::Gone(_))
    }
}

#[test]
fn a_new_leader_gives_everybody_one_deadline() {
    let mut bench = Bench::new();
    bench.pass(1000);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(50);
    assert!(bench.gone("w"));
    assert_eq!(bench.verdict("old"), Verdict::Unknown, "its deadline is another");
    for _ in 0..14 {
        bench.pass(1000);
    }
    assert!(bench.gone("old"));
}

#[test]
fn one_that_is_heard_lives() {
    let mut bench = Bench::new();
    for _ in 0..10 {
        bench.digest(1, 1, &[sight("w", 1, Line::Agent)]);
        bench.pass(250);
        assert_eq!(bench.verdict("w"), Verdict::Alive);
    }
}

#[test]
fn a_socket_that_ends_means_gone_at_once() {
    let mut bench = Bench::new();
    bench.digest(2, 1, &[sight("w", 1, Line::Agent), sight("old", 1, Line::Frames)]);
    bench.digest(2, 1, &[]);
    assert_eq!(bench.verdict("w"), Verdict::Gone("its socket ended".into()));
    assert!(bench.gone("old"));
    bench.digest(1, 1, &[sight("w", 1, Line::Agent)]);
    assert_eq!(bench.verdict("w"), Verdict::Alive, "it has come back");
}

#[test]
fn a_socket_that_ends_while_another_is_live_means_nothing() {
    let mut bench = Bench::new();
    bench.digest(2, 1, &[sight("w", 1, Line::Agent)]);
    bench.digest(1, 1, &[sight("w", 1, Line::Agent)]);
    bench.digest(2, 1, &[]);
    assert_eq!(bench.verdict("w"), Verdict::Alive);
    bench.digest(1, 1, &[]);
    assert!(bench.gone("w"));
}

#[test]
fn the_socket_of_an_older_process_says_nothing_of_the_newer() {
    let mut bench = Bench::new();
    bench.digest(2, 1, &[sight("w", 7, Line::Agent)]);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.digest(2, 1, &[]);
    assert_eq!(bench.verdict("w"), Verdict::Unknown, "instance 7 is gone, 1 may come");
    bench.pass(1050);
    assert!(bench.gone("w"));
}

#[test]
fn silence_is_what_its_holder_finds() {
    let mut bench = Bench::new();
    let mut silent = sight("w", 1, Line::Agent);
    silent.silent = true;
    silent.age_ms = 1050;
    bench.digest(2, 1, &[silent.clone()]);
    assert_eq!(bench.verdict("w"), Verdict::Gone("not heard for 1050 ms".into()));
    bench.digest(3, 1, &[sight("w", 1, Line::Agent)]);
    assert_eq!(bench.verdict("w"), Verdict::Alive, "it came to another coordinator");
}

#[test]
fn workers_of_a_lost_coordinator_have_two_deadlines() {
    let mut bench = Bench::new();
    bench.pass(5000);
    bench.digest(2, 1, &[sight("w", 1, Line::Agent)]);
    bench.pass(1000);
    assert_eq!(bench.verdict("w"), Verdict::Alive);
    bench.pass(50);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(950);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(50);
    assert!(bench.gone("w"));
}

#[test]
fn a_coordinator_that_started_anew_has_not_lost_its_workers() {
    let mut bench = Bench::new();
    bench.pass(5000);
    bench.digest(2, 1, &[sight("w", 1, Line::Agent)]);
    bench.pass(500);
    bench.digest(2, 2, &[]);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(1450);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(50);
    assert!(bench.gone("w"), "two deadlines from the last digest of the old process");
}

#[test]
fn a_pause_of_the_leader_gives_everybody_one_deadline() {
    let mut bench = Bench::new();
    bench.pass(5000);
    bench.digest(2, 1, &[sight("w", 1, Line::Agent)]);
    bench.now += Duration::from_secs(30);
    bench.liveness.tick(&bench.state, bench.now);
    assert!(!bench.gone("w"));
    bench.pass(2000);
    assert!(!bench.gone("w"), "its coordinator has two deadlines from then on");
    bench.pass(50);
    assert!(bench.gone("w"));
}

#[test]
fn a_newly_registered_process_has_one_deadline_to_be_heard() {
    let mut bench = Bench::new();
    bench.pass(5000);
    assert!(bench.gone("w"));
    bench.state.workers.get_mut(&WorkerId::new("w")).expect("it is there").instance = Uuid::from_u128(2);
    bench.pass(0);
    bench.pass(1000);
    assert_eq!(bench.verdict("w"), Verdict::Unknown);
    bench.pass(50);
    assert!(bench.gone("w"));
}

#[test]
fn heartbeats_without_an_instance_count_for_the_registered_one() {
    let mut bench = Bench::new();
    let mut beat = sight("old", 1, Line::Rest);
    beat.instance = None;
    bench.digest(3, 1, &[beat]);
    assert_eq!(bench.verdict("old"), Verdict::Alive);
    bench.digest(3, 1, &[]);
    assert!(!bench.gone("old"), "a line of heartbeats has no end, only a silence");
}

#[test]
fn a_digest_that_comes_late_is_dropped() {
    let mut bench = Bench::new();
    let digest = |number, sights: &[Sight]| Digest { node: 2, boot: 1, number, sights: sights.to_vec() };
    bench.liveness.hear(digest(2, &[sight("w", 1, Line::Agent)]), bench.now);
    bench.liveness.hear(digest(1, &[]), bench.now);
    assert_eq!(bench.verdict("w"), Verdict::Alive);
}

#[test]
fn the_view_shows_each_worker_where_it_was_heard_last() {
    let mut bench = Bench::new();
    bench.digest(2, 1, &[sight("w", 1, Line::Agent)]);
    bench.pass(100);
    bench.digest(3, 1, &[sight("w", 1, Line::Agent)]);
    let fleet = bench.liveness.fleet(1, Sweep::default(), bench.now);
    assert_eq!(fleet.workers[&WorkerId::new("w")].home, 3);
    assert_eq!(fleet.coordinators[&2], 100);
}
