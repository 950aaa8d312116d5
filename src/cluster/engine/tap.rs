//! Stands between the dataflow of a pipeline and its host: counts what comes out and shows it to those who watch.
//!
//! Invariant: the host gets everything, in the same order; nothing here waits.

use super::logs::LogEntry;
use rarog_control::agent::engine::Injected;
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::rt::{Completed, DeadRecord, Host, OutputRows};
use rarog_lang::plan::{Op, Plan};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// See the module's head.
pub struct Tap {
    host: Arc<dyn Host>,
    /// By node; the nodes whose rows are outputs of the pipeline.
    encoders: Vec<Option<Encoder>>,
    log: broadcast::Sender<LogEntry>,
    /// Who it is, for the log of the process.
    name: String,
    out: AtomicU64,
    /// By chunk, who waits for what it causes.
    expected: Mutex<BTreeMap<u64, Waiting>>,
}

/// Takes what a chunk has caused.
pub type Waiting = Box<dyn FnOnce(Vec<Injected>) + Send>;

impl Tap {
    /// Before this host.
    pub fn new(host: Arc<dyn Host>, plan: &Plan, log: broadcast::Sender<LogEntry>, name: String) -> Tap {
        let encoder = |node: &rarog_lang::plan::Node| {
            let is_output = matches!(node.op, Op::Emit | Op::Send { output: true, .. });
            is_output.then(|| Encoder::new(&plan.layouts[node.layout as usize]))
        };
        let encoders = plan.nodes.iter().map(encoder).collect();
        Tap { host, encoders, log, name, out: AtomicU64::new(0), expected: Mutex::default() }
    }

    /// Records put out so far.
    pub fn out(&self) -> u64 {
        self.out.load(Ordering::Relaxed)
    }

    /// Somebody waits for what a chunk will cause.
    pub fn expect(&self, chunk: u64, waiting: Waiting) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(chunk, waiting);
    }

    /// Nothing more will be caused: nobody waits any longer.
    pub fn close(&self) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Who waits for a chunk.
    fn waiting(&self, chunk: u64) -> Option<Waiting> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(&chunk)
    }

    fn entries(&self, OutputRows { node, rows }: &OutputRows) -> Vec<LogEntry> {
        let Some(encoder) = &self.encoders[*node as usize] else { return Vec::new() };
        let mut flat = Vec::new();
        let entry = |row| {
            flat.clear();
            encoder.flat(&mut flat, rows, row);
            LogEntry::of_flat(&flat)
        };
        (0..rows.len()).filter_map(entry).collect()
    }
}

fn injected(entry: LogEntry) -> Injected {
    Injected { event_type: entry.event_type, fields: entry.data }
}

impl Host for Tap {
    fn completed(&self, completed: Completed) {
        let is_output = |output: &&OutputRows| self.encoders[output.node as usize].is_some();
        let outputs = completed.outputs.iter().filter(is_output);
        let count: usize = outputs.clone().map(|output| output.rows.len()).sum();
        self.out.fetch_add(count as u64, Ordering::Relaxed);
        let (waiting, is_watched) = (self.waiting(completed.chunk.seq), self.log.receiver_count() > 0);
        let mut entries = Vec::new();
        if waiting.is_some() || is_watched {
            entries.extend(outputs.flat_map(|output| self.entries(output)));
        }
        if is_watched {
            // The last reader may have gone.
            entries.iter().for_each(|entry| _ = self.log.send(entry.clone()));
        }
        self.host.completed(completed);
        if let Some(waiting) = waiting {
            waiting(entries.into_iter().map(injected).collect());
        }
    }

    fn dead(&self, record: DeadRecord) {
        self.host.dead(record);
    }

    fn print(&self, line: String) {
        tracing::info!(pipeline = %self.name, "{line}");
    }

    fn log(&self, level: &str, line: String) {
        match level {
            "error" => tracing::error!(pipeline = %self.name, "{line}"),
            "warn" => tracing::warn!(pipeline = %self.name, "{line}"),
            "debug" => tracing::debug!(pipeline = %self.name, "{line}"),
            "trace" => tracing::trace!(pipeline = %self.name, "{line}"),
            _ => tracing::info!(pipeline = %self.name, "{line}"),
        }
    }
}
