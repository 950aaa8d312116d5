//! Checkpoints of a run: the states of all operators, where the input stands and how long the outputs are, behind one chunk.
//!
//! ```text
//!  intake ──barrier, position──┐
//!  engine ──states─────────────┼──► writer thread ──► DIR/NAME/….checkpoint ──► what waits for it
//!  host ────length of outputs──┘
//! ```
//! A pipeline that moves has one checkpoint, behind its last chunk and in memory.
//!
//! Invariant: a checkpoint is stored only when every output that its records caused is out, and what waits for it
//! (acknowledgements) goes on only when it is on the disk.

mod format;
mod manifest;
mod output;
mod pace;
mod position;
mod resume;
mod shelf;
mod store;

pub use format::Checkpoint;
pub use manifest::{FilePosition, Input, LivePosition, Output, SourcePosition};
pub use output::{StandardOutput, cut_back, position};

use super::talk::Talk;
use crate::args::RunArgs;
use manifest::{FORMAT, Manifest};
use pace::Pace;
use rarog_dataflow::rt::Start;
use rarog_dataflow::snapshot::{State, States, hash_check};
use rarog_lang::plan::Plan;
use resume::Program;
use shelf::Shelf;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::Store;

/// Exit code of a process that ends behind its first checkpoint, as if it had been killed; for tests.
const CUT: i32 = 86;

/// What holds for the checkpoints of all pipelines of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where they are.
    pub dir: PathBuf,
    /// Time from one to the next.
    pub interval: Duration,
    /// Begin anew.
    pub forget: bool,
    /// For tests: a checkpoint behind each chunk, and the process ends behind the first.
    pub cut: bool,
}

impl Settings {
    /// What the command line says; `interval`: unless it says another one.
    pub fn of(args: &RunArgs, interval: Duration) -> Option<Settings> {
        Some(Settings {
            dir: args.checkpoint_dir.clone()?,
            interval: args.checkpoint_interval.unwrap_or(interval),
            forget: args.forget,
            cut: args.checkpoint_cut,
        })
    }
}

/// The checkpoints of one pipeline.
pub struct Checkpoints {
    pace: Mutex<Pace>,
    /// Where the input stands behind chunks with a barrier.
    inputs: Mutex<BTreeMap<u64, Input>>,
    /// Begins to write when there is something.
    idle: Mutex<Option<Writer>>,
    work: Mutex<Option<Sender<Work>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// One behind the last chunk alone, and only if somebody asks for it.
    at_end: bool,
    asked: AtomicBool,
    /// The last one, if it is kept in memory.
    kept: Arc<Mutex<Option<Arc<[u8]>>>>,
    /// Why the last one could not be stored.
    failure: Mutex<Option<String>>,
    /// At least one was stored.
    stored: AtomicBool,
    on_stored: Mutex<Option<OnStored>>,
    /// Which life of the pipeline this is.
    pub incarnation: u64,
}

/// A checkpoint to be stored.
struct Work {
    chunk: u64,
    states: States,
    input: Input,
    outputs: Vec<Output>,
    seen: Vec<Seen>,
    began: Instant,
}

/// Messages by packet id and fingerprint.
pub type Seen = Vec<(u16, u64)>;

/// Told of every checkpoint that is stored, by its chunk.
pub type OnStored = Box<dyn Fn(u64) + Send + Sync>;

/// What a run goes on from.
pub struct Resumed {
    /// For the engine.
    pub start: Start,
    /// Where the input stands.
    pub input: Input,
    /// How long outputs are that are files.
    pub outputs: Vec<Output>,
    /// For each client of [`LivePosition::clients`] what it had taken in.
    pub seen: Vec<Seen>,
}

/// The writer's own.
struct Writer {
    shelf: Shelf,
    program: Program,
    pipeline: String,
    incarnation: u64,
    output: Option<Arc<StandardOutput>>,
    cut: bool,
    talk: Talk,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resumed {
    /// How long the output of this path is; empty: standard output.
    pub fn output(&self, path: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.path == path)
    }
}

impl Checkpoints {
    /// Opens the checkpoints of a pipeline, and says what the run goes on from.
    pub fn open(
        settings: &Settings,
        pipeline: &str,
        plan: &Plan,
        output: Arc<StandardOutput>,
        talk: &Talk,
    ) -> Result<(Arc<Checkpoints>, Option<Resumed>), String> {
        let store = Store::open(&settings.dir, pipeline)?;
        let program = Program::of(plan);
        let mut incarnation = 0;
        if settings.forget {
            store.clear()?;
            incarnation = wall_clock().unsigned_abs();
        }
        let found = store.newest()?;
        found.damaged.iter().for_each(|line| talk.say(&format!("{pipeline}: {line}; going back to the one before")));
        let resumed = match found.checkpoint {
            None => {
                talk.say(&format!("{pipeline}: no checkpoint in {}: begins anew", store.folder().display()));
                None
            }
            Some(checkpoint) => {
                incarnation = checkpoint.manifest.incarnation;
                Some(resume(&program, checkpoint, pipeline, talk)?)
            }
        };
        let writer = Writer {
            shelf: Shelf::Folder(store),
            program,
            pipeline: pipeline.into(),
            incarnation,
            output: Some(output),
            cut: settings.cut,
            talk: talk.clone(),
        };
        let interval = (!settings.cut).then_some(settings.interval);
        let checkpoints = Checkpoints::new(Some(Pace::new(interval, Instant::now())), writer, Arc::default());
        checkpoints.begin_to_write()?;
        Ok((checkpoints, resumed))
    }

