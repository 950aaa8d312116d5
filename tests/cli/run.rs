//! `run` and `simulate` on files and standard input.

use crate::scratch::Scratch;
use crate::{checkout, rarog, rarog_with};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;

const HOT: &str = "examples/hot.vpl";
const READINGS: &str = "examples/hot.jsonl";
const VISITS: &str = "examples/visits.vpl";
const CLICKS: &str = "examples/visits.evt";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of output is JSON")).collect()
}

#[test]
fn results_go_to_stdout_and_the_summary_to_stderr() {
    let finished = rarog(&["run", HOT, "--input", READINGS]).exits(0).says(&["in 7", "out 6", "late 0", "dead 1"]);
    let outputs = lines(&finished.stdout);
    assert_eq!(outputs.len(), 6, "{}", finished.stdout);
    assert_eq!(outputs[0]["event_type"], "Hot");
    assert_eq!(outputs[0]["timestamp"], "2026-01-01T08:00:35Z");
    assert_eq!(outputs[0]["data"]["sensor"], "s1");
    assert!(finished.stderr.contains("bad_field") && finished.stderr.contains("warm"), "a sample: {}", finished.stderr);
}

#[test]
fn every_form_of_a_run_gives_the_same() {
    let wanted = rarog(&["run", VISITS, "--input", CLICKS]).exits(0).stdout;
    assert_eq!(lines(&wanted).len(), 9, "{wanted}");
    let clicks = fs::read_to_string(checkout().join(CLICKS)).expect("an example");
    let readings = fs::read_to_string(checkout().join(READINGS)).expect("an example");
    for args in [
        vec!["run", "-f", VISITS, "--input", CLICKS],
        vec!["run", VISITS, "-i", CLICKS, "--output", "jsonl"],
        vec!["simulate", "-p", VISITS, "-e", CLICKS],
        vec!["simulate", "--program", VISITS, "--events", CLICKS, "-w", "2"],
        vec!["run", VISITS, "--input", CLICKS, "--workers", "4"],
    ] {
        let mut got: Vec<String> = rarog(&args).exits(0).stdout.lines().map(String::from).collect();
        let mut wanted: Vec<&str> = wanted.lines().collect();
        got.sort();
        wanted.sort();
        assert_eq!(got, wanted, "{args:?}");
    }
    let piped = rarog_with(&["run", VISITS, "--input", "-", "--input-format", "evt"], &clicks).exits(0);
    assert_eq!(piped.stdout, wanted);
    let piped = rarog_with(&["run", HOT, "--input", "-"], &readings).exits(0);
    assert_eq!(piped.stdout, rarog(&["run", HOT, "--input", READINGS]).stdout, "JSON lines are the default");
}

#[test]
fn the_dead_letter_of_a_late_record_is_whole() {
    let scratch = Scratch::new("late");
    let path = |name: &str| scratch.path(name);
    let program = "stream S = E.where(v > 0).window(1s).aggregate(n: count()).emit(n: n)";
    fs::write(path("p.vpl"), program).expect("a scratch file");
    let events = [
        r#"{"type":"E","ts":9000,"v":1}"#,
        r#"{"type":"E","ts":1000,"v":2,"more":{"deep":[1,2.0]}}"#,
        r#"{"event_type":"E","ts":2000,"data":{"v":3,"text":"a"}}"#,
    ];
    fs::write(path("in.jsonl"), events.join("\n")).expect("a scratch file");
    for workers in ["1", "2"] {
        let args =
            ["run", &path("p.vpl"), "--input", &path("in.jsonl"), "--dead-letters", &path("dead"), "-w", workers];
        rarog(&args).exits(0).says(&["late 2"]);
        let dead = lines(&fs::read_to_string(path("dead")).expect("dead letters"));
        let mut raw: Vec<&str> = dead.iter().map(|letter| letter["raw"].as_str().expect("the record")).collect();
        raw.sort_unstable();
        let wanted = [
            r#"{"event_type":"E","timestamp":"1970-01-01T00:00:01Z","ts":1000,"v":2,"more":{"deep":[1,2.0]}}"#,
            r#"{"event_type":"E","timestamp":"1970-01-01T00:00:02Z","v":3,"text":"a"}"#,
        ];
        assert_eq!(raw, wanted);
    }
}

