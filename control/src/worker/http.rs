//! The calls, one function each.

use super::standalone::{DeployError, Deployed, key};
use super::{Placed, Worker, graph, metrics};
use crate::agent::engine::{Injected, Refused};
use crate::coordinator::auth::{KEY_HEADER, Role};
use crate::coordinator::cors;
use crate::coordinator::error::ApiError;
use crate::coordinator::http::extract::{Params, Payload, Segments};
use crate::coordinator::limits::{BATCH_BODY_BYTES, PAGE_DEFAULT, PAGE_ENTRIES, PROGRAM_BYTES, check_name};
use crate::coordinator::server::Peer;
use crate::model::ids::{PipelineKey, Uuid};
use crate::model::state::Phase;
use crate::wire::PipelineMetrics;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rarog_lang::plan::Plan;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

type Shared = State<Arc<Worker>>;

pub fn routes(worker: Arc<Worker>) -> Router {
    let protected = Router::new()
        .route("/api/v1/pipelines", get(list).post(deploy))
        .route("/api/v1/pipelines/{id}", get(show).delete(delete))
        .route("/api/v1/pipelines/{id}/events", post(event))
        .route("/api/v1/pipelines/{id}/events-batch", post(events))
        .route("/api/v1/pipelines/{id}/reload", post(reload))
        .route("/api/v1/pipelines/{id}/metrics", get(pipeline_metrics))
        .route("/api/v1/pipelines/{id}/topology", get(topology))
        .route("/api/v1/pipelines/{id}/checkpoint", post(not_offered))
        .route("/api/v1/pipelines/{id}/restore", post(not_offered))
        .route("/api/v1/pipelines/{id}/logs", get(not_offered))
        .route("/api/v1/pipelines/{id}/dlq", get(not_offered).delete(not_offered))
        .route("/api/v1/pipelines/{id}/dlq/replay", post(not_offered))
        .route("/api/v1/usage", get(usage))
        .layer(from_fn_with_state(worker.clone(), keyed));
    let router = Router::new()
        .route("/health", get(health))
        .route("/health/live", get(health))
        .route("/health/started", get(health))
        .route("/health/ready", get(ready))
        .route("/ready", get(ready))
        .route("/metrics", get(prometheus))
        .merge(protected);
    router.with_state(worker)
}

/// `/metrics` alone.
pub fn metrics_routes(worker: Arc<Worker>) -> Router {
    Router::new().route("/metrics", get(prometheus)).fallback(no_such_path).with_state(worker)
}

/// What every request passes first, and what is said where nothing is: for these routes and those that are merged with them.
pub fn guarded(router: Router, worker: Arc<Worker>) -> Router {
    let router = router.fallback(no_such_path).method_not_allowed_fallback(no_such_method);
    router.layer(from_fn_with_state(worker, gate))
}

