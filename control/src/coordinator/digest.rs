//! What this coordinator sees of workers, on its way to the leader, and the view of all that comes back.
//!
//! One post at a time: when something opens, closes, falls silent or comes back, and every interval besides. Invariant: a digest goes
//! to the leader that is known when it is made; one that leads no more is not waited for.

use super::agreement::Agreement;
use super::detector::FailureDetector;
use super::fleet::{Digest, Fleet};
use super::hub::Hub;
use crate::http_client::HttpClient;
use crate::model::ids::NodeId;
use crate::model::secret::Secret;
use crate::raft::Leadership;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Where digests are posted.
pub const DIGEST_PATH: &str = "/internal/digest";

/// Time between digests, ms.
pub const DIGEST_MS: u64 = 250;

/// Time for one post, ms.
const POST_MS: u64 = 500;

/// Time after which a post that failed is tried again, ms.
const AGAIN_MS: u64 = 50;

/// Bytes of a digest at the most.
const BODY_LIMIT_BYTES: usize = 16 << 20;

/// Says whether a caller is a coordinator of this cluster.
pub type PeerCheck = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// What posting and taking digests needs.
#[derive(Clone)]
pub struct Digests {
    /// This coordinator.
    pub node: NodeId,
    /// Its sockets.
    pub hub: Arc<Hub>,
    /// Where they go when it leads.
    pub detector: Arc<FailureDetector>,
    /// Says who leads, and where that is.
    pub agreement: Arc<dyn Agreement>,
    /// Carries them.
    pub http: HttpClient,
    /// Proof towards other coordinators.
    pub key: Option<Secret>,
    /// Proof of others.
    pub is_peer: PeerCheck,
}

impl Digests {
    /// The endpoint for other coordinators.
    pub fn router(&self) -> Router {
        Router::new()
            .route(DIGEST_PATH, post(take))
            .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
            .with_state(self.clone())
    }

    /// Posts until the hub is closed.
    pub async fn post_all(&self) {
        let mut sockets = self.hub.watch_sockets();
        let mut leading = self.agreement.watch_leader();
        let mut beats = interval(Duration::from_millis(DIGEST_MS));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            sockets.mark_unchanged();
            let now = leading.borrow_and_update().clone();
            let is_told = tokio::select! {
                biased;
                () = self.hub.closed() => return,
                is_told = self.post(&now) => is_told,
                changed = leading.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            let pause = async {
                match is_told {
                    true => beats.tick().await,
                    false => {
                        sleep(Duration::from_millis(AGAIN_MS)).await;
                        Instant::now()
                    }
                }
            };
            tokio::select! {
                biased;
                () = self.hub.closed() => return,
                changed = leading.changed() => if changed.is_err() { return },
                _ = sockets.changed(), if is_told => {}
                _ = pause => {}
            }
        }
    }

    /// Tells the leader; false if it was not told.
    async fn post(&self, leading: &Leadership) -> bool {
        let Some(leader) = leading.leader else { return false };
        let now = Instant::now();
        let (digest, revision) = self.hub.digest(now);
        let fleet = if leader == self.node {
            Some(self.detector.hear(digest, leading.term, now))
        } else {
            self.send(leading, &digest).await
        };
        let is_told = fleet.is_some();
        if let Some(fleet) = fleet {
            self.hub.told(fleet, revision);
        }
        is_told
    }

    async fn send(&self, leading: &Leadership, digest: &Digest) -> Option<Fleet> {
        let (leader, url) = (leading.leader?, leading.url.as_ref()?);
        let body = serde_json::to_vec(digest).expect("digests hold nothing that cannot be written as JSON");
        let mut headers = vec![("content-type", "application/json")];
        if let Some(key) = &self.key {
            headers.push(("x-api-key", key.expose()));
        }
        let patience = Duration::from_millis(POST_MS);
        let answer = self.http.request(url, Method::POST, DIGEST_PATH, &headers, body.into(), patience).await;
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => serde_json::from_slice(&answer.body).ok(),
            Ok(answer) => {
                tracing::debug!(leader, status = %answer.status, "a digest was not taken");
                None
            }
            Err(error) => {
                tracing::debug!(leader, %error, "a digest did not arrive");
                None
            }
        }
    }
}

async fn take(State(digests): State<Digests>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    if !(digests.is_peer)(key) {
        return refusal(StatusCode::UNAUTHORIZED, "unauthorized", "this is for coordinators of the cluster");
    }
    let digest: Digest = match serde_json::from_slice(&body) {
        Ok(digest) => digest,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, "invalid_digest", &error.to_string()),
    };
    let leading = digests.agreement.watch_leader().borrow().clone();
    if leading.leader != Some(digests.node) {
        return refusal(StatusCode::MISDIRECTED_REQUEST, "not_leader", "this coordinator does not lead");
    }
    Json(digests.detector.hear(digest, leading.term, Instant::now())).into_response()
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": message, "code": code}))).into_response()
}
