//! The tables of the language's description: what it says in them is what the definition must say.

use super::programs;
use crate::define;
use crate::events::Event;
use crate::value::{SECOND, V};
use rarog_lang::parser::parse;

/// A source, what comes in, and the values and times (in s) that come out.
type Row = (&'static str, &'static str, &'static str);

/// Sequences: `A3` is an event with number 3 at 3 s, `A4@9` one at 9 s.
const SEQUENCES: [Row; 21] = [
    ("A as a -> B as b .emit(a: a.i, b: b.i)", "A1 A2 B3 B4 A5 B6", "1,3@3 2,3@3 5,6@6"),
    ("A as a -> B as b .strict() .emit(a: a.i, b: b.i)", "A1 A2 B3 B4 A5 B6", "2,3@3 5,6@6"),
    (
        "A as a -> B as b .within(1m) .skip_till_any() .emit(a: a.i, b: b.i)",
        "A1 A2 B3 B4 A5 B6",
        "1,3@3 2,3@3 1,4@4 2,4@4 1,6@6 2,6@6 5,6@6",
    ),
    ("A as x -> A as y -> A as z .emit(x: x.i, y: y.i, z: z.i)", "A1 A2 A3 A4 A5", "1,2,3@3 2,3,4@4 3,4,5@5"),
    ("A as a -> all B as b -> C as c .emit(a: a.i, b: collect(b.i), c: c.i)", "A1 B2 B3 C4 B5 C6", "1,[2,3],4@4"),
    (
        "A as a -> all B as b -> C as c .each() .emit(a: a.i, b: collect(b.i), c: c.i)",
        "A1 B2 B3 C4 B5 C6",
        "1,[2],4@4 1,[2,3],4@4",
    ),
    (
        "A as a -> all B as b -> C as c .within(1m) .skip_till_any() .emit(b: collect(b.i), c: c.i)",
        "A1 B2 B3 C4 B5 C6",
        "[2],4@4 [2,3],4@4 [3],4@4 [2],6@6 [2,3],6@6 [2,3,5],6@6 [2,5],6@6 [3],6@6 [3,5],6@6 [5],6@6",
    ),
    ("A as a -> all B as b .within(3s) .emit(a: a.i, b: collect(b.i))", "A1 B2 B3 B5", "1,[2,3]@4"),
    ("A as a -> all B as b .within(3s) .each() .emit(a: a.i, b: collect(b.i))", "A1 B2 B3 B5", "1,[2]@2 1,[2,3]@3"),
    (
        "A as a -> all B as b .within(1m) .strict() .emit(a: a.i, b: collect(b.i))",
        "A1 B2 B3 A4 B5",
        "1,[2,3]@4 4,[5]@64",
    ),
    (
        "A as a -> all A where k == a.k as m -> Z as z .emit(a: a.i, m: collect(m.i), z: z.i)",
        "A1 A2 A3 Z4",
        "1,[2,3],4@4",
    ),
    ("A as a -> not B .within(3s) .emit(a: a.i)", "A1@0 A2@2 B3@3 A4@9", "4@12"),
    ("A as a -> not C -> B as b .emit(a: a.i, b: b.i)", "A1 C2 A3 B4", "3,4@4"),
    ("(A as a AND B as b) .emit(a: a.i, b: b.i)", "A1 A2 B3 B4 A5", "1,3@3 2,3@3 5,4@5"),
    ("A as a -> B? as b -> C as c .emit(a: a.i, b: b.i, c: c.i)", "A1 B2 B3 C4", "1,2,4@4"),
    // within is inclusive; the event at the deadline counts, the one after it finds no run.
    ("A as a -> B as b .within(2s) .emit(a: a.i, b: b.i)", "A1 A2 B3 A4 B7", "1,3@3 2,3@3"),
    // Without an event, w > deadline does the same, and the end of input is the end of time.
    ("A as a -> B? as b .within(2s) .emit(a: a.i, b: b.i)", "A1 C9 A10", "1@3 10@12"),
    // Candidates are tried last to first.
    ("A as a -> B+ as b -> B where i > 3 as c .emit(b: collect(b.i), c: c.i)", "A1 B2 B3 B4", "[2,3],4@4"),
    ("A as a -> B* as b -> C as c .emit(b: collect(b.i), c: c.i)", "A1 C2 A3 B4 C5", "[],2@2 [4],5@5"),
    // A guard is active between its neighbours only.
    ("A as a -> not C -> B as b -> D as d .emit(a: a.i, d: d.i)", "A1 B2 C3 D4", "1,4@4"),
    ("A as a -> B as b .max_runs(1) .emit(a: a.i, b: b.i)", "A1 A2 B3", "2,3@3"),
];

/// Windows: v = 1, 2, 4, 8 at 1, 9, 10, 25 s.
const WINDOWS: [(&str, &str); 5] = [
    ("(10s)", "3@10 4@20 8@30"),
    ("(10s, sliding: 5s)", "1@5 3@10 6@15 4@20 8@30 8@35"),
    ("(session: 5s)", "1@6 6@15 8@30"),
    ("(2)", "3@9 12@25"),
    ("(3, sliding: 1)", "7@10 14@25"),
];

/// Corrections: records at 1, 7, 3, 11, 2 s.
const CORRECTIONS: Row = (
    "A .watermark(out_of_order: 2s) .allowed_lateness(3s) .window(5s) .aggregate(n: count()) .emit(n: n)",
    "A1 A7 A3 A11 A2",
    "1@5 2,1@5 1@10 1@15",
);

/// Checks them all.
pub fn all() {
    for (source, input, expected) in SEQUENCES {
        assert_eq!(sorted(&answer(source, input)), sorted(expected), "{source} for {input}");
    }
    for (window, expected) in WINDOWS {
        let source = format!("A .window{window} .aggregate(s: sum(i)) .emit(s: s)");
        assert_eq!(answer(&source, "A1@1 A2@9 A4@10 A8@25"), expected, "{window}");
    }
    let (source, input, expected) = CORRECTIONS;
    assert_eq!(answer(source, input), expected, "{source}");
    assert_eq!(run(source, input).late, 1);
}

/// Results of one time come in any order; times are part of the texts.
fn sorted(answer: &str) -> Vec<&str> {
    let mut results: Vec<&str> = answer.split(' ').collect();
    results.sort_unstable();
    results
}

fn run(source: &str, input: &str) -> define::Outcome {
    let (tree, problems) = parse(&format!("stream S = {source}\n"), 0);
    assert!(problems.is_empty(), "{source}: {problems:?}");
    let program = programs::of(&tree).unwrap_or_else(|| panic!("{source} can be said"));
    let events: Vec<_> = input.split(' ').map(event).collect();
    define::run(&program, &events).expect("a table has few records")
}

/// Values of the outputs with their times.
fn answer(source: &str, input: &str) -> String {
    let outputs = run(source, input).outputs;
    let shown = outputs.iter().map(|output| {
        let values: Vec<String> = output.record.fields.iter().map(|(_, value)| value.json()).collect();
        format!("{}@{}", values.join(","), output.record.time / SECOND)
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// `A3`, `A4@9`
fn event(text: &str) -> Event {
    let (name, time) = text.split_once('@').unwrap_or((text, &text[1..]));
    let number = |text: &str| text.parse::<i64>().expect("the tables hold numbers");
    let fields = vec![("i".into(), V::Int(number(&name[1..]))), ("k".into(), V::Str("k".into()))];
    Event { of: name[..1].into(), time: number(time) * SECOND, fields }
}
