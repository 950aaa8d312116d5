//! Standard streams of a run that does not end by itself: a reader that goes away, a signal.

use crate::checkout;
use crate::process::{self, LIMIT, drain, finish};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::thread;

fn start(args: &[&str]) -> Child {
    process::start(checkout(), &args.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("it starts")
}

const READING: &str =
    "{\"type\":\"Reading\",\"at\":\"2026-01-01T08:00:35Z\",\"sensor\":\"s1\",\"room\":\"r\",\"celsius\":61.5}\n";

/// Feeds readings until the pipe is closed.
fn feed(child: &mut Child) {
    let mut stdin = child.stdin.take().expect("stdin is piped");
    thread::spawn(move || while stdin.write_all(READING.repeat(100).as_bytes()).is_ok() {});
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let mut child = start(&["run", "examples/hot.vpl", "--input", "-"]);
    feed(&mut child);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a result");
    assert!(line.contains("\"Hot\""), "{line}");
    drop(lines);
    let (send, nothing) = channel();
    send.send(Vec::new()).expect("the receiver is here");
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let finished = finish(child, "run", &nothing, &stderr).expect("it ends").exits(0);
    assert!(!finished.stderr.contains("panicked") && !finished.stderr.contains("rror"), "{}", finished.stderr);
}

#[test]
fn nobody_has_to_read_what_is_said_on_stderr() {
    let mut child = start(&["run", "examples/hot.vpl", "--input", "-"]);
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(format!("{READING}no JSON\n{READING}").as_bytes()).expect("the run reads");
    drop(stdin);
    let (send, nothing) = channel();
    send.send(Vec::new()).expect("the receiver is here");
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let finished = finish(child, "run", &stdout, &nothing).expect("it ends").exits(0);
    assert_eq!(finished.stdout.lines().filter(|line| line.contains("\"Hot\"")).count(), 2, "{}", finished.stdout);
}

#[test]
fn a_reader_of_events_that_goes_away_ends_generate_quietly() {
    let mut child = start(&["generate", "--rate", "100000"]);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
    lines.read_line(&mut String::new()).expect("an event");
    drop(lines);
    let (send, nothing) = channel();
    send.send(Vec::new()).expect("the receiver is here");
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let finished = finish(child, "generate", &nothing, &stderr).expect("it ends").exits(0);
    assert_eq!(finished.stderr, "");
}

#[test]
fn a_signal_ends_a_run_with_its_summary() {
    for signal in ["-INT", "-TERM"] {
        let mut child = start(&["run", "examples/hot.vpl", "--input", "-"]);
        feed(&mut child);
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a result");
        let stdout = drain(stdout);
        let stderr = drain(child.stderr.take().expect("stderr is piped"));
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is there");
        assert!(killed.success());
        let finished = finish(child, "run", &stdout, &stderr).expect("it ends").exits(0);
        let finished = finished.says(&["out ", "1 open window discarded"]);
        assert!(!finished.stdout.contains("\"Rooms\""), "an open window is counted, not put out: {}", finished.stderr);
    }
}

#[test]
fn results_of_a_slow_input_come_at_once() {
    let mut child = start(&["run", "examples/hot.vpl", "--input", "-"]);
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(READING.as_bytes()).expect("it reads");
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let (send, first) = channel();
    let rest = thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        drop(stdout.read_line(&mut line));
        drop(send.send(line));
        drain(stdout)
    });
    // The input is still open: the result must not wait for its end.
    let line = first.recv_timeout(LIMIT).expect("a result while the input is open");
    assert!(line.contains("\"Hot\""), "{line}");
    drop(stdin);
    let stdout = rest.join().expect("the reader does not panic");
    let finished = finish(child, "run", &stdout, &stderr).expect("it ends").exits(0);
    assert_eq!(finished.stdout, "", "one reading is no result of Rooms");
}
