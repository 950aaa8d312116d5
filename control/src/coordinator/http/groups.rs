//! Pipeline groups: what is to run.
//!
//! ```text
//!   spec ──> limits ──> every program is compiled ──> is anybody ready? ──> Deploy ──> up to 5 s for placements ──> 201
//!              400           400, all diagnostics             503              409
//! ```
//! The same group again is the group that is there: a pipeline never runs twice.

use super::extract::{Params, Payload, Segments};
use super::page::Page;
use super::views::{GroupView, is_settled};
use super::{Context, Reading, Rest, answer};
use crate::coordinator::compile::Problem;
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::{DEPLOY_TIMEOUT, GROUPS, WRITE_TIMEOUT, check_group};
use crate::model::command::{Change, Outcome};
use crate::model::ids::Uuid;
use crate::model::spec::GroupSpec;
use crate::model::state::{Facts, Group, State as ClusterState, Worker};
use crate::raft::SubmitError;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new()
        .route("/pipeline-groups", get(list).post(create))
        .route("/pipeline-groups/{id}", get(show).put(replace).delete(remove))
}

/// How a group is deployed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct How {
    /// Change the group of that name.
    #[serde(default)]
    replace: bool,
    /// Store it also if nobody can run it now.
    #[serde(default)]
    wait_for_workers: bool,
}

/// A group by its id, or by its name.
pub(super) fn find<'s>(state: &'s ClusterState, id: &str) -> Result<(Uuid, &'s Group), ApiError> {
    let by_id = id.parse::<Uuid>().ok().and_then(|id| state.groups.get_key_value(&id));
    let found = by_id.or_else(|| state.groups.iter().find(|(_, group)| group.spec.name == id));
    found.map(|(id, group)| (*id, group)).ok_or_else(|| ApiError::no_group(id))
}

async fn list(State(rest): Context, Params(page): Params<Page>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let now_ms = rest.clock.now_ms();
    let mut groups: Vec<_> = reading.state.groups.iter().collect();
    groups.sort_by_key(|(_, group)| group.number);
    let view = |(id, group): (&Uuid, &Group)| GroupView::of(*id, group, &reading.state, now_ms);
    Ok(reading.answer(page.of("pipeline_groups", groups.into_iter(), view)?))
}

async fn show(State(rest): Context, Segments(id): Segments<String>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let (id, group) = find(&reading.state, &id)?;
    Ok(reading.answer(GroupView::of(id, group, &reading.state, rest.clock.now_ms())))
}

async fn create(
    State(rest): Context,
    Params(how): Params<How>,
    Payload(spec): Payload<GroupSpec>,
) -> Result<Response, ApiError> {
    deploy(&rest, rest.read().await, spec, how).await
}

async fn replace(
    State(rest): Context,
    Segments(id): Segments<String>,
    Params(how): Params<How>,
    Payload(spec): Payload<GroupSpec>,
) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let name = &find(&reading.state, &id)?.1.spec.name;
    if *name != spec.name {
        return Err(ApiError::invalid(format!(
            "the group is named {name}, the body says {}: a group keeps its name",
            spec.name
        )));
    }
    deploy(&rest, reading, spec, How { replace: true, ..how }).await
}

async fn remove(State(rest): Context, Segments(id): Segments<String>) -> Result<Response, ApiError> {
    let group = find(&rest.read().await.state, &id)?.0;
    rest.submit(Change::Delete { group }).await?;
    Ok(answer(StatusCode::OK, json!({"torn_down": true})))
}

async fn deploy(rest: &Rest, reading: Reading, spec: GroupSpec, how: How) -> Result<Response, ApiError> {
    check_group(&spec).map_err(ApiError::invalid)?;
    let reading = formed(rest, reading).await?;
    let facts = compile(rest, &reading.state, &spec).await?;
    let existing = reading.state.groups.iter().find(|(_, group)| group.spec.name == spec.name);
    let is_new = existing.is_none();
    if let Some((id, group)) = existing
        && group.spec == spec
    {
        return Ok(reading.answer(GroupView::of(*id, group, &reading.state, rest.clock.now_ms())));
    }
    let is_ready = reading.state.workers.values().any(Worker::takes_pipelines);
    if is_new {
        if !is_ready && !how.wait_for_workers {
            return Err(ApiError::no_workers_available());
        }
        if reading.state.groups.len() >= GROUPS {
            return Err(ApiError::invalid(format!("the cluster has {GROUPS} groups, which is the limit")));
        }
    }
    let (started, count) = (Instant::now(), spec.pipelines.len());
    let change = Change::Deploy { id: rest.new_id(), spec, replace: how.replace, facts };
    let outcome = rest.submit(change).await;
    rest.counters.deployed(outcome.is_ok(), count, started.elapsed());
    let Outcome::Group { id, .. } = outcome? else {
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "deploy_failed", "the group was not stored"));
    };
    let state = if is_ready { settled(rest, id).await } else { rest.state() };
    let group = state.groups.get(&id).ok_or_else(|| ApiError::no_group(&id.to_string()))?;
    let view = GroupView::of(id, group, &state, rest.clock.now_ms());
    Ok(answer(if is_new { StatusCode::CREATED } else { StatusCode::OK }, view))
}

/// What is known once the cluster has formed and this coordinator is in it; that is waited for as long as a write is.
async fn formed(rest: &Rest, reading: Reading) -> Result<Reading, ApiError> {
    if reading.state.cluster.is_some() {
        return Ok(reading);
    }
    let mut states = rest.ledger.watch();
    let has_formed = timeout(WRITE_TIMEOUT, states.wait_for(|state| state.cluster.is_some())).await;
    if !has_formed.is_ok_and(|seen| seen.is_ok()) {
        return Err(SubmitError::NoLeader.into());
    }
    Ok(rest.read().await)
}

/// Waits until every pipeline of a group has come to something, or [`DEPLOY_TIMEOUT`] has passed.
async fn settled(rest: &Rest, id: Uuid) -> Arc<ClusterState> {
    let mut states = rest.ledger.watch();
    // A group that is gone again was seen before: the change was applied here when it was answered.
    let done = states.wait_for(|state| state.groups.get(&id).is_none_or(is_settled));
    match timeout(DEPLOY_TIMEOUT, done).await {
        Ok(Ok(state)) => state.clone(),
        Ok(Err(_)) | Err(_) => rest.state(),
    }
}

/// Compiles every program of a group, or says everything that is wrong with them.
async fn compile(rest: &Rest, state: &ClusterState, spec: &GroupSpec) -> Result<BTreeMap<Arc<str>, Facts>, ApiError> {
    let (mut facts, mut wrong): (_, Vec<(String, Problem)>) = (BTreeMap::new(), Vec::new());
    for pipeline in &spec.pipelines {
        match rest.compiler.compile(&pipeline.source, &state.connectors) {
            Ok(program) if program.stateful && pipeline.replicas > 1 && pipeline.partition_key.is_none() => {
                return Err(ApiError::invalid(format!(
                    "pipeline {} keeps state and has {} replicas: set partition_key, so that what belongs together meets",
                    pipeline.name, pipeline.replicas
                )));
            }
            Ok(program) => {
                let connectors = program.connectors.keys().cloned().collect();
                facts.insert(pipeline.name.clone(), Facts { stateful: program.stateful, connectors });
            }
            Err(problems) => wrong.extend(problems.into_iter().map(|problem| (pipeline.name.to_string(), problem))),
        }
        // Others are served between two programs.
        tokio::task::yield_now().await;
    }
    if wrong.is_empty() { Ok(facts) } else { Err(ApiError::diagnostics(&wrong)) }
}
