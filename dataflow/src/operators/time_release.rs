//! Tumbling and sliding time windows without a fused aggregate: they release their records in order, key by key.
//!
//! A record is held once, in its pane, however many windows will release it. A window that is corrected releases the late
//! record alone, or everything again if an aggregate stands behind it.

use super::arrival;
use super::grid::{Grid, clamp};
use super::key::{self, KeyColumns, Keys};
use super::panes::{Arrived, Pane, Panes, Saved};
use super::window_rows::{Held, Realign, Releases, held_columns};
use super::{Context, Operator};
use crate::batch::{Chunk, FiredRank, Released, Rows, phase};
use crate::clock::{Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::Key;
use std::sync::Arc;

/// The operator.
pub struct TimeRelease {
    grid: Grid,
    lateness: i64,
    /// Does a correction release everything again?
    again: bool,
    keys: Keys,
    watermark: Watermark,
    panes: Panes<Vec<Held>>,
    instances: u64,
}

impl TimeRelease {
    /// Times in ns.
    pub fn new((size, slide, lateness): (i64, i64, i64), again: bool, key: &[Key], context: &Context) -> TimeRelease {
        let grid = Grid::new(size, slide);
        TimeRelease {
            grid,
            lateness,
            again,
            keys: Keys::new(key, context),
            watermark: context.watermark(),
            panes: Panes::new(grid, lateness),
            instances: 0,
        }
    }

    /// Fires every window whose end w has reached.
    fn fire(&mut self, w: i128, progress: &Progress, releases: &mut Releases) {
        while let Some(end) = self.panes.next().filter(|end| *end <= w) {
            let pos = (progress.reaches(end) as u64) << phase::BITS | phase::FIRED;
            for slot in self.panes.reported(end) {
                self.release((slot as usize, end), 0, (pos, None), None, releases);
            }
            self.panes.fired(end, |_, _| {});
        }
        self.panes.free(w, |_, _| {});
    }

    /// Releases a key's window, or of its records only one; without a rank it goes by the window.
    fn release(
        &mut self,
        (slot, end): (usize, i128),
        revision: u64,
        (pos, rank): (u64, Option<FiredRank>),
        only: Option<&Held>,
        releases: &mut Releases,
    ) {
        self.instances += 1;
        let (start, time) = (self.grid.start(end), clamp(end));
        let released = Released { instance: self.instances, revision, ..Released::first(clamp(start), time) };
        let content = self.panes.content(slot);
        let panes = content.panes.range(content.between(start, end));
        let began = panes.clone().next().map_or(0, |pane| pane.began);
        let rank = rank.unwrap_or((0, began, self.panes.keys.hash(slot)));
        match only {
            Some(held) => releases.push(pos, time, rank, released, std::iter::once(held)),
            None => {
                let mut records: Vec<&Held> = panes.flat_map(|pane| &pane.state).collect();
                records.sort_by_key(|held| held.rank);
                releases.push(pos, time, rank, released, records.into_iter());
            }
        }
    }

    fn add(
        &mut self,
        (chunk, rows, columns): (&Chunk, &Rows, &KeyColumns),
        row: usize,
        w: i128,
        releases: &mut Releases,
    ) {
        let (time, pos) = (rows.time[row], rows.pos[row]);
        let start = self.grid.pane(time);
        let slot = self.panes.slot(columns, row);
        let corrected: Vec<i128> = match self.lateness > 0 && self.panes.has_fired(start, w) {
            true => self.panes.corrected(start, w).collect(),
            false => Vec::new(),
        };
        let times = |end: &i128| {
            let held = !self.panes.content(slot).between(self.grid.start(*end), *end).is_empty();
            self.panes.times_fired(slot, *end, held)
        };
        let times: Vec<u64> = corrected.iter().map(times).collect();
        let held = Held::of(rows, row, (time, chunk.seq, pos));
        let arrived = Arrived { time, began: key::began(chunk.seq, pos) };
        let only = (!corrected.is_empty() && !self.again).then(|| held.clone());
        self.panes.pane((slot, start, w), &arrived, (columns, row), Vec::new).push(held);
        for ((end, times), number) in corrected.into_iter().zip(times).zip(0..) {
            let rank = arrival::corrected(rows, row, number);
            self.release((slot, end), times, (pos, rank), only.as_ref(), releases);
            self.panes.note_fired(slot, end, times + 1);
        }
    }
}

impl Operator for TimeRelease {
    fn state_version(&self) -> Option<u32> {
        Some(2)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        into.common(&(self.watermark.saved(), held_columns(context.input_layout(0))));
        for (hash, _, key) in self.panes.saved(Clone::clone) {
            into.keyed(hash, &key);
        }
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let (watermark, columns) = from.common()?;
        self.watermark.restore(watermark);
        let w = self.watermark.now().into();
        let realign = Realign::new(&columns, context.input_layout(0));
        from.each(|(key, mut panes, fired): Saved<Vec<Held>>| {
            for Pane { state, .. } in &mut panes {
                *state = std::mem::take(state).into_iter().map(|held| realign.held(held)).collect();
            }
            self.panes.restore((key, panes, fired), w);
            Ok(())
        })
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let mut releases = Releases::new(context);
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            for row in 0..rows.len() {
                let w = progress.before((rows.pos[row] >> phase::BITS) as usize).into();
                self.fire(w, &progress, &mut releases);
                if self.panes.is_late(self.grid.pane(rows.time[row]), w) {
                    context.late(0, rows, row);
                } else {
                    self.add((chunk, rows, &columns), row, w, &mut releases);
                }
            }
        }
        self.fire(progress.reached(), &progress, &mut releases);
        self.watermark.pass(chunk);
        self.panes.give_back(rows.as_ref().map_or(0, Rows::len));
        releases.rows()
    }

    fn open(&self) -> u64 {
        self.panes.open()
    }
}
