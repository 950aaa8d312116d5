//! Looking up what an entering record matches: input by input, for many records at once.
//!
//! What a step finds is tested by its condition as a batch, and only what passes is extended. Batches are bounded, so that
//! what is found but does not pass never takes much memory; the steps of a route work depth first.

use super::formulas::{Formulas, Tuples, report_limits};
use super::shape::{Shape, Step, combined};
use super::side::Side;
use crate::batch::Chunk;
use crate::operators::Context;

/// Combinations that are tested together, as far as one record's finds do not exceed them.
const BATCH_ROWS: usize = if cfg!(test) { 16 } else { 4096 };

/// A record that enters.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its event time.
    pub time: i64,
    /// Position of what it causes.
    pub pos: u64,
    /// Its input.
    pub input: u32,
    /// Its row at that input.
    pub row: u32,
    /// Its number among all that entered.
    pub number: u64,
}

struct Lookup {
    step: Step,
    condition: Option<Formulas>,
}

/// The routes of a join.
pub struct Lookups {
    /// Per input.
    routes: Vec<Vec<Lookup>>,
    /// What the first steps found, by route. The routes of two inputs end alike, so they share one.
    first: Vec<Tuples>,
    window: i64,
}

/// What does not change while a chunk enters.
pub struct Passage<'p> {
    /// The chunk.
    pub chunk: &'p Chunk,
    /// All that enter, in order.
    pub entries: &'p [Entry],
    /// The node.
    pub context: &'p Context,
}

impl Lookups {
    /// Compiles the conditions; `window` in ns.
    pub fn new(shape: &Shape, window: i64, context: &Context) -> Lookups {
        let lookup = |step: &Step| Lookup {
            condition: step.condition.as_ref().map(|condition| Formulas::compile(&[condition], shape, context)),
            step: step.clone(),
        };
        let inputs = shape.routes.len();
        Lookups {
            routes: shape.routes.iter().map(|route| route.iter().map(lookup).collect()).collect(),
            first: (0..inputs).map(|_| Tuples::new(inputs)).collect(),
            window,
        }
    }

    /// Finds what an entry matches among those that entered before it.
    pub fn look_up(&mut self, index: usize, sides: &[Side], passage: &Passage, found: &mut Tuples) {
        let entry = &passage.entries[index];
        let from = entry.input as usize;
        let route = if self.routes.len() == 2 { 0 } else { from };
        let Some(Lookup { step, .. }) = self.routes[from].first() else { return };
        let first = &mut self.first[route];
        let before = first.len();
        probe(sides, step, |_| entry.row as usize, entry, self.window, &mut first.rows[step.input]);
        let after = first.rows[step.input].len();
        if after > before {
            first.rows[from].resize(after, entry.row);
            first.entry.resize(after, index as u32);
        }
        if after >= BATCH_ROWS {
            self.flush(route, sides, passage, found);
        }
    }

    /// Follows the routes to their ends.
    pub fn finish(&mut self, sides: &[Side], passage: &Passage, found: &mut Tuples) {
        (0..self.first.len()).for_each(|route| self.flush(route, sides, passage, found));
    }

    fn flush(&mut self, route: usize, sides: &[Side], passage: &Passage, found: &mut Tuples) {
        let inputs = self.routes.len();
        let tuples = std::mem::replace(&mut self.first[route], Tuples::new(inputs));
        self.follow(route, 0, tuples, sides, passage, found);
    }

    /// Tests what a step found, and extends it by the next.
    fn follow(
        &mut self,
        route: usize,
        level: usize,
        tuples: Tuples,
        sides: &[Side],
        passage: &Passage,
        found: &mut Tuples,
    ) {
        if tuples.len() == 0 {
            return;
        }
        let tuples = match &mut self.routes[route][level].condition {
            Some(condition) => test(condition, tuples, sides, passage),
            None => tuples,
        };
        if level + 1 == self.routes[route].len() {
            found.append(tuples);
            return;
        }
        let inputs = self.routes.len();
        let mut next = Tuples::new(inputs);
        for index in 0..tuples.len() {
            let step = &self.routes[route][level + 1].step;
            let of = |input: usize| tuples.rows[input][index] as usize;
            let entry = &passage.entries[tuples.entry[index] as usize];
            probe(sides, step, of, entry, self.window, &mut next.rows[step.input]);
            let after = next.rows[step.input].len();
            for input in (0..inputs).filter(|input| *input != step.input && !tuples.rows[*input].is_empty()) {
                next.rows[input].resize(after, tuples.rows[input][index]);
            }
            next.entry.resize(after, tuples.entry[index]);
            if after >= BATCH_ROWS {
                let batch = std::mem::replace(&mut next, Tuples::new(inputs));
                self.follow(route, level + 1, batch, sides, passage, found);
            }
        }
        self.follow(route, level + 1, next, sides, passage, found);
    }
}

/// Keeps the combinations for which the condition is true.
fn test(condition: &mut Formulas, tuples: Tuples, sides: &[Side], passage: &Passage) -> Tuples {
    let entries = || tuples.entry.iter().map(|index| &passage.entries[*index as usize]);
    let pos = entries().map(|entry| entry.pos).collect();
    let time = entries().map(|entry| entry.time).collect();
    let table = condition.table(sides, &tuples.rows, pos, time);
    let Some(kernel) = condition.kernels.first_mut() else { return tuples };
    let picked = kernel.select(&table);
    report_limits(passage.chunk, &table, &kernel.limit_hits(), passage.context);
    if picked.len() == tuples.len() { tuples } else { tuples.take(&picked) }
}

/// Rows of an input that go with what is found already (`of` gives the row of another input), oldest first.
fn probe(sides: &[Side], step: &Step, of: impl Fn(usize) -> usize, entry: &Entry, window: i64, rows: &mut Vec<u32>) {
    let side = &sides[step.input];
    let since = entry.time.saturating_sub(window);
    let Some(index) = step.index else {
        let entered = |row: &usize| side.entered[*row] < entry.number;
        rows.extend((side.since(since)..side.entered.len()).take_while(entered).map(|row| row as u32));
        return;
    };
    let first = rows.len();
    let hash = combined(step.ties.iter().map(|tie| sides[tie.of.0].records.hashes[tie.of.1][of(tie.of.0)]));
    for row in side.walk(index, hash) {
        let at = row as usize;
        if side.records.time[at] < since {
            break;
        }
        let same = step.ties.iter().all(|tie| {
            let (input, _, cell) = tie.of;
            side.records.cells[tie.cell].same(at, &sides[input].records.cells[cell], of(input))
        });
        if same && side.entered[at] < entry.number {
            rows.push(row);
        }
    }
    rows[first..].reverse();
}