    /// One checkpoint behind the last chunk, if it is asked for, kept in memory; and what a pipeline goes on from that was
    /// released so.
    pub fn at_end(
        pipeline: &str,
        incarnation: u64,
        plan: &Plan,
        released: Option<&[u8]>,
        talk: &Talk,
    ) -> Result<(Arc<Checkpoints>, Option<Resumed>), String> {
        let program = Program::of(plan);
        let resumed = match released {
            None => None,
            Some(bytes) => {
                let checkpoint = Checkpoint::read(bytes).map_err(|reason| format!("its state: {reason}"))?;
                Some(resume(&program, checkpoint, pipeline, talk)?)
            }
        };
        let kept: Arc<Mutex<Option<Arc<[u8]>>>> = Arc::default();
        let writer = Writer {
            shelf: Shelf::Memory(kept.clone()),
            program,
            pipeline: pipeline.into(),
            incarnation,
            output: None,
            cut: false,
            talk: talk.clone(),
        };
        Ok((Checkpoints::new(None, writer, kept), resumed))
    }

    /// Without a pace: one at the end.
    fn new(pace: Option<Pace>, writer: Writer, kept: Arc<Mutex<Option<Arc<[u8]>>>>) -> Arc<Checkpoints> {
        let (at_end, incarnation) = (pace.is_none(), writer.incarnation);
        Arc::new(Checkpoints {
            pace: Mutex::new(pace.unwrap_or_else(|| Pace::new(None, Instant::now()))),
            inputs: Mutex::default(),
            idle: Mutex::new(Some(writer)),
            work: Mutex::default(),
            writer: Mutex::default(),
            at_end,
            asked: AtomicBool::new(false),
            kept,
            failure: Mutex::default(),
            stored: AtomicBool::new(false),
            on_stored: Mutex::default(),
            incarnation,
        })
    }

    /// Starts the thread that writes, if it was not started before.
    fn begin_to_write(self: &Arc<Checkpoints>) -> Result<(), String> {
        let Some(writer) = lock(&self.idle).take() else { return Ok(()) };
        let (work, queue) = channel();
        *lock(&self.work) = Some(work);
        let of_writer = Arc::downgrade(self);
        let run = move || writer.run(&queue, &of_writer);
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(run);
        *lock(&self.writer) = Some(thread.map_err(|error| format!("cannot start a thread: {error}"))?);
        Ok(())
    }

    /// Is there one behind the last chunk alone?
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Asks for one behind the last chunk.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Shall the last chunk have a barrier?
    pub fn is_wanted_at_end(&self) -> bool {
        !self.at_end || self.asked.load(Ordering::Acquire)
    }

    /// The one that was asked for, once it is there.
    pub fn kept(&self) -> Option<Arc<[u8]>> {
        lock(&self.kept).clone()
    }

    /// Shall the next chunk have a barrier?
    pub fn is_due(&self) -> bool {
        lock(&self.pace).due_in(Instant::now()) == Some(Duration::ZERO)
    }

    /// A chunk with a barrier is cut.
    pub fn begin(&self) {
        lock(&self.pace).begin();
    }

    /// Where the input stands behind a chunk with a barrier; before the chunk is through.
    pub fn stand(&self, chunk: u64, input: Input) {
        lock(&self.inputs).insert(chunk, input);
    }

    /// In how long the next chunk with a barrier is due; `None` while one is under way, or if none is due by time.
    pub fn due_in(&self) -> Option<Duration> {
        if self.at_end {
            return None;
        }
        lock(&self.pace).due_in(Instant::now())
    }

    /// Calls this for every checkpoint that is stored.
    pub fn on_stored(&self, told: OnStored) {
        *lock(&self.on_stored) = Some(told);
    }

    /// Takes back where the input stands behind a chunk, to say more of it.
    pub fn take_stand(&self, chunk: u64) -> Option<Input> {
        lock(&self.inputs).remove(&chunk)
    }

