//! How records get into a join: the conditions of its inputs, what is late, the values that are kept.

use super::records::Arrivals;
use super::shape::{Inlet, Source};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::Progress;
use crate::column::{Column, from_values};
use crate::kernel::Kernel;
use crate::operators::Context;
use crate::operators::key::{KeyColumns, began};
use rarog_lang::plan::{Expr, Layout};
use rarog_lang::value::Value;
use std::sync::Arc;

/// What can be computed of a record before it enters.
pub struct Gate {
    input: usize,
    /// The input's own condition.
    condition: Option<Kernel>,
    /// Does an input before this one read the same node? A record that is late is so once.
    twin: bool,
    /// One per cell.
    cells: Vec<Cell>,
    /// Cells of the classes.
    classes: Vec<usize>,
    /// Must it be kept even if it can match nothing?
    kept: bool,
    layout: Layout,
}

enum Cell {
    Column(usize),
    Value(Box<Kernel>),
    Whole,
}

/// What passed of a chunk at one input.
pub struct Passed {
    /// As they came.
    pub rows: Rows,
    /// What is kept of them.
    pub arrivals: Arrivals,
    /// Those that may enter, in order of arrival.
    pub picked: Vec<u32>,
}

fn compile(expr: &Expr, input: usize, context: &Context) -> Kernel {
    Kernel::compile(expr, context.input_layout(input), context.functions.clone())
}

impl Gate {
    /// Of input `input`, which has this condition.
    pub fn new(input: usize, condition: Option<&Expr>, inlet: &Inlet, kept: bool, context: &Context) -> Gate {
        let nodes = &context.node().inputs;
        let cell = |source: &Source| match source {
            Source::Column(column) => Cell::Column(*column as usize),
            Source::Value(value) => Cell::Value(Box::new(compile(value, input, context))),
            Source::Whole => Cell::Whole,
        };
        Gate {
            input,
            condition: condition.map(|condition| compile(condition, input, context)),
            twin: nodes[..input].contains(&nodes[input]),
            cells: inlet.sources.iter().map(cell).collect(),
            classes: inlet.classes.iter().map(|(_, cell)| *cell).collect(),
            kept,
            layout: context.input_layout(input).clone(),
        }
    }

    /// Rows that the condition lets through.
    fn select(&mut self, chunk: &Chunk, rows: Rows, context: &Context) -> Option<Rows> {
        let Some(condition) = &mut self.condition else { return Some(rows) };
        let selected = condition.select(&rows);
        context.limit_hits_of(self.input, chunk, &rows, &condition.limit_hits());
        rows.select(&selected)
    }

    /// Splits off what is late: whatever the condition says of it, it came too late for the join.
    pub fn split(&self, rows: Rows, progress: &Progress) -> (Option<Rows>, Option<Rows>) {
        let is_late = |row: usize| rows.time[row] < progress.before((rows.pos[row] >> phase::BITS) as usize);
        if !(0..rows.len()).any(is_late) {
            return (Some(rows), None);
        }
        let (late, timely): (Vec<u32>, Vec<u32>) = (0..rows.len() as u32).partition(|row| is_late(*row as usize));
        let late = (!self.twin).then(|| rows.take(&late));
        (rows.select(&timely), late)
    }

    /// Takes the rows of one chunk that are in time.
    pub fn pass(&mut self, chunk: &Arc<Chunk>, rows: Rows, context: &Context) -> Option<Passed> {
        let rows = self.select(chunk, rows, context)?;
        let arrivals = self.arrivals(chunk, &rows, context);
        let mut picked: Vec<u32> = (0..rows.len() as u32).collect();
        if !self.kept && !self.classes.is_empty() {
            let null = |row: &u32| self.classes.iter().any(|cell| is_null(&arrivals.columns[*cell], *row as usize));
            picked.retain(|row| !null(row));
        }
        Some(Passed { rows, arrivals, picked })
    }

    fn arrivals(&mut self, chunk: &Chunk, rows: &Rows, context: &Context) -> Arrivals {
        let mut columns = Vec::with_capacity(self.cells.len());
        for cell in &mut self.cells {
            columns.push(match cell {
                Cell::Column(column) => rows.columns[*column].clone(),
                Cell::Value(kernel) => {
                    let column = kernel.eval(rows);
                    context.limit_hits_of(self.input, chunk, rows, &kernel.limit_hits());
                    column
                }
                Cell::Whole => from_values((0..rows.len()).map(|row| rows.record(&self.layout, row)).collect()),
            });
        }
        let hash = |cell: &usize| KeyColumns::new(vec![columns[*cell].clone()], rows.len()).hashes;
        Arrivals {
            hashes: self.classes.iter().map(hash).collect(),
            began: rows.pos.iter().map(|pos| began(chunk.seq, *pos)).collect(),
            time: rows.time.to_vec(),
            columns,
        }
    }
}

fn is_null(column: &Column, row: usize) -> bool {
    match column {
        Column::Str(texts) => texts.bytes(row).is_none(),
        column => column.get(row) == Value::Null,
    }
}
