//! Many events at once, as `.evt` lines.
//!
//! Each pipeline's events go to its worker in the order of the lines, in calls of bounded size. Offsets (`@5s`, `BATCH`) are read and
//! not waited for: injected events have the time at which they come in. A line that is no event, and events that a worker did not
//! take, are counted and do not hold the others back.

use super::extract::{Payload, Segments};
use super::inject::{Event, ask_worker, target};
use super::views::PlacementView;
use super::{Context, Rest, answer, groups};
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::{BATCH_BODY_BYTES, BATCH_CALL_BYTES, BATCH_ERRORS, BATCH_EVENTS};
use crate::model::state::{Group, State as ClusterState};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use rarog_lang::evt::{Content, content, write_event};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// Brackets inside of each other in one event.
const LEVELS: u32 = 64;

/// Lines after which others are served.
const LINES_AT_ONCE: usize = 256;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/pipeline-groups/{id}/inject-batch", post(inject))
}

#[derive(Deserialize)]
struct Batch {
    events_text: String,
}

/// What became of a batch so far.
#[derive(Default)]
struct Tally {
    sent: usize,
    failed: usize,
    outputs: Vec<Value>,
    errors: Vec<String>,
}

impl Tally {
    fn fail(&mut self, events: usize, error: String) {
        self.failed += events;
        if self.errors.len() < BATCH_ERRORS {
            self.errors.push(error);
        }
    }
}

/// Events for one pipeline, written as JSON.
struct Share {
    placement: PlacementView,
    events: Vec<String>,
}

async fn inject(
    State(rest): Context,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(batch): Payload<Batch, BATCH_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let reading = rest.read().await;
    let (_, group) = groups::find(&reading.state, &id)?;
    let mut tally = Tally::default();
    let shares = share_out(&rest, group, &reading.state, &batch.events_text, &mut tally).await?;
    let mut last_failure = None;
    for share in shares.into_values() {
        for call in calls(&share.events) {
            let path = format!("/api/v1/pipelines/{}/events-batch", share.placement.pipeline_id);
            let body = format!("{{\"events\":[{}]}}", call.join(",")).into();
            let asked = ask_worker(&rest, &reading.state, &share.placement, Method::POST, &path, &headers, body).await;
            match asked {
                Ok(mut said) => {
                    let accepted = said["accepted"].as_u64().map_or(call.len(), |count| count as usize).min(call.len());
                    tally.sent += accepted;
                    if accepted < call.len() {
                        let (count, name) = (call.len() - accepted, &share.placement.pipeline_name);
                        tally.fail(count, format!("pipeline {name} did not take {count} events"));
                    }
                    if let Some(Value::Array(outputs)) = said.get_mut("output_events").map(Value::take) {
                        tally.outputs.extend(outputs);
                    }
                }
                Err(error) => {
                    tally.fail(call.len(), error.to_string());
                    last_failure = Some(error);
                }
            }
        }
    }
    if let (0, Some(error)) = (tally.sent, last_failure) {
        return Err(error);
    }
    let body = json!({
        "events_sent": tally.sent,
        "events_failed": tally.failed,
        "output_events": tally.outputs,
        "errors": tally.errors,
        "processing_time_us": u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    });
    Ok(answer(StatusCode::OK, body))
}

/// Reads all lines and finds the pipeline for each event.
async fn share_out(
    rest: &Rest,
    group: &Group,
    state: &ClusterState,
    text: &str,
    tally: &mut Tally,
) -> Result<BTreeMap<String, Share>, ApiError> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let mut count = 0;
    for (at, line) in text.lines().enumerate() {
        if at % LINES_AT_ONCE == LINES_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let event = match read(line.trim()) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(wrong) => {
                tally.fail(1, format!("line {}: {wrong}", at + 1));
                continue;
            }
        };
        count += 1;
        if count > BATCH_EVENTS {
            return Err(ApiError::too_large("the batch", BATCH_EVENTS, "events"));
        }
        match target(rest, group, state, &event) {
            Ok(placement) => {
                let name = placement.pipeline_name.clone();
                let share = shares.entry(name).or_insert_with(|| Share { placement, events: vec![] });
                share.events.push(serde_json::to_string(&event).expect("names and JSON values can be written"));
            }
            Err(error) => tally.fail(1, format!("line {}: {error}", at + 1)),
        }
    }
    if count > 0 && shares.is_empty() {
        return Err(ApiError::routing(tally.errors.pop().unwrap_or_else(|| "no pipeline takes events".into())));
    }
    Ok(shares)
}

/// The event of a line, if it is one.
fn read(line: &str) -> Result<Option<Event>, &'static str> {
    let text = match content(line).ok_or("not an event, a BATCH or a comment")? {
        Content::Nothing | Content::Batch(_) => return Ok(None),
        Content::Event(_, text) => text,
    };
    let mut written = String::new();
    match write_event(&mut written, text, LEVELS) {
        Some(event) if event.too_deep => return Err("nested deeper than 64"),
        Some(_) => {}
        None => return Err("not an event: Type { key: value, … }, Type(value, …) or JSON"),
    }
    let mut fields: Map<String, Value> = serde_json::from_str(&written).map_err(|_| "not a JSON object")?;
    let Some(Value::String(event_type)) = fields.remove("event_type") else { return Err("it has no event_type") };
    // Fields stand beside the type, or below `data`.
    if let Some(Value::Object(_)) = fields.get("data")
        && let Some(Value::Object(data)) = fields.remove("data")
    {
        fields = data;
    }
    Ok(Some(Event { event_type, fields }))
}

/// Cuts events into calls of at most [`BATCH_CALL_BYTES`], unless one event is longer.
fn calls(events: &[String]) -> Vec<&[String]> {
    let mut bytes = 0;
    let fits = |_: &String, next: &String| {
        bytes += next.len() + 1;
        let fits = bytes <= BATCH_CALL_BYTES;
        if !fits {
            bytes = next.len() + 1;
        }
        fits
    };
    events.chunk_by(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let event = |line: &str| read(line).map(|event| event.map(|it| (it.event_type, Value::Object(it.fields))));
        for (line, fields) in [
            ("A { i: 1, s: \"x\" }", json!({"i": 1, "s": "x"})),
            ("@5s A { i: 1 }", json!({"i": 1})),
            (r#"{"event_type":"A","data":{"i":1}}"#, json!({"i": 1})),
            (r#"{"event_type":"A","i":1,"data":2}"#, json!({"i": 1, "data": 2})),
        ] {
            assert_eq!(event(line), Ok(Some(("A".into(), fields))), "{line}");
        }
        for line in ["", "# no", "// no", "BATCH 100"] {
            assert_eq!(event(line), Ok(None), "{line}");
        }
        for line in ["?", "A", "{", "{}", r#"{"event_type":1}"#, "@5x A { }", "A { i: 1 } x"] {
            assert!(event(line).is_err(), "{line}");
        }
    }

    #[test]
    fn calls_are_bounded() {
        let long = "x".repeat(BATCH_CALL_BYTES / 2);
        let events: Vec<String> = [&long, &long, &long, "y", "z"].map(|event: &str| event.to_owned()).into();
        let calls = calls(&events);
        assert_eq!(calls.concat(), events);
        assert!(
            calls.iter().all(|call| call.iter().map(|it| it.len() + 1).sum::<usize>() <= BATCH_CALL_BYTES + long.len())
        );
        assert!(calls.len() >= 2);
    }
}
