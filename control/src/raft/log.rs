//! The durable log of a Raft node: entries, vote, what is committed and what was purged.
//!
//! Everything is in memory as well, so reading never waits for the disk. Invariants: entries are without gaps; what was
//! reported to openraft as stored is there after a power cut; a purge comes after the snapshot that makes it harmless.

use super::journal::{self, Done, Flush, JournalError, Writer};
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::seams::Disk;
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Name of the file.
pub(super) const LOG: &str = "raft.log";

/// Bytes of entries that are sent to another node at once.
const BATCH_LIMIT_BYTES: usize = 8 << 20;

/// What is in the file.
#[derive(Serialize, Deserialize)]
enum Record {
    Entry(Entry),
    Vote(Vote),
    Committed(Option<LogId>),
    /// Entries behind this one are not valid any more.
    TruncateAfter(Option<LogId>),
    /// Entries up to this one are in a snapshot.
    Purged(LogId),
}

/// See the module's head. Clones are the same log.
#[derive(Clone)]
pub(super) struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    memory: Mutex<Memory>,
    writer: Writer,
}

#[derive(Default)]
struct Memory {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Stored>,
}

struct Stored {
    entry: Entry,
    bytes: usize,
}

impl Log {
    /// Opens the log of a disk; a new one is empty.
    pub(super) fn open(disk: Arc<dyn Disk>, flush: Flush) -> Result<Log, JournalError> {
        let mut memory = Memory::default();
        for frame in journal::read(&*disk, LOG)? {
            memory.replay(&frame.payload).map_err(|what| JournalError::Damaged {
                place: format!("{}/{LOG}", disk.place()),
                offset: frame.offset,
                what,
            })?;
        }
        let place = disk.place();
        let writer = Writer::new(disk, LOG, flush).map_err(|source| JournalError::Io { place, source })?;
        Ok(Log { shared: Arc::new(Shared { memory: Mutex::new(memory), writer }) })
    }

    /// Has this node neither entries nor a vote, so that nobody can rely on what it has said?
    pub(super) fn is_blank(&self) -> bool {
        let memory = self.memory();
        memory.vote.is_none() && memory.last().is_none()
    }

    /// Has any leader added something to it? The first entry names the first members, and is there before.
    pub(super) fn has_led(&self) -> bool {
        self.memory().last().is_some_and(|last| last.index > 0)
    }

    /// Bytes of all entries behind a position.
    pub(super) fn bytes_after(&self, position: Option<&LogId>) -> usize {
        let first = position.map_or(0, |position| position.index + 1);
        self.memory().entries.range(first..).map(|(_, stored)| stored.bytes).sum()
    }

    /// All entries behind a position.
    pub(super) fn entries_after(&self, position: Option<&LogId>) -> Vec<Entry> {
        let first = position.map_or(0, |position| position.index + 1);
        self.memory().entries.range(first..).map(|(_, stored)| stored.entry.clone()).collect()
    }

    /// Forgets all entries, as if they were in a snapshot up to this position, and keeps the vote.
    pub(super) async fn reset(&self, purged: LogId) -> io::Result<()> {
        self.change(|memory, writer, done| {
            let vote = memory.vote;
            *memory = Memory { vote, committed: Some(purged), purged: Some(purged), ..Memory::default() };
            memory.rewrite(writer, done)
        })
        .await
    }

    /// Forgets everything.
    pub(super) async fn clear(&self) -> io::Result<()> {
        self.change(|memory, writer, done| {
            *memory = Memory::default();
            memory.rewrite(writer, done)
        })
        .await
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and waits until that is durable.
    async fn change(&self, change: impl FnOnce(&mut Memory, &Writer, Done) -> io::Result<()>) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        // Whoever does not wait any more does not want to know.
        let done: Done = Box::new(move |result| drop(sender.send(result)));
        change(&mut self.memory(), &self.shared.writer, done)?;
        receiver.await.unwrap_or_else(|_| Err(io::Error::other("the thread that writes the log has ended")))
    }
}

impl Memory {
    fn last(&self) -> Option<LogId> {
        self.entries.last_key_value().map(|(_, stored)| stored.entry.log_id).or(self.purged)
    }

