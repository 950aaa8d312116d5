//! Who runs what: placements and the migrations that make them.
//!
//! ```text
//!   place ─────────────────────────────> InProgress ──Running──> Completed
//!   release ──> Pending ──Released──────────┘  └──────────────> Failed
//!                  └────────────────────────────────────────────┘   (overruled, given up, target gone)
//! ```
//! Invariants: every new placement has a higher epoch than all before it; of a pipeline at most one migration is under way, and
//! a newer decision ends it.

use super::applied_if;
use crate::model::command::{Move, Outcome, Refusal};
use crate::model::ids::{EpochNumber, PipelineKey, Uuid, WorkerId};
use crate::model::state::{
    Migration, MigrationReason, MigrationStatus, Phase, Pipeline, Placement, State, WorkerStatus,
};

/// Migrations that are remembered; over it those that ended first are forgotten.
pub const MIGRATION_LIMIT_COUNT: usize = 4096;

const OVERRULED: &str = "a newer decision about the pipeline was made";

/// Every move by itself; refused only if none of them fits.
pub(super) fn place(state: &mut State, now_ms: u64, moves: &[Move]) -> Result<Outcome, Refusal> {
    let results: Vec<_> = moves.iter().map(|it| shift(state, now_ms, it)).collect();
    let refusal = results.iter().find_map(|result| result.as_ref().err());
    match refusal {
        Some(refusal) if results.iter().all(Result::is_err) => Err(refusal.clone()),
        _ => Ok(applied_if(!moves.is_empty())),
    }
}

fn shift(state: &mut State, now_ms: u64, it: &Move) -> Result<(), Refusal> {
    newest(state, &it.pipeline, it.seen)?;
    if let Some(worker) = &it.to {
        can_take(state, worker, &it.pipeline)?;
    }
    let source =
        state.pipeline(&it.pipeline).and_then(|pipeline| pipeline.placement.as_ref()).map(|p| p.worker.clone());
    let migration = match (&it.to, it.migration) {
        (Some(target), Some((id, reason))) => {
            let epoch = it.seen + 1;
            let migration = Migration {
                pipeline: it.pipeline.clone(),
                source,
                target: target.clone(),
                epoch,
                with_state: false,
                reason,
                status: MigrationStatus::InProgress,
                started_ms: now_ms,
                ended_ms: None,
            };
            record(state, now_ms, id, migration)?;
            Some(id)
        }
        _ => {
            overrule(state, now_ms, &it.pipeline);
            None
        }
    };
    put(state, now_ms, &it.pipeline, it.to.as_ref(), migration);
    Ok(())
}

pub(super) fn release(
    state: &mut State,
    now_ms: u64,
    (key, seen): (&PipelineKey, EpochNumber),
    target: &WorkerId,
    (id, reason): (Uuid, MigrationReason),
) -> Result<Outcome, Refusal> {
    newest(state, key, seen)?;
    can_take(state, target, key)?;
    let source = state.pipeline(key).and_then(|pipeline| pipeline.placement.as_ref());
    let source = source.filter(|it| it.phase != Phase::Released).map(|it| it.worker.clone());
    let Some(source) = source else {
        return Err(Refusal::Invalid(format!("{key} does not run anywhere: place it")));
    };
    if source == *target {
        return Err(Refusal::Invalid(format!("{key} runs on {target} already")));
    }
    let migration = Migration {
        pipeline: key.clone(),
        source: Some(source),
        target: target.clone(),
        epoch: seen + 1,
        with_state: true,
        reason,
        status: MigrationStatus::Pending,
        started_ms: now_ms,
        ended_ms: None,
    };
    record(state, now_ms, id, migration)?;
    Ok(Outcome::Applied)
}

/// The worker that ran a pipeline has handed its state to the target of the pending migration: the target is to run it. If
/// it cannot any more, the migration has failed and the pipeline is to go back.
pub(super) fn arrive(state: &mut State, now_ms: u64, id: Uuid) {
    let Some(migration) = state.migrations.get(&id) else { return };
    let (key, target) = (migration.pipeline.clone(), migration.target.clone());
    match can_take(state, &target, &key) {
        Ok(()) => {
            if let Some(migration) = state.migrations.get_mut(&id) {
                migration.status = MigrationStatus::InProgress;
            }
            put(state, now_ms, &key, Some(&target), Some(id));
        }
        Err(refusal) => {
            end(state, now_ms, id, MigrationStatus::Failed { reason: refusal.to_string() });
            if let Some(placement) = state.pipeline_mut(&key).and_then(|it| it.placement.as_mut()) {
                (placement.phase, placement.since_ms) = (Phase::Released, now_ms);
            }
        }
    }
}

pub(super) fn fail(state: &mut State, now_ms: u64, id: Uuid, reason: &str) -> Result<Outcome, Refusal> {
    if !state.migrations.get(&id).is_some_and(|it| it.status.is_active()) {
        return Err(Refusal::UnknownMigration(id));
    }
    end(state, now_ms, id, MigrationStatus::Failed { reason: reason.into() });
    Ok(Outcome::Applied)
}

