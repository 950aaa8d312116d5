//! The definition against the golden cases: what their authors worked out by hand is what it must say, too.
//!
//! A case that uses more of the language than programs here can say is left out; how many are not is checked.

mod expressions;
mod input;
mod programs;
pub mod tables;

use crate::compare::Outputs;
use crate::define;
use crate::record::Output;
use rarog_lang::parser::parse;
use std::fs;
use std::path::Path;

/// So many cases are expressible at least.
const LEAST: usize = 90;

/// Runs the definition on every case that can be said in its form.
pub fn all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("tests/cases is part of the repository")
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let (mut said, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match check(&folder.join(&name)) {
            Some(Ok(())) => said.push(name),
            Some(Err(message)) => wrong.push(format!("{name}: {message}")),
            None => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(said.len() >= LEAST, "only {} cases can be said: {said:?}", said.len());
}

/// `None`: it cannot be said.
fn check(folder: &Path) -> Option<Result<(), String>> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let expected = read("expected.jsonl")?;
    let (tree, problems) = parse(&read("program.vpl")?, 0);
    if !problems.is_empty() {
        return None;
    }
    let program = programs::of(&tree)?;
    let events = match (read("input.evt"), read("input.jsonl")) {
        (Some(lines), _) => input::evt(&lines)?,
        (None, Some(lines)) => input::jsonl(&lines)?,
        (None, None) => return None,
    };
    let outcome = define::run(&program, &events)?;
    let lines: String = outcome.outputs.iter().map(Output::line).collect();
    let late = read("expected_dead.jsonl").map_or(Some(0), |dead| input::late(&dead))?;
    let agreed = || {
        Outputs::parse(&lines)?.compare(&Outputs::parse(&expected)?)?;
        if outcome.late == late { Ok(()) } else { Err(format!("{} late records instead of {late}", outcome.late)) }
    };
    Some(agreed())
}
