//! Tumbling and sliding time windows with an aggregate.
//!
//! Content is kept in panes as wide as the greatest common divisor of size and slide, so that a record is added once
//! however many windows overlap; a window is the merge of its panes. A pane, with its keys, goes when the last window that
//! covers it is closed.
//!
//! ```text
//! size 10, slide 5:   │ pane 0 │ pane 5 │ pane 10│     window [0,10) = panes 0, 5
//! ```

use super::key::{KeyColumns, KeyTable, Keys};
use super::result::{Calls, Group, Results};
use super::state::State;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::{NEVER, Watermark};
use rarog_lang::plan::{Aggregate, Key};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where windows begin and end. All arithmetic saturates in i128, so that no event time can overflow.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    size: i128,
    slide: i128,
    pane: i128,
}

impl Grid {
    /// Sizes in ns, `0 < slide <= size`.
    pub fn new(size: i64, slide: i64) -> Grid {
        let (mut a, mut b) = (i128::from(size), i128::from(slide));
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Grid { size: size.into(), slide: slide.into(), pane: a }
    }

    /// Start of the pane of a time.
    pub fn pane(&self, time: i64) -> i128 {
        i128::from(time).div_euclid(self.pane) * self.pane
    }

    /// End of the last window that covers a time.
    pub fn last_end(&self, time: i128) -> i128 {
        time.div_euclid(self.slide) * self.slide + self.size
    }

    /// The first end behind both `closed` and `start`, of a window that covers the pane at `start`, if one is left.
    fn next_end(&self, start: i128, closed: i128) -> Option<i128> {
        let beyond = start.max(closed);
        let end = (beyond - self.size).div_euclid(self.slide) * self.slide + self.slide + self.size;
        (end - self.size <= start).then_some(end)
    }

    /// Start of the window with this end.
    pub fn start(&self, end: i128) -> i128 {
        end - self.size
    }

    fn single_pane(&self) -> bool {
        self.pane == self.size
    }
}

