//! Records of one input as a join keeps them: the columns that it reads, and what it needs of each record as a whole.

use super::cells::Cells;
use crate::column::Column;
use serde::{Deserialize, Serialize};

/// Records of a batch, ready to be kept.
#[derive(Default)]
pub struct Arrivals {
    /// One per cell of the input.
    pub columns: Vec<Column>,
    /// Event times.
    pub time: Vec<i64>,
    /// Where each stands among all records of the run.
    pub began: Vec<u64>,
    /// For each class that the input has a value in, the hash of it.
    pub hashes: Vec<Vec<u64>>,
}

/// Records that are kept, by row number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Records {
    /// As in [`Arrivals`].
    pub cells: Vec<Cells>,
    /// As in [`Arrivals`].
    pub time: Vec<i64>,
    /// As in [`Arrivals`].
    pub began: Vec<u64>,
    /// As in [`Arrivals`].
    pub hashes: Vec<Vec<u64>>,
}

impl Records {
    /// No records, of so many cells and classes.
    pub fn new(cells: usize, classes: usize) -> Records {
        Records { cells: vec![Cells::default(); cells], hashes: vec![Vec::new(); classes], ..Records::default() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Appends rows of a batch.
    pub fn append(&mut self, arrivals: &Arrivals, rows: &[u32]) {
        for (cells, column) in self.cells.iter_mut().zip(&arrivals.columns) {
            cells.append(column, rows);
        }
        self.time.extend(rows.iter().map(|&row| arrivals.time[row as usize]));
        self.began.extend(rows.iter().map(|&row| arrivals.began[row as usize]));
        for (hashes, more) in self.hashes.iter_mut().zip(&arrivals.hashes) {
            hashes.extend(rows.iter().map(|&row| more[row as usize]));
        }
    }

    /// The records with these numbers, in this order.
    pub fn gather(&self, rows: &[u32]) -> Arrivals {
        Arrivals {
            columns: self.cells.iter().map(|cells| cells.gather(rows)).collect(),
            time: rows.iter().map(|&row| self.time[row as usize]).collect(),
            began: rows.iter().map(|&row| self.began[row as usize]).collect(),
            hashes: self.hashes.iter().map(|all| rows.iter().map(|&row| all[row as usize]).collect()).collect(),
        }
    }

    /// The records with these numbers, on their own.
    pub fn pick(&self, rows: &[u32]) -> Records {
        let mut picked = Records::new(self.cells.len(), self.hashes.len());
        picked.append(&self.gather(rows), &(0..rows.len() as u32).collect::<Vec<_>>());
        picked
    }

    /// Forgets the first records.
    pub fn trim(&mut self, count: usize) {
        self.cells.iter_mut().for_each(|cells| cells.trim(count));
        self.time.drain(..count);
        self.began.drain(..count);
        self.hashes.iter_mut().for_each(|hashes| _ = hashes.drain(..count));
    }
}