#[test]
fn without_output_it_counts() {
    for args in
        [vec!["run", VISITS, "--input", CLICKS, "--output", "none"], vec!["simulate", "-p", VISITS, "-e", CLICKS, "-q"]]
    {
        let finished = rarog(&args).exits(0).says(&["Visit: 4", "Seen: 5"]);
        assert_eq!(finished.stdout, "");
    }
    rarog(&["run", VISITS, "--input", READINGS, "-o", "none"]).exits(0).says(&["Visit: 0", "Seen: 0"]);
}

#[test]
fn pretty_is_for_people() {
    let finished = rarog(&["run", HOT, "--input", READINGS, "--output", "pretty"]).exits(0);
    assert_eq!(finished.stdout.lines().count(), 6);
    let first = finished.stdout.lines().next().expect("a line");
    for part in ["2026-01-01T08:00:35Z", "Hot", "s1", "142.7"] {
        assert!(first.contains(part), "{first}");
    }
}

#[test]
fn dead_letters_go_into_their_file() {
    let scratch = Scratch::new("dead");
    let dead = scratch.path("dead.jsonl");
    let input = scratch.file(
        "in.jsonl",
        "{\"type\":\"Reading\"\n[1]\n{\"v\":1}\n{\"type\":\"Reading\",\"celsius\":\"x\"}\n{\"type\":\"Other\"}\n",
    );
    let finished = rarog(&["run", HOT, "--input", &input, "--dead-letters", &dead]).exits(0).says(&["dead 4"]);
    assert!(finished.stderr.contains("1 of types that no stream reads"), "{}", finished.stderr);
    let letters = lines(&scratch.read("dead.jsonl"));
    let reasons: Vec<&str> = letters.iter().filter_map(|letter| letter["reason"].as_str()).collect();
    assert_eq!(reasons, ["bad_json", "not_object", "no_type", "bad_field"]);
    assert_eq!(letters[0]["raw"], "{\"type\":\"Reading\"");
    let events = fs::read_to_string(&input).expect("it was written");
    for letter in &letters {
        let position = letter["position"].as_u64().expect("a position") as usize;
        assert!(
            events[position..].starts_with(letter["raw"].as_str().expect("text")),
            "the byte in the file: {letter}"
        );
        assert_eq!(letter["connector"], input.as_str());
    }
    // A run without dead letters leaves an empty file, not the one of yesterday.
    rarog(&["run", VISITS, "--input", CLICKS, "--dead-letters", &dead]).exits(0);
    assert_eq!(scratch.read("dead.jsonl"), "");
}

