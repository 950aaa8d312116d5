//! `rarog server`: a worker.

use super::engine::{LiveEngine, Settings};
use super::{logging, signals};
use crate::args::ServerArgs;
use crate::exit;
use crate::run::Failure;
use rarog_control::agent::engine::{Engine, Event};
use rarog_control::agent::{Agent, AgentConfig, Ended};
use rarog_control::coordinator::auth::Keys;
use rarog_control::coordinator::limits::RateLimit;
use rarog_control::coordinator::server::serve;
use rarog_control::model::ids::{Uuid, WorkerId};
use rarog_control::model::secret::Secret;
use rarog_control::model::state::Capacity;
use rarog_control::seams::{Listener, Seams, real};
use rarog_control::worker::standalone::Standalone;
use rarog_control::worker::{Alone, Membership, Placed, Queues, Worker};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long ending may take.
const GRACE: Duration = Duration::from_secs(8);
/// Of it, what answers under way get after pipelines have ended.
const ANSWERS: Duration = Duration::from_millis(500);
/// Worker threads of the control half; pipelines have threads of their own.
const CONTROL_THREADS: usize = 2;

/// Runs a worker until it is stopped or superseded.
pub fn run(args: &ServerArgs) -> Result<(), Failure> {
    if let Some(option) = args.unsupported.given() {
        return Err(Failure::usage(format!("{option} is not supported by this build; leave it out")));
    }
    logging::start(args.log_format).map_err(Failure::usage)?;
    if let Some(folder) = &args.workdir {
        let failed = |error| Failure::usage(format!("--workdir {}: {error}", folder.display()));
        std::env::set_current_dir(folder).map_err(failed)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(serve_until_stopped(args));
    runtime.shutdown_background();
    result
}

async fn serve_until_stopped(args: &ServerArgs) -> Result<(), Failure> {
    let stop = signals::first().map_err(Failure::failed)?;
    let name = name_of(args);
    let folder = args.state_dir.clone().unwrap_or_else(|| PathBuf::from(format!("rarog-data/worker-{name}")));
    let seams = real::seams(&folder).map_err(|error| Failure::usage(error.to_string()))?;
    let listener = listen(&seams, &args.bind, args.port, "--port").await?;
    let address = listener.address().map_err(|error| Failure::failed(error.to_string()))?;
    let reached = args.advertise_address.clone().unwrap_or_else(|| format!("http://{address}"));
    let engine: Arc<LiveEngine> =
        Arc::new(LiveEngine::new(Settings { dead_letters: Some(folder.join("dead-letters")) }));
    let agent = join(args, &name, &reached, engine.clone(), &seams)?;
    let (worker, handover) = worker(args, &name, engine, &agent, &seams)?;
    let (closing, closed) = watch::channel(false);
    if args.metrics {
        let listener = listen(&seams, &args.bind, args.metrics_port, "--metrics-port").await?;
        tokio::spawn(serve(listener, worker.clone().metrics_routes(), closed.clone(), ANSWERS));
    }
    let serving = tokio::spawn(serve(listener, worker.routes(handover), closed, ANSWERS));
    tracing::info!(worker = name, %address, folder = %folder.display(), "the worker is up");
    let ended = match &agent {
        Some(agent) => tokio::select! {
            () = stop.notified() => None,
            ended = agent.ended() => Some(ended),
        },
        None => {
            stop.notified().await;
            None
        }
    };
    if let Some(agent) = agent {
        agent.shutdown(Instant::now() + GRACE - ANSWERS).await;
    }
    // Somebody is there: the task beside us.
    _ = closing.send(true);
    _ = serving.await;
    match ended {
        None => Ok(()),
        Some(ended @ Ended::Superseded(_)) => Err(Failure { code: exit::TAKEN_OVER, message: ended.to_string() }),
        Some(ended) => Err(Failure::failed(ended.to_string())),
    }
}

async fn listen(seams: &Seams, bind: &str, port: u16, option: &str) -> Result<Box<dyn Listener>, Failure> {
    let listening = seams.net.listen(&format!("{bind}:{port}")).await;
    listening
        .map_err(|error| Failure::usage(format!("cannot listen on {bind}:{port}: {error}; choose another {option}")))
}

fn name_of(args: &ServerArgs) -> String {
    args.worker_id.clone().unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "worker" } else { host.trim() };
        format!("{host}-{}", args.port)
    })
}

