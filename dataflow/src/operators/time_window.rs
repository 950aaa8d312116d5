//! Tumbling and sliding time windows with an aggregate.
//!
//! Content is kept in panes as wide as the greatest common divisor of size and slide, so that a record is added once
//! however many windows overlap; a window is the merge of its panes. A pane, with its keys, goes when the last window that
//! covers it is closed.
//!
//! ```text
//! size 10, slide 5:   │ pane 0 │ pane 5 │ pane 10│     window [0,10) = panes 0, 5
//! ```
//! The rows of a batch are taken in runs: up to the record whose clock lets a window fire, and within that pane by pane.

use super::grid::{Grid, clamp};
use super::key::{self, KeyColumns, KeyTable, Keys, SavedKey};
use super::result::{Arguments, Calls, Group, Groups, Results};
use super::state::SavedState;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::{NEVER, Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Pane {
    keys: KeyTable,
    groups: Groups,
}

/// The operator.
pub struct TimeWindow {
    grid: Grid,
    keys: Keys,
    calls: Calls,
    watermark: Watermark,
    panes: BTreeMap<i128, Pane>,
    /// Windows up to this end are closed for good.
    closed: i128,
    /// End of the next window that fires.
    next: Option<i128>,
    slots: Vec<u32>,
}

/// One chunk on its way through the operator.
struct Passage<'p> {
    chunk: &'p Chunk,
    progress: &'p Progress<'p>,
    rows: &'p Rows,
    columns: KeyColumns,
    arguments: Arguments,
}

impl TimeWindow {
    /// Sizes in ns.
    pub fn new(size: i64, slide: i64, key: &[Key], aggregate: &Aggregate, context: &Context) -> TimeWindow {
        TimeWindow {
            grid: Grid::new(size, slide),
            keys: Keys::new(key, context),
            calls: Calls::new(aggregate, key.len(), context),
            watermark: context.watermark(),
            panes: BTreeMap::new(),
            closed: NEVER.into(),
            next: None,
            slots: Vec::new(),
        }
    }

    /// Fires every window whose end w has reached.
    fn fire(&mut self, w: i64, progress: &Progress, results: &mut Results) {
        while let Some(end) = self.next.filter(|end| *end <= w.into()) {
            let pos = (progress.reaches(clamp(end)) as u64) << phase::BITS | phase::FIRED;
            self.report(end, pos, results);
            self.closed = end;
            let grid = self.grid;
            self.panes.retain(|start, _| grid.last_end(*start) > end);
            self.next = self.panes.keys().filter_map(|start| grid.next_end(*start, end)).min();
        }
        self.closed = self.closed.max(w.into());
    }

    fn report(&self, end: i128, pos: u64, results: &mut Results) {
        let start = self.grid.start(end);
        let mut panes = self.panes.range(start..end).map(|(_, pane)| pane);
        let Some(first) = panes.next() else { return };
        let mut merged = None;
        for pane in panes {
            merged.get_or_insert_with(|| copy(first, &self.calls)).merge(pane);
        }
        let pane = merged.as_ref().unwrap_or(first);
        let (start, time) = (clamp(start), clamp(end));
        for slot in pane.keys.in_order() {
            let (slot, window) = (slot as usize, Some((start, time)));
            let rank = pane.keys.rank(slot);
            let group = Group { key: pane.keys.key(slot), groups: &pane.groups, slot, window, time, rank };
            results.push(&self.calls, pos, &group);
        }
    }

