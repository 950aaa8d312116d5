//! The golden cases as far as the parser decides them: what runs parses without a word, and what is refused for its form is
//! refused in exactly those lines.

use crate::common;
use rarog_lang::parser::parse;
use std::collections::BTreeMap;
use std::path::Path;

type Counts = BTreeMap<(String, usize), usize>;

/// How often each (code, line) occurs in an expectation.
fn expected(case: &Path) -> Option<Counts> {
    let text = std::fs::read_to_string(case.join("expected_errors.jsonl")).ok()?;
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let field = |name: &str| {
            let rest = line.split(&format!("\"{name}\":")).nth(1).unwrap_or_else(|| panic!("{name} in {line}"));
            rest.trim_start().trim_start_matches('"').split(['"', ',', '}']).next().unwrap_or_default().to_string()
        };
        let place = (field("code"), field("line").parse().expect("a line number"));
        *counts.entry(place).or_default() += 1;
    }
    Some(counts)
}

fn found(text: &str) -> Counts {
    let mut counts = Counts::new();
    for diagnostic in parse(text, 0).1 {
        let line = 1 + text[..diagnostic.span.start as usize].matches('\n').count();
        *counts.entry((diagnostic.code.to_string(), line)).or_default() += 1;
    }
    counts
}

#[test]
fn cases_parse_or_are_refused_as_they_say() {
    let mut refused = 0;
    for case in common::cases() {
        let text = std::fs::read_to_string(case.join("program.vpl")).expect("a case has a program");
        let expected = expected(&case).unwrap_or_default();
        let is_syntax = expected.keys().any(|(code, _)| code.starts_with("E01"));
        refused += usize::from(is_syntax);
        let due = if is_syntax { expected } else { Counts::new() };
        assert_eq!(found(&text), due, "{}: {:#?}", case.display(), parse(&text, 0).1);
    }
    assert!(refused >= 4, "only {refused} cases are refused for their form");
}