/// Begins to call coordinators, if there are some.
fn join(
    args: &ServerArgs,
    name: &str,
    reached: &str,
    engine: Arc<LiveEngine>,
    seams: &Seams,
) -> Result<Option<Arc<Agent>>, Failure> {
    let coordinators: Vec<String> = args.coordinator.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
    if coordinators.is_empty() {
        engine.listen(Box::new(|event| {
            if let Event::Phase { pipeline, phase, .. } = event {
                tracing::info!(pipeline = %pipeline.name, ?phase, "a pipeline is in another phase");
            }
        }));
        return Ok(None);
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let config = AgentConfig {
        worker: WorkerId::new(name),
        instance: Uuid::from_u64_pair(seams.entropy.next_u64(), seams.entropy.next_u64()),
        coordinators,
        api_key: args.api_key.clone().map(Secret::new),
        address: reached.to_owned(),
        capacity: Capacity { cpu_cores: cores, pipelines_running: 0, max_pipelines: args.max_pipelines },
    };
    let agent = Agent::start(config, engine, seams.clone());
    agent.map(|agent| Some(Arc::new(agent))).map_err(|error| Failure::failed(format!("cannot read the state: {error}")))
}

/// The REST interface, and the routes by which states of pipelines arrive.
fn worker(
    args: &ServerArgs,
    name: &str,
    engine: Arc<LiveEngine>,
    agent: &Option<Arc<Agent>>,
    seams: &Seams,
) -> Result<(Arc<Worker>, axum::Router), Failure> {
    let parts = (seams.disk.clone(), seams.clock.clone(), seams.entropy.clone());
    let standalone = Standalone::open(engine.clone(), parts, args.max_pipelines);
    let standalone = standalone.map_err(|error| Failure::failed(error.to_string()))?;
    let keys = args.api_key.as_ref().map_or_else(Keys::none, |key| Keys::none().with_admin(key));
    let keys = if args.allow_anonymous { keys.with_anonymous_viewers() } else { keys };
    let membership: Arc<dyn Membership> = match agent {
        Some(agent) => Arc::new(Member(Arc::downgrade(agent))),
        None => Arc::new(Alone),
    };
    let handover = agent.as_ref().map_or_else(axum::Router::new, |agent| agent.routes());
    let worker = Worker {
        name: name.to_owned(),
        engine,
        standalone,
        membership,
        keys,
        rate: RateLimit::new(args.rate_limit),
        cors_origins: args.cors_origins.clone(),
        queues: Queues::new(args.max_queue_depth),
        clock: seams.clock.clone(),
        started_ms: seams.clock.now_ms(),
    };
    Ok((Arc::new(worker), handover))
}

/// The worker's place in a cluster, as its REST interface shows it.
struct Member(std::sync::Weak<Agent>);

impl Membership for Member {
    fn placed(&self) -> Vec<Placed> {
        let Some(agent) = self.0.upgrade() else { return Vec::new() };
        let placed = agent.placed().into_iter().map(|placed| Placed {
            pipeline: placed.order.pipeline,
            id: placed.order.id,
            epoch: placed.order.epoch,
            group_name: placed.order.group_name,
            source: placed.order.source,
            plan: placed.order.plan,
            phase: placed.phase,
            since_ms: placed.since_ms,
        });
        placed.collect()
    }

    fn is_connected(&self) -> bool {
        self.0.upgrade().is_some_and(|agent| agent.connected_to().is_some())
    }
}
