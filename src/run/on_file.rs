//! A run on a file or standard input, which replaces every `.from` and the timers' clock.
//!
//! Each program reads the file for itself, side by side with the others. The end of the file ends event time.

use super::dead::DeadFile;
use super::engine::{Ends, LocalEngine, Opened};
use super::host::{RunHost, Surroundings};
use super::replay::{Replay, is_stdin};
use super::stop::Stop;
use super::stoppable::Stoppable;
use super::talk::{Following, Progress, Talk};
use super::{Failure, Pipeline};
use crate::args::{InputFormat, Output, RunArgs};
use rarog_control::engine::{Engine, Epoch, PipelineId, Placement};
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Counters, Job, Start};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// One program of the run.
struct Run {
    host: Arc<RunHost>,
    counters: Arc<Counters>,
    replay: Arc<Replay>,
}

/// Both ends of the programs, opened before the first of them is installed.
struct FileEnds {
    stop: Arc<Stop>,
    runs: BTreeMap<PipelineId, Arc<Run>>,
}

impl Ends for FileEnds {
    fn open(&self, placement: &Placement) -> Result<Opened, String> {
        let run = self.runs.get(&placement.pipeline).ok_or_else(|| format!("{} was not opened", placement.pipeline))?;
        let job = Job {
            plan: placement.plan.clone(),
            host: run.host.clone(),
            counters: run.counters.clone(),
            intake: Arc::new(Stoppable::new(run.replay.clone(), self.stop.clone())),
            clockwork: Clockwork { sources: 1, replay: true },
            start: Start::default(),
        };
        Ok(Opened { job, stop: self.stop.clone() })
    }
}

/// Runs the programs to the end of the input.
pub fn run(args: &RunArgs, input: &Path, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    let output = args.output.unwrap_or(Output::Jsonl);
    let around = Surroundings {
        output,
        dead: DeadFile::create(args.dead_letters.as_deref()).map_err(Failure::usage)?,
        talk: Talk::with_bar(output != Output::None),
        stop: Arc::default(),
    };
    let runs = open(args, input, &pipelines, &around)?;
    let signals = around.stop.by_signals(&around.talk);
    signals.map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
    let began = Instant::now();
    let following = follow(&around.talk, runs.values().cloned().collect());
    let ended = install_and_wait(args.workers, pipelines, FileEnds { stop: around.stop.clone(), runs: runs.clone() });
    drop(following);
    let elapsed = began.elapsed();
    let written = around.dead.flush().map_err(Failure::usage);
    for run in runs.values() {
        if let Some(failure) = run.replay.failure().or_else(|| run.host.failure()) {
            return Err(Failure::usage(failure));
        }
    }
    ended.and(written)?;
    if !around.stop.reader_is_gone() {
        runs.values().for_each(|run| run.host.summary(&run.counters, elapsed));
    }
    Ok(())
}

fn open(
    args: &RunArgs,
    input: &Path,
    pipelines: &[Pipeline],
    around: &Surroundings,
) -> Result<BTreeMap<PipelineId, Arc<Run>>, Failure> {
    let several = pipelines.len() > 1;
    if several && is_stdin(input) {
        return Err(Failure::usage("several programs cannot share standard input; put the events into a file"));
    }
    let open = |pipeline: &Pipeline| {
        let replay = Replay::open(input, format(args, input), pipeline.plan.clone(), args.batch_rows);
        let label = several.then(|| pipeline.name.clone());
        let origin = Some(input.display().to_string());
        let run = Run {
            host: Arc::new(RunHost::new(pipeline.plan.clone(), label, origin, around.clone())),
            counters: Arc::new(Counters::new(&pipeline.plan)),
            replay: Arc::new(replay.map_err(Failure::usage)?),
        };
        Ok((PipelineId::new(&pipeline.name), Arc::new(run)))
    };
    pipelines.iter().map(open).collect()
}

fn format(args: &RunArgs, input: &Path) -> InputFormat {
    let is_evt = input.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("evt"));
    args.input_format.unwrap_or(if is_evt { InputFormat::Evt } else { InputFormat::Jsonl })
}

/// All start before the first is waited for.
fn install_and_wait(workers: u16, pipelines: Vec<Pipeline>, ends: FileEnds) -> Result<(), Failure> {
    let engine = LocalEngine::new(ends);
    let ids: Vec<PipelineId> = pipelines.iter().map(|pipeline| PipelineId::new(&pipeline.name)).collect();
    for (pipeline, id) in pipelines.into_iter().zip(&ids) {
        let placement = Placement { pipeline: id.clone(), epoch: Epoch(0), plan: pipeline.plan, workers };
        engine.install(placement).map_err(|refused| Failure::failed(format!("{id}: {refused}")))?;
    }
    let wait = |id| engine.wait(id).map_err(|error| Failure::failed(format!("{id}: {error}")));
    let ended: Vec<Result<(), Failure>> = ids.iter().map(wait).collect();
    ended.into_iter().collect()
}

fn follow(talk: &Talk, runs: Vec<Arc<Run>>) -> Option<Following> {
    talk.follow(move || {
        let mut progress = Progress { bytes: (0, Some(0)), records: 0 };
        for run in &runs {
            let (read, total) = run.replay.progress();
            progress.bytes.0 += read;
            progress.bytes.1 = progress.bytes.1.zip(total).map(|(sum, total)| sum + total);
            progress.records += run.counters.records.load(Ordering::Relaxed);
        }
        progress
    })
}
