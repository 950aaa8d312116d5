//! What is refused, and at which place: programs whose comments say what the front end answers.
//!
//! ```text
//! stream S = E
//!     .where(valeu > 1 and not v)   # E0206 valeu; E0301 not
//! ---
//! stream T = …                      another program
//! ```
//! A comment at the end of a line lists the codes reported on this line, in order, each with the text at its place. Lines
//! without such a comment have none. Errors are listed completely, warnings only where a program lists some.

use rarog_lang::compile::{Options, compile};
use std::path::Path;

/// Code, line and text of each diagnostic that is to come.
fn expected(program: &str) -> Vec<(String, usize, String)> {
    let mut expected = Vec::new();
    for (number, line) in program.lines().enumerate() {
        let Some((_, comment)) = line.rsplit_once("# ") else { continue };
        for answer in comment.split("; ") {
            let Some((code, text)) = answer.trim().split_once(' ') else { continue };
            if code.len() == 5 && code.starts_with(['E', 'W']) && code[1..].bytes().all(|byte| byte.is_ascii_digit()) {
                expected.push((code.to_string(), number + 1, text.to_string()));
            }
        }
    }
    expected
}

/// What comes.
fn found(program: &str, warnings: bool) -> Vec<(String, usize, String)> {
    let compiled = compile(program, &Options::default());
    let wanted = compiled.diagnostics.iter().filter(|problem| warnings || problem.code.starts_with('E'));
    let answer = |problem: &rarog_lang::diagnostic::Diagnostic| {
        let text = &program[problem.span.start as usize..problem.span.end as usize];
        let line = compiled.sources[0].position(problem.span.start).line;
        (problem.code.to_string(), line, text.lines().next().unwrap_or_default().to_string())
    };
    wanted.map(answer).collect()
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals").join(name);
    let text = std::fs::read_to_string(path).expect("the file is there");
    let mut different = String::new();
    for program in text.split("---\n") {
        let expected = expected(program);
        let found = found(program, expected.iter().any(|(code, _, _)| code.starts_with('W')));
        if found != expected {
            different += &format!("{program}\n  expected {expected:?}\n  found    {found:?}\n\n");
        }
    }
    assert!(different.is_empty(), "{name}\n{different}");
}

#[test]
fn names() {
    check("names.vpl");
}

#[test]
fn types() {
    check("types.vpl");
}

#[test]
fn declarations() {
    check("declarations.vpl");
}

#[test]
fn functions() {
    check("functions.vpl");
}

#[test]
fn operators() {
    check("operators.vpl");
}

#[test]
fn windows_and_aggregates() {
    check("windows.vpl");
}

#[test]
fn what_is_not_supported_yet() {
    check("unsupported.vpl");
}

#[test]
fn sequences_and_patterns() {
    check("sequences.vpl");
}

#[test]
fn joins() {
    check("joins.vpl");
}

#[test]
fn right_programs() {
    check("right.vpl");
}

#[test]
fn late() {
    check("late.vpl");
}

#[test]
fn matches() {
    check("matches.vpl");
}

#[test]
fn streams() {
    check("streams.vpl");
}
