//! An aggregate over what a window released: one record per window and key.

use super::key::{KeyTable, Keys};
use super::result::{Calls, Group, Results};
use super::state::State;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use rarog_lang::plan::{Aggregate, Key};
use std::sync::Arc;

/// The operator. It has no state between chunks: a window is released at once.
pub struct AggregateReleased {
    keys: Keys,
    calls: Calls,
}

impl AggregateReleased {
    /// Compiles keys and calls.
    pub fn new(key: &[Key], aggregate: &Aggregate, context: &Context) -> AggregateReleased {
        AggregateReleased { keys: Keys::new(key, context), calls: Calls::new(aggregate, context) }
    }
}

impl Operator for AggregateReleased {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let released = rows.released.clone()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.arguments(chunk, &rows, context);
        let mut results = Results::new(context);
        let mut limits = Vec::new();
        let width = self.calls.len();
        let mut first = 0;
        while first < rows.len() {
            let window = released[first];
            let same = released[first..].iter().take_while(|other| other.instance == window.instance).count();
            let mut table = KeyTable::default();
            let mut states: Vec<State> = Vec::new();
            for row in first..first + same {
                let (slot, new) = table.slot(&columns, row);
                if new {
                    states.extend(self.calls.fresh());
                }
                Calls::add(&mut states[slot * width..(slot + 1) * width], &arguments, row, (0, 0, row as u64));
            }
            let (pos, time) = (rows.pos[first], rows.time[first]);
            for (slot, (_, key)) in table.keys().iter().enumerate() {
                let states = &states[slot * width..(slot + 1) * width];
                let group = Group { key, states, window: Some((window.start, window.end)), time };
                let (values, limit) = self.calls.result(&group);
                limits.extend(limit.then_some(pos >> phase::BITS));
                results.push(pos, time, values);
            }
            first += same;
        }
        context.result_limits(chunk, &limits);
        results.rows()
    }
}
