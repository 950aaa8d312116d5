//! What is under way between sources and sinks: the messages of each chunk, and when they may be acknowledged.
//!
//! ```text
//!   intake ──open──> Progress <──completed── host
//!   sinks ──confirmed───┘ └──acknowledge──> sources
//! ```
//! Invariant: a source hears of a message only when its chunk is through and all outputs that it caused are confirmed or
//! written off as dead letters, and, in a run with checkpoints, when one that covers it is stored.

use super::acks::{Acks, Tag};
use super::messages::MessageSource;
use crate::run::checkpoint::{Checkpoints, Seen};
use rarog_connectors::mqtt::{Message, Receipt};
use rarog_dataflow::rt::DeadRecord;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What the records of a chunk came from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Messages, in order; some may not have become records.
    Messages(Arc<Vec<Message>>),
    /// A source with positions.
    Positions,
    /// Nothing: the chunk says only that time has passed.
    Time,
}

/// Names a message towards its source: index of the inlet, receipt.
type Named = (u32, Receipt);

type Task = Box<dyn FnOnce() + Send>;

/// What a run with checkpoints holds back.
#[derive(Default)]
struct Held {
    /// Messages of chunks that no stored checkpoint covers, in order; `None`: they are not held back.
    receipts: Option<VecDeque<(u64, Vec<Named>)>>,
    /// What is to be done when the chunks up to one are done with.
    tasks: VecDeque<(u64, Task)>,
    /// By inlet, the last message up to a chunk with a barrier.
    taken: BTreeMap<u64, Vec<Receipt>>,
}

#[derive(Default)]
struct Inner {
    acks: Acks<Named>,
    /// With checkpoints.
    held: Option<Held>,
    /// Of the chunks that are not completed, in order: number, inlet, origin.
    origins: VecDeque<(u64, u32, Origin)>,
}

/// See the module's head.
#[derive(Default)]
pub struct Progress {
    inner: Mutex<Inner>,
    /// By inlet; set once they are open.
    sources: OnceLock<Vec<Option<MessageSource>>>,
}

impl Inner {
    /// Tasks whose chunks are done with.
    fn ready(&mut self) -> Vec<Task> {
        let mut ready = Vec::new();
        let Inner { acks, held: Some(held), .. } = self else { return ready };
        while held.tasks.front().is_some_and(|(seq, _)| acks.is_done_up_to(*seq)) {
            ready.extend(held.tasks.pop_front().map(|(_, task)| task));
        }
        ready
    }
}

impl Progress {
    /// Nothing is under way, and the first chunk will have this number. With checkpoints now and then acknowledgements wait for
    /// [`Progress::stored`].
    pub fn starting_at(chunk: u64, checkpoints: Option<&Checkpoints>) -> Progress {
        let receipts = |checkpoints: &Checkpoints| (!checkpoints.is_at_end()).then(VecDeque::new);
        let held = checkpoints.map(|checkpoints| Held { receipts: receipts(checkpoints), ..Held::default() });
        let inner = Inner { acks: Acks::starting_at(chunk), held, origins: VecDeque::new() };
        Progress { inner: Mutex::new(inner), sources: OnceLock::new() }
    }

    /// Does this when all chunks up to one are through and their outputs confirmed; with checkpoints.
    pub fn when_done(&self, seq: u64, task: Task) {
        let ready = {
            let mut inner = self.lock();
            inner.held.get_or_insert_default().tasks.push_back((seq, task));
            inner.ready()
        };
        ready.into_iter().for_each(|task| task());
    }

    /// A checkpoint behind this chunk is stored: what it covers is acknowledged.
    pub fn stored(&self, seq: u64) {
        let mut covered: Vec<Named> = Vec::new();
        if let Some(Held { receipts: Some(receipts), .. }) = &mut self.lock().held {
            while receipts.front().is_some_and(|(chunk, _)| *chunk <= seq) {
                covered.extend(receipts.pop_front().into_iter().flat_map(|(_, receipts)| receipts));
            }
        }
        self.send(&covered);
    }

    /// By inlet, the last message up to a chunk with a barrier.
    pub fn taken(&self, seq: u64, taken: Vec<Receipt>) {
        if let Some(held) = &mut self.lock().held {
            held.taken.insert(seq, taken);
        }
    }

