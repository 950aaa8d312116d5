//! Workers that are being emptied: what runs there goes elsewhere, and then they are deregistered.
//!
//! What no other worker can take stays, and so does the worker.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::placement::Occupancy;
use crate::model::state::{MigrationReason, Phase, Placement, WorkerStatus};

/// For so long a drained worker waits for its successors to take records, ms.
const SUCCESSOR_PATIENCE_MS: u64 = 5_000;

pub(super) fn drain(pass: &mut Pass<'_>) {
    let workers = pass.state.workers.iter();
    let draining = workers.filter(|(_, worker)| worker.status == WorkerStatus::Draining);
    let ids: Vec<WorkerId> = draining.map(|(id, _)| id.clone()).collect();
    for id in ids {
        let plan = plan(pass, &id);
        pass.hand_over(&plan, MigrationReason::Drain);
        if pass.state.placed_on(&id).is_empty() && !is_waited_for(pass, &id) {
            pass.issue(Change::Deregister { worker: id });
        }
    }
}

fn plan(pass: &Pass<'_>, id: &WorkerId) -> Vec<(PipelineKey, WorkerId)> {
    let mut occupancy = Occupancy::of(&pass.state);
    let mut plan = Vec::new();
    for (key, pipeline) in pass.state.placed_on(id) {
        if !pipeline.placement.as_ref().is_some_and(|it| can_go(pass, key, it)) {
            continue;
        }
        if let Some(target) = occupancy.target(key, &|id| pass.is_fit(id)) {
            occupancy.take(key, id);
            occupancy.put(key, &target);
            plan.push((key.clone(), target));
        }
    }
    plan
}

/// One that keeps state is asked for it once it runs; without state there is nothing to wait for.
fn can_go(pass: &Pass<'_>, key: &PipelineKey, placement: &Placement) -> bool {
    let has_come = !matches!(placement.phase, Phase::Deploying | Phase::Released);
    pass.state.pending(key).is_none() && (has_come || !pass.state.is_stateful(key))
}

/// Does a pipeline that ran there not take records elsewhere so far?
fn is_waited_for(pass: &Pass<'_>, id: &WorkerId) -> bool {
    let pipelines = pass.state.groups.values().flat_map(|group| group.pipelines.values());
    pipelines.filter_map(|pipeline| pipeline.placement.as_ref()).any(|placement| {
        let is_new = pass.now_ms < placement.since_ms + SUCCESSOR_PATIENCE_MS;
        placement.from.as_ref() == Some(id) && placement.phase == Phase::Deploying && is_new
    })
}
