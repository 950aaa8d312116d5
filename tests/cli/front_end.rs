//! `check`, `fmt`, `explain`, `graph`.

use crate::scratch::Scratch;
use crate::{checkout, rarog, rarog_with};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const HOT: &str = "examples/hot.vpl";
const SENSORS: &str = "examples/sensors.vpl";
const MISTAKES: &str = "examples/mistakes.vpl";

#[test]
fn a_good_program_passes_in_silence() {
    let finished = rarog(&["check", HOT, SENSORS, "examples/visits.vpl", "examples/relay.vpl"]).exits(0);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
    let finished = rarog(&["check", "--format", "json", HOT]).exits(0);
    assert_eq!(finished.stdout, "");
}

#[test]
fn ten_mistakes_give_ten_diagnostics() {
    let finished = rarog(&["check", "--format", "json", MISTAKES]).exits(1);
    let diagnostics: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let errors: Vec<&Value> = diagnostics.iter().filter(|d| d["severity"] == "error").collect();
    let codes: BTreeSet<&str> = errors.iter().filter_map(|d| d["code"].as_str()).collect();
    assert_eq!((errors.len(), codes.len()), (10, 10), "{}", finished.stdout);
    let place = |d: &Value| (d["line"].as_u64().expect("a line"), d["column"].as_u64().expect("a column"));
    assert!(diagnostics.is_sorted_by_key(place), "in the order of the text: {}", finished.stdout);
    for error in errors {
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert!(error["help"].as_str().is_some_and(|help| !help.is_empty()), "the way out: {error}");
        assert!(error["end_column"].as_u64() > error["column"].as_u64(), "{error}");
    }
}

#[test]
fn diagnostics_for_people_show_the_place() {
    let finished = rarog(&["check", MISTAKES]).exits(1);
    assert_eq!(finished.stdout, "", "talk goes to stderr");
    let text = finished.stderr;
    assert_eq!(text.matches("error[E").count(), 10, "{text}");
    assert!(text.contains(" --> examples/mistakes.vpl:14:12\n"), "{text}");
    assert!(text.contains("celsius") && text.contains("^^^^^^^"), "{text}");
    assert!(text.ends_with("\n10 errors, 2 warnings\n"), "{text}");
}

