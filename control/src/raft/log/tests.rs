//! Random histories of a log, cut off by a crash after every write: what was reported as durable is there afterwards.

use super::*;
use crate::model::command::{Change, Command};
use crate::raft::types::Proposal;
use crate::seams::memory::MemoryDisk;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorageExt;
use proptest::prelude::*;

/// What is done to a log.
#[derive(Clone, Debug)]
enum Step {
    /// Adds entries.
    Append(usize),
    /// Votes in the next term.
    Vote,
    /// Notes that this part of the entries is committed, in percent.
    Commit(usize),
    /// Drops this part of the entries behind the committed ones, in percent, and goes on in the next term.
    Truncate(usize),
    /// Drops this part of the committed entries, in percent.
    Purge(usize),
}

/// What a log is to hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: Vec<Entry>,
}

/// A log and what it is to hold.
struct History {
    log: Log,
    term: u64,
    committed: Option<LogId>,
    content: Content,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..5usize).prop_map(Step::Append),
        1 => Just(Step::Vote),
        2 => (0..=100usize).prop_map(Step::Commit),
        1 => (0..=100usize).prop_map(Step::Truncate),
        1 => (0..=100usize).prop_map(Step::Purge),
    ]
}

fn entry(term: u64, index: u64) -> Entry {
    let command = Command { at_ms: index, change: Change::Rebalanced };
    Entry::new(LogId::new_term_index(term, index), EntryPayload::Normal(Proposal(Arc::new(command))))
}

fn content(log: &Log) -> Content {
    let memory = log.memory();
    Content { vote: memory.vote, purged: memory.purged, entries: log_entries(&memory) }
}

fn log_entries(memory: &Memory) -> Vec<Entry> {
    memory.entries.values().map(|stored| stored.entry.clone()).collect()
}

impl History {
    fn new(disk: &Arc<MemoryDisk>) -> Result<History, JournalError> {
        let log = Log::open(disk.clone(), Flush::Inline)?;
        Ok(History { log, term: 1, committed: None, content: Content::default() })
    }

    fn last(&self) -> Option<LogId> {
        self.content.entries.last().map(|entry| entry.log_id).or(self.content.purged)
    }

    /// The position of a part of the entries.
    fn position(&self, from: Option<LogId>, to: Option<LogId>, percent: usize) -> Option<LogId> {
        let within = |entry: &&Entry| Some(entry.log_id) > from && Some(entry.log_id) <= to;
        let positions: Vec<LogId> = self.content.entries.iter().filter(within).map(|entry| entry.log_id).collect();
        let count = positions.len() * percent / 100;
        if count == 0 { from } else { Some(positions[count - 1]) }
    }

    /// What the log is to hold after a step.
    fn after(&mut self, step: &Step) -> Content {
        let mut content = self.content.clone();
        match step {
            Step::Append(count) => {
                let first = self.last().map_or(0, |last| last.index + 1);
                content.entries.extend((0..*count as u64).map(|more| entry(self.term, first + more)));
            }
            Step::Vote => {
                self.term += 1;
                content.vote = Some(Vote::new(self.term, 1));
            }
            Step::Commit(_) => {}
            Step::Truncate(percent) => {
                self.term += 1;
                let last = self.position(self.committed, self.last(), *percent);
                content.entries.retain(|entry| Some(entry.log_id) <= last);
            }
            Step::Purge(percent) => {
                let purged = self.position(content.purged, self.committed, *percent);
                content.entries.retain(|entry| Some(entry.log_id) > purged);
                content.purged = purged;
            }
        }
        content
    }

    /// Does a step; fails with the disk.
    async fn take(&mut self, step: &Step, after: &Content) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let last_after = after.entries.last().map(|entry| entry.log_id).or(after.purged);
        match step {
            Step::Append(_) => {
                let new = after.entries[self.content.entries.len()..].to_vec();
                self.log.blocking_append(new).await.map_err(|error| error.to_string())?;
            }
            Step::Vote => self.log.save_vote(&after.vote.expect("it votes")).await.map_err(failed)?,
            Step::Commit(percent) => {
                self.committed = self.position(self.committed, self.last(), *percent);
                self.log.save_committed(self.committed).await.map_err(failed)?;
            }
            Step::Truncate(_) => self.log.truncate_after(last_after).await.map_err(failed)?,
            Step::Purge(_) => {
                if let Some(purged) = after.purged {
                    self.log.purge(purged).await.map_err(failed)?;
                }
            }
        }
        self.content = after.clone();
        assert_eq!(content(&self.log), self.content, "memory has it as soon as the disk has");
        Ok(())
    }
}

