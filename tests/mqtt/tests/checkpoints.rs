//! Live runs with checkpoints: what windows hold survives kills, and what is repeated carries the same id.

use rarog_mqtt_tests::sums::{self, expected, reading, windows};
use rarog_mqtt_tests::{Broker, Observer, Process, Publisher, Settings, program};
use std::path::Path;
use std::time::{Duration, Instant};

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(240);
const CONNECTED: &str = "(in): connected";
/// The program on a connector of its own, as a file.
fn sums(broker: &Broker) -> std::path::PathBuf {
    let connector = format!("connector broker = mqtt(host: \"127.0.0.1\", port: {})\n", broker.port());
    program::write(broker.directory(), "sums", &(connector + &sums::program("broker", "in", "sums")))
}

fn start(broker: &Broker, name: &str, path: &Path) -> Process {
    let path = path.to_str().expect("temporary paths are text");
    let state = broker.directory().join("state");
    let state = state.to_str().expect("temporary paths are text");
    let options = ["run", path, "--checkpoint-dir", state, "--checkpoint-interval", "100ms"];
    let mut process = Process::rarog(broker.directory(), name, &options);
    process.wait_for_stderr(CONNECTED, PATIENCE);
    process
}

/// Waits until something is stored: a slow machine may be killed before that.
fn wait_for_a_checkpoint(broker: &Broker) {
    let folder = broker.directory().join("state").join("sums");
    let is_one = |path: &Path| path.extension().is_some_and(|extension| extension == "checkpoint");
    let stored = || std::fs::read_dir(&folder).is_ok_and(|files| files.flatten().any(|file| is_one(&file.path())));
    let began = Instant::now();
    while !stored() {
        assert!(began.elapsed() < PATIENCE, "no checkpoint in {}", folder.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn windows_are_right_whenever_the_run_is_killed() {
    const COUNT: u64 = 50_000;
    let broker = Broker::with(&Settings { max_inflight: 0, ..Settings::default() });
    let observer = Observer::subscribe(&broker.uri(), "judge", "sums", 1);
    let path = sums(&broker);
    let mut process = start(&broker, "run-0", &path);
    let uri = broker.uri();
    let load = std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        // One more that closes the last window of the others.
        publisher.publish_paced("in", 1, 8000.0, (0..=COUNT).map(reading));
        publisher.finish()
    });
    for (kill, pause) in (1..).zip([700, 1900, 1300]) {
        std::thread::sleep(Duration::from_millis(pause));
        wait_for_a_checkpoint(&broker);
        process.kill();
        process = start(&broker, &format!("run-{kill}"), &path);
        assert!(process.stderr().contains("goes on from checkpoint"), "{}", process.stderr());
    }
    assert_eq!(load.join().expect("the load is published"), 0, "no reading is published twice");
    let wanted = expected(COUNT);
    let all = observer.wait_until(PATIENCE, |seen| seen.len() >= wanted.len() && windows(seen).0.len() >= wanted.len());
    let (got, repeats) = windows(&observer.seen());
    println!("{COUNT} readings, 3 kills: {} windows, {repeats} repeated with the same id", got.len());
    assert!(all, "{} of {} windows", got.len(), wanted.len());
    assert_eq!(got, wanted);
}

#[test]
fn a_run_that_is_stopped_keeps_its_open_windows() {
    let broker = Broker::with(&Settings { max_inflight: 0, ..Settings::default() });
    let observer = Observer::subscribe(&broker.uri(), "judge", "sums", 1);
    let path = sums(&broker);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for (part, range) in [0..400, 400..1500, 1500..1501].into_iter().enumerate() {
        let mut process = start(&broker, &format!("run-{part}"), &path);
        publisher.publish_paced("in", 1, f64::INFINITY, range.map(|seq| reading(if seq == 1500 { 2000 } else { seq })));
        // A checkpoint shows that something was taken in. What was not is with the broker, and comes again.
        wait_for_a_checkpoint(&broker);
        // In the last part all windows are closed.
        if part == 2 {
            observer.wait_for(10, PATIENCE);
        }
        process.signal("TERM");
        let status = process.wait(PATIENCE);
        let said = process.stderr();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("kept in the checkpoint") && !said.contains("discarded"), "{said}");
    }
    publisher.finish();
    observer.settle(Duration::from_millis(300));
    assert_eq!(windows(&observer.seen()), (expected(1500), 0));
}

#[test]
fn a_file_goes_into_a_file_once_whatever_is_killed() {
    let broker = Broker::start();
    let directory = broker.directory();
    let lines: String = (0..40_000).map(|seq| String::from_utf8(reading(seq)).expect("JSON") + "\n").collect();
    std::fs::write(directory.join("in.jsonl"), lines).expect("the directory is writable");
    let text = r#"connector here = file(path: "IN/in.jsonl")
connector there = file(path: "IN/out.jsonl")
event Reading:
    k: str
    v: int
    ts: timestamp
stream Sums = Reading
    .from(here, timestamp: "ts")
    .partition_by(k)
    .window(1s)
    .aggregate(k: k, n: count(), total: sum(v))
    .to(there)
"#;
    let path = program::write(directory, "files", &text.replace("IN", directory.to_str().expect("text")));
    let path = path.to_str().expect("text");
    let output = directory.join("out.jsonl");
    let run = |options: &[&str]| Process::rarog(directory, "run", &[&["run", path][..], options].concat());
    let mut whole = run(&[]);
    assert_eq!(whole.wait(PATIENCE).code(), Some(0), "{}", whole.stderr());
    let wanted = std::fs::read_to_string(&output).expect("there are results");
    std::fs::remove_file(&output).expect("it is ours");
    let state = directory.join("state");
    let mut processes = 0;
    loop {
        let mut piece =
            run(&["--checkpoint-dir", state.to_str().expect("text"), "--checkpoint-cut", "--batch-rows", "4000"]);
        processes += 1;
        match piece.wait(PATIENCE).code() {
            Some(86) => {}
            code => {
                assert_eq!(code, Some(0), "{}", piece.stderr());
                break;
            }
        }
    }
    assert!(processes > 1, "it was cut");
    assert_eq!(std::fs::read_to_string(&output).expect("there are results"), wanted);
    assert_eq!(wanted.lines().count(), 200);
}
