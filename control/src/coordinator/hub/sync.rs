//! What a worker is to be told: the difference between what the replicated state says of it and what it holds.
//!
//! Pure. Invariant: a worker that did everything it was told holds exactly the placements that the state has for its process.

use crate::model::ids::{EpochNumber, PipelineKey, Uuid, WorkerId};
use crate::model::spec::ConnectorSpec;
use crate::model::state::{Migration, MigrationStatus, Phase, State, WorkerStatus};
use crate::wire::{Held, PROTOCOL};
use std::collections::BTreeMap;

/// Time after which the removal of a session is asked for again, of the next worker, ms.
pub const BURY_AGAIN_MS: u64 = 5_000;

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run the present placement of this pipeline.
    Install(PipelineKey),
    /// Let go of it.
    Remove {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement that it holds.
        epoch: EpochNumber,
    },
    /// Hand its state over.
    Release {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The migration that asks for it.
        migration: Uuid,
    },
}

/// What a worker's process holds, or was told.
#[derive(Clone, Debug, Default)]
pub struct Book {
    told: BTreeMap<PipelineKey, Told>,
    /// By client id, the last attempt at which its removal was asked for.
    buried: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    epoch: EpochNumber,
    /// The migration for which it was told to hand its state over.
    release: Option<Uuid>,
}

/// What the state wants of the worker for one pipeline.
enum Wish {
    Run(EpochNumber),
    Release(EpochNumber, Uuid),
    /// It has handed its state over and waits for what becomes of it.
    Rest,
}

impl Book {
    /// A worker holds this as its socket opens.
    pub fn new(held: &[Held]) -> Book {
        let told = held.iter().map(|held| (held.pipeline.clone(), Told { epoch: held.epoch, release: None }));
        Book { told: told.collect(), buried: BTreeMap::new() }
    }

    /// What it is to be told now; taken for told.
    pub fn steps(&mut self, state: &State, worker: &WorkerId, instance: Uuid) -> Vec<Step> {
        let wishes = wishes(state, worker, instance);
        let mut steps = Vec::new();
        self.told.retain(|pipeline, told| {
            let stays = wishes.contains_key(pipeline);
            if !stays {
                steps.push(Step::Remove { pipeline: pipeline.clone(), epoch: told.epoch });
            }
            stays
        });
        for (pipeline, wish) in wishes {
            let told = self.told.get(pipeline).copied();
            match wish {
                Wish::Rest => {}
                Wish::Run(epoch) => {
                    let wanted = Told { epoch, release: None };
                    if told != Some(wanted) {
                        steps.push(Step::Install(pipeline.clone()));
                        self.told.insert(pipeline.clone(), wanted);
                    }
                }
                Wish::Release(epoch, migration) => {
                    let wanted = Told { epoch, release: Some(migration) };
                    if told.is_none_or(|told| told.epoch != epoch) {
                        steps.push(Step::Install(pipeline.clone()));
                    }
                    if told != Some(wanted) {
                        steps.push(Step::Release { pipeline: pipeline.clone(), migration });
                        self.told.insert(pipeline.clone(), wanted);
                    }
                }
            }
        }
        steps
    }

    /// Sessions whose removal this worker is to be asked for now; taken for asked. Each live worker in turn gets each of them.
    pub fn graves(&mut self, state: &State, worker: &WorkerId, now_ms: u64) -> BTreeMap<String, ConnectorSpec> {
        self.buried.retain(|client, _| state.tombstones.contains_key(client));
        if state.tombstones.is_empty() {
            return BTreeMap::new();
        }
        let fit = |status| matches!(status, WorkerStatus::Ready | WorkerStatus::Draining);
        let live = state.workers.iter().filter(|(_, w)| w.protocol == PROTOCOL && fit(w.status)).map(|(id, _)| id);
        let live: Vec<&WorkerId> = live.collect();
        let Some(place) = live.iter().position(|id| *id == worker) else { return BTreeMap::new() };
        let mut due = BTreeMap::new();
        for (client, tombstone) in &state.tombstones {
            let attempt = now_ms.saturating_sub(tombstone.since_ms) / BURY_AGAIN_MS;
            let turn = (u64::from(crc32fast::hash(client.as_bytes())) + attempt) % live.len() as u64;
            if turn == place as u64 && self.buried.get(client) != Some(&attempt) {
                self.buried.insert(client.clone(), attempt);
                due.insert(client.clone(), tombstone.connector.clone());
            }
        }
        due
    }
}

fn wishes<'a>(state: &'a State, worker: &WorkerId, instance: Uuid) -> BTreeMap<&'a PipelineKey, Wish> {
    let mut releases: BTreeMap<&PipelineKey, Uuid> = BTreeMap::new();
    for (id, migration) in &state.migrations {
        if is_pending(migration) && migration.source.as_ref() == Some(worker) {
            releases.insert(&migration.pipeline, *id);
        }
    }
    let pipelines = state.groups.values().flat_map(|group| &group.pipelines);
    let mut wishes = BTreeMap::new();
    for (key, pipeline) in pipelines {
        let Some(placement) = &pipeline.placement else { continue };
        if placement.worker != *worker || placement.instance != instance {
            continue;
        }
        let wish = match (&placement.phase, releases.get(key)) {
            (Phase::Released, _) => Wish::Rest,
            (_, Some(migration)) => Wish::Release(placement.epoch, *migration),
            _ => Wish::Run(placement.epoch),
        };
        wishes.insert(key, wish);
    }
    wishes
}

fn is_pending(migration: &Migration) -> bool {
    migration.status == MigrationStatus::Pending
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
