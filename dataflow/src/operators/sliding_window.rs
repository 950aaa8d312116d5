//! Time windows that overlap, or are corrected, with an aggregate.
//!
//! A record is added once, to its pane; a window is the merge of its panes. Where states merge at a constant price, a window
//! costs a few merges however many panes it has: time is cut into blocks as long as a window, a window is what is left of
//! one block and the beginning of the next, and for each key both are kept ready.
//!
//! ```text
//! block │ 1  2  3  4 │ 5  6  7  8 │    window of panes 3 4 5 6 = (3+4) + (5+6)
//!           3+4+… ◄──┤            │    rest of a block from each pane on: made once, when the block is over
//!                    ├──► 5+6     │    beginning of the next: grows pane by pane
//! ```
//! Blocks lie on a grid of their own, so results do not depend on when anything was merged. A record that comes for a window
//! that has fired already is added to the beginning, or lets the rests be made anew.

use super::arrival;
use super::grid::{Grid, clamp};
use super::key::{self, KeyColumns, Keys};
use super::panes::{Arrived, Pane, Panes, Saved};
use super::result::{Arguments, Calls, Group, Groups, Pool, Results};
use super::state::SavedState;
use super::{Context, Operator};
use crate::batch::{Chunk, FiredRank, Released, Rows, phase};
use crate::clock::{Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use std::ops::Range;
use std::sync::Arc;

/// With so few panes, merging them all is as cheap.
const MERGED_AT_ONCE: i128 = 4;

/// What is kept of the records of a pane.
struct Part {
    /// Their states, in [`SlidingWindow::parts`].
    slot: usize,
    /// Those of the rest of the block from this pane on, in [`SlidingWindow::merged`].
    rest: Option<usize>,
}

/// The beginning of a block, of one key.
struct Beginning {
    block: i128,
    /// Panes before this one are in it.
    until: i128,
    /// In [`SlidingWindow::merged`].
    slot: usize,
}

/// The operator.
pub struct SlidingWindow {
    grid: Grid,
    lateness: i64,
    keys: Keys,
    calls: Calls,
    watermark: Watermark,
    panes: Panes<Part>,
    /// By slot of the key.
    beginnings: Vec<Option<Beginning>>,
    parts: Pool,
    merged: Pool,
    /// One group, for what is put together for a result.
    scratch: Groups,
    /// Are beginnings and rests kept?
    prepares: bool,
    slots: Vec<u32>,
}

/// Why a window is reported.
struct Occasion {
    /// Position of the result.
    pos: u64,
    /// Its rank, if it does not go by its window.
    rank: Option<FiredRank>,
    /// How often the window has fired before.
    revision: u64,
    /// Was it made ready what the window is put together from?
    prepared: bool,
}

/// One chunk on its way through the operator.
struct Passage<'p> {
    chunk: &'p Chunk,
    progress: &'p Progress<'p>,
    rows: &'p Rows,
    columns: KeyColumns,
    arguments: Arguments,
}

impl Passage<'_> {
    fn index(&self, row: usize) -> usize {
        (self.rows.pos[row] >> phase::BITS) as usize
    }

    fn arrived(&self, row: usize) -> Arrived {
        Arrived { time: self.rows.time[row], began: key::began(self.chunk.seq, self.rows.pos[row]) }
    }
}

impl SlidingWindow {
    /// Times in ns.
    pub fn new(
        (size, slide, lateness): (i64, i64, i64),
        key: &[Key],
        aggregate: &Aggregate,
        context: &Context,
    ) -> SlidingWindow {
        let grid = Grid::new(size, slide);
        let calls = Calls::new(aggregate, key.len(), context);
        let mut scratch = calls.groups();
        scratch.grow(1);
        SlidingWindow {
            grid,
            lateness,
            keys: Keys::new(key, context),
            watermark: context.watermark(),
            panes: Panes::new(grid, lateness),
            beginnings: Vec::new(),
            parts: Pool::new(calls.groups()),
            merged: Pool::new(calls.groups()),
            scratch,
            prepares: grid.panes() > MERGED_AT_ONCE && calls.merge_cheaply(),
            slots: Vec::new(),
            calls,
        }
    }

