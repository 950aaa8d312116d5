//! The host of a live run: sends what reaches outputs to sinks, with ids and tags, and prints what is to be printed.
//!
//! Called by the pipeline's thread, which other pipelines share: nothing here waits for a broker. Invariant: a chunk's dead
//! letters and file outputs are written, and its outputs for brokers are counted, before it is reported as completed.

use super::alert::AlertText;
use super::causes::{Firing, Ids};
use super::identity::Identity;
use super::outlet::{OpenOutlet, Reports};
use super::progress::{Origin, Progress};
use super::wiring::Sending;
use crate::run::checkpoint::{self, Checkpoints, Input, StandardOutput};
use crate::run::dead::{DeadFile, Place};
use crate::run::host::RunHost;
use bytes::Bytes;
use rarog_connectors::mqtt::Output;
use rarog_dataflow::batch::phase;
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::rt::{Completed, DeadRecord, Host, OutputRows};
use rarog_dataflow::snapshot::States;
use rarog_lang::plan::{NodeId, Op, Plan};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A node that sends.
struct Sender {
    sending: Sending,
    content: Content,
    firing: Firing,
}

/// What it sends.
enum Content {
    /// The record.
    Record(Encoder),
    /// A message about it.
    Alert(AlertText),
}

/// See the module's head.
pub struct LiveHost {
    senders: Vec<Option<Sender>>,
    outlets: Arc<Vec<OpenOutlet>>,
    reports: Reports,
    progress: Arc<Progress>,
    printer: Arc<RunHost>,
    identity: Identity,
    /// By inlet, the connector that it is of.
    inlet_names: Vec<Arc<str>>,
    /// Records of each source in the chunks before, for sources with positions.
    positions: Mutex<Vec<u64>>,
    sent: AtomicU64,
    dead_file: DeadFile,
    /// Dead letters that may still be in the file's buffer.
    unwritten: AtomicBool,
    /// Something could not be written: nothing is sent or completed any more.
    failed: AtomicBool,
    on_failure: Box<dyn Fn(String) + Send + Sync>,
    storing: Option<Arc<Storing>>,
}

/// What a host is made of.
pub struct Parts<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// How each node sends.
    pub sending: Vec<Option<Sending>>,
    /// Where records go out.
    pub outlets: Arc<Vec<OpenOutlet>>,
    /// What outlets report to.
    pub reports: Reports,
    /// Results and dead letters.
    pub printer: Arc<RunHost>,
    /// The file of dead letters.
    pub dead_file: DeadFile,
    /// Who puts out.
    pub identity: Identity,
    /// By inlet, the connector that it is of.
    pub inlet_names: Vec<Arc<str>>,
    /// Records of each source before the first chunk.
    pub records: Vec<u64>,
    /// Called when a file cannot be written.
    pub on_failure: Box<dyn Fn(String) + Send + Sync>,
    /// Where checkpoints go, if there are any.
    pub storing: Option<Storing>,
}

/// What a host needs for checkpoints.
pub struct Storing {
    /// Where they go.
    pub checkpoints: Arc<Checkpoints>,
    /// Standard output, unless several pipelines share it.
    pub output: Option<Arc<StandardOutput>>,
    /// Files that outputs are appended to.
    pub files: Vec<PathBuf>,
    /// By source, what it reads.
    pub sources: Vec<String>,
    /// By inlet, its client id; empty: it is none of a broker.
    pub clients: Vec<String>,
}

impl Storing {
    /// Brings what is written to the disk; how long it is.
    fn outputs(&self) -> io::Result<Vec<checkpoint::Output>> {
        let mut outputs: Vec<checkpoint::Output> = self.output.iter().filter_map(|output| output.position()).collect();
        for path in &self.files {
            let file = File::open(path)?;
            file.sync_data()?;
            outputs.extend(checkpoint::position(&file, &path.to_string_lossy()));
        }
        Ok(outputs)
    }
}

impl LiveHost {
    /// A host.
    pub fn new(parts: Parts<'_>) -> LiveHost {
        let Parts {
            plan,
            sending,
            outlets,
            reports,
            printer,
            dead_file,
            identity,
            inlet_names,
            records,
            on_failure,
            storing,
        } = parts;
        let sender = |(node, sending): (usize, Option<Sending>)| {
            let sending = sending?;
            let layout = &plan.layouts[plan.nodes[node].layout as usize];
            let content = match &plan.nodes[node].op {
                Op::Alert { message, .. } => Content::Alert(AlertText::new(plan, node as NodeId, message)),
                _ => Content::Record(Encoder::new(layout)),
            };
            Some(Sender { sending, content, firing: Firing::of(plan, node as NodeId) })
        };
        LiveHost {
            senders: sending.into_iter().enumerate().map(sender).collect(),
            outlets,
            progress: reports.progress.clone(),
            reports,
            printer,
            identity,
            inlet_names,
            positions: Mutex::new(records),
            sent: AtomicU64::new(0),
            dead_file,
            unwritten: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            on_failure,
            storing: storing.map(Arc::new),
        }
    }

