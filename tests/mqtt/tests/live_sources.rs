//! `rarog run` live on several kinds of sources: who falls silent, timers, files, generators, subscriptions that overlap.

use rarog_mqtt_tests::broker::fresh_directory;
use rarog_mqtt_tests::{Broker, Observer, Process, Publisher, Settings, program};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(240);

/// A directory that goes at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        Directory(fresh_directory())
    }

    fn run(&self, text: &str, options: &[&str]) -> Process {
        let path = program::write(&self.0, "program", text);
        Process::rarog(&self.0, "run", &[&["run", path.to_str().expect("text")], options].concat())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn run(broker: &Broker, text: &str, options: &[&str]) -> Process {
    let path = program::write(broker.directory(), "program", text);
    let mut process =
        Process::rarog(broker.directory(), "run", &[&["run", path.to_str().expect("text")], options].concat());
    process.wait_for_stderr("(in): connected", PATIENCE);
    process
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits until standard output has `count` lines.
fn wait_for_lines(process: &Process, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    while process.stdout().lines().count() < count {
        assert!(Instant::now() < deadline, "{}\n{}", process.stdout(), process.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
    lines(&process.stdout())
}

/// Waits until standard output contains a text.
fn wait_for_text(process: &Process, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !process.stdout().contains(text) {
        assert!(Instant::now() < deadline, "{}\n{}", process.stdout(), process.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as u64
}

fn ended(mut process: Process) -> String {
    let status = process.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    process.stderr()
}

fn stop(process: Process) -> String {
    process.signal("TERM");
    ended(process)
}

fn write(path: &Path, lines: &[String]) {
    std::fs::write(path, lines.join("\n") + "\n").expect("the temporary directory is writable");
}

#[test]
fn a_window_closes_when_its_source_falls_silent() {
    let broker = Broker::start();
    let text = format!(
        r#"connector broker = mqtt(host: "127.0.0.1", port: {})
event Reading:
    value: int
    ts: timestamp
stream Sums = Reading
    .from(broker, topic: "in", timestamp: "ts")
    .watermark(out_of_order: 100ms, idle: 300ms)
    .window(1s)
    .aggregate(total: sum(value), n: count())
    .emit(total, n)
stream Hours = Reading
    .window(1000h)
    .aggregate(n: count())
    .emit(n)
"#,
        broker.port()
    );
    let process = run(&broker, &text, &[]);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    // All in the second that has just begun.
    let second = now_ms() / 1000 * 1000;
    for value in 1..=3 {
        publisher.publish("in", 1, format!(r#"{{"event_type":"Reading","value":{value},"ts":{}}}"#, second + value));
    }
    publisher.finish();
    let results = wait_for_lines(&process, 1);
    assert_eq!((&results[0]["data"]["total"], &results[0]["data"]["n"]), (&Value::from(6), &Value::from(3)));
    // What is open at a stop is neither decided nor forgotten to be said.
    let said = stop(process);
    assert!(said.contains("in 3, out 1, late 0, dead 0") && said.contains("1 open window discarded"), "{said}");
}

#[test]
fn timers_follow_the_wall_clock() {
    let directory = Directory::new();
    let began = Instant::now();
    let process = directory.run("stream Ticks = timer(50ms)\n    .emit(n: tick, at: timestamp)\n", &[]);
    let ticks = wait_for_lines(&process, 10);
    let taken = began.elapsed();
    let number = |tick: &Value, field: &str| tick["data"][field].as_i64().expect("an integer");
    for (index, pair) in ticks.windows(2).enumerate() {
        assert_eq!(number(&pair[0], "n"), index as i64);
        assert_eq!(number(&pair[1], "at") - number(&pair[0], "at"), 50);
    }
    assert!(taken >= Duration::from_millis(450), "ten ticks in {taken:?}");
    println!("ten ticks of 50 ms, with the start of the process, in {taken:?}");
    stop(process);
}

#[test]
fn a_file_ends_and_with_it_the_run() {
    let broker = Broker::start();
    let input = broker.directory().join("events.jsonl");
    let event = |n: u32| {
        format!(r#"{{"event_type":"Reading","value":{n},"ts":{}}}"#, 1_700_000_000_000_u64 + u64::from(n) * 10)
    };
    write(&input, &(0..1000).map(event).collect::<Vec<_>>());
    let text = format!(
        r#"connector broker = mqtt(host: "127.0.0.1", port: {})
connector events = file(path: "{}")
event Reading:
    value: int
    ts: timestamp
stream Sums = Reading
    .from(events)
    .window(1s)
    .aggregate(n: count())
    .to(broker, topic: "sums")
"#,
        broker.port(),
        input.display()
    );
    let observer = Observer::subscribe(&broker.uri(), "judge", "sums", 1);
    let run = || {
        let path = program::write(broker.directory(), "program", &text);
        ended(Process::rarog(broker.directory(), "run", &["run", path.to_str().expect("text")]))
    };
    let said = run();
    observer.wait_for(10, PATIENCE);
    assert!(said.contains("in 1000, out 10, late 0, dead 0"), "{said}");
    run();
    observer.wait_for(20, PATIENCE);
    let seen = observer.seen();
    let total: u64 = seen[..10].iter().map(|seen| seen.json()["n"].as_u64().expect("a count")).sum();
    assert_eq!(total, 1000, "the end of the file decides the last window");
    let ids = |range: std::ops::Range<usize>| seen[range].iter().map(|seen| seen.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(0..10), ids(10..20), "the same windows have the same ids");
    let distinct: std::collections::BTreeSet<_> = ids(0..10).into_iter().collect();
    assert_eq!(distinct.len(), 10);
}

#[test]
fn generated_readings_go_into_a_file() {
    let directory = Directory::new();
    let output = directory.0.join("out.jsonl");
    let text = format!(
        r#"connector load = generator(count: 5000, seed: 3, keys: 10)
connector out = file(path: "{}")
event SensorReading:
    sensor_id: str
    temperature: float
    seq: int
stream Hot = SensorReading
    .from(load)
    .where(temperature > 50.0)
    .to(out)
"#,
        output.display()
    );
    let said = ended(directory.run(&text, &[]));
    assert!(said.contains("in 5000, "), "{said}");
    let written = lines(&std::fs::read_to_string(&output).expect("the file is written"));
    assert!(said.contains(&format!("out {}, ", written.len())), "{said}");
    assert!(written.len() > 1000 && written.len() < 4500);
    assert!(written.iter().all(|record| record["temperature"].as_f64().is_some_and(|t| t > 50.0)));
    let seqs: Vec<i64> = written.iter().map(|record| record["seq"].as_i64().expect("an integer")).collect();
    assert!(seqs.is_sorted());
}

#[test]
fn subscriptions_that_overlap_share_records_and_clocks() {
    let broker = Broker::start();
    let text = format!(
        r#"connector broker = mqtt(host: "127.0.0.1", port: {})
event Order:
    n: int
    ts: timestamp
event Payment:
    n: int
    ts: timestamp
stream Orders = Order
    .from(broker, topic: "shop/#")
    .window(1s)
    .aggregate(n: count())
    .emit(n)
stream Payments = Payment
    .from(broker, topic: "shop/pay")
    .window(1s)
    .aggregate(n: count())
    .emit(n)
stream Last = Order
    .where(n == 299)
    .emit(n)
"#,
        broker.port()
    );
    let process = run(&broker, &text, &[]);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    let base = now_ms() - 100_000;
    for n in 0..300_u64 {
        let event = if n % 3 == 0 { "Payment" } else { "Order" };
        let topic = if n % 3 == 0 { "shop/pay" } else { "shop/order" };
        publisher.publish(topic, 1, format!(r#"{{"event_type":"{event}","n":{n},"ts":{}}}"#, base + n * 100));
    }
    publisher.finish();
    // Thirty seconds of event time, none of wall time: only clocks close windows, those of both sources.
    // The last order comes out beside what its time closes: from then on nothing is under way.
    wait_for_text(&process, "\"Last\"");
    let results = wait_for_lines(&process, 57);
    let of = |event: &str| -> i64 {
        let of_event = results.iter().filter(|result| result["event_type"] == event);
        of_event.map(|result| result["data"]["n"].as_i64().expect("a count")).sum()
    };
    assert!(of("Orders") >= 180 && of("Payments") >= 90, "{} orders, {} payments", of("Orders"), of("Payments"));
    let said = stop(process);
    assert!(said.contains("in 300, ") && said.contains("late 0"), "{said}");
}

#[test]
fn messages_of_an_earlier_runs_subscription_are_acknowledged_and_counted() {
    let broker = Broker::start();
    let text = |topic: &str| program::seed("broker", broker.port(), topic, "out");
    drop(run(&broker, &text("old"), &[]));
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..10 {
        publisher.publish("old", 1, program::reading(seq));
    }
    publisher.finish();
    let process = run(&broker, &text("new"), &[]);
    let observer = Observer::subscribe(&broker.uri(), "judge", "out", 1);
    publisher.publish("new", 1, program::reading(0));
    publisher.finish();
    observer.wait_for(1, PATIENCE);
    let said = stop(process);
    assert!(said.contains("in 1, out 1") && said.contains("10 messages of subscriptions"), "{said}");
    let said = stop(run(&broker, &text("old"), &[]));
    assert!(said.contains("in 0, "), "{said}");
}

#[test]
fn a_live_program_without_a_sink_prints_what_it_puts_out() {
    let broker = Broker::start();
    let text = format!(
        r#"connector broker = mqtt(url: "mqtt://127.0.0.1:{}", qos: 0)
stream Hot = SensorReading
    .from(broker, topic: "in/+")
    .where(temperature > 50)
    .emit(seq)
"#,
        broker.port()
    );
    let process = run(&broker, &text, &[]);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..4 {
        publisher.publish("in/a", 0, program::reading(seq));
    }
    publisher.publish("in/SensorReading", 1, r#"{"temperature":99,"seq":77}"#);
    publisher.finish();
    let results = wait_for_lines(&process, program::hot(4) + 1);
    let last = results.last().expect("there are results");
    assert_eq!((&last["event_type"], &last["data"]["seq"]), (&Value::from("Hot"), &Value::from(77)));
    let said = stop(process);
    assert!(said.contains("with qos 0 messages that are on their way"), "{said}");
}

#[test]
fn a_program_that_nothing_comes_into_is_refused() {
    let directory = Directory::new();
    let mut process = directory.run("stream S = E\n    .emit(n: 1)\n", &[]);
    assert_eq!(process.wait(PATIENCE).code(), Some(2), "{}", process.stderr());
    assert!(process.stderr().contains("--input"), "{}", process.stderr());
}

#[test]
fn a_password_opens_the_broker_and_a_wrong_one_is_named() {
    let user = ("falcon".to_owned(), "fire".to_owned());
    let broker = Broker::with(&Settings { user: Some(user), ..Settings::default() });
    let text = |password: &str| {
        let text = program::seed("broker", broker.port(), "in", "out");
        text.replace("mqtt(", &format!("mqtt(username: \"falcon\", password: \"{password}\", client_id: \"mine\", "))
    };
    stop(run(&broker, &text("fire"), &[]));
    assert!(broker.log().contains("as mine-rarog-program-broker-src"), "{}", broker.log());
    let path = program::write(broker.directory(), "wrong", &text("ice"));
    let arguments = ["run", path.to_str().expect("text"), "--connect-timeout", "300ms"];
    let mut process = Process::rarog(broker.directory(), "wrong", &arguments);
    assert_eq!(process.wait(PATIENCE).code(), Some(3), "{}", process.stderr());
    assert!(process.stderr().contains("refused the connection"), "{}", process.stderr());
}
