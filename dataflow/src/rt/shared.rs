//! What the peers of one run share: the plan, counters, the way to dead letters and to the host's sinks.

use super::worker::Job;
use crate::batch::{Chunk, Rows};
use crate::operators::Arrivals;
use crate::snapshot::{Snapshot, State, States};
use rarog_lang::plan::{NodeId, Plan};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A record that could not be used, as an operator met it.
#[derive(Clone, Debug)]
pub struct DeadRecord {
    /// `late`, `bad_json`, … (docs/language.md).
    pub reason: &'static str,
    /// The chunk it came in.
    pub chunk: u64,
    /// Index of the record in its chunk, or of the line or message if it never became a record.
    pub index: u64,
    /// Where its line begins, in bytes: in the chunk as the decoder tells, in the input once the intake has added where
    /// the chunk begins. `None`: it is no line, or an operator met it.
    pub position: Option<u64>,
    /// The stream at which it happened, if it got that far.
    pub stream: Option<Arc<str>>,
    /// What is wrong, in words.
    pub detail: String,
    /// The bytes as they came, or the record as JSON.
    pub raw: Vec<u8>,
}

/// Rows that reached an output, for one chunk.
#[derive(Clone, Debug)]
pub struct OutputRows {
    /// The `Emit`, `Send` or `Alert` node.
    pub node: NodeId,
    /// The rows, in the layout of that node.
    pub rows: Rows,
}

/// A chunk all of whose effects have reached the collector.
pub struct Completed {
    /// The chunk.
    pub chunk: Arc<Chunk>,
    /// Per output node that had rows, in the order of the plan.
    pub outputs: Vec<OutputRows>,
    /// Behind a barrier: the states of all operators that have one.
    pub states: Option<States>,
}

/// What the program around the engine provides.
pub trait Host: Send + Sync {
    /// A chunk is through: called in the order of chunks, by one thread.
    fn completed(&self, completed: Completed);
    /// A record is unusable. Called by any thread, before the chunk's `completed`.
    fn dead(&self, record: DeadRecord);
    /// A line for stderr (`print`).
    fn print(&self, line: String);
    /// A log entry (`log`): level and text.
    fn log(&self, level: &str, line: String);
}

/// Rows in and out of one stream.
#[derive(Debug, Default)]
pub struct StreamCounts {
    /// Rows that its last node gave.
    pub out: AtomicU64,
    /// Alerts raised.
    pub alerts: AtomicU64,
}

/// Counters of a run.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records accepted.
    pub records: AtomicU64,
    /// Records of types that nobody reads.
    pub no_reader: AtomicU64,
    /// Live records with times before 2000.
    pub early: AtomicU64,
    /// Late records.
    pub late: AtomicU64,
    /// Windows, sessions and incomplete count windows that were open when the run was stopped.
    pub discarded: AtomicU64,
    /// Runs of sequences that were dropped because their key had more than `max_runs`.
    pub run_dropped: AtomicU64,
    /// By stream of the plan.
    pub streams: Vec<StreamCounts>,
}

/// Shared by all peers of a run.
pub struct Shared {
    /// What runs.
    pub plan: Arc<Plan>,
    /// Where results go.
    pub host: Arc<dyn Host>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// In which order rows arrive where several nodes are read.
    pub(crate) arrivals: OnceLock<Arrivals>,
    /// First failure of an operator; the run ends with it.
    failure: Mutex<Option<String>>,
    failed: AtomicBool,
    through: AtomicBool,
    /// Counted up when this pipeline fails or comes through.
    changes: Arc<AtomicU64>,
    /// Where the run begins.
    pub(crate) start: Start,
    /// What operators have written behind barriers, by chunk and node; each of its peers has a part.
    snapshots: Mutex<BTreeMap<u64, BTreeMap<NodeId, Vec<Snapshot>>>>,
    /// Chunks under way.
    under_way: AtomicU64,
    /// Wake the sources when a chunk is through.
    wakers: Mutex<Vec<Waker>>,
}

type Waker = Box<dyn Fn() + Send + Sync>;

/// Where a run begins: at its beginning by default, else behind a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Number of the first chunk.
    pub chunk: u64,
    /// States to take over. Operators without one begin without anything.
    pub states: Arc<States>,
    /// For each source the one that it was when the states were written; `None`: they are the same.
    pub sources: Option<Arc<Vec<Option<u32>>>>,
}

impl Shared {
    /// State of a new run.
    pub(crate) fn new(job: Job, changes: Arc<AtomicU64>) -> Shared {
        let Job { plan, host, counters, start, .. } = job;
        Shared {
            plan,
            host,
            counters,
            arrivals: OnceLock::new(),
            start,
            snapshots: Mutex::default(),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            through: AtomicBool::new(false),
            changes,
            under_way: AtomicU64::new(0),
            wakers: Mutex::new(Vec::new()),
        }
    }

    /// An operator has written down its state behind a chunk, at one of its peers.
    pub(super) fn put_snapshot(&self, chunk: u64, node: NodeId, snapshot: Snapshot) {
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.entry(chunk).or_default().entry(node).or_default().push(snapshot);
    }

    /// The states behind a chunk that is through: then every operator has applied it.
    pub(super) fn take_states(&self, chunk: u64) -> States {
        let parts = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).remove(&chunk);
        parts.into_iter().flatten().map(|(node, parts)| (node, State::of(parts))).collect()
    }

    /// Windows that were open when an operator ended.
    pub(super) fn discarded(&self, open: u64) {
        self.counters.discarded.fetch_add(open, Ordering::Relaxed);
    }

    /// May another chunk be cut? If so it counts as under way.
    pub(super) fn take_credit(&self, limit: u64) -> bool {
        let more = |under_way: u64| (under_way < limit).then_some(under_way + 1);
        self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// A chunk is through, or there was none to cut.
    pub(super) fn return_credit(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
    }

    /// A chunk is through: the sources may go on.
    pub(super) fn chunk_through(&self) {
        self.return_credit();
        self.wake_sources();
    }

    fn wake_sources(&self) {
        for wake in self.wakers.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
            wake();
        }
    }

    /// Calls this when a chunk is through.
    pub(super) fn on_credit(&self, wake: Waker) {
        self.wakers.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(wake);
    }

    /// Everything that came in has reached the collector, and nothing follows.
    pub(super) fn come_through(&self) {
        self.through.store(true, Ordering::Release);
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Has it?
    pub(super) fn is_through(&self) -> bool {
        self.through.load(Ordering::Acquire)
    }

    /// Runs a part of the graph. A panic in it fails this pipeline and leaves its neighbours on the thread alone.
    pub(super) fn guard<R>(&self, what: impl FnOnce() -> String, part: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(part)) {
            Ok(result) => Some(result),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()));
                self.fail(format!("{} failed: {}", what(), text.unwrap_or_else(|| "it panicked".into())));
                None
            }
        }
    }

    /// Has an operator of this pipeline failed?
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Marks the pipeline as failed; the first reason is kept.
    pub fn fail(&self, reason: String) {
        let mut failure = self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        failure.get_or_insert(reason);
        self.failed.store(true, Ordering::Release);
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_sources();
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}
