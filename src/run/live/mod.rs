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
pub mod beats;
pub mod causes;
mod host;
mod http;
pub mod identity;
mod idle;
pub mod inlet;
pub mod intake;
pub mod link;
mod messages;
mod outlet;
mod params;
pub mod party;
pub mod pipeline;
mod progress;
pub mod resume;
pub mod terms;
mod topic;
mod watch;
pub mod wiring;

use super::checkpoint::Settings;
use super::dead::DeadFile;
use super::engine::{Opened, Run, Workers};
use super::host::Surroundings;
use super::talk::Talk;
use super::{Failure, Pipeline};
use crate::args::{Output, RunArgs};
use party::Party;
use pipeline::LivePipeline;
use rarog_dataflow::snapshot::keeps_state;
use rarog_lang::plan::Op;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
pub use terms::Terms;
use wiring::wire;

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
        identity: None,
        notice: None,
    };
    run_in(&around, terms, args.workers, pipelines)
}

/// A program that runs.
struct Started {
    name: String,
    pipeline: Arc<LivePipeline>,
    run: Run,
}

/// Runs programs in given surroundings until they are stopped or all inputs have ended.
pub fn run_in(around: &Surroundings, terms: Terms, width: u16, pipelines: Vec<Pipeline>) -> Result<(), Failure> {
    let (workers, began, several) = (Workers::new(), Instant::now(), pipelines.len() > 1);
    let mut started = Vec::new();
    for pipeline in pipelines {
        let name = pipeline.name.clone();
        let of_name = start(&workers, around, &terms, width, pipeline);
        started.push(of_name.map_err(|message| Failure::usage(format!("{name}: {message}")))?);
    }
    let open: Vec<Arc<LivePipeline>> = started.iter().map(|started| started.pipeline.clone()).collect();
    limit_stopping(around, &open);
    let beats = beats::start(open.iter().map(|pipeline| pipeline.intake()).collect());
    let failures = wait(started, around, several);
    drop(beats);
    let written = around.dead.flush().map_err(Failure::usage);
    if !around.stop.reader_is_gone() {
        open.iter().for_each(|pipeline| pipeline.summary(began.elapsed()));
    }
    failures.into_iter().next().map_or(written, Err)
}

/// Opens the ends of a program, outlets at once and inlets when all outlets are connected, so that taking over from another
/// run cuts its outputs before its inputs; and starts it.
fn start(
    workers: &Workers,
    around: &Surroundings,
    terms: &Terms,
    width: u16,
    Pipeline { name, plan }: Pipeline,
) -> Result<Started, String> {
    let mut wiring = wire(&Party::run(&name), &plan)?;
    if wiring.inlets.is_empty() && !causes::has_timer(&wiring.plan) {
        return Err("nothing comes in: no stream has a .from; give the events with --input FILE".into());
    }
    let begun = resume::begin(terms.checkpoints.as_ref(), &name, &mut wiring, terms.several, &around.talk)?;
    let (pipeline, job) = LivePipeline::open(&name, wiring, begun, around, terms)?;
    let opened = Opened { job, stop: pipeline.stop.clone() };
    let run = workers.start(opened, width).map_err(|error| error.to_string())?;
    Ok(Started { name, pipeline, run })
}

/// Waits until all programs have ended. Each is closed when it ends: one that has failed is not to hold its connections while
/// others go on.
fn wait(started: Vec<Started>, around: &Surroundings, several: bool) -> Vec<Failure> {
    let wait = |Started { name, pipeline, run }: Started| {
        let ended = run.wait();
        pipeline.close(None);
        let of_engine = ended.err().map(|error| Failure::failed(format!("{name}: {error}")));
        let failure = pipeline.failure().or(of_engine);
        if let (Some(failure), true) = (&failure, several) {
            // The run ends with the last of them, which may be never.
            around.talk.say(&format!("rarog run: {name} has ended: {}", failure.message));
        }
        failure
    };
    let panicked = || Failure::failed("a thread of the run has failed");
    thread::scope(|scope| {
        let waiting: Vec<_> = started.into_iter().map(|started| scope.spawn(move || wait(started))).collect();
        waiting.into_iter().filter_map(|thread| thread.join().unwrap_or_else(|_| Some(panicked()))).collect()
    })
}

/// Sees to it that a run that is stopped ends, also when a broker does not answer.
fn limit_stopping(around: &Surroundings, open: &[Arc<LivePipeline>]) {
    let open: Vec<Weak<LivePipeline>> = open.iter().map(Arc::downgrade).collect();
    around.stop.on_request(Box::new(move || {
        let open = open.clone();
        // Without the thread the run waits for its brokers, which a second signal ends.
        _ = thread::Builder::new().name("grace".into()).spawn(move || {
            thread::sleep(GRACE);
            open.iter().filter_map(Weak::upgrade).for_each(|pipeline| pipeline.give_up());
        });
    }));
}
