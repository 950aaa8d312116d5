//! Types, fields and times of the forms of events (docs/language.md).

use super::plans::{Of, lines, plan, reasons, rows};
use crate::batch::Chunk;
use crate::decode::{Decoder, Messages, topic_type};
use rarog_lang::value::{Type, Value};

const NS: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;

fn text(text: &str) -> Value {
    Value::Str(text.into())
}

#[test]
fn the_type_comes_from_event_type_else_type() {
    let decoder = Decoder::new(&plan(&[Of::any("A", &["i", "type", "event_type", "data"])]));
    let input = r#"{"event_type":"A","i":1}
{"type":"A","i":2}
{"event_type":"A","type":"inner","i":3}
{"event_type":5,"type":"A","i":4}
{"type":"A","event_type":"A","i":5}
{"event_type":"A","data":{"i":6,"type":"t","event_type":"e","data":7}}
{"type":"A","data":[1],"i":7}
{"i":8,"type":"B","type":"A"}
{"i":9,"type":"\u0041"}
{"i":10}
{"i":11,"type":null}
{"i":12,"type":"A","data":{"i":13},"data":14}
{"i":15,"type":"A","data":16,"data":{}}
{"type":"C"}
"#;
    let decoded = lines(&decoder, input.as_bytes());
    let int = Value::Int;
    let null = || Value::Null;
    let expected = [
        [int(1), null(), null(), null()],
        [int(2), null(), null(), null()],
        [int(3), text("inner"), null(), null()],
        [int(4), null(), int(5), null()],
        [int(5), text("A"), null(), null()],
        [int(6), text("t"), text("e"), int(7)],
        [int(7), null(), null(), Value::Array(vec![int(1)].into())],
        [int(8), null(), null(), null()],
        [int(9), null(), null(), null()],
        [int(12), null(), null(), int(14)],
        [null(), null(), null(), null()],
    ];
    assert_eq!(rows(decoded.inputs[0].as_ref()), expected);
    assert_eq!(reasons(&decoded), [("no_type", 9), ("no_type", 10)]);
    assert_eq!((decoded.records, decoded.no_reader), (12, 1));
    assert_eq!(decoded.inputs[0].as_ref().unwrap().pos[10], 10 << 2 | 1);
}

