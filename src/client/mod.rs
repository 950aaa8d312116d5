//! Commands that talk to a running cluster over its REST interface: deploy, list, delete.
//!
//! Any coordinator answers for all of them. Invariant: a call that changes something is sent to another coordinator only if
//! the one before cannot have seen it.

mod deploy;
mod health;
mod list;
mod members;
mod table;

use crate::args::{Cluster, DeleteArgs, DeployArgs, HealthArgs, MembersArgs, Reading, WorkersArgs};
use crate::exit;
use crate::run::{Failure, exit_code};
use axum::http::Method;
use rarog_control::http_client::{Answer, HttpClient, HttpError};
use rarog_control::seams::real::TcpNet;
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// `rarog deploy`
pub fn deploy(args: &DeployArgs) -> ExitCode {
    exit_code("deploy", deploy::deploy(args))
}

/// `rarog ls`
pub fn ls(args: &Reading) -> ExitCode {
    exit_code("ls", list::groups(args))
}

/// `rarog topology`
pub fn topology(args: &Reading) -> ExitCode {
    exit_code("topology", list::topology(args))
}

/// `rarog delete`
pub fn delete(args: &DeleteArgs) -> ExitCode {
    exit_code("delete", deploy::delete(args))
}

/// `rarog members`
pub fn members(args: &MembersArgs) -> ExitCode {
    exit_code("members", members::members(args))
}

/// `rarog workers`
pub fn workers(args: &WorkersArgs) -> ExitCode {
    exit_code("workers", members::workers(args))
}

/// `rarog health`
pub fn health(args: &HealthArgs) -> ExitCode {
    exit_code("health", health::health(args))
}

/// Calls coordinators, or one worker.
struct Client {
    servers: Vec<String>,
    key: Option<String>,
    timeout: Duration,
    runtime: Runtime,
    http: HttpClient,
}

impl Client {
    fn of(cluster: &Cluster) -> Result<Client, Failure> {
        Client::to(cluster.coordinator.clone(), cluster)
    }

    /// One that calls other servers with the same key and patience.
    fn to(servers: Vec<String>, cluster: &Cluster) -> Result<Client, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Client {
            servers: servers.iter().map(|url| with_scheme(url.trim().trim_end_matches('/'))).collect(),
            key: cluster.api_key.clone(),
            timeout: cluster.timeout,
            runtime: runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?,
            http: HttpClient::new(Arc::new(TcpNet)),
        })
    }

    fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None)
    }

    /// The answer's body; an answer that refuses is a failure with the reason that it gives.
    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut failures = Vec::new();
        for server in &self.servers {
            match self.once(server, method.clone(), path, body) {
                Ok(answer) => return read(server, &answer),
                Err(error) if method == Method::GET || !error.may_have_been_sent() => failures.push(error.to_string()),
                Err(error) => {
                    let message = format!("{error}; look with `rarog ls` before you repeat it");
                    return Err(Failure { code: exit::UNREACHABLE, message });
                }
            }
        }
        Err(Failure { code: exit::UNREACHABLE, message: failures.join("\n  ") })
    }

    fn once(&self, server: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, HttpError> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.key.iter().map(|key| ("x-api-key", key.as_str())));
        let body = body.map(|body| body.to_string().into()).unwrap_or_default();
        let request = self.http.request(server, method, path, &headers, body, self.timeout);
        self.runtime.block_on(request)
    }
}

fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.into() } else { format!("http://{url}") }
}

fn read(server: &str, answer: &Answer) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.status.is_success() {
        return Ok(body);
    }
    let reason = match body["error"].as_str() {
        Some(reason) => reason.to_owned(),
        None => format!("{server} answered {}", answer.status),
    };
    let hint = match answer.status.as_u16() {
        401 => "; give a key with --api-key or RAROG_API_KEY",
        403 => "; the key's role does not allow it",
        _ => "",
    };
    let code = if answer.status.is_server_error() { exit::UNREACHABLE } else { exit::FAILED };
    Err(Failure { code, message: format!("{reason}{hint}{}", diagnostics(&body)) })
}

/// The diagnostics of programs that do not compile, a line each.
fn diagnostics(body: &Value) -> String {
    let list = body["diagnostics"].as_array().cloned().unwrap_or_default();
    let line = |of: &Value| {
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let place = format!("{}:{}:{}", text("pipeline"), of["line"], of["column"]);
        let hint = of["hint"].as_str().map(|hint| format!("\n    help: {hint}")).unwrap_or_default();
        format!("\n  {place}: {}[{}]: {}{hint}", text("severity"), text("code"), text("message"))
    };
    list.iter().map(line).collect()
}
