//! Cut anywhere, by random records through every operator that has state: a run that is ended behind a barrier and gone on
//! with by another one, with another number of workers, gives what one run without a cut gives, record for record.
//!
//! A state goes through bytes on its way. What operators mean is held elsewhere; here two runs are compared.

mod random;
mod run;

use proptest::prelude::*;
use random::{Lines, lines};
use run::{Part, run};

/// Programs, at least one for each operator that has state, with and without keys and aggregates.
const PROGRAMS: [(&str, &str); 22] = [
    ("limit", "stream S = A .limit(7) .emit(v: v)"),
    (
        "running",
        "stream S = A .partition_by(k) .aggregate(n: count(), m: avg(v), l: last(s), f: first(v), x: max(s)) .emit(k: k, n: n, m: m, l: l, f: f, x: x)",
    ),
    ("distinct", "stream S = A .distinct(k) .emit(k: k)\nstream T = A .distinct(s, within: 20s) .emit(s: s)"),
    (
        "timer",
        "stream T = timer(5s, initial_delay: 1s) .emit(tick: tick, timestamp: timestamp)\nstream S = A .emit(v: v)",
    ),
    (
        "tumbling",
        "stream S = A .watermark(out_of_order: 3s) .partition_by(k) .window(10s) .aggregate(n: count(), first: first(v), last: last(s), min: min(v), max: max(s), sd: stddev(v), p: _partition) .emit(k: k, n: n, first: first, last: last, min: min, max: max, sd: sd, p: p)",
    ),
    (
        "sliding",
        "stream S = A .watermark(out_of_order: 3s) .partition_by(k, s) .window(12s, sliding: 4s) .aggregate(n: count(), d: count_distinct(v), t: sum(v), p: percentile(v, 0.5), e: ema(v, 3), top: top_k(s, 2)) .emit(k: k, s: s, n: n, t: t, p: p, e: e, top: top, d: d)",
    ),
    (
        "sliding panes",
        "stream S = A .partition_by(k) .window(12s, sliding: 1s) .aggregate(n: count(), t: sum(v), sd: stddev(v), first: first(s), max: max(v)) .emit(k: k, n: n, t: t, sd: sd, first: first, max: max)",
    ),
    (
        "corrected",
        "stream S = A .allowed_lateness(4s) .partition_by(k) .window(6s, sliding: 1s) .aggregate(n: count(), t: sum(v)) .emit(k: k, n: n, t: t)\nstream T = A .allowed_lateness(3s) .window(3s) .aggregate(l: last(v), c: collect(s)) .emit(l: l, c: c)",
    ),
    (
        "corrected records",
        "stream S = A .allowed_lateness(4s) .partition_by(k) .window(4s, sliding: 2s) .where(v > 3) .emit(k: k, v: v)\nstream T = A .allowed_lateness(2s) .window(2s) .distinct(s) .aggregate(c: collect(s), n: count()) .emit(c: c, n: n)",
    ),
    ("unkeyed", "stream S = A .window(10s) .aggregate(n: count(), t: sum(v)) .emit(n: n, t: t)"),
    (
        "released",
        "stream S = A .watermark(out_of_order: 3s) .partition_by(k) .window(10s, sliding: 5s) .where(v > 5) .emit(k: k, v: v, s: s, w: window_start)\nstream T = B .window(7s) .distinct(s) .emit(s: s, v: v)",
    ),
    (
        "sessions",
        "stream S = A .watermark(out_of_order: 3s) .partition_by(k) .window(session: 4s) .aggregate(n: count(), t: sum(v), c: collect(s)) .emit(k: k, n: n, t: t, c: c)",
    ),
    (
        "session records",
        "stream S = A .watermark(out_of_order: 3s) .partition_by(k) .window(session: 4s) .where(v > 3) .emit(k: k, v: v, e: window_end)",
    ),
    (
        "counts",
        "stream S = A .partition_by(k) .window(5) .aggregate(n: count(), t: sum(v)) .emit(k: k, n: n, t: t)\nstream T = A .partition_by(s) .window(6, sliding: 2) .aggregate(c: collect(v)) .emit(s: s, c: c)",
    ),
    (
        "count records",
        "stream S = A .partition_by(k) .window(4) .where(v > 3) .emit(k: k, v: v)\nstream T = A .window(9, sliding: 3) .where(v > 8) .emit(s: s)",
    ),
    (
        "behind each other",
        "stream S = A .watermark(out_of_order: 2s) .partition_by(k) .window(5s) .aggregate(n: count(), t: sum(v)) .emit(k: k, n: n, t: t)\nstream T = S .window(20s) .aggregate(all: sum(n), m: max(t)) .emit(all: all, m: m)\nstream U = T .limit(3) .emit(all: all)",
    ),
    (
        "merged",
        "stream M = merge(A, B)\nstream S = M .watermark(out_of_order: 1s) .partition_by(s) .window(8s) .aggregate(n: count(), t: sum(v)) .emit(s: s, n: n, t: t)",
    ),
    (
        "joined",
        "stream S = full_join(A, B as b) .watermark(out_of_order: 3s) .on(A.k == b.k and A.v < b.v) .window(5s) .emit(k: A.k, v: A.v, bv: b.v, s: b.s)",
    ),
    (
        "joined with all",
        "stream S = join(A, A as x, B as b) .watermark(out_of_order: 1s) .on(A.v < x.v and x.s == b.s) .window(3s) .emit(k: A.k, v: x.v, s: b.s)",
    ),
    (
        "sequences",
        "stream S = A as a -> B where v > a.v as b .within(20s) .partition_by(k) .emit(k: k, a: a.v, b: b.v, p: _partition)\nstream T = A as a -> all A where s == a.s as r -> B as b .watermark(out_of_order: 3s) .within(30s) .emit(a: a.v, n: count(r), t: sum(r.v), l: r.s, b: b.v)",
    ),
    (
        "absences",
        "stream S = A as a -> not B where s == a.s .watermark(out_of_order: 2s) .within(6s) .emit(a: a.v)\nstream T = A as a -> A? as b -> B* as c .within(5s) .partition_by(k) .max_runs(3) .emit(a: a.v, b: b.v, c: count(c))",
    ),
    (
        "patterns",
        "pattern P = A as a -> (A as x AND B as y) within 9s partition by k\nstream S = P .emit(k: k, a: a.v, x: x.v, y: y.v)\nstream T = A as a -> all B where s == a.s as b -> A as c .skip_till_any() .within(4s) .partition_by(k) .emit(a: a.v, b: count(b), c: c.v)",
    ),
];