async fn gate(State(worker): Shared, request: Request, next: Next) -> Response {
    cors::around(&worker.cors_origins, request, async |request| {
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        // Other workers are not limited: their load does not depend on strangers.
        if changes && !request.uri().path().starts_with("/internal/") {
            let peer = request.extensions().get::<Peer>().map_or("", |peer| peer.ip());
            if let Err(wait) = worker.rate.take(peer, Instant::now()) {
                return ApiError::rate_limited(wait).into_response();
            }
        }
        next.run(request).await
    })
    .await
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::no_such_path(uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::no_such_method(method.as_str(), uri.path())
}

async fn keyed(State(worker): Shared, request: Request, next: Next) -> Response {
    let given = request.headers().get(KEY_HEADER).and_then(|value| value.to_str().ok());
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let needed = if reads { Role::Viewer } else { Role::Operator };
    match worker.keys.role_of(given) {
        None => ApiError::unauthorized().into_response(),
        Some(role) if role < needed => ApiError::forbidden(role.name(), needed.name()).into_response(),
        Some(_) => next.run(request).await,
    }
}

/// One pipeline, whoever put it here.
enum Found {
    Own(Uuid, Deployed),
    OfCluster(Placed),
}

impl Worker {
    fn find(&self, id: &str) -> Result<Found, ApiError> {
        let missing = || ApiError::no_pipeline(id);
        let uuid = Uuid::parse_str(id).map_err(|_| missing())?;
        if let Some(deployed) = self.standalone.get(uuid) {
            return Ok(Found::Own(uuid, deployed));
        }
        let placed = self.membership.placed().into_iter().find(|placed| placed.id == uuid);
        placed.map(Found::OfCluster).ok_or_else(missing)
    }

    /// One that may be changed here.
    fn own(&self, id: &str) -> Result<Uuid, ApiError> {
        match self.find(id)? {
            Found::Own(id, _) => Ok(id),
            Found::OfCluster(placed) => Err(ApiError::new(
                StatusCode::CONFLICT,
                "managed_by_cluster",
                format!(
                    "pipeline {} belongs to group {}: change it at a coordinator",
                    placed.pipeline.name, placed.group_name
                ),
            )),
        }
    }

    fn measured(&self) -> BTreeMap<PipelineKey, PipelineMetrics> {
        let metrics = self.engine.metrics();
        metrics.pipelines.into_iter().map(|of| (of.pipeline.clone(), of)).collect()
    }

    fn uptime_s(&self, since_ms: u64) -> u64 {
        self.clock.now_ms().saturating_sub(since_ms) / 1000
    }
}

impl Found {
    fn key(&self) -> PipelineKey {
        match self {
            Found::Own(id, deployed) => key(*id, deployed),
            Found::OfCluster(placed) => placed.pipeline.clone(),
        }
    }

    fn described(&self, worker: &Worker, measured: &BTreeMap<PipelineKey, PipelineMetrics>) -> Value {
        let (id, name, source, since_ms, scope) = match self {
            Found::Own(id, deployed) => (*id, &deployed.name, &deployed.source, deployed.since_ms, "worker"),
            Found::OfCluster(placed) => (placed.id, &placed.pipeline.name, &placed.source, placed.since_ms, "cluster"),
        };
        let (status, reason) = match self {
            Found::Own(..) => of_metrics(measured.get(&self.key())),
            Found::OfCluster(placed) => of_phase(&placed.phase),
        };
        json!({
            "id": id, "name": name, "status": status, "reason": reason, "source": source,
            "uptime_secs": worker.uptime_s(since_ms), "scope_level": scope, "read_only": scope == "cluster",
        })
    }
}

fn of_metrics(metrics: Option<&PipelineMetrics>) -> (&'static str, Option<String>) {
    let Some(metrics) = metrics else { return ("failed", Some("it has ended; the log says why".into())) };
    match metrics.connectors.iter().find(|connector| !connector.connected) {
        None => ("running", None),
        Some(away) => {
            let why = away.last_error.as_deref().unwrap_or("not connected so far");
            ("degraded", Some(format!("{}: {why}", away.connector_name)))
        }
    }
}

fn of_phase(phase: &Phase) -> (&'static str, Option<String>) {
    match phase {
        Phase::Deploying => ("deploying", None),
        Phase::Running => ("running", None),
        Phase::Degraded { reason } => ("degraded", Some(reason.clone())),
        Phase::Released => ("moving", None),
        Phase::Failed { reason } => ("failed", Some(reason.clone())),
    }
}

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    offset: Option<usize>,
}

