//! `merge`: the union of its inputs by position; a record enters once, if any branch on its input lets it in.

use super::arrival::Arrival;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows};
use crate::column::Column;
use crate::kernel::Kernel;
use crate::whole::Whole;
use rarog_lang::plan::{Branch, Op, Plan};
use std::sync::Arc;

struct Entry {
    port: usize,
    /// No condition: everything enters.
    conditions: Vec<Kernel>,
    unconditional: bool,
    columns: Vec<Option<u32>>,
}

/// A merge.
pub struct Merge {
    entries: Vec<Entry>,
    arrival: Arc<Arrival>,
    /// Does a reader need the records as they came? Then those of closed inputs are made whole, too.
    whole: bool,
}

impl Merge {
    /// One entry per input that the branches name.
    pub fn new(branches: &[Branch], context: &Context) -> Merge {
        let mut entries: Vec<Entry> = Vec::new();
        for branch in branches {
            let port = branch.input as usize;
            let condition = branch
                .condition
                .as_ref()
                .map(|expr| Kernel::compile(expr, context.input_layout(port), context.functions.clone()));
            let known = entries.iter().position(|entry| entry.port == port);
            let index = known.unwrap_or_else(|| {
                entries.push(Entry { port, conditions: vec![], unconditional: false, columns: branch.columns.clone() });
                entries.len() - 1
            });
            match condition {
                Some(kernel) => entries[index].conditions.push(kernel),
                None => entries[index].unconditional = true,
            }
        }
        Merge { entries, arrival: context.arrival(), whole: is_whole(context.plan(), context.node) }
    }
}

/// Have the records of a node more fields than its columns?
fn is_open(plan: &Plan, node: u32) -> bool {
    plan.layouts[plan.nodes[node as usize].layout as usize].open
}

/// Do the records of a node travel whole?
fn is_whole(plan: &Plan, node: u32) -> bool {
    let mut open = vec![node];
    let mut seen = vec![false; plan.nodes.len()];
    while let Some(node) = open.pop() {
        let at = &plan.nodes[node as usize];
        if !is_open(plan, node) || std::mem::replace(&mut seen[node as usize], true) {
            continue;
        }
        match &at.op {
            Op::Input(input) if plan.inputs[*input as usize].whole => return true,
            Op::Process { .. } | Op::Late { .. } => return true,
            Op::Join(join) if join.whole => return true,
            Op::Sequence(sequence) if sequence.whole => return true,
            // Its inputs show different nulls.
            Op::Merge(_) if at.inputs.iter().all(|input| !is_open(plan, *input)) => return true,
            // Their records are made of those of their inputs, and are none of them.
            Op::Join(_) | Op::Sequence(_) => {}
            _ => open.extend(&at.inputs),
        }
    }
    false
}

impl Entry {
    fn enter(&mut self, chunk: &Chunk, rows: Rows, context: &Context) -> Option<Rows> {
        let mut passed = vec![self.unconditional; rows.len()];
        if !self.unconditional {
            for condition in &mut self.conditions {
                for row in condition.select(&rows) {
                    passed[row as usize] = true;
                }
                context.limit_hits(chunk, &rows, &condition.limit_hits());
            }
        }
        let selected: Vec<u32> = (0..rows.len() as u32).filter(|&row| passed[row as usize]).collect();
        let rows = rows.select(&selected)?;
        let columns = self
            .columns
            .iter()
            .map(|column| column.map_or(Column::Null(rows.len()), |index| rows.columns[index as usize].clone()))
            .collect();
        Some(Rows { columns, ..rows })
    }
}

impl Operator for Merge {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let mut parts: Vec<Option<Rows>> = (0..ports.len()).map(|_| None).collect();
        for entry in &mut self.entries {
            let rows = ports[entry.port].take().map(|rows| match &rows.whole {
                None if self.whole => {
                    let whole = Whole::of_columns(&rows, context.input_layout(entry.port));
                    Rows { whole: Some(whole), ..rows }
                }
                _ => rows,
            });
            parts[entry.port] = rows.and_then(|rows| entry.enter(chunk, rows, context));
        }
        let ranked = parts.iter().flatten().any(|part| part.rank.is_some());
        let ranked = |port: usize| Some(self.arrival.ranked(port, parts[port].take()?, ranked));
        Rows::in_order(self.arrival.ports().into_iter().filter_map(ranked).collect())
    }
}
