//! The engine of a worker: what a coordinator orders, run on the dataflow and the connectors of this process.
//!
//! ```text
//!  install ──> Keeper (a thread each) ──> LivePipeline ──> brokers
//!  stop    ──────^   │ judges its links        │
//!                    └─> Event::Phase          └── gate <── Warrant
//! ```
//! Invariants: those of [`rarog_control::agent::engine`]. A keeper begins only when the one before it for the same pipeline is gone;
//! no hook is called under a lock; what waits, waits on a thread of its own.

mod burial;
mod inject;
mod keeper;
mod links;
mod logs;
mod meters;
mod open;
mod order;
mod replica;
mod tap;
mod warrant;

pub use logs::LogEntry;

use crate::run::engine::Workers;
use burial::Burial;
use keeper::{Keeper, Task};
use logs::Logs;
use rarog_control::agent::engine::{Assignment, Ending, Engine, Event, Injected, Refused};
use rarog_control::model::ids::{EpochNumber, PipelineKey};
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::model::state::Client;
use rarog_control::seams::Pending;
use rarog_control::wire::{Metrics, Order};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::broadcast;

/// Pipelines at the most: each has a thread, and each of its connections one more.
const PIPELINES_LIMIT: usize = 1024;
/// Pipelines that are gone whose newest epochs are remembered.
const EPOCHS_LIMIT: usize = 65_536;

/// What is set for an engine.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A folder for files of dead letters, one for each pipeline; `None`: they are counted, with samples in the log.
    pub dead_letters: Option<PathBuf>,
}

/// See the module's head.
pub struct LiveEngine(Arc<Shared>);

/// Told what becomes of things.
type Hook = Box<dyn Fn(Event) + Send + Sync>;

/// What the threads of an engine share.
struct Shared {
    settings: Settings,
    workers: Workers,
    hook: OnceLock<Hook>,
    held: Mutex<Held>,
    logs: Logs,
    burial: Burial,
    /// Records of pipelines that are gone.
    retired: AtomicU64,
}

/// What there is, and was.
#[derive(Default)]
struct Held {
    keepers: BTreeMap<PipelineKey, Arc<Keeper>>,
    /// The newest epoch seen, of pipelines that are gone as well.
    newest: BTreeMap<PipelineKey, EpochNumber>,
}

impl Held {
    /// Refuses orders that have been overruled.
    fn admit(&mut self, pipeline: &PipelineKey, given: EpochNumber) -> Result<(), Refused> {
        let newest = self.newest.entry(pipeline.clone()).or_insert(given);
        if given < *newest {
            return Err(Refused::OldEpoch { given, newest: *newest });
        }
        *newest = given;
        if self.newest.len() > EPOCHS_LIMIT {
            let gone = self.newest.keys().find(|key| !self.keepers.contains_key(*key) && *key != pipeline).cloned();
            gone.map(|key| self.newest.remove(&key));
        }
        Ok(())
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what has become of something.
    fn tell(&self, event: Event) {
        if let Some(hook) = self.hook.get() {
            hook(event);
        }
    }

    fn keeper(&self, pipeline: &PipelineKey) -> Option<Arc<Keeper>> {
        self.held().keepers.get(pipeline).cloned()
    }

    /// A keeper has ended; its successor stays.
    fn forget(&self, keeper: &Arc<Keeper>) {
        let mut held = self.held();
        if held.keepers.get(&keeper.pipeline).is_some_and(|other| Arc::ptr_eq(other, keeper)) {
            held.keepers.remove(&keeper.pipeline);
            self.logs.forget(&keeper.pipeline);
        }
    }
}

impl LiveEngine {
    /// An engine without pipelines.
    pub fn new(settings: Settings) -> LiveEngine {
        LiveEngine(Arc::new(Shared {
            settings,
            workers: Workers::new(),
            hook: OnceLock::new(),
            held: Mutex::default(),
            logs: Logs::default(),
            burial: Burial::default(),
            retired: AtomicU64::new(0),
        }))
    }

    /// What a pipeline puts out from now on, as far as the reader keeps up; `None`: there is no such pipeline.
    pub fn subscribe(&self, pipeline: &PipelineKey) -> Option<broadcast::Receiver<LogEntry>> {
        self.0.keeper(pipeline)?;
        Some(self.0.logs.subscribe(pipeline))
    }

    fn order(&self, pipeline: &PipelineKey, epoch: EpochNumber, task: Task) -> Result<(), Refused> {
        let mut held = self.0.held();
        held.admit(pipeline, epoch)?;
        let keeper = held.keepers.get(pipeline).ok_or_else(|| Refused::Unknown(pipeline.clone()))?;
        keeper.order(task);
        Ok(())
    }
}

impl Engine for LiveEngine {
    fn listen(&self, hook: Box<dyn Fn(Event) + Send + Sync>) {
        // A second hook has no meaning: the first goes on.
        _ = self.0.hook.set(hook);
    }

    fn clients(&self, order: &Order) -> Result<BTreeMap<String, Client>, String> {
        order::clients(order)
    }

    fn install(&self, assignment: Assignment) -> Result<(), Refused> {
        let (pipeline, epoch) = (assignment.order.pipeline.clone(), assignment.order.epoch);
        let mut held = self.0.held();
        held.admit(&pipeline, epoch)?;
        let before = held.keepers.get(&pipeline).cloned();
        if before.as_ref().is_some_and(|before| before.epoch == epoch) {
            return Ok(());
        }
        if before.is_none() && held.keepers.len() >= PIPELINES_LIMIT {
            return Err(Refused::Cannot(format!("this worker runs {PIPELINES_LIMIT} pipelines, which is its limit")));
        }
        if let Some(before) = &before {
            before.order(Task::Stop(Ending::Now));
        }
        let keeper = keeper::start(self.0.clone(), assignment, before);
        held.keepers.insert(pipeline, keeper.map_err(Refused::Cannot)?);
        Ok(())
    }

    fn stop(&self, pipeline: &PipelineKey, epoch: EpochNumber, ending: Ending) -> Result<(), Refused> {
        self.order(pipeline, epoch, Task::Stop(ending))
    }

    fn release(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Result<(), Refused> {
        self.order(pipeline, epoch, Task::Release)
    }

    fn bury(&self, client: &str, connector: &ConnectorSpec) {
        burial::bury(&self.0, client, connector);
    }

    fn metrics(&self) -> Metrics {
        meters::read(&self.0)
    }

    fn inject(
        &self,
        pipeline: &PipelineKey,
        events: Vec<Injected>,
    ) -> Pending<'static, Result<Vec<Injected>, Refused>> {
        let keeper = self.0.keeper(pipeline).ok_or_else(|| Refused::Unknown(pipeline.clone()));
        // Whoever waits holds nothing of the pipeline, which may end meanwhile.
        let answer = keeper.and_then(|keeper| keeper.inject(events));
        Box::pin(async move {
            let ended = |_| Refused::Cannot("it has ended before all was through".into());
            answer?.await.map_err(ended)
        })
    }
}

impl Drop for LiveEngine {
    /// Cuts all pipelines and waits until they are gone.
    fn drop(&mut self) {
        let keepers: Vec<Arc<Keeper>> = self.0.held().keepers.values().cloned().collect();
        keepers.iter().for_each(|keeper| keeper.order(Task::Stop(Ending::Now)));
        keepers.iter().for_each(|keeper| keeper.wait_until_gone());
    }
}