async fn list(State(worker): Shared, Params(page): Params<Page>) -> Result<Json<Value>, ApiError> {
    let (limit, offset) = (page.limit.unwrap_or(PAGE_DEFAULT), page.offset.unwrap_or(0));
    if limit > PAGE_ENTRIES {
        return Err(ApiError::bad_request(format!(
            "limit {limit} is more than {}, the most entries of a page",
            PAGE_ENTRIES
        )));
    }
    let own = worker.standalone.all().into_iter().map(|(id, deployed)| Found::Own(id, deployed));
    let all: Vec<Found> = own.chain(worker.membership.placed().into_iter().map(Found::OfCluster)).collect();
    let measured = worker.measured();
    let shown: Vec<Value> =
        all.iter().skip(offset).take(limit).map(|found| found.described(&worker, &measured)).collect();
    let has_more = offset + shown.len() < all.len();
    let pagination = json!({"total": all.len(), "limit": limit, "offset": offset, "has_more": has_more});
    Ok(Json(json!({"pipelines": shown, "total": all.len(), "pagination": pagination})))
}

#[derive(Deserialize)]
struct Deploy {
    name: String,
    source: String,
}

async fn deploy(State(worker): Shared, Payload(body): Payload<Deploy>) -> Result<impl IntoResponse, ApiError> {
    check_name("the pipeline's name", &body.name).map_err(ApiError::bad_request)?;
    checked_source(&body.source)?;
    let id = worker.standalone.deploy(&body.name, &body.source).map_err(|error| refused(&body.name, error))?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "name": body.name, "status": "running"}))))
}

fn checked_source(source: &str) -> Result<(), ApiError> {
    if source.len() > PROGRAM_BYTES {
        return Err(ApiError::too_large("the program", PROGRAM_BYTES, "bytes"));
    }
    Ok(())
}

