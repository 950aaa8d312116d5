//! Finds the runs of a partition by what they captured: for each *signature* (a list of captured values that conditions
//! compare for equality) a run is listed under the hash of its values, as long as its state has a use for it.
//!
//! Runs whose values merely hash alike are listed together: who finds a run tests its condition all the same. Lists are in
//! the order of entry; who wants that of creation sorts.

use super::buffer::NONE;
use hashbrown::HashTable;

#[derive(Clone, Copy, Debug)]
struct Entry {
    bucket: u32,
    previous: u32,
    next: u32,
}

const NOWHERE: Entry = Entry { bucket: NONE, previous: NONE, next: NONE };

#[derive(Clone, Copy, Debug)]
struct Bucket {
    hash: u64,
    first: u32,
    last: u32,
}

/// The index. An entry's number is `run * signatures + signature`.
#[derive(Debug)]
pub struct Index {
    signatures: usize,
    entries: Vec<Entry>,
    buckets: Vec<Bucket>,
    free: Vec<u32>,
    table: HashTable<u32>,
}

/// The hash under which values of a signature are listed in a partition.
#[inline]
pub fn place(values: u64, signature: usize, partition: u32) -> u64 {
    let which = (u64::from(partition) << 16) ^ signature as u64;
    let mixed = u128::from(values ^ which.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * 0xD6E8_FEB8_6659_FD93_u128;
    (mixed as u64) ^ (mixed >> 64) as u64
}

impl Index {
    /// Nothing is listed.
    pub fn new(signatures: usize) -> Index {
        Index { signatures, entries: Vec::new(), buckets: Vec::new(), free: Vec::new(), table: HashTable::new() }
    }

    fn entry(&self, run: u32, signature: usize) -> u32 {
        run * self.signatures as u32 + signature as u32
    }

    /// Is a run listed under a signature?
    pub fn lists(&self, run: u32, signature: usize) -> bool {
        let entry = self.entry(run, signature);
        self.entries.get(entry as usize).is_some_and(|entry| entry.bucket != NONE)
    }

    /// Lists a run that is not listed under this signature.
    pub fn insert(&mut self, run: u32, signature: usize, hash: u64) {
        let entry = self.entry(run, signature);
        let needed = (run as usize + 1) * self.signatures;
        if self.entries.len() < needed {
            self.entries.resize(needed, NOWHERE);
        }
        let buckets = &mut self.buckets;
        let bucket = match self.table.find(hash, |&bucket| buckets[bucket as usize].hash == hash) {
            Some(&bucket) => bucket,
            None => {
                let new = Bucket { hash, first: NONE, last: NONE };
                let bucket = match self.free.pop() {
                    Some(bucket) => {
                        buckets[bucket as usize] = new;
                        bucket
                    }
                    None => {
                        buckets.push(new);
                        buckets.len() as u32 - 1
                    }
                };
                self.table.insert_unique(hash, bucket, |&bucket| buckets[bucket as usize].hash);
                bucket
            }
        };
        let previous = self.buckets[bucket as usize].last;
        self.entries[entry as usize] = Entry { bucket, previous, next: NONE };
        match previous {
            NONE => self.buckets[bucket as usize].first = entry,
            previous => self.entries[previous as usize].next = entry,
        }
        self.buckets[bucket as usize].last = entry;
    }

    /// Takes a run out of a signature's list, if it is there.
    pub fn remove(&mut self, run: u32, signature: usize) {
        let number = self.entry(run, signature);
        let Some(entry) = self.entries.get_mut(number as usize).filter(|entry| entry.bucket != NONE) else { return };
        let Entry { bucket, previous, next } = std::mem::replace(entry, NOWHERE);
        match previous {
            NONE => self.buckets[bucket as usize].first = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NONE => self.buckets[bucket as usize].last = previous,
            next => self.entries[next as usize].previous = previous,
        }
        let Bucket { hash, first, .. } = self.buckets[bucket as usize];
        if first == NONE
            && let Ok(listed) = self.table.find_entry(hash, |&other| other == bucket)
        {
            listed.remove();
            self.free.push(bucket);
        }
    }

    /// Takes a run out of all lists.
    pub fn remove_all(&mut self, run: u32) {
        (0..self.signatures).for_each(|signature| self.remove(run, signature));
    }

    /// Adds the runs that are listed under a hash.
    pub fn find(&self, hash: u64, runs: &mut Vec<u32>) {
        let found = self.table.find(hash, |&bucket| self.buckets[bucket as usize].hash == hash);
        let mut entry = found.map_or(NONE, |&bucket| self.buckets[bucket as usize].first);
        while entry != NONE {
            runs.push(entry / self.signatures as u32);
            entry = self.entries[entry as usize].next;
        }
    }
}
