//! Open runs, listed by partition in the order of their creation.
//!
//! ```text
//! partition "u7":  oldest ─► run 4 ◄─► run 9 ◄─► run 2 ◄─ newest        (numbers are places, not ages)
//! ```
//! Invariant: a partition lives as long as it has runs (the one of a sequence without keys for ever), and a run is in the
//! list of exactly one.

use super::buffer::{Buffer, NONE};
use super::matches::Reported;
use crate::operators::key::KeyColumns;
use hashbrown::HashTable;
use rarog_lang::value::Value;
use std::sync::Arc;

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Order of creation; reported matches are numbered with it.
    pub creation: u64,
    /// Where its first record stood.
    pub began: u64,
    /// Time of its first record.
    pub start: i64,
    /// Time of its last captured record.
    pub last: i64,
    /// Members of an unfinished AND that are filled.
    pub filled: u64,
    /// Index into the automaton's states.
    pub state: u32,
    /// Its partition.
    pub partition: u32,
    /// Counts how often this place was used: who remembers a run by its place sees whether it is still that run.
    pub generation: u32,
    previous: u32,
    next: u32,
    /// Its key, if that looks different from the partition's.
    pub key: Option<Arc<[Value]>>,
}

/// Runs of one key.
#[derive(Debug, Default)]
pub struct Partition {
    hash: u64,
    /// As the first record of its first run has it.
    pub key: Arc<[Value]>,
    /// Number of runs.
    pub runs: usize,
    oldest: u32,
    newest: u32,
    /// Reported matches that may contain others.
    pub reported: Vec<Reported>,
}

/// All runs.
#[derive(Debug)]
pub struct Runs {
    runs: Vec<Run>,
    free: Vec<u32>,
    /// Per run the last captured record of each slot.
    heads: Vec<u32>,
    slots: usize,
    partitions: Vec<Partition>,
    free_partitions: Vec<u32>,
    by_key: HashTable<u32>,
    open: usize,
}

impl Runs {
    /// No runs, which capture into so many slots.
    pub fn new(slots: usize) -> Runs {
        Runs {
            runs: Vec::new(),
            free: Vec::new(),
            heads: Vec::new(),
            slots,
            partitions: Vec::new(),
            free_partitions: Vec::new(),
            by_key: HashTable::new(),
            open: 0,
        }
    }

    /// Number of open runs.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Number of places of runs, free ones included.
    pub fn places(&self) -> usize {
        self.runs.len()
    }

    /// Number of partitions.
    pub fn partitions(&self) -> usize {
        self.by_key.len()
    }

    /// A run.
    #[inline]
    pub fn get(&self, run: u32) -> &Run {
        &self.runs[run as usize]
    }

    /// A run.
    #[inline]
    pub fn get_mut(&mut self, run: u32) -> &mut Run {
        &mut self.runs[run as usize]
    }

    /// The run at this place, if it is still this one.
    pub fn is(&self, run: u32, generation: u32) -> bool {
        self.runs[run as usize].generation == generation
    }

    /// Last captured records of its slots.
    #[inline]
    pub fn heads(&self, run: u32) -> &[u32] {
        &self.heads[run as usize * self.slots..][..self.slots]
    }

    /// Last captured record of a slot.
    pub fn head_mut(&mut self, run: u32, slot: usize) -> &mut u32 {
        &mut self.heads[run as usize * self.slots + slot]
    }

    /// A partition.
    #[inline]
    pub fn partition(&self, partition: u32) -> &Partition {
        &self.partitions[partition as usize]
    }

    /// A partition.
    pub fn partition_mut(&mut self, partition: u32) -> &mut Partition {
        &mut self.partitions[partition as usize]
    }

    /// The partition of the key of a row.
    #[inline]
    pub fn find(&self, keys: &KeyColumns, row: usize) -> Option<u32> {
        let hash = keys.hashes[row];
        let same = |partition: &u32| {
            let partition = &self.partitions[*partition as usize];
            partition.hash == hash && keys.is(row, &partition.key)
        };
        self.by_key.find(hash, same).copied()
    }

    /// A partition of a key that has none.
    pub fn add_partition(&mut self, hash: u64, key: Arc<[Value]>) -> u32 {
        let partition = Partition { hash, key, runs: 0, oldest: NONE, newest: NONE, reported: Vec::new() };
        let id = match self.free_partitions.pop() {
            Some(id) => {
                self.partitions[id as usize] = partition;
                id
            }
            None => {
                self.partitions.push(partition);
                self.partitions.len() as u32 - 1
            }
        };
        let partitions = &self.partitions;
        self.by_key.insert_unique(hash, id, |&other| partitions[other as usize].hash);
        id
    }

