//! Pipelines that no living worker has: they get one. While there is none they keep their placement, for it counts again should
//! its process come back.

use super::Pass;
use crate::model::command::{Change, Move};
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::placement::Occupancy;
use crate::model::state::{MigrationReason, Phase, Pipeline, Placement, State, WorkerStatus};

pub(super) fn place(pass: &mut Pass<'_>) {
    let orphans = pass.state.pipelines_where(|_, pipeline| is_orphan(&pass.state, pipeline));
    let keys: Vec<PipelineKey> = orphans.into_iter().map(|(key, _)| key.clone()).collect();
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
        let kept = placement.and_then(|it| keeper(&pass.state, it)).filter(|id| occupancy.has_room(id));
        let waits = kept.is_some_and(|id| kept == old && is_about_to_be_fit(pass, id));
        match kept.filter(|id| fit(id)).cloned().or_else(|| occupancy.target(key, &fit)) {
            Some(target) if !waits => {
                occupancy.put(key, &target);
                let is_migration = old.is_some_and(|old| *old != target);
                targets.push((key.clone(), target, is_migration));
            }
            _ => old.into_iter().for_each(|old| occupancy.put(key, old)),
        }
    }
    let reason = |is_migration: bool| is_migration.then_some(MigrationReason::Failover);
    targets.into_iter().map(|(key, to, is_migration)| pass.step(&key, &to, reason(is_migration))).collect()
}

/// Has its new process registered, which was not seen so far? It will be, or be found gone, within a deadline.
fn is_about_to_be_fit(pass: &Pass<'_>, id: &WorkerId) -> bool {
    let is_ready = pass.state.workers.get(id).is_some_and(|it| it.takes_pipelines());
    is_ready && !pass.observed.is_alive(id) && pass.observed.why_gone(id).is_none()
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
