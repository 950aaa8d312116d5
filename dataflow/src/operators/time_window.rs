//! Tumbling time windows with an aggregate, without corrections: what most programs have.
//!
//! The rows of a batch are taken in runs: up to the record whose clock lets a window fire, and within that window by window.
//! A window goes, with its keys, when it has fired.

use super::grid::{Grid, clamp};
use super::key::{self, KeyColumns, KeyTable, Keys, SavedKey};
use super::result::{Arguments, Calls, Group, Groups, Results};
use super::state::SavedState;
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows, phase};
use crate::clock::{NEVER, Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The content of a window.
struct Content {
    keys: KeyTable,
    groups: Groups,
}

/// The operator.
pub struct TimeWindow {
    grid: Grid,
    keys: Keys,
    calls: Calls,
    watermark: Watermark,
    /// By start.
    windows: BTreeMap<i128, Content>,
    /// Windows up to this end are closed for good.
    closed: i128,
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
    /// `size` in ns.
    pub fn new(size: i64, key: &[Key], aggregate: &Aggregate, context: &Context) -> TimeWindow {
        TimeWindow {
            grid: Grid::new(size, size),
            keys: Keys::new(key, context),
            calls: Calls::new(aggregate, key.len(), context),
            watermark: context.watermark(),
            windows: BTreeMap::new(),
            closed: NEVER.into(),
            slots: Vec::new(),
        }
    }

    /// End of the next window that fires.
    fn next(&self) -> Option<i128> {
        self.windows.first_key_value().map(|(start, _)| self.grid.last_end(*start))
    }

    /// Fires every window whose end w has reached.
    fn fire(&mut self, w: i128, progress: &Progress, results: &mut Results) {
        while let Some(end) = self.next().filter(|end| *end <= w) {
            let pos = (progress.reaches(end) as u64) << phase::BITS | phase::FIRED;
            if let Some((start, content)) = self.windows.pop_first() {
                self.report((start, end), &content, pos, results);
            }
        }
        self.closed = self.closed.max(w);
    }

    fn report(&self, (start, end): (i128, i128), content: &Content, pos: u64, results: &mut Results) {
        let time = clamp(end);
        let window = Some(Released::first(clamp(start), time));
        for slot in content.keys.in_order() {
            let slot = slot as usize;
            let rank = content.keys.rank(slot);
            let group = Group { key: content.keys.key(slot), groups: &content.groups, slot, window, time, rank };
            results.push(&self.calls, pos, &group);
        }
    }

    /// Adds the rows from `first` on that no window fires before. Gives the first row that was not taken.
    fn add_until_fire(&mut self, passage: &Passage, first: usize, context: &Context) -> usize {
        let rows = passage.rows;
        let mut next = self.next();
        let reaches = |next: Option<i128>| next.map_or(usize::MAX, |next| passage.progress.reaches(next));
        let mut reached = reaches(next);
        let mut row = first;
        while row < rows.len() && index(rows, row) <= reached {
            let time = rows.time[row];
            self.closed = self.closed.max(passage.progress.before(index(rows, row)).into());
            let start = self.grid.pane(time);
            let end = self.grid.last_end(start);
            if end <= self.closed {
                context.late(0, rows, row);
                row += 1;
                continue;
            }
            if next.is_none_or(|next| end < next) {
                next = Some(end);
                reached = reaches(next);
            }
            let within = clamp(start)..=clamp(end - 1);
            let before_fire = rows.pos[row..].partition_point(|pos| (pos >> phase::BITS) as usize <= reached);
            let times = &rows.time[row..row + before_fire];
            let end = row + times.iter().position(|time| !within.contains(time)).unwrap_or(times.len());
            self.add(start, passage, row..end);
            row = end;
        }
        row
    }

    fn add(&mut self, start: i128, passage: &Passage, run: std::ops::Range<usize>) {
        if !self.windows.contains_key(&start) {
            let last = self.windows.last_key_value();
            let keys = last.map_or_else(KeyTable::default, |(_, content)| KeyTable::like(&content.keys));
            self.windows.insert(start, Content { keys, groups: self.calls.groups() });
        }
        // The window before this one most likely has the keys.
        let mut around = self.windows.range_mut(..=start).rev();
        let Some((_, content)) = around.next() else { return };
        let known = around.next().map(|(_, content)| &content.keys);
        let (rows, seq) = (passage.rows, passage.chunk.seq);
        let at = |row: usize| (rows.time[row], key::began(seq, rows.pos[row]));
        content.keys.slots_of(&passage.columns, run.clone(), at, known, &mut self.slots);
        content.groups.grow(content.keys.slots());
        content.groups.add_rows(&self.slots, run, &passage.arguments, &|row| (rows.time[row], seq, rows.pos[row]));
    }
}

#[inline]
fn index(rows: &Rows, row: usize) -> usize {
    (rows.pos[row] >> phase::BITS) as usize
}

impl Operator for TimeWindow {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&(self.watermark.saved(), self.closed));
        for (start, content) in &self.windows {
            for slot in 0..content.keys.slots() {
                into.keyed(content.keys.hash(slot), &(start, content.keys.saved(slot), content.groups.saved(slot)));
            }
        }
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        let (watermark, closed) = from.common()?;
        self.watermark.restore(watermark);
        self.closed = closed;
        from.each(|(start, key, states): (i128, SavedKey, Vec<SavedState<'_>>)| {
            let empty = || Content { keys: KeyTable::default(), groups: self.calls.groups() };
            let content = self.windows.entry(start).or_insert_with(empty);
            let slot = content.keys.restore(key);
            content.groups.restore(slot, states)
        })
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
                self.fire(progress.before(index(rows, row)).into(), &progress, &mut results);
                row = self.add_until_fire(&passage, row, context);
            }
        }
        self.fire(progress.reached(), &progress, &mut results);
        self.watermark.pass(chunk);
        results.rows(&mut self.calls, chunk, context)
    }

    fn open(&self) -> u64 {
        self.windows.len() as u64
    }
}
