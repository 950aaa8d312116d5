//! What other coordinators of this kind offer and this one does not: answered with 501, so that a script learns why.

use super::Rest;
use crate::coordinator::error::ApiError;
use axum::Router;
use axum::http::Uri;
use axum::routing::any;
use std::sync::Arc;

/// Below the base path.
const PATHS: [&str; 11] = [
    "/pipeline-groups/{id}/dlq",
    "/pipeline-groups/{id}/dlq/replay",
    "/pipeline/generate",
    "/rescale",
    "/models",
    "/models/{name}",
    "/models/{name}/download",
    "/chat",
    "/chat/config",
    "/federation",
    "/federation/{*rest}",
];

/// Outside of it.
const OTHERS: [&str; 9] = [
    "/ws",
    "/api/v1/internal/output-events",
    "/api/v1/playground/{*rest}",
    "/api/v1/federation/{*rest}",
    "/api/v1/audit",
    "/api/v1/me",
    "/auth/{*rest}",
    "/raft/write",
    "/internal/replicate",
];

pub(super) fn routes() -> Router<Arc<Rest>> {
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, any(unsupported)))
}

pub(super) fn other_routes() -> Router<Arc<Rest>> {
    OTHERS.iter().fold(Router::new(), |router, path| router.route(path, any(unsupported)))
}

async fn unsupported(uri: Uri) -> ApiError {
    ApiError::unsupported(uri.path())
}
