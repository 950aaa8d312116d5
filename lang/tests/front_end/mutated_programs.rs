//! Whatever is done to a program, the front end answers with a plan or with errors, in order, each at a place in the text.
//!
//! The programs are those of the golden cases with tokens taken out, doubled, exchanged and put in from other programs. The
//! mutations are a function of a seed, so a failure comes again.

use rarog_lang::compile::{Options, compile};
use rarog_lang::diagnostic::Severity;
use std::collections::HashSet;
use std::path::Path;

/// Mutants of each program.
const MUTANTS: u64 = 40;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).expect("small")).expect("below a usize")
    }
}

fn programs() -> Vec<(String, String)> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(cases).expect("the golden cases are there") {
        let folder = entry.expect("readable").path();
        if let Ok(text) = std::fs::read_to_string(folder.join("program.vpl")) {
            found.push((folder.file_name().expect("a name").to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    assert!(found.len() > 100);
    found
}

/// Words, numbers, runs of white space, single other characters.
fn tokens(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        ' ' => 2,
        _ => 3,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != class(c) || last == 3) {
            tokens.push(&text[start..at]);
            start = at;
        }
        last = Some(class(c));
    }
    tokens.push(&text[start..]);
    tokens
}

fn mutant(tokens: &[&str], pool: &[&str], random: &mut Random) -> String {
    let mut changed: Vec<&str> = tokens.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(changed.len());
        match random.below(5) {
            0 if changed.len() > 1 => {
                changed.remove(at);
            }
            1 => changed.insert(at, changed[at]),
            2 => {
                let other = random.below(changed.len());
                changed.swap(at, other);
            }
            3 => changed[at] = pool[random.below(pool.len())],
            _ => changed.insert(at, pool[random.below(pool.len())]),
        }
    }
    changed.concat()
}

#[track_caller]
fn check(name: &str, text: &str) {
    let compiled = compile(text, &Options::default());
    let errors = compiled.diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(compiled.plan.is_some(), !errors, "{name}\n{text}");
    assert!(compiled.diagnostics.is_sorted_by_key(|problem| problem.span.start), "{name}\n{text}");
    let mut seen = HashSet::new();
    for problem in &compiled.diagnostics {
        let (start, end) = (problem.span.start as usize, problem.span.end as usize);
        assert!(start <= end && text.get(start..end).is_some(), "{name}: {problem:?}\n{text}");
        assert!(seen.insert((problem.code, start, end)), "{name}: twice {problem:?}\n{text}");
        assert!(!problem.message.is_empty() && problem.message != "?", "{name}: {problem:?}");
    }
}

#[test]
fn any_program_gets_an_answer() {
    let programs = programs();
    let pool: Vec<&str> = programs.iter().flat_map(|(_, text)| tokens(text)).collect();
    for (number, (name, text)) in programs.iter().enumerate() {
        let tokens = tokens(text);
        check(name, text);
        for mutation in 0..MUTANTS {
            let mut random = Random(u64::try_from(number).expect("few programs") << 32 | mutation);
            check(name, &mutant(&tokens, &pool, &mut random));
        }
    }
}