/// Where a run is cut, and its number of workers.
fn legs() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((1..25_usize, prop_oneof![Just(1), Just(2), Just(4)]), 1..5)
}

fn holds(text: &str, input: &Lines, rows: usize, legs: &[(usize, usize)]) -> Result<(), TestCaseError> {
    let plan = run::plan(text);
    let whole = run(&plan, Part::whole(input, rows), 1);
    let cut = run::in_legs(&plan, input, rows, legs);
    prop_assert_eq!(&whole.outputs, &cut.outputs);
    prop_assert_eq!(whole.dead, cut.dead);
    Ok(())
}

fn check(name: &str) {
    let (_, text) = PROGRAMS.iter().find(|(of, _)| *of == name).expect("a program of the list");
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(input in lines(), rows in 1..9_usize, legs in legs())| {
        holds(text, &input, rows, &legs)?;
    });
}

macro_rules! cut {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_program_has_its_test() {
            assert_eq!(PROGRAMS.map(|(name, _)| name), [$($name),*]);
        }
    };
}

cut! {
    limit: "limit",
    running: "running",
    distinct: "distinct",
    timer: "timer",
    tumbling: "tumbling",
    sliding: "sliding",
    sliding_panes: "sliding panes",
    corrected: "corrected",
    corrected_records: "corrected records",
    unkeyed: "unkeyed",
    released: "released",
    sessions: "sessions",
    session_records: "session records",
    counts: "counts",
    count_records: "count records",
    behind_each_other: "behind each other",
    merged: "merged",
    joined: "joined",
    joined_with_all: "joined with all",
    sequences: "sequences",
    absences: "absences",
    patterns: "patterns",
}

#[test]
fn a_state_that_is_not_taken_over_is_missed() {
    let input = random::fixed(60);
    let plan = run::plan(PROGRAMS[4].1);
    let whole = run(&plan, Part::whole(&input, 5), 1);
    let first = run(&plan, Part { last: 5, ..Part::whole(&input, 5) }, 1);
    let rest = Part { first: 6, ..Part::whole(&input, 5) };
    let lost = run(&plan, rest.clone(), 1);
    let kept = run(&plan, Part { states: first.states.clone(), ..rest }, 2);
    let joined = |rest: &run::Ran| first.outputs.iter().chain(&rest.outputs).cloned().collect::<Vec<_>>();
    assert_ne!(joined(&lost), whole.outputs);
    assert_eq!(joined(&kept), whole.outputs);
}