    /// Fires every window whose end w has reached.
    fn fire(&mut self, w: i128, progress: &Progress, results: &mut Results) {
        while let Some(end) = self.panes.next().filter(|end| *end <= w) {
            let pos = (progress.reaches(end) as u64) << phase::BITS | phase::FIRED;
            for slot in self.panes.reported(end) {
                let slot = slot as usize;
                if self.prepares {
                    self.prepare(slot, end);
                }
                let occasion = Occasion { pos, rank: None, revision: 0, prepared: self.prepares };
                self.report((slot, end), &occasion, results);
            }
            let SlidingWindow { panes, parts, merged, .. } = self;
            panes.fired(end, |_, part| free(part, parts, merged));
        }
        let SlidingWindow { panes, parts, merged, beginnings, .. } = self;
        panes.free(w, |slot, part| {
            free(part, parts, merged);
            if let Some(beginning) = beginnings.get_mut(slot).and_then(Option::take) {
                merged.give_back(beginning.slot);
            }
        });
    }

    /// Makes ready what a key's window is put together from.
    fn prepare(&mut self, slot: usize, end: i128) {
        let start = self.grid.start(end);
        let block = self.grid.block(start);
        let next = if start == block { block } else { block + self.grid.size() };
        self.begin(slot, next, end);
        if start == block {
            return;
        }
        let content = self.panes.content_mut(slot);
        let rest = content.between(start, next);
        if rest.is_empty() || content.panes[rest.start].state.rest.is_some() {
            return;
        }
        self.scratch.reset(0);
        for pane in content.panes.range_mut(rest).rev() {
            self.scratch.merge(0, self.parts.groups(), pane.state.slot);
            let made = self.merged.take();
            self.merged.groups_mut().merge(made, &self.scratch, 0);
            pane.state.rest = Some(made);
        }
    }

    /// Lets the beginning of a block grow until `end`.
    fn begin(&mut self, slot: usize, block: i128, end: i128) {
        if self.beginnings.len() <= slot {
            self.beginnings.resize_with(slot + 1, || None);
        }
        let merged = &mut self.merged;
        let beginning =
            self.beginnings[slot].get_or_insert_with(|| Beginning { block, until: block, slot: merged.take() });
        if beginning.block != block {
            merged.groups_mut().reset(beginning.slot);
            (beginning.block, beginning.until) = (block, block);
        }
        let content = self.panes.content(slot);
        for pane in content.panes.range(content.between(beginning.until, end)) {
            merged.groups_mut().merge(beginning.slot, self.parts.groups(), pane.state.slot);
        }
        beginning.until = end;
    }

    /// The result of a key's window.
    fn report(&mut self, (slot, end): (usize, i128), occasion: &Occasion, results: &mut Results) {
        let start = self.grid.start(end);
        let content = self.panes.content(slot);
        let window = content.between(start, end);
        let first = &content.panes[window.start];
        let (groups, group) = if window.len() == 1 {
            (self.parts.groups(), first.state.slot)
        } else if occasion.prepared {
            let beginning = self.beginnings[slot].as_ref().expect("it has been prepared").slot;
            let boundary = self.grid.block(start) + self.grid.size();
            let (alone, last) = (start == self.grid.block(start), &content.panes[window.end - 1]);
            match first.state.rest.filter(|_| !alone && first.start < boundary) {
                None => (self.merged.groups(), beginning),
                Some(rest) if last.start < boundary => (self.merged.groups(), rest),
                Some(rest) => {
                    self.scratch.reset(0);
                    self.scratch.merge(0, self.merged.groups(), rest);
                    self.scratch.merge(0, self.merged.groups(), beginning);
                    (&self.scratch, 0)
                }
            }
        } else {
            self.scratch.reset(0);
            for pane in content.panes.range(window) {
                self.scratch.merge(0, self.parts.groups(), pane.state.slot);
            }
            (&self.scratch, 0)
        };
        let rank = occasion.rank.unwrap_or((0, first.began, self.panes.keys.hash(slot)));
        let time = clamp(end);
        let window = Some(Released { revision: occasion.revision, ..Released::first(clamp(start), time) });
        results.push(&self.calls, occasion.pos, &Group { key: &first.key, groups, slot: group, window, time, rank });
    }

