//! `rarog run` against a real broker: what comes in goes out, whatever is killed meanwhile.

use rarog_mqtt_tests::judge::{Distinct, judge, seq, wait_for_distinct};
use rarog_mqtt_tests::{Broker, Observer, Process, Publisher, Settings, program};
use std::path::Path;
use std::time::{Duration, Instant};

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(240);
const CONNECTED: &str = "(in): connected";

/// Starts a program under its file's name, and waits until it is subscribed.
fn start(broker: &Broker, name: &str, path: &Path, options: &[&str]) -> Process {
    let path = path.to_str().expect("temporary paths are text");
    let mut process = Process::rarog(broker.directory(), name, &[&["run", path], options].concat());
    process.wait_for_stderr(CONNECTED, PATIENCE);
    process
}

/// A broker that lets many messages be under way.
fn unhurried() -> Broker {
    Broker::with(&Settings { max_inflight: 0, ..Settings::default() })
}

fn seed(broker: &Broker) -> std::path::PathBuf {
    let text = program::seed("mqtt_1", broker.port(), "e2e/input/1", "e2e/output");
    program::write(broker.directory(), "seed", &text)
}

fn observe(broker: &Broker) -> Observer {
    Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1)
}

/// Publishes readings on a thread of its own.
fn publish(broker: &Broker, count: u64, rate: f64) -> std::thread::JoinHandle<u64> {
    let uri = broker.uri();
    std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        publisher.publish_paced("e2e/input/1", 1, rate, (0..count).map(|seq| program::reading(seq).into_bytes()));
        publisher.finish()
    })
}

/// Stops a run by SIGTERM: it ends well and says what it has done.
fn stop(mut process: Process) -> String {
    process.signal("TERM");
    let status = process.wait(PATIENCE);
    let said = process.stderr();
    assert_eq!(status.code(), Some(0), "{said}");
    said
}

