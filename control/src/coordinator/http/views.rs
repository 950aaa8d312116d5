//! What is shown of workers and pipelines: computed from the state, never stored.
//!
//! Invariant: every pipeline of a group has exactly one entry per replica, and the entry always names a worker, if there ever was
//! one. While a pipeline moves the entry names the worker that had it.

use crate::coordinator::fleet::Fleet;
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::state::{Group, MigrationStatus, Phase, Pipeline, State, Worker, WorkerStatus};
use serde::Serialize;
use std::collections::BTreeMap;

/// For so long a pipeline that gets a new worker counts as moving; then it is degraded, ms.
const PATIENCE_MS: u64 = 5_000;

/// What a pipeline, or a group, is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is ordered, and has not run before.
    Deploying,
    /// It takes records.
    Running,
    /// Another worker is about to take it over.
    Moving,
    /// It does not take records for a reason that may pass.
    Degraded,
    /// Of a group: some pipelines run and some have failed.
    PartiallyRunning,
    /// An error of its own ended it.
    Failed,
}

/// A pipeline as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct PlacementView {
    /// With `#replica` if there are several.
    pub pipeline_name: String,
    /// Where it runs, or ran until now; empty: it never ran.
    pub worker_id: String,
    /// Where that worker's REST interface is reached.
    pub worker_address: String,
    /// Under what the worker knows it.
    pub pipeline_id: Uuid,
    /// What it is doing.
    pub status: Status,
    /// Why, if it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The generation of its placement.
    pub epoch: u64,
}

/// A group as it is shown.
#[derive(Debug, Serialize)]
pub struct GroupView {
    id: Uuid,
    name: String,
    status: Status,
    pipeline_count: usize,
    placements: Vec<PlacementView>,
    sources: BTreeMap<String, String>,
    revision: u64,
}

/// A worker as it is shown.
#[derive(Debug, Serialize)]
pub struct WorkerView {
    id: String,
    address: String,
    status: WorkerStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    pipelines_running: usize,
    max_pipelines: u32,
    cpu_cores: u32,
    assigned_pipelines: Vec<String>,
    events_processed: u64,
    instance: Uuid,
    /// The coordinator that holds its socket.
    home: Option<u64>,
    /// Since it was heard.
    seconds_since_heartbeat: Option<f64>,
}

impl GroupView {
    /// Of a group, at a Unix time.
    pub fn of(id: Uuid, group: &Group, state: &State, now_ms: u64) -> GroupView {
        let placements = placements(group, state, now_ms);
        let sources = group.spec.pipelines.iter().map(|it| (it.name.to_string(), it.source.to_string())).collect();
        GroupView {
            id,
            name: group.spec.name.clone(),
            status: group_status(&placements),
            pipeline_count: group.spec.pipelines.len(),
            placements,
            sources,
            revision: group.revision,
        }
    }
}

impl WorkerView {
    /// Of a worker.
    pub fn of(id: &WorkerId, worker: &Worker, state: &State, fleet: &Fleet) -> WorkerView {
        let seen = fleet.workers.get(id).filter(|seen| seen.instance.is_none_or(|it| it == worker.instance));
        let assigned_pipelines = assigned(state, id);
        let reported = seen.map_or(0, |seen| seen.metrics.pipelines_running as usize);
        WorkerView {
            id: id.to_string(),
            address: worker.address.clone(),
            status: worker.status,
            reason: worker.reason.clone(),
            pipelines_running: if worker.protocol > 0 { assigned_pipelines.len() } else { reported },
            max_pipelines: worker.capacity.max_pipelines,
            cpu_cores: worker.capacity.cpu_cores,
            assigned_pipelines,
            events_processed: seen.map_or(0, |seen| seen.metrics.events_processed),
            instance: worker.instance,
            home: seen.map(|seen| seen.home),
            seconds_since_heartbeat: seen.map(|seen| seen.age_ms as f64 / 1000.0),
        }
    }
}

/// The names of the pipelines that a worker has.
fn assigned(state: &State, worker: &WorkerId) -> Vec<String> {
    let all = state.groups.values().flat_map(|group| group.pipelines.iter());
    all.filter(|(_, pipeline)| pipeline.placement.as_ref().is_some_and(|it| it.worker == *worker))
        .map(|(key, pipeline)| label(key, pipeline))
        .collect()
}

