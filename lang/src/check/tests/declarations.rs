//! Declarations: name spaces, types, inheritance, connectors.

use super::{declared_errors, outcome};
use crate::check::registered_connector;
use crate::check::scope::NoRecord;
use crate::value::Value;

#[test]
fn names_are_given_once_per_name_space() {
    declared_errors(
        "event A: x: int\nstream A = B\npattern A = B -> C\nfn f(): 1\nlet f = 2\ntype A = int\ntype A = str\n\
         connector A = console()\ncontext A\ncontext A\nconnector A = console()\n",
        &[("E0201", "A"), ("E0201", "A"), ("E0201", "f"), ("E0201", "A"), ("E0201", "A"), ("E0201", "A")],
    );
    let outcome = outcome("event A: x: int\n\nstream A = B\n", "", &mut NoRecord);
    assert_eq!(outcome.problems[0].message, "A is already declared as event in line 1");
}

#[test]
fn second_declarations_are_checked_too() {
    declared_errors(
        "fn f(): nope\nfn f(): nope2\nlet f = nope3\n",
        &[("E0207", "nope"), ("E0201", "f"), ("E0207", "nope2"), ("E0201", "f"), ("E0207", "nope3")],
    );
}

#[test]
fn events_inherit() {
    declared_errors("event A extends Nope: x: int\n", &[("E0202", "Nope")]);
    declared_errors(
        "event B extends C: y: int\nevent C extends B: z: int\nevent D extends B: x: int\n",
        &[("E0203", "B")],
    );
    declared_errors("event A extends A: x: int\n", &[("E0203", "A")]);
    declared_errors("event A: x: int, x: str\n", &[("E0217", "x")]);
    declared_errors("event A: x: int\nevent B extends A: y: int, x: str\n", &[("E0217", "x")]);
}

#[test]
fn types_are_known_and_finite() {
    declared_errors(
        "event A: x: Strng, y: [Nope], z: {str: Nop}\n",
        &[("E0209", "Strng"), ("E0209", "Nope"), ("E0209", "Nop")],
    );
    declared_errors("type A = B\ntype B = [A]\n", &[("E0215", "A")]);
    declared_errors("type Node:\n    next: Node?\n", &[("E0215", "Node")]);
    declared_errors("event A: b: B\nevent B: a: A\n", &[("E0215", "A")]);
    declared_errors("type A = Nope\ntype B = A\nevent C: b: B\n", &[("E0209", "Nope")]);
    declared_errors(
        "type Celsius = float\ntype P: x: Celsius, t: timestamp\nevent C: p: P?, q: Stream<P>, r: D\nevent D: x: any\n",
        &[],
    );
    declared_errors("event A: x: (int, int)\n", &[("E0902", "(int, int)")]);
}

#[test]
fn types_that_grow_without_bound_are_refused() {
    let mut text = String::from("type T0: a: int, b: int\n");
    for i in 1..100 {
        text += &format!("type T{i}: a: T{0}, b: T{0}\n", i - 1);
    }
    let outcome = outcome(&text, "", &mut NoRecord);
    assert_eq!(outcome.errors()[0], ("E0108", "T16"));
    assert!(outcome.errors().iter().all(|(code, _)| *code == "E0108"));
}

#[test]
fn what_is_inherited_has_a_limit() {
    let mut text = String::from("event E0: f0: int\n");
    for i in 1..2000 {
        text += &format!("event E{i} extends E{}: f{i}: int\n", i - 1);
    }
    let outcome = outcome(&text, "", &mut NoRecord);
    assert_eq!(outcome.errors()[0], ("E0108", "E1448"));
}

