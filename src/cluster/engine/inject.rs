//! Events that come by no connector, and what a pipeline puts out for them.
//!
//! Consecutive events of one source are a chunk; the [`super::tap::Tap`] tells what each chunk has caused. Invariant: the answer
//! comes when everything that the events have caused at once is put out; what windows give later is not in it.

use super::tap::Tap;
use crate::run::live::inlet::Body;
use crate::run::live::intake::{CHUNK_ROWS, LiveIntake};
use rarog_connectors::mqtt::{Message, Qos, Receipt};
use rarog_control::agent::engine::{Injected, Refused};
use rarog_lang::plan::Plan;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// The answer, once it is there.
pub type Answer = oneshot::Receiver<Vec<Injected>>;

/// Collects what the chunks of one call have caused.
struct Collected {
    /// By chunk of the call.
    outputs: Mutex<(Vec<Vec<Injected>>, usize)>,
    answer: Mutex<Option<oneshot::Sender<Vec<Injected>>>>,
}

impl Collected {
    fn take(&self, index: usize, outputs: Vec<Injected>) {
        let mut collected = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        collected.0[index] = outputs;
        collected.1 -= 1;
        if collected.1 > 0 {
            return;
        }
        let all = std::mem::take(&mut collected.0).into_iter().flatten().collect();
        if let Some(answer) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Whoever asked may have gone.
            _ = answer.send(all);
        }
    }
}

/// Lets events into a pipeline.
pub fn inject(plan: &Plan, intake: &LiveIntake, tap: &Arc<Tap>, events: Vec<Injected>) -> Result<Answer, Refused> {
    if events.len() > CHUNK_ROWS {
        return Err(Refused::Cannot(format!("{} events at a time are too many; give {CHUNK_ROWS}", events.len())));
    }
    let (answer, receiver) = oneshot::channel();
    if events.is_empty() {
        _ = answer.send(Vec::new());
        return Ok(receiver);
    }
    let with_source: Vec<(u32, Injected)> =
        events.into_iter().map(|event| (source_of(plan, &event.event_type), event)).collect();
    let chunks: Vec<&[(u32, Injected)]> = with_source.chunk_by(|a, b| a.0 == b.0).collect();
    let collected = Arc::new(Collected {
        outputs: Mutex::new((vec![Vec::new(); chunks.len()], chunks.len())),
        answer: Mutex::new(Some(answer)),
    });
    let bodies = chunks.into_iter().enumerate().map(|(index, events)| body(events, index, &collected, tap)).collect();
    match intake.inject(bodies) {
        true => Ok(receiver),
        false => Err(Refused::Cannot("it takes nothing in at the moment".into())),
    }
}

fn body(events: &[(u32, Injected)], index: usize, collected: &Arc<Collected>, tap: &Arc<Tap>) -> Body {
    let (tap, collected) = (tap.clone(), collected.clone());
    Body::Injected {
        messages: events.iter().map(|(_, event)| message(event)).collect(),
        types: events.iter().map(|(_, event)| Some(event.event_type.as_str().into())).collect(),
        source: events[0].0,
        cut: Box::new(move |chunk| tap.expect(chunk, Box::new(move |outputs| collected.take(index, outputs)))),
    }
}

/// The source whose clock events of a type move.
fn source_of(plan: &Plan, event_type: &str) -> u32 {
    let input = plan.inputs.iter().find(|input| &*input.event == event_type);
    input.and_then(|input| input.subscriptions.first()).copied().unwrap_or(0)
}

fn message(event: &Injected) -> Message {
    let mut record = event.fields.clone();
    record.insert("event_type".into(), Value::String(event.event_type.clone()));
    Message {
        payload: Value::Object(record).to_string().into(),
        topic: "".into(),
        packet_id: 0,
        dup: false,
        retain: false,
        generation: 0,
        qos: Qos::AtMostOnce,
        receipt: Receipt::NONE,
    }
}
