//! The formatter: what it makes of given texts, and what it never does to any.

use crate::common;
use crate::common::shape;
use crate::common::{grammar, mutate};
use proptest::prelude::*;
use rarog_lang::format::format;
use rarog_lang::parser::parse;

/// Formats a program without errors and checks what holds for all: same tree, same comments, nothing to do a second time.
fn checked(text: &str) -> String {
    let formatted = format(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    assert_eq!(shape(&formatted), shape(text), "the meaning of\n{text}\nas\n{formatted}");
    assert_eq!(format(&formatted).as_deref(), Ok(&*formatted), "a second time, first\n{text}\n--- to\n{formatted}");
    assert_eq!(letters(&formatted), letters(text), "{text}\n--- to\n{formatted}");
    formatted
}

/// Everything but white space.
fn letters(text: &str) -> String {
    text.chars().filter(|char| !char.is_whitespace() && *char != '\u{feff}').collect()
}

#[test]
fn golden_programs_keep_their_meaning() {
    let mut formatted = 0;
    for text in common::programs() {
        if parse(&text, 0).1.is_empty() {
            checked(&text);
            formatted += 1;
        } else {
            assert!(format(&text).is_err());
        }
    }
    assert!(formatted > 100);
}

#[test]
fn programs_have_one_form() {
    let cases = [
        ("", ""),
        ("fn f():\n  a\n# end", "fn f():\n    a\n# end\n"),
        ("fn f():\n  a\n  # end", "fn f():\n    a\n    # end\n"),
        (
            "for i in 0..2:\n  for j in 0..2:\n    stream S{j}=A\n  .emit()\n  let b = 1",
            "for i in 0..2:\n    for j in 0..2:\n        stream S{j} = A\n    .emit()\n    let b = 1\n",
        ),
        ("\n\n# only a comment  \n\n\n", "# only a comment\n"),
        (
            "stream S=E.where(a>1&b)\r\n  .emit( a:a,b :b , )\r\n",
            "stream S = E\n    .where(a > 1 & b)\n    .emit(a: a, b: b,)\n",
        ),
        (
            "stream L = X .partition_by(k) .window(10s) .aggregate(s: sum(v))",
            "stream L = X .partition_by(k) .window(10s) .aggregate(s: sum(v))\n",
        ),
        ("stream L = X.a().b().c().d()", "stream L = X\n    .a()\n    .b()\n    .c()\n    .d()\n"),
        (
            "stream S = A as a->B? where x>-1 as b->all C+.increasing(v)",
            "stream S = A as a -> B? where x > -1 as b -> all C+ .increasing(v)\n",
        ),
        ("stream S = A->B?.within(5s)", "stream S = A -> B? .within(5s)\n"),
        ("let a: Stream<{str:int?}>=b", "let a: Stream<{str: int?}> = b\n"),
        ("event E{a:int,b:[str]}", "event E { a: int, b: [str] }\n"),
        ("event E :\n\ta:int  # first\n\n\n\tb : str", "event E:\n    a: int  # first\n\n    b: str\n"),
        (
            "let a = x[ 1 : 2 ] + m . k + {\"k\" : 1, j:[1 ,2]} ?? - 1 ** ~ b",
            "let a = x[1:2] + m.k + {\"k\": 1, j: [1, 2]} ?? -1 ** ~b\n",
        ),
        ("let a = b\n      + c\n      .d", "let a = b\n    + c\n    .d\n"),
        ("let r = 0 .. 5\nlet s = not ( a in 1 ..= 2 )", "let r = 0..5\nlet s = not (a in 1..=2)\n"),
        ("let a = 1 let b = 2", "let a = 1\nlet b = 2\n"),
        ("fn f( x:int )->int:return x", "fn f(x: int) -> int: return x\n"),
        (
            "fn f():\n  # c\n  if a :\n     b\n     # d\n  # e\n  elif c:\n   d\n  else: e\n  # f\n# g\nfn g(): h",
            "fn f():\n    # c\n    if a:\n        b\n        # d\n    # e\n    elif c:\n        d\n    else: e\n    # f\n# g\nfn g(): h\n",
        ),
        (
            "stream S = E.emit(\nx:f(y=>{\nlet z=y\nif z : \n  return 1\nz\n  +1 }),\n)",
            "stream S = E .emit(\n    x: f(y => {\n        let z = y\n        if z:\n            return 1\n        z\n            + 1 }),\n)\n",
        ),
        (
            "for i in 0 .. 2 :\n  // c{i}\n  for j in {i}..=3:   # d\n     stream T{i}{j}=E.where(a=={i}s)\n\n  let a{i} = \"{i}\"\nlet b=1",
            "for i in 0..2:\n    // c{i}\n    for j in {i}..=3:  # d\n        stream T{i}{j} = E .where(a == {i}s)\n\n    let a{i} = \"{i}\"\nlet b = 1\n",
        ),
        ("for i in 3..3:\n let a{i}={i}", "for i in 3..3:\n    let a{i} = {i}\n"),
        ("for i in -1..1:\n let a=1+{i}", "for i in -1..1:\n    let a = 1 + {i}\n"),
        (
            "pattern P=SEQ(A as a,NOT B,(C AND D)as x)within 5m partition by k,l",
            "pattern P = SEQ(A as a, NOT B, (C AND D) as x) within 5m partition by k, l\n",
        ),
        (
            "config:\n  a : 1\n     b\n  c\nconfig m{a :1, b}",
            "config:\n    a : 1\n       b\n    c\nconfig m {a :1, b}\n",
        ),
        (
            "stream M = merge(stream X=A.where(v>1),B where c)",
            "stream M = merge(stream X = A .where(v > 1), B where c)\n",
        ),
        ("/* a\n  b */ let x=1 /* c */ // d\n", "/* a\n  b */\nlet x = 1 /* c */  // d\n"),
        (
            "let a = @2024-01-01 - b\nlet c = [@2024-01-01 , x[@2024-01-01 :]]",
            "let a = @2024-01-01 - b\nlet c = [@2024-01-01, x[@2024-01-01 :]]\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(checked(text), expected, "{text}");
    }
}

#[test]
fn long_chains_have_a_line_per_operator() {
    let long = "x".repeat(90);
    let text = format!("stream S = A as a -> B as b .where({long} > 1)");
    assert_eq!(checked(&text), format!("stream S = A as a -> B as b\n    .where({long} > 1)\n"));
    let text = format!("stream S = A as a -> B where {long} as b -> C as c .within(1m)");
    let expected = format!("stream S = A as a\n    -> B where {long} as b\n    -> C as c\n    .within(1m)\n");
    assert_eq!(checked(&text), expected);
}

#[test]
fn long_programs_take_linear_time() {
    let shapes = [
        ("", "# c\n", "let a = 1"),
        ("fn f():\n", "  // c\n", "  a"),
        ("", "/**/", ""),
        ("", "let a = 1\n", ""),
        ("stream S = E .emit(\n", "a,\n", ")"),
    ];
    for (head, unit, tail) in shapes {
        let text = format!("{head}{}{tail}", unit.repeat((1 << 17) / unit.len()));
        let start = std::time::Instant::now();
        assert!(format(&text).is_ok_and(|formatted| formatted.len() >= text.len()), "{unit}");
        assert!(start.elapsed().as_secs() < 60, "{unit} took {:?}", start.elapsed());
    }
}

#[test]
fn a_program_with_errors_is_refused_with_all_of_them() {
    let problems = format("stream S E\nlet a = )").expect_err("two errors");
    assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E0110", "E0110"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_program_loses_its_meaning(text in mutate::mutated(common::programs())) {
        if parse(&text, 0).1.is_empty() {
            checked(&text);
        }
    }

    #[test]
    fn no_program_of_the_grammar_loses_its_meaning(seed in any::<u64>()) {
        let text = grammar::Writer::program(seed);
        let problems = common::problems(&text);
        assert!(problems.is_empty(), "{problems:?} in\n{text}");
        checked(&text);
    }

    #[test]
    fn no_program_with_changes_loses_its_meaning(text in mutate::mutated(grammar::samples())) {
        if parse(&text, 0).1.is_empty() {
            checked(&text);
        }
    }

    #[test]
    fn no_soup_loses_its_meaning(text in mutate::soup()) {
        if parse(&text, 0).1.is_empty() {
            checked(&text);
        }
    }
}
