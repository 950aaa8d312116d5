//! `generate`: the same events for the same arguments, into a file or on stdout.

use crate::scratch::Scratch;
use crate::{rarog, rarog_with};
use serde_json::Value;

#[test]
fn events_follow_from_the_arguments() {
    for set in ["readings", "sensors", "ticks", "auth", "clicks", "orders"] {
        let first = rarog(&["generate", set, "--count", "50"]).exits(0).stdout;
        assert_eq!(first, rarog(&["generate", set, "--count", "50"]).stdout, "{set}");
        assert_ne!(first, rarog(&["generate", set, "--count", "50", "--seed", "99"]).stdout, "{set}");
        assert_eq!(first.lines().count(), 50);
        for line in first.lines() {
            let event: Value = serde_json::from_str(line).expect("a line is JSON");
            assert!(event["type"].is_string() || event["event_type"].is_string(), "{line}");
        }
    }
}

#[test]
fn a_file_takes_what_stdout_would() {
    let scratch = Scratch::new("generate");
    let path = scratch.path("clicks.jsonl");
    let finished = rarog(&["generate", "clicks", "--count", "20", "--output", &path]).exits(0);
    assert_eq!(finished.stdout, "");
    assert_eq!(scratch.read("clicks.jsonl"), rarog(&["generate", "clicks", "--count", "20"]).stdout);
}

/// As the help shows it.
#[test]
fn what_is_generated_runs_through_the_example() {
    let readings = rarog(&["generate", "readings", "--count", "3000"]).exits(0).stdout;
    let run = rarog_with(&["run", "examples/sensors.vpl", "--input", "-"], &readings).exits(0).says(&["in 3000"]);
    assert!(
        run.stdout.contains(r#""event_type":"Hot""#) && run.stdout.contains(r#""readings":1000"#),
        "{}",
        run.stdout
    );
}

#[test]
fn what_cannot_be_is_refused() {
    rarog(&["generate", "sensors", "--rate", "5"]).exits(2).says(&["readings"]);
    rarog(&["generate", "--rate", "-5"]).exits(2).says(&["positive"]);
    rarog(&["generate", "--output", "no/such/folder/x"]).exits(2).says(&["no/such/folder/x"]);
}
