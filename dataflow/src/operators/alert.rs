//! `alert`: counts what is to be posted, which is the host's to do; records pass on.

use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// An alert.
pub struct Alert;

impl Operator for Alert {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let counts = &context.shared.counters.streams[context.node().stream as usize];
        counts.alerts.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Some(rows)
    }
}
