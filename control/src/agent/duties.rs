//! What the worker has to run, and how far it is with each: orders of coordinators on one side, the engine's events on the other.
//!
//! ```text
//!   Install ──> (older one stops) ──> clients recorded ──> (state arrives) ──> engine.install ──> Report …
//!   Remove  ──> engine.stop        Release ──> engine.release ──> state to the successor ──> Report Released
//! ```
//! No clocks and no sockets: time is an argument, frames to send are collected. Invariants: an order with an epoch older than the
//! newest one seen of its pipeline does nothing; of a pipeline at most one placement is installed; what was known before a
//! restart does not run until it is ordered again.

use super::burials::Burials;
use super::depot::Depot;
use super::engine::{Assignment, Ending, Engine, Event, Warrant};
use crate::model::ids::{EpochNumber, PipelineKey};
use crate::model::secret::Secret;
use crate::model::state::{Client, Phase};
use crate::wire::{Held, Order, ToAgent, ToCoordinator};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a pipeline may take to end gracefully before its connections are cut.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The same when a newer placement of it waits to begin here.
const REPLACE_LIMIT: Duration = Duration::from_secs(2);
/// How long a handed-over state is waited for.
const STATE_LIMIT: Duration = Duration::from_secs(15);
/// How long the answer to recorded clients may take before they are sent again.
const RECORD_LIMIT: Duration = Duration::from_secs(3);

/// Pipelines whose newest epoch is remembered. Over it some of those that are gone are forgotten: warrants guard all the same.
const EPOCHS_REMEMBERED: usize = 65_536;

/// What is kept over restarts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Books {
    /// The newest order of each pipeline.
    pub orders: BTreeMap<PipelineKey, Order>,
    /// The newest epoch seen of each, those that are gone included.
    pub newest: BTreeMap<PipelineKey, EpochNumber>,
}

/// A state that is to go to another worker.
#[derive(Clone, Debug)]
pub struct Handover {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The placement that ends.
    pub epoch: EpochNumber,
    /// Where the successor's REST interface is.
    pub successor: String,
    /// The key that it asks for.
    pub api_key: Option<Secret>,
    /// The placement that begins.
    pub successor_epoch: EpochNumber,
    /// The state.
    pub state: Arc<[u8]>,
}

/// One duty.
struct Duty {
    order: Order,
    stage: Stage,
    phase: Phase,
    since_ms: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Kept from an earlier start and not ordered since.
    Unconfirmed,
    /// An older placement has to end first.
    Queued,
    /// The clients that it will make are being recorded.
    Recording { request: u64, until: Duration },
    /// Its predecessor's state is on its way.
    AwaitingState { until: Duration },
    /// The engine has it.
    Installed,
    /// It has stopped, and its state is for a successor.
    LetGo,
    /// The engine did not take it.
    Failed,
}

/// A placement that is ending.
struct Stopping {
    epoch: EpochNumber,
    /// When its connections are cut, and cut again should that not have helped.
    cut_at: Duration,
}

/// See the module's head.
pub struct Duties {
    engine: Arc<dyn Engine>,
    warrant: Arc<dyn Warrant>,
    duties: BTreeMap<PipelineKey, Duty>,
    newest: BTreeMap<PipelineKey, EpochNumber>,
    stopping: BTreeMap<PipelineKey, Stopping>,
    /// Those that were asked to let go, and to whom.
    releasing: BTreeMap<PipelineKey, Handover>,
    /// States of others that have come for placements to be.
    arrived: Depot,
    /// States that were let go of here, with the epochs of their successors, until somebody else has them for certain.
    own_states: BTreeMap<PipelineKey, (EpochNumber, Arc<[u8]>)>,
    burials: Burials,
    next_request: u64,
    outbox: Vec<ToCoordinator>,
    handovers: Vec<Handover>,
    /// Has something changed that is to be kept?
    dirty: bool,
    /// Has something changed that is shown?
    shown_changed: bool,
}

impl Duties {
    /// With what was kept.
    pub fn new(engine: Arc<dyn Engine>, warrant: Arc<dyn Warrant>, books: Books, now_ms: u64) -> Duties {
        let known = |order: Order| Duty { order, stage: Stage::Unconfirmed, phase: Phase::Deploying, since_ms: now_ms };
        Duties {
            engine,
            warrant,
            duties: books.orders.into_iter().map(|(key, order)| (key, known(order))).collect(),
            newest: books.newest,
            stopping: BTreeMap::new(),
            releasing: BTreeMap::new(),
            arrived: Depot::default(),
            own_states: BTreeMap::new(),
            burials: Burials::default(),
            next_request: 1,
            outbox: Vec::new(),
            handovers: Vec::new(),
            dirty: false,
            shown_changed: false,
        }
    }

