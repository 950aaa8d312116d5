//! The longest sequences, patterns and joins are checked in a time that follows their length, and none of their plans is
//! much longer than they are.

use rarog_lang::compile::{Options, compile};
use std::time::{Duration, Instant};

/// The longest program, or an eighth of it where the code is not optimised; quadratic time would show in that, too.
const LONG_BYTES: usize = if cfg!(debug_assertions) { 1 << 17 } else { 1 << 20 };

/// What stands in front, what is repeated with its number for `#`, what stands behind.
const SHAPES: [(&str, &str, &str); 26] = [
    ("stream S = SEQ(A", ", A#", ") .within(1m) .emit(x: A1.x)"),
    ("stream S = SEQ(A", ", A", ") .within(1m) .emit()"),
    ("stream S = sequence(a: A", ", a#: A", ") .within(1m) .emit(x: a1.x)"),
    ("stream S = sequence(a: A", ", a: A", ") .within(1m) .emit()"),
    ("stream S = sequence(a: A", ", b#: B where x == a.x and y > 1", ") .within(1m)"),
    ("stream S = sequence(a: A", ", b#: all A where sum(b#.x) > prev(b#).x", ") .within(1m) .emit(x: a.x)"),
    ("event A: x: int, y: int, z: int\nstream S = sequence(a: A", ", b#: A", ") .within(1m) .print()"),
    ("stream A = Z .select(a, b, c, d)\nstream S = sequence(a: A", ", b#: A", ") .within(1m) .print()"),
    ("pattern P = OR(SEQ(A, B)", ", SEQ(A as a#, B)", ") within 1m\nstream S = P .emit()"),
    ("pattern P = OR(SEQ(A, B)", ", SEQ(A, B as b)", ") within 1m\nstream S = P .emit(x: b.x)"),
    ("stream S = AND(A", ", A#", ") .within(1m) .emit()"),
    ("stream S = AND(A", ", A", ") .within(1m) .emit()"),
    ("stream S = OR(A", ", A# as b#", ") .within(1m) .emit()"),
    ("stream S = OR(A", ", A#", ") as x .within(1m) .emit(a: x.f, b: x.g)"),
    ("stream S = SEQ(A", ", A#", ") .partition_by(a, b, c, d) .within(1m) .emit()"),
    ("stream S = A -> B .partition_by(a", ", k#", ") .within(1m) .emit()"),
    ("pattern P = SEQ(A as p, B as q, C as r)\nstream S = SEQ(A", ", P", ") .within(1m) .emit()"),
    ("", "pattern P# = A as a -> B\n", ""),
    ("pattern P = A as a -> B within 1m\n", "stream S# = P .emit(x: a.x)\n", ""),
    ("stream S = A as a -> all B as b .within(1m) .emit(x: 1", ", y#: b[#].v", ")"),
    ("stream S = A as a -> B as b .within(1m)\nstream T = S .emit(x: 1", ", y#: a_x#", ")"),
    ("stream S = join(A", ", A#", ") .on(A.x == A1.x) .emit(x: y)"),
    ("stream S = join(A", ", A as a#", ") .on(A.x == a1.x) .emit()"),
    ("stream S = join(A, B) .on(A.x == B.x) .emit(x: 1", ", f#: g#", ")"),
    ("", "stream S# = join(A, B) .on(A.x == B.x) .emit(x: A.x)\n", ""),
    ("stream S = join(A, B) .on(A.x == B.x) .where(x in [1", ", A.x#", "]) .emit()"),
];

/// Each stream reads the one before.
const CHAINS: [(&str, &str); 2] = [
    ("stream S0 = A as a -> B .within(1m)\n", "stream S# = S@ as s -> B .within(1m)\n"),
    ("stream S0 = join(A, B) .on(A.x == B.x)\n", "stream S# = join(S@ as s, B) .on(s.k == B.k)\n"),
];

fn check(head: &str, unit: &str, tail: &str) {
    let mut text = head.to_string();
    for number in 1_usize.. {
        let next = unit.replace('#', &number.to_string()).replace('@', &(number - 1).to_string());
        if text.len() + next.len() + tail.len() > LONG_BYTES {
            break;
        }
        text += &next;
    }
    text += tail;
    let start = Instant::now();
    let compiled = compile(&text, &Options::default());
    let took = start.elapsed();
    assert!(compiled.diagnostics.iter().all(|problem| problem.code != "E0110"), "{head}{unit}{tail} is no program");
    assert!(took < Duration::from_secs(60), "{head}{unit}… took {took:?}");
    let plan = compiled.plan.or(compiled.draft);
    let columns: usize = plan.iter().flat_map(|plan| &plan.layouts).map(|layout| layout.columns.len()).sum();
    assert!(columns < LONG_BYTES, "{head}{unit}… has {columns} columns");
}

#[test]
fn long_programs_of_sequences_and_joins_are_checked_soon() {
    for (head, unit, tail) in SHAPES {
        check(head, unit, tail);
    }
    for (head, unit) in CHAINS {
        check(head, unit, "");
    }
}
