//! Where everything runs, and the operators of a running group.

use super::extract::Segments;
use super::views::{PlacementView, Status, placements};
use super::{Context, Rest, groups, inject};
use crate::coordinator::error::ApiError;
use crate::model::ids::Uuid;
use crate::model::state::{State as ClusterState, WorkerStatus};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/topology", get(topology)).route("/pipeline-groups/{id}/topology", get(operators))
}

#[derive(Serialize)]
struct Topology {
    workers: Vec<WorkerEntry>,
    routes: Vec<Value>,
    groups: Vec<GroupEntry>,
}

#[derive(Serialize)]
struct WorkerEntry {
    id: String,
    address: String,
    status: WorkerStatus,
    pipeline_groups: BTreeSet<String>,
}

#[derive(Serialize)]
struct GroupEntry {
    group_id: Uuid,
    group_name: String,
    pipelines: Vec<PipelineEntry>,
    routes: Vec<Value>,
}

#[derive(Serialize)]
struct PipelineEntry {
    name: String,
    worker_id: String,
    worker_address: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn topology(State(rest): Context) -> Response {
    let reading = rest.read().await;
    reading.answer(of(&reading.state, rest.clock.now_ms()))
}

fn of(state: &ClusterState, now_ms: u64) -> Topology {
    let mut on_worker: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut topology = Topology { workers: vec![], routes: vec![], groups: vec![] };
    let mut groups: Vec<_> = state.groups.iter().collect();
    groups.sort_by_key(|(_, group)| group.number);
    for (id, group) in groups {
        let name = &group.spec.name;
        let placements = placements(group, state, now_ms);
        for placement in &placements {
            on_worker.entry(placement.worker_id.clone()).or_default().insert(name.clone());
        }
        let routes = &group.spec.routes;
        for route in routes {
            topology.routes.extend(between(&placements, &route.from_pipeline, &route.to_pipeline));
        }
        let routes = routes.iter().map(|route| {
            let (from, to, types) = (&route.from_pipeline, &route.to_pipeline, &route.event_types);
            json!({"from_pipeline": from, "to_pipeline": to, "event_types": types})
        });
        let (routes, pipelines) = (routes.collect(), placements.into_iter().map(entry).collect());
        topology.groups.push(GroupEntry { group_id: *id, group_name: name.clone(), pipelines, routes });
    }
    let worker = |(id, worker): (&crate::model::ids::WorkerId, &crate::model::state::Worker)| WorkerEntry {
        id: id.to_string(),
        address: worker.address.clone(),
        status: worker.status,
        pipeline_groups: on_worker.remove(id.as_str()).unwrap_or_default(),
    };
    topology.workers = state.workers.iter().map(worker).collect();
    topology
}

fn entry(placement: PlacementView) -> PipelineEntry {
    let PlacementView { pipeline_name: name, worker_id, worker_address, status, reason, .. } = placement;
    PipelineEntry { name, worker_id, worker_address, status, reason }
}

/// A route, for each pair of replicas.
fn between(placements: &[PlacementView], from: &str, to: &str) -> Vec<Value> {
    let named = |name: &str| {
        let is = move |it: &&PlacementView| it.pipeline_name.split('#').next() == Some(name);
        placements.iter().filter(is).collect::<Vec<_>>()
    };
    let (sources, targets) = (named(from), named(to));
    let pairs = sources.iter().flat_map(|source| targets.iter().map(move |target| (source, target)));
    pairs
        .map(|(source, target)| {
            json!({
                "source_worker": source.worker_id, "source_pipeline": source.pipeline_name,
                "target_worker": target.worker_id, "target_pipeline": target.pipeline_name,
                "route_type": "inter-pipeline",
            })
        })
        .collect()
}

/// The operators of the first pipeline that runs, as its worker shows them.
async fn operators(
    State(rest): Context,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let (_, group) = groups::find(&reading.state, &id)?;
    let placements = placements(group, &reading.state, rest.clock.now_ms());
    let Some(running) = placements.iter().find(|it| it.status == Status::Running) else {
        return Ok(reading.answer(json!({"nodes": [], "edges": [], "sources": [], "sinks": []})));
    };
    let path = format!("/api/v1/pipelines/{}/topology", running.pipeline_id);
    let graph = inject::ask_worker(&rest, &reading.state, running, Method::GET, &path, &headers, Bytes::new()).await?;
    Ok(reading.answer(graph))
}
