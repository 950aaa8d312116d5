//! `distinct`: drops repeats of a record's values, for ever, for a time, or within a released window.

use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use crate::kernel::Kernel;
use rarog_lang::eval::order::KeyValue;
use rarog_lang::plan::Expr;
use rarog_lang::value::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

type Seen = Box<[KeyValue]>;

/// The operator.
pub struct Distinct {
    by: Vec<Kernel>,
    within: Option<i64>,
    per_window: bool,
    /// Values that passed, with the event time of the record that passed.
    passed: HashMap<Seen, i64>,
    /// The same by time, for forgetting; only with `within`.
    times: BTreeMap<(i64, u64), Seen>,
    sequence: u64,
    watermark: crate::clock::Watermark,
}

impl Distinct {
    /// Compiles the values; none: the whole record.
    pub fn new(by: &[Expr], within: Option<i64>, per_window: bool, context: &Context) -> Distinct {
        let layout = context.input_layout(0);
        Distinct {
            by: by.iter().map(|expr| Kernel::compile(expr, layout, context.functions.clone())).collect(),
            within,
            per_window,
            passed: HashMap::new(),
            times: BTreeMap::new(),
            sequence: 0,
            watermark: context.watermark(),
        }
    }

    fn values(&mut self, rows: &Rows, context: &Context) -> Vec<Seen> {
        if self.by.is_empty() {
            let layout = context.input_layout(0);
            return (0..rows.len()).map(|row| [KeyValue(rows.record(layout, row))].into()).collect();
        }
        let columns: Vec<_> = self.by.iter_mut().map(|kernel| kernel.eval(rows)).collect();
        (0..rows.len()).map(|row| columns.iter().map(|column| KeyValue(column.get(row))).collect()).collect()
    }

    fn passes(&mut self, seen: Seen, time: i64) -> bool {
        let Some(within) = self.within else {
            return self.passed.insert(seen, time).is_none();
        };
        let repeat = |&passed: &i64| time >= passed && time.saturating_sub(passed) < within || time < passed;
        if self.passed.get(&seen).is_some_and(repeat) {
            return false;
        }
        self.sequence += 1;
        self.times.insert((time, self.sequence), seen.clone());
        self.passed.insert(seen, time);
        true
    }

    /// Forgets what can no longer hold anything back.
    fn forget(&mut self, w: i64) {
        let Some(within) = self.within else { return };
        while let Some(entry) = self.times.first_entry() {
            let (time, _) = *entry.key();
            if time.saturating_add(within) > w {
                break;
            }
            let seen = entry.remove();
            if self.passed.get(&seen) == Some(&time) {
                self.passed.remove(&seen);
            }
        }
    }
}

impl Operator for Distinct {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let selected = rows.as_ref().map(|rows| {
            let values = self.values(rows, context);
            for kernel in &mut self.by {
                context.limit_hits(chunk, rows, &kernel.limit_hits());
            }
            let mut in_window: HashSet<Seen> = HashSet::new();
            let mut selected = Vec::new();
            for (row, seen) in values.into_iter().enumerate() {
                let released = rows.released.as_ref().filter(|_| self.per_window);
                let pass = match released {
                    None => self.passes(seen, rows.time[row]),
                    Some(released) => {
                        if row > 0 && released[row].instance != released[row - 1].instance {
                            in_window.clear();
                        }
                        in_window.insert(seen)
                    }
                };
                selected.extend(pass.then_some(row as u32));
            }
            selected
        });
        self.watermark.pass(chunk);
        self.forget(self.watermark.now());
        rows?.select(&selected?)
    }
}

impl Rows {
    /// The record of a row as a map: as it came if that is known, else its visible columns without left out nulls.
    pub fn record(&self, layout: &rarog_lang::plan::Layout, row: usize) -> Value {
        if let Some(whole) = &self.whole {
            return whole.get(row);
        }
        let fields = layout.columns.iter().zip(&self.columns).filter(|(def, _)| !def.hidden).filter_map(|(def, column)| {
            let value = column.get(row);
            (def.keep_null || value != Value::Null).then(|| (def.name.clone(), value))
        });
        Value::Map(Arc::new(fields.collect()))
    }
}