    /// Forgets a partition that has no runs. Its key stays until the place is used again.
    pub fn remove_partition(&mut self, partition: u32) {
        let hash = self.partitions[partition as usize].hash;
        if let Ok(entry) = self.by_key.find_entry(hash, |&other| other == partition) {
            entry.remove();
            self.partitions[partition as usize].reported = Vec::new();
            self.free_partitions.push(partition);
        }
    }

    /// Adds the newest run of its partition. Its slots are empty.
    pub fn add(&mut self, run: Run) -> u32 {
        let partition = run.partition;
        let previous = self.partitions[partition as usize].newest;
        let mut run = Run { previous, next: NONE, ..run };
        let id = match self.free.pop() {
            Some(id) => {
                run.generation = self.runs[id as usize].generation;
                self.runs[id as usize] = run;
                self.heads[id as usize * self.slots..][..self.slots].fill(NONE);
                id
            }
            None => {
                self.runs.push(run);
                self.heads.resize(self.runs.len() * self.slots, NONE);
                self.runs.len() as u32 - 1
            }
        };
        match previous {
            NONE => self.partitions[partition as usize].oldest = id,
            previous => self.runs[previous as usize].next = id,
        }
        let partition = &mut self.partitions[partition as usize];
        partition.newest = id;
        partition.runs += 1;
        self.open += 1;
        id
    }

    /// Takes a run out and lets its captures go.
    pub fn remove(&mut self, run: u32, buffer: &mut Buffer) {
        let Run { previous, next, partition, .. } = self.runs[run as usize];
        match previous {
            NONE => self.partitions[partition as usize].oldest = next,
            previous => self.runs[previous as usize].next = next,
        }
        match next {
            NONE => self.partitions[partition as usize].newest = previous,
            next => self.runs[next as usize].previous = previous,
        }
        self.partitions[partition as usize].runs -= 1;
        self.open -= 1;
        for slot in 0..self.slots {
            buffer.release(slot, self.heads[run as usize * self.slots + slot]);
        }
        let ended = &mut self.runs[run as usize];
        ended.generation = ended.generation.wrapping_add(1);
        ended.key = None;
        self.free.push(run);
    }

    /// A copy of a run, the newest of its partition, that shares what it has captured.
    pub fn copy(&mut self, run: u32, creation: u64, buffer: &mut Buffer) -> u32 {
        let copied = Run { creation, ..self.runs[run as usize].clone() };
        let copy = self.add(copied);
        for slot in 0..self.slots {
            let head = self.heads[run as usize * self.slots + slot];
            buffer.share(slot, head);
            self.heads[copy as usize * self.slots + slot] = head;
        }
        copy
    }

    /// Partitions that have runs.
    pub fn all_partitions(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_key.iter().copied()
    }

    /// The oldest run of a partition.
    pub fn oldest(&self, partition: u32) -> Option<u32> {
        let oldest = self.partitions[partition as usize].oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// Runs of a partition in order of creation.
    pub fn of_partition(&self, partition: u32) -> impl Iterator<Item = u32> + '_ {
        let next = |run: &u32| Some(self.runs[*run as usize].next).filter(|next| *next != NONE);
        std::iter::successors(self.oldest(partition), next)
    }

    /// Key of a run.
    pub fn key(&self, run: u32) -> &Arc<[Value]> {
        let run = self.get(run);
        run.key.as_ref().unwrap_or(&self.partitions[run.partition as usize].key)
    }

    /// Hash of a partition's key.
    pub fn hash(&self, partition: u32) -> u64 {
        self.partitions[partition as usize].hash
    }
}

/// What a new run is made of.
pub struct NewRun {
    /// Order of creation.
    pub creation: u64,
    /// Where its first record stood.
    pub began: u64,
    /// Its time.
    pub time: i64,
    /// First state.
    pub state: u32,
    /// Its partition.
    pub partition: u32,
    /// Its key, if that looks different from the partition's.
    pub key: Option<Arc<[Value]>>,
}

impl From<NewRun> for Run {
    fn from(new: NewRun) -> Run {
        let NewRun { creation, began, time, state, partition, key } = new;
        Run {
            creation,
            began,
            start: time,
            last: time,
            filled: 0,
            state,
            partition,
            key,
            generation: 0,
            previous: NONE,
            next: NONE,
        }
    }
}
