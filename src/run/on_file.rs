//! A run on a file or standard input, which replaces every `.from` and the timers' clock.
//!
//! Each program reads the file for itself, side by side with the others. The end of the file ends event time.

use super::checkpoint::{Checkpoints, Input, Resumed, Settings, StandardOutput};
use super::dead::DeadFile;
use super::engine::{Opened, Workers};
use super::host::{Checkpointing, RunHost, Surroundings};
use super::replay::{From, Replay};
use super::stop::Stop;
use super::stoppable::Stoppable;
use super::talk::{Following, Progress, Talk};
use super::{Failure, Pipeline};
use crate::args::{InputFormat, Output, RunArgs};
use crate::files;
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Counters, Job, RunError, Start};
use rarog_lang::plan::Plan;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One program of the run.
struct Run {
    name: String,
    plan: Arc<Plan>,
    host: Arc<RunHost>,
    counters: Arc<Counters>,
    replay: Arc<Replay>,
    start: Start,
}

/// Time between checkpoints, unless the run says otherwise.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// A program with its checkpoints, if the run has some.
struct Begun {
    pipeline: Pipeline,
    checkpoints: Option<Arc<Checkpoints>>,
    resumed: Option<Resumed>,
}

/// Runs the programs to the end of the input.
pub fn run(args: &RunArgs, input: &Path, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    let output = args.output.unwrap_or(Output::Jsonl);
    let talk = Talk::with_bar(output != Output::None);
    if args.forget && args.checkpoint_dir.is_none() {
        return Err(Failure::usage(
            "--forget with --input is for checkpoints; say where they are with --checkpoint-dir",
        ));
    }
    let standard = Arc::new(StandardOutput::open());
    let begun = begin(args, input, pipelines, &standard, &talk)?;
    let around = Surroundings { output, dead: open_dead(args, &begun, &talk)?, talk, stop: Arc::default() };
    let checkpoints: Vec<Arc<Checkpoints>> = begun.iter().filter_map(|begun| begun.checkpoints.clone()).collect();
    let runs = open(args, input, begun, &around, &standard)?;
    let signals = around.stop.by_signals(&around.talk);
    signals.map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
    let began = Instant::now();
    let following = follow(&around.talk, runs.clone());
    let ended = start_and_wait(args.workers, &runs, &around.stop);
    let stored = checkpoints.iter().try_for_each(|checkpoints| checkpoints.finish()).map_err(Failure::failed);
    drop(following);
    let elapsed = began.elapsed();
    let written = around.dead.flush().map_err(Failure::usage);
    for run in &runs {
        if let Some(failure) = run.replay.failure().or_else(|| run.host.failure()) {
            return Err(Failure::usage(failure));
        }
    }
    ended.and(written).and(stored)?;
    if !around.stop.reader_is_gone() {
        runs.iter().for_each(|run| run.host.summary(&run.counters, elapsed));
    }
    Ok(())
}

/// Opens the checkpoints of all programs, before anything is written, and leaves out those that have come to their end.
fn begin(
    args: &RunArgs,
    input: &Path,
    pipelines: Vec<Pipeline>,
    standard: &Arc<StandardOutput>,
    talk: &Talk,
) -> Result<Vec<Begun>, Failure> {
    let Some(settings) = Settings::of(args, CHECKPOINT_INTERVAL) else {
        let begun = |pipeline| Begun { pipeline, checkpoints: None, resumed: None };
        return Ok(pipelines.into_iter().map(begun).collect());
    };
    if files::is_stdin(input) {
        let message = "standard input cannot be read again, so there is nothing to go on from; give a file, or no --checkpoint-dir";
        return Err(Failure::usage(message));
    }
    let alone = pipelines.len() == 1;
    let mut all = Vec::new();
    for pipeline in pipelines {
        let opened = Checkpoints::open(&settings, &pipeline.name, &pipeline.plan, standard.clone(), talk);
        let (checkpoints, resumed) = opened.map_err(Failure::usage)?;
        if let Some(resumed) = &resumed {
            let Input::File(at) = &resumed.input else {
                let message = format!(
                    "the checkpoints of {} are those of a live run; give another --name or --checkpoint-dir",
                    pipeline.name
                );
                return Err(Failure::usage(message));
            };
            at.check(input).map_err(Failure::usage)?;
            if at.ended {
                talk.say(&format!("{}: the input was read to its end before; --forget begins anew", pipeline.name));
                continue;
            }
            if let Some(Err(note)) = resumed.output("").filter(|_| alone).map(|to| standard.cut_back(to)) {
                talk.say(&format!("{}: {note}", pipeline.name));
            }
        }
        all.push(Begun { pipeline, checkpoints: Some(checkpoints), resumed });
    }
    Ok(all)
}