#[test]
fn the_seeds_program_sends_what_it_always_sent() {
    let broker = Broker::start();
    let observer = observe(&broker);
    let process = start(&broker, "seed", &seed(&broker), &[]);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    let payload = |temperature: &str, seq: u32| {
        format!(r#"{{"event_type":"SensorReading","sensor_id":"s1","temperature":{temperature},"seq":{seq}}}"#)
    };
    publisher.publish("e2e/input/1", 0, payload("60", 1));
    publisher.publish("e2e/input/1", 1, payload("50", 2));
    publisher.publish("e2e/input/1", 1, payload("50.5", 3));
    publisher.finish();
    observer.wait_for(2, PATIENCE);
    let texts: Vec<String> = observer.seen().iter().map(|seen| String::from_utf8_lossy(&seen.payload).into()).collect();
    for (text, rest) in texts.iter().zip([r#","temperature":60.0,"seq":1}"#, r#","temperature":50.5,"seq":3}"#]) {
        let begin = r#"{"event_type":"HighTemp","timestamp":"20"#;
        assert!(text.starts_with(begin) && text.contains(r#"Z","sensor_id":"s1""#) && text.ends_with(rest), "{text}");
    }
    let said = stop(process);
    assert!(said.contains("in 3, out 2, late 0, dead 0"), "{said}");
}

/// Kills a run at random moments and starts it again, so many times; the last one runs on.
fn kill_again_and_again(broker: &Broker, path: &Path, kills: u64, pauses: std::ops::Range<u64>) -> Process {
    let mut process = start(broker, "run-0", path, &[]);
    // The same moments in each run of the test, but for the machine's pace.
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for kill in 1..=kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = pauses.start + (random >> 40) % (pauses.end - pauses.start);
        std::thread::sleep(Duration::from_millis(pause));
        process.kill();
        process = start(broker, &format!("run-{kill}"), path, &[]);
    }
    process
}

#[test]
fn a_run_that_is_killed_again_and_again_loses_nothing() {
    const COUNT: u64 = 200_000;
    const KILLS: u64 = 5;
    let broker = unhurried();
    let (observer, path) = (observe(&broker), seed(&broker));
    drop(start(&broker, "session", &path, &[]));
    let began = Instant::now();
    let load = publish(&broker, COUNT, f64::INFINITY);
    let process = kill_again_and_again(&broker, &path, KILLS, 300..1500);
    assert_eq!(load.join().expect("the load is published"), 0, "no reading is published twice");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    let taken = began.elapsed();
    observer.settle(Duration::from_millis(500));
    let verdict = judge(&observer.seen(), COUNT);
    println!("{COUNT} readings, {KILLS} kills, {taken:.1?}: {verdict:?}, 0 lost, repeats carry the same id");
    let said = stop(process);
    assert!(!said.contains("not confirmed"), "{said}");
    assert_nothing_is_left(&broker, &path);
}

#[test]
fn a_run_that_is_killed_over_a_backlog_loses_nothing() {
    const COUNT: u64 = 60_000;
    const KILLS: u64 = 8;
    let broker = unhurried();
    let (observer, path) = (observe(&broker), seed(&broker));
    drop(start(&broker, "session", &path, &[]));
    publish(&broker, COUNT, f64::INFINITY).join().expect("the load is published");
    let process = kill_again_and_again(&broker, &path, KILLS, 20..400);
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(500));
    let verdict = judge(&observer.seen(), COUNT);
    println!("a backlog of {COUNT} readings, {KILLS} kills: {verdict:?}, 0 lost, repeats carry the same id");
    stop(process);
    assert_nothing_is_left(&broker, &path);
}

/// A further run gets nothing: everything was acknowledged.
fn assert_nothing_is_left(broker: &Broker, path: &Path) {
    let process = start(broker, "rest", path, &[]);
    let quiet = Observer::subscribe(&broker.uri(), "second-judge", "e2e/output", 1);
    quiet.settle(Duration::from_millis(500));
    let said = stop(process);
    assert!(said.contains("in 0, out 0, "), "{said}");
}

#[test]
fn a_broker_that_restarts_costs_nothing() {
    const COUNT: u64 = 40_000;
    let mut broker = Broker::start();
    let (observer, path) = (observe(&broker), seed(&broker));
    let process = start(&broker, "run", &path, &[]);
    let load = publish(&broker, COUNT, 10_000.0);
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(900));
        broker.stop();
        broker.launch();
    }
    let again = load.join().expect("the load is published");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(500));
    let seen = observer.seen();
    // The load itself may come twice over a restart, under another packet id.
    let distinct: Vec<u64> = (0..COUNT).filter(|seq| program::is_hot(*seq)).collect();
    let mut numbers: Vec<u64> = seen.iter().map(seq).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, distinct);
    let said = stop(process);
    println!("{COUNT} readings, 2 broker restarts: 0 lost, {} outputs, {again} readings published again", seen.len());
    println!("{}", said.trim_end());
    assert_nothing_is_left(&broker, &path);
}

