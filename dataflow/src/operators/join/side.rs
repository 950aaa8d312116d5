//! What a join holds of one input: its records in the order in which they entered, which is one of time, and hash indexes
//! over those that can match.

use super::chains::Chains;
use super::records::{Arrivals, Records};
use super::shape::Inlet;

/// Records that have left are forgotten when there are so many, and more than are left.
const TRIM_ROWS: usize = if cfg!(test) { 8 } else { 1024 };

/// Records of one input. Numbers of rows are valid until [`Side::forget`].
#[derive(Default)]
pub struct Side {
    /// The records; those behind [`Side::entered`] have not entered yet.
    pub records: Records,
    /// For each that has entered its number among all that entered the join.
    pub entered: Vec<u64>,
    /// For each of a kept input: has it matched?
    pub matched: Vec<bool>,
    /// Rows before this one have left.
    pub front: usize,
    indexes: Vec<Chains>,
}

impl Side {
    /// Of an input.
    pub fn new(inlet: &Inlet) -> Side {
        Side {
            records: Records::new(inlet.sources.len(), inlet.classes.len()),
            indexes: vec![Chains::default(); inlet.indexes.len()],
            ..Side::default()
        }
    }

    /// Takes records that will enter, in this order.
    pub fn append(&mut self, arrivals: &Arrivals, rows: &[u32], kept: bool) {
        self.records.append(arrivals, rows);
        if kept {
            self.matched.resize(self.records.len(), false);
        }
    }

    /// The next record enters.
    pub fn enter(&mut self, inlet: &Inlet, number: u64) {
        let row = self.entered.len();
        self.entered.push(number);
        for index in 0..self.indexes.len() {
            if self.indexes[index].is_crowded() {
                self.build(inlet, index, row);
            }
            let hash = inlet.index_hash(&self.records, index, row);
            self.indexes[index].push(hash);
        }
    }

    /// Builds an index over the first rows.
    fn build(&mut self, inlet: &Inlet, index: usize, rows: usize) {
        self.indexes[index].reset(rows.max(self.records.len()) * 2);
        for row in 0..rows {
            let hash = (row >= self.front).then(|| inlet.index_hash(&self.records, index, row)).flatten();
            self.indexes[index].push(hash);
        }
    }

    /// Rows that have entered and may have this hash in an index, the newest first.
    pub fn walk(&self, index: usize, hash: u64) -> impl Iterator<Item = u32> {
        let front = self.front as u32;
        self.indexes[index].walk(hash).take_while(move |row| *row >= front)
    }

    /// The first row at or behind a time.
    pub fn since(&self, time: i64) -> usize {
        self.front + self.records.time[self.front..].partition_point(|other| *other < time)
    }

    /// Forgets records that have left, if that is worth while.
    pub fn forget(&mut self, inlet: &Inlet) {
        if self.front < TRIM_ROWS.max(self.records.len() - self.front) {
            return;
        }
        let left = std::mem::take(&mut self.front);
        self.records.trim(left);
        self.entered.drain(..left);
        self.matched.drain(..left.min(self.matched.len()));
        for index in 0..self.indexes.len() {
            self.build(inlet, index, self.entered.len());
        }
    }
}