    /// Adds the rows from `first` on that no window fires before. Gives the first row that was not taken.
    fn add_until_fire(&mut self, passage: &Passage, first: usize, results: &mut Results, context: &Context) -> usize {
        let reaches = |next: Option<i128>| next.map_or(usize::MAX, |next| passage.progress.reaches(next));
        let rows = passage.rows;
        let mut reached = reaches(self.panes.next());
        let mut row = first;
        while row < rows.len() && passage.index(row) <= reached {
            let w = passage.progress.before(passage.index(row)).into();
            let start = self.grid.pane(rows.time[row]);
            if self.panes.is_late(start, w) {
                context.late(0, rows, row);
                row += 1;
                continue;
            }
            if self.panes.has_fired(start, w) {
                self.add_behind(passage, row, (start, w), results);
                row += 1;
            } else {
                reached = reached.min(reaches(Some(self.grid.first_end(start))));
                let pane = clamp(start)..=clamp(start + self.grid.pane_width() - 1);
                let before_fire = rows.pos[row..].partition_point(|pos| (pos >> phase::BITS) as usize <= reached);
                let times = &rows.time[row..row + before_fire];
                let end = row + times.iter().position(|time| !pane.contains(time)).unwrap_or(times.len());
                self.add(passage, row..end, start, w);
                row = end;
            }
            reached = reached.min(reaches(self.panes.next()));
        }
        row
    }

    /// Adds rows to the pane at `start`, none of whose windows has fired.
    fn add(&mut self, passage: &Passage, run: Range<usize>, start: i128, w: i128) {
        self.slots.clear();
        for row in run.clone() {
            let key = self.panes.slot(&passage.columns, row);
            let parts = &mut self.parts;
            let new = || Part { slot: parts.take(), rest: None };
            let part = self.panes.pane((key, start, w), &passage.arrived(row), (&passage.columns, row), new);
            self.slots.push(part.slot as u32);
        }
        let (rows, seq) = (passage.rows, passage.chunk.seq);
        let rank = |row: usize| (rows.time[row], seq, rows.pos[row]);
        self.parts.groups_mut().add_rows(&self.slots, run, &passage.arguments, &rank);
    }

    /// Adds a row to a pane some of whose windows have fired, and corrects those that may be.
    fn add_behind(&mut self, passage: &Passage, row: usize, (start, w): (i128, i128), results: &mut Results) {
        let key = self.panes.slot(&passage.columns, row);
        let grid = self.grid;
        let corrected: Vec<i128> = self.panes.corrected(start, w).filter(|_| self.lateness > 0).collect();
        let held = |panes: &Panes<Part>, end: &i128| !panes.content(key).between(grid.start(*end), *end).is_empty();
        let times: Vec<u64> =
            corrected.iter().map(|end| self.panes.times_fired(key, *end, held(&self.panes, end))).collect();
        self.add(passage, row..row + 1, start, w);
        if self.prepares {
            self.amend(passage, (key, row), start);
        }
        for ((end, revision), number) in corrected.into_iter().zip(times).zip(0..) {
            let (pos, rank) = (passage.rows.pos[row], arrival::corrected(passage.rows, row, number));
            self.report((key, end), &Occasion { pos, rank, revision, prepared: false }, results);
            self.panes.note_fired(key, end, revision + 1);
        }
    }