#[test]
fn several_programs_are_checked_each() {
    let finished = rarog(&["check", "--format", "json", MISTAKES, HOT, MISTAKES]).exits(1);
    assert_eq!(finished.stdout.lines().filter(|line| line.contains(r#""error""#)).count(), 20);
}

#[test]
fn a_connector_may_come_from_outside() {
    let scratch = Scratch::new("connector");
    let program =
        scratch.file("p.vpl", "event A:\n    v: int\nstream S = A\n    .from(broker, topic: \"a\")\n    .emit(v)\n");
    rarog(&["check", &program]).exits(1).says(&["E0204", "broker"]);
    for url in ["broker=mqtt://localhost:1883", "broker=mqtt://user:secret@localhost", "broker=file:a.jsonl"] {
        rarog(&["check", &program, "--connector", url]).exits(0);
    }
    for wrong in ["broker", "broker=", "=mqtt://localhost", "broker=mqtt://h:x", "broker=mqtt://", "broker=ftp://h"] {
        rarog(&["check", &program, "--connector", wrong]).exits(2).says(&["--connector", wrong]);
    }
}

#[test]
fn a_connector_that_no_program_has_is_an_error() {
    let scratch = Scratch::new("unknown-connector");
    let text = "connector broker = mqtt(host: \"h\")\nconnector spare = console()\n\
                event A:\n    v: int\nstream S = A\n    .from(broker, topic: \"a\")\n    .emit(v)\n";
    let program = scratch.file("p.vpl", text);
    let input = scratch.file("in.evt", "A { v: 1 }\n");
    let run = |connector: &str| rarog(&["run", &program, "--input", &input, "--connector", connector]);
    run("borker=mqtt://localhost").exits(2).says(&["--connector borker", "did you mean broker?"]);
    run("x=console:").exits(2).says(&["--connector x", "broker, spare"]);
    // Declared, and nobody uses it.
    run("spare=console:").exits(0);
    for command in ["check", "explain", "graph"] {
        rarog(&[command, &program, "--connector", "x=console:"]).exits(2).says(&["--connector x"]);
        rarog(&[command, HOT, "--connector", "x=console:"]).exits(2).says(&["no connector is named"]);
    }
}

#[test]
fn a_program_may_come_on_standard_input() {
    let text = "event A { v:int }\nstream S=A.emit( w )\n";
    rarog_with(&["check", "-"], text).exits(1).says(&["error[E0206]", "<stdin>:2:18"]);
    let formatted = rarog_with(&["fmt", "-"], text).exits(0).stdout;
    assert!(formatted.contains("v: int") && formatted.contains(".emit(w)"), "{formatted}");
    assert_eq!(rarog_with(&["fmt", "-"], &formatted).exits(0).stdout, formatted);
    assert_eq!(rarog_with(&["fmt", "--check", "-"], text).exits(1).stdout, "");
    let right = formatted.replace("emit(w)", "emit(v)");
    assert!(!rarog_with(&["explain", "-"], &right).exits(0).stdout.is_empty());
    let scratch = Scratch::new("stdin");
    let input = scratch.file("in.evt", "A { v: 1 }\n");
    rarog_with(&["run", "-", "--input", &input], &right).exits(0).says(&["in 1, out 1"]);
    rarog_with(&["run", "-", "--input", "-"], &right).exits(2).says(&["standard input"]);
}

/// Every program of the golden cases that can be parsed, as one text each.
fn programs() -> Vec<(String, String)> {
    let folders = fs::read_dir(checkout().join("tests/cases")).expect("the cases are part of the repository");
    let paths = folders.map(|folder| folder.expect("a readable folder").path().join("program.vpl"));
    let named = paths.filter(|path| path.exists()).map(|path| {
        let name = path.parent().and_then(|folder| folder.file_name()).expect("a case is a folder");
        (name.to_string_lossy().into_owned(), fs::read_to_string(&path).expect("a program is text"))
    });
    named.filter(|(name, _)| !name.starts_with("err-")).collect()
}

#[test]
fn formatting_settles_and_changes_no_comment() {
    let scratch = Scratch::new("fmt");
    let programs = programs();
    let paths: Vec<String> = programs.iter().map(|(name, text)| scratch.file(&format!("{name}.vpl"), text)).collect();
    let of = |words: &[&str]| words.iter().map(ToString::to_string).chain(paths.iter().cloned()).collect::<Vec<_>>();
    let run = |args: Vec<String>| rarog(&args.iter().map(String::as_str).collect::<Vec<_>>());
    run(of(&["fmt"])).exits(0);
    let formatted: Vec<String> = programs.iter().map(|(name, _)| scratch.read(&format!("{name}.vpl"))).collect();
    run(of(&["fmt", "--check"])).exits(0);
    run(of(&["fmt"])).exits(0);
    for ((name, text), formatted) in programs.iter().zip(&formatted) {
        assert_eq!(&scratch.read(&format!("{name}.vpl")), formatted, "{name} is stable");
        assert_eq!(text.matches('#').count(), formatted.matches('#').count(), "{name} keeps its comments");
    }
}

#[test]
fn fmt_changes_what_it_should_and_nothing_else() {
    let scratch = Scratch::new("fmt-check");
    let messy = scratch.file("messy.vpl", "event A { v:int }\nstream S=A.where( v>1 )   # why\n  .emit( v )\n");
    let before = scratch.read("messy.vpl");
    rarog(&["fmt", "--check", &messy]).exits(1).says(&["messy.vpl", "rarog fmt"]);
    assert_eq!(scratch.read("messy.vpl"), before);
    rarog(&["fmt", &messy]).exits(0);
    assert_ne!(scratch.read("messy.vpl"), before);
    assert!(scratch.read("messy.vpl").contains("# why"));
    rarog(&["fmt", "--check", &messy]).exits(0);
    rarog(&["check", &messy]).exits(0);

    let broken = scratch.file("broken.vpl", "stream S = A .where((\n");
    rarog(&["fmt", &broken]).exits(1).says(&["error[E01", "broken.vpl:"]);
    assert_eq!(scratch.read("broken.vpl"), "stream S = A .where((\n");
}

#[test]
fn every_example_is_formatted() {
    let finished = rarog(&["fmt", "--check", HOT, SENSORS, "examples/visits.vpl", "examples/relay.vpl", MISTAKES]);
    finished.exits(0);
}

#[test]
fn every_program_can_be_explained_and_drawn() {
    let scratch = Scratch::new("explain");
    for (name, text) in programs() {
        let program = scratch.file(&format!("{name}.vpl"), text);
        // What this build does not run yet is shown, and said to be an error.
        let explained = rarog(&["explain", &program]);
        let code = i32::from(explained.stderr.contains("error[E0900]"));
        let explained = explained.exits(code).stdout;
        assert!(!explained.is_empty(), "{name}");
        assert!(!rarog(&["graph", &program]).exits(code).stdout.is_empty(), "{name}");
        assert!(rarog(&["graph", "--format", "dot", &program]).exits(code).stdout.starts_with("digraph"), "{name}");
        let json = rarog(&["graph", "--format", "json", &program]).exits(code).stdout;
        serde_json::from_str::<Value>(&json).unwrap_or_else(|error| panic!("{name}: {error}\n{json}"));
    }
    rarog(&["explain", MISTAKES]).exits(1).says(&["error[E0206]"]);
    rarog(&["graph", MISTAKES]).exits(1).says(&["error[E0206]"]);
}

#[test]
fn explain_tells_promises_and_losses() {
    let explained = rarog(&["explain", "examples/relay.vpl"]).exits(0).stdout;
    for word in ["broker", "sensors/+/readings", "temperature", "at least once"] {
        assert!(explained.contains(word), "it should say {word}:\n{explained}");
    }
    let explained = rarog(&["explain", HOT]).exits(0).stdout;
    for word in ["room", "celsius", "1m"] {
        assert!(explained.contains(word), "it should say {word}:\n{explained}");
    }
}
