//! From the rows of the ports to records in the order in which a sequence takes them: by event time, then arrival, each not
//! before w has reached its time.
//!
//! ```text
//! ports ──► batch (filters, keys, lookups evaluated for all rows) ──► entries in order ──► taken, as far as w reaches
//!                                                                          └──► kept with a copy of their rows
//! ```
//! What comes in order and waits for nothing is never copied. Rows that nothing can take are dropped here, except in strict
//! mode, where they end runs.

use super::automaton::Automaton;
use crate::batch::{Chunk, Rows, phase};
use crate::clock::Progress;
use crate::column::{Column, StrColumn};
use crate::kernel::Kernel;
use crate::operators::Context;
use crate::operators::arrival::Arrival;
use crate::operators::key::{KeyColumns, Keys};
use crate::whole::Whole;
use rarog_lang::plan::{Mode, Sequence};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows of one port with all that is evaluated of each.
pub struct EventBatch {
    /// Port.
    pub port: usize,
    /// Number of the chunk.
    pub seq: u64,
    /// The rows.
    pub rows: Rows,
    /// Per row the bits of the takers whose filter it passes.
    pub masks: Vec<u64>,
    /// Keys; of rows that nothing takes there is no hash.
    pub keys: KeyColumns,
    /// For each probe of the port the hash of the values, per row.
    pub probes: Vec<KeyColumns>,
    /// Per row its place among what one record causes in the chunk.
    pub places: Vec<u32>,
}

/// A record in order. Fields stand in the order by which records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    time: i64,
    pos: u64,
    place: u32,
    /// Index of its batch: of this chunk, or of those that are kept.
    batch: u32,
    row: u32,
}

/// A record that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    entry: Entry,
    seq: u64,
}

impl Waiting {
    fn order(&self) -> (i64, u64, u64, u32, u32) {
        (self.entry.time, self.seq, self.entry.pos, self.entry.place, self.entry.row)
    }
}

struct Port {
    /// Kernel of each bit; none: everything passes.
    filters: Vec<Option<Kernel>>,
    keys: Keys,
    probes: Vec<Keys>,
}

/// The ports and what waits.
pub struct Intake {
    ports: Vec<Port>,
    arrival: Arc<Arrival>,
    /// Number of records that a state was taken over with.
    taken_over: u32,
    /// Do rows matter that nothing takes?
    strict: bool,
    waiting: VecDeque<Waiting>,
    /// Batches of which rows wait, with their number.
    kept: Vec<Option<(EventBatch, usize)>>,
}

impl Intake {
    /// Compiles what is evaluated per row.
    pub fn new(sequence: &Sequence, automaton: &Automaton, context: &Context) -> Intake {
        let mut ports: Vec<Port> = Vec::new();
        for (port, filters) in automaton.filters.iter().enumerate() {
            let layout = context.input_layout(port);
            let compile = |filter: &rarog_lang::plan::Expr| Kernel::compile(filter, layout, context.functions.clone());
            ports.push(Port {
                filters: filters.iter().map(|filter| filter.as_ref().map(compile)).collect(),
                keys: Keys::of_port(sequence.key.iter().map(|key| &key.values[port]), port, context),
                probes: automaton.probes[port].iter().map(|probe| Keys::of_port(probe, port, context)).collect(),
            });
        }
        let (arrival, strict) = (context.arrival(), sequence.mode == Mode::Strict);
        Intake { ports, arrival, taken_over: 0, strict, waiting: VecDeque::new(), kept: Vec::new() }
    }

    /// Evaluates the rows of a port; late ones are given away.
    pub fn batch(
        &mut self,
        port: usize,
        rows: Rows,
        chunk: &Chunk,
        progress: &Progress,
        context: &Context,
    ) -> Option<EventBatch> {
        let is_late = |row: usize| rows.time[row] < progress.before((rows.pos[row] >> phase::BITS) as usize);
        let rows = match (0..rows.len()).any(is_late) {
            false => rows,
            true => {
                let (late, timely): (Vec<u32>, Vec<u32>) =
                    (0..rows.len() as u32).partition(|&row| is_late(row as usize));
                late.into_iter().for_each(|row| context.late(port, &rows, row as usize));
                rows.select(&timely)?
            }
        };
        let batch = self.evaluate(port, chunk.seq, rows);
        for kernel in self.ports[port].filters.iter_mut().flatten() {
            context.limit_hits_of(port, chunk, &batch.rows, &kernel.limit_hits());
        }
        Some(batch)
    }

    /// Evaluates rows that are not late.
    fn evaluate(&mut self, port: usize, seq: u64, rows: Rows) -> EventBatch {
        let at = &mut self.ports[port];
        let mut masks = vec![0; rows.len()];
        for (bit, filter) in at.filters.iter_mut().enumerate() {
            match filter {
                None => masks.iter_mut().for_each(|mask| *mask |= 1 << bit),
                Some(kernel) => {
                    kernel.select(&rows).into_iter().for_each(|row| masks[row as usize] |= 1 << bit);
                }
            }
        }
        let strict = self.strict;
        let taken = |row: &u32| strict || masks[*row as usize] != 0;
        let picked: Vec<u32> = (0..rows.len() as u32).filter(taken).collect();
        let keys = at.keys.of_rows(&rows, &picked);
        let probes = at.probes.iter_mut().map(|probe| probe.of_rows(&rows, &picked)).collect();
        EventBatch { port, seq, rows, masks, keys, probes, places: Vec::new() }
    }