    /// By inlet, the messages up to a chunk with a barrier as a later process recognises them; once.
    pub fn seen(&self, seq: u64) -> Vec<Seen> {
        let until = self.lock().held.as_mut().and_then(|held| held.taken.remove(&seq)).unwrap_or_default();
        let sources = self.sources.get().map_or(&[][..], Vec::as_slice);
        let of = |(source, until): (&Option<MessageSource>, &Receipt)| match source {
            Some(MessageSource::Mqtt(source)) => source.seen(*until),
            // Whoever posts keeps what is not answered, and knows what was.
            Some(MessageSource::Http(_)) | None => Vec::new(),
        };
        sources.iter().zip(&until).map(of).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sources to acknowledge to, by inlet.
    pub fn connect(&self, sources: Vec<Option<MessageSource>>) {
        // Set once, when the pipeline starts; a second set has no meaning.
        _ = self.sources.set(sources);
    }

    /// A chunk is cut; chunks are cut in order.
    pub fn open(&self, seq: u64, inlet: u32, origin: Origin) {
        let receipts: Vec<Named> = match &origin {
            Origin::Messages(messages) => messages.iter().map(|message| (inlet, message.receipt)).collect(),
            Origin::Positions | Origin::Time => Vec::new(),
        };
        let mut inner = self.lock();
        if let Some(Held { receipts: Some(held), .. }) = &mut inner.held {
            held.push_back((seq, receipts.clone()));
        }
        inner.acks.open(seq, receipts);
        inner.origins.push_back((seq, inlet, origin));
    }

    /// These messages of a chunk (indices, rising) did not become records.
    pub fn refused(&self, seq: u64, indices: Vec<u32>) {
        self.lock().acks.refused(seq, indices);
    }

    /// What the oldest chunk that is not completed came from; for the host, who completes chunks in order.
    pub fn origin(&self) -> Origin {
        self.lock().origins.front().map_or(Origin::Time, |(_, _, origin)| origin.clone())
    }

    /// The inlet that an unusable record came in by, and the topic if it was a message.
    pub fn place(&self, dead: &DeadRecord) -> Option<(usize, Option<Arc<str>>)> {
        let inner = self.lock();
        let (_, inlet, origin) = inner.origins.iter().find(|(seq, _, _)| *seq == dead.chunk)?;
        match origin {
            Origin::Messages(messages) => {
                // What an operator met had become a record; else it is counted among the messages.
                let met = dead.stream.is_some();
                let message = if met { inner.acks.message(dead.chunk, dead.index) } else { dead.index };
                let topic = usize::try_from(message).ok().and_then(|index| messages.get(index));
                Some((*inlet as usize, topic.map(|message| message.topic.clone())))
            }
            Origin::Positions => Some((*inlet as usize, None)),
            Origin::Time => None,
        }
    }

    /// For records of a chunk, the indices of the messages that they came from.
    pub fn messages(&self, seq: u64, records: &mut [u64]) {
        let inner = self.lock();
        records.iter_mut().for_each(|record| *record = inner.acks.message(seq, *record));
    }

    /// Messages of a chunk (by index) caused outputs: their tags.
    pub fn caused(&self, seq: u64, messages: impl Iterator<Item = u64>) -> Vec<Tag> {
        let mut inner = self.lock();
        messages.map(|message| inner.acks.caused(seq, message)).collect()
    }

    /// The chunk is through and its outputs are counted.
    pub fn completed(&self, seq: u64) {
        let mut done = Vec::new();
        let ready = {
            let mut inner = self.lock();
            inner.origins.pop_front();
            inner.acks.complete(seq, &mut done);
            inner.ready()
        };
        self.acknowledge(&done, ready);
    }

    /// Outputs are confirmed, or written off.
    pub fn confirmed(&self, tags: impl Iterator<Item = Tag>) {
        // What is written off is written before the lock is taken.
        let tags: Vec<Tag> = tags.collect();
        let (done, ready) = {
            let mut inner = self.lock();
            let done: Vec<Named> = tags.into_iter().filter_map(|tag| inner.acks.confirm(tag)).collect();
            (done, inner.ready())
        };
        self.acknowledge(&done, ready);
    }

    /// Outputs that are not confirmed.
    pub fn unconfirmed(&self) -> u64 {
        self.lock().acks.unconfirmed()
    }

    /// What is done is acknowledged, or held until a checkpoint covers it.
    fn acknowledge(&self, done: &[Named], ready: Vec<Task>) {
        let waits = self.lock().held.as_ref().is_some_and(|held| held.receipts.is_some());
        if !waits {
            self.send(done);
        }
        ready.into_iter().for_each(|task| task());
    }

    fn send(&self, done: &[Named]) {
        let sources = self.sources.get().map_or(&[][..], Vec::as_slice);
        for of_inlet in done.chunk_by(|a, b| a.0 == b.0) {
            if let Some(Some(source)) = sources.get(of_inlet[0].0 as usize) {
                source.acknowledge(of_inlet.iter().map(|(_, receipt)| *receipt));
            }
        }
    }
}
