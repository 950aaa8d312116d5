//! The cluster at a glance: sums, what pipelines do, and whether the number of workers fits.

use super::views::{newest, placements};
use super::{Context, Rest};
use crate::model::ids::WorkerId;
use crate::model::state::{State as ClusterState, Worker, WorkerStatus};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use rarog_lang::eval::text::write_time;
use serde_json::{Value, json};
use std::sync::Arc;

/// Pipelines per worker above which another worker is advised.
const SCALE_UP_PIPELINES: f64 = 5.0;

/// Pipelines per worker below which one worker less is advised.
const SCALE_DOWN_PIPELINES: f64 = 1.0;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/summary", get(summary)).route("/metrics", get(metrics)).route("/scaling", get(scaling))
}

/// How many workers there are, and of what kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WorkerCount {
    pub total: usize,
    pub registering: usize,
    pub ready: usize,
    pub unhealthy: usize,
    pub draining: usize,
}

impl WorkerCount {
    pub fn of(state: &ClusterState) -> WorkerCount {
        let mut count = WorkerCount { total: state.workers.len(), ..WorkerCount::default() };
        for worker in state.workers.values() {
            match worker.status {
                WorkerStatus::Registering => count.registering += 1,
                WorkerStatus::Ready => count.ready += 1,
                WorkerStatus::Unhealthy => count.unhealthy += 1,
                WorkerStatus::Draining => count.draining += 1,
            }
        }
        count
    }
}

/// Records taken in by all workers that are seen.
pub(super) fn events_processed(rest: &Rest) -> u64 {
    rest.observer.fleet().workers.values().map(|seen| seen.metrics.events_processed).sum()
}

/// Pipelines that are to run, replicas counted.
pub(super) fn pipeline_count(state: &ClusterState) -> usize {
    state.groups.values().map(|group| newest(group).count()).sum()
}

async fn summary(State(rest): Context) -> Response {
    let reading = rest.read().await;
    let workers = WorkerCount::of(&reading.state);
    let active = reading.state.groups.values().filter(|group| newest(group).any(|(_, it)| it.placement.is_some()));
    reading.answer(json!({
        "total_workers": workers.total,
        "healthy_workers": workers.ready,
        "unhealthy_workers": workers.unhealthy,
        "draining_workers": workers.draining,
        "total_pipeline_groups": reading.state.groups.len(),
        "active_pipeline_groups": active.count(),
        "total_events_processed": events_processed(&rest),
        "events_per_second": 0,
    }))
}

/// What each pipeline does at the worker that has it now.
async fn metrics(State(rest): Context) -> Response {
    let reading = rest.read().await;
    let fleet = rest.observer.fleet();
    let mut pipelines: Vec<Value> = Vec::new();
    for group in reading.state.groups.values() {
        let views = placements(group, &reading.state, rest.clock.now_ms());
        for ((key, _), view) in newest(group).zip(views) {
            let seen = fleet.workers.get(&WorkerId::new(&view.worker_id));
            let Some(said) = seen.and_then(|it| it.metrics.pipelines.iter().find(|it| it.pipeline == *key)) else {
                continue;
            };
            pipelines.push(json!({
                "pipeline_name": view.pipeline_name,
                "group_name": group.spec.name,
                "worker_id": view.worker_id,
                "events_in": said.events_in,
                "events_out": said.events_out,
                "connector_health": said.connectors,
            }));
        }
    }
    reading.answer(json!({"pipelines": pipelines}))
}

async fn scaling(State(rest): Context) -> Response {
    let reading = rest.read().await;
    let workers = reading.state.workers.values().filter(|worker| Worker::takes_pipelines(worker)).count();
    let pipelines = pipeline_count(&reading.state);
    let mut timestamp = String::new();
    write_time(&mut timestamp, i64::try_from(rest.clock.now_ms()).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    let (action, target, reason) = advice(workers, pipelines);
    let average = if workers == 0 { 0.0 } else { pipelines as f64 / workers as f64 };
    reading.answer(json!({
        "action": action,
        "current_workers": workers,
        "target_workers": target,
        "reason": reason,
        "avg_pipelines_per_worker": average,
        "total_pipelines": pipelines,
        "timestamp": timestamp,
    }))
}

/// What to do about the number of workers, how many there should be, and why.
fn advice(workers: usize, pipelines: usize) -> (&'static str, usize, String) {
    let average = pipelines as f64 / workers.max(1) as f64;
    if workers == 0 {
        return ("scale_up", 1, "no worker is ready".into());
    }
    if average > SCALE_UP_PIPELINES {
        let target = (pipelines as f64 / SCALE_UP_PIPELINES).ceil() as usize;
        return ("scale_up", target, format!("{average:.1} pipelines per worker are more than {SCALE_UP_PIPELINES}"));
    }
    if average < SCALE_DOWN_PIPELINES && workers > 1 {
        let reason = format!("{average:.1} pipelines per worker are less than {SCALE_DOWN_PIPELINES}");
        return ("scale_down", pipelines.max(1), reason);
    }
    ("stable", workers, "the number of workers fits".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_is_judged() {
        for (workers, pipelines, action, target) in [
            (0, 0, "scale_up", 1),
            (1, 0, "stable", 1),
            (2, 1, "scale_down", 1),
            (2, 10, "stable", 2),
            (2, 11, "scale_up", 3),
        ] {
            let (said, number, _) = advice(workers, pipelines);
            assert_eq!((said, number), (action, target), "{workers} workers, {pipelines} pipelines");
        }
    }
}