    /// Batches and rows of all records that wait, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (&EventBatch, usize)> {
        let record = |waiting: &Waiting| Some((self.kept(waiting.entry.batch as usize)?, waiting.entry.row as usize));
        self.waiting.iter().filter_map(record)
    }

    /// Lets records wait that did so when a state was written down.
    pub fn restore(&mut self, port: usize, seq: u64, rows: Rows) {
        let mut batch = self.evaluate(port, seq, rows);
        batch.places = self.arrival.taken_over(port, batch.rows.len(), &mut self.taken_over);
        // What ran into a limit was reported then.
        self.ports[port].filters.iter_mut().flatten().for_each(|kernel| _ = kernel.limit_hits());
        let batches = [batch];
        let entries = self.entries(&batches);
        self.keep(&batches, &entries);
    }

    /// Gives the rows of the batches of one chunk their places.
    pub fn place(&self, batches: &mut [EventBatch]) {
        let mut ports = vec![None; self.ports.len()];
        batches.iter().for_each(|batch| ports[batch.port] = Some(&batch.rows));
        let mut places = self.arrival.order(&ports);
        batches.iter_mut().for_each(|batch| batch.places = std::mem::take(&mut places[batch.port]));
    }

    /// The records of the batches of one chunk, in order.
    pub fn entries(&self, batches: &[EventBatch]) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(batches.iter().map(|batch| batch.rows.len()).sum());
        for (index, batch) in batches.iter().enumerate() {
            let taken = |row: &usize| self.strict || batch.masks[*row] != 0;
            let (time, pos) = (&batch.rows.time, &batch.rows.pos);
            let entry = |row: usize| Entry {
                time: time[row],
                pos: pos[row],
                place: batch.places[row],
                batch: index as u32,
                row: row as u32,
            };
            entries.extend((0..batch.rows.len()).filter(taken).map(entry));
        }
        if !entries.is_sorted() {
            // Each batch is mostly in order: a stable sort finds its runs and merges them.
            entries.sort();
        }
        entries
    }

    /// The first record that waits, if w has reached its time and no other comes before it.
    pub fn next(&mut self, w: i64, other: Option<&Entry>) -> Option<Taken> {
        let first = self.waiting.front()?.entry;
        let due = first.time <= w && other.is_none_or(|other| first.time <= other.time);
        if !due {
            return None;
        }
        self.waiting.pop_front();
        Some(Taken { batch: first.batch as usize, row: first.row as usize })
    }

    /// A kept batch.
    pub fn kept(&self, batch: usize) -> Option<&EventBatch> {
        self.kept[batch].as_ref().map(|(batch, _)| batch)
    }

    /// A record of a kept batch was taken.
    pub fn release(&mut self, batch: usize) {
        if let Some((_, rows)) = &mut self.kept[batch] {
            *rows -= 1;
            if *rows == 0 {
                self.kept[batch] = None;
            }
        }
    }

    /// Keeps the records of a chunk that w has not reached.
    pub fn keep(&mut self, batches: &[EventBatch], entries: &[Entry]) {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(entries.len());
        for (index, batch) in batches.iter().enumerate() {
            let own: Vec<&Entry> = entries.iter().filter(|entry| entry.batch == index as u32).collect();
            if own.is_empty() {
                continue;
            }
            let rows: Vec<u32> = own.iter().map(|entry| entry.row).collect();
            let kept = self.put_by(batch.take(&rows));
            waiting.extend(
                own.iter()
                    .zip(0..)
                    .map(|(entry, row)| Waiting { entry: Entry { batch: kept, row, ..**entry }, seq: batch.seq }),
            );
        }
        waiting.sort_by_key(Waiting::order);
        let overlaps = match (self.waiting.back(), waiting.first()) {
            (Some(last), Some(first)) => last.order() > first.order(),
            _ => false,
        };
        self.waiting.extend(waiting);
        if overlaps {
            // Two sorted runs: the sort only merges them.
            self.waiting.make_contiguous().sort_by_key(Waiting::order);
        }
    }

    fn put_by(&mut self, batch: EventBatch) -> u32 {
        let rows = batch.rows.len();
        let free = self.kept.iter().position(Option::is_none).unwrap_or(self.kept.len());
        if free == self.kept.len() {
            self.kept.push(None);
        }
        self.kept[free] = Some((batch, rows));
        free as u32
    }
}

/// A record of a kept batch whose time has come.
pub struct Taken {
    /// The batch.
    pub batch: usize,
    /// The row.
    pub row: usize,
}

impl Entry {
    /// Its time.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// Index of its batch.
    pub fn batch(&self) -> usize {
        self.batch as usize
    }

    /// Its row.
    pub fn row(&self) -> usize {
        self.row as usize
    }
}

impl EventBatch {
    /// Copies of some rows, which hold nothing of the chunk.
    fn take(&self, rows: &[u32]) -> EventBatch {
        let mut taken = self.rows.take(rows);
        taken.columns.iter_mut().for_each(own);
        if let Some(whole) = &taken.whole {
            taken.whole = Some(Whole::Values(Arc::new((0..whole.len()).map(|row| whole.get(row)).collect())));
        }
        EventBatch {
            port: self.port,
            seq: self.seq,
            rows: taken,
            masks: rows.iter().map(|&row| self.masks[row as usize]).collect(),
            keys: self.keys.take(rows),
            probes: self.probes.iter().map(|probe| probe.take(rows)).collect(),
            places: rows.iter().map(|&row| self.places[row as usize]).collect(),
        }
    }
}

/// Texts in a buffer of their own, instead of in that of the chunk.
fn own(column: &mut Column) {
    if let Column::Str(texts) = column {
        *column = StrColumn::from_texts((0..texts.spans.len()).map(|row| texts.get(row)));
    }
}
