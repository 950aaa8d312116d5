//! A live run: programs on their connectors, until it is stopped or all its inputs have ended.
//!
//! ```text
//!  brokers, files ──> Inlet ──> LiveIntake ──> engine ──> LiveHost ──> Outlet ──> brokers, files
//!        ^                          │                        │            │
//!        └───── acknowledge ──── Progress <── completed ─────┘            │
//!                                   ^────────── confirmed ────────────────┘
//! ```
//! Invariant: a message is acknowledged only when every effect of it is safe ([`progress`]; with checkpoints: when one that
//! covers it is stored), so that a kill at any moment repeats and never loses; what is repeated carries the same id ([`identity`]).

mod acks;
mod alert;
mod beats;
mod causes;
mod ends;
mod host;
mod http;
mod identity;
mod idle;
mod inlet;
mod intake;
mod messages;
mod outlet;
mod params;
mod pipeline;
mod progress;
mod resume;
mod topic;
mod watch;
mod wiring;

use super::checkpoint::Settings;
use super::dead::DeadFile;
use super::engine::LocalEngine;
use super::host::Surroundings;
use super::talk::Talk;
use super::{Failure, Pipeline};
use crate::args::{Output, RunArgs};
use ends::LiveEnds;
pub use ends::Terms;
use pipeline::LivePipeline;
use rarog_control::engine::{Engine, Epoch, PipelineId, Placement};
use rarog_dataflow::snapshot::keeps_state;
use rarog_lang::plan::Op;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a run that is stopped may take to finish what is under way.
const GRACE: Duration = Duration::from_secs(6);

/// Time between checkpoints, unless the run says otherwise.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the programs until they are stopped.
pub fn run(args: &RunArgs, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    let sends = |pipeline: &Pipeline| pipeline.plan.nodes.iter().any(|node| matches!(node.op, Op::Send { .. }));
    let default = if pipelines.iter().any(sends) { Output::None } else { Output::Jsonl };
    let around = Surroundings {
        output: args.output.unwrap_or(default),
        dead: DeadFile::add_to(args.dead_letters.as_deref()).map_err(Failure::usage)?,
        talk: Talk::default(),
        stop: Arc::default(),
    };
    if args.checkpoint_dir.is_none() {
        let keeps_state = |pipeline: &&Pipeline| pipeline.plan.nodes.iter().any(|node| keeps_state(&node.op));
        for pipeline in pipelines.iter().filter(keeps_state) {
            around.talk.say(&format!(
                "{}: a kill loses what its windows and other operators hold; --checkpoint-dir keeps it",
                pipeline.name
            ));
        }
    }
    let signals = around.stop.by_signals(&around.talk);
    signals.map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
    let terms = Terms {
        several: pipelines.len() > 1,
        forget: args.forget,
        connect_timeout: args.connect_timeout,
        chunk_rows: args.batch_rows,
        checkpoints: Settings::of(args, CHECKPOINT_INTERVAL),
    };
    run_in(&around, terms, args.workers, pipelines)
}

/// Runs programs in given surroundings until they are stopped or all inputs have ended.
pub fn run_in(around: &Surroundings, terms: Terms, workers: u16, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    let ends = Arc::new(LiveEnds::new(around.clone(), terms));
    let engine = LocalEngine::new(ends.clone());
    let began = Instant::now();
    let ids: Vec<PipelineId> = pipelines.iter().map(|pipeline| PipelineId::new(&pipeline.name)).collect();
    for (pipeline, id) in pipelines.into_iter().zip(&ids) {
        let placement = Placement { pipeline: id.clone(), epoch: Epoch(0), plan: pipeline.plan, workers };
        engine.install(placement).map_err(|refused| Failure::usage(format!("{id}: {refused}")))?;
    }
    let (open, several) = (ends.open_pipelines(), ids.len() > 1);
    limit_stopping(around, &ends);
    let beats = beats::start(open.iter().map(|pipeline| pipeline.intake()).collect());
    let failures = thread::scope(|scope| {
        // Each is closed when it ends: one that has failed is not to hold its connections while others go on.
        let wait = |(id, pipeline): (&PipelineId, &Arc<LivePipeline>)| {
            let (id, pipeline, engine, talk) = (id.clone(), pipeline.clone(), &engine, &around.talk);
            scope.spawn(move || {
                let ended = engine.wait(&id);
                pipeline.close();
                let of_engine = ended.err().map(|error| Failure::failed(format!("{id}: {error}")));
                let failure = pipeline.failure().or(of_engine);
                if let (Some(failure), true) = (&failure, several) {
                    // The run ends with the last of them, which may be never.
                    talk.say(&format!("rarog run: {id} has ended: {}", failure.message));
                }
                failure
            })
        };
        let waiting: Vec<_> = ids.iter().zip(&open).map(wait).collect();
        let panicked = || Failure::failed("a thread of the run has failed");
        let failure =
            |thread: thread::ScopedJoinHandle<'_, Option<Failure>>| thread.join().unwrap_or_else(|_| Some(panicked()));
        waiting.into_iter().filter_map(failure).collect::<Vec<_>>()
    });
    drop(beats);
    let written = around.dead.flush().map_err(Failure::usage);
    if !around.stop.reader_is_gone() {
        open.iter().for_each(|pipeline| pipeline.summary(began.elapsed()));
    }
    failures.into_iter().next().map_or(written, Err)
}

/// Sees to it that a run that is stopped ends, also when a broker does not answer.
fn limit_stopping(around: &Surroundings, ends: &Arc<LiveEnds>) {
    let ends = Arc::downgrade(ends);
    around.stop.on_request(Box::new(move || {
        let ends = ends.clone();
        // Without the thread the run waits for its brokers, which a second signal ends.
        _ = thread::Builder::new().name("grace".into()).spawn(move || {
            thread::sleep(GRACE);
            if let Some(ends) = ends.upgrade() {
                ends.open_pipelines().iter().for_each(|pipeline| pipeline.give_up());
            }
        });
    }));
}
