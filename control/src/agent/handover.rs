//! The state of a pipeline on its way from one worker to the next.
//!
//! Invariant: a state is accepted only whole (length and checksum), and the sender reports that it has let go only when the
//! receiver has said that it has it.

use super::duties::Handover;
use super::keeper::ToKeeper;
use crate::http_client::HttpClient;
use crate::model::ids::{EpochNumber, PipelineKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use hyper::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Bytes of a state at the most.
pub const STATE_LIMIT_BYTES: usize = 64 << 20;
/// Header with the checksum of the body.
const CHECKSUM: &str = "x-rarog-crc32";
/// How long one delivery may take.
const DELIVERY: Duration = Duration::from_secs(10);

/// Where states of pipelines arrive that are to run here.
pub struct Arrivals(mpsc::Sender<ToKeeper>);

impl Arrivals {
    pub fn new(keeper: mpsc::Sender<ToKeeper>) -> Arrivals {
        Arrivals(keeper)
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
) -> Result<StatusCode, (StatusCode, String)> {
    let wrong = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
    let pipeline: PipelineKey = decoded(&pipeline).parse().map_err(|_| wrong("that is no pipeline"))?;
    let checksum = headers.get(CHECKSUM).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    if checksum != Some(crc32fast::hash(&body)) {
        return Err(wrong("the checksum is missing or wrong"));
    }
    let state = ToKeeper::State { pipeline, epoch, state: Arc::from(body.as_ref()) };
    let gone = |_| (StatusCode::SERVICE_UNAVAILABLE, "the worker stops".to_owned());
    arrivals.0.send(state).await.map_err(gone)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a state to its successor.
pub async fn deliver(http: &HttpClient, handover: &Handover) -> Result<(), String> {
    if handover.state.len() > STATE_LIMIT_BYTES {
        return Err(format!("it has {} bytes, more than the limit of {STATE_LIMIT_BYTES}", handover.state.len()));
    }
    let path = format!("/internal/handover/{}/{}", encoded(&handover.pipeline.to_string()), handover.successor_epoch);
    let checksum = crc32fast::hash(&handover.state).to_string();
    let mut headers = vec![(CHECKSUM, checksum.as_str())];
    headers.extend(handover.api_key.as_ref().map(|key| ("x-api-key", key.expose())));
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

    #[test]
    fn keys_survive_a_path() {
        let key = PipelineKey { incarnation: 3, ..PipelineKey::new(Uuid::from_u128(5), "a.b-c_d", 2) };
        assert_eq!(decoded(&encoded(&key.to_string())).parse(), Ok(key));
    }
}
