//! Tumbling and sliding time windows without a fused aggregate: they release their records in order, key by key.

use super::grid::{Grid, clamp};
use super::key::{self, KeyColumns, KeyTable, Keys, SavedKey};
use super::window_rows::{Held, Realign, Releases, held_columns};
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows, phase};
use crate::clock::{NEVER, Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::Key;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
struct Content {
    keys: KeyTable,
    /// By slot.
    records: Vec<Vec<Held>>,
}

/// The operator.
pub struct TimeRelease {
    grid: Grid,
    slide: i128,
    keys: Keys,
    watermark: Watermark,
    /// By end.
    windows: BTreeMap<i128, Content>,
    closed: i128,
    instances: u64,
}

impl TimeRelease {
    /// Sizes in ns.
    pub fn new(size: i64, slide: i64, key: &[Key], context: &Context) -> TimeRelease {
        TimeRelease {
            grid: Grid::new(size, slide),
            slide: slide.into(),
            keys: Keys::new(key, context),
            watermark: context.watermark(),
            windows: BTreeMap::new(),
            closed: NEVER.into(),
            instances: 0,
        }
    }

    fn fire(&mut self, w: i64, progress: &Progress, releases: &mut Releases) {
        while let Some(entry) = self.windows.first_entry().filter(|entry| *entry.key() <= w.into()) {
            let (end, mut content) = entry.remove_entry();
            let (start, time) = (clamp(self.grid.start(end)), clamp(end));
            let pos = (progress.reaches(time) as u64) << phase::BITS | phase::FIRED;
            for slot in content.keys.in_order() {
                let records = &mut content.records[slot as usize];
                records.sort_by_key(|held| held.rank);
                self.instances += 1;
                let released = Released { instance: self.instances, start, end: time };
                releases.push(pos, time, content.keys.rank(slot as usize), released, records.iter());
            }
        }
        self.closed = self.closed.max(w.into());
    }

    fn add(&mut self, columns: &KeyColumns, row: usize, began: u64, held: &Held) {
        let time = i128::from(held.rank.0);
        let mut end = self.grid.last_end(time);
        let mut slots = Vec::with_capacity(1);
        while end > time && end > self.closed {
            let content = self.windows.entry(end).or_default();
            content.keys.slots_of(columns, row..row + 1, |_| (0, began), None, &mut slots);
            content.records.resize_with(content.keys.slots(), Vec::new);
            content.records[slots[0] as usize].push(held.clone());
            end -= self.slide;
        }
    }
}

impl Operator for TimeRelease {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        into.common(&(self.watermark.saved(), self.closed, held_columns(context.input_layout(0))));
        for (end, content) in &self.windows {
            for (slot, records) in content.records.iter().enumerate() {
                into.keyed(content.keys.hash(slot), &(end, content.keys.saved(slot), records));
            }
        }
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let (watermark, closed, columns) = from.common()?;
        self.watermark.restore(watermark);
        self.closed = closed;
        let realign = Realign::new(&columns, context.input_layout(0));
        from.each(|(end, key, records): (i128, SavedKey, Vec<Held>)| {
            let content = self.windows.entry(end).or_default();
            // Nothing is ever removed from the table, so slots are given one after the other.
            content.keys.restore(key);
            content.records.push(records.into_iter().map(|held| realign.held(held)).collect());
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
                self.fire(progress.before((rows.pos[row] >> phase::BITS) as usize), &progress, &mut releases);
                let time = rows.time[row];
                if self.grid.last_end(time.into()) <= self.closed {
                    context.late(chunk, rows, row);
                } else {
                    let held = Held::of(rows, row, (time, chunk.seq, rows.pos[row]));
                    self.add(&columns, row, key::began(chunk.seq, rows.pos[row]), &held);
                }
            }
        }
        self.fire(progress.last(), &progress, &mut releases);
        self.watermark.pass(chunk);
        releases.rows()
    }

    fn open(&self) -> u64 {
        self.windows.len() as u64
    }
}
