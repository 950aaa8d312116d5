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
mod logic;
mod node;
mod operand;
mod row;
mod scope;
mod select;
mod texts;
mod traits;

use crate::batch::Rows;
use crate::column::{Column, from_values};
use eval::Run;
use node::Node;
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::plan::{Expr, Function, Layout};
use rarog_lang::value::Value;
use scope::{Mask, Scope};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::EventTypes;
    use rarog_lang::plan::{BinOp, UnOp};

    fn rows() -> Rows {
        Rows {
            pos: Arc::new(vec![0, 1, 2]),
            time: Arc::new(vec![0; 3]),
            event: EventTypes::One("A".into()),
            columns: vec![from_values(vec![Value::Bool(true), Value::Null, Value::Bool(false)])],
            whole: None,
            rank: None,
            released: None,
        }
    }

    /// Chains of 1000 operators are allowed.
    #[test]
    fn long_chains_do_not_overflow_the_stack() {
        let leaf = || Box::new(Expr::Column(0));
        let one = || Box::new(Expr::Const(Value::Int(1)));
        type Link<'l> = &'l dyn Fn(Expr) -> Expr;
        let links: [(Link, Expr, Value); 5] = [
            (&|chain| Expr::Unary(UnOp::Not, Box::new(chain)), Expr::Column(0), Value::Bool(true)),
            (&|chain| Expr::And(Box::new(chain), leaf()), Expr::Column(0), Value::Bool(true)),
            (&|chain| Expr::Coalesce(leaf(), Box::new(chain)), Expr::Column(0), Value::Bool(true)),
            (&|chain| Expr::If(leaf(), Box::new(chain), leaf()), Expr::Column(0), Value::Bool(true)),
            (&|chain| Expr::Binary(BinOp::Add, Box::new(chain), one()), Expr::Const(Value::Int(0)), Value::Int(1000)),
        ];
        for (link, start, expected) in links {
            let chain = (0..1000).fold(start, |chain, _| link(chain));
            let mut kernel = Kernel::compile(&chain, &Layout::default(), Arc::new([]));
            assert_eq!(kernel.eval(&rows()).get(0), expected);
            assert_eq!(kernel.select(&rows()).len(), usize::from(expected == Value::Bool(true)));
        }
    }
}
