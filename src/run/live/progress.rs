//! What is under way between sources and sinks: the messages of each chunk, and when they may be acknowledged.
//!
//! ```text
//!   intake ──open──> Progress <──completed── host
//!   sinks ──confirmed───┘ └──acknowledge──> sources
//! ```
//! Invariant: a source hears of a message only when its chunk is through and all outputs that it caused are confirmed or
//! written off as dead letters.

use super::acks::{Acks, Tag};
use super::messages::MessageSource;
use rarog_connectors::mqtt::{Message, Receipt};
use rarog_dataflow::rt::DeadRecord;
use std::collections::VecDeque;
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

#[derive(Default)]
struct Inner {
    acks: Acks<Named>,
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

impl Progress {
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
        let receipts = match &origin {
            Origin::Messages(messages) => messages.iter().map(|message| (inlet, message.receipt)).collect(),
            Origin::Positions | Origin::Time => Vec::new(),
        };
        let mut inner = self.lock();
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
        {
            let mut inner = self.lock();
            inner.origins.pop_front();
            inner.acks.complete(seq, &mut done);
        }
        self.acknowledge(&done);
    }

    /// Outputs are confirmed, or written off.
    pub fn confirmed(&self, tags: impl Iterator<Item = Tag>) {
        // What is written off is written before the lock is taken.
        let tags: Vec<Tag> = tags.collect();
        let done: Vec<Named> = {
            let mut inner = self.lock();
            tags.into_iter().filter_map(|tag| inner.acks.confirm(tag)).collect()
        };
        self.acknowledge(&done);
    }

    /// Outputs that are not confirmed.
    pub fn unconfirmed(&self) -> u64 {
        self.lock().acks.unconfirmed()
    }

    fn acknowledge(&self, done: &[Named]) {
        let sources = self.sources.get().map_or(&[][..], Vec::as_slice);
        for of_inlet in done.chunk_by(|a, b| a.0 == b.0) {
            if let Some(Some(source)) = sources.get(of_inlet[0].0 as usize) {
                source.acknowledge(of_inlet.iter().map(|(_, receipt)| *receipt));
            }
        }
    }
}
