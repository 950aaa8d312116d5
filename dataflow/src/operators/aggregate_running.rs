//! An aggregate without a window: the running result of its key for every record.

use super::key::{KeyTable, Keys};
use super::result::{Calls, Group, Results};
use super::state::State;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use rarog_lang::plan::{Aggregate, Key};
use std::sync::Arc;

/// The operator.
pub struct AggregateRunning {
    keys: Keys,
    calls: Calls,
    table: KeyTable,
    /// `keys × calls`.
    states: Vec<State>,
}

impl AggregateRunning {
    /// Compiles keys and calls.
    pub fn new(key: &[Key], aggregate: &Aggregate, context: &Context) -> AggregateRunning {
        AggregateRunning {
            keys: Keys::new(key, context),
            calls: Calls::new(aggregate, context),
            table: KeyTable::default(),
            states: Vec::new(),
        }
    }
}

impl Operator for AggregateRunning {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.arguments(chunk, &rows, context);
        let mut results = Results::new(context);
        let mut limits = Vec::new();
        let width = self.calls.len();
        for row in 0..rows.len() {
            let (pos, time) = (rows.pos[row], rows.time[row]);
            let (slot, new) = self.table.slot(&columns, row);
            if new {
                self.states.extend(self.calls.fresh());
            }
            let states = &mut self.states[slot * width..(slot + 1) * width];
            Calls::add(states, &arguments, row, (0, chunk.seq, pos));
            let group = Group { key: &self.table.keys()[slot].1, states, window: None, time };
            let (values, limit) = self.calls.result(&group);
            limits.extend(limit.then_some(pos >> phase::BITS));
            results.push(pos, time, values);
        }
        context.result_limits(chunk, &limits);
        results.rows()
    }
}
