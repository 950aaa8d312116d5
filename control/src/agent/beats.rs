//! Registration and heartbeats over REST, where WebSockets cannot be had: a proxy that does not pass them, for instance.
//!
//! A worker that is known only by this is seen in lists and gets no pipelines. Invariant: it is a stopgap; after
//! [`CYCLES`] heartbeats a WebSocket is tried again.

use super::AgentConfig;
use super::engine::Engine;
use crate::http_client::{Answer, HttpClient};
use crate::wire::Metrics;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// Heartbeats between two attempts to open a WebSocket.
const CYCLES: u32 = 6;
/// Time between heartbeats, unless the coordinator says otherwise.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest such time that is taken from a coordinator.
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Heartbeats to one coordinator.
pub struct Beats<'a> {
    pub config: &'a AgentConfig,
    pub http: &'a HttpClient,
    pub url: &'a str,
}

#[derive(Deserialize)]
struct Registered {
    #[serde(default)]
    heartbeat_interval_secs: Option<u64>,
}

impl Beats<'_> {
    /// Registers and sends heartbeats, until it is time for a WebSocket again or it does not work.
    pub async fn run(&self, engine: &dyn Engine) -> Result<(), String> {
        let mut period = self.register(&engine.metrics()).await?;
        for _ in 0..CYCLES {
            sleep(period).await;
            let metrics = engine.metrics();
            let path = format!("/api/v1/cluster/workers/{}/heartbeat", self.config.worker);
            let answer = self.post(&path, &heartbeat(&metrics)).await?;
            if answer.status == StatusCode::NOT_FOUND {
                period = self.register(&metrics).await?;
            } else {
                accepted(&answer)?;
            }
        }
        Ok(())
    }

    /// Gives the time between heartbeats.
    async fn register(&self, metrics: &Metrics) -> Result<Duration, String> {
        let AgentConfig { worker, instance, api_key, address, capacity, .. } = self.config;
        let body = json!({
            "worker_id": worker.as_str(),
            "instance": instance,
            "address": address,
            "api_key": api_key.as_ref().map(|key| key.expose()),
            "capacity": {
                "cpu_cores": capacity.cpu_cores,
                "pipelines_running": metrics.pipelines_running,
                "max_pipelines": capacity.max_pipelines,
            },
        });
        let answer = self.post("/api/v1/cluster/workers/register", &body).await?;
        accepted(&answer)?;
        tracing::warn!(url = self.url, "registered over REST: without a WebSocket this worker gets no pipelines");
        let said: Option<Registered> = serde_json::from_slice(&answer.body).ok();
        let said = said.and_then(|said| said.heartbeat_interval_secs).filter(|seconds| *seconds > 0);
        Ok(said.map_or(PERIOD, Duration::from_secs).min(PERIOD_MAX))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.config.api_key.as_ref().map(|key| ("x-api-key", key.expose())));
        let body = Bytes::from(body.to_string());
        let answer = self.http.request(self.url, Method::POST, path, &headers, body, PATIENCE).await;
        answer.map_err(|error| error.to_string())
    }
}

fn heartbeat(metrics: &Metrics) -> Value {
    let pipelines = metrics.pipelines.iter().map(|it| {
        json!({
            "pipeline_name": &*it.pipeline.name,
            "events_in": it.events_in,
            "events_out": it.events_out,
            "connector_health": it.connectors,
        })
    });
    json!({
        "events_processed": metrics.events_processed,
        "pipelines_running": metrics.pipelines_running,
        "pipeline_metrics": pipelines.collect::<Vec<_>>(),
    })
}

fn accepted(answer: &Answer) -> Result<(), String> {
    if answer.status.is_success() {
        return Ok(());
    }
    Err(format!("it answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body)))
}
