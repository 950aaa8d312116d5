//! `distinct`: drops repeats of a record's values, for ever, for a time, or within a released window.
//!
//! With `within: d` a value is a repeat until `d` after the record that passed, by event time. It is remembered somewhat
//! longer, so that records that come late are still recognised, and forgotten by the watermark.

use super::key::{KeyColumns, KeyTable, SavedKey};
use super::{Context, MAX_KEYS, Operator};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::{Progress, Watermark};
use crate::column::from_values;
use crate::kernel::Kernel;
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::Expr;
use rarog_lang::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Event time, beyond `within`, for which a value is remembered at the least: 1 min.
const MEMORY_NS: i64 = 60_000_000_000;

/// The operator.
pub struct Distinct {
    by: Vec<Kernel>,
    within: Option<i64>,
    per_window: bool,
    /// Values that passed.
    passed: KeyTable,
    /// By slot, the event time of the record that passed.
    times: Vec<i64>,
    /// (time, slot) of all of them; only with `within`.
    by_time: BTreeSet<(i64, u32)>,
    watermark: Watermark,
}

impl Distinct {
    /// Compiles the values; none: the whole record.
    pub fn new(by: &[Expr], within: Option<i64>, per_window: bool, context: &Context) -> Distinct {
        let layout = context.input_layout(0);
        Distinct {
            by: by.iter().map(|expr| Kernel::compile(expr, layout, context.functions.clone())).collect(),
            within,
            per_window,
            passed: KeyTable::default(),
            times: Vec::new(),
            by_time: BTreeSet::new(),
            watermark: context.watermark(),
        }
    }

    fn values(&mut self, rows: &Rows, context: &Context) -> KeyColumns {
        let columns = match self.by.is_empty() {
            true => {
                let layout = context.input_layout(0);
                vec![from_values((0..rows.len()).map(|row| rows.record(layout, row)).collect())]
            }
            false => self.by.iter_mut().map(|kernel| kernel.eval(rows)).collect(),
        };
        KeyColumns::new(columns, rows.len())
    }

    fn select(&mut self, rows: &Rows, values: &KeyColumns, progress: &Progress) -> Vec<u32> {
        let mut selected = Vec::new();
        for row in 0..rows.len() {
            let w = progress.before((rows.pos[row] >> phase::BITS) as usize);
            let (slot, new) = self.passed.slot(values, row);
            if new && slot == self.times.len() {
                self.times.push(0);
            }
            if new || self.is_over(slot, rows.time[row], w) {
                selected.push(row as u32);
                self.pass(slot, rows.time[row], new);
            }
        }
        selected
    }

    /// Does a record at `time` with the values of a slot pass again?
    fn is_over(&self, slot: usize, time: i64, w: i64) -> bool {
        let Some(within) = self.within else { return false };
        let over = self.times[slot].saturating_add(within);
        time >= over || w >= over.saturating_add(memory(within))
    }

    fn pass(&mut self, slot: usize, time: i64, new: bool) {
        let before = std::mem::replace(&mut self.times[slot], time);
        if self.within.is_some() {
            if !new {
                self.by_time.remove(&(before, slot as u32));
            }
            self.by_time.insert((time, slot as u32));
        }
    }

    /// Forgets what can no longer hold anything back.
    fn forget(&mut self, w: i64) {
        let Some(within) = self.within else { return };
        while let Some((time, slot)) = self.by_time.first().copied() {
            if w < time.saturating_add(within).saturating_add(memory(within)) {
                break;
            }
            self.by_time.pop_first();
            self.passed.remove(slot as usize);
        }
    }
}

impl Distinct {
    /// Gives back what a flood of values has left, behind a chunk of so many records.
    fn give_back(&mut self, records: usize) {
        if let Some(moved) = self.passed.give_back(records) {
            moved.keep(&mut self.times);
            let by_time = std::mem::take(&mut self.by_time);
            let to = |(time, slot): (i64, u32)| Some((time, moved.to(slot as usize)? as u32));
            self.by_time = by_time.into_iter().filter_map(to).collect();
        }
    }
}

fn memory(within: i64) -> i64 {
    within.max(MEMORY_NS)
}

/// Rows that are the first of their values in their window.
fn select_per_window(rows: &Rows, values: &KeyColumns) -> Vec<u32> {
    let mut seen = KeyTable::default();
    let mut selected = Vec::new();
    for row in 0..rows.len() {
        if row > 0 && rows.begins_window(row) {
            seen = KeyTable::default();
        }
        if seen.slot(values, row).1 {
            selected.push(row as u32);
        }
    }
    selected
}

impl Operator for Distinct {
    fn state_version(&self) -> Option<u32> {
        (!self.per_window).then_some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&self.watermark.saved());
        for slot in self.passed.used() {
            into.keyed(self.passed.hash(slot), &(self.passed.saved(slot), self.times[slot]));
        }
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        self.watermark.restore(from.common()?);
        from.each(|(key, time): (SavedKey, i64)| {
            let slot = self.passed.restore(key);
            self.times.resize(self.passed.slots(), 0);
            self.pass(slot, time, true);
            Ok(())
        })
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let selected = rows.as_ref().map(|rows| {
            let values = self.values(rows, context);
            for kernel in &mut self.by {
                context.limit_hits(chunk, rows, &kernel.limit_hits());
            }
            match self.per_window {
                true => select_per_window(rows, &values),
                false => self.select(rows, &values, &progress),
            }
        });
        self.watermark.pass(chunk);
        self.forget(self.watermark.now());
        self.give_back(rows.as_ref().map_or(0, Rows::len));
        if self.within.is_none() && self.passed.len() > MAX_KEYS {
            context.too_many_keys(".distinct", "give it a within:");
        }
        rows?.select(&selected?)
    }
}

impl Rows {
    /// The record of a row as a map: as it came if that is known, else its visible columns without left out nulls.
    pub fn record(&self, layout: &rarog_lang::plan::Layout, row: usize) -> Value {
        if let Some(whole) = &self.whole {
            return whole.get(row);
        }
        let fields =
            layout.columns.iter().zip(&self.columns).filter(|(def, _)| !def.hidden).filter_map(|(def, column)| {
                let value = column.get(row);
                (def.keep_null || value != Value::Null).then(|| (def.name.clone(), value))
            });
        Value::Map(Arc::new(fields.collect()))
    }
}
