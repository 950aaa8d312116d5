//! `print` and `log`: a line per record for the person who watches; records pass on.

use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use crate::kernel::Kernel;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::Expr;
use std::sync::Arc;

/// `print(e…)`.
pub struct Print {
    items: Vec<Kernel>,
}

impl Print {
    /// Compiles the items; none: the record.
    pub fn new(items: &[Expr], context: &Context) -> Print {
        let layout = context.input_layout(0);
        Print { items: items.iter().map(|item| Kernel::compile(item, layout, context.functions.clone())).collect() }
    }
}

impl Operator for Print {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns: Vec<_> = self.items.iter_mut().map(|item| item.eval(&rows)).collect();
        for row in 0..rows.len() {
            let line = if columns.is_empty() {
                to_text(&rows.record(context.input_layout(0), row))
            } else {
                columns.iter().map(|column| to_text(&column.get(row))).collect::<Vec<_>>().join(" ")
            };
            context.shared.host.print(line);
        }
        Some(rows)
    }
}

/// `log(level:, message:, data:)`.
pub struct Log {
    level: Arc<str>,
    parts: Vec<Kernel>,
}

impl Log {
    /// Compiles message and data.
    pub fn new(level: Arc<str>, message: Option<&Expr>, data: Option<&Expr>, context: &Context) -> Log {
        let layout = context.input_layout(0);
        let parts = [message, data].into_iter().flatten();
        Log { level, parts: parts.map(|part| Kernel::compile(part, layout, context.functions.clone())).collect() }
    }
}

impl Operator for Log {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns: Vec<_> = self.parts.iter_mut().map(|part| part.eval(&rows)).collect();
        for row in 0..rows.len() {
            let line = match columns.is_empty() {
                true => to_text(&rows.record(context.input_layout(0), row)),
                false => columns.iter().map(|column| to_text(&column.get(row))).collect::<Vec<_>>().join(" "),
            };
            context.shared.host.log(&self.level, line);
        }
        Some(rows)
    }
}