    /// Adds the rows from `first` on that no window fires before. Gives the first row that was not taken.
    fn add_until_fire(&mut self, passage: &Passage, first: usize, context: &Context) -> usize {
        let rows = passage.rows;
        let reaches = |next: Option<i128>| next.map_or(usize::MAX, |next| passage.progress.reaches(clamp(next)));
        let mut reached = reaches(self.next);
        let mut row = first;
        while row < rows.len() && index(rows, row) <= reached {
            let time = rows.time[row];
            self.closed = self.closed.max(passage.progress.before(index(rows, row)).into());
            if self.grid.last_end(time.into()) <= self.closed {
                context.late(passage.chunk, rows, row);
                row += 1;
                continue;
            }
            let start = self.grid.pane(time);
            let fires = self.grid.next_end(start, self.closed);
            if fires.is_some_and(|fires| self.next.is_none_or(|next| fires < next)) {
                self.next = fires;
                reached = reaches(fires);
            }
            let pane = clamp(start)..=clamp(start + self.grid.pane_width() - 1);
            let before_fire = rows.pos[row..].partition_point(|pos| (pos >> phase::BITS) as usize <= reached);
            let times = &rows.time[row..row + before_fire];
            let end = row + times.iter().position(|time| !pane.contains(time)).unwrap_or(times.len());
            self.add(start, passage, row..end);
            row = end;
        }
        row
    }

    fn add(&mut self, start: i128, passage: &Passage, run: std::ops::Range<usize>) {
        if !self.panes.contains_key(&start) {
            let keys =
                self.panes.last_key_value().map_or_else(KeyTable::default, |(_, pane)| KeyTable::like(&pane.keys));
            self.panes.insert(start, Pane { keys, groups: self.calls.groups() });
        }
        // The pane before this one most likely has the keys.
        let mut around = self.panes.range_mut(..=start).rev();
        let Some((_, pane)) = around.next() else { return };
        let known = around.next().map(|(_, pane)| &pane.keys);
        let (rows, seq) = (passage.rows, passage.chunk.seq);
        let at = |row: usize| (rows.time[row], key::began(seq, rows.pos[row]));
        pane.keys.slots_of(&passage.columns, run.clone(), at, known, &mut self.slots);
        pane.groups.grow(pane.keys.slots());
        pane.groups.add_rows(&self.slots, run, &passage.arguments, &|row| (rows.time[row], seq, rows.pos[row]));
    }
}

#[inline]
fn index(rows: &Rows, row: usize) -> usize {
    (rows.pos[row] >> phase::BITS) as usize
}

impl Pane {
    fn merge(&mut self, other: &Pane) {
        for from in 0..other.keys.slots() {
            let slot = self.keys.slot_of(&other.keys, from);
            self.groups.grow(self.keys.slots());
            self.groups.merge(slot, &other.groups, from);
        }
    }
}

fn copy(pane: &Pane, calls: &Calls) -> Pane {
    let mut copied = Pane { keys: KeyTable::like(&pane.keys), groups: calls.groups() };
    copied.merge(pane);
    copied
}

impl Operator for TimeWindow {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&(self.watermark.saved(), self.closed));
        for (start, pane) in &self.panes {
            for slot in 0..pane.keys.slots() {
                into.keyed(pane.keys.hash(slot), &(start, pane.keys.saved(slot), pane.groups.saved(slot)));
            }
        }
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        let (watermark, closed) = from.common()?;
        self.watermark.restore(watermark);
        self.closed = closed;
        from.each(|(start, key, states): (i128, SavedKey, Vec<SavedState<'_>>)| {
            let empty = || Pane { keys: KeyTable::default(), groups: self.calls.groups() };
            let pane = self.panes.entry(start).or_insert_with(empty);
            let slot = pane.keys.restore(key);
            pane.groups.restore(slot, states)
        })?;
        // Another peer may have had panes that fire earlier.
        self.next = self.panes.keys().filter_map(|start| self.grid.next_end(*start, self.closed)).min();
        Ok(())
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let mut results = Results::new(&self.calls);
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            let arguments = self.calls.arguments(chunk, rows, context);
            let passage = Passage { chunk, progress: &progress, rows, columns, arguments };
            let mut row = 0;
            while row < rows.len() {
                self.fire(progress.before(index(rows, row)), &progress, &mut results);
                row = self.add_until_fire(&passage, row, context);
            }
        }
        self.fire(progress.last(), &progress, &mut results);
        self.watermark.pass(chunk);
        results.rows(&mut self.calls, chunk, context)
    }

    fn open(&self) -> u64 {
        self.panes.len() as u64
    }
}