/// Takes the steps until the disk fails; gives what is to be there then, in one of two ways, and what was committed.
async fn take_until_failure(disk: &Arc<MemoryDisk>, steps: &[Step]) -> (Content, Content, Option<LogId>) {
    let Ok(mut history) = History::new(disk) else { return Default::default() };
    for step in steps {
        let after = history.after(step);
        if history.take(step, &after).await.is_err() {
            return (history.content, after, history.committed);
        }
    }
    (history.content.clone(), history.content, history.committed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_durable_is_lost_wherever_a_crash_comes(steps in prop::collection::vec(step(), 1..16), seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no thread is made");
        let whole = Arc::new(MemoryDisk::new());
        runtime.block_on(take_until_failure(&whole, &steps));
        for write in 0..=whole.writes() {
            let disk = Arc::new(MemoryDisk::new());
            disk.fail_at(write);
            let (before, after, committed) = runtime.block_on(take_until_failure(&disk, &steps));
            disk.crash(seed.wrapping_add(write));
            let mut log = Log::open(disk.clone(), Flush::Inline).expect("a crash damages nothing");
            let found = content(&log);
            prop_assert!(found == before || found == after, "{found:?}, not {before:?} or {after:?}");
            let found = runtime.block_on(log.read_committed()).expect("it is in memory");
            prop_assert!(found <= committed);
            // It can be written on, and read once more.
            let last = log.memory().last().map_or(0, |last| last.index + 1);
            runtime.block_on(log.blocking_append([entry(99, last)])).expect("the disk works again");
            let written = content(&log);
            let log = Log::open(disk, Flush::Inline).expect("nothing is damaged");
            prop_assert_eq!(content(&log), written);
        }
    }
}

#[test]
fn both_ways_of_writing_leave_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no thread is made");
    for flush in [Flush::Thread, Flush::Inline] {
        let disk = Arc::new(MemoryDisk::new());
        let mut log = Log::open(disk.clone(), flush).expect("it is new");
        runtime.block_on(async {
            log.save_vote(&Vote::new(1, 2)).await.expect("the disk works");
            log.blocking_append((0..10).map(|index| entry(1, index))).await.expect("the disk works");
            log.truncate_after(Some(LogId::new_term_index(1, 7))).await.expect("the disk works");
            log.save_committed(Some(LogId::new_term_index(1, 5))).await.expect("the disk works");
            log.purge(LogId::new_term_index(1, 3)).await.expect("the disk works");
            log.blocking_append([entry(2, 8)]).await.expect("the disk works");
        });
        let mut log = Log::open(disk, flush).expect("it is whole");
        let indexes: Vec<u64> = log.entries_after(None).iter().map(|entry| entry.log_id.index).collect();
        assert_eq!(indexes, [4, 5, 6, 7, 8]);
        assert_eq!(log.memory().purged, Some(LogId::new_term_index(1, 3)));
        assert_eq!(log.memory().vote, Some(Vote::new(1, 2)));
        let committed = runtime.block_on(log.read_committed()).expect("it is in memory");
        assert_eq!(committed, Some(LogId::new_term_index(1, 5)));
    }
}

#[test]
fn batches_for_other_nodes_have_a_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no thread is made");
    let mut log = Log::open(Arc::new(MemoryDisk::new()), Flush::Inline).expect("it is new");
    let name = "x".repeat(3 << 20);
    let large = |index| {
        let change = Change::RemoveConnector { name: name.clone() };
        let command = Command { at_ms: 0, change };
        Entry::new(LogId::new_term_index(1, index), EntryPayload::Normal(Proposal(Arc::new(command))))
    };
    runtime.block_on(log.blocking_append((0..5).map(large))).expect("the disk works");
    let batch = runtime.block_on(log.limited_get_log_entries(1, 5)).expect("it is in memory");
    assert_eq!(batch.len(), 2);
    assert!(log.bytes_after(Some(&LogId::new_term_index(1, 2))) > 6 << 20);
}

#[test]
fn a_gap_is_damage() {
    let disk = Arc::new(MemoryDisk::new());
    let mut records = Vec::new();
    for index in [0, 2] {
        encode(&Record::Entry(entry(1, index)), &mut records).expect("it can be encoded");
    }
    journal::read(&*disk, LOG).expect("it is new");
    let writer = Writer::new(disk.clone(), LOG, Flush::Inline).expect("no thread is made");
    writer.append(records, Some(Box::new(|result| result.expect("the disk works"))));
    let error = Log::open(disk, Flush::Inline).err().expect("it has a gap").to_string();
    assert!(error.contains("entry 2 follows where 1 is to follow"), "{error}");
}