    /// Stores a checkpoint behind a chunk, as soon as all outputs up to it are confirmed.
    fn store(&self, seq: u64, states: States) -> io::Result<()> {
        let Some(storing) = self.storing.clone() else { return Ok(()) };
        let outputs = storing.outputs()?;
        let Some(Input::Live(mut position)) = storing.checkpoints.take_stand(seq) else { return Ok(()) };
        let records = self.positions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((source, name), records) in position.sources.iter_mut().zip(&storing.sources).zip(records) {
            (source.name, source.records) = (name.clone(), records);
        }
        position.clients.clone_from(&storing.clients);
        storing.checkpoints.stand(seq, Input::Live(position));
        let progress = Arc::downgrade(&self.progress);
        let store = move || {
            let seen = progress.upgrade().map(|progress| progress.seen(seq)).unwrap_or_default();
            storing.checkpoints.store(seq, states, outputs, seen);
        };
        self.progress.when_done(seq, Box::new(store));
        Ok(())
    }

    /// Outputs handed to sinks.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Position of a chunk's first record in its source.
    fn position(&self, source: u32, records: usize) -> u64 {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(position) = positions.get_mut(source as usize) else { return 0 };
        let first = *position;
        *position += records as u64;
        first
    }

    fn send(&self, completed: &Completed) -> io::Result<()> {
        let chunk = &completed.chunk;
        let origin = self.progress.origin();
        let first = match origin {
            Origin::Positions => self.position(chunk.source, chunk.clocks.len()),
            Origin::Messages(_) | Origin::Time => 0,
        };
        for of_node in &completed.outputs {
            let Some(sender) = &self.senders[of_node.node as usize] else { continue };
            let mut causes: Vec<u64> = of_node.rows.pos.iter().map(|pos| pos >> phase::BITS).collect();
            match origin {
                Origin::Messages(_) => self.progress.messages(chunk.seq, &mut causes),
                Origin::Positions => causes.iter_mut().for_each(|cause| *cause += first),
                Origin::Time => {}
            }
            let outputs = self.outputs(sender, of_node, (&origin, chunk.source), &causes, chunk.seq);
            self.sent.fetch_add(outputs.len() as u64, Ordering::Relaxed);
            self.outlets[sender.sending.outlet].send(&outputs, &self.reports)?;
        }
        Ok(())
    }

    fn outputs(
        &self,
        sender: &Sender,
        of_node: &OutputRows,
        origin: (&Origin, u32),
        causes: &[u64],
        seq: u64,
    ) -> Vec<Output> {
        let rows = &of_node.rows;
        let tags = self.progress.caused(seq, causes.iter().copied());
        let mut ids = Ids::new(self.identity, (of_node.node, sender.firing), origin, causes);
        let alerts = if let Content::Alert(text) = &sender.content { text.bodies(rows) } else { Vec::new() };
        let mut buffer = Vec::new();
        let output = |(row, tag): (usize, super::acks::Tag)| {
            buffer.clear();
            match &sender.content {
                Content::Record(encoder) => encoder.flat(&mut buffer, rows, row),
                Content::Alert(_) => buffer.extend_from_slice(&alerts[row]),
            }
            Output {
                topic: sender.sending.topic.clone(),
                payload: Bytes::copy_from_slice(&buffer),
                rarog_id: ids.next(rows, row, &buffer).text().into(),
                qos: sender.sending.qos,
                retain: sender.sending.retain,
                tag: tag.number(),
            }
        };
        tags.into_iter().enumerate().map(output).collect()
    }
}

impl Host for LiveHost {
    fn completed(&self, mut completed: Completed) {
        if self.failed.load(Ordering::Acquire) {
            return;
        }
        let seq = completed.chunk.seq;
        let states = completed.states.take();
        let sent = self.send(&completed).map_err(|error| format!("cannot write outputs: {error}"));
        self.printer.completed(completed);
        let written = || if self.unwritten.swap(false, Ordering::AcqRel) { self.dead_file.flush() } else { Ok(()) };
        match sent.and_then(|()| written()) {
            Ok(()) => {
                self.progress.completed(seq);
                if let Some(Err(error)) = states.map(|states| self.store(seq, states)) {
                    self.failed.store(true, Ordering::Release);
                    (self.on_failure)(format!("cannot bring outputs to the disk: {error}"));
                }
            }
            // The chunk's messages are not acknowledged: they come again when there is room on the disk.
            Err(message) => {
                self.failed.store(true, Ordering::Release);
                (self.on_failure)(message);
            }
        }
    }

    fn dead(&self, record: DeadRecord) {
        let place = self.progress.place(&record);
        let place = place.map_or_else(Place::default, |(inlet, topic)| Place {
            connector: self.inlet_names.get(inlet).cloned(),
            topic,
        });
        self.printer.dead_at(&record, &place);
        self.unwritten.store(true, Ordering::Release);
    }

    fn print(&self, line: String) {
        self.printer.print(line);
    }

    fn log(&self, level: &str, line: String) {
        self.printer.log(level, line);
    }
}