#[test]
fn messages_that_cannot_be_used_become_dead_letters_and_hold_nobody_up() {
    let broker = Broker::start();
    let (observer, path) = (observe(&broker), seed(&broker));
    let dead = broker.directory().join("dead.jsonl");
    let process = start(&broker, "run", &path, &["--dead-letters", dead.to_str().expect("text")]);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    let padded = |seq: u64, bytes: usize| {
        let pad = "x".repeat(bytes);
        format!(r#"{{"event_type":"SensorReading","temperature":60,"seq":{seq},"sensor_id":"s","pad":"{pad}"}}"#)
    };
    let messages: Vec<String> = vec![
        padded(0, 10),
        padded(1, 11_000),
        r#"{"event_type":"SensorReading","temperature":"#.into(),
        padded(2, 900_000),
        padded(3, 2_000_000),
        "[1, 2]".into(),
        String::new(),
        r#"{"event_type":"SensorReading","temperature":"hot","seq":9}"#.into(),
        padded(4, 10),
    ];
    for message in messages {
        publisher.publish("e2e/input/1", 1, message);
    }
    publisher.finish();
    observer.wait_for(4, PATIENCE);
    let numbers: Vec<u64> = observer.seen().iter().map(seq).collect();
    assert_eq!(numbers, [0, 1, 2, 4]);
    let said = stop(process);
    assert!(said.contains("in 9, out 4, late 0, dead 5"), "{said}");
    let text = std::fs::read_to_string(&dead).expect("dead letters are written");
    let reason = |line: &str| {
        let letter: serde_json::Value = serde_json::from_str(line).expect("a dead letter is JSON");
        assert_eq!((letter["connector"].as_str(), letter["topic"].as_str()), (Some("mqtt_1"), Some("e2e/input/1")));
        letter["reason"].as_str().expect("a dead letter has a reason").to_owned()
    };
    let reasons: Vec<String> = text.lines().map(reason).collect();
    assert_eq!(reasons, ["bad_json", "too_large", "not_object", "bad_json", "bad_field"]);
    println!("11 kB and 900 kB pass; 2 MB and malformed messages become dead letters: {reasons:?}");
    assert_nothing_is_left(&broker, &path);
}

#[test]
fn programs_that_share_a_connector_do_not_disturb_each_other() {
    const COUNT: u64 = 5000;
    let broker = Broker::start();
    let write = |name: &str| {
        let text = program::seed("mqtt_1", broker.port(), "e2e/input/1", &format!("e2e/output/{name}"));
        program::write(broker.directory(), name, &text)
    };
    let paths = [write("first"), write("second"), write("third")];
    let [a, b, c] = &paths;
    let observers = ["first", "second", "third"]
        .map(|name| Observer::subscribe(&broker.uri(), name, &format!("e2e/output/{name}"), 1));
    // Two in one process, one beside them.
    let arguments = ["run", a.to_str().expect("text"), b.to_str().expect("text")];
    let mut both = Process::rarog(broker.directory(), "both", &arguments);
    both.wait_for_stderr("first: 127.0.0.1", PATIENCE);
    both.wait_for_stderr("second: 127.0.0.1", PATIENCE);
    let alone = start(&broker, "alone", c, &[]);
    for name in ["first", "second"] {
        both.wait_for_stderr(&format!("{name}: 127.0.0.1:{} {CONNECTED}", broker.port()), PATIENCE);
    }
    publish(&broker, COUNT, f64::INFINITY).join().expect("the load is published");
    for observer in &observers {
        observer.wait_for(program::hot(COUNT), PATIENCE);
        observer.settle(Duration::from_millis(200));
        assert_eq!(judge(&observer.seen(), COUNT).repeated, 0);
    }
    for process in [both, alone] {
        let said = stop(process);
        assert!(said.contains(&format!("in {COUNT}, out {}", program::hot(COUNT))), "{said}");
    }
}

#[test]
fn a_second_run_of_a_name_takes_over_and_the_first_ends_with_code_4() {
    const COUNT: u64 = 20_000;
    let broker = Broker::start();
    let (observer, path) = (observe(&broker), seed(&broker));
    let mut first = start(&broker, "first", &path, &["--name", "mine"]);
    let load = publish(&broker, COUNT, 5000.0);
    observer.wait_for(500, PATIENCE);
    let second = start(&broker, "second", &path, &["--name", "mine"]);
    let status = first.wait(PATIENCE);
    let said = first.stderr();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("is used by another client") && said.contains("rarog-mine-"), "{said}");
    load.join().expect("the load is published");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    let verdict = judge(&observer.seen(), COUNT);
    println!("taken over in the middle of {COUNT} readings: {verdict:?}, 0 lost; the loser said:\n{}", said.trim_end());
    stop(second);
}

#[test]
fn a_broker_that_is_not_there_is_waited_for_unless_there_is_a_limit() {
    let mut broker = Broker::start();
    let path = seed(&broker);
    broker.stop();
    let path_text = path.to_str().expect("text");
    let arguments = ["run", path_text, "--connect-timeout", "500ms"];
    let mut hasty = Process::rarog(broker.directory(), "hasty", &arguments);
    assert_eq!(hasty.wait(PATIENCE).code(), Some(3), "{}", hasty.stderr());
    assert!(hasty.stderr().contains("no connection to 127.0.0.1"), "{}", hasty.stderr());
    let mut patient = Process::rarog(broker.directory(), "patient", &["run", path_text]);
    patient.wait_for_stderr("not connected, trying again", PATIENCE);
    broker.launch();
    patient.wait_for_stderr(CONNECTED, PATIENCE);
    stop(patient);
}

