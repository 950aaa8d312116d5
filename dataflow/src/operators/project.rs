//! `select` and `emit`: each row becomes a new record of computed items.

use super::{Context, Operator};
use crate::batch::{Chunk, EventTypes, Rows};
use crate::kernel::Kernel;
use rarog_lang::plan::Expr;
use std::sync::Arc;

/// A projection.
pub struct Project {
    items: Vec<Kernel>,
    event: Option<Arc<str>>,
}

impl Project {
    /// Compiles the items; `event` is the new event type, if there is one.
    pub fn new(items: &[Expr], event: Option<Arc<str>>, context: &Context) -> Project {
        let layout = context.input_layout(0);
        let items = items.iter().map(|item| Kernel::compile(item, layout, context.functions.clone())).collect();
        Project { items, event }
    }
}

impl Operator for Project {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let mut columns = Vec::with_capacity(self.items.len());
        for item in &mut self.items {
            columns.push(item.eval(&rows));
            context.limit_hits(chunk, &rows, &item.limit_hits());
        }
        let event = match &self.event {
            Some(event) => EventTypes::One(event.clone()),
            None => rows.event.clone(),
        };
        Some(Rows {
            pos: rows.pos,
            time: rows.time,
            event,
            columns,
            whole: None,
            released: rows.released,
            rank: rows.rank,
        })
    }
}