#[test]
fn dead_letters_say_why_a_line_is_no_json() {
    let scratch = Scratch::new("why");
    let dead = scratch.path("dead.jsonl");
    let deep = format!("{{\"type\":\"Reading\",\"x\":{}{}}}\n", "[".repeat(64), "]".repeat(64));
    let mut events = b"{\"type\":\"Reading\",\"x\":\"\xff\"}\n{\"type\":\"Reading\",\"x\":\"\\ud800\"}\n".to_vec();
    events.extend_from_slice(deep.as_bytes());
    let input = scratch.file("in.jsonl", events);
    rarog(&["run", HOT, "--input", &input, "--dead-letters", &dead]).exits(0).says(&["dead 3"]);
    let letters = lines(&scratch.read("dead.jsonl"));
    for (letter, why) in letters.iter().zip(["not UTF-8: its byte 24", "surrogate", "nested deeper than 64"]) {
        assert_eq!(letter["reason"], "bad_json");
        assert!(letter["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{letter}");
    }
    let input = scratch.file("in.evt", format!("Reading {{ x: {}1{} }}\n", "[".repeat(63), "]".repeat(63)));
    rarog(&["run", HOT, "--input", &input, "--dead-letters", &dead]).exits(0).says(&["dead 1"]);
    assert!(scratch.read("dead.jsonl").contains("nested deeper than 64"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_record() {
    let scratch = Scratch::new("mark");
    for (name, reading, program) in [("in.jsonl", READINGS, HOT), ("in.evt", CLICKS, VISITS)] {
        let events = fs::read_to_string(checkout().join(reading)).expect("an example");
        let input = scratch.file(name, format!("\u{feff}{events}"));
        let wanted = rarog(&["run", program, "--input", reading]).exits(0).stdout;
        assert_eq!(rarog(&["run", program, "--input", &input]).exits(0).stdout, wanted, "{name}");
    }
}

#[test]
fn what_all_records_lack_is_said_once() {
    let scratch = Scratch::new("once");
    let window = |name: &str| format!("stream {name} = A\n    .window(1m)\n    .aggregate(n: count())\n    .emit(n)\n");
    let program = scratch.file("p.vpl", format!("event A:\n    v: int\n{}{}", window("S"), window("T")));
    let input = scratch.file("in.evt", "A { v: 1 }\n");
    assert_eq!(rarog(&["check", &program]).exits(0).stderr.matches("[W0504]").count(), 2);
    assert_eq!(rarog(&["run", &program, "--input", &input]).exits(0).stderr.matches("[W0504]").count(), 1);
}

#[test]
fn programs_of_one_name_are_told_what_can_be_done() {
    let scratch = Scratch::new("names");
    fs::create_dir_all(scratch.path("a")).expect("the folder is writable");
    let (first, second) = (scratch.file("p.vpl", ""), scratch.file("a/p.vpl", ""));
    rarog(&["run", &first, &second]).exits(2).says(&["rename one, or run them apart with --name"]);
    let finished = rarog(&["run", &first, &second, "--input", CLICKS]).exits(2).says(&["rename one"]);
    assert!(!finished.stderr.contains("--name"), "{}", finished.stderr);
}

#[test]
fn what_cannot_be_read_is_named_with_the_way_out() {
    let scratch = Scratch::new("unreadable");
    let binary = scratch.file("binary.vpl", b"event A:\n\xff\xfe");
    rarog(&["run", "examples/hto.vpl", "--input", READINGS]).exits(2).says(&["examples/hto.vpl", "hot.vpl"]);
    rarog(&["check", "no/such/program.vpl"]).exits(2).says(&["no/such/program.vpl"]);
    rarog(&["check", "examples"]).exits(2).says(&["examples", "folder"]);
    rarog(&["check", &binary]).exits(2).says(&["binary.vpl", "UTF-8"]);
    rarog(&["fmt", "no.vpl"]).exits(2).says(&["no.vpl"]);
    rarog(&["run", HOT, "--input", "examples/hot.json"]).exits(2).says(&["examples/hot.json", "hot.jsonl"]);
    rarog(&["run", HOT, "--input", "examples"]).exits(2).says(&["examples"]);
    let nowhere = ["run", HOT, "--input", READINGS, "--dead-letters", "no/such/folder/dead"];
    rarog(&nowhere).exits(2).says(&["no/such/folder/dead"]);
}

#[test]
fn usage_errors_say_what_would_be_right() {
    rarog(&["rnu", HOT]).exits(2).says(&["rnu", "'run'"]);
    rarog(&["run"]).exits(2).says(&["PROGRAM"]);
    rarog(&["run", HOT, "--inptu", "x"]).exits(2).says(&["--input"]);
    rarog(&["run", HOT, "--input", READINGS, "--workers", "0"]).exits(2).says(&["--workers"]);
    rarog(&["run", HOT, "--input", READINGS, "--output", "xml"]).exits(2).says(&["jsonl", "pretty", "none"]);
    rarog(&["run", HOT, "--connect-timeout", "5"]).exits(2).says(&["5s"]);
    rarog(&["run", HOT, VISITS, "--input", "-"]).exits(2).says(&["standard input"]);
    let help = rarog(&["run", "--help"]).exits(0);
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("--dead-letters"));
    assert!(rarog(&["--version"]).exits(0).stdout.starts_with("rarog "));
    rarog(&[]).exits(2).says(&["Usage: rarog"]);
}

#[test]
fn a_wrong_program_does_not_run() {
    let finished = rarog(&["run", "examples/mistakes.vpl", "--input", READINGS]).exits(1).says(&["error[E0206]"]);
    assert_eq!(finished.stdout, "");
}

#[test]
fn several_programs_read_one_file_each_for_itself() {
    let finished = rarog(&["run", HOT, VISITS, "--input", READINGS]).exits(0).says(&["hot: ", "visits: "]);
    let alone = rarog(&["run", HOT, "--input", READINGS]).stdout;
    assert_eq!(finished.stdout, alone, "clicks are not in this file");
}

#[test]
fn imports_are_read_beside_the_program() {
    let scratch = Scratch::new("import");
    scratch.file("events.vpl", "event A:\n    v: int\n");
    let program = scratch.file("main.vpl", "import \"events.vpl\"\nstream S = A\n    .where(v > 1)\n    .emit(v)\n");
    let input = scratch.file("in.evt", "A { v: 1 }\nA { v: 2 }\n");
    let finished = rarog(&["run", &program, "--input", &input]).exits(0);
    assert_eq!(lines(&finished.stdout).len(), 1);
    let lost = scratch.file("lost.vpl", "import \"event.vpl\"\nstream S = A\n    .emit(v)\n");
    rarog(&["run", &lost, "--input", &input]).exits(1).says(&["E0218", "event.vpl"]);
}

#[test]
fn a_file_that_is_imported_by_two_paths_is_one_file() {
    let scratch = Scratch::new("import-twice");
    scratch.file("events.vpl", "import \"./main.vpl\"\nevent A:\n    v: int\n");
    let text = "import \"events.vpl\"\nimport \"./events.vpl\"\nstream S = A\n    .emit(v)\n";
    let program = scratch.file("main.vpl", text);
    rarog(&["check", &program]).exits(0);
}

#[test]
fn alerts_are_counted_on_a_file_and_not_posted() {
    let scratch = Scratch::new("alert");
    let text = "event A:\n    v: int\nstream S = A\n    .from(broker, topic: \"a\")\n    .where(v > 1)\n    .alert(webhook: \"http://localhost/\", message: \"{v}\")\n    .emit(v)\n";
    let program = scratch.file("alert.vpl", text);
    let input = scratch.file("in.evt", "A { v: 1 }\nA { v: 2 }\nA { v: 3 }\n");
    let connector = ["--connector", "broker=mqtt://localhost:1"];
    let run = |more: &[&str]| rarog(&[&["run", &program][..], &connector[..], more].concat());
    run(&["--input", &input]).exits(0).says(&["S: 2 alerts, none posted"]);
}

#[test]
fn a_live_run_that_cannot_reach_its_broker_in_time_ends_with_code_3() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let scratch = Scratch::new("unreachable");
    let program =
        scratch.file("p.vpl", "event A:\n    v: int\nstream S = A\n    .from(broker, topic: \"a\")\n    .emit(v)\n");
    let connector = format!("broker=mqtt://127.0.0.1:{port}");
    let finished = rarog(&["run", &program, "--connector", &connector, "--connect-timeout", "300ms"]);
    finished.exits(3).says(&[&format!("127.0.0.1:{port}")]);
}

#[test]
fn dead_letters_do_not_overwrite_what_is_read() {
    let scratch = Scratch::new("spare");
    let readings = fs::read_to_string(checkout().join(READINGS)).expect("an example");
    let (input, program) =
        (scratch.file("in.jsonl", &readings), scratch.file("p.vpl", "stream S = Reading .emit(sensor)\n"));
    for dead in [&input, &program] {
        let said = ["would overwrite", dead.as_str()];
        rarog(&["run", &program, "--input", &input, "--dead-letters", dead]).exits(2).says(&said);
    }
    assert_eq!(scratch.read("in.jsonl"), readings);
}