    /// A chunk with a barrier is through, and all outputs are out.
    pub fn store(self: &Arc<Checkpoints>, chunk: u64, states: States, outputs: Vec<Output>, seen: Vec<Seen>) {
        let Some(input) = lock(&self.inputs).remove(&chunk) else { return };
        let work = Work { chunk, states, input, outputs, seen, began: Instant::now() };
        if let Err(message) = self.begin_to_write() {
            *lock(&self.failure) = Some(message);
        }
        if let Some(queue) = &*lock(&self.work) {
            // The writer ends after this queue has.
            _ = queue.send(work);
        }
    }

    /// Waits until all that was begun is stored; why the last one is not, if so.
    pub fn finish(&self) -> Result<(), String> {
        *lock(&self.work) = None;
        if let Some(writer) = lock(&self.writer).take() {
            writer.join().map_err(|_| "the thread that writes checkpoints has failed")?;
        }
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }

    /// Was one stored by this run?
    pub fn has_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }
}

fn resume(program: &Program, checkpoint: Checkpoint, pipeline: &str, talk: &Talk) -> Result<Resumed, String> {
    let manifest = checkpoint.manifest.clone();
    let age = Duration::from_nanos((wall_clock() - manifest.written).max(0).unsigned_abs());
    let place = match &manifest.input {
        Input::File(at) => format!("{} from byte {}", at.path, at.offset),
        Input::Live(_) => "behind the messages that it covers".into(),
    };
    let seen = checkpoint.attachments.iter().map(|bytes| seen(bytes)).collect();
    talk.say(&format!("{pipeline}: goes on from checkpoint {}, {} old: {place}", manifest.chunk, shown(age)));
    let (states, lines) = program.take_over(checkpoint).map_err(|reason| format!("{pipeline}: {reason}"))?;
    lines.iter().for_each(|line| talk.say(&format!("{pipeline}:   {line}")));
    let start = Start { chunk: manifest.chunk + 1, states: Arc::new(states), sources: None };
    Ok(Resumed { start, input: manifest.input, outputs: manifest.outputs, seen })
}

/// Bytes of a message in an attachment.
const SEEN_BYTES: usize = 10;

fn seen_bytes(seen: &Seen) -> Vec<u8> {
    seen.iter().flat_map(|(id, print)| id.to_le_bytes().into_iter().chain(print.to_le_bytes())).collect()
}

fn seen(bytes: &[u8]) -> Seen {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    bytes.chunks_exact(SEEN_BYTES).map(|one| (number(&one[..2]) as u16, number(&one[2..]))).collect()
}

/// `850 ms`, `12 s`, `3 h`.
fn shown(age: Duration) -> String {
    match age.as_secs() {
        0 => format!("{} ms", age.as_millis()),
        s if s < 600 => format!("{s} s"),
        s if s < 36_000 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

impl Writer {
    fn run(self, queue: &Receiver<Work>, checkpoints: &std::sync::Weak<Checkpoints>) {
        for work in queue {
            let began = work.began;
            let chunk = work.chunk;
            let ended = match &work.input {
                Input::File(at) => at.ended,
                Input::Live(at) => at.ended,
            };
            let written = self.write(work);
            if self.cut && written.is_ok() && !ended {
                std::process::exit(CUT);
            }
            let Some(checkpoints) = checkpoints.upgrade() else { return };
            let failure = written.err().map(|error| format!("{}: cannot store a checkpoint: {error}", self.pipeline));
            if let Some(message) = &failure {
                self.talk.say(&format!("{message}; trying again"));
            } else {
                checkpoints.stored.store(true, Ordering::Release);
                if let Some(told) = &*lock(&checkpoints.on_stored) {
                    told(chunk);
                }
            }
            *lock(&checkpoints.failure) = failure;
            lock(&checkpoints.pace).done(Instant::now(), began.elapsed());
        }
    }

    fn write(&self, work: Work) -> std::io::Result<()> {
        let mut states: Vec<State> = Vec::new();
        let operators = work.states.into_iter().filter_map(|(node, state)| {
            let mut operator = self.program.operators.get(&node)?.clone();
            (operator.version, operator.parts) = (state.version, format::parts(&state));
            states.push(state);
            Some(operator)
        });
        let operators = operators.collect();
        let input = match work.input {
            Input::File(at) => Input::File(at.sealed()?),
            live @ Input::Live(_) => live,
        };
        let attachments: Vec<Vec<u8>> = work.seen.iter().map(seen_bytes).collect();
        let manifest = Manifest {
            format: FORMAT,
            build: env!("CARGO_PKG_VERSION").into(),
            pipeline: self.pipeline.clone(),
            incarnation: self.incarnation,
            chunk: work.chunk,
            written: wall_clock(),
            key_hash: hash_check(),
            program: self.program.id,
            input,
            outputs: work.outputs,
            operators,
            attachments: attachments.iter().map(|bytes| format::attachment(bytes)).collect(),
        };
        if let Some(output) = &self.output {
            output.sync()?;
        }
        self.shelf.put(&Checkpoint { manifest, states, attachments })
    }
}

/// Nanoseconds since 1970.
fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