/// A time that may lie beyond i64, clamped.
pub fn clamp(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[derive(Default)]
struct Pane {
    keys: KeyTable,
    /// `keys × calls`.
    states: Vec<State>,
}

/// The operator.
pub struct TimeWindow {
    grid: Grid,
    keys: Keys,
    calls: Calls,
    watermark: Watermark,
    panes: BTreeMap<i128, Pane>,
    /// Pane of the last record, taken out of the map while it is written to.
    hot: Option<(i128, Pane)>,
    /// Windows up to this end are closed for good.
    closed: i128,
    /// End of the next window that fires.
    next: Option<i128>,
}

impl TimeWindow {
    /// Sizes in ns.
    pub fn new(size: i64, slide: i64, key: &[Key], aggregate: &Aggregate, context: &Context) -> TimeWindow {
        TimeWindow {
            grid: Grid::new(size, slide),
            keys: Keys::new(key, context),
            calls: Calls::new(aggregate, context),
            watermark: context.watermark(),
            panes: BTreeMap::new(),
            hot: None,
            closed: NEVER.into(),
            next: None,
        }
    }

    /// Makes the pane of a record hot; `false` if the record is late.
    #[inline]
    fn heat(&mut self, time: i64) -> bool {
        if let Some((start, _)) = &self.hot
            && (*start..*start + self.grid.pane).contains(&time.into())
        {
            return true;
        }
        if self.grid.last_end(time.into()) <= self.closed {
            return false;
        }
        self.cool();
        let start = self.grid.pane(time);
        let pane = self.panes.remove(&start).unwrap_or_default();
        if let Some(end) = self.grid.next_end(start, self.closed) {
            self.next = Some(self.next.map_or(end, |next| next.min(end)));
        }
        self.hot = Some((start, pane));
        true
    }

    fn cool(&mut self) {
        if let Some((start, pane)) = self.hot.take() {
            self.panes.insert(start, pane);
        }
    }

    /// Fires every window whose end w has reached.
    fn fire(&mut self, w: i64, position: &dyn Fn(i64) -> usize, results: &mut Results, late_limits: &mut Vec<u64>) {
        while let Some(end) = self.next.filter(|end| *end <= w.into()) {
            self.cool();
            let pos = (position(clamp(end)) as u64) << phase::BITS | phase::FIRED;
            self.report(end, pos, results, late_limits);
            self.closed = end;
            let grid = self.grid;
            self.panes.retain(|start, _| grid.last_end(*start) > end);
            self.next = self.panes.keys().filter_map(|start| grid.next_end(*start, end)).min();
        }
        self.closed = self.closed.max(w.into());
    }

    fn report(&mut self, end: i128, pos: u64, results: &mut Results, limits: &mut Vec<u64>) {
        let start = self.grid.start(end);
        let window = Some((clamp(start), clamp(end)));
        let merged;
        let pane = if self.grid.single_pane() {
            self.panes.get(&start)
        } else {
            merged = merge(self.panes.range(start..end).map(|(_, pane)| pane), &self.calls);
            Some(&merged)
        };
        let Some(pane) = pane else { return };
        let width = self.calls.len();
        for (slot, (_, key)) in pane.keys.keys().iter().enumerate() {
            let states = &pane.states[slot * width..(slot + 1) * width];
            let (values, limit) = self.calls.result(&Group { key, states, window, time: clamp(end) });
            if limit {
                limits.push(pos >> phase::BITS);
            }
            results.push(pos, clamp(end), values);
        }
    }

    fn add(&mut self, columns: &KeyColumns, row: usize, arguments: &[Option<crate::column::Column>], rank: super::state::Rank) {
        let Some((_, pane)) = &mut self.hot else { return };
        let (slot, new) = pane.keys.slot(columns, row);
        if new {
            pane.states.extend(self.calls.fresh());
        }
        let width = arguments.len();
        Calls::add(&mut pane.states[slot * width..(slot + 1) * width], arguments, row, rank);
    }
}

fn merge<'p>(panes: impl Iterator<Item = &'p Pane>, calls: &Calls) -> Pane {
    let mut merged = Pane::default();
    let width = calls.len();
    for pane in panes {
        for (slot, (hash, key)) in pane.keys.keys().iter().enumerate() {
            let (target, new) = merged.keys.slot_of(*hash, key);
            if new {
                merged.states.extend(calls.fresh());
            }
            for call in 0..width {
                merged.states[target * width + call].merge(&pane.states[slot * width + call]);
            }
        }
    }
    merged
}

impl Operator for TimeWindow {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let progress = self.watermark.over(chunk);
        let position = |time: i64| progress.reaches(time);
        let mut results = Results::new(context);
        let mut limits = Vec::new();
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            let arguments = self.calls.arguments(chunk, rows, context);
            for row in 0..rows.len() {
                let index = (rows.pos[row] >> phase::BITS) as usize;
                let w = progress.before(index);
                if i128::from(w) > self.closed {
                    self.fire(w, &position, &mut results, &mut limits);
                }
                let time = rows.time[row];
                if self.heat(time) {
                    self.add(&columns, row, &arguments, (time, chunk.seq, rows.pos[row]));
                } else {
                    context.late(chunk, rows, row);
                }
            }
        }
        self.fire(progress.last(), &position, &mut results, &mut limits);
        context.result_limits(chunk, &limits);
        self.watermark.pass(chunk);
        results.rows()
    }

    fn open(&self) -> u64 {
        (self.panes.len() + usize::from(self.hot.is_some())) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_on_the_epoch_grid() {
        let grid = Grid::new(10, 4);
        assert_eq!(grid.pane, 2);
        assert_eq!(grid.last_end(9), 18);
        assert_eq!(grid.next_end(8, i128::MIN / 4), Some(10));
        assert_eq!(grid.next_end(8, 10), Some(14));
        assert_eq!(grid.next_end(8, 18), None);
        assert_eq!(Grid::new(10, 10).next_end(-10, -100), Some(0));
    }
}
