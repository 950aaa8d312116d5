//! An aggregate without a window: the running result of its key for every record.

use super::key::{KeyTable, Keys};
use super::result::{Calls, Group, Groups, Results};
use super::{Context, MAX_KEYS, Operator};
use crate::batch::{Chunk, Rows};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use std::sync::Arc;

/// The operator.
pub struct AggregateRunning {
    keys: Keys,
    calls: Calls,
    table: KeyTable,
    groups: Groups,
}

impl AggregateRunning {
    /// Compiles keys and calls.
    pub fn new(key: &[Key], aggregate: &Aggregate, context: &Context) -> AggregateRunning {
        let calls = Calls::new(aggregate, key.len(), context);
        AggregateRunning { keys: Keys::new(key, context), groups: calls.groups(), calls, table: KeyTable::default() }
    }
}

impl Operator for AggregateRunning {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        for slot in self.table.used() {
            into.keyed(self.table.hash(slot), &(self.table.saved(slot), self.groups.saved(slot)));
        }
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        from.each(|(key, states)| {
            let slot = self.table.restore(key);
            self.groups.restore(slot, states)
        })
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.arguments(chunk, &rows, context);
        let mut results = Results::new(&self.calls);
        for row in 0..rows.len() {
            let (slot, _) = self.table.slot(&columns, row);
            self.groups.grow(self.table.slots());
            self.groups.add(slot, &arguments, row, (0, chunk.seq, rows.pos[row]));
            let time = rows.time[row];
            let rank = rows.rank.as_ref().map_or((0, 0, 0), |rank| rank[row]);
            let group = Group { key: self.table.key(slot), groups: &self.groups, slot, window: None, time, rank };
            results.push(&self.calls, rows.pos[row], &group);
        }
        if self.table.len() > MAX_KEYS {
            context.too_many_keys(".aggregate without a window", "give it a .window");
        }
        results.rows(&mut self.calls, chunk, context)
    }
}
