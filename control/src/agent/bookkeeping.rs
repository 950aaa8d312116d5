//! An engine that only keeps books: for tests and simulations of whatever decides.
//!
//! A pipeline "runs" once its warrant has said that it is the owner, like a real one. Invariant: all that was done is in
//! [`Bookkeeper::log`], in order.

use super::engine::{Assignment, Ending, Engine, Event, Injected, Refused};
use crate::model::ids::{EpochNumber, PipelineKey};
use crate::model::spec::ConnectorSpec;
use crate::model::state::{Client, Phase};
use crate::seams::Pending;
use crate::wire::{Metrics, Order, PipelineMetrics, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The wait before a question that nobody could answer is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It was installed.
    Installed(PipelineKey, EpochNumber),
    /// Its warrant held, so it runs.
    Runs(PipelineKey, EpochNumber),
    /// It is gone.
    Gone(PipelineKey, EpochNumber),
}

/// See the module's head. Clones are the same engine.
#[derive(Clone, Default)]
pub struct Bookkeeper(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    hook: Option<Arc<dyn Fn(Event) + Send + Sync>>,
    running: BTreeMap<PipelineKey, EpochNumber>,
    newest: BTreeMap<PipelineKey, EpochNumber>,
    log: Vec<Entry>,
    clients: BTreeMap<String, Client>,
    delay: Duration,
}

impl Bookkeeper {
    /// One whose pipelines take this long to begin.
    pub fn with_delay(delay: Duration) -> Bookkeeper {
        let keeper = Bookkeeper::default();
        keeper.lock().delay = delay;
        keeper
    }

    /// What it says that every pipeline makes at brokers.
    pub fn set_clients(&self, clients: BTreeMap<String, Client>) {
        self.lock().clients = clients;
    }

    /// All that was done.
    pub fn log(&self) -> Vec<Entry> {
        self.lock().log.clone()
    }

    /// What it has, by pipeline.
    pub fn running(&self) -> BTreeMap<PipelineKey, EpochNumber> {
        self.lock().running.clone()
    }

    /// Says something as if by itself.
    pub fn say(&self, event: Event) {
        let hook = self.lock().hook.clone();
        if let Some(hook) = hook {
            hook(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> bool {
        self.lock().running.get(pipeline) == Some(&epoch)
    }

    fn end(&self, pipeline: &PipelineKey, epoch: EpochNumber) {
        let mut inner = self.lock();
        if inner.running.get(pipeline) == Some(&epoch) {
            inner.running.remove(pipeline);
            inner.log.push(Entry::Gone(pipeline.clone(), epoch));
        }
    }

    async fn begin(self, assignment: Assignment, delay: Duration) {
        let (pipeline, epoch) = (assignment.order.pipeline.clone(), assignment.order.epoch);
        tokio::time::sleep(delay).await;
        while self.has(&pipeline, epoch) {
            match assignment.warrant.owner(&pipeline, epoch).await {
                Verdict::Owner if self.has(&pipeline, epoch) => {
                    self.lock().log.push(Entry::Runs(pipeline.clone(), epoch));
                    return self.say(Event::Phase { pipeline, epoch, phase: Phase::Running });
                }
                Verdict::Owner => return,
                Verdict::Superseded => {
                    self.end(&pipeline, epoch);
                    return self.say(Event::Stopped { pipeline, epoch });
                }
                Verdict::Unknown => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

impl Engine for Bookkeeper {
    fn listen(&self, hook: Box<dyn Fn(Event) + Send + Sync>) {
        self.lock().hook = Some(Arc::from(hook));
    }

    fn clients(&self, _: &Order) -> Result<BTreeMap<String, Client>, String> {
        Ok(self.lock().clients.clone())
    }

    fn install(&self, assignment: Assignment) -> Result<(), Refused> {
        let (pipeline, given) = (assignment.order.pipeline.clone(), assignment.order.epoch);
        let mut inner = self.lock();
        let newest = inner.newest.get(&pipeline).copied().unwrap_or(0);
        if given < newest {
            return Err(Refused::OldEpoch { given, newest });
        }
        inner.newest.insert(pipeline.clone(), given);
        match inner.running.insert(pipeline.clone(), given) {
            Some(same) if same == given => return Ok(()),
            Some(older) => inner.log.push(Entry::Gone(pipeline.clone(), older)),
            None => {}
        }
        inner.log.push(Entry::Installed(pipeline, given));
        let delay = inner.delay;
        drop(inner);
        tokio::spawn(self.clone().begin(assignment, delay));
        Ok(())
    }

    fn stop(&self, pipeline: &PipelineKey, epoch: EpochNumber, _: Ending) -> Result<(), Refused> {
        let known = self.lock().running.get(pipeline).copied().filter(|known| *known <= epoch);
        let Some(known) = known else { return Err(Refused::Unknown(pipeline.clone())) };
        self.end(pipeline, known);
        self.say(Event::Stopped { pipeline: pipeline.clone(), epoch: known });
        Ok(())
    }

    fn release(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Result<(), Refused> {
        if !self.has(pipeline, epoch) {
            return Err(Refused::Unknown(pipeline.clone()));
        }
        self.end(pipeline, epoch);
        let state: Arc<[u8]> = Arc::from(pipeline.to_string().into_bytes());
        self.say(Event::Released { pipeline: pipeline.clone(), epoch, state: Ok(state) });
        Ok(())
    }

    fn bury(&self, client: &str, _: &ConnectorSpec) {
        self.say(Event::Buried { client: client.into(), result: Ok(()) });
    }

    fn metrics(&self) -> Metrics {
        let running = self.running();
        let pipeline = |pipeline: &PipelineKey| PipelineMetrics {
            pipeline: pipeline.clone(),
            events_in: 0,
            events_out: 0,
            connectors: Vec::new(),
        };
        Metrics {
            events_processed: 0,
            pipelines_running: running.len() as u32,
            pipelines: running.keys().map(pipeline).collect(),
        }
    }

    fn inject(&self, _: &PipelineKey, events: Vec<Injected>) -> Pending<'static, Result<Vec<Injected>, Refused>> {
        Box::pin(std::future::ready(Ok(events)))
    }
}
