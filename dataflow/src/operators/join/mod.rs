//! Joins (docs/language.md): every combination of records, one of each input, that lie within a window of event time and
//! fulfil a condition.
//!
//! ```text
//! input 0 ─► gate ─┐             ┌► side 0: records by time, hash indexes ◄┐
//! input 1 ─► gate ─┴► (waiting) ─┴► side 1                               ◄─┴─ lookups ─► conditions ─► rows
//! ```
//! A record enters when the watermark has reached its time, in order of (time, arrival), and is combined with those that
//! entered before it; so each combination comes about once, when its last record enters. It leaves when the watermark has
//! passed its time by more than the window, and if it is of a kept side and nothing matched it, that is a row, too. All that
//! is decided by the clock at single records, never by where the input was cut; only the work is done chunk by chunk.

mod cells;
mod chains;
mod classes;
mod formulas;
mod inlets;
mod lookup;
mod records;
mod results;
mod saved;
mod shape;
mod side;
#[cfg(test)]
mod tests;
mod waiting;

pub use classes::join_key;

use super::arrival::Arrival;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::{FOREVER, Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use formulas::Tuples;
use inlets::{Gate, Passed};
use lookup::{Entry, Lookups, Passage};
use rarog_lang::plan::{self, JoinKind};
use results::Results;
use shape::Shape;
use side::Side;
use std::sync::Arc;
use waiting::{Place, Waiting};

/// The operator.
pub struct Join {
    shape: Shape,
    window: i64,
    /// Per input: do unmatched records give rows?
    kept: Vec<bool>,
    arrival: Arc<Arrival>,
    gates: Vec<Gate>,
    waiting: Waiting,
    sides: Vec<Side>,
    lookups: Lookups,
    results: Results,
    watermark: Watermark,
    /// Number of the next record that enters; those that a state was taken over with have 0.
    entered: u64,
}

impl Join {
    /// Lays a join out and compiles what it computes.
    pub fn new(join: &plan::Join, context: &Context) -> Join {
        let inputs = join.names.len();
        let shape = Shape::new(join);
        let kept = |input: usize| match join.kind {
            JoinKind::Inner => false,
            JoinKind::Left => input == 0,
            JoinKind::Right => input == 1,
            JoinKind::Full => true,
        };
        let kept: Vec<bool> = (0..inputs).map(kept).collect();
        let gate = |input: usize| {
            Gate::new(input, join.conditions[input].as_ref(), &shape.inlets[input], kept[input], context)
        };
        Join {
            window: join.window,
            arrival: context.arrival(),
            gates: (0..inputs).map(gate).collect(),
            waiting: Waiting::new(&shape.inlets),
            sides: shape.inlets.iter().map(Side::new).collect(),
            lookups: Lookups::new(&shape, join.window, context),
            results: Results::new(join, &shape, context),
            watermark: context.watermark(),
            entered: 1,
            kept,
            shape,
        }
    }

    /// Takes what came; gives what the watermark has reached, in the order in which it enters.
    fn arrive(&mut self, chunk: &Chunk, passed: &[Option<Passed>], progress: &Progress) -> Vec<Entry> {
        let w = progress.last();
        let rows: Vec<Option<&Rows>> = passed.iter().map(|passed| Some(&passed.as_ref()?.rows)).collect();
        let order = self.arrival.order(&rows);
        let all = || passed.iter().enumerate().filter_map(|(input, passed)| Some((input, passed.as_ref()?)));
        let reached =
            |(_, passed): (usize, &Passed)| passed.picked.iter().all(|row| passed.rows.time[*row as usize] <= w);
        let mut places = Vec::new();
        if self.waiting.len() == 0 && all().all(reached) {
            for (input, passed) in all() {
                self.take((input, &order[input]), passed, chunk.seq, &mut places);
            }
            // The places of each input are in order already.
            places.sort();
        } else {
            for (input, passed) in all() {
                let place = |row: u32| place((input, &order[input]), passed, chunk.seq, row);
                let picked: Vec<Place> = passed.picked.iter().map(|row| place(*row)).collect();
                self.waiting.push(input, &passed.arrivals, &passed.picked, &picked);
            }
            let (arrivals, released) = self.waiting.release(w);
            places = released;
            let mut next: Vec<u32> = self.sides.iter().map(|side| side.records.len() as u32).collect();
            for (input, arrivals) in arrivals.iter().enumerate() {
                let rows: Vec<u32> = (0..arrivals.time.len() as u32).collect();
                self.sides[input].append(arrivals, &rows, self.kept[input]);
            }
            for place in &mut places {
                let next = &mut next[place.input as usize];
                place.row = *next;
                *next += 1;
            }
        }
        let entries = places.iter().zip(self.entered..).map(|(place, number)| entry(place, number, chunk, progress));
        entries.collect()
    }

    /// Takes records all of which enter at once.
    fn take(&mut self, (input, order): (usize, &[u32]), passed: &Passed, chunk: u64, places: &mut Vec<Place>) {
        let time = |row: &u32| passed.rows.time[*row as usize];
        let mut sorted = std::borrow::Cow::Borrowed(&passed.picked);
        if !passed.picked.is_sorted_by_key(time) {
            sorted.to_mut().sort_by_key(time);
        }
        let first = self.sides[input].records.len() as u32;
        self.sides[input].append(&passed.arrivals, &sorted, self.kept[input]);
        let numbered = |(&row, number): (&u32, u32)| Place { row: number, ..place((input, order), passed, chunk, row) };
        places.extend(sorted.iter().zip(first..).map(numbered));
    }

    /// Combines all entries with those before them.
    fn enter(&mut self, passage: &Passage) -> Option<Rows> {
        let mut found = Tuples::new(self.sides.len());
        for (index, entry) in passage.entries.iter().enumerate() {
            let input = entry.input as usize;
            let inlet = &self.shape.inlets[input];
            if inlet.is_keyed(&self.sides[input].records, entry.row as usize) {
                self.lookups.look_up(index, &self.sides, passage, &mut found);
            }
            self.sides[input].enter(inlet, entry.number);
        }
        self.lookups.finish(&self.sides, passage, &mut found);
        for input in (0..self.sides.len()).filter(|input| self.kept[*input]) {
            found.rows[input].iter().for_each(|row| self.sides[input].matched[*row as usize] = true);
        }
        self.entered += passage.entries.len() as u64;
        self.results.matched(found, &self.sides, &self.shape, passage)
    }

    /// Lets go what the watermark has passed. Gives the unmatched records of kept sides.
    fn leave(&mut self, chunk: &Chunk, progress: &Progress, context: &Context) -> Vec<Rows> {
        let w = progress.last();
        let mut parts = Vec::new();
        for input in 0..self.sides.len() {
            let side = &mut self.sides[input];
            let mut left = Vec::new();
            while let Some(time) = side.records.time.get(side.front) {
                let end = time.saturating_add(self.window);
                if end >= w && w != FOREVER {
                    break;
                }
                if self.kept[input] && !side.matched[side.front] {
                    let index = progress.reaches(end.saturating_add(1)) as u64;
                    left.push((index << phase::BITS | phase::FIRED, end, side.front as u32));
                }
                side.front += 1;
            }
            parts.extend(self.results.unmatched(input, &left, &self.sides, &self.shape, (chunk, context)));
        }
        parts
    }
}

/// Where a row of an input stands, given the places of its rows in the chunk.
fn place((input, order): (usize, &[u32]), passed: &Passed, chunk: u64, row: u32) -> Place {
    let (time, pos) = (passed.rows.time[row as usize], passed.rows.pos[row as usize]);
    Place { time, chunk, pos, order: order[row as usize], row, input: input as u32 }
}

/// A record enters behind the record whose clock has reached its time, and not before it came.
fn entry(place: &Place, number: u64, chunk: &Chunk, progress: &Progress) -> Entry {
    let own = (place.chunk == chunk.seq).then_some((place.pos >> phase::BITS) as usize);
    let index = match own {
        Some(own) if own >= chunk.clocks.len() || progress.before(own + 1) >= place.time => own,
        _ => progress.reaches(place.time),
    };
    let pos = (index as u64) << phase::BITS | phase::FIRED;
    Entry { time: place.time, pos, input: place.input, row: place.row, number }
}

impl Operator for Join {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        self.save(into, context);
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        self.take_over(from, context)
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let (mut passed, mut late) = (Vec::with_capacity(ports.len()), Vec::new());
        for ((input, rows), gate) in ports.into_iter().enumerate().zip(&mut self.gates) {
            let (timely, behind) = rows.map_or((None, None), |rows| gate.split(rows, &progress));
            late.extend(behind.map(|rows| (input, rows)));
            passed.push(timely.and_then(|rows| gate.pass(chunk, rows, context)));
        }
        let ports = self.arrival.ports();
        late.sort_by_key(|(input, _)| ports.iter().position(|port| port == input));
        late.iter().for_each(|(input, rows)| (0..rows.len()).for_each(|row| context.late(*input, rows, row)));
        let entries = self.arrive(chunk, &passed, &progress);
        let matched = self.enter(&Passage { chunk, entries: &entries, context });
        let mut parts = self.leave(chunk, &progress, context);
        parts.splice(0..0, matched);
        for (side, inlet) in self.sides.iter_mut().zip(&self.shape.inlets) {
            side.forget(inlet);
        }
        self.watermark.pass(chunk);
        Rows::concat(parts).map(Rows::sorted)
    }

    fn open(&self) -> u64 {
        let held: usize = self.sides.iter().map(|side| side.records.len() - side.front).sum();
        (held + self.waiting.len()) as u64
    }
}
