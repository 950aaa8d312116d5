//! The comparison: every workload by every program at two sizes, in turns, and the table.

use crate::WORKLOADS;
use crate::measure::{Cost, median, run};
use crate::readings;
use crate::rows::Rows;
use std::path::{Path, PathBuf};
use std::process::Command;

const SMALL_EVENTS: u64 = 1_000_000;
const LARGE_EVENTS: u64 = 4_000_000;
const CHECKED_EVENTS: u64 = 200_000;
const REPEATS: usize = 5;

#[derive(Clone, Copy, PartialEq)]
enum Program {
    Anchor,
    Rarog { workers: usize },
}

impl Program {
    fn name(self) -> String {
        match self {
            Program::Anchor => "anchor".into(),
            Program::Rarog { workers: 1 } => "rarog".into(),
            Program::Rarog { workers } => format!("rarog --workers {workers}"),
        }
    }

    fn command(self, rarog: &Path, workload: &str, input: &Path) -> Command {
        match self {
            Program::Anchor => {
                let mut command = Command::new(std::env::current_exe().unwrap_or_default());
                command.args(["anchor", workload]).arg(input).env("RAROG_BENCH_COUNT", "1");
                command
            }
            Program::Rarog { workers } => {
                let mut command = Command::new(rarog);
                command.arg("run").arg(program(workload)).arg("--input").arg(input);
                command.args(["--output", "none", "--workers", &workers.to_string()]);
                command
            }
        }
    }
}

fn program(workload: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(workload).with_extension("vpl")
}

/// Slope over the two sizes.
struct Slope {
    cpu_per_million: f64,
    rate: f64,
    peaks: [u64; 2],
    spread: f64,
}

/// Prints the table.
pub fn compare(rarog: &Path, workloads: &[&str]) -> Result<(), String> {
    if !rarog.is_file() {
        return Err(format!("{} is not there; build it with cargo build --profile dist", rarog.display()));
    }
    let folder = std::env::temp_dir().join(format!("rarog-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let done = compare_in(&folder, rarog, workloads);
    _ = std::fs::remove_dir_all(&folder);
    done
}

fn compare_in(folder: &Path, rarog: &Path, workloads: &[&str]) -> Result<(), String> {
    let input = |events: u64| -> Result<PathBuf, String> {
        let file = folder.join(format!("readings-{events}.jsonl"));
        readings::write(&file, events).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(file)
    };
    let checked = input(CHECKED_EVENTS)?;
    let inputs = [input(SMALL_EVENTS)?, input(LARGE_EVENTS)?];
    println!("rarog: {}, profile of this benchmark: {}", rarog.display(), profile());
    println!("slope between {SMALL_EVENTS} and {LARGE_EVENTS} events, medians of {REPEATS} runs in turns\n");
    println!("| | program | CPU-s per million | x anchor | events/s | x one worker | MB at 1M | MB at 4M | spread |");
    println!("|-|-|-|-|-|-|-|-|-|");
    for workload in workloads {
        let rows = same_rows(rarog, workload, &checked)?;
        let programs = [Program::Anchor, Program::Rarog { workers: 1 }, Program::Rarog { workers: 2 }];
        let slopes = measure(rarog, workload, &programs, &inputs)?;
        print(workload, &programs, &slopes);
        let limit = WORKLOADS.iter().find(|(name, _)| name == workload).map_or(f64::INFINITY, |(_, limit)| *limit);
        println!("| | | at most | {limit:.1} | | 1.5 | | | same {} rows |", rows.count);
    }
    Ok(())
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "optimised (dist if run as documented)" }
}

fn same_rows(rarog: &Path, workload: &str, input: &Path) -> Result<Rows, String> {
    let anchor = crate::anchor::run(workload, input)?;
    for workers in ["1", "2"] {
        let mut command = Command::new(rarog);
        command.arg("run").arg(program(workload)).arg("--input").arg(input).args(["--workers", workers]);
        let output = command.output().map_err(|error| format!("{}: {error}", rarog.display()))?;
        if !output.status.success() {
            return Err(format!("rarog: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let rows = Rows::of_output(workload, &output.stdout)?;
        if rows != anchor {
            return Err(format!("{workload}: rarog with {workers} workers gives {rows}, the anchor {anchor}"));
        }
    }
    Ok(anchor)
}

fn measure(rarog: &Path, workload: &str, programs: &[Program], inputs: &[PathBuf; 2]) -> Result<Vec<Slope>, String> {
    let mut costs: Vec<[Vec<Cost>; 2]> = programs.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for _ in 0..REPEATS {
        for (program, costs) in programs.iter().zip(&mut costs) {
            for (input, costs) in inputs.iter().zip(costs) {
                costs.push(run(&mut program.command(rarog, workload, input))?);
            }
        }
    }
    Ok(costs.iter().map(slope).collect())
}

fn slope(costs: &[Vec<Cost>; 2]) -> Slope {
    let of = |costs: &[Cost], value: fn(&Cost) -> f64| median(costs.iter().map(value).collect());
    let events = (LARGE_EVENTS - SMALL_EVENTS) as f64;
    let (cpu, spread) = of(&costs[1], |cost| cost.cpu);
    let wall = of(&costs[1], |cost| cost.wall).0 - of(&costs[0], |cost| cost.wall).0;
    Slope {
        cpu_per_million: (cpu - of(&costs[0], |cost| cost.cpu).0) / events * 1e6,
        rate: events / wall,
        peaks: [0, 1].map(|size| costs[size].iter().map(|cost| cost.peak).max().unwrap_or(0)),
        spread,
    }
}

fn print(workload: &str, programs: &[Program], slopes: &[Slope]) {
    let anchor = slopes[0].cpu_per_million;
    let one = slopes[1].rate;
    for (program, slope) in programs.iter().zip(slopes) {
        let of_one = if *program == Program::Anchor { String::new() } else { format!("{:.2}", slope.rate / one) };
        println!(
            "| {workload} | {} | {:.3} | {:.2} | {:.0} | {of_one} | {} | {} | {:.0} % |",
            program.name(),
            slope.cpu_per_million,
            slope.cpu_per_million / anchor,
            slope.rate,
            slope.peaks[0] >> 20,
            slope.peaks[1] >> 20,
            slope.spread * 100.0,
        );
    }
}
