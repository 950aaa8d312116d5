//! An engine that only keeps books: pipelines ask for their warrant, connect to the broker of the simulation, and say after a while
//! that they run.

use crate::net::Seeded;
use crate::world::World;
use rarog_control::agent::engine::{Assignment, Ending, Engine, Event, Injected, Refused, Warrant};
use rarog_control::model::ids::{EpochNumber, PipelineKey};
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::model::state::{Client, Phase};
use rarog_control::seams::Pending;
use rarog_control::wire::{Metrics, Order, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Time that a pipeline takes to start, at the most, ms.
const START_MS: u64 = 30;

/// Time after which a warrant that nobody could give is asked for again, ms.
const ASK_AGAIN_MS: u64 = 50;

/// See the module's head.
pub struct Books {
    shared: Arc<Shared>,
}

struct Shared {
    worker: String,
    world: Arc<World>,
    seeded: Seeded,
    hook: OnceLock<Box<dyn Fn(Event) + Send + Sync>>,
    runs: Mutex<BTreeMap<PipelineKey, Run>>,
    newest: Mutex<BTreeMap<PipelineKey, EpochNumber>>,
}

struct Run {
    epoch: EpochNumber,
    task: JoinHandle<()>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Books {
    pub fn new(worker: &str, world: Arc<World>, seed: u64) -> Books {
        let shared = Shared {
            worker: worker.into(),
            world,
            seeded: Seeded::new(seed),
            hook: OnceLock::new(),
            runs: Mutex::default(),
            newest: Mutex::default(),
        };
        Books { shared: Arc::new(shared) }
    }

    fn end(&self, pipeline: &PipelineKey, epoch: EpochNumber, how: &str) -> Result<(), Refused> {
        let removed = {
            let mut runs = self.shared.runs();
            match runs.get(pipeline) {
                None => return Err(Refused::Unknown(pipeline.clone())),
                Some(run) if run.epoch > epoch => {
                    return Err(Refused::OldEpoch { given: epoch, newest: run.epoch });
                }
                Some(_) => runs.remove(pipeline),
            }
        };
        let epoch = removed.map_or(epoch, |run| run.epoch);
        self.shared.note(how, pipeline, epoch);
        Ok(())
    }
}

impl Shared {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<PipelineKey, Run>> {
        self.runs.lock().expect("nobody panics with it")
    }

    fn note(&self, what: &str, pipeline: &PipelineKey, epoch: EpochNumber) {
        self.world.note(format_args!("{} {what} {} epoch {epoch}", self.worker, pipeline.name));
    }

    fn tell(&self, event: Event) {
        if let Some(hook) = self.hook.get() {
            hook(event);
        }
    }

    /// The life of a placement.
    async fn run(self: Arc<Shared>, pipeline: PipelineKey, epoch: EpochNumber, warrant: Arc<dyn Warrant>) {
        sleep(Duration::from_millis(1 + self.seeded.below(START_MS))).await;
        while self.is_owner(&pipeline, epoch, &*warrant).await {
            let link = self.world.connect(&pipeline, &self.worker, epoch);
            if !self.is_owner(&pipeline, epoch, &*warrant).await {
                break;
            }
            self.note("runs", &pipeline, epoch);
            self.tell(Event::Phase { pipeline: pipeline.clone(), epoch, phase: Phase::Running });
            link.cut().await;
            self.note("is cut from", &pipeline, epoch);
        }
        self.note("stops", &pipeline, epoch);
        let own = {
            let mut runs = self.runs();
            let is_own = runs.get(&pipeline).is_some_and(|run| run.epoch == epoch);
            if is_own { runs.remove(&pipeline) } else { None }
        };
        self.tell(Event::Stopped { pipeline, epoch });
        drop(own);
    }

    async fn is_owner(&self, pipeline: &PipelineKey, epoch: EpochNumber, warrant: &dyn Warrant) -> bool {
        loop {
            let before = self.world.granted(pipeline);
            match warrant.owner(pipeline, epoch).await {
                Verdict::Owner => {
                    self.world.grant(pipeline, epoch, before);
                    return true;
                }
                Verdict::Superseded => return false,
                Verdict::Unknown => sleep(Duration::from_millis(ASK_AGAIN_MS)).await,
            }
        }
    }
}

impl Engine for Books {
    fn listen(&self, hook: Box<dyn Fn(Event) + Send + Sync>) {
        assert!(self.shared.hook.set(hook).is_ok(), "it is called once");
    }

    fn clients(&self, order: &Order) -> Result<BTreeMap<String, Client>, String> {
        let connector = order.connectors.values().next().ok_or("it names no connector")?.clone();
        Ok(BTreeMap::from([(format!("client-{}", order.pipeline.name), Client { connector, filters: vec![] })]))
    }

    fn install(&self, assignment: Assignment) -> Result<(), Refused> {
        let (pipeline, epoch) = (assignment.order.pipeline, assignment.order.epoch);
        {
            let mut newest = self.shared.newest.lock().expect("nobody panics with it");
            let newest = newest.entry(pipeline.clone()).or_default();
            if epoch < *newest {
                return Err(Refused::OldEpoch { given: epoch, newest: *newest });
            }
            *newest = epoch;
        }
        let mut runs = self.shared.runs();
        if runs.get(&pipeline).is_some_and(|run| run.epoch == epoch) {
            return Ok(());
        }
        self.shared.note("installs", &pipeline, epoch);
        let running = self.shared.clone().run(pipeline.clone(), epoch, assignment.warrant);
        runs.insert(pipeline, Run { epoch, task: tokio::spawn(running) });
        Ok(())
    }

    fn stop(&self, pipeline: &PipelineKey, epoch: EpochNumber, _: Ending) -> Result<(), Refused> {
        self.end(pipeline, epoch, "removes")?;
        self.shared.tell(Event::Stopped { pipeline: pipeline.clone(), epoch });
        Ok(())
    }

    fn release(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Result<(), Refused> {
        self.end(pipeline, epoch, "releases")?;
        self.shared.tell(Event::Released { pipeline: pipeline.clone(), epoch, state: Ok(Arc::from([])) });
        Ok(())
    }

    fn bury(&self, client: &str, _: &ConnectorSpec) {
        self.shared.world.note(format_args!("{} buries {client}", self.shared.worker));
        self.shared.world.bury(client);
        self.shared.tell(Event::Buried { client: client.into(), result: Ok(()) });
    }

    fn metrics(&self) -> Metrics {
        Metrics { pipelines_running: self.shared.runs().len() as u32, ..Metrics::default() }
    }

    fn inject(&self, pipeline: &PipelineKey, _: Vec<Injected>) -> Pending<'static, Result<Vec<Injected>, Refused>> {
        let refused = Refused::Unknown(pipeline.clone());
        Box::pin(async move { Err(refused) })
    }
}