    /// Applies the records of a frame that was read.
    fn replay(&mut self, mut payload: &[u8]) -> Result<(), String> {
        while !payload.is_empty() {
            let before = payload.len();
            let (record, rest) = postcard::take_from_bytes(payload).map_err(|error| format!("no record: {error}"))?;
            payload = rest;
            match record {
                Record::Entry(entry) => self.push(entry, before - rest.len())?,
                Record::Vote(vote) => self.vote = Some(vote),
                Record::Committed(committed) => self.committed = committed,
                Record::TruncateAfter(last) => self.truncate_after(last.as_ref()),
                Record::Purged(purged) => self.purge(purged),
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry, bytes: usize) -> Result<(), String> {
        let index = entry.log_id.index;
        let expected = self.last().map_or(0, |last| last.index + 1);
        if index != expected {
            return Err(format!("entry {index} follows where {expected} is to follow"));
        }
        self.entries.insert(index, Stored { entry, bytes });
        Ok(())
    }

    fn truncate_after(&mut self, last: Option<&LogId>) {
        self.entries.split_off(&last.map_or(0, |last| last.index + 1));
    }

    fn purge(&mut self, purged: LogId) {
        self.entries = self.entries.split_off(&(purged.index + 1));
        self.purged = self.purged.max(Some(purged));
    }

    /// Writes the file anew with what is in memory.
    fn rewrite(&self, writer: &Writer, done: Done) -> io::Result<()> {
        let mut records = Vec::new();
        if let Some(purged) = self.purged {
            encode(&Record::Purged(purged), &mut records)?;
        }
        if let Some(vote) = self.vote {
            encode(&Record::Vote(vote), &mut records)?;
        }
        for stored in self.entries.values() {
            encode(&Record::Entry(stored.entry.clone()), &mut records)?;
        }
        encode(&Record::Committed(self.committed), &mut records)?;
        writer.rewrite(records, Some(done));
        Ok(())
    }
}

/// Adds a record; gives its length.
fn encode(record: &Record, records: &mut Vec<u8>) -> io::Result<usize> {
    let before = records.len();
    *records = postcard::to_extend(record, std::mem::take(records)).map_err(io::Error::other)?;
    Ok(records.len() - before)
}

impl RaftLogReader<TypeConfig> for Log {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<Entry>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let is_empty = match (range.start_bound(), range.end_bound()) {
            (Bound::Included(start), Bound::Excluded(end)) => start >= end,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            _ => false,
        };
        if is_empty {
            return Ok(Vec::new());
        }
        Ok(self.memory().entries.range(range).map(|(_, stored)| stored.entry.clone()).collect())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let memory = self.memory();
        let mut bytes = 0;
        let fitting = memory.entries.range(start..end.max(start)).take_while(|(index, stored)| {
            bytes += stored.bytes;
            **index == start || bytes <= BATCH_LIMIT_BYTES
        });
        Ok(fitting.map(|(_, stored)| stored.entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.memory().vote)
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let memory = self.memory();
        Ok(LogState { last_purged_log_id: memory.purged, last_log_id: memory.last() })
    }

    async fn get_log_reader(&mut self) -> Log {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.change(|memory, writer, done| {
            let mut record = Vec::new();
            encode(&Record::Vote(*vote), &mut record)?;
            memory.vote = Some(*vote);
            writer.append(record, Some(done));
            Ok(())
        })
        .await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let mut memory = self.memory();
        let mut record = Vec::new();
        encode(&Record::Committed(committed), &mut record)?;
        memory.committed = committed;
        // Nobody waits for it: the commit itself is safe in the logs of a majority.
        self.shared.writer.append(record, None);
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        // It may have been recorded before entries that a power cut then took.
        let memory = self.memory();
        Ok(memory.committed.min(memory.last()))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut memory = self.memory();
        let mut records = Vec::new();
        for entry in entries {
            let bytes = encode(&Record::Entry(entry.clone()), &mut records)?;
            memory.push(entry, bytes).map_err(io::Error::other)?;
        }
        self.shared.writer.append(records, Some(Box::new(move |result| callback.io_completed(result))));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.change(|memory, writer, done| {
            let mut record = Vec::new();
            encode(&Record::TruncateAfter(last), &mut record)?;
            memory.truncate_after(last.as_ref());
            writer.append(record, Some(done));
            Ok(())
        })
        .await
    }

    async fn purge(&mut self, purged: LogId) -> io::Result<()> {
        self.change(|memory, writer, done| {
            memory.purge(purged);
            memory.rewrite(writer, done)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
