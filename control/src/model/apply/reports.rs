//! What workers say of the pipelines that they run.
//!
//! Invariants: only the worker of the newest placement is heard; a client id that was recorded once is either recorded with a
//! pipeline or among the tombstones until it is buried, never both.

use super::{applied_if, placements};
use crate::model::command::{Outcome, Refusal};
use crate::model::ids::{EpochNumber, PipelineKey, WorkerId};
use crate::model::state::{Client, MigrationStatus, Phase, State, Tombstone};
use std::collections::BTreeMap;

/// Sessions of one pipeline at the most.
pub const CLIENT_LIMIT_COUNT: usize = 1024;

pub(super) fn report(
    state: &mut State,
    now_ms: u64,
    (key, epoch): (&PipelineKey, EpochNumber),
    worker: &WorkerId,
    phase: &Phase,
) -> Result<Outcome, Refusal> {
    let pipeline = placements::newest(state, key, epoch)?;
    let Some(placement) = pipeline.placement.as_ref().filter(|it| it.worker == *worker) else {
        return Err(Refusal::Invalid(format!("epoch {epoch} of {key} is not placed on {worker}")));
    };
    if placement.phase == *phase {
        return Ok(Outcome::Unchanged);
    }
    let migration = placement.migration;
    let pending = state.pending(key).map(|(id, _)| id);
    match (phase, pending, migration) {
        (Phase::Released, Some(id), _) => {
            placements::arrive(state, now_ms, id);
            return Ok(Outcome::Applied);
        }
        (Phase::Failed { reason }, pending, migration) => {
            for id in pending.into_iter().chain(migration) {
                placements::end(state, now_ms, id, MigrationStatus::Failed { reason: reason.clone() });
            }
        }
        (Phase::Running, _, Some(id)) => placements::end(state, now_ms, id, MigrationStatus::Completed),
        _ => {}
    }
    if let Some(placement) = state.pipeline_mut(key).and_then(|it| it.placement.as_mut()) {
        (placement.phase, placement.since_ms) = (phase.clone(), now_ms);
        if *phase == Phase::Running {
            placement.from = None;
        }
    }
    Ok(Outcome::Applied)
}

pub(super) fn clients(
    state: &mut State,
    now_ms: u64,
    (key, epoch): (&PipelineKey, EpochNumber),
    clients: &BTreeMap<String, Client>,
) -> Result<Outcome, Refusal> {
    let pipeline = placements::newest(state, key, epoch)?;
    if pipeline.placement.is_none() {
        return Err(Refusal::Invalid(format!("{key} is not placed")));
    }
    if clients.len() > CLIENT_LIMIT_COUNT {
        return Err(Refusal::Invalid(format!(
            "{key} makes {} sessions at brokers: {CLIENT_LIMIT_COUNT} at the most",
            clients.len()
        )));
    }
    if pipeline.clients == *clients {
        return Ok(Outcome::Unchanged);
    }
    let mut before = match state.pipeline_mut(key) {
        Some(pipeline) => std::mem::replace(&mut pipeline.clients, clients.clone()),
        None => BTreeMap::new(),
    };
    before.retain(|id, _| !clients.contains_key(id));
    state.tombstones.retain(|id, _| !clients.contains_key(id));
    let owner = owner(state, key);
    bury(state, now_ms, &owner, before);
    Ok(Outcome::Applied)
}

pub(super) fn buried(state: &mut State, clients: &[String]) -> Outcome {
    let gone = clients.iter().filter(|id| state.tombstones.remove(*id).is_some()).count();
    applied_if(gone > 0)
}

/// These sessions are to be removed at their brokers.
pub(super) fn bury(state: &mut State, now_ms: u64, owner: &str, clients: BTreeMap<String, Client>) {
    for (id, client) in clients {
        let tombstone = Tombstone { connector: client.connector, pipeline: owner.into(), since_ms: now_ms };
        state.tombstones.insert(id, tombstone);
    }
}

/// A pipeline as people know it.
pub(super) fn owner(state: &State, key: &PipelineKey) -> String {
    let group = state.groups.get(&key.group).map_or("", |group| &group.spec.name);
    format!("{group}/{}#{}", key.name, key.replica)
}