pub(super) fn forget(state: &mut State, before_ms: u64) -> Outcome {
    let before = state.migrations.len();
    state.migrations.retain(|_, it| it.ended_ms.is_none_or(|ended| ended >= before_ms));
    applied_if(state.migrations.len() < before)
}

/// A migration ends, if it has not yet.
pub(super) fn end(state: &mut State, now_ms: u64, id: Uuid, status: MigrationStatus) {
    if let Some(migration) = state.migrations.get_mut(&id).filter(|it| it.status.is_active()) {
        (migration.status, migration.ended_ms) = (status, Some(now_ms));
    }
}

/// Ends the migration of a pipeline that is under way.
pub(super) fn end_all_of(state: &mut State, now_ms: u64, key: &PipelineKey, reason: &str) {
    let ids: Vec<_> = state.active_migrations().filter(|(_, it)| it.pipeline == *key).map(|(id, _)| id).collect();
    for id in ids {
        end(state, now_ms, id, MigrationStatus::Failed { reason: reason.into() });
    }
}

/// The worker of a pipeline is to run it anew, because what it is to run has changed.
pub(super) fn renew(state: &mut State, now_ms: u64, key: &PipelineKey) {
    let worker = state.pipeline(key).and_then(|it| it.placement.as_ref()).map(|it| it.worker.clone());
    if worker.is_some() {
        overrule(state, now_ms, key);
        put(state, now_ms, key, worker.as_ref(), None);
    }
}

/// A pipeline runs nowhere.
pub(super) fn unplace(state: &mut State, now_ms: u64, key: &PipelineKey) {
    overrule(state, now_ms, key);
    put(state, now_ms, key, None, None);
}

fn overrule(state: &mut State, now_ms: u64, key: &PipelineKey) {
    end_all_of(state, now_ms, key, OVERRULED);
}

/// Makes the next placement of a pipeline. Migrations are the caller's.
pub(super) fn put(
    state: &mut State,
    now_ms: u64,
    key: &PipelineKey,
    worker: Option<&WorkerId>,
    migration: Option<Uuid>,
) {
    let target = worker.and_then(|id| state.workers.get(id).map(|it| (id.clone(), it.instance)));
    let Some(pipeline) = state.pipeline_mut(key) else { return };
    let ran = pipeline.placement.take().and_then(ran_on);
    pipeline.epoch += 1;
    pipeline.placement = target.map(|(worker, instance)| Placement {
        from: ran.filter(|from| *from != worker),
        worker,
        instance,
        epoch: pipeline.epoch,
        phase: Phase::Deploying,
        since_ms: now_ms,
        migration,
    });
}

/// The worker that took records last under a placement or before it.
fn ran_on(placement: Placement) -> Option<WorkerId> {
    let before = placement.from.filter(|_| placement.phase == Phase::Deploying);
    Some(before.unwrap_or(placement.worker))
}

/// Refuses what was decided by somebody who did not see the newest epoch.
pub(super) fn newest<'s>(state: &'s State, key: &PipelineKey, given: EpochNumber) -> Result<&'s Pipeline, Refusal> {
    let pipeline = state.pipeline(key).ok_or_else(|| Refusal::UnknownPipeline(key.clone()))?;
    if pipeline.epoch == given { Ok(pipeline) } else { Err(Refusal::OldEpoch { given, newest: pipeline.epoch }) }
}

/// Refuses a worker that is not fit for a pipeline. One that is being drained may keep what it runs.
fn can_take(state: &State, id: &WorkerId, key: &PipelineKey) -> Result<(), Refusal> {
    let worker = state.workers.get(id).ok_or_else(|| Refusal::UnknownWorker(id.clone()))?;
    let pipelines = || state.groups.values().flat_map(|group| &group.pipelines);
    let runs = |pipeline: &Pipeline| pipeline.placement.as_ref().is_some_and(|it| it.worker == *id);
    let has_it = state.pipeline(key).is_some_and(runs);
    let keeps = has_it && worker.status == WorkerStatus::Draining && worker.protocol > 0;
    let others = pipelines().filter(|(other, pipeline)| *other != key && runs(pipeline)).count() as u64;
    let room = others < u64::from(worker.capacity.max_pipelines);
    if (worker.takes_pipelines() || keeps) && (has_it || room) { Ok(()) } else { Err(Refusal::NoTarget(id.clone())) }
}

/// Writes a migration down; an earlier one of the pipeline that is under way is overruled.
fn record(state: &mut State, now_ms: u64, id: Uuid, migration: Migration) -> Result<(), Refusal> {
    if state.migrations.contains_key(&id) {
        return Err(Refusal::Invalid(format!("there is a migration {id} already")));
    }
    overrule(state, now_ms, &migration.pipeline);
    state.migrations.insert(id, migration);
    while state.migrations.len() > MIGRATION_LIMIT_COUNT {
        let ended = state.migrations.iter().filter_map(|(id, it)| it.ended_ms.map(|ended| (ended, *id)));
        let Some((_, oldest)) = ended.min() else { break };
        state.migrations.remove(&oldest);
    }
    Ok(())
}
