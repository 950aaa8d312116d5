//! Runs trials as `cargo test` runs tests: filters, `--list`, `--exact`, `--skip`, threads, one line per trial, a summary.
//!
//! It exists because the trials are folders: each must have a name, fail by that name and be chosen by it, and a
//! dependency for that would bring a second command-line parser into the build. Not a general test framework.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

type Outcome = Result<(), String>;

/// A named test.
pub struct Trial {
    name: String,
    run: Box<dyn Fn() -> Outcome + Send + Sync>,
}

impl Trial {
    /// A trial that fails with a message.
    pub fn new(name: impl Into<String>, run: impl Fn() -> Outcome + Send + Sync + 'static) -> Trial {
        Trial { name: name.into(), run: Box::new(run) }
    }
}

/// What the command line asks for.
#[derive(Default)]
struct Choice {
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    list: bool,
    ignored: bool,
    threads: Option<usize>,
}

impl Choice {
    fn read(mut args: impl Iterator<Item = String>) -> Choice {
        let mut choice = Choice::default();
        while let Some(arg) = args.next() {
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_string(), Some(value.to_string())),
                _ => (arg, None),
            };
            match flag.as_str() {
                "--exact" => choice.exact = true,
                "--list" => choice.list = true,
                "--ignored" => choice.ignored = true,
                "--test-threads" => choice.threads = value.or_else(|| args.next()).and_then(|n| n.parse().ok()),
                "--skip" => choice.skip.extend(value.or_else(|| args.next())),
                "--format" | "--color" | "--logfile" | "-Z" => drop(value.or_else(|| args.next())),
                flag if flag.starts_with('-') => {}
                _ => choice.filters.push(flag),
            }
        }
        choice
    }

    fn takes(&self, name: &str) -> bool {
        let matches = |text: &String| if self.exact { name == text } else { name.contains(text.as_str()) };
        // No trial is marked as ignored, so "the ignored ones" are none.
        !self.ignored && (self.filters.is_empty() || self.filters.iter().any(matches)) && !self.skip.iter().any(matches)
    }
}

/// Runs the trials that the command line chooses; fails if one fails.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let choice = Choice::read(std::env::args().skip(1));
    let all = trials.len();
    let chosen: Vec<Trial> = trials.into_iter().filter(|trial| choice.takes(&trial.name)).collect();
    if choice.list {
        for trial in &chosen {
            println!("{}: test", trial.name);
        }
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    println!("\nrunning {} tests", chosen.len());
    let failures = run_all(&chosen, choice.threads);
    for (name, message) in &failures {
        println!("\n---- {name} ----\n{message}");
    }
    if !failures.is_empty() {
        println!("\nfailures:");
        failures.iter().for_each(|(name, _)| println!("    {name}"));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failures.len(),
        failures.len(),
        all - chosen.len(),
        began.elapsed().as_secs_f64()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// Failures in the order of the trials.
fn run_all(trials: &[Trial], threads: Option<usize>) -> Vec<(String, String)> {
    let threads = threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1).max(1);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, trial)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, trials.get(i)?)))
                {
                    let outcome = (trial.run)();
                    println!("test {} ... {}", trial.name, if outcome.is_ok() { "ok" } else { "FAILED" });
                    if let Err(message) = outcome {
                        failures.lock().expect("no trial panics while it holds this").push((index, message));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no trial panics while it holds this");
    failures.sort();
    failures.into_iter().map(|(index, message)| (trials[index].name.clone(), message)).collect()
}
