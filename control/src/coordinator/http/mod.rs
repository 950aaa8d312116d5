//! The REST interface of a coordinator: one file per resource, one router.
//!
//! ```text
//!   request ──> key, rate, no-forward ──> resource ──┬──> Ledger (changes, linearizable reads)
//!                                                   ├──> Observer (what is seen of workers)
//!                                                   └──> a worker's REST interface (injected events, graphs)
//! ```
//! Every coordinator does everything. Invariant: `/health` and `/metrics` wait for nobody.

mod connectors;
pub mod extract;
mod gate;
mod groups;
mod health;
mod inject;
mod inject_batch;
mod metrics;
mod migrations;
mod page;
mod programs;
mod raft;
mod summary;
mod topology;
mod unsupported;
mod views;
mod workers;

pub use metrics::Counters;

use super::auth::Keys;
use super::compile::Compiler;
use super::error::ApiError;
use super::limits::{READ_TIMEOUT, RateLimit, WRITE_TIMEOUT};
use super::parts::{Ledger, Observer};
use crate::http_client::HttpClient;
use crate::model::command::{Change, Outcome};
use crate::model::ids::Uuid;
use crate::model::state::State;
use crate::seams::{Clock, Entropy};
use axum::Router;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Where the interface begins.
pub const BASE: &str = "/api/v1/cluster";

/// Says how old the state is from which a read was answered, ms, when no leader could be asked.
pub const STALE_HEADER: &str = "x-rarog-stale";

/// All that handlers need.
pub struct Rest {
    /// What all coordinators agree on.
    pub ledger: Arc<dyn Ledger>,
    /// What is seen of workers.
    pub observer: Arc<dyn Observer>,
    /// Plans.
    pub compiler: Arc<Compiler>,
    /// Who may do what.
    pub keys: Keys,
    /// How often.
    pub rate: RateLimit,
    /// Whose pages may call: origins, or `*`.
    pub cors_origins: Vec<String>,
    /// What workers without our pings are told, s.
    pub heartbeat_interval_s: u64,
    /// To workers.
    pub http: HttpClient,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// For ids.
    pub entropy: Arc<dyn Entropy>,
    /// What was done.
    pub counters: Arc<Counters>,
    /// When a read was last answered by way of the leader.
    pub last_read: Mutex<Instant>,
    /// For replicas without a key: whose turn it is.
    pub turn: AtomicU64,
}

/// The handlers' state.
pub type Context = axum::extract::State<Arc<Rest>>;

/// A state to answer from.
pub struct Reading {
    /// The state.
    pub state: Arc<State>,
    /// Its age if no leader could be asked, ms.
    stale_ms: Option<u64>,
}

impl Reading {
    /// An answer made from it.
    pub fn answer(&self, body: impl Serialize) -> Response {
        self.mark(Json(body).into_response())
    }

    /// Marks an answer that was made from it.
    pub fn mark(&self, mut response: Response) -> Response {
        if let Some(age) = self.stale_ms {
            response.headers_mut().insert(STALE_HEADER, HeaderValue::from(age));
        }
        response
    }
}

impl Rest {
    /// The state as this coordinator knows it.
    pub fn state(&self) -> Arc<State> {
        self.ledger.watch().borrow().clone()
    }

    /// The newest state, or within [`READ_TIMEOUT`] the one that this coordinator has.
    pub async fn read(&self) -> Reading {
        let asked = Instant::now();
        let answer = self.ledger.read(READ_TIMEOUT).await;
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(state) => {
                *last = (*last).max(asked);
                Reading { state, stale_ms: None }
            }
            None => {
                let age = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
                Reading { state: self.state(), stale_ms: Some(age) }
            }
        }
    }

    /// Has a change made, within [`WRITE_TIMEOUT`].
    pub async fn submit(&self, change: Change) -> Result<Outcome, ApiError> {
        match self.ledger.submit(change, WRITE_TIMEOUT).await? {
            Outcome::Refused(refusal) => Err(refusal.into()),
            outcome => Ok(outcome),
        }
    }

    /// A new random id.
    pub fn new_id(&self) -> Uuid {
        let bits = u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// A number that grows by one with every call.
    pub fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

/// The whole interface; `others` are the routes of sockets and of consensus.
pub fn router(rest: Arc<Rest>, others: Router) -> Router {
    let cluster = Router::new()
        .merge(workers::routes())
        .merge(groups::routes())
        .merge(inject::routes())
        .merge(inject_batch::routes())
        .merge(connectors::routes())
        .merge(topology::routes())
        .merge(migrations::routes())
        .merge(programs::routes())
        .merge(summary::routes())
        .merge(raft::routes())
        .merge(metrics::cluster_routes())
        .merge(unsupported::routes());
    Router::new()
        .nest(BASE, cluster)
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(unsupported::other_routes())
        .with_state(rest.clone())
        .merge(others)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(rest, gate::gate))
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::no_such_path(uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::no_such_method(method.as_str(), uri.path())
}

/// An answer with a status.
fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests;
