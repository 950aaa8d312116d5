//! The whole control plane in a simulated network, with simulated time, disks that lose what was not synced, and faults.
//!
//! A run is decided by its seed, down to the order in which tasks are woken; each has a process of its own. Which seeds:
//! `RAROG_SEEDS=n` plays the first n, `RAROG_SEED=s` that one alone.

mod agent;
mod books;
mod chance;
mod cluster;
mod coordinator;
mod net;
mod scenario;
mod user;
mod world;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Seeds that are played when nobody asks for others.
const SEEDS: u64 = 3;

/// Tells a process that it is to play this seed.
const PLAY: &str = "RAROG_SIMULATION_PLAY";

/// Tells it where to write its record.
const RECORD: &str = "RAROG_SIMULATION_RECORD";

/// Name of the test in which seeds are played.
const TEST: &str = "every_pipeline_runs_on_one_live_worker_whatever_is_killed_cut_off_or_held";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("it is to be a number"))
}

fn seeds() -> Vec<u64> {
    match number("RAROG_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("RAROG_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

/// Plays a seed in this process, on a thread that has drawn nothing so far.
fn play(seed: u64) {
    chance::seed(seed);
    let record = std::thread::spawn(move || scenario::play(seed)).join().expect("it said why");
    let path = std::env::var(RECORD).expect("it is given with the seed");
    std::fs::write(path, record.join("\n")).expect("the folder of temporary files can be written");
}

/// The record of a seed that is played in a process of its own.
fn record(seed: u64, place: &str) -> Vec<String> {
    let file = format!("rarog-simulation-{}-{place}-{seed}", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(file);
    let this = std::env::current_exe().expect("it runs");
    let mut playing = Command::new(this);
    playing.args(["--exact", TEST, "--nocapture"]).env(PLAY, seed.to_string()).env(RECORD, &path);
    let output = playing.output().expect("it can be started again");
    assert!(
        output.status.success(),
        "seed {seed} failed ({}); to see it again: RAROG_SEED={seed} cargo test -p rarog-control --test simulation\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&path).expect("it was written");
    std::fs::remove_file(path).expect("it is there");
    text.lines().map(str::to_owned).collect()
}

/// The record of the first seed, which both tests need.
fn first() -> &'static [String] {
    static FIRST: OnceLock<Vec<String>> = OnceLock::new();
    FIRST.get_or_init(|| record(seeds()[0], "first"))
}

#[test]
fn every_pipeline_runs_on_one_live_worker_whatever_is_killed_cut_off_or_held() {
    if let Some(seed) = number(PLAY) {
        return play(seed);
    }
    first();
    for seed in seeds().into_iter().skip(1) {
        record(seed, "once");
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let seed = seeds()[0];
    let (second, first) = (record(seed, "second"), first());
    if let Some(at) = first.iter().zip(&second).position(|(a, b)| a != b) {
        panic!("seed {seed} gave two runs, which differ at line {at}:\n{}\n{}", first[at], second[at]);
    }
    assert_eq!(first.len(), second.len(), "seed {seed}: one run is longer");
    assert!(first.len() > 100, "a run that does something has a long record");
}
