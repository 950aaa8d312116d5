//! Events per second and CPU-seconds per million events of `rarog run` beside a hand-written single-purpose program for the
//! same job (the anchor), in one run. Built by `cargo build --profile dist -p rarog -p rarog-bench --no-default-features`;
//! `rarog-bench` measures the `rarog` beside it.
//!
//! CPU per event is the slope between two input sizes, so that start-up does not count: (median CPU at the larger size -
//! median CPU at the smaller) / difference of the sizes. A time counts only if both give the same rows.

mod anchor;
mod inputs;
mod measure;
mod report;
mod rows;
mod soak;
mod workloads;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use workloads::Workload;

/// Measure `rarog run` beside hand-written programs for the same jobs
#[derive(Parser)]
#[command(name = "rarog-bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

/// What the benchmark calls itself for.
#[derive(Subcommand)]
enum Part {
    /// Run one hand-written program and print number and checksum of its rows
    Anchor {
        #[arg(value_parser = workloads::named)]
        workload: &'static Workload,
        file: PathBuf,
        /// Count rows only
        #[arg(long)]
        count: bool,
    },
    /// Flood each operator with a million keys, and see that its memory goes with them
    Soak {
        /// Operators; by default all
        operators: Vec<String>,
        /// The program to run [default: the one beside this]
        #[arg(long, value_name = "FILE")]
        rarog: Option<PathBuf>,
    },
}

/// What is measured, and how.
#[derive(Args)]
struct Options {
    /// Workloads; by default all
    #[arg(value_parser = workloads::named)]
    workloads: Vec<&'static Workload>,
    /// Events of the smaller size
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    small: u64,
    /// Events of the larger size
    #[arg(long, value_name = "N", default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(2..))]
    large: u64,
    /// Events on which rows are compared
    #[arg(long, value_name = "N", default_value_t = 400_000, value_parser = clap::value_parser!(u64).range(1..))]
    checked: u64,
    /// Runs of each program at each size
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
    /// Numbers of workers to measure, such as 1,2; rows are compared with 1 and 2 in any case
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Vec<u16>,
    /// Also measure JSON lines to /dev/null, as nanoseconds per row
    #[arg(long)]
    encode: bool,
    /// The program to measure [default: the one beside this]
    #[arg(long, value_name = "FILE")]
    rarog: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Cli { part, options } = Cli::parse();
    let done = match part {
        Some(Part::Anchor { workload, file, count }) => {
            anchor::run(workload, &file, count).map(|rows| println!("{rows}"))
        }
        Some(Part::Soak { operators, rarog }) => soak::run(&rarog.unwrap_or_else(report::beside), &operators),
        None => report::compare(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("rarog-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
