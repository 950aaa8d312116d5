//! What was done and how things are, for Prometheus.
//!
//! Names that existing dashboards use have the prefix `varpulis_cluster_`; what only we have has `rarog_`.

use super::summary::{WorkerCount, events_processed, pipeline_count};
use super::{Context, Rest};
use crate::model::ids::Uuid;
use crate::model::state::{MigrationStatus, State as ClusterState};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What was done since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    deployments: Timed,
    failed_deployments: Timed,
    pipelines: AtomicU64,
    migrations: Timed,
    failed_migrations: Timed,
    /// Migrations that are counted already and still in the state.
    ended: Mutex<BTreeSet<Uuid>>,
}

/// How often something was done, and how long it took.
#[derive(Debug, Default)]
struct Timed {
    count: AtomicU64,
    micros: AtomicU64,
}

impl Timed {
    fn add(&self, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn seconds(&self) -> f64 {
        self.micros.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl Counters {
    /// A deployment was decided.
    pub fn deployed(&self, done: bool, pipelines: usize, took: Duration) {
        if done {
            self.deployments.add(took);
            self.pipelines.fetch_add(pipelines as u64, Ordering::Relaxed);
        } else {
            self.failed_deployments.add(took);
        }
    }

    /// The state has changed: counts migrations that have ended since.
    pub fn observe(&self, state: &ClusterState) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|id| state.migrations.contains_key(id));
        for (id, migration) in &state.migrations {
            let Some(end) = migration.ended_ms else { continue };
            if ended.insert(*id) {
                let took = Duration::from_millis(end.saturating_sub(migration.started_ms));
                let timed = if migration.status == MigrationStatus::Completed {
                    &self.migrations
                } else {
                    &self.failed_migrations
                };
                timed.add(took);
            }
        }
    }
}

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/metrics", get(exposition))
}

pub(super) fn cluster_routes() -> Router<Arc<Rest>> {
    Router::new().route("/prometheus", get(exposition))
}

/// A text in the exposition format that is being written.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// A metric with a value for each set of labels.
    fn metric<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
        for (labels, value) in values {
            self.line(format_args!("{name}{labels} {value}"));
        }
    }

    /// A summary without quantiles.
    fn timed(&mut self, name: &str, help: &str, values: [(&str, &Timed); 2]) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} summary"));
        for (result, timed) in values {
            self.line(format_args!("{name}_sum{{result=\"{result}\"}} {}", timed.seconds()));
            self.line(format_args!("{name}_count{{result=\"{result}\"}} {}", timed.count()));
        }
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help, [(String::new(), value)]);
    }

    fn line(&mut self, line: std::fmt::Arguments) {
        writeln!(self.0, "{line}").expect("writing to a String cannot fail");
    }
}

fn labelled(name: &str, value: impl Display) -> String {
    format!("{{{name}=\"{value}\"}}")
}

async fn exposition(State(rest): Context) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&rest)).into_response()
}

fn text(rest: &Rest) -> String {
    let (state, raft, counters) = (rest.state(), rest.ledger.raft_metrics(), &rest.counters);
    let mut out = Exposition::default();
    let workers = WorkerCount::of(&state);
    let by_status = [
        ("registering", workers.registering),
        ("ready", workers.ready),
        ("unhealthy", workers.unhealthy),
        ("draining", workers.draining),
    ];
    let by_status = by_status.map(|(status, count)| (labelled("status", status), count));
    out.metric("varpulis_cluster_workers_total", "gauge", "Workers by status.", by_status);
    out.one("varpulis_cluster_pipeline_groups_total", "gauge", "Pipeline groups.", state.groups.len());
    let deployments = counters.deployments.count() + counters.failed_deployments.count();
    out.one(
        "varpulis_cluster_deployments_total",
        "counter",
        "Deployments that this coordinator was asked for.",
        deployments,
    );
    let migrations = [("success", &counters.migrations), ("failure", &counters.failed_migrations)];
    let counts = migrations.map(|(result, timed)| (labelled("result", result), timed.count()));
    out.metric("varpulis_cluster_migrations_total", "counter", "Moves of pipelines that have ended.", counts);
    out.timed("varpulis_cluster_migration_duration_seconds", "How long moves of pipelines took.", migrations);
    let deployed = [("success", &counters.deployments), ("failure", &counters.failed_deployments)];
    out.timed("varpulis_cluster_deploy_duration_seconds", "How long it took to decide on a deployment.", deployed);
    let role = match raft.state.as_str() {
        "Leader" => 2,
        "Candidate" => 1,
        _ => 0,
    };
    out.one("varpulis_cluster_raft_role", "gauge", "0 follower, 1 candidate, 2 leader.", role);
    out.one("varpulis_cluster_raft_term", "gauge", "Term of the vote.", raft.current_term);
    out.one(
        "varpulis_cluster_raft_commit_index",
        "gauge",
        "Last entry of the log that is decided.",
        raft.committed.unwrap_or(0),
    );
    ours(rest, &state, &mut out);
    out.0
}

/// What dashboards made for other coordinators do not know.
fn ours(rest: &Rest, state: &ClusterState, out: &mut Exposition) {
    let raft = rest.ledger.raft_metrics();
    out.one(
        "rarog_raft_applied_index",
        "gauge",
        "Last entry of the log that is applied here.",
        raft.last_applied.unwrap_or(0),
    );
    let has_leader = u8::from(raft.current_leader.is_some());
    out.one("rarog_raft_has_leader", "gauge", "1 if a leader is known here.", has_leader);
    let lag = raft.peers.iter().map(|(node, peer)| (labelled("node", node), peer.lag));
    out.metric("rarog_raft_peer_lag_entries", "gauge", "Entries that a member lacks; the leader knows.", lag);
    out.one(
        "rarog_worker_sockets",
        "gauge",
        "Live sockets of workers at this coordinator.",
        rest.observer.live_sockets(),
    );
    out.one("rarog_pipelines", "gauge", "Pipelines that are to run, replicas counted.", pipeline_count(state));
    let unplaced = state.groups.values().flat_map(|it| it.pipelines.values()).filter(|it| it.placement.is_none());
    out.one("rarog_pipelines_without_worker", "gauge", "Pipelines that no worker can take.", unplaced.count());
    let pipelines = rest.counters.pipelines.load(Ordering::Relaxed);
    out.one("rarog_pipelines_deployed_total", "counter", "Pipelines of deployments that were stored.", pipelines);
    out.one(
        "rarog_sessions_to_remove",
        "gauge",
        "Sessions at brokers of pipelines that are gone.",
        state.tombstones.len(),
    );
    out.one(
        "rarog_events_processed",
        "gauge",
        "Records taken in by the workers that are seen.",
        events_processed(rest),
    );
}
