//! `rarog run` when something around it is broken: a sink's broker that is away, one that refuses, a run that was asleep.

use rarog_mqtt_tests::broker::signal;
use rarog_mqtt_tests::judge::{judge, wait_for_distinct};
use rarog_mqtt_tests::{Broker, Observer, Process, Publisher, Settings, program};
use std::path::Path;
use std::time::{Duration, Instant};

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(240);
const CONNECTED: &str = "(in): connected";

fn unhurried() -> Broker {
    Broker::with(&Settings { max_inflight: 0, ..Settings::default() })
}

fn start(directory: &Path, name: &str, path: &Path, options: &[&str]) -> Process {
    let path = path.to_str().expect("temporary paths are text");
    let mut process = Process::rarog(directory, name, &[&["run", path], options].concat());
    process.wait_for_stderr(CONNECTED, PATIENCE);
    process
}

fn publish(broker: &Broker, topic: &str, numbers: std::ops::Range<u64>) {
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in numbers {
        publisher.publish(topic, 1, program::reading(seq));
    }
    publisher.finish();
}

fn stop(mut process: Process) -> String {
    process.signal("TERM");
    let status = process.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    process.stderr()
}

/// Resident memory of a process, MiB.
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

/// The seed's program from one broker to another.
fn from_one_to_another(one: &Broker, other: &Broker) -> String {
    format!(
        "connector other = mqtt(host: \"127.0.0.1\", port: {})\n{}",
        other.port(),
        program::seed("one", one.port(), "in", "out").replace(".to(one,", ".to(other,")
    )
}

#[test]
fn a_sinks_broker_that_is_away_holds_the_source_back() {
    const COUNT: u64 = 100_000;
    let (one, mut other) = (unhurried(), unhurried());
    let path = program::write(one.directory(), "between", &from_one_to_another(&one, &other));
    let observer = Observer::subscribe(&other.uri(), "judge", "out", 1);
    let mut process = start(one.directory(), "run", &path, &[]);
    publish(&one, "in", 0..1000);
    wait_for_distinct(&observer, program::hot(1000), PATIENCE);
    let before = resident(&process);
    other.stop();
    process.wait_for_stderr("(out): not connected", PATIENCE);
    publish(&one, "in", 1000..COUNT);
    let meanwhile = resident(&process);
    other.launch();
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    let verdict = judge(&observer.seen(), COUNT);
    println!(
        "the sink's broker was away for {COUNT} readings: {verdict:?}, {before} MiB before, {meanwhile} MiB meanwhile"
    );
    assert!(meanwhile < before + 150, "{meanwhile} MiB");
    stop(process);
}

#[test]
fn a_stop_does_not_wait_for_a_broker_that_is_away() {
    let (one, mut other) = (unhurried(), unhurried());
    let path = program::write(one.directory(), "between", &from_one_to_another(&one, &other));
    let observer = Observer::subscribe(&other.uri(), "judge", "out", 1);
    let mut process = start(one.directory(), "run", &path, &[]);
    other.stop();
    process.wait_for_stderr("(out): not connected", PATIENCE);
    publish(&one, "in", 0..1000);
    let began = Instant::now();
    let said = stop(process);
    println!("stopped in {:.1?} while the sink's broker was away", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(20), "{said}");
    // Whatever was not delivered was not acknowledged.
    other.launch();
    let process = start(one.directory(), "again", &path, &[]);
    wait_for_distinct(&observer, program::hot(1000), PATIENCE);
    judge(&observer.seen(), 1000);
    stop(process);
}

#[test]
fn outputs_that_the_broker_refuses_become_dead_letters() {
    let rules = rarog_mqtt_tests::broker::fresh_directory();
    std::fs::write(rules.join("acl"), "topic readwrite in\ntopic read out\n").expect("it is writable");
    let acl = format!("acl_file {}", rules.join("acl").display());
    // Without a limit on queued messages, mosquitto 2.0.11 answers a refused publish by closing the connection.
    let broker =
        Broker::with(&Settings { lines: vec![acl, "max_queued_messages 100000".into()], ..Settings::default() });
    let path = program::write(broker.directory(), "seed", &program::seed("m", broker.port(), "in", "out"));
    let dead = broker.directory().join("dead.jsonl");
    let process = start(broker.directory(), "run", &path, &["--dead-letters", dead.to_str().expect("text")]);
    publish(&broker, "in", 0..30);
    let deadline = Instant::now() + PATIENCE;
    let letters = || std::fs::read_to_string(&dead).unwrap_or_default().lines().count();
    while letters() < program::hot(30) {
        assert!(Instant::now() < deadline, "{} letters\n{}", letters(), process.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = std::fs::read_to_string(&dead).expect("dead letters are written");
    assert!(text.lines().all(|line| line.contains("undeliverable") && line.contains("NotAuthorized")), "{text}");
    stop(process);
    let said = stop(start(broker.directory(), "again", &path, &[]));
    assert!(said.contains("in 0, "), "what caused them is acknowledged: {said}");
    drop(std::fs::remove_dir_all(rules));
}

#[test]
fn a_run_that_was_asleep_finds_that_another_has_taken_over() {
    const COUNT: u64 = 20_000;
    let broker = unhurried();
    let path = program::write(broker.directory(), "seed", &program::seed("m", broker.port(), "in", "out"));
    let observer = Observer::subscribe(&broker.uri(), "judge", "out", 1);
    let mut sleeper = start(broker.directory(), "sleeper", &path, &[]);
    publish(&broker, "in", 0..COUNT / 2);
    signal(sleeper.pid(), "STOP");
    let awake = start(broker.directory(), "awake", &path, &[]);
    publish(&broker, "in", COUNT / 2..COUNT);
    signal(sleeper.pid(), "CONT");
    let status = sleeper.wait(PATIENCE);
    assert_eq!(status.code(), Some(4), "{}", sleeper.stderr());
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    let verdict = judge(&observer.seen(), COUNT);
    println!("taken over while asleep, over {COUNT} readings: {verdict:?}, 0 lost");
    stop(awake);
}

#[test]
fn a_broker_that_hangs_for_a_while_costs_nothing() {
    const COUNT: u64 = 20_000;
    let broker = unhurried();
    let path = program::write(broker.directory(), "seed", &program::seed("m", broker.port(), "in", "out"));
    let observer = Observer::subscribe(&broker.uri(), "judge", "out", 1);
    let process = start(broker.directory(), "run", &path, &[]);
    let uri = broker.uri();
    let load = std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        let readings = (0..COUNT).map(|seq| program::reading(seq).into_bytes());
        publisher.publish_paced("in", 1, 10_000.0, readings);
        publisher.finish()
    });
    std::thread::sleep(Duration::from_millis(500));
    signal(broker.pid(), "STOP");
    std::thread::sleep(Duration::from_millis(1500));
    signal(broker.pid(), "CONT");
    load.join().expect("the load is published");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    assert_eq!(judge(&observer.seen(), COUNT).repeated, 0);
    stop(process);
}