/// A pipeline's name, with the replica's number if there are several.
pub fn label(key: &PipelineKey, pipeline: &Pipeline) -> String {
    if pipeline.replicas > 1 { format!("{}#{}", key.name, key.replica) } else { key.name.to_string() }
}

/// The newest incarnation of each pipeline, in the order of the spec.
pub fn newest(group: &Group) -> impl Iterator<Item = (&PipelineKey, &Pipeline)> {
    group.spec.pipelines.iter().flat_map(move |spec| {
        let of_spec = move || group.pipelines.iter().filter(move |(key, _)| key.name == spec.name);
        let incarnation = of_spec().map(|(key, _)| key.incarnation).max();
        of_spec().filter(move |(key, _)| Some(key.incarnation) == incarnation)
    })
}

/// All pipelines of a group, in the order of the spec, at a Unix time.
pub fn placements(group: &Group, state: &State, now_ms: u64) -> Vec<PlacementView> {
    newest(group).map(|(key, pipeline)| placement(key, pipeline, state, now_ms)).collect()
}

fn placement(key: &PipelineKey, pipeline: &Pipeline, state: &State, now_ms: u64) -> PlacementView {
    let (worker, status, reason) = standing(key, pipeline, state, now_ms);
    PlacementView {
        pipeline_name: label(key, pipeline),
        worker_id: worker.map_or_else(String::new, ToString::to_string),
        worker_address: worker.and_then(|id| state.workers.get(id)).map_or_else(String::new, |it| it.address.clone()),
        pipeline_id: pipeline.id,
        status,
        reason,
        epoch: pipeline.epoch,
    }
}

fn standing<'s>(
    key: &PipelineKey,
    pipeline: &'s Pipeline,
    state: &State,
    now_ms: u64,
) -> (Option<&'s WorkerId>, Status, Option<String>) {
    let Some(placement) = &pipeline.placement else {
        return (None, Status::Degraded, Some("no worker can take it".into()));
    };
    let here = Some(&placement.worker);
    let is_late = now_ms.saturating_sub(placement.since_ms) > PATIENCE_MS;
    let status = state.workers.get(&placement.worker).map(|worker| worker.status);
    let lost = || Some(format!("worker {} is gone, and no other can take it", placement.worker));
    match (&placement.phase, &placement.from) {
        (Phase::Failed { reason }, _) => (here, Status::Failed, Some(reason.clone())),
        _ if !matches!(status, Some(WorkerStatus::Ready | WorkerStatus::Draining)) => (here, Status::Degraded, lost()),
        (Phase::Degraded { reason }, _) => (here, Status::Degraded, Some(reason.clone())),
        (Phase::Released, _) => (here, Status::Moving, None),
        (Phase::Running, _) if leaves(key, state) => (here, Status::Moving, None),
        (Phase::Running, _) => (here, Status::Running, None),
        (Phase::Deploying, _) if is_late => {
            let message = format!("worker {} has not said for 5 s that it takes records", placement.worker);
            (here, Status::Degraded, Some(message))
        }
        (Phase::Deploying, Some(old)) => (Some(old), Status::Moving, None),
        (Phase::Deploying, None) => (here, Status::Deploying, None),
    }
}

/// Is its worker asked to hand it over?
fn leaves(key: &PipelineKey, state: &State) -> bool {
    state.migrations.values().any(|it| it.status == MigrationStatus::Pending && it.pipeline == *key)
}

/// What a group is doing, by what its pipelines are.
pub fn group_status(placements: &[PlacementView]) -> Status {
    let any = |status| placements.iter().any(|placement| placement.status == status);
    let failed = placements.iter().filter(|placement| placement.status == Status::Failed).count();
    match failed {
        0 => [Status::Degraded, Status::Moving, Status::Deploying]
            .into_iter()
            .find(|it| any(*it))
            .unwrap_or(Status::Running),
        failed if failed == placements.len() => Status::Failed,
        _ => Status::PartiallyRunning,
    }
}

/// Has every pipeline of a group become something that waiting does not change soon?
pub fn is_settled(group: &Group) -> bool {
    let open = |pipeline: &Pipeline| pipeline.placement.as_ref().is_some_and(|it| it.phase == Phase::Deploying);
    newest(group).all(|(_, pipeline)| pipeline.placement.is_some() && !open(pipeline))
}