#[test]
fn connectors_are_checked() {
    declared_errors("connector A = mqtt(port: 1883)\n", &[("E0211", "A")]);
    declared_errors("connector A = file()\n", &[("E0211", "A")]);
    declared_errors("connector B = carrier_pigeon(host: nope)\n", &[("E0210", "carrier_pigeon")]);
    declared_errors("connector K = kafka(brokers: [\"k:9092\"])\n", &[("E0904", "kafka")]);
    declared_errors("connector C = mqtt(host: 'h', colour: 'red')\n", &[("E0211", "colour")]);
    declared_errors("connector C = mqtt(host: 'h', host: 'i')\n", &[("E0217", "host")]);
    declared_errors("connector C = mqtt('h')\n", &[("E0211", "C"), ("E0304", "'h'")]);
    declared_errors("connector C = mqtt(host: nope)\n", &[("E0207", "nope")]);
    declared_errors(
        "connector C = mqtt(host: 5, port: '1883', qos: 3, tls: 'yes')\n",
        &[("E0305", "5"), ("E0305", "'1883'"), ("E0305", "3"), ("E0305", "'yes'")],
    );
    declared_errors(
        "connector C = mqtt(url: 'h', tls: true, protocol: '3.1.1')\n",
        &[("E0900", "tls"), ("E0900", "protocol")],
    );
    declared_errors("connector C = mqtt(url: 'h', tls: true, port: 0)\n", &[("E0305", "0")]);
    declared_errors(
        "connector A = mqtt(brokers: ['a:1', 'b:2'], qos: 0, keep_alive: 30s, session_expiry: 1h, protocol: '5')\n\
         connector B = file(path: 'x.jsonl', format: 'jsonl')\nconnector C = stdin()\nconnector D = console(format: 'json')\n\
         connector E = generator(rate: 1000, count: 5, keys: 3, seed: -1, interval: 1ms)\n",
        &[],
    );
}

#[test]
fn connectors_carry_constants() {
    let outcome = outcome(
        "let host = 'broker-' + to_string(N)\nconst N = 3\nconnector A = mqtt(host: host)\n",
        "",
        &mut NoRecord,
    );
    assert_eq!(outcome.connectors[0].params, [("host".into(), Value::Str("broker-3".into()))]);
}

#[test]
fn warnings_do_not_refuse() {
    let outcome = outcome("config: x\nvar v = 1\nconfig mqtt { a: 1 }\n", "", &mut NoRecord);
    let codes: Vec<&str> = outcome.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W0101", "W0103", "W0101"]);
}

#[test]
fn registered_connectors_are_read_by_the_same_rules() {
    let read = |kind: &str, params: &[(&str, &str)]| registered_connector("c", kind, params.iter().copied());
    let mqtt = read("mqtt", &[("host", "h"), ("port", "1883"), ("password", "1234"), ("keep_alive", "30s")]);
    let text = |text: &str| Value::Str(text.into());
    let expected = [
        ("host".into(), text("h")),
        ("port".into(), Value::Int(1883)),
        ("password".into(), text("1234")),
        ("keep_alive".into(), Value::Duration(30_000_000_000)),
    ];
    assert_eq!(mqtt.expect("it is right").params, expected);
    for (kind, params, expected) in [
        ("mqtt", &[][..], "mqtt needs host, url, brokers or servers"),
        ("mqtt", &[("host", "h"), ("port", "x")], "parameter port takes a positive integer"),
        ("mqtt", &[("host", "h"), ("port", "0")], "parameter port takes a positive integer"),
        ("mqtt", &[("host", "h"), ("qos", "3")], "parameter qos takes 0, 1 or 2"),
        ("mqtt", &[("host", "h"), ("tls", "true")], "tls of mqtt connectors is not supported yet"),
        ("file", &[("path", "p"), ("x", "y")], "file has no parameter x; its parameters are path, format"),
        ("kafka", &[], "connector kind kafka is not supported yet"),
        ("mqt", &[], "connector kind mqt is unknown"),
    ] {
        let wrong = read(kind, params).expect_err(expected);
        assert!(wrong.len() == 1 && wrong[0].starts_with(expected), "{wrong:?} for {expected}");
    }
}
