//! Workers: who they are, and those that register and send heartbeats over REST.
//!
//! Workers that speak our own protocol register over their socket. One that registers here can be watched and gets no
//! pipelines.

use super::extract::{OptionalPayload, Params, Payload, Segments};
use super::page::Page;
use super::views::WorkerView;
use super::{Context, Rest, answer};
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::{DRAIN_TIMEOUT, DRAIN_TIMEOUT_MAX_S, check_name, check_text};
use crate::model::command::Change;
use crate::model::ids::{Uuid, WorkerId};
use crate::model::secret::Secret;
use crate::model::state::{Capacity, State as ClusterState, WorkerStatus};
use crate::wire::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new()
        .route("/workers", get(list))
        .route("/workers/register", post(register))
        .route("/workers/{id}", get(show).delete(remove))
        .route("/workers/{id}/heartbeat", post(heartbeat))
        .route("/workers/{id}/drain", post(drain))
}

#[derive(Deserialize)]
struct Registration {
    worker_id: String,
    address: String,
    api_key: Option<Secret>,
    capacity: Capacity,
    instance: Option<Uuid>,
}

/// What a worker says of itself. What it says of pipelines is of no use: it has none of ours.
#[derive(Deserialize)]
struct Heartbeat {
    #[serde(default)]
    events_processed: u64,
    #[serde(default)]
    pipelines_running: u32,
}

#[derive(Deserialize)]
struct Drain {
    timeout_secs: Option<u64>,
}

async fn list(State(rest): Context, Params(page): Params<Page>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let fleet = rest.observer.fleet();
    let workers = reading.state.workers.iter();
    let view = |(id, worker)| WorkerView::of(id, worker, &reading.state, &fleet);
    Ok(reading.answer(page.of("workers", workers, view)?))
}

async fn show(State(rest): Context, Segments(name): Segments<String>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let id = WorkerId::new(&name);
    let worker = reading.state.workers.get(&id).ok_or_else(|| ApiError::no_worker(&name))?;
    Ok(reading.answer(WorkerView::of(&id, worker, &reading.state, &rest.observer.fleet())))
}

async fn register(State(rest): Context, Payload(it): Payload<Registration>) -> Result<Response, ApiError> {
    check_name("the worker", &it.worker_id).map_err(ApiError::bad_request)?;
    check_text("the address", &it.address).map_err(ApiError::bad_request)?;
    let key_text = it.api_key.as_ref().map_or("", |key| key.expose());
    check_text("the api_key", key_text).map_err(ApiError::bad_request)?;
    if it.capacity.cpu_cores == 0 || it.capacity.max_pipelines == 0 {
        return Err(ApiError::bad_request("the capacity is to have at least one of cpu_cores and of max_pipelines"));
    }
    let worker = WorkerId::new(&it.worker_id);
    let instance = it.instance.unwrap_or_else(|| rest.new_id());
    let (address, api_key, capacity) = (it.address, it.api_key, it.capacity);
    let change = Change::Register { worker: worker.clone(), address, api_key, instance, protocol: 0, capacity };
    rest.submit(change).await?;
    rest.observer.heartbeat(&worker, Metrics::default());
    let coordinators: Vec<String> = rest.state().coordinators.values().cloned().collect();
    let body = json!({
        "worker_id": it.worker_id,
        "status": "registered",
        "heartbeat_interval_secs": rest.heartbeat_interval_s,
        "coordinators": coordinators,
    });
    Ok(answer(StatusCode::CREATED, body))
}

async fn heartbeat(
    State(rest): Context,
    Segments(name): Segments<String>,
    Payload(it): Payload<Heartbeat>,
) -> Result<Response, ApiError> {
    let worker = WorkerId::new(&name);
    if !rest.state().workers.contains_key(&worker) && !rest.read().await.state.workers.contains_key(&worker) {
        return Err(ApiError::no_worker(&name));
    }
    let Heartbeat { events_processed, pipelines_running } = it;
    rest.observer.heartbeat(&worker, Metrics { events_processed, pipelines_running, pipelines: vec![] });
    Ok(answer(StatusCode::OK, json!({"acknowledged": true})))
}

async fn remove(State(rest): Context, Segments(name): Segments<String>) -> Result<Response, ApiError> {
    rest.submit(Change::Deregister { worker: WorkerId::new(&name) }).await?;
    Ok(answer(StatusCode::OK, json!({"deleted": true})))
}

/// Moves everything away from a worker and lets it go. If that takes longer than the time given, it goes on, and the answer
/// says how far it is.
async fn drain(
    State(rest): Context,
    Segments(name): Segments<String>,
    OptionalPayload(asked): OptionalPayload<Drain>,
) -> Result<Response, ApiError> {
    let wait = match asked.and_then(|it| it.timeout_secs) {
        Some(seconds) if seconds > DRAIN_TIMEOUT_MAX_S => {
            return Err(ApiError::bad_request(format!(
                "timeout_secs is {seconds}; the limit is {DRAIN_TIMEOUT_MAX_S}"
            )));
        }
        Some(seconds) => Duration::from_secs(seconds),
        None => DRAIN_TIMEOUT,
    };
    let id = WorkerId::new(&name);
    let reading = rest.read().await;
    let worker = reading.state.workers.get(&id).ok_or_else(|| ApiError::no_worker(&name))?;
    let answer_with = |status: &str, moved: usize| {
        answer(StatusCode::OK, json!({"worker_id": name, "pipelines_migrated": moved, "status": status}))
    };
    if worker.status == WorkerStatus::Draining {
        return Ok(answer_with("draining", 0));
    }
    let before = placed_on(&reading.state, &id);
    let change = Change::WorkerStatus {
        worker: id.clone(),
        instance: worker.instance,
        status: WorkerStatus::Draining,
        reason: Some("drained by request".into()),
        moves: vec![],
    };
    rest.submit(change).await?;
    let mut states = rest.ledger.watch();
    // The leader moves what runs there, and forgets the worker when nothing is left.
    let gone = states.wait_for(|state| !state.workers.contains_key(&id));
    if tokio::time::timeout(wait, gone).await.is_err() {
        let left = placed_on(&rest.state(), &id);
        return Ok(answer_with("draining", before.saturating_sub(left)));
    }
    Ok(answer_with("drained", before))
}

/// How many pipelines a worker has, or has to hand over still.
fn placed_on(state: &ClusterState, worker: &WorkerId) -> usize {
    let placements =
        state.groups.values().flat_map(|group| group.pipelines.values()).filter_map(|it| it.placement.as_ref());
    placements.filter(|placement| placement.worker == *worker || placement.from.as_ref() == Some(worker)).count()
}
