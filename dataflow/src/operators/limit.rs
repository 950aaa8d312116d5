//! `limit(n)`, `first()`: the first n records ever.

use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use std::sync::Arc;

/// A limit.
pub struct Limit {
    left: u64,
}

impl Limit {
    /// Lets `n` records pass.
    pub fn new(n: u64) -> Limit {
        Limit { left: n }
    }
}

impl Operator for Limit {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&self.left);
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        self.left = from.common()?;
        Ok(())
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, _: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let pass = self.left.min(rows.len() as u64);
        self.left -= pass;
        rows.select(&(0..pass as u32).collect::<Vec<_>>())
    }
}
