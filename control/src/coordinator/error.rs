//! What is said when a request is not done: one shape for everything, `{"error": "<text>", "code": "<snake_code>"}`.
//!
//! All statuses and codes of the interface are in this file, also those for what the framework rejects by itself. Invariant: a
//! message never holds a key or a secret parameter.

use super::compile::Problem;
use super::limits::RETRY_AFTER_S;
use crate::http_client::HttpError;
use crate::model::command::Refusal;
use crate::raft::{COMMAND_LIMIT_BYTES, SubmitError};
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;

/// Why a request is not done.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after_s: Option<u64>,
    /// Further fields of the body.
    more: Map<String, Value>,
}

/// The body of an error.
#[derive(Serialize)]
struct Shape<'e> {
    error: &'e str,
    code: &'e str,
    #[serde(flatten)]
    more: &'e Map<String, Value>,
}

impl ApiError {
    /// Any error.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), retry_after_s: None, more: Map::new() }
    }

    /// The same, with the time after which it is worth trying again.
    pub fn retry_after(mut self, seconds: u64) -> ApiError {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The request is wrong in itself.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The request is right in form and cannot be done.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_operation", message)
    }

    /// A connector that is wrong.
    pub fn connector(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "connector_validation", message)
    }

    /// Programs that do not compile: everything that is wrong with them, each with the pipeline that it belongs to.
    pub fn diagnostics(problems: &[(String, Problem)]) -> ApiError {
        let errors = || problems.iter().filter(|(_, problem)| problem.severity == "error");
        let first = errors().next().map_or_else(String::new, |(pipeline, it)| {
            format!(": {pipeline}:{}:{}: {}: {}", it.line, it.column, it.code, it.message)
        });
        let count = errors().count();
        let message = format!("{count} {} in the programs{first}", if count == 1 { "error" } else { "errors" });
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, "compile_error", message);
        let entry = |(pipeline, problem): &(String, Problem)| {
            let mut entry = json!(problem);
            entry["pipeline"] = json!(pipeline);
            entry
        };
        error.more.insert("diagnostics".into(), problems.iter().map(entry).collect());
        error
    }

    /// A limit is exceeded.
    pub fn too_large(what: &str, limit: usize, unit: &str) -> ApiError {
        let message = format!("{what} is larger than the limit of {limit} {unit}");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// Nothing is there under this path.
    pub fn no_such_path(path: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "404", format!("there is nothing at {path}"))
    }

    /// Not with this method.
    pub fn no_such_method(method: &str, path: &str) -> ApiError {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "405", format!("{method} is not possible at {path}"))
    }

    /// The product does not offer it.
    pub fn unsupported(what: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", format!("{what} is not supported"))
    }

    /// No such worker.
    pub fn no_worker(name: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "worker_not_found", format!("there is no worker {name}"))
    }

    /// No such group.
    pub fn no_group(id: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "group_not_found", format!("there is no pipeline group {id}"))
    }

    /// No such connector.
    pub fn no_connector(name: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "connector_not_found", format!("there is no connector {name}"))
    }

    /// No such pipeline in a group.
    pub fn no_pipeline(name: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "pipeline_not_found", format!("there is no pipeline {name}"))
    }

    /// No such migration.
    pub fn no_migration(id: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "migration_not_found", format!("there is no migration {id}"))
    }

    /// Nobody can run anything.
    pub fn no_workers_available() -> ApiError {
        let message = "no worker is ready: start one, or deploy with ?wait_for_workers=true";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_workers_available", message).retry_after(RETRY_AFTER_S)
    }

    /// No or a wrong key.
    pub fn unauthorized() -> ApiError {
        let message = "the header x-api-key is missing or holds no key of this cluster";
        ApiError::new(StatusCode::UNAUTHORIZED, "401", message)
    }

    /// A key that does not suffice.
    pub fn forbidden(has: &str, needs: &str) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "403", format!("the key has the role {has}; this needs {needs}"))
    }

    /// Too many requests.
    pub fn rate_limited(wait_s: u64) -> ApiError {
        let message = format!("too many changes from this address: try again in {wait_s} s");
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).retry_after(wait_s);
        error.more.insert("retry_after_seconds".into(), json!(wait_s));
        error
    }

    /// The client wants the leader itself.
    pub fn not_leader(leader: Option<&str>) -> ApiError {
        let message = match leader {
            Some(address) => format!("this coordinator is not the leader; {address} is"),
            None => "this coordinator is not the leader, and knows none".into(),
        };
        ApiError::new(StatusCode::MISDIRECTED_REQUEST, "not_leader", message)
    }

    /// A worker did not do what it was asked on behalf of the client.
    pub fn routing(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_GATEWAY, "routing_failed", message)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> ApiError {
        let code = match error {
            SubmitError::NoLeader => "no_leader",
            SubmitError::OutcomeUnknown => "outcome_unknown",
            SubmitError::TooLarge { .. } => return ApiError::too_large("the change", COMMAND_LIMIT_BYTES, "bytes"),
        };
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string()).retry_after(RETRY_AFTER_S)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let message = refusal.to_string();
        let (status, code) = match refusal {
            Refusal::UnknownWorker(_) => (StatusCode::NOT_FOUND, "worker_not_found"),
            Refusal::UnknownGroup(_) => (StatusCode::NOT_FOUND, "group_not_found"),
            Refusal::UnknownPipeline(_) => (StatusCode::NOT_FOUND, "pipeline_not_found"),
            Refusal::UnknownConnector(_) => (StatusCode::NOT_FOUND, "connector_not_found"),
            Refusal::UnknownMigration(_) => (StatusCode::NOT_FOUND, "migration_not_found"),
            Refusal::NameTaken(_) => (StatusCode::CONFLICT, "already_exists"),
            Refusal::InUse { .. } => (StatusCode::CONFLICT, "in_use"),
            Refusal::OtherInstance { .. } | Refusal::Drained(_) => (StatusCode::CONFLICT, "superseded"),
            Refusal::OldEpoch { .. } | Refusal::Formed(_) => (StatusCode::CONFLICT, "conflict"),
            Refusal::NoTarget(_) | Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_operation"),
        };
        ApiError::new(status, code, message)
    }
}

impl From<HttpError> for ApiError {
    fn from(error: HttpError) -> ApiError {
        ApiError::routing(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Shape { error: &self.message, code: self.code, more: &self.more });
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
