//! Events that are put in from outside, handed on to the worker whose pipeline they are for.
//!
//! Routes decide which pipeline that is: the first one that takes the event's type, else the group's first pipeline. Among replicas
//! it is the one to which the value of the key belongs, or each in its turn.

use super::extract::{Payload, Segments};
use super::views::{PlacementView, Status, label, newest, placements};
use super::{Context, Rest, answer, groups};
use crate::coordinator::auth::KEY_HEADER;
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::WORKER_TIMEOUT;
use crate::model::ids::WorkerId;
use crate::model::names::replica_of;
use crate::model::spec::{GroupSpec, PipelineSpec};
use crate::model::state::{Group, State as ClusterState};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Says to which trace a request belongs.
const TRACE_HEADER: &str = "traceparent";

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/pipeline-groups/{id}/inject", post(inject))
}

/// An event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub event_type: String,
    #[serde(default)]
    pub fields: Map<String, Value>,
}

async fn inject(
    State(rest): Context,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(event): Payload<Event>,
) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let (_, group) = groups::find(&reading.state, &id)?;
    let target = target(&rest, group, &reading.state, &event)?;
    let path = format!("/api/v1/pipelines/{}/events", target.pipeline_id);
    let body = serde_json::to_vec(&event).expect("names and JSON values can be written").into();
    let response = ask_worker(&rest, &reading.state, &target, Method::POST, &path, &headers, body).await?;
    let body = json!({"routed_to": target.pipeline_name, "worker_id": target.worker_id, "worker_response": response});
    Ok(answer(StatusCode::OK, body))
}

/// The pipeline for an event, which is to run.
pub(super) fn target(
    rest: &Rest,
    group: &Group,
    state: &ClusterState,
    event: &Event,
) -> Result<PlacementView, ApiError> {
    let spec = routed(&group.spec, &event.event_type).ok_or_else(|| ApiError::routing("the group has no pipelines"))?;
    let replica = newest(group).find(|(key, _)| key.name == spec.name).map_or(1, |(_, it)| it.replicas);
    let replica = share(rest, spec, replica, event);
    let wanted = newest(group).find(|(key, _)| key.name == spec.name && key.replica == replica);
    let name = wanted.map(|(key, pipeline)| label(key, pipeline));
    let mut all = placements(group, state, rest.clock.now_ms()).into_iter();
    let placement = all.find(|it| Some(&it.pipeline_name) == name.as_ref());
    let placement = placement.ok_or_else(|| ApiError::routing(format!("pipeline {} has no replicas", spec.name)))?;
    if matches!(placement.status, Status::Running | Status::Moving) {
        return Ok(placement);
    }
    let status = json!(placement.status);
    let reason = placement.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
    let name = &placement.pipeline_name;
    Err(ApiError::routing(format!("pipeline {name} is {}{reason}", status.as_str().unwrap_or_default())))
}

/// Where events of a type go.
fn routed<'g>(spec: &'g GroupSpec, event_type: &str) -> Option<&'g PipelineSpec> {
    let takes = |pattern: &String| match pattern.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => event_type == pattern,
    };
    let route = spec.routes.iter().find(|route| route.event_types.iter().any(takes));
    let named = route.and_then(|route| spec.pipelines.iter().find(|it| *it.name == *route.to_pipeline));
    named.or_else(|| spec.pipelines.first())
}

/// The replica for an event.
fn share(rest: &Rest, spec: &PipelineSpec, replicas: u16, event: &Event) -> u16 {
    if replicas <= 1 {
        return 0;
    }
    match &spec.partition_key {
        Some(key) => replica_of(event.fields.get(key).unwrap_or(&Value::Null), replicas),
        None => u16::try_from(rest.next_turn() % u64::from(replicas)).expect("it is less than the number of replicas"),
    }
}

/// Hands a request on to the worker of a placement, with the key that it asks for; its answer, or 502 with what it said.
pub(super) async fn ask_worker(
    rest: &Rest,
    state: &ClusterState,
    placement: &PlacementView,
    method: Method,
    path: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Value, ApiError> {
    let id = WorkerId::new(&placement.worker_id);
    let worker = state.workers.get(&id).ok_or_else(|| ApiError::routing(format!("worker {id} is gone")))?;
    let mut sent = vec![("content-type", "application/json")];
    if let Some(key) = &worker.api_key {
        sent.push((KEY_HEADER, key.expose()));
    }
    if let Some(trace) = headers.get(TRACE_HEADER).and_then(|value| value.to_str().ok()) {
        sent.push((TRACE_HEADER, trace));
    }
    let response = rest.http.request(&worker.address, method, path, &sent, body, WORKER_TIMEOUT).await?;
    let parsed = serde_json::from_slice::<Value>(&response.body);
    if response.status.is_success() {
        return parsed.map_err(|_| ApiError::routing(format!("worker {id} answered something that is no JSON")));
    }
    let said = parsed.ok().and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
    let said = said.map_or_else(String::new, |said| format!(": {said}"));
    Err(ApiError::routing(format!("worker {id} answered {}{said}", response.status.as_u16())))
}
