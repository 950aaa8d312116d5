//! Probes: is the process there, can it serve, and how is the cluster.
//!
//! Invariant: `/health`, `/health/live` and `/health/started` answer from memory, with or without a majority.

use super::summary::{WorkerCount, events_processed, pipeline_count};
use super::views::WorkerView;
use super::{Context, Rest, answer};
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::READ_TIMEOUT;
use crate::model::state::MigrationStatus;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/health/ready", get(ready))
        .route("/health/live", get(live))
        .route("/health/started", get(started))
}

async fn health(State(rest): Context) -> Response {
    let (state, fleet, raft) = (rest.state(), rest.observer.fleet(), rest.ledger.raft_metrics());
    let workers = WorkerCount::of(&state);
    let active = [MigrationStatus::Pending, MigrationStatus::InProgress];
    let active = state.migrations.values().filter(|migration| active.contains(&migration.status)).count();
    let sweep = fleet
        .leader
        .map(|_| json!({"workers_checked": fleet.sweep.checked, "workers_marked_unhealthy": fleet.sweep.lost}));
    let entry = |(id, worker)| {
        let view = json!(WorkerView::of(id, worker, &state, &fleet));
        let keys = ["id", "status", "address", "seconds_since_heartbeat"];
        keys.map(|key| (key.to_owned(), view[key].clone())).into_iter().collect::<serde_json::Map<_, Value>>()
    };
    let body = json!({
        "status": status(workers),
        "role": "coordinator",
        "version": env!("CARGO_PKG_VERSION"),
        "workers": {
            "total": workers.total,
            "healthy": workers.ready,
            "unhealthy": workers.unhealthy,
            "draining": workers.draining,
        },
        "ws_connections": rest.observer.live_sockets(),
        "pipeline_groups": state.groups.len(),
        "active_migrations": active,
        "total_events_processed": events_processed(&rest),
        "last_health_sweep": sweep,
        "worker_list": state.workers.iter().map(entry).collect::<Vec<_>>(),
        "worker_count": workers.total,
        "pipeline_count": pipeline_count(&state),
        "node_id": raft.id,
        "leader_id": raft.current_leader,
        "cluster": state.cluster,
        "raft_problem": raft.problem,
        "registration": if rest.keys.is_open() { "open" } else { "key required" },
    });
    answer(StatusCode::OK, body)
}

fn status(workers: WorkerCount) -> &'static str {
    match workers {
        WorkerCount { total: 0, .. } => "no_workers",
        WorkerCount { ready: 0, .. } => "critical",
        WorkerCount { unhealthy: 0, .. } => "healthy",
        _ => "degraded",
    }
}

/// Can it serve writes? It can if the cluster has formed, and it reaches a leader that has a majority.
async fn ready(State(rest): Context) -> Result<Response, ApiError> {
    let message = match rest.ledger.read(READ_TIMEOUT).await {
        Some(state) if state.cluster.is_some() => {
            return Ok(answer(StatusCode::OK, json!({"status": "ready", "role": "coordinator"})));
        }
        Some(_) => "not ready: the cluster is forming",
        None => "not ready: no leader with a majority of the coordinators is reached",
    };
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message))
}

async fn live() -> Response {
    answer(StatusCode::OK, json!({"status": "live", "role": "coordinator"}))
}

async fn started(State(rest): Context) -> Result<Response, ApiError> {
    if rest.state().cluster.is_some() {
        return Ok(answer(StatusCode::OK, json!({"status": "started", "role": "coordinator"})));
    }
    let message = "not started: the cluster has not formed, or this coordinator has not joined it";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_started", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_how_many_workers_are_fit() {
        for (total, ready, unhealthy, expected) in [
            (0, 0, 0, "no_workers"),
            (2, 0, 2, "critical"),
            (2, 1, 1, "degraded"),
            (2, 2, 0, "healthy"),
            (2, 1, 0, "healthy"),
        ] {
            let count = WorkerCount { total, ready, unhealthy, ..WorkerCount::default() };
            assert_eq!(status(count), expected, "{count:?}");
        }
    }
}