    /// Gives back what a flood of keys or panes has left, behind a chunk of so many records.
    fn give_back(&mut self, records: usize) {
        if let Some(moved) = self.panes.give_back(records) {
            moved.keep(&mut self.beginnings);
        }
        if let Some(moved) = self.parts.shrink(records) {
            self.panes.states_mut().for_each(|part| part.slot = moved.to(part.slot).expect("a pane has its slot"));
        }
        if let Some(moved) = self.merged.shrink(records) {
            let rests = self.panes.states_mut().filter_map(|part| part.rest.as_mut());
            let beginnings = self.beginnings.iter_mut().flatten().map(|beginning| &mut beginning.slot);
            rests.chain(beginnings).for_each(|slot| *slot = moved.to(*slot).expect("what is made ready has its slot"));
        }
    }

    /// Keeps what was made ready right when a row has come into a pane that is in it.
    fn amend(&mut self, passage: &Passage, (key, row): (usize, usize), start: i128) {
        let (rows, seq) = (passage.rows, passage.chunk.seq);
        if let Some(beginning) = self.beginnings.get(key).and_then(Option::as_ref)
            && beginning.block <= start
            && start < beginning.until
        {
            let rank = (rows.time[row], seq, rows.pos[row]);
            self.merged.groups_mut().add(beginning.slot, &passage.arguments, row, rank);
        }
        let block = self.grid.block(start);
        let content = self.panes.content_mut(key);
        let of_block = content.between(block, block + self.grid.size());
        for pane in content.panes.range_mut(of_block) {
            if let Some(rest) = pane.state.rest.take() {
                self.merged.give_back(rest);
            }
        }
    }
}

/// Frees what is kept of a pane.
fn free(part: Part, parts: &mut Pool, merged: &mut Pool) {
    parts.give_back(part.slot);
    if let Some(rest) = part.rest {
        merged.give_back(rest);
    }
}

/// States of a group as they are written down.
type States<'s> = Vec<SavedState<'s>>;

impl Operator for SlidingWindow {
    fn state_version(&self) -> Option<u32> {
        Some(2)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&self.watermark.saved());
        // Rests of blocks are made again as they were: nothing has come into their panes since.
        for (hash, slot, key) in self.panes.saved(|part| self.parts.groups().saved(part.slot)) {
            let beginning = self.beginnings.get(slot).and_then(Option::as_ref);
            let beginning = beginning.map(|it| (it.block, it.until, self.merged.groups().saved(it.slot)));
            into.keyed(hash, &(key, beginning));
        }
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        self.watermark.restore(from.common()?);
        let w = self.watermark.now().into();
        from.each(|(key, beginning): (Saved<States<'_>>, Option<(i128, i128, States<'_>)>)| {
            let (key, panes, fired) = key;
            let mut parts = Vec::with_capacity(panes.len());
            for Pane { start, key, earliest, began, state } in panes {
                let slot = self.parts.take();
                self.parts.groups_mut().restore(slot, state)?;
                parts.push(Pane { start, key, earliest, began, state: Part { slot, rest: None } });
            }
            let slot = self.panes.restore((key, parts, fired), w);
            let Some((block, until, states)) = beginning else { return Ok(()) };
            let merged = self.merged.take();
            self.merged.groups_mut().restore(merged, states)?;
            self.beginnings.resize_with(self.beginnings.len().max(slot + 1), || None);
            self.beginnings[slot] = Some(Beginning { block, until, slot: merged });
            Ok(())
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
                self.fire(progress.before(passage.index(row)).into(), &progress, &mut results);
                row = self.add_until_fire(&passage, row, &mut results, context);
            }
        }
        self.fire(progress.reached(), &progress, &mut results);
        self.watermark.pass(chunk);
        self.give_back(rows.as_ref().map_or(0, Rows::len));
        results.rows(&mut self.calls, chunk, context)
    }

    fn open(&self) -> u64 {
        self.panes.open()
    }
}