/// The file of dead letters, cut back to the checkpoint if one program alone writes to it.
fn open_dead(args: &RunArgs, begun: &[Begun], talk: &Talk) -> Result<DeadFile, Failure> {
    let path = args.dead_letters.as_deref();
    let resumed: Vec<&Resumed> = begun.iter().filter_map(|begun| begun.resumed.as_ref()).collect();
    // Nothing is left to do, or there is something to go on with: what is in the file stays.
    if resumed.is_empty() && !begun.is_empty() {
        return DeadFile::create(path).map_err(Failure::usage);
    }
    let dead = DeadFile::append(path).map_err(Failure::usage)?;
    if let (Some(path), [resumed], 1) = (path, &resumed[..], begun.len())
        && let Some(Err(note)) = resumed.output(&path.to_string_lossy()).map(|to| dead.cut_back(to))
    {
        talk.say(&note);
    }
    Ok(dead)
}

fn open(
    args: &RunArgs,
    input: &Path,
    begun: Vec<Begun>,
    around: &Surroundings,
    standard: &Arc<StandardOutput>,
) -> Result<Vec<Arc<Run>>, Failure> {
    let several = args.programs.len() + usize::from(args.file.is_some()) > 1;
    if several && files::is_stdin(input) {
        return Err(Failure::usage("several programs cannot share standard input; put the events into a file"));
    }
    let open = |begun: Begun| {
        let Begun { pipeline, checkpoints, resumed } = begun;
        let (start, position) = match resumed {
            Some(Resumed { start, input: Input::File(position), .. }) => (start, position),
            _ => Default::default(),
        };
        let from = From { chunk: start.chunk, position, checkpoints: checkpoints.clone() };
        let replay = Replay::open(input, format(args, input), pipeline.plan.clone(), args.batch_rows, from);
        let label = several.then(|| pipeline.name.clone());
        let origin = Some(input.display().to_string());
        let output = (!several).then(|| standard.clone());
        let checkpoints =
            checkpoints.map(|checkpoints| Checkpointing { checkpoints, output, dead: Some(Mutex::default()) });
        let run = Run {
            host: Arc::new(RunHost::new(pipeline.plan.clone(), label, origin, around.clone(), checkpoints)),
            counters: Arc::new(Counters::new(&pipeline.plan)),
            replay: Arc::new(replay.map_err(Failure::usage)?),
            start,
            name: pipeline.name,
            plan: pipeline.plan,
        };
        Ok(Arc::new(run))
    };
    begun.into_iter().map(open).collect()
}

fn format(args: &RunArgs, input: &Path) -> InputFormat {
    let is_evt = input.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("evt"));
    args.input_format.unwrap_or(if is_evt { InputFormat::Evt } else { InputFormat::Jsonl })
}

/// All start before the first is waited for.
fn start_and_wait(width: u16, runs: &[Arc<Run>], stop: &Arc<Stop>) -> Result<(), Failure> {
    let workers = Workers::new();
    let failed = |run: &Run, error: RunError| Failure::failed(format!("{}: {error}", run.name));
    let start = |run: &Arc<Run>| workers.start(opened(run, stop), width).map_err(|error| failed(run, error));
    let started = runs.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let wait = |(run, started): (&Arc<Run>, &super::engine::Run)| started.wait().map_err(|error| failed(run, error));
    let ended: Vec<Result<(), Failure>> = runs.iter().zip(&started).map(wait).collect();
    ended.into_iter().collect()
}

/// A program with both its ends.
fn opened(run: &Run, stop: &Arc<Stop>) -> Opened {
    let of_replay = run.replay.clone();
    let last = Box::new(move || of_replay.last());
    let job = Job {
        plan: run.plan.clone(),
        host: run.host.clone(),
        counters: run.counters.clone(),
        intake: Arc::new(Stoppable::new(run.replay.clone(), stop.clone(), last)),
        clockwork: Clockwork { sources: 1, replay: true },
        start: run.start.clone(),
    };
    Opened { job, stop: stop.clone() }
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
