//! Runs a part of an input, from a barrier to a barrier.

use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay};
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{self, Completed, Counters, DeadRecord, Host, Intake, Job, Pulled, Start};
use rarog_dataflow::snapshot::{State, States};
use rarog_lang::plan::{Op, Plan};
use std::sync::{Arc, Mutex};

/// Chunks `first..=last` of an input that is cut into chunks of so many lines; one empty chunk, the end, is behind them.
#[derive(Clone)]
pub struct Part<'i> {
    pub input: &'i [String],
    pub rows: usize,
    pub first: usize,
    pub last: usize,
    pub states: States,
}

impl<'i> Part<'i> {
    pub fn whole(input: &'i [String], rows: usize) -> Part<'i> {
        Part { input, rows, first: 0, last: input.len().div_ceil(rows), states: States::new() }
    }
}

/// What a run has given.
#[derive(Default)]
pub struct Ran {
    /// Node and record, node by node in order.
    pub outputs: Vec<(u32, String)>,
    pub dead: u64,
    pub states: States,
}

struct Kept {
    encoders: Vec<Option<Encoder>>,
    ran: Mutex<Ran>,
}

impl Host for Kept {
    fn completed(&self, completed: Completed) {
        let mut ran = self.ran.lock().unwrap();
        for output in &completed.outputs {
            let Some(encoder) = &self.encoders[output.node as usize] else { continue };
            for row in 0..output.rows.len() {
                let mut line = Vec::new();
                encoder.jsonl(&mut line, &output.rows, row);
                ran.outputs.push((output.node, String::from_utf8(line).unwrap()));
            }
        }
        if let Some(states) = completed.states {
            ran.states = states;
        }
    }
    fn dead(&self, _: DeadRecord) {
        self.ran.lock().unwrap().dead += 1;
    }
    fn print(&self, _: String) {}
    fn log(&self, _: &str, _: String) {}
}

struct Chunks(Mutex<std::vec::IntoIter<Box<dyn FnOnce() -> rt::Decoded + Send>>>);

impl Intake for Chunks {
    fn pull(&self) -> Pulled {
        self.0.lock().unwrap().next().map_or(Pulled::End, Pulled::Chunk)
    }
    fn on_data(&self, _: Box<dyn Fn() + Send + Sync>) {}
}

pub fn plan(text: &str) -> Arc<Plan> {
    let compiled = rarog_lang::compile::compile(text, &Default::default());
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{text}: {:?}", compiled.diagnostics)))
}

/// Runs a part on so many workers; the barrier is behind its last chunk.
pub fn run(plan: &Arc<Plan>, part: Part<'_>, workers: usize) -> Ran {
    let decoder = Arc::new(Decoder::new(plan));
    let mut relay = Relay::default();
    let end = part.input.len().div_ceil(part.rows);
    let mut chunks: Vec<Box<dyn FnOnce() -> rt::Decoded + Send>> = Vec::new();
    for seq in part.first..=part.last {
        let lines = part.input.chunks(part.rows).nth(seq).unwrap_or_default().join("\n");
        let chunk = Chunk { seq: seq as u64, end: seq == end, barrier: seq == part.last, ..Chunk::default() };
        let (decoder, baton) = (decoder.clone(), relay.baton());
        chunks.push(Box::new(move || decoder.lines(chunk, lines.as_bytes(), &baton)));
    }
    let encoder = |node: &rarog_lang::plan::Node| {
        matches!(node.op, Op::Emit).then(|| Encoder::new(&plan.layouts[node.layout as usize]))
    };
    let kept = Arc::new(Kept { encoders: plan.nodes.iter().map(encoder).collect(), ran: Mutex::default() });
    let job = Job {
        plan: plan.clone(),
        host: kept.clone(),
        counters: Arc::new(Counters::new(plan)),
        intake: Arc::new(Chunks(Mutex::new(chunks.into_iter()))),
        clockwork: Clockwork { sources: 1, replay: true },
        start: Start { chunk: part.first as u64, states: Arc::new(part.states), sources: None },
    };
    rt::run(job, workers).unwrap();
    let mut ran = std::mem::take(&mut *kept.ran.lock().unwrap());
    ran.outputs.sort_by_key(|(node, _)| *node);
    ran
}

/// Runs an input in legs of so many chunks on so many workers, then the rest on one.
pub fn in_legs(plan: &Arc<Plan>, input: &[String], rows: usize, legs: &[(usize, usize)]) -> Ran {
    let mut whole = Ran::default();
    let end = input.len().div_ceil(rows);
    let mut part = Part::whole(input, rows);
    for &(chunks, workers) in legs.iter().chain([&(end + 1, 1)]) {
        if part.first > end {
            break;
        }
        part.last = (part.first + chunks - 1).min(end);
        let ran = run(plan, part.clone(), workers);
        whole.outputs.extend(ran.outputs);
        whole.dead += ran.dead;
        part.first = part.last + 1;
        part.states = stored(&ran.states);
    }
    whole.outputs.sort_by_key(|(node, _)| *node);
    whole
}

/// States as they come back from where their parts are stored.
fn stored(states: &States) -> States {
    let again = |state: &State| {
        let mut stored = State { version: state.version, ..State::default() };
        state.parts().for_each(|(bin, bytes)| stored.add_part(bin, bytes.to_vec()).unwrap());
        stored
    };
    states.iter().map(|(node, state)| (*node, again(state))).collect()
}
