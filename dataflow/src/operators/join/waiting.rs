//! Records that came before the watermark reached their time. They leave in order of (time, arrival).

use super::records::{Arrivals, Records};
use super::shape::Inlet;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Rows of records that have left are dropped when there are so many, and more than are left.
const TRIM_ROWS: usize = if cfg!(test) { 8 } else { 1024 };

/// A record that waits; the order is that in which they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Event time.
    pub time: i64,
    /// Number of its chunk.
    pub chunk: u64,
    /// Position in the chunk.
    pub pos: u64,
    /// Its place among what one record causes in the chunk.
    pub order: u32,
    /// Row among the records of its input.
    pub row: u32,
    /// The input.
    pub input: u32,
}

/// Records of all inputs.
#[derive(Default)]
pub struct Waiting {
    records: Vec<Records>,
    places: BinaryHeap<Reverse<Place>>,
}

impl Waiting {
    /// Of these inputs.
    pub fn new(inlets: &[Inlet]) -> Waiting {
        let records = inlets.iter().map(|inlet| Records::new(inlet.sources.len(), inlet.classes.len())).collect();
        Waiting { records, places: BinaryHeap::new() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes rows of a batch of one input, whose places are these but for the numbers of the rows.
    pub fn push(&mut self, input: usize, arrivals: &Arrivals, rows: &[u32], places: &[Place]) {
        let first = self.records[input].len() as u32;
        self.records[input].append(arrivals, rows);
        self.places.extend(places.iter().zip(first..).map(|(place, row)| Reverse(Place { row, ..*place })));
    }

    /// Lets out what the watermark has reached: the records of each input, and the places of all, in order.
    pub fn release(&mut self, w: i64) -> (Vec<Arrivals>, Vec<Place>) {
        let mut places = Vec::new();
        while self.places.peek().is_some_and(|Reverse(place)| place.time <= w) {
            places.extend(self.places.pop().map(|Reverse(place)| place));
        }
        let arrivals = self.gather(&places);
        if self.places.is_empty() {
            self.records.iter_mut().for_each(|records| records.trim(records.len()));
        } else if self.records.iter().map(Records::len).sum::<usize>() > 2 * self.places.len() + TRIM_ROWS {
            self.compact();
        }
        (arrivals, places)
    }

    /// Where all stand, in order.
    pub fn in_order(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self.places.iter().map(|Reverse(place)| *place).collect();
        places.sort_unstable();
        places
    }

    /// Records of an input, by their rows.
    pub fn records(&self, input: usize) -> &Records {
        &self.records[input]
    }

    /// Takes records over that stood in these places.
    pub fn restore(&mut self, input: usize, records: &Records, places: Vec<Place>) {
        let rows: Vec<u32> = (0..records.len() as u32).collect();
        let place = |place: Place| Place { input: input as u32, ..place };
        let places: Vec<Place> = places.into_iter().map(place).collect();
        self.push(input, &records.gather(&rows), &rows, &places);
    }

    fn gather(&self, places: &[Place]) -> Vec<Arrivals> {
        let mut rows = vec![Vec::new(); self.records.len()];
        places.iter().for_each(|place| rows[place.input as usize].push(place.row));
        self.records.iter().zip(&rows).map(|(records, rows)| records.gather(rows)).collect()
    }

    /// Keeps the rows of what still waits.
    fn compact(&mut self) {
        let mut places = self.in_order();
        let kept = self.gather(&places);
        for (records, arrivals) in self.records.iter_mut().zip(kept) {
            *records = Records::new(records.cells.len(), records.hashes.len());
            records.append(&arrivals, &(0..arrivals.time.len() as u32).collect::<Vec<_>>());
        }
        let mut next = vec![0u32; self.records.len()];
        for place in &mut places {
            let next = &mut next[place.input as usize];
            place.row = *next;
            *next += 1;
        }
        self.places = places.into_iter().map(Reverse).collect();
    }
}