    /// Does what a coordinator says. Frames that are none of its business are left alone.
    pub fn frame(&mut self, frame: ToAgent, now: Duration, now_ms: u64) {
        match frame {
            ToAgent::Install(order) => self.install(*order, now, now_ms),
            ToAgent::Remove { pipeline, epoch } => self.remove(&pipeline, epoch, now),
            ToAgent::Release { pipeline, epoch, successor, api_key, successor_epoch } => {
                let handover =
                    Handover { pipeline, epoch, successor, api_key, successor_epoch, state: Arc::from(Vec::new()) };
                self.release(handover);
            }
            ToAgent::Recorded { request, refused } => self.recorded(request, refused, now, now_ms),
            ToAgent::Bury { sessions } => {
                for (client, connector) in sessions {
                    self.burials.add(now, client, connector);
                }
                self.bury(now);
            }
            ToAgent::Welcome { .. }
            | ToAgent::Refused { .. }
            | ToAgent::Ping { .. }
            | ToAgent::Pong { .. }
            | ToAgent::Owned { .. } => {}
        }
    }

    /// Takes note of what the engine says.
    pub fn event(&mut self, event: Event, now: Duration, now_ms: u64) {
        match event {
            Event::Phase { pipeline, epoch, phase } => {
                let of_it = |duty: &&mut Duty| duty.order.epoch == epoch && duty.stage == Stage::Installed;
                if self.duties.get_mut(&pipeline).as_ref().is_some_and(of_it) {
                    self.set_phase(&pipeline, phase, now_ms);
                }
            }
            Event::Stopped { pipeline, epoch } => self.stopped(&pipeline, epoch, now, now_ms),
            Event::Released { pipeline, epoch, state } => self.released(&pipeline, epoch, state),
            Event::Buried { client, result } => {
                if self.burials.ended(now, &client, &result) {
                    self.outbox.push(ToCoordinator::Buried { clients: vec![client] });
                } else if let Err(why) = result {
                    tracing::debug!(client, why, "a session could not be removed at its broker so far");
                }
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration, now_ms: u64) {
        self.bury(now);
        self.arrived.tick(now);
        let mut cut = Vec::new();
        for (key, stopping) in &mut self.stopping {
            if stopping.cut_at <= now {
                stopping.cut_at = now + STOP_LIMIT;
                cut.push((key.clone(), stopping.epoch));
            }
        }
        for (key, epoch) in cut {
            tracing::warn!(pipeline = %key, epoch, "it has not finished in time: its connections are cut");
            if self.engine.stop(&key, epoch, Ending::Now).is_err() {
                self.stopped(&key, epoch, now, now_ms);
            }
        }
        let due = |duty: &Duty| match &duty.stage {
            Stage::Recording { until, .. } | Stage::AwaitingState { until } => *until <= now,
            _ => false,
        };
        let due: Vec<PipelineKey> =
            self.duties.iter().filter(|(_, duty)| due(duty)).map(|(key, _)| key.clone()).collect();
        for key in due {
            match self.duties[&key].stage {
                Stage::AwaitingState { .. } => {
                    let reason = "the state of the worker that ran it before did not arrive".to_owned();
                    self.fail(&key, reason, now_ms);
                }
                _ => self.begin(&key, now, now_ms),
            }
        }
    }

    /// A new socket is up, whose coordinator was told this: it is told what has changed since, and questions of the old one are
    /// asked again.
    pub fn connected(&mut self, said: &[Held], now: Duration, now_ms: u64) {
        let said: BTreeMap<&PipelineKey, (EpochNumber, &Phase)> =
            said.iter().map(|held| (&held.pipeline, (held.epoch, &held.phase))).collect();
        let news = |(key, duty): &(&PipelineKey, &Duty)| match said.get(key) {
            Some(known) => *known != (duty.order.epoch, &duty.phase),
            None => duty.phase != Phase::Deploying,
        };
        let news: Vec<PipelineKey> = self.duties.iter().filter(news).map(|(key, _)| key.clone()).collect();
        news.iter().for_each(|key| self.report(key));
        let recording = |duty: &Duty| matches!(duty.stage, Stage::Recording { .. });
        let keys: Vec<PipelineKey> =
            self.duties.iter().filter(|(_, duty)| recording(duty)).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.begin(key, now, now_ms));
    }

    /// A state has come from another worker; it is kept, or why not.
    pub fn state_arrived(
        &mut self,
        key: PipelineKey,
        epoch: EpochNumber,
        state: Arc<[u8]>,
        now: Duration,
        now_ms: u64,
    ) -> Result<(), String> {
        let newest = self.newest.get(&key).copied().unwrap_or(0);
        if epoch < newest {
            return Err(format!("epoch {epoch} of {key} is older than {newest}, which was seen already"));
        }
        self.arrived.put(now, key.clone(), epoch, state)?;
        let waits = |duty: &Duty| duty.order.epoch == epoch && matches!(duty.stage, Stage::AwaitingState { .. });
        if self.duties.get(&key).is_some_and(waits) {
            self.start(&key, now_ms);
        }
        Ok(())
    }

    /// Begins to remove sessions, but not while something is ending here, which may use them still.
    fn bury(&mut self, now: Duration) {
        let stopping = !self.stopping.is_empty();
        for (client, connector) in self.burials.begin(now, |_| stopping) {
            self.engine.bury(&client, &connector);
        }
    }

    /// A state has reached the successor, or not.
    pub fn handed_over(&mut self, handover: &Handover, result: Result<(), String>, now_ms: u64) {
        let current = |duty: &Duty| duty.order.epoch == handover.epoch && duty.stage == Stage::LetGo;
        if !self.duties.get(&handover.pipeline).is_some_and(current) {
            return;
        }
        match result {
            Ok(()) => self.set_phase(&handover.pipeline, Phase::Released, now_ms),
            Err(why) => {
                let reason = format!("its state could not be handed over: {why}");
                self.set_phase(&handover.pipeline, Phase::Degraded { reason }, now_ms);
            }
        }
    }

    /// Ends everything, for instance because this worker was superseded.
    pub fn stop_all(&mut self, ending: Ending, now: Duration) {
        let keys: Vec<(PipelineKey, EpochNumber)> =
            self.duties.iter().map(|(key, duty)| (key.clone(), duty.order.epoch)).collect();
        for (key, epoch) in keys {
            let installed = self.duties[&key].stage == Stage::Installed;
            if installed && self.engine.stop(&key, epoch, ending).is_ok() {
                self.stopping.insert(key, Stopping { epoch, cut_at: now + STOP_LIMIT });
            }
        }
    }

    /// Has everything ended that was to?
    pub fn is_still(&self) -> bool {
        self.stopping.is_empty()
    }

    /// What it holds, for a coordinator.
    pub fn held(&self) -> Vec<Held> {
        let held = |(key, duty): (&PipelineKey, &Duty)| Held {
            pipeline: key.clone(),
            epoch: duty.order.epoch,
            phase: duty.phase.clone(),
        };
        self.duties.iter().map(held).collect()
    }

    /// The orders with their phases and since when, for the worker's own interface.
    pub fn orders(&self) -> impl Iterator<Item = (&Order, &Phase, u64)> {
        self.duties.values().map(|duty| (&duty.order, &duty.phase, duty.since_ms))
    }

    /// What is to be kept, if it has changed since the last call.
    pub fn changed(&mut self) -> Option<Books> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.shown_changed = true;
        Some(self.books())
    }

