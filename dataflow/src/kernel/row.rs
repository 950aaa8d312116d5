//! Expressions that have no loop over columns: the interpreter evaluates them row by row.

use super::eval::Run;
use super::scope::Scope;
use crate::batch::Rows;
use crate::column::{Column, from_values};
use crate::whole::Whole;
use rarog_lang::eval::interpreter::Record;
use rarog_lang::plan::{Expr, Layout};
use rarog_lang::value::Value;
use std::sync::Arc;

/// A row of a batch as the interpreter reads it.
struct RowRecord<'r> {
    rows: &'r Rows,
    layout: &'r Layout,
    row: usize,
}

impl Record for RowRecord<'_> {
    fn column(&self, column: u32) -> Value {
        self.rows.columns[column as usize].get(self.row)
    }
    fn record(&self) -> Value {
        match &self.rows.whole {
            Some(whole) => whole.get(self.row),
            None => Value::Map(Arc::new(Whole::fields(self.rows, self.layout, self.row))),
        }
    }
    fn time(&self) -> i64 {
        self.rows.time[self.row]
    }
    fn event_type(&self) -> Arc<str> {
        self.rows.event.get(self.row).clone()
    }
    fn revision(&self) -> u64 {
        self.rows.released.as_ref().map_or(0, |released| released[self.row].revision)
    }
    fn window(&self) -> Option<(i64, i64)> {
        self.rows.released.as_ref().map(|released| (released[self.row].start, released[self.row].end))
    }
}

/// Values of an expression over the rows of a scope.
pub fn eval(expr: &Expr, scope: &Scope, run: &mut Run) -> Column {
    let mut record = RowRecord { rows: scope.rows, layout: run.layout, row: 0 };
    let mut values = Vec::with_capacity(scope.len());
    for index in 0..scope.len() {
        let row = scope.row(index);
        record.row = row as usize;
        values.push(run.evaluator.eval(expr, &record));
        if run.evaluator.limit_hit() {
            run.evaluator.reset();
            run.hits.push(row);
        }
    }
    from_values(values)
}
