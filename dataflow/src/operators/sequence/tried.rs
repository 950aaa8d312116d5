//! What an expression of a sequence reads: the record that is tried, and what a run has captured.

use super::aggregate;
use super::buffer::Buffer;
use super::matches::Names;
use super::predicate::Interpreter;
use crate::batch::Rows;
use crate::operators::key::partition_text;
use crate::whole::Whole;
use rarog_lang::eval::interpreter::Record;
use rarog_lang::plan::{Capture, Layout};
use rarog_lang::value::{Map, Value};
use std::cell::RefCell;
use std::sync::Arc;

/// A record of an input.
#[derive(Clone, Copy)]
pub struct EventRow<'e> {
    /// Its batch.
    pub rows: &'e Rows,
    /// Its row.
    pub row: usize,
    /// The input's layout.
    pub layout: &'e Layout,
}

impl EventRow<'_> {
    /// The record as a map.
    pub fn record(&self) -> Value {
        match &self.rows.whole {
            Some(whole) => whole.get(self.row),
            None => Value::Map(Arc::new(Whole::fields(self.rows, self.layout, self.row))),
        }
    }
}

/// A record beside a run; without a record, a match.
#[derive(Clone, Copy)]
pub struct Tried<'t> {
    /// The record.
    pub event: Option<EventRow<'t>>,
    /// Last captured record of each slot.
    pub slots: &'t [u32],
    /// Where captured records lie.
    pub buffer: &'t Buffer,
    /// Key of the run.
    pub key: &'t [Value],
    /// Time of the first captured record.
    pub start: i64,
    /// Time of the match.
    pub end: i64,
    /// Evaluates arguments of aggregates.
    pub inner: &'t RefCell<Interpreter>,
}

impl<'t> Tried<'t> {
    /// A column of the last record of a slot.
    #[inline]
    pub fn last(&self, slot: usize, column: usize) -> &'t Value {
        self.buffer.value(slot, self.slots[slot], column)
    }
}

impl Record for Tried<'_> {
    fn column(&self, column: u32) -> Value {
        self.event.map_or(Value::Null, |event| event.rows.columns[column as usize].get(event.row))
    }

    fn of(&self, slot: u32, column: u32) -> Value {
        self.last(slot as usize, column as usize).clone()
    }

    fn record(&self) -> Value {
        self.event.map_or(Value::Null, |event| event.record())
    }

    fn time(&self) -> i64 {
        self.event.map_or(self.end, |event| event.rows.time[event.row])
    }

    fn event_type(&self) -> Arc<str> {
        self.event.map_or_else(|| Arc::from(""), |event| event.rows.event.get(event.row).clone())
    }

    fn key(&self, key: u32) -> Value {
        self.key.get(key as usize).cloned().unwrap_or_default()
    }

    fn partition(&self) -> Value {
        partition_text(self.key)
    }

    fn match_start(&self) -> i64 {
        self.start
    }

    fn captured(&self, slot: u32, capture: &Capture) -> Value {
        let slot = slot as usize;
        let last = self.slots[slot];
        match capture {
            Capture::Count => Value::Int(i64::from(self.buffer.count(slot, last))),
            Capture::Last(column) | Capture::Previous(column) => self.last(slot, *column as usize).clone(),
            Capture::First(column) => self.buffer.value(slot, self.buffer.first(slot, last), *column as usize).clone(),
            Capture::Time => self.buffer.time(slot, last).map_or(Value::Null, Value::Time),
            Capture::Record => self.buffer.whole(slot, last),
            Capture::Records => {
                let chain = self.buffer.chain(slot, last);
                Value::Array(Arc::new(chain.into_iter().map(|node| self.buffer.whole(slot, node)).collect()))
            }
            Capture::Aggregate(call) => aggregate::aggregate(call, slot, self),
            Capture::At(..) => Value::Null,
        }
    }

    fn captured_at(&self, slot: u32, column: u32, at: usize) -> Value {
        let slot = slot as usize;
        let last = self.slots[slot];
        let steps = (self.buffer.count(slot, last) as usize).saturating_sub(at + 1);
        let node = (0..steps).fold(last, |node, _| self.buffer.previous(slot, node));
        self.buffer.value(slot, node, column as usize).clone()
    }
}

/// One of several captured records of a slot: [`rarog_lang::plan::Expr::Of`] of that slot reads it.
pub struct OneOf<'o> {
    /// The run.
    pub run: &'o Tried<'o>,
    /// The slot.
    pub slot: usize,
    /// The record.
    pub node: u32,
}

impl Record for OneOf<'_> {
    fn column(&self, column: u32) -> Value {
        self.run.column(column)
    }

    fn of(&self, slot: u32, column: u32) -> Value {
        match slot as usize == self.slot {
            true => self.run.buffer.value(self.slot, self.node, column as usize).clone(),
            false => self.run.of(slot, column),
        }
    }

    fn record(&self) -> Value {
        self.run.record()
    }

    fn time(&self) -> i64 {
        self.run.buffer.time(self.slot, self.node).unwrap_or_default()
    }

    fn event_type(&self) -> Arc<str> {
        self.run.event_type()
    }

    fn key(&self, key: u32) -> Value {
        self.run.key(key)
    }

    fn partition(&self) -> Value {
        self.run.partition()
    }

    fn match_start(&self) -> i64 {
        self.run.match_start()
    }

    fn captured(&self, slot: u32, capture: &Capture) -> Value {
        match capture {
            // The record itself, as a map.
            Capture::Record if slot as usize == self.slot => self.run.buffer.whole(self.slot, self.node),
            Capture::Time if slot as usize == self.slot => {
                self.run.buffer.time(self.slot, self.node).map_or(Value::Null, Value::Time)
            }
            _ => self.run.captured(slot, capture),
        }
    }

    fn captured_at(&self, slot: u32, column: u32, at: usize) -> Value {
        self.run.captured_at(slot, column, at)
    }
}

/// Fields of a match as a whole record: `alias_f`, `_count_alias`, keys, `_partition`.
pub fn whole_match(tried: &Tried, names: &Names) -> Value {
    let mut map = Map::default();
    for (slot, (name, many)) in names.slots.iter().enumerate() {
        let last = tried.slots[slot];
        if let Value::Map(fields) = tried.buffer.whole(slot, last) {
            let prefixed = fields.iter().map(|(field, value)| (format!("{name}_{field}").into(), value.clone()));
            map.extend(prefixed);
        }
        if *many && tried.buffer.keeps_whole(slot) {
            map.insert(format!("_count_{name}").into(), Value::Int(tried.buffer.count(slot, last).into()));
        }
    }
    let named = names.keys.iter().cloned().zip(tried.key.iter().cloned());
    map.extend(named.filter(|(_, value)| *value != Value::Null));
    map.insert("_partition".into(), partition_text(tried.key));
    Value::Map(Arc::new(map))
}