#[test]
fn the_time_comes_from_the_first_that_applies() {
    let fields = [("s", Type::Str), ("at", Type::Time), ("later", Type::Time)];
    let decoder = Decoder::new(&plan(&[Of::any("A", &[]), Of::declared("D", &fields, &["at"])]));
    for (line, time) in [
        (r#"{"type":"A"}"#, 0),
        (r#"{"type":"A","ts":3,"timestamp":2,"@timestamp":1}"#, MS),
        (r#"{"type":"A","ts":3,"timestamp":"1970-01-01T00:00:02Z","@timestamp":"soon"}"#, 2 * NS),
        (r#"{"type":"A","ts":3,"timestamp":-1,"@timestamp":1.5}"#, 3 * MS),
        (r#"{"type":"A","ts":3,"data":{"ts":4}}"#, 4 * MS),
        (r#"{"type":"A","@timestamp":3,"data":{"ts":"x"}}"#, 3 * MS),
        (r#"{"type":"A","@timestamp":"1970-01-01T01:00:00+01:00","ts":9}"#, 0),
        (r#"{"type":"A","ts":9223372036855}"#, 0),
        (r#"{"type":"A","ts":"1970-01-01T00:00:0\u0031Z"}"#, NS),
        (r#"{"type":"D","ts":3,"at":5,"later":7}"#, 5 * MS),
        (r#"{"type":"D","ts":3,"at":null}"#, 3 * MS),
        (r#"{"type":"D","ts":3,"later":7}"#, 3 * MS),
        (r#"{"type":"D","at":1,"data":{"at":"1970-01-01T00:00:05Z"}}"#, 5 * NS),
    ] {
        let decoded = lines(&decoder, line.as_bytes());
        let times = decoded
            .inputs
            .iter()
            .flatten()
            .next()
            .unwrap_or_else(|| panic!("{line}: {:?}", decoded.dead))
            .time
            .to_vec();
        assert_eq!(times, [time], "{line}");
        assert_eq!(decoded.chunk.clocks, [time], "{line}");
    }
}

#[test]
fn records_that_cannot_be_used_leave_nothing() {
    let fields = [("at", Type::Time), ("f", Type::Float), ("n", Type::Int), ("tags", Type::Array(Type::Str.into()))];
    let decoder = Decoder::new(&plan(&[Of::declared("D", &fields, &["f"])]));
    let deep = |depth: usize| format!(r#"{{"type":"D","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let large = |bytes: usize| format!(r#"{{"type":"D","x":"{}"}}"#, "x".repeat(bytes - 19));
    let bad = [
        ("{", "bad_json"),
        (r#"{"type":"D"}}"#, "bad_json"),
        (r#"{"type":"D",}"#, "bad_json"),
        (r#"{"type":"D","x":01}"#, "bad_json"),
        (r#"{"type":"D" "x":1}"#, "bad_json"),
        ("[1]", "not_object"),
        (" 7 ", "not_object"),
        (r#"{"type":"D","at":"soon","f":"x"}"#, "bad_event_time"),
        (r#"{"type":"D","at":7000,"f":"x"}"#, "bad_field"),
        (r#"{"type":"D","at":7000,"f":1,"n":2.5}"#, "bad_field"),
        (r#"{"type":"D","at":7000,"f":1,"tags":["a",1]}"#, "bad_field"),
        (r#"{"at":7000}"#, "no_type"),
        (&deep(64), "bad_json"),
        (&large(1_048_577), "too_large"),
        (&"x".repeat(1_048_577), "too_large"),
    ];
    for (line, reason) in bad {
        let good = r#"{"type":"D","at":1000,"f":1}"#;
        let text = format!("{good}\n{line}\n{good}");
        let decoded = lines(&decoder, text.as_bytes());
        assert_eq!(reasons(&decoded), [(reason, 1)], "{line:.80}");
        assert_eq!(decoded.dead[0].raw, line.as_bytes());
        assert_eq!(rows(decoded.inputs[0].as_ref()), [[Value::Float(1.0)], [Value::Float(1.0)]]);
        assert_eq!(decoded.chunk.clocks, [NS, NS]);
    }
    for line in [deep(63), large(1_048_576)] {
        assert_eq!(reasons(&lines(&decoder, line.as_bytes())), []);
    }
}

#[test]
fn types_that_nobody_reads_move_the_clock_and_are_checked() {
    let unread = Of { read: false, ..Of::declared("U", &[("at", Type::Time), ("n", Type::Int)], &[]) };
    let decoder = Decoder::new(&plan(&[Of::any("A", &["i"]), unread]));
    let input = "{\"type\":\"U\",\"at\":5,\"ts\":9}\n{\"type\":\"V\",\"ts\":6}\n{\"type\":\"A\",\"ts\":4}\n{\"type\":\"U\",\"n\":true}\n";
    let decoded = lines(&decoder, input.as_bytes());
    assert_eq!(decoded.chunk.clocks, [5 * MS, 6 * MS, 6 * MS]);
    assert_eq!((decoded.records, decoded.no_reader), (3, 2));
    assert_eq!(reasons(&decoded), [("bad_field", 3)]);
    assert!(decoded.inputs[1].is_none());
}

#[test]
fn lines_without_a_time_have_that_of_the_line_before() {
    let decoder = Decoder::new(&plan(&[Of::any("A", &[])]));
    let mut relay = crate::decode::Relay::default();
    let chunks = [
        r#"{"type":"A"}"#,
        "{\"type\":\"A\"}\n{\"type\":\"A\",\"ts\":5}\n{\"type\":\"A\"}\n{\"type\":\"A\",\"ts\":4}\n{\"type\":\"A\"}\n{",
        "{\"type\":\"A\"}\n\n{\"type\":\"A\"}",
        "{\"type\":\"A\"}\n{\"type\":\"A\",\"ts\":2}",
    ];
    let batons: Vec<_> = chunks.iter().map(|_| relay.baton()).collect();
    let expected = [vec![0], vec![0, 5, 5, 4, 4], vec![4, 4], vec![4, 2]];
    let clocks = [vec![0], vec![0, 5, 5, 5, 5], vec![4, 4], vec![4, 4]];
    std::thread::scope(|scope| {
        let decoder = &decoder;
        let work = chunks.iter().zip(batons).rev();
        let threads: Vec<_> = work
            .map(|(text, baton)| scope.spawn(move || decoder.lines(Chunk::default(), text.as_bytes(), &baton)))
            .collect();
        for ((thread, times), clocks) in threads.into_iter().rev().zip(expected).zip(clocks) {
            let decoded = thread.join().unwrap();
            let millis = |of: &[i64]| of.iter().map(|time| time / MS).collect::<Vec<_>>();
            assert_eq!(millis(&decoded.inputs[0].as_ref().unwrap().time), times);
            assert_eq!(millis(&decoded.chunk.clocks), clocks);
        }
    });
}

#[test]
fn texts_are_spans_of_the_chunk_and_escaped_ones_are_not() {
    let decoder = Decoder::new(&plan(&[Of::declared("D", &[("s", Type::Str)], &["s", "x"])]));
    let input = "{\"type\":\"D\",\"s\":\"plain é\",\"x\":\"a\\nb\"}\n{\"s\":\"\\u00e9\\\"\",\"type\":\"D\"}\n{\"type\":\"D\",\"x\":\"z\"}";
    let decoded = lines(&decoder, input.as_bytes());
    let expected = [[text("plain é"), text("a\nb")], [text("é\""), Value::Null], [Value::Null, text("z")]];
    assert_eq!(rows(decoded.inputs[0].as_ref()), expected);
}

#[test]
fn what_is_not_utf8_is_a_dead_letter_with_its_bytes() {
    let decoder = Decoder::new(&plan(&[Of::any("A", &["s"])]));
    let input = b"{\"type\":\"A\",\"s\":\"\xff\"}\n{\"type\":\"A\",\"s\":\"\xc3\xa9\"}\n\xff\n";
    let decoded = lines(&decoder, input);
    assert_eq!(reasons(&decoded), [("bad_json", 0), ("bad_json", 2)]);
    assert_eq!(decoded.dead[0].raw, b"{\"type\":\"A\",\"s\":\"\xff\"}");
    assert_eq!(decoded.dead[1].raw, b"\xff");
    assert_eq!(rows(decoded.inputs[0].as_ref()), [[text("é")]]);
}

#[test]
fn whole_records_are_the_object_with_the_fields() {
    let of = Of { whole: true, ..Of::declared("D", &[("f", Type::Float)], &[]) };
    let decoder = Decoder::new(&plan(&[of]));
    let input = r#"{"type":"D","f":1,"o":{"p":null}}
{"event_type":"D","type":"x","f":1.5}
 {"event_type":"D", "data": {"type":"y", "f":2} , "z":1}
{"event_type":"D","data":{}}"#;
    let decoded = lines(&decoder, input.as_bytes());
    let whole = decoded.inputs[0].as_ref().unwrap().whole.clone().unwrap();
    let shown: Vec<String> = (0..whole.len()).map(|row| rarog_lang::eval::text::to_text(&whole.get(row))).collect();
    assert_eq!(shown, [r#"{"f":1.0,"o":{"p":null}}"#, r#"{"type":"x","f":1.5}"#, r#"{"type":"y","f":2.0}"#, "{}"]);
}

#[test]
fn messages_have_a_topic_and_arrive() {
    let decoder = Decoder::new(&plan(&[Of::any("A", &["i"])]));
    let now = 1_700_000_000 * NS;
    let mut messages = Messages::default();
    let topic = |topic: &str| Some(topic_type(topic).into());
    messages.push(b"{\"i\":1}", topic("x/A"));
    messages.push(b" {\n\"i\":2,\n \"type\":\"A\"} \n", topic("x/B"));
    messages.push(b"{\"i\":3}", topic("A"));
    messages.push(b"{\"i\":4}", topic("A/"));
    messages.push(b"{\"i\":5}", None);
    messages.push(b"{\"i\":6", topic("A"));
    messages.push(b"}", topic("A"));
    messages.push(b"", topic("A"));
    messages.push(b"{\"i\":7}\0", topic("A"));
    messages.push(b"{\"i\":8,\"ts\":1700000060000}", topic("A"));
    messages.push(b"{\"i\":9,\"ts\":1700000060001}", topic("A"));
    messages.push(b"{\"i\":10,\"ts\":1700000000}", topic("A"));
    messages.push(b"{\"i\":11,\"x\":\"\xff\"}", topic("A"));
    messages.push(b"[]", topic("A"));
    let chunk = Chunk { now: Some(now), source: 3, seq: 9, ..Chunk::default() };
    let decoded = decoder.messages(chunk, &messages);
    let ints: Vec<_> = rows(decoded.inputs[0].as_ref()).concat();
    assert_eq!(ints, [1, 2, 3, 8, 10].map(Value::Int));
    let times = &decoded.inputs[0].as_ref().unwrap().time;
    assert_eq!(times[..], [now, now, now, now + 60 * NS, 1_700_000_000 * MS]);
    assert_eq!(decoded.chunk.clocks, [now, now, now, now + 60 * NS, now + 60 * NS]);
    let bad = [("no_type", 3), ("no_type", 4), ("bad_json", 5), ("bad_json", 6), ("bad_json", 7), ("bad_json", 8)];
    let bad = [&bad[..], &[("future", 10), ("bad_json", 12), ("not_object", 13)]].concat();
    assert_eq!(reasons(&decoded), bad);
    assert_eq!(decoded.dead[3].raw, b"}");
    assert_eq!(decoded.dead[7].raw, b"{\"i\":11,\"x\":\"\xff\"}");
    assert_eq!((decoded.early, decoded.chunk.source, decoded.chunk.seq), (1, 3, 9));
}

#[test]
fn lines_of_evt_become_records() {
    let decoder =
        Decoder::new(&plan(&[Of::any("A", &["i", "field_0"]), Of::declared("D", &[("f", Type::Float)], &["f"])]));
    let input = b"# x\nA { i: 1 }\n@100 A(7)\nD { f: x }\n\nD { f: 2 }\nnonsense\n{\"type\":\"A\",\"i\":3,\"ts\":4}\n{\"i\":4}\n{\nA { i: \xff }\nBATCH 200\n{\"type\":\"A\",\"ts\":4}";
    let decoded = decoder.evt(Chunk::default(), input, 0);
    let expected = [
        [Value::Int(1), Value::Null],
        [Value::Null, Value::Int(7)],
        [Value::Int(3), Value::Null],
        [Value::Null, Value::Null],
    ];
    assert_eq!(rows(decoded.inputs[0].as_ref()), expected);
    assert_eq!(decoded.inputs[0].as_ref().unwrap().time[..], [0, 100 * MS, 4 * MS, 200 * MS]);
    assert_eq!(rows(decoded.inputs[1].as_ref()), [[Value::Float(2.0)]]);
    let bad = [("bad_field", 3), ("bad_line", 6), ("no_type", 8), ("bad_json", 9), ("bad_line", 10)];
    assert_eq!(reasons(&decoded), bad);
    let raw: Vec<&[u8]> = decoded.dead.iter().map(|dead| &dead.raw[..]).collect();
    assert_eq!(raw, [&b"D { f: x }"[..], b"nonsense", b"{\"i\":4}", b"{", b"A { i: \xff }"]);
}
