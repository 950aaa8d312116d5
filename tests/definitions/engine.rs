//! The engine, in this process: a program's text and an input's lines, cut and spread as a setting says.

use crate::events::Format;
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay, batch_offset_behind};
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Completed, Counters, DeadRecord, Host, Intake, Job, Pulled, run};
use rarog_lang::compile::{Options, compile};
use rarog_lang::plan::{Op, Plan};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an input is cut and on how many workers it runs.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Lines per chunk.
    pub rows: usize,
    /// Workers.
    pub workers: usize,
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

/// Lines as an intake.
struct Lines {
    format: Format,
    decoder: Arc<Decoder>,
    state: Mutex<State>,
}

struct State {
    chunks: Vec<Vec<u8>>,
    next: usize,
    relay: Relay,
    batch: i64,
}

impl Lines {
    fn new(plan: &Plan, format: Format, lines: &str, rows: usize) -> Lines {
        let lines: Vec<&str> = lines.split_inclusive('\n').collect();
        let mut chunks: Vec<Vec<u8>> = lines.chunks(rows).map(|chunk| chunk.concat().into_bytes()).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let state = State { chunks, next: 0, relay: Relay::default(), batch: 0 };
        Lines { format, decoder: Arc::new(Decoder::new(plan)), state: Mutex::new(state) }
    }
}

impl Intake for Lines {
    fn pull(&self) -> Pulled {
        let mut state = lock(&self.state);
        let seq = state.next;
        let Some(lines) = state.chunks.get(seq).cloned() else { return Pulled::End };
        state.next += 1;
        let chunk = Chunk { seq: seq as u64, end: state.next == state.chunks.len(), ..Chunk::default() };
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

/// Gathers what comes out.
struct Gathered {
    encoders: Vec<Option<Encoder>>,
    answer: Mutex<(Vec<u8>, BTreeMap<&'static str, usize>)>,
}

impl Host for Gathered {
    fn completed(&self, completed: Completed) {
        let mut answer = lock(&self.answer);
        for output in &completed.outputs {
            if let Some(encoder) = &self.encoders[output.node as usize] {
                (0..output.rows.len()).for_each(|row| encoder.jsonl(&mut answer.0, &output.rows, row));
            }
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
        let host = Arc::new(Gathered { encoders: encoders.collect(), answer: Mutex::default() });
        let job = Job {
            plan: plan.clone(),
            host: host.clone(),
            counters: Arc::new(Counters::new(plan)),
            intake: Arc::new(Lines::new(plan, format, lines, setting.rows)),
            clockwork: Clockwork { sources: 1, replay: true },
        };
        run(job, setting.workers).map_err(|error| error.to_string())?;
        let (outputs, dead) = std::mem::take(&mut *lock(&host.answer));
        Ok(Answer { outputs: String::from_utf8(outputs).map_err(|error| error.to_string())?, dead })
    }
}
