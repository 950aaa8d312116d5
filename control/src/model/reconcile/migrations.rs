//! Planned moves that do not get to their end, and those that ended long ago.
//!
//! ```text
//!   Pending      target gone, or no state within its limit ──> Failed; the source goes on
//!   InProgress   no life at the target within its limit ─────> Failed; back to the source, under a higher epoch
//!   Released, and nobody takes it ───────────────────────────> the source runs it again, under a higher epoch
//! ```
//! A target that dies takes its pipelines back to where they came from by the rule for workers that are gone.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::state::{Migration, MigrationReason, MigrationStatus, Phase, Placement, State};

/// For so long the source of a planned move may take to stop and to hand its state over, ms.
pub const RELEASE_LIMIT_MS: u64 = 30_000;

/// For so long the target of a planned move may be silent about it, ms.
pub const ARRIVAL_LIMIT_MS: u64 = 30_000;

/// For so long migrations that have ended are remembered, ms.
pub const MEMORY_MS: u64 = 60 * 60 * 1_000;

pub(super) fn settle(pass: &mut Pass<'_>) {
    let failed: Vec<(Uuid, String)> =
        pass.state.active_migrations().filter_map(|(id, it)| Some((id, failure(pass, id, it)?))).collect();
    for (migration, reason) in failed {
        pass.issue(Change::FailMigration { migration, reason });
    }
    let pipelines = pass.state.groups.values().flat_map(|group| &group.pipelines);
    let back: Vec<(PipelineKey, WorkerId)> = pipelines
        .filter_map(|(key, pipeline)| Some((key.clone(), way_back(pass, key, pipeline.placement.as_ref()?)?)))
        .collect();
    let moves: Vec<_> = back.iter().map(|(key, worker)| pass.step(key, worker, None)).collect();
    if !moves.is_empty() {
        pass.issue(Change::Place { moves });
    }
}

/// Why a migration is to be given up, if that is so.
fn failure(pass: &Pass<'_>, id: Uuid, migration: &Migration) -> Option<String> {
    let target = &migration.target;
    let age_ms = pass.now_ms.saturating_sub(migration.started_ms);
    if migration.status == MigrationStatus::Pending {
        let can_take = pass.state.workers.get(target).is_some_and(|it| it.takes_pipelines());
        if !can_take {
            return Some(format!("worker {target} cannot take it any more"));
        }
        return (age_ms > RELEASE_LIMIT_MS)
            .then(|| format!("its state was not handed over within {} s", RELEASE_LIMIT_MS / 1_000));
    }
    let pipeline = pass.state.pipeline(&migration.pipeline)?;
    let placement = pipeline.placement.as_ref().filter(|it| it.migration == Some(id))?;
    let is_silent =
        placement.phase == Phase::Deploying && pass.now_ms.saturating_sub(placement.since_ms) > ARRIVAL_LIMIT_MS;
    (is_silent && migration.reason != MigrationReason::Failover)
        .then(|| format!("worker {target} was silent about it for {} s", ARRIVAL_LIMIT_MS / 1_000))
}

/// The worker that a pipeline is to go back to, if its move has failed.
fn way_back(pass: &Pass<'_>, key: &PipelineKey, placement: &Placement) -> Option<WorkerId> {
    if placement.phase == Phase::Released {
        let is_free = pass.state.pending(key).is_none() && pass.observed.is_alive(&placement.worker);
        return is_free.then(|| placement.worker.clone());
    }
    let source = placement.from.as_ref().filter(|id| pass.is_fit(id))?;
    let has_ended = matches!(placement.phase, Phase::Deploying | Phase::Failed { .. });
    (has_ended && has_failed(&pass.state, placement.migration?)).then(|| source.clone())
}

/// Was it a planned move that has failed?
fn has_failed(state: &State, migration: Uuid) -> bool {
    state
        .migrations
        .get(&migration)
        .is_some_and(|it| it.reason != MigrationReason::Failover && matches!(it.status, MigrationStatus::Failed { .. }))
}

pub(super) fn forget(pass: &mut Pass<'_>) {
    let before_ms = pass.now_ms.saturating_sub(MEMORY_MS);
    if pass.state.migrations.values().any(|it| it.ended_ms.is_some_and(|ended| ended < before_ms)) {
        pass.issue(Change::ForgetMigrations { before_ms });
    }
}
