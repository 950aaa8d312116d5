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
use std::sync::Arc;

/// What can be computed of a record before it enters.
pub struct Gate {
    input: usize,
    /// The input's own condition.
    condition: Option<Kernel>,
    /// Inputs before this one that read the same node: a record that is late is so once.
    twins: Vec<usize>,
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
    /// Those that are late.
    pub late: Vec<u32>,
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
            twins: (0..input).filter(|other| nodes[*other] == nodes[input]).collect(),
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

    /// Is a row let through?
    fn takes(&mut self, rows: &Rows, row: u32) -> bool {
        self.condition.as_mut().is_none_or(|condition| !condition.select(&rows.take(&[row])).is_empty())
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

    fn is_null(column: &Column, row: u32) -> bool {
        match column {
            Column::Str(texts) => texts.bytes(row as usize).is_none(),
            column => column.get(row as usize) == rarog_lang::value::Value::Null,
        }
    }
}

/// Takes the rows of one chunk at one input.
pub fn pass(
    gates: &mut [Gate],
    input: usize,
    chunk: &Arc<Chunk>,
    rows: Rows,
    progress: &Progress,
    context: &Context,
) -> Option<Passed> {
    let rows = gates[input].select(chunk, rows, context)?;
    let (mut picked, mut late): (Vec<u32>, Vec<u32>) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in 0..rows.len() {
        let w = progress.before((rows.pos[row] >> phase::BITS) as usize);
        if rows.time[row] < w { late.push(row as u32) } else { picked.push(row as u32) }
    }
    let arrivals = gates[input].arrivals(chunk, &rows, context);
    let gate = &gates[input];
    if !gate.kept && !gate.classes.is_empty() {
        let null = |row: &u32| gate.classes.iter().any(|cell| Gate::is_null(&arrivals.columns[*cell], *row));
        picked.retain(|row| !null(row));
    }
    let twins = gates[input].twins.clone();
    late.retain(|row| !twins.iter().any(|twin| gates[*twin].takes(&rows, *row)));
    Some(Passed { rows, arrivals, picked, late })
}