    /// Has something that is shown changed since the last call? What is kept is shown.
    pub fn take_shown_changed(&mut self) -> bool {
        std::mem::take(&mut self.shown_changed)
    }

    /// What is to be kept.
    pub fn books(&self) -> Books {
        let orders = self.duties.iter().map(|(key, duty)| (key.clone(), duty.order.clone())).collect();
        Books { orders, newest: self.newest.clone() }
    }

    /// Frames to send, in order.
    pub fn take_outbox(&mut self) -> Vec<ToCoordinator> {
        std::mem::take(&mut self.outbox)
    }

    /// States to hand over.
    pub fn take_handovers(&mut self) -> Vec<Handover> {
        std::mem::take(&mut self.handovers)
    }

    /// Notes an epoch; false if a newer one is known.
    fn admit(&mut self, key: &PipelineKey, epoch: EpochNumber) -> bool {
        let newest = self.newest.entry(key.clone()).or_insert(0);
        if epoch < *newest {
            return false;
        }
        if epoch > *newest {
            *newest = epoch;
            self.dirty = true;
        }
        self.forget_epochs();
        true
    }

    fn forget_epochs(&mut self) {
        let excess = self.newest.len().saturating_sub(EPOCHS_REMEMBERED);
        if excess == 0 {
            return;
        }
        let gone = self.newest.keys().filter(|key| !self.duties.contains_key(key)).take(excess);
        let gone: Vec<PipelineKey> = gone.cloned().collect();
        gone.iter().for_each(|key| _ = self.newest.remove(key));
    }

