//! Workers come, change and go.
//!
//! Invariant: what a new process of a worker finds placed there keeps the instance of the old one, which tells that nobody has
//! it yet.

use super::{applied_if, placements};
use crate::model::command::{Move, Outcome, Refusal};
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::secret::Secret;
use crate::model::state::{Capacity, MigrationStatus, State, Worker, WorkerStatus};

/// Drained processes that are remembered; over it the first by name is forgotten.
pub const DRAINED_LIMIT_COUNT: usize = 1024;

/// What a worker says of itself.
pub(super) struct Call<'a> {
    pub address: &'a str,
    pub api_key: &'a Option<Secret>,
    pub instance: Uuid,
    pub protocol: u16,
    pub capacity: Capacity,
}

pub(super) fn register(state: &mut State, now_ms: u64, id: &WorkerId, call: Call<'_>) -> Result<Outcome, Refusal> {
    if state.drained.get(id) == Some(&call.instance) {
        return Err(Refusal::Drained(id.clone()));
    }
    let known = state.workers.get(id).filter(|known| known.instance == call.instance);
    let is_new = known.is_none();
    let worker = called(known, now_ms, call);
    if known == Some(&worker) {
        return Ok(Outcome::Unchanged);
    }
    let takes_pipelines = worker.takes_pipelines();
    state.workers.insert(id.clone(), worker);
    if is_new {
        state.drained.remove(id);
    }
    if is_new && takes_pipelines && !state.groups.is_empty() {
        state.rebalance_since_ms.get_or_insert(now_ms);
    }
    Ok(Outcome::Applied)
}

/// The worker after its call. One that speaks our protocol calls over the socket that it is to live on, so it is ready.
fn called(known: Option<&Worker>, now_ms: u64, call: Call<'_>) -> Worker {
    let status = match known.map(|known| known.status) {
        Some(WorkerStatus::Draining) => WorkerStatus::Draining,
        Some(status) if call.protocol == 0 => status,
        None if call.protocol == 0 => WorkerStatus::Registering,
        _ => WorkerStatus::Ready,
    };
    let same = known.filter(|known| known.status == status);
    Worker {
        address: call.address.into(),
        api_key: call.api_key.clone(),
        instance: call.instance,
        protocol: call.protocol,
        capacity: call.capacity,
        status,
        reason: same.and_then(|known| known.reason.clone()),
        since_ms: same.map_or(now_ms, |known| known.since_ms),
    }
}

pub(super) fn status(
    state: &mut State,
    now_ms: u64,
    (id, instance): (&WorkerId, Uuid),
    (status, reason): (WorkerStatus, &Option<String>),
    moves: &[Move],
) -> Result<Outcome, Refusal> {
    let worker = state.workers.get_mut(id).ok_or_else(|| Refusal::UnknownWorker(id.clone()))?;
    if worker.instance != instance {
        return Err(Refusal::OtherInstance { known: worker.instance });
    }
    let changed = (worker.status, &worker.reason) != (status, reason);
    if worker.status != status {
        worker.since_ms = now_ms;
    }
    (worker.status, worker.reason) = (status, reason.clone());
    let moved = placements::place(state, now_ms, moves) == Ok(Outcome::Applied);
    Ok(applied_if(changed || moved))
}

pub(super) fn deregister(state: &mut State, now_ms: u64, id: &WorkerId) -> Result<Outcome, Refusal> {
    let keys: Vec<PipelineKey> = state.placed_on(id).into_iter().map(|(key, _)| key.clone()).collect();
    let worker = state.workers.remove(id).ok_or_else(|| Refusal::UnknownWorker(id.clone()))?;
    for key in keys {
        placements::unplace(state, now_ms, &key);
    }
    let to_it: Vec<Uuid> = state.active_migrations().filter(|(_, it)| it.target == *id).map(|(id, _)| id).collect();
    for migration in to_it {
        let reason = "its target was removed".into();
        placements::end(state, now_ms, migration, MigrationStatus::Failed { reason });
    }
    if worker.status == WorkerStatus::Draining {
        state.drained.insert(id.clone(), worker.instance);
        if state.drained.len() > DRAINED_LIMIT_COUNT {
            state.drained.pop_first();
        }
    }
    Ok(Outcome::Applied)
}
