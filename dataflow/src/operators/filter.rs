//! `where`, `filter`, `having`: keeps the rows whose condition is true.

use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use crate::kernel::Kernel;
use rarog_lang::plan::Expr;
use std::sync::Arc;

/// A filter.
pub struct Filter {
    condition: Kernel,
}

impl Filter {
    /// Compiles the condition.
    pub fn new(condition: &Expr, context: &Context) -> Filter {
        Filter { condition: Kernel::compile(condition, context.input_layout(0), context.functions.clone()) }
    }
}

impl Operator for Filter {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let selected = self.condition.select(&rows);
        context.limit_hits(chunk, &rows, &self.condition.limit_hits());
        rows.select(&selected)
    }
}