    fn install(&mut self, order: Order, now: Duration, now_ms: u64) {
        let (key, epoch) = (order.pipeline.clone(), order.epoch);
        if !self.admit(&key, epoch) {
            return;
        }
        let old = self.duties.get(&key).map(|duty| (duty.order.epoch, duty.stage == Stage::Installed));
        if let Some((of, installed)) = old {
            if of == epoch && installed {
                return self.report(&key);
            }
            if of == epoch && !self.begins_again(&key) {
                return;
            }
            if installed && self.engine.stop(&key, of, Ending::Graceful).is_ok() {
                self.stopping.insert(key.clone(), Stopping { epoch: of, cut_at: now + REPLACE_LIMIT });
            }
        }
        self.releasing.remove(&key);
        let duty = Duty { order, stage: Stage::Queued, phase: Phase::Deploying, since_ms: now_ms };
        self.duties.insert(key.clone(), duty);
        self.dirty = true;
        if !self.stopping.contains_key(&key) {
            self.begin(&key, now, now_ms);
        }
    }

    /// Does an order that comes again begin something? Not what is on its way already; but what was known from before a restart,
    /// and what has stopped for a move that did not come about.
    fn begins_again(&self, key: &PipelineKey) -> bool {
        self.duties.get(key).is_none_or(|duty| match duty.stage {
            Stage::Unconfirmed => true,
            Stage::LetGo => duty.phase != Phase::Released,
            _ => false,
        })
    }

    /// Sees to it that the clients of a pipeline are recorded, then goes on.
    fn begin(&mut self, key: &PipelineKey, now: Duration, now_ms: u64) {
        let Some(duty) = self.duties.get_mut(key) else { return };
        let clients = match self.engine.clients(&duty.order) {
            Ok(clients) => clients,
            Err(reason) => return self.fail(key, reason, now_ms),
        };
        if is_recorded(&clients, &duty.order.clients) {
            return self.recorded_all(key, now, now_ms);
        }
        let request = self.next_request;
        self.next_request += 1;
        duty.stage = Stage::Recording { request, until: now + RECORD_LIMIT };
        let epoch = duty.order.epoch;
        self.outbox.push(ToCoordinator::Clients { request, pipeline: key.clone(), epoch, clients });
    }

    fn recorded(&mut self, of: u64, refused: Option<String>, now: Duration, now_ms: u64) {
        let asked = |duty: &Duty| matches!(duty.stage, Stage::Recording { request, .. } if request == of);
        let Some(key) = self.duties.iter().find(|(_, duty)| asked(duty)).map(|(key, _)| key.clone()) else { return };
        match refused {
            None => self.recorded_all(&key, now, now_ms),
            // Either it was overruled, and is told so, or nobody could decide, and it is asked again when that is due.
            Some(why) => tracing::warn!(pipeline = %key, why, "its sessions could not be recorded"),
        }
    }

    fn recorded_all(&mut self, key: &PipelineKey, now: Duration, now_ms: u64) {
        let Some(duty) = self.duties.get_mut(key) else { return };
        let is_here = self.arrived.has(key, duty.order.epoch)
            || self.own_states.get(key).is_some_and(|(successor, _)| is_newest(&duty.order, *successor));
        if duty.order.state_comes && !is_here {
            duty.stage = Stage::AwaitingState { until: now + STATE_LIMIT };
            return;
        }
        self.start(key, now_ms);
    }

    fn start(&mut self, key: &PipelineKey, now_ms: u64) {
        let Some(duty) = self.duties.get_mut(key) else { return };
        let arrived = self.arrived.take(key, duty.order.epoch);
        let own = self.own_states.remove(key).filter(|(successor, _)| is_newest(&duty.order, *successor));
        let state = arrived.or(own.map(|(_, state)| state));
        let assignment = Assignment { order: duty.order.clone(), state, warrant: self.warrant.clone() };
        match self.engine.install(assignment) {
            Ok(()) => duty.stage = Stage::Installed,
            Err(refused) => self.fail(key, refused.to_string(), now_ms),
        }
    }

