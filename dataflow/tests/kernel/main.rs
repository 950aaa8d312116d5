//! Kernels against their definition: for random expressions over random batches every row must have the value, and every
//! limit the row, that the interpreter gives.
//!
//! Sources of expressions: nested ones of all kinds; every operator and function over operands of every physical type;
//! numbers at the edges of their types; and logic around calls that hit limits, where it matters which operands are evaluated.
//!
//! A failure names its seed: `RAROG_KERNEL_SEED=… RAROG_KERNEL_CASES=1 cargo test -p rarog-dataflow --test kernel` runs
//! that case alone. `RAROG_KERNEL_CASES` sets the number of cases, each of which is an expression over a batch.

mod batches;
mod exprs;
mod functions;
mod pairs;
mod random;

use batches::{COLUMNS, batch};
use exprs::{Exprs, FUNCTIONS, functions};
use random::Random;
use rarog_dataflow::batch::Rows;
use rarog_dataflow::kernel::Kernel;
use rarog_lang::eval::interpreter::{Evaluator, Record};
use rarog_lang::plan::{ColumnDef, Expr, Function, Layout};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// What the interpreter reads of a row.
struct Row<'r>(&'r Rows, usize);

impl Record for Row<'_> {
    fn column(&self, column: u32) -> Value {
        self.0.columns[column as usize].get(self.1)
    }
    fn record(&self) -> Value {
        self.0.whole.as_ref().expect("batches have whole records").get(self.1)
    }
    fn time(&self) -> i64 {
        self.0.time[self.1]
    }
    fn event_type(&self) -> Arc<str> {
        self.0.event.get(self.1).clone()
    }
    fn revision(&self) -> u64 {
        self.0.released.as_ref().map_or(0, |released| released[self.1].revision)
    }
    fn window(&self) -> Option<(i64, i64)> {
        self.0.released.as_ref().map(|released| (released[self.1].start, released[self.1].end))
    }
}

/// The same value to the last bit: -0.0 is not 0.0 here, 1 is not 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (a, b) => a == b,
    }
}

fn layout() -> Layout {
    let column =
        |index: usize| ColumnDef { name: format!("c{index}").into(), ty: Type::Any, keep_null: false, hidden: false };
    Layout { columns: (0..COLUMNS).map(column).collect(), open: false }
}

/// Compares one kernel with the interpreter: how many rows have a value, or where they differ.
fn check(expr: &Expr, rows: &Rows, functions: &Arc<[Function]>) -> Result<usize, String> {
    let mut evaluator = Evaluator::new(functions.clone());
    let (mut values, mut hits) = (Vec::new(), Vec::new());
    for row in 0..rows.len() {
        evaluator.reset();
        values.push(evaluator.eval(expr, &Row(rows, row)));
        if evaluator.limit_hit() {
            hits.push(row as u32);
        }
    }
    let mut kernel = Kernel::compile(expr, &layout(), functions.clone());
    let column = kernel.eval(rows);
    if column.len() != rows.len() {
        return Err(format!("{} values for {} rows", column.len(), rows.len()));
    }
    for (row, value) in values.iter().enumerate() {
        let got = column.get(row);
        if !same(&got, value) {
            let record: Vec<Value> = rows.columns.iter().map(|column| column.get(row)).collect();
            return Err(format!("row {row} {record:?}: interpreter {value:?}, kernel {got:?}"));
        }
    }
    let found = kernel.limit_hits();
    if found != hits {
        return Err(format!("limits hit by eval: interpreter {hits:?}, kernel {found:?}"));
    }
    let selected: Vec<u32> = (0..rows.len() as u32).filter(|&row| values[row as usize] == Value::Bool(true)).collect();
    let found = kernel.select(rows);
    if found != selected {
        return Err(format!("selected: interpreter {selected:?}, kernel {found:?}"));
    }
    let found = kernel.limit_hits();
    if found != hits {
        return Err(format!("limits hit by select: interpreter {hits:?}, kernel {found:?}"));
    }
    Ok(values.iter().filter(|value| **value != Value::Null).count())
}

/// A number in the environment.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Checks as many cases as asked for, each made from its own seed: an expression, and functions beside the usual ones.
fn check_cases(default: u64, mut case: impl FnMut(u64, &mut Random) -> (Expr, Rows, Vec<Function>)) {
    let first = number("RAROG_KERNEL_SEED").unwrap_or(1);
    let cases = number("RAROG_KERNEL_CASES").unwrap_or(default);
    let mut valued = 0;
    for seed in first..first + cases {
        let (expr, rows, more) = case(seed, &mut Random::new(seed));
        let functions: Arc<[Function]> = functions().into_iter().chain(more).collect();
        match check(&expr, &rows, &functions) {
            Ok(values) => valued += u64::from(values > 0),
            Err(difference) => {
                let more = &functions[FUNCTIONS as usize..];
                panic!("RAROG_KERNEL_SEED={seed} RAROG_KERNEL_CASES=1\n{expr:?}\n{more:?}\n{difference}")
            }
        }
    }
    // Generators that only make nulls would prove nothing.
    assert!(valued * 6 > cases || cases < 100, "only {valued} of {cases} expressions have values");
}

#[test]
fn nested_expressions() {
    check_cases(5_000, |_, random| {
        let rows = random.below(14);
        let rows = batch(random, rows);
        let depth = 1 + random.below(4) as u32;
        (Exprs::new(random, FUNCTIONS).any(depth), rows, vec![])
    });
}

#[test]
fn every_operation_on_every_type() {
    let shapes = pairs::shapes();
    let batches: Vec<Rows> = (0..8).map(|seed| batch(&mut Random::new(1_000 + seed), 40)).collect();
    check_cases(shapes.len() as u64, |seed, random| {
        let shape = &shapes[seed as usize % shapes.len()];
        (shape.expr(random), random.pick(&batches), vec![])
    });
}

#[test]
fn limits_in_branches() {
    check_cases(4_000, |_, random| {
        let rows = batch(random, 12);
        let depth = 1 + random.below(4) as u32;
        (Exprs::new(random, FUNCTIONS).logic(depth), rows, vec![])
    });
}

#[test]
fn calls_of_functions() {
    check_cases(4_000, |_, random| {
        let rows = batch(random, 12);
        let more: Vec<Function> = (0..3).map(|number| Exprs::user_function(random, FUNCTIONS + number)).collect();
        let function = FUNCTIONS + random.below(3) as u32;
        let mut exprs = Exprs::new(random, FUNCTIONS + 3);
        let args = vec![exprs.number(1), exprs.any(1)];
        (Expr::CallFn(function, args), rows, more)
    });
}

#[test]
fn numbers_at_the_edges() {
    let functions: Arc<[Function]> = functions().into();
    for (expr, rows) in pairs::edges() {
        if let Err(difference) = check(&expr, &rows, &functions) {
            panic!("{expr:?}\n{difference}");
        }
    }
}
