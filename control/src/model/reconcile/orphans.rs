//! Pipelines that no living worker has: they get one. While there is none they keep their placement, for it counts again should
//! its process come back.

use super::Pass;
use crate::model::command::{Change, Move};
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::placement::Occupancy;
use crate::model::state::{MigrationReason, Phase, Pipeline, Placement, State, WorkerStatus};

pub(super) fn place(pass: &mut Pass<'_>) {
    let pipelines = pass.state.pipelines_in_order().into_iter();
    let orphans = pipelines.filter(|(_, pipeline)| is_orphan(&pass.state, pipeline));
    let keys: Vec<PipelineKey> = orphans.map(|(key, _)| key.clone()).collect();
    let moves = moves(pass, &keys);
    if !moves.is_empty() {
        pass.issue(Change::Place { moves });
    }
}

fn is_orphan(state: &State, pipeline: &Pipeline) -> bool {
    let Some(placement) = &pipeline.placement else { return true };
    state.workers.get(&placement.worker).is_none_or(|worker| {
        let is_same = worker.instance == placement.instance && worker.protocol > 0;
        !is_same || worker.status == WorkerStatus::Unhealthy
    })
}

/// New placements for pipelines that lose theirs, as far as workers can take them.
pub(super) fn moves(pass: &mut Pass<'_>, keys: &[PipelineKey]) -> Vec<Move> {
    if keys.is_empty() {
        return vec![];
    }
    let mut targets = Vec::new();
    let mut occupancy = Occupancy::of(&pass.state);
    let fit = |id: &WorkerId| pass.is_fit(id);
    for key in keys {
        let Some(pipeline) = pass.state.pipeline(key) else { continue };
        let placement = pipeline.placement.as_ref();
        let old = placement.map(|it| &it.worker);
        for worker in old.into_iter().chain(pass.state.pending(key).map(|(_, it)| &it.target)) {
            occupancy.take(key, worker);
        }
        let kept = placement.and_then(|it| keeper(&pass.state, it)).filter(|id| fit(id) && occupancy.has_room(id));
        match kept.cloned().or_else(|| occupancy.target(key, &fit)) {
            Some(target) => {
                occupancy.put(key, &target);
                let is_migration = old.is_some_and(|old| *old != target);
                targets.push((key.clone(), target, is_migration));
            }
            None => old.into_iter().for_each(|old| occupancy.put(key, old)),
        }
    }
    let reason = |is_migration: bool| is_migration.then_some(MigrationReason::Failover);
    targets.into_iter().map(|(key, to, is_migration)| pass.step(&key, &to, reason(is_migration))).collect()
}

/// The worker that should have a pipeline rather than any other: the next process of the same worker; or the source of a
/// planned move that did not get to its end, because it has the state still.
fn keeper<'s>(state: &'s State, placement: &'s Placement) -> Option<&'s WorkerId> {
    let worker = state.workers.get(&placement.worker)?;
    if worker.instance != placement.instance {
        return Some(&placement.worker);
    }
    let migration = placement.migration.and_then(|id| state.migrations.get(&id))?;
    let is_planned = migration.reason != MigrationReason::Failover;
    placement.from.as_ref().filter(|_| is_planned && placement.phase == Phase::Deploying)
}