    fn fail(&mut self, key: &PipelineKey, reason: String, now_ms: u64) {
        tracing::error!(pipeline = %key, reason, "it cannot be started");
        if let Some(duty) = self.duties.get_mut(key) {
            duty.stage = Stage::Failed;
        }
        self.set_phase(key, Phase::Failed { reason }, now_ms);
    }

    fn remove(&mut self, key: &PipelineKey, epoch: EpochNumber, now: Duration) {
        self.admit(key, epoch);
        if self.duties.get(key).is_none_or(|duty| duty.order.epoch > epoch) {
            return;
        }
        let Some(duty) = self.duties.remove(key) else { return };
        self.dirty = true;
        self.own_states.remove(key);
        self.releasing.remove(key);
        if duty.stage == Stage::Installed && self.engine.stop(key, duty.order.epoch, Ending::Graceful).is_ok() {
            let stopping = Stopping { epoch: duty.order.epoch, cut_at: now + STOP_LIMIT };
            self.stopping.insert(key.clone(), stopping);
        }
    }

    fn release(&mut self, handover: Handover) {
        let (key, epoch) = (handover.pipeline.clone(), handover.epoch);
        let current = |duty: &Duty| duty.order.epoch == epoch && duty.stage == Stage::Installed;
        if !self.duties.get(&key).is_some_and(current) || self.releasing.contains_key(&key) {
            return;
        }
        match self.engine.release(&key, epoch) {
            Ok(()) => _ = self.releasing.insert(key, handover),
            Err(refused) => tracing::warn!(pipeline = %key, %refused, "it does not let go"),
        }
    }

    fn released(&mut self, key: &PipelineKey, epoch: EpochNumber, state: Result<Arc<[u8]>, String>) {
        let Some(handover) = self.releasing.remove(key).filter(|handover| handover.epoch == epoch) else { return };
        match state {
            Ok(state) => {
                if let Some(duty) = self.duties.get_mut(key) {
                    duty.stage = Stage::LetGo;
                }
                self.own_states.insert(key.clone(), (handover.successor_epoch, state.clone()));
                self.handovers.push(Handover { state, ..handover });
            }
            Err(why) => tracing::warn!(pipeline = %key, why, "it goes on here: its state could not be taken"),
        }
    }

    fn stopped(&mut self, key: &PipelineKey, epoch: EpochNumber, now: Duration, now_ms: u64) {
        if self.stopping.get(key).is_some_and(|stopping| stopping.epoch == epoch) {
            self.stopping.remove(key);
            if self.duties.get(key).is_some_and(|duty| duty.stage == Stage::Queued) {
                self.begin(key, now, now_ms);
            }
            return;
        }
        let superseded = |duty: &Duty| duty.order.epoch == epoch && duty.stage == Stage::Installed;
        if self.duties.get(key).is_some_and(superseded) {
            tracing::info!(pipeline = %key, epoch, "another worker has taken it over");
            self.duties.remove(key);
            self.dirty = true;
        }
    }

    fn set_phase(&mut self, key: &PipelineKey, phase: Phase, now_ms: u64) {
        let Some(duty) = self.duties.get_mut(key) else { return };
        if duty.phase != phase {
            duty.phase = phase;
            duty.since_ms = now_ms;
            self.shown_changed = true;
            self.report(key);
        }
    }

    fn report(&mut self, key: &PipelineKey) {
        if let Some(duty) = self.duties.get(key) {
            let (epoch, phase) = (duty.order.epoch, duty.phase.clone());
            self.outbox.push(ToCoordinator::Report { pipeline: key.clone(), epoch, phase });
        }
    }
}

/// Is a state that was let go of here, for a successor of this epoch, the newest one there is? It is if that one never came to
/// be; afterwards a coordinator has to say so.
fn is_newest(order: &Order, successor_epoch: EpochNumber) -> bool {
    order.epoch <= successor_epoch || order.state_comes
}

/// Is everything that a pipeline will make known already, so that nothing is left behind if this worker dies now?
fn is_recorded(wanted: &BTreeMap<String, Client>, recorded: &BTreeMap<String, Client>) -> bool {
    wanted.iter().all(|(id, client)| recorded.get(id) == Some(client)) && recorded.len() == wanted.len()
}

#[cfg(test)]
#[path = "duties_tests.rs"]
mod tests;
