//! Opens what an order asks for: both ends of a pipeline, and its dataflow between them.

use super::keeper::Keeper;
use super::tap::Tap;
use super::warrant::Ownership;
use super::{Shared, order};
use crate::args::Output;
use crate::run::dead::DeadFile;
use crate::run::engine::{Opened, Run};
use crate::run::host::Surroundings;
use crate::run::live::beats::{self, Beats};
use crate::run::live::causes::has_timer;
use crate::run::live::identity::Identity;
use crate::run::live::pipeline::LivePipeline;
use crate::run::live::resume;
use crate::run::live::terms::Terms;
use crate::run::live::wiring::{DEFAULT_IDLE, Inlet, Wiring, wire};
use crate::run::talk::Talk;
use rarog_control::agent::engine::Assignment;
use rarog_control::wire::Order;
use rarog_dataflow::rt::Counters;
use rarog_lang::plan::Plan;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A pipeline that is open.
pub struct Open {
    /// Its ends.
    pub pipeline: Arc<LivePipeline>,
    /// Its dataflow.
    pub run: Run,
    /// What has passed.
    pub meter: Arc<Meter>,
    /// Keeps its clocks going.
    pub _beats: Beats,
}

/// What has passed a pipeline.
pub struct Meter {
    plan: Arc<Plan>,
    counters: Arc<Counters>,
    tap: Arc<Tap>,
    /// By connector, how many messages had come when they were last counted, and since when it was no more.
    arrivals: Mutex<BTreeMap<String, (u64, Instant)>>,
}

impl Meter {
    /// The plan that runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What stands behind its outputs.
    pub fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// Records taken in.
    pub fn events_in(&self) -> u64 {
        self.counters.records.load(Ordering::Relaxed)
    }

    /// A connector has got so many messages so far: for how long not one more.
    pub fn silence(&self, connector: &str, received: u64) -> Duration {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = arrivals.entry(connector.to_owned()).or_insert_with(|| (received, Instant::now()));
        if arrival.0 != received {
            *arrival = (received, Instant::now());
        }
        arrival.1.elapsed()
    }

    /// Records put out.
    pub fn events_out(&self) -> u64 {
        self.tap.out()
    }
}

/// Opens it. Brokers are not waited for.
pub(super) fn open(shared: &Arc<Shared>, assignment: &Assignment, keeper: &Arc<Keeper>) -> Result<Open, String> {
    let order = &assignment.order;
    let ownership =
        Ownership { warrant: assignment.warrant.clone(), pipeline: order.pipeline.clone(), epoch: order.epoch };
    let mut wiring = wire(&order::party(order, Some(Arc::new(ownership))), &order::plan(order)?)?;
    divisible(order, &wiring)?;
    if wiring.idle.is_empty() && !has_timer(&wiring.plan) {
        // Nothing comes in by itself, but events can be injected.
        wiring.idle.push(DEFAULT_IDLE);
    }
    let name = shown(order);
    let around = Surroundings {
        output: Output::None,
        dead: dead_letters(shared, order)?,
        talk: talk(&name),
        stop: Arc::default(),
    };
    let of_keeper = Arc::downgrade(keeper);
    let notice = move || {
        if let Some(keeper) = of_keeper.upgrade() {
            keeper.notice();
        }
    };
    let terms = Terms {
        identity: Some(Identity::new(&order.id.to_string(), order.incarnation)),
        notice: Some(Arc::new(notice)),
        ..Terms::default()
    };
    let released = assignment.state.as_deref();
    let beginning = resume::go_on(released, &name, order.incarnation, &mut wiring, &around.talk)?;
    let plan = wiring.plan.clone();
    let (pipeline, mut job) = LivePipeline::open(&name, wiring, beginning, &around, &terms)?;
    let tap = Arc::new(Tap::new(job.host.clone(), &plan, shared.logs.sender(&order.pipeline), name));
    job.host = tap.clone();
    let meter = Arc::new(Meter { plan, counters: job.counters.clone(), tap, arrivals: Mutex::default() });
    let opened = Opened { job, stop: pipeline.stop.clone() };
    let run = shared.workers.start(opened, 1).inspect_err(|_| pipeline.cut());
    let run = run.map_err(|error| error.to_string())?;
    let beats = beats::start(vec![pipeline.intake()]);
    Ok(Open { pipeline, run, meter, _beats: beats })
}

/// Can what comes in be divided among the replicas of an order?
fn divisible(order: &Order, wiring: &Wiring) -> Result<(), String> {
    let other = wiring.inlets.iter().zip(&wiring.inlet_names).find(|(inlet, _)| !matches!(inlet, Inlet::Mqtt { .. }));
    match other {
        Some((inlet, name)) if order.replicas > 1 => Err(format!(
            "connector {name}: replicas cannot divide what comes from {}; give one replica, or read from mqtt",
            inlet.kind()
        )),
        _ => Ok(()),
    }
}

/// A pipeline for people: `group/name`, and which replica if there are several.
fn shown(order: &Order) -> String {
    let replica = if order.replicas > 1 { format!("#{}", order.pipeline.replica) } else { String::new() };
    format!("{}/{}{replica}", order.group_name, order.pipeline.name)
}

/// Lines for people go into the log of the process.
fn talk(name: &str) -> Talk {
    let name = name.to_owned();
    Talk::to(move |line| tracing::info!(pipeline = %name, "{line}"))
}

/// The file of a pipeline's dead letters, if there is to be one.
fn dead_letters(shared: &Shared, order: &Order) -> Result<DeadFile, String> {
    let Some(folder) = &shared.settings.dead_letters else { return Ok(DeadFile::default()) };
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    DeadFile::add_to(Some(&folder.join(format!("{}.jsonl", order.id))))
}
