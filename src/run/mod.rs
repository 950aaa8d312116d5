//! `rarog run`: a program on a file or standard input.

mod host;
mod replay;

use crate::args::{InputFormat, Output, RunArgs};
use crate::{exit, program};
use host::{RunHost, Sinks};
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{self, Counters};
use rarog_lang::plan::Plan;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Runs a program.
pub fn main(args: RunArgs) -> ExitCode {
    let programs: Vec<_> = args.file.iter().chain(&args.programs).cloned().collect();
    let plan = match program::compile(&programs, &args.connector) {
        Ok(plan) => Arc::new(plan),
        Err(code) => return code,
    };
    let Some(input) = &args.input else {
        eprintln!("rarog run: live connectors cannot be opened by this build; give the events with --input FILE");
        return ExitCode::from(exit::USAGE);
    };
    match replay(&args, input, plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("rarog run: {message}");
            ExitCode::from(code)
        }
    }
}

fn format(args: &RunArgs, input: &str) -> InputFormat {
    let by_name = if input.ends_with(".evt") { InputFormat::Evt } else { InputFormat::Jsonl };
    args.input_format.unwrap_or(by_name)
}

fn replay(args: &RunArgs, input: &str, plan: Arc<Plan>) -> Result<(), (u8, String)> {
    let usage = |message: String| (exit::USAGE, message);
    let intake = replay::Replay::open(input, format(args, input), plan.clone(), args.batch_rows).map_err(usage)?;
    let sinks = Sinks::open(args.output.unwrap_or(Output::Jsonl), args.dead_letters.as_deref()).map_err(usage)?;
    let host = Arc::new(RunHost::new(plan.clone(), sinks));
    let counters = Arc::new(Counters::new(&plan));
    let clockwork = Clockwork { sources: 1, replay: true };
    let started = Instant::now();
    let intake = Arc::new(intake);
    let ended = rt::run(plan, host.clone(), counters.clone(), intake.clone(), args.workers.into(), clockwork);
    host.close().map_err(usage)?;
    intake.failure().map_or(Ok(()), |failure| Err(usage(failure)))?;
    ended.map_err(|error| (exit::FAILED, error.to_string()))?;
    let seconds = started.elapsed().as_secs_f64();
    let records = counters.records.load(Ordering::Relaxed);
    host.summary(&counters, records, seconds);
    Ok(())
}