fn refused(name: &str, error: DeployError) -> ApiError {
    let text = error.to_string();
    match error {
        DeployError::Problems(problems) => {
            let named: Vec<_> = problems.into_iter().map(|problem| (name.to_owned(), problem)).collect();
            ApiError::diagnostics(&named)
        }
        DeployError::Full(_) => ApiError::new(StatusCode::TOO_MANY_REQUESTS, "quota_exceeded", text),
        DeployError::Unknown(id) => ApiError::no_pipeline(&id.to_string()),
        DeployError::Refused(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "engine_error", text),
        DeployError::Disk(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage_error", text),
    }
}

async fn show(State(worker): Shared, Segments(id): Segments<String>) -> Result<Json<Value>, ApiError> {
    let found = worker.find(&id)?;
    Ok(Json(found.described(&worker, &worker.measured())))
}

async fn delete(State(worker): Shared, Segments(id): Segments<String>) -> Result<Json<Value>, ApiError> {
    let uuid = worker.own(&id)?;
    worker.standalone.delete(uuid).map_err(|error| refused(&id, error))?;
    Ok(Json(json!({"deleted": true})))
}

#[derive(Deserialize)]
struct Reload {
    source: String,
}

async fn reload(
    State(worker): Shared,
    Segments(id): Segments<String>,
    Payload(body): Payload<Reload>,
) -> Result<Json<Value>, ApiError> {
    let uuid = worker.own(&id)?;
    checked_source(&body.source)?;
    worker.standalone.reload(uuid, &body.source).map_err(|error| refused(&id, error))?;
    Ok(Json(json!({"reloaded": true})))
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

async fn event(
    State(worker): Shared,
    Segments(id): Segments<String>,
    Payload(event): Payload<Event>,
) -> Result<Json<Value>, ApiError> {
    let key = worker.find(&id)?.key();
    let outputs = inject(&worker, &key, vec![event]).await?;
    let outputs: Vec<Value> =
        outputs.into_iter().map(|it| json!({"event_type": it.event_type, "fields": it.fields})).collect();
    Ok(Json(json!({"accepted": true, "output_events": outputs})))
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Event>,
}

async fn events(
    State(worker): Shared,
    Segments(id): Segments<String>,
    Payload(batch): Payload<Events, BATCH_BODY_BYTES>,
) -> Result<Json<Value>, ApiError> {
    let key = worker.find(&id)?.key();
    let (count, began) = (batch.events.len(), Instant::now());
    let outputs = inject(&worker, &key, batch.events).await?;
    let flat = |output: Injected| {
        let mut fields = Map::from_iter([("event_type".to_owned(), Value::String(output.event_type))]);
        fields.extend(output.fields);
        Value::Object(fields)
    };
    let outputs: Vec<Value> = outputs.into_iter().map(flat).collect();
    let micros = began.elapsed().as_micros() as u64;
    Ok(Json(json!({"accepted": count, "output_events": outputs, "processing_time_us": micros})))
}

async fn inject(worker: &Worker, key: &PipelineKey, events: Vec<Event>) -> Result<Vec<Injected>, ApiError> {
    let full = |limit: usize| {
        let message = format!("{limit} injected events wait for the pipeline, which is the limit: try again");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "queue_depth_exceeded", message).retry_after(1)
    };
    let _place = worker.queues.enter(key, events.len()).map_err(full)?;
    let events = events.into_iter().map(|event| Injected { event_type: event.event_type, fields: event.fields });
    let outputs = worker.engine.inject(key, events.collect()).await;
    outputs.map_err(|refused| match refused {
        Refused::Unknown(key) => ApiError::no_pipeline(&key.name),
        other => ApiError::new(StatusCode::CONFLICT, "not_accepted", other.to_string()),
    })
}

async fn pipeline_metrics(State(worker): Shared, Segments(id): Segments<String>) -> Result<Json<Value>, ApiError> {
    let key = worker.find(&id)?.key();
    let measured = worker.measured();
    let of = measured.get(&key);
    let connectors = of.map_or_else(|| json!([]), |of| json!(of.connectors));
    Ok(Json(json!({
        "pipeline_id": id,
        "events_processed": of.map_or(0, |of| of.events_in),
        "output_events_emitted": of.map_or(0, |of| of.events_out),
        "connector_health": connectors,
    })))
}

async fn topology(State(worker): Shared, Segments(id): Segments<String>) -> Result<Json<Value>, ApiError> {
    let found = worker.find(&id)?;
    let plan: Arc<Plan> = match &found {
        Found::Own(_, deployed) => worker.standalone.plan(deployed).map_err(|error| refused(&id, error))?,
        Found::OfCluster(placed) => placed.plan.clone(),
    };
    Ok(Json(graph::graph(&plan, worker.measured().get(&found.key()))))
}

async fn usage(State(worker): Shared) -> Json<Value> {
    let metrics = worker.engine.metrics();
    let emitted: u64 = metrics.pipelines.iter().map(|of| of.events_out).sum();
    let quota = json!({"max_pipelines": worker.standalone.limit(), "max_events_per_second": null, "max_streams_per_pipeline": null});
    Json(json!({
        "tenant_id": "default", "events_processed": metrics.events_processed, "output_events_emitted": emitted,
        "active_pipelines": metrics.pipelines.len(), "quota": quota,
    }))
}

async fn not_offered(request: Request) -> ApiError {
    ApiError::unsupported(&format!("{} {}", request.method(), request.uri().path()))
}

async fn health(State(worker): Shared) -> Json<Value> {
    Json(json!({
        "status": "healthy", "role": "worker", "worker_id": worker.name, "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": worker.uptime_s(worker.started_ms),
        "relay": {"connected": worker.membership.is_connected()},
    }))
}

async fn ready(State(worker): Shared) -> Response {
    if worker.membership.is_connected() {
        return Json(json!({"status": "ready", "role": "worker"})).into_response();
    }
    let message = "no coordinator is connected; what runs here goes on";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_coordinator", message).into_response()
}

async fn prometheus(State(worker): Shared) -> impl IntoResponse {
    let placed = worker.membership.placed();
    let text = metrics::text(&worker.engine.metrics(), &placed, worker.membership.is_connected());
    ([("content-type", "text/plain; version=0.0.4")], text)
}
