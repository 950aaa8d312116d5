//! The golden cases: every folder of `tests/cases/` is run with the real binary, one test per case.
//!
//! ```text
//! golden/NAME    the case as its README says: outputs, dead letters, errors, exit code
//! sizes/NAME     the same answers with batches of 1, 7 and 4096 rows on 1, 2 and 4 workers
//! cuts/NAME      the same answers when the run is ended hard behind every k-th record and gone on with by a new process
//! waiting/NAME   a case of tests/waiting.txt ends in E0900; one that starts to run fails here
//! compare/…      the comparison itself tells apart what it has to
//! ```
//! It is not a test of any part: it knows the command line and the formats, nothing else. `BLESS=1` writes expectations
//! that differ or are missing instead of failing.

mod case;
mod compare;
mod compare_tests;
mod cuts;
mod json;
#[path = "../support/process.rs"]
mod process;
mod runner;

use case::{Case, Kind};
use runner::Trial;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Rows per batch that must not change an answer.
const BATCH_ROWS: [u32; 3] = [1, 7, 4096];
/// Numbers of workers that must not change an answer.
const WORKERS: [u32; 3] = [1, 2, 4];

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let waiting = waiting(&folder.join("waiting.txt"));
    let cases: Vec<Arc<Case>> = case::all(&folder.join("cases")).into_iter().map(Arc::new).collect();
    let mut trials = compare_tests::trials();
    let mut met = BTreeSet::new();
    for case in cases {
        if waiting.contains(&case.name) {
            met.insert(case.name.clone());
            trials.push(Trial::new(format!("waiting/{}", case.name), move || case.must_wait()));
            continue;
        }
        if matches!(case.kind, Kind::Run { .. }) {
            let sized = case.clone();
            trials.push(Trial::new(format!("sizes/{}", case.name), move || every_size(&sized)));
            let cut = case.clone();
            trials.push(Trial::new(format!("cuts/{}", case.name), move || cuts::check(&cut)));
        }
        trials.push(Trial::new(format!("golden/{}", case.name), move || case.check()));
    }
    for name in waiting.difference(&met) {
        let message = format!("tests/waiting.txt names {name}, and there is no such case");
        trials.push(Trial::new(format!("waiting/{name}"), move || Err(message.clone())));
    }
    runner::run(trials)
}

/// The names of the cases that this build does not run yet.
fn waiting(path: &PathBuf) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("tests/waiting.txt is part of the repository");
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect()
}

fn every_size(case: &Case) -> Result<(), String> {
    let mut wrong = Vec::new();
    for rows in BATCH_ROWS {
        for workers in WORKERS {
            let size = [format!("--batch-rows={rows}"), format!("--workers={workers}")];
            if let Err(message) = case.run_and_compare(&size) {
                wrong.push(format!("with {}: {message}", size.join(" ")));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}
