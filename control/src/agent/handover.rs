//! The state of a pipeline on its way from one worker to the next.
//!
//! Invariant: a state is accepted only whole (length and checksum), and the sender reports that it has let go only when the
//! receiver has said that it has it.

use super::duties::Handover;
use super::keeper::ToKeeper;
use crate::coordinator::error::ApiError;
use crate::http_client::HttpClient;
use crate::model::ids::{EpochNumber, PipelineKey};
use crate::model::secret::Secret;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use hyper::Method;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};

/// Bytes of a state at the most.
pub const STATE_LIMIT_BYTES: usize = 64 << 20;
/// Header with the checksum of the body.
const CHECKSUM: &str = "x-rarog-crc32";
/// Header with the key of the receiver's REST interface.
const KEY: &str = "x-api-key";
/// How long one delivery may take.
const DELIVERY: Duration = Duration::from_secs(10);

/// Where states of pipelines arrive that are to run here.
pub struct Arrivals {
    keeper: mpsc::Sender<ToKeeper>,
    api_key: Option<Secret>,
}

impl Arrivals {
    /// They go to the keeper, if they come with this key.
    pub fn new(keeper: mpsc::Sender<ToKeeper>, api_key: Option<Secret>) -> Arrivals {
        Arrivals { keeper, api_key }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.api_key else { return true };
        let given = headers.get(KEY).map_or(&[][..], |value| value.as_bytes());
        bool::from(key.expose().as_bytes().ct_eq(given))
    }
}

/// `PUT /internal/handover/{pipeline}/{epoch}`
pub fn routes(arrivals: Arc<Arrivals>) -> Router {
    Router::new()
        .route("/internal/handover/{pipeline}/{epoch}", put(arrive))
        .layer(DefaultBodyLimit::max(STATE_LIMIT_BYTES))
        .with_state(arrivals)
}

async fn arrive(
    State(arrivals): State<Arc<Arrivals>>,
    Path((pipeline, epoch)): Path<(String, EpochNumber)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    if !arrivals.admits(&headers) {
        return Err(ApiError::unauthorized());
    }
    let wrong = |why: &str| ApiError::bad_request(why);
    let pipeline: PipelineKey = decoded(&pipeline).parse().map_err(|_| wrong("that is no pipeline"))?;
    let checksum = headers.get(CHECKSUM).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    if checksum != Some(crc32fast::hash(&body)) {
        return Err(wrong("the checksum is missing or wrong"));
    }
    let (kept, answer) = oneshot::channel();
    let state = ToKeeper::State { pipeline, epoch, state: Arc::from(body.as_ref()), kept };
    let gone = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the worker stops");
    arrivals.keeper.send(state).await.map_err(|_| gone())?;
    match answer.await {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(why)) => Err(ApiError::new(StatusCode::CONFLICT, "conflict", why)),
        Err(_) => Err(gone()),
    }
}

/// Brings a state to its successor.
pub async fn deliver(http: &HttpClient, handover: &Handover) -> Result<(), String> {
    if handover.state.len() > STATE_LIMIT_BYTES {
        return Err(format!("it has {} bytes, more than the limit of {STATE_LIMIT_BYTES}", handover.state.len()));
    }
    let path = format!("/internal/handover/{}/{}", encoded(&handover.pipeline.to_string()), handover.successor_epoch);
    let checksum = crc32fast::hash(&handover.state).to_string();
    let mut headers = vec![(CHECKSUM, checksum.as_str())];
    headers.extend(handover.api_key.as_ref().map(|key| (KEY, key.expose())));
    let body = Bytes::copy_from_slice(&handover.state);
    let answer = http.request(&handover.successor, Method::PUT, &path, &headers, body, DELIVERY).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(format!("{} answered {}: {}", handover.successor, answer.status, String::from_utf8_lossy(&answer.body)))
}

/// A pipeline's key as one segment of a path: its `/` and `#` mean something there.
fn encoded(key: &str) -> String {
    key.replace('/', "~").replace('#', "$")
}

fn decoded(segment: &str) -> String {
    segment.replace('~', "/").replace('$', "#")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Uuid;
    use tower::ServiceExt;

    #[test]
    fn keys_survive_a_path() {
        let key = PipelineKey { incarnation: 3, ..PipelineKey::new(Uuid::from_u128(5), "a.b-c_d", 2) };
        assert_eq!(decoded(&encoded(&key.to_string())).parse(), Ok(key));
    }

    async fn put_state(arrivals: &Arc<Arrivals>, key: &str, checksum: &str) -> StatusCode {
        let pipeline = encoded(&PipelineKey::new(Uuid::from_u128(5), "p", 0).to_string());
        let request = axum::http::Request::put(format!("/internal/handover/{pipeline}/4"));
        let request = request.header(KEY, key).header(CHECKSUM, checksum);
        let request = request.body(axum::body::Body::from("state")).expect("it is a request");
        routes(arrivals.clone()).oneshot(request).await.expect("it answers").status()
    }

    #[tokio::test]
    async fn a_state_is_taken_whole_with_the_key_and_when_it_is_kept() {
        let (keeper, mut inbox) = mpsc::channel(1);
        let arrivals = Arc::new(Arrivals::new(keeper, Some(Secret::new("k"))));
        let checksum = crc32fast::hash(b"state").to_string();
        assert_eq!(put_state(&arrivals, "other", &checksum).await, StatusCode::UNAUTHORIZED);
        assert_eq!(put_state(&arrivals, "k", "1").await, StatusCode::BAD_REQUEST);
        for (outcome, status) in [(Ok(()), StatusCode::NO_CONTENT), (Err("no".to_owned()), StatusCode::CONFLICT)] {
            let keeps = async {
                let Some(ToKeeper::State { epoch, state, kept, .. }) = inbox.recv().await else { panic!("it comes") };
                assert_eq!((epoch, &*state), (4, &b"state"[..]));
                kept.send(outcome).expect("it is waited for");
            };
            let (answered, ()) = tokio::join!(put_state(&arrivals, "k", &checksum), keeps);
            assert_eq!(answered, status);
        }
    }
}
