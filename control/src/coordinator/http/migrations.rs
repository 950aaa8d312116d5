//! Moves of pipelines from worker to worker, and asking for them.

use super::extract::{Params, Payload, Segments};
use super::page::Page;
use super::views::label;
use super::{Context, Rest, answer, groups};
use crate::coordinator::error::ApiError;
use crate::model::command::{Change, Move};
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::reconcile;
use crate::model::state::{Migration, MigrationReason, MigrationStatus, State as ClusterState};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new()
        .route("/migrations", get(list))
        .route("/migrations/{id}", get(show))
        .route("/pipelines/{group}/{pipeline}/migrate", post(migrate))
        .route("/rebalance", post(rebalance))
}

/// A migration as it is shown.
#[derive(Serialize)]
struct View {
    id: Uuid,
    pipeline_name: String,
    group_id: Uuid,
    source_worker: String,
    target_worker: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    reason: MigrationReason,
    elapsed_ms: u64,
}

#[derive(Deserialize)]
struct Target {
    target_worker_id: String,
}

fn view(id: Uuid, migration: &Migration, state: &ClusterState, now_ms: u64) -> View {
    let key = &migration.pipeline;
    let pipeline = state.groups.get(&key.group).and_then(|group| group.pipelines.get(key));
    let (status, error) = match &migration.status {
        MigrationStatus::Pending => ("pending", None),
        MigrationStatus::InProgress => ("in_progress", None),
        MigrationStatus::Completed => ("completed", None),
        MigrationStatus::Failed { reason } => ("failed", Some(reason.clone())),
    };
    View {
        id,
        pipeline_name: pipeline.map_or_else(|| key.name.to_string(), |pipeline| label(key, pipeline)),
        group_id: key.group,
        source_worker: migration.source.as_ref().map_or_else(String::new, ToString::to_string),
        target_worker: migration.target.to_string(),
        status,
        error,
        reason: migration.reason,
        elapsed_ms: migration.ended_ms.unwrap_or(now_ms).saturating_sub(migration.started_ms),
    }
}

async fn list(State(rest): Context, Params(page): Params<Page>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let now_ms = rest.clock.now_ms();
    let mut migrations: Vec<_> = reading.state.migrations.iter().collect();
    migrations.sort_by_key(|(id, migration)| (migration.started_ms, **id));
    let view = |(id, migration): (&Uuid, &Migration)| view(*id, migration, &reading.state, now_ms);
    Ok(reading.answer(page.of("migrations", migrations.into_iter(), view)?))
}

async fn show(State(rest): Context, Segments(id): Segments<String>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let found = id.parse::<Uuid>().ok().and_then(|id| reading.state.migrations.get_key_value(&id));
    let (id, migration) = found.ok_or_else(|| ApiError::no_migration(&id))?;
    Ok(reading.answer(view(*id, migration, &reading.state, rest.clock.now_ms())))
}

/// A pipeline by its name, `name#replica` if there are several.
fn find(state: &ClusterState, group: &str, name: &str) -> Result<PipelineKey, ApiError> {
    let (_, group) = groups::find(state, group)?;
    let mut named = super::views::newest(group).filter(|(key, pipeline)| label(key, pipeline) == name);
    named.next().map(|(key, _)| key.clone()).ok_or_else(|| ApiError::no_pipeline(name))
}

async fn migrate(
    State(rest): Context,
    Segments((group, name)): Segments<(String, String)>,
    Payload(target): Payload<Target>,
) -> Result<Response, ApiError> {
    let state = rest.read().await.state;
    let key = find(&state, &group, &name)?;
    let to = WorkerId::new(&target.target_worker_id);
    if !state.workers.contains_key(&to) {
        return Err(ApiError::no_worker(to.as_str()));
    }
    let group = &state.groups[&key.group];
    let pipeline = &group.pipelines[&key];
    let here = pipeline.placement.as_ref().is_some_and(|placement| placement.worker == to);
    if here {
        return Err(ApiError::invalid(format!("pipeline {name} is on worker {to} already")));
    }
    let (migration, reason, seen) = (rest.new_id(), MigrationReason::Manual, pipeline.epoch);
    let stateful = group.facts.get(&key.name).is_some_and(|facts| facts.stateful);
    let change = if stateful && pipeline.placement.is_some() {
        Change::Release { pipeline: key.clone(), seen, to, migration, reason }
    } else {
        let moves = vec![Move { pipeline: key.clone(), seen, to: Some(to), migration: Some((migration, reason)) }];
        Change::Place { moves }
    };
    rest.submit(change).await?;
    let body = json!({"migration_id": migration, "pipeline": name, "group_id": key.group, "status": "started"});
    Ok(answer(StatusCode::ACCEPTED, body))
}

/// Spreads the load over the workers that are ready, with as few moves as possible.
async fn rebalance(State(rest): Context) -> Result<Response, ApiError> {
    let state = rest.read().await.state;
    let changes = reconcile::rebalance(&state, BTreeMap::new(), rest.clock.now_ms(), &mut || rest.new_id());
    let mut started: Vec<Uuid> = Vec::new();
    for change in changes {
        let ids: Vec<Uuid> = match &change {
            Change::Place { moves } => moves.iter().filter_map(|it| it.migration).map(|(id, _)| id).collect(),
            Change::Release { migration, .. } => vec![*migration],
            _ => vec![],
        };
        rest.submit(change).await?;
        started.extend(ids);
    }
    Ok(answer(StatusCode::OK, json!({"migrations_started": started.len(), "migration_ids": started})))
}
