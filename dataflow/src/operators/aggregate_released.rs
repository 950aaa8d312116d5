//! An aggregate over what a window released: one record per window and key.

use super::key::{KeyTable, Keys};
use super::result::{Calls, Group, Results};
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows};
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
        AggregateReleased { keys: Keys::new(key, context), calls: Calls::new(aggregate, key.len(), context) }
    }
}

impl Operator for AggregateReleased {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let released = rows.released.clone()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.arguments(chunk, &rows, context);
        let mut results = Results::new(&self.calls);
        let mut slots = Vec::new();
        let mut first = 0;
        while first < rows.len() {
            let window = released[first];
            let same = 1 + (first + 1..rows.len()).take_while(|row| !rows.begins_window(*row)).count();
            let content = first..first + same;
            let mut table = KeyTable::default();
            table.slots_of(&columns, content.clone(), |_| (0, 0), None, &mut slots);
            let mut groups = self.calls.groups();
            groups.grow(table.slots());
            groups.add_rows(&slots, content, &arguments, &|row| (0, 0, row as u64));
            let (pos, time) = (rows.pos[first], rows.time[first]);
            let rank = rows.rank.as_ref().map_or((0, 0, 0), |rank| rank[first]);
            for slot in 0..table.slots() {
                let window = Some(Released { instance: 0, ..window });
                let group = Group { key: table.key(slot), groups: &groups, slot, window, time, rank };
                results.push(&self.calls, pos, &group);
            }
            first += same;
        }
        results.rows(&mut self.calls, chunk, context)
    }
}