#[test]
fn a_stop_finishes_what_is_under_way_and_keeps_the_rest_at_the_broker() {
    const COUNT: u64 = 30_000;
    let broker = unhurried();
    let (observer, path) = (observe(&broker), seed(&broker));
    drop(start(&broker, "session", &path, &[])); // makes the session
    publish(&broker, COUNT, f64::INFINITY).join().expect("the load is published");
    let (mut distinct, mut runs, mut left) = (Distinct::default(), 0, 0);
    loop {
        // One look decides both whether a further run is needed and what it has to add: what comes in between is not waited for.
        let seen = observer.seen();
        if distinct.count(&seen) == program::hot(COUNT) {
            break;
        }
        assert!(runs < 50, "the runs get nowhere");
        let process = start(&broker, &format!("run-{runs}"), &path, &[]);
        let more = observer.wait_until(PATIENCE, |now| now.len() > seen.len());
        assert!(more, "run {runs} adds nothing to {} outputs:\n{}", seen.len(), process.stderr());
        let said = stop(process);
        // A machine may be too busy to finish in the time that a stop has. Then the run says what it has left.
        left += ["outputs are not confirmed", "messages are not acknowledged"]
            .map(|what| number_before(&said, what))
            .iter()
            .sum::<usize>();
        runs += 1;
    }
    observer.settle(Duration::from_millis(300));
    let verdict = judge(&observer.seen(), COUNT);
    println!("{COUNT} readings in {runs} runs, each stopped in the middle, {left} left: {verdict:?}");
    assert!(verdict.repeated <= left, "what was finished comes again: {verdict:?}, {left} left");
}

/// The number that stands before `what` in a run's summary; 0 if it says nothing of it.
fn number_before(said: &str, what: &str) -> usize {
    let line = said.lines().find(|line| line.contains(what));
    line.and_then(|line| line.split_whitespace().next())
        .map_or(0, |number| number.parse().expect("a count stands there"))
}

#[test]
fn a_run_that_forgets_begins_anew() {
    let broker = Broker::start();
    let (observer, path) = (observe(&broker), seed(&broker));
    drop(start(&broker, "session", &path, &[]));
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    publisher.publish("e2e/input/1", 1, program::reading(0));
    publisher.finish();
    let process = start(&broker, "run", &path, &["--forget"]);
    publisher.publish("e2e/input/1", 1, program::reading(0));
    publisher.finish();
    observer.wait_for(1, PATIENCE);
    observer.settle(Duration::from_millis(300));
    assert_eq!(observer.count(), 1, "what was kept for the name is gone");
    stop(process);
}

#[test]
fn a_run_on_several_threads_acknowledges_and_loses_nothing() {
    const COUNT: u64 = 20_000;
    let broker = unhurried();
    let (observer, path) = (observe(&broker), seed(&broker));
    let mut process = start(&broker, "killed", &path, &["--workers", "2"]);
    let load = publish(&broker, COUNT, 20_000.0);
    observer.wait_for(1000, PATIENCE);
    process.kill();
    let process = start(&broker, "run", &path, &["--workers", "2"]);
    load.join().expect("the load is published");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    println!("on two threads, killed once, {COUNT} readings: {:?}", judge(&observer.seen(), COUNT));
    stop(process);
    assert_nothing_is_left(&broker, &path);
}

#[test]
fn one_of_several_programs_that_fails_leaves_the_others_alone() {
    let broker = Broker::start();
    let write = |name: &str| {
        let text = program::seed("mqtt_1", broker.port(), "e2e/input/1", &format!("e2e/output/{name}"));
        program::write(broker.directory(), name, &text)
    };
    let (a, b) = (write("first"), write("second"));
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output/second", 1);
    let mut both =
        Process::rarog(broker.directory(), "both", &["run", a.to_str().expect("text"), b.to_str().expect("text")]);
    for name in ["first", "second"] {
        both.wait_for_stderr(&format!("{name}: 127.0.0.1:{} {CONNECTED}", broker.port()), PATIENCE);
    }
    let thief = start(&broker, "thief", &a, &[]);
    both.wait_for_stderr("first: client id `rarog-first-", PATIENCE);
    publish(&broker, 100, f64::INFINITY).join().expect("the load is published");
    observer.wait_for(program::hot(100), PATIENCE);
    both.signal("TERM");
    assert_eq!(both.wait(PATIENCE).code(), Some(4), "{}", both.stderr());
    stop(thief);
}
