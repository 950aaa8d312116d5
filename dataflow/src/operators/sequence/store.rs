//! Where runs and what they captured lie, and how expressions and lookups see them.

use super::automaton::{Automaton, Signature, Taker};
use super::buffer::{Buffer, Captured, NONE, cell};
use super::engine::Arrival;
use super::index::{Index, place};
use super::predicate::Interpreter;
use super::runs::Runs;
use super::tried::{EventRow, Tried};
use crate::operators::key::hash_values;
use rarog_lang::plan::{Capture, Expr, Layout};
use rarog_lang::value::Value;
use std::cell::RefCell;

/// Runs, captures and the index over them.
pub struct Store {
    /// Open runs.
    pub runs: Runs,
    /// Captured records.
    pub buffer: Buffer,
    /// Runs by what they captured.
    pub index: Index,
    /// Evaluates arguments of aggregates.
    pub inner: RefCell<Interpreter>,
    layouts: Vec<Layout>,
    /// Slots of a run that has captured nothing.
    empty: Vec<u32>,
}

impl Store {
    /// Nothing yet. `layouts`: of the input ports.
    pub fn new(buffer: Buffer, signatures: usize, inner: Interpreter, layouts: Vec<Layout>) -> Store {
        let slots = buffer.slots();
        Store {
            runs: Runs::new(slots),
            buffer,
            index: Index::new(signatures),
            inner: RefCell::new(inner),
            layouts,
            empty: vec![NONE; slots],
        }
    }

    fn event_row<'t>(&'t self, arrival: &Arrival<'t>) -> EventRow<'t> {
        let batch = arrival.batch;
        EventRow { rows: &batch.rows, row: arrival.row, layout: &self.layouts[batch.port] }
    }

    /// The record beside a run, or alone.
    #[inline]
    pub fn tried<'t>(&'t self, run: Option<u32>, arrival: &Arrival<'t>) -> Tried<'t> {
        let event = Some(self.event_row(arrival));
        let end = arrival.time();
        match run {
            Some(run) => Tried { event, ..self.matched(run, end) },
            None => {
                Tried { event, slots: &self.empty, buffer: &self.buffer, key: &[], start: end, end, inner: &self.inner }
            }
        }
    }

    /// A run as a match that ends at a time.
    #[inline]
    pub fn matched(&self, run: u32, end: i64) -> Tried<'_> {
        Tried {
            event: None,
            slots: self.runs.heads(run),
            buffer: &self.buffer,
            key: self.runs.key(run),
            start: self.runs.get(run).start,
            end,
            inner: &self.inner,
        }
    }

    /// Appends a record to what a run has captured in a slot.
    pub fn capture(&mut self, run: u32, taker: &Taker, arrival: &Arrival, event: u64) {
        let slot = taker.slot;
        let whole = match self.buffer.keeps_whole(slot) {
            true => self.event_row(arrival).record(),
            false => Value::Null,
        };
        let captured = Captured { event, time: arrival.time(), whole };
        let (rows, row) = (&arrival.batch.rows.columns, arrival.row);
        let previous = self.runs.heads(run)[slot];
        let partition = self.runs.get(run).partition;
        let key = &self.runs.partition(partition).key;
        let value = |index: usize| match taker.keys[index].map(|index| &key[index]) {
            // Equal texts look the same, so the key's can be shared.
            Some(text @ Value::Str(_)) => text.clone(),
            _ => cell(rows, taker.columns[index], row),
        };
        let node = self.buffer.push(slot, previous, captured, value);
        *self.runs.head_mut(run, slot) = node;
        self.runs.get_mut(run).last = arrival.time();
    }

    /// Takes a run out.
    pub fn end(&mut self, run: u32) {
        self.index.remove_all(run);
        self.runs.remove(run, &mut self.buffer);
    }

    /// Lists a run as its state asks for, after a capture in `slot`.
    pub fn list(&mut self, run: u32, slot: usize, automaton: &Automaton, interpreter: &mut Interpreter) {
        let state = &automaton.states[self.runs.get(run).state as usize];
        for (number, signature) in automaton.signatures.iter().enumerate() {
            let wanted = state.signatures.contains(&number);
            let listed = self.index.lists(run, number);
            if listed && wanted && !signature.slots.contains(&slot) {
                continue;
            }
            if listed {
                self.index.remove(run, number);
            }
            if !wanted {
                continue;
            }
            if let Some(values) = self.values(run, signature, interpreter) {
                let partition = self.runs.get(run).partition;
                self.index.insert(run, number, place(values, number, partition));
            }
        }
    }

    /// The hash of the values of a signature; none if one of them is null, which equals nothing.
    fn values(&self, run: u32, signature: &Signature, interpreter: &mut Interpreter) -> Option<u64> {
        let tried = self.matched(run, 0);
        let mut values = Vec::new();
        for expr in &signature.captured {
            let value = match expr {
                // Most are columns, which need no copy.
                Expr::Of(slot, column) | Expr::Captured(slot, Capture::Last(column))
                    if signature.captured.len() == 1 =>
                {
                    let value = tried.last(*slot as usize, *column as usize);
                    return (*value != Value::Null).then(|| hash_values(std::slice::from_ref(value)));
                }
                expr => interpreter.eval(expr, &tried),
            };
            if value == Value::Null {
                return None;
            }
            values.push(value);
        }
        Some(hash_values(&values))
    }
}
