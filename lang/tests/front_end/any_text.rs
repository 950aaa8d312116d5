//! Whatever the text: the parser comes back, soon, without a panic, says the same twice, and points into the text.

use crate::common;
use crate::common::{grammar, mutate};
use proptest::prelude::*;
use rarog_lang::parser::parse;
use rarog_lang::render::{SourceText, render_human, render_json};
use std::time::{Duration, Instant};

/// The stack of a thread that nobody gave another one, in bytes.
const STACK_BYTES: usize = 2 << 20;

/// The longest program, or a sixteenth of it where the code is not optimised; quadratic time would show in that, too.
const LONG_BYTES: usize = if cfg!(debug_assertions) { 1 << 16 } else { 1 << 20 };

/// Checks what holds for every text.
fn check(text: &str) {
    let (program, diagnostics) = parse(text, 0);
    assert_eq!(parse(text, 0), (program.clone(), diagnostics.clone()));
    let inside = |start: usize, end: usize| {
        assert!(start <= end && end <= text.len(), "{start}..{end} of {}", text.len());
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{start}..{end}");
    };
    for diagnostic in &diagnostics {
        inside(diagnostic.span.start as usize, diagnostic.span.end as usize);
        assert!(diagnostic.message.chars().next().is_some_and(|char| !char.is_uppercase()), "{}", diagnostic.message);
    }
    assert!(diagnostics.is_sorted_by_key(|diagnostic| (diagnostic.span, diagnostic.code)));
    assert!(diagnostics.windows(2).all(|pair| (pair[0].span, pair[0].code) != (pair[1].span, pair[1].code)));
    let tree = format!("{program:?}");
    for span in tree.split("Span { ").skip(1) {
        let field = |name: &str| span.split(name).nth(1).and_then(|rest| rest.split([',', ' ']).next()?.parse().ok());
        inside(field("start: ").expect("a start"), field("end: ").expect("an end"));
    }
    let sources = [SourceText::new("t".into(), text.into())];
    assert_eq!(render_json(&diagnostics, &sources).lines().count(), diagnostics.len());
    assert!(render_human(&diagnostics, &sources).matches("error[").count() >= diagnostics.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_characters(text in "\\PC{0,60}(\n[ \t]{0,4}\\PC{0,30}){0,5}") {
        check(&text);
    }

    #[test]
    fn any_tokens(text in mutate::soup()) {
        check(&text);
    }

    #[test]
    fn any_program_with_mistakes(text in mutate::mutated([common::programs(), grammar::samples()].concat())) {
        check(&text);
    }
}

/// The same over and over, behind a beginning that makes sense of it.
fn shapes() -> Vec<(&'static str, &'static str)> {
    let filter = "stream S = E .where(";
    let mut shapes: Vec<(&str, &str)> = [
        "(",
        "[",
        "{",
        "{a: ",
        "not ",
        "- ",
        "~",
        "a ** ",
        "a ?? ",
        "x => ",
        "x => {",
        "x => {if a: ",
        "if a then b else ",
        "if ",
        "a + ",
        "a - ",
        "f(",
        "a[",
        "a[b:",
        "a,",
        "a:1,",
        "(a)",
        "a < ",
        "a..",
        "\"a\"",
        "\"",
        "a in ",
        "a is null ",
        "@",
        "$ ",
        "1.",
        "5s",
        "(a, ",
        "(a) => ",
        "{'a': ",
    ]
    .iter()
    .map(|unit| (filter, *unit))
    .collect();
    shapes.extend([
        ("stream S = E .where(a", ".b"),
        ("stream S = E .where(a", "[0]"),
        ("stream S = E .where(a", "?.b()"),
        ("stream S = E", " .where(a)"),
        ("stream S = E", " -> A?.increasing(x)"),
        ("stream S = E", " where a"),
        ("stream S = ", "("),
        ("stream S = ", "not ("),
        ("stream S = ", "(A -> "),
        ("stream S = merge(", "A as a,"),
        ("pattern P = A", " OR B"),
        ("pattern P = A", " -> B within 1s"),
        ("pattern P = ", "SEQ("),
        ("pattern P = ", "AND(A, "),
        ("let a: ", "["),
        ("let a: ", "Stream<"),
        ("let a: ", ">>"),
        ("let a: ", "(int, "),
        ("fn f(): ", "if a: "),
        ("fn f():\n", " a := b\n"),
        ("fn f():\n if a: b\n", " elif a: b\n"),
        ("fn f():\n", "                              if a:\n"),
        ("event E:\n", " a: int\n"),
        ("event E {", "a: int "),
        ("config {", "("),
        ("config:\n", " a = {\n"),
        ("import ", "'a' "),
        ("let s = '", "\\q"),
        ("let s = '", "é"),
        ("", "stream S = E\n"),
        ("", "stream S E\n"),
        ("", "let a = 1 "),
        ("", "total := 1\n"),
        ("", "'\n"),
        ("", "/*"),
        ("", "/**/"),
        ("", "\n"),
        ("", "\r\n"),
        ("", "\0"),
        ("", "é"),
        ("", "for i in 0..2:\n"),
        ("", "for i in 0..2:\n let a = i\n"),
        ("for i in 0..10000:\n", "  let a = {i}\n"),
        ("for i in 0..10000:\n", "  for j in 0..0:\n    x\n"),
        ("for i in 0..10000:\n", "  for j in k:\n    x\n"),
        ("for i in 0..10000:\n", "  const N = 1 +\n"),
        ("for i in 0..10000:\n let a = 1", "\n"),
    ]);
    shapes
}

#[test]
fn the_longest_text_of_anything() {
    let check_all = || {
        for (head, unit) in shapes() {
            let text = head.to_string() + &unit.repeat((LONG_BYTES - head.len()) / unit.len());
            let start = Instant::now();
            let (program, diagnostics) = parse(&text, 0);
            drop(program);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(60), "{head}{unit}{unit}… took {took:?}");
            assert!(diagnostics.iter().all(|diagnostic| diagnostic.span.end as usize <= text.len()), "{head}{unit}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check_all).expect("a thread starts");
    thread.join().expect("no shape makes it panic");
}

#[test]
fn deep_nesting_of_everything_at_once() {
    let units = ["(", "[", "f(", "not ", "-", "x => {", "if a then b else ", "a[", "{k: ", "a ?? ", "x => "];
    let check_all = move || {
        for first in 0..units.len() {
            for step in 1..units.len() {
                let unit: String = (0..units.len()).map(|index| units[(first + index * step) % units.len()]).collect();
                check(&format!("stream S = E .where({}", unit.repeat(40)));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check_all).expect("a thread starts");
    thread.join().expect("no nesting makes it panic");
}
