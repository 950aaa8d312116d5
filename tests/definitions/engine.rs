//! The engine, in this process: a program's text and an input's lines, cut and spread as a setting says.

use crate::events::Format;
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay, batch_offset_behind};
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Completed, Counters, DeadRecord, Host, Intake, Job, Pulled, Start, run};
use rarog_dataflow::snapshot::{State as Kept, States};
use rarog_lang::compile::{Options, compile};
use rarog_lang::plan::{Op, Plan};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an input is cut and on how many workers it runs.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Lines per chunk.
    pub rows: usize,
    /// Workers.
    pub workers: usize,
    /// So many chunks are run by one engine; the next one goes on from its checkpoint, on one worker more or less.
    pub cut: Option<usize>,
}

/// What the engine made of an input.
#[derive(Debug, Default)]
pub struct Answer {
    /// Lines of `--output jsonl`.
    pub outputs: String,
    /// Dead letters by reason.
    pub dead: BTreeMap<&'static str, usize>,
}

/// A program that is compiled.
pub struct Compiled(Arc<Plan>);

/// Why there is no plan.
pub enum Refused {
    /// E0900: this build does not run it yet.
    NotYet,
    /// It has errors.
    Wrong(String),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compiles a program.
pub fn prepare(text: &str) -> Result<Compiled, Refused> {
    let compiled = compile(text, &Options::default());
    if let Some(plan) = compiled.plan {
        return Ok(Compiled(Arc::new(plan)));
    }
    if compiled.draft.is_some() {
        return Err(Refused::NotYet);
    }
    let said = compiled.diagnostics.iter().map(|problem| format!("{}: {}\n", problem.code, problem.message));
    Err(Refused::Wrong(said.collect()))
}

/// Does the program compare values of known types that do not fit (E0301)? The generator does not follow types.
pub fn is_ill_typed(text: &str) -> bool {
    compile(text, &Options::default()).diagnostics.iter().any(|problem| problem.code == "E0301")
}

/// Chunks of lines as an intake.
struct Lines {
    format: Format,
    decoder: Arc<Decoder>,
    state: Mutex<Pulling>,
}

struct Pulling {
    /// Chunks that are left, with what is in them.
    chunks: VecDeque<(Chunk, Vec<u8>)>,
    relay: Relay,
    batch: i64,
}

impl Intake for Lines {
    fn pull(&self) -> Pulled {
        let mut state = lock(&self.state);
        let Some((chunk, lines)) = state.chunks.pop_front() else { return Pulled::End };
        let (baton, batch, format) = (state.relay.baton(), state.batch, self.format);
        if format == Format::Evt {
            state.batch = batch_offset_behind(&lines, batch);
        }
        let decoder = self.decoder.clone();
        Pulled::Chunk(Box::new(move || match format {
            Format::Evt => decoder.evt(chunk, &lines, batch),
            Format::Jsonl => decoder.lines(chunk, &lines, &baton),
        }))
    }

    fn on_data(&self, _wake: Box<dyn Fn() + Send + Sync>) {}
}

/// The numbered chunks of an input.
fn chunks(lines: &str, rows: usize) -> Vec<(Chunk, Vec<u8>)> {
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let mut parts: Vec<Vec<u8>> = lines.chunks(rows).map(|part| part.concat().into_bytes()).collect();
    if parts.is_empty() {
        parts.push(Vec::new());
    }
    let last = parts.len() - 1;
    let chunk = |seq: usize| Chunk { seq: seq as u64, end: seq == last, ..Chunk::default() };
    parts.into_iter().enumerate().map(|(seq, part)| (chunk(seq), part)).collect()
}

/// Gathers what comes out.
struct Gathered {
    encoders: Vec<Option<Encoder>>,
    answer: Mutex<(Vec<u8>, BTreeMap<&'static str, usize>)>,
    states: Mutex<States>,
}

impl Host for Gathered {
    fn completed(&self, completed: Completed) {
        let mut answer = lock(&self.answer);
        for output in &completed.outputs {
            if let Some(encoder) = &self.encoders[output.node as usize] {
                (0..output.rows.len()).for_each(|row| encoder.jsonl(&mut answer.0, &output.rows, row));
            }
        }
        if let Some(states) = completed.states {
            *lock(&self.states) = states;
        }
    }

    fn dead(&self, record: DeadRecord) {
        *lock(&self.answer).1.entry(record.reason).or_insert(0) += 1;
    }

    fn print(&self, _line: String) {}

    fn log(&self, _level: &str, _line: String) {}
}

impl Compiled {
    /// Runs it on some lines.
    pub fn run(&self, format: Format, lines: &str, setting: Setting) -> Result<Answer, String> {
        let plan = &self.0;
        let encoders = plan.nodes.iter().map(|node| {
            let is_output = matches!(node.op, Op::Emit | Op::Send { output: true, .. });
            is_output.then(|| Encoder::new(&plan.layouts[node.layout as usize]))
        });
        let (answer, states) = (Mutex::default(), Mutex::default());
        let host = Arc::new(Gathered { encoders: encoders.collect(), answer, states });
        let mut chunks: VecDeque<(Chunk, Vec<u8>)> = chunks(lines, setting.rows).into();
        let mut workers = setting.workers;
        while !chunks.is_empty() {
            let count = setting.cut.unwrap_or(chunks.len()).min(chunks.len());
            let mut leg: VecDeque<(Chunk, Vec<u8>)> = chunks.drain(..count).collect();
            if let (Some((last, _)), false) = (leg.back_mut(), chunks.is_empty()) {
                last.barrier = true;
            }
            self.leg(&host, format, leg, workers)?;
            workers = if workers == 1 { 2 } else { workers - 1 };
        }
        let (outputs, dead) = std::mem::take(&mut *lock(&host.answer));
        Ok(Answer { outputs: String::from_utf8(outputs).map_err(|error| error.to_string())?, dead })
    }

    /// An engine of its own, from the last checkpoint to the next.
    fn leg(
        &self,
        host: &Arc<Gathered>,
        format: Format,
        chunks: VecDeque<(Chunk, Vec<u8>)>,
        workers: usize,
    ) -> Result<(), String> {
        let plan = &self.0;
        let chunk = chunks.front().map_or(0, |(chunk, _)| chunk.seq);
        let states = Arc::new(stored(&std::mem::take(&mut *lock(&host.states)))?);
        let state = Mutex::new(Pulling { chunks, relay: Relay::default(), batch: 0 });
        let job = Job {
            plan: plan.clone(),
            host: host.clone(),
            counters: Arc::new(Counters::new(plan)),
            intake: Arc::new(Lines { format, decoder: Arc::new(Decoder::new(plan)), state }),
            clockwork: Clockwork { sources: 1, replay: true },
            start: Start { chunk, states, sources: None },
        };
        run(job, workers).map_err(|error| error.to_string())
    }
}

/// States as they come back from where their parts are stored.
fn stored(states: &States) -> Result<States, String> {
    let again = |state: &Kept| {
        let mut stored = Kept { version: state.version, ..Kept::default() };
        for (bin, bytes) in state.parts() {
            stored.add_part(bin, bytes.to_vec()).map_err(|error| error.to_string())?;
        }
        Ok::<Kept, String>(stored)
    };
    states.iter().map(|(node, state)| Ok((*node, again(state)?))).collect()
}
