//! Events per second and CPU-seconds per million events of `rarog run` beside a hand-written single-purpose program for the
//! same job (the anchor), in one run. Built by `cargo build --profile dist -p rarog -p rarog-bench --no-default-features`;
//! `rarog-bench` measures the `rarog` beside it.
//!
//! CPU per event is the slope between two input sizes, so that start-up does not count: (median CPU at the larger size -
//! median CPU at the smaller) / difference of the sizes. A time counts only if both give the same rows.

mod anchor;
mod measure;
mod readings;
mod report;
mod rows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Workloads, with the largest ratio of CPU to the anchor's that is acceptable.
const WORKLOADS: [(&str, f64); 3] = [("w1", 2.7), ("w2", 2.0), ("w3", 3.4)];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["anchor", workload, file] => anchor::run(workload, Path::new(file)).map(|rows| println!("{rows}")),
        ["generate", lines, file] => lines
            .parse()
            .map_err(|error| format!("{lines}: {error}"))
            .and_then(|lines| readings::write(Path::new(file), lines).map_err(|error| format!("{file}: {error}"))),
        [] => report::compare(&default_rarog(), &WORKLOADS.map(|(name, _)| name)),
        ["compare", rarog, workloads @ ..] => report::compare(Path::new(rarog), workloads),
        _ => Err("usage: rarog-bench [compare RAROG WORKLOAD… | anchor WORKLOAD FILE | generate LINES FILE]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("rarog-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The binary that was built beside this one.
fn default_rarog() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name("rarog")
}
