//! Expressions over the records of several inputs, evaluated for many combinations at once: the columns that they read are
//! gathered into a batch of their own, over which they are kernels like any others.

use super::shape::{Shape, Source, read, reads};
use super::side::Side;
use crate::batch::{Chunk, EventTypes, Rows, phase};
use crate::column::Column;
use crate::kernel::Kernel;
use crate::operators::Context;
use crate::rt::DeadRecord;
use rarog_lang::plan::{ColumnDef, Expr, Layout};
use rarog_lang::value::Type;
use std::sync::Arc;

/// Some expressions.
pub struct Formulas {
    /// One per expression.
    pub kernels: Vec<Kernel>,
    /// Input and cell of each column that they read.
    reads: Vec<(usize, usize)>,
}

/// Combinations of records of a join.
#[derive(Default)]
pub struct Tuples {
    /// For each the entry that completes it, as the caller numbers them.
    pub entry: Vec<u32>,
    /// For each input the row of each combination; an input that is not found (yet) has none.
    pub rows: Vec<Vec<u32>>,
}

impl Tuples {
    /// None, of so many inputs.
    pub fn new(inputs: usize) -> Tuples {
        Tuples { entry: Vec::new(), rows: vec![Vec::new(); inputs] }
    }

    /// Number of combinations.
    pub fn len(&self) -> usize {
        self.entry.len()
    }

    /// Those with these indices, in this order.
    pub fn take(&self, picked: &[u32]) -> Tuples {
        let take = |all: &Vec<u32>| match all.is_empty() {
            true => Vec::new(),
            false => picked.iter().map(|&index| all[index as usize]).collect(),
        };
        Tuples { entry: take(&self.entry), rows: self.rows.iter().map(take).collect() }
    }

    /// Appends others, of which the same inputs are found.
    pub fn append(&mut self, mut others: Tuples) {
        self.entry.append(&mut others.entry);
        self.rows.iter_mut().zip(&mut others.rows).for_each(|(rows, more)| rows.append(more));
    }
}

impl Formulas {
    /// Compiles expressions over columns and records of inputs.
    pub fn compile(exprs: &[&Expr], shape: &Shape, context: &Context) -> Formulas {
        let mut columns: Vec<(usize, Source)> = Vec::new();
        for read in exprs.iter().flat_map(|expr| reads(expr)) {
            if !columns.contains(&read) {
                columns.push(read);
            }
        }
        let def = |_: &_| ColumnDef { name: "".into(), ty: Type::Any, keep_null: false, hidden: false };
        let layout = Layout { columns: columns.iter().map(def).collect(), open: false };
        let lower = |expr: &Expr| {
            let read = read(expr)?;
            columns.iter().position(|column| *column == read).map(|place| Expr::Column(place as u32))
        };
        let kernel = |expr: &&Expr| Kernel::compile(&expr.map(&lower), &layout, context.functions.clone());
        let kernels = exprs.iter().map(kernel).collect();
        let cell = |(input, source): &(usize, Source)| {
            (*input, shape.inlets[*input].cell_of(source).expect("what conditions and items read is kept"))
        };
        Formulas { kernels, reads: columns.iter().map(cell).collect() }
    }

    /// The columns that are read, for some combinations. Of inputs without rows they are null.
    pub fn table(&self, sides: &[Side], rows: &[Vec<u32>], pos: Vec<u64>, time: Vec<i64>) -> Rows {
        let column = |&(input, cell): &(usize, usize)| match rows[input].is_empty() {
            true => Column::Null(time.len()),
            false => sides[input].records.cells[cell].gather(&rows[input]),
        };
        Rows {
            columns: self.reads.iter().map(column).collect(),
            pos: Arc::new(pos),
            time: Arc::new(time),
            event: EventTypes::One("".into()),
            whole: None,
            released: None,
            rank: None,
        }
    }
}

/// Reports combinations whose evaluation ran into a limit, by the record that completed them.
pub fn report_limits(chunk: &Chunk, table: &Rows, hits: &[u32], context: &Context) {
    for &row in hits {
        context.shared.host.dead(DeadRecord {
            reason: "eval_limit",
            chunk: chunk.seq,
            index: table.pos[row as usize] >> phase::BITS,
            position: None,
            stream: Some(context.stream()),
            detail: "an expression of the join made more than 128 nested calls or 10000000 loop turns; it is null"
                .into(),
            raw: Vec::new(),
        });
    }
}
