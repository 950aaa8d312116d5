//! Kernels: expressions of the plan as loops over columns.
//!
//! ```text
//! Expr ──compile──► Node ──eval, batch by batch──► Operand (one value, or a column)
//!                    │                       └──► flags ──► row indices            (select)
//!                    └ Row: what only the interpreter knows, row by row
//! ```
//! A kernel gives for every row what `rarog_lang::eval::interpreter` gives for it; the interpreter is the definition, a
//! kernel is only faster. Physical types are known batch by batch, so loops are picked when a batch is there. What an
//! evaluation that runs into a limit leaves is reported by row.

mod arithmetic;
mod call;
mod compare;
mod compile;
mod contains;
mod eval;
mod inline;
mod limits;
mod logic;
mod node;
mod operand;
mod row;
mod select;
mod texts;

use crate::batch::Rows;
use crate::column::{Column, from_values};
use eval::{Mask, Run, Scope};
use node::Node;
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::plan::{Expr, Function, Layout};
use rarog_lang::value::Value;
use std::sync::Arc;

/// A compiled expression.
pub struct Kernel {
    node: Node,
    layout: Layout,
    evaluator: Evaluator<Arc<[Function]>>,
    hits: Vec<u32>,
}

impl Kernel {
    /// Compiles an expression over records of this layout.
    pub fn compile(expr: &Expr, layout: &Layout, functions: Arc<[Function]>) -> Kernel {
        let node = compile::Compiler::new(&functions).node(expr);
        Kernel { node, layout: layout.clone(), evaluator: Evaluator::new(functions), hits: Vec::new() }
    }

    /// Its value for every row.
    pub fn eval(&mut self, rows: &Rows) -> Column {
        let (node, mut run) = self.run();
        let column = run.eval(node, &Scope::all(rows)).into_column(rows.len());
        if self.hits.is_empty() {
            return column;
        }
        let mut values: Vec<Value> = (0..rows.len()).map(|row| column.get(row)).collect();
        self.hits.iter().for_each(|&row| values[row as usize] = Value::Null);
        from_values(values)
    }

    /// Indices of the rows for which it is true, ascending.
    pub fn select(&mut self, rows: &Rows) -> Vec<u32> {
        let (node, mut run) = self.run();
        let mask = match run.holds(node, true, &Scope::all(rows)) {
            Mask::All(flag) if self.hits.is_empty() => {
                return if flag { (0..rows.len() as u32).collect() } else { Vec::new() };
            }
            mask => mask,
        };
        let mut mask = mask.into_flags(rows.len());
        self.hits.iter().for_each(|&row| mask[row as usize] = false);
        select::indices(&mask)
    }

    fn run(&mut self) -> (&Node, Run<'_>) {
        self.hits.clear();
        let Kernel { node, layout, evaluator, hits } = self;
        (node, Run { evaluator, layout, frame: Vec::new(), hits })
    }

    /// Rows of the last call, ascending, whose evaluation ran into a limit.
    pub fn limit_hits(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.hits)
    }
}
