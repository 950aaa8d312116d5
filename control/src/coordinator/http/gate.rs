//! What every request passes first: pages of other origins, keys, the rate of changes, and whether the leader itself is wanted.

use super::Rest;
use crate::coordinator::auth::is_among_coordinators;
use crate::coordinator::error::ApiError;
use crate::coordinator::server::Peer;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::time::Instant;

/// A client that wants to talk to the leader itself sets it to 1.
const NO_FORWARD_HEADER: &str = "x-rarog-no-forward";

/// How long a browser may remember what it was allowed, s.
const PREFLIGHT_AGE_S: u64 = 600;

/// See the module's head.
pub async fn gate(State(rest): State<Arc<Rest>>, request: Request, next: Next) -> Response {
    let origin = allowed_origin(&rest.cors_origins, request.headers());
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight && origin.is_some() {
        preflight_answer()
    } else {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = match check(&rest, &request) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        };
        tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
        response
    };
    if let Some(origin) = origin {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    response
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

/// The origin of a request, if its pages may call.
fn allowed_origin(allowed: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    if allowed.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    allowed.iter().any(|allowed| origin == allowed.as_str()).then(|| origin.clone())
}

fn preflight_answer() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, x-api-key, traceparent"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_AGE_S));
    response
}
