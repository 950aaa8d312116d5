//! What every request passes first: pages of other origins, keys, the rate of changes, and whether the leader itself is wanted.

use super::Rest;
use crate::coordinator::auth::is_among_coordinators;
use crate::coordinator::cors;
use crate::coordinator::error::ApiError;
use crate::coordinator::server::Peer;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::time::Instant;

/// A client that wants to talk to the leader itself sets it to 1.
const NO_FORWARD_HEADER: &str = "x-rarog-no-forward";

/// See the module's head.
pub async fn gate(State(rest): State<Arc<Rest>>, request: Request, next: Next) -> Response {
    cors::around(&rest.cors_origins, request, async |request| {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = match check(&rest, &request) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        };
        tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
        response
    })
    .await
}

fn check(rest: &Rest, request: &Request) -> Result<(), ApiError> {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    rest.keys.check(method, path, headers)?;
    // Coordinators and workers among themselves are not limited: their load does not depend on strangers.
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    let among_ourselves = is_among_coordinators(path) || path.ends_with("/heartbeat");
    if changes && !among_ourselves {
        let peer = request.extensions().get::<Peer>().map_or("", |peer| peer.ip());
        rest.rate.take(peer, Instant::now()).map_err(ApiError::rate_limited)?;
    }
    let wants_leader = headers.get(NO_FORWARD_HEADER).is_some_and(|value| value == "1");
    if wants_leader && path.starts_with(super::BASE) {
        let leadership = rest.ledger.watch_leader().borrow().clone();
        if !leadership.is_self {
            return Err(ApiError::not_leader(leadership.url.as_deref()));
        }
    }
    Ok(())
}
