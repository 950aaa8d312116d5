//! Evaluation of one expression on one record: what folds constants, runs functions with loops, computes the items of
//! aggregates, and what the vectorised kernels are held against.
//!
//! There is no recursion on the program: what is still to be done lies on a stack of its own, so that no nesting of
//! expressions, calls and chains of operators can overflow the thread's stack. Limits end an evaluation with null.

mod calls;
mod each;
mod expressions;
mod machine;
mod statements;

use crate::plan::{Capture, Expr, Function};
use crate::value::{Map, Value};
pub use machine::revision;
use machine::{Machine, Stacks, read};
use std::sync::Arc;

/// Nested calls of user functions in one evaluation.
pub const CALL_DEPTH: u32 = 128;
/// Turns of all loops in one evaluation, applications of lambdas to elements included.
pub const LOOP_TURNS: u32 = 10_000_000;

/// What an expression may read besides its frame. What a kind of record does not have is null.
pub trait Record {
    /// A column of its layout.
    fn column(&self, column: u32) -> Value;
    /// A column of the record of a join's input, or of a captured element.
    fn of(&self, _input: u32, _column: u32) -> Value {
        Value::Null
    }
    /// The record as a map.
    fn record(&self) -> Value {
        Value::Null
    }
    /// Event time, ns.
    fn time(&self) -> i64 {
        0
    }
    /// Event type.
    fn event_type(&self) -> Arc<str> {
        Arc::from("")
    }
    /// Start and end of the window that is reported, ns.
    fn window(&self) -> Option<(i64, i64)> {
        None
    }
    /// How often this window had fired before.
    fn revision(&self) -> u64 {
        0
    }
    /// Result of a call of an aggregate function.
    fn aggregate(&self, _call: u32) -> Value {
        Value::Null
    }
    /// A key of the aggregate.
    fn key(&self, _key: u32) -> Value {
        Value::Null
    }
    /// The keys' texts.
    fn partition(&self) -> Value {
        Value::Null
    }
    /// Time of the first captured record of a match, ns.
    fn match_start(&self) -> i64 {
        0
    }
    /// What a sequence has captured; never asked for [`Capture::At`].
    fn captured(&self, _element: u32, _capture: &Capture) -> Value {
        Value::Null
    }
    /// A column of record `at` (from 0, in range) of those that an element has captured.
    fn captured_at(&self, _element: u32, _column: u32, _at: usize) -> Value {
        Value::Null
    }
}

/// No record: for constants and arguments of `.process`.
pub struct NoRecord;

impl Record for NoRecord {
    fn column(&self, _: u32) -> Value {
        Value::Null
    }
}

/// Evaluates expressions of one plan. It keeps its stacks from one evaluation to the next.
///
/// `F` holds the plan's functions: `&[Function]`, `Vec<Function>`, `Arc<[Function]>`.
///
/// ```
/// use rarog_lang::eval::interpreter::{Evaluator, NoRecord};
/// use rarog_lang::plan::{BinOp, Expr, Function};
/// use rarog_lang::value::Value;
///
/// let number = |int| Box::new(Expr::Const(Value::Int(int)));
/// let mut evaluator = Evaluator::new(Vec::<Function>::new());
/// let sum = Expr::Binary(BinOp::Add, number(1), number(2));
/// assert_eq!(evaluator.eval(&sum, &NoRecord), Value::Int(3));
/// ```
pub struct Evaluator<F> {
    functions: F,
    stacks: Stacks,
    limit_hit: bool,
}

impl<F: AsRef<[Function]>> Evaluator<F> {
    /// For expressions that call these functions.
    pub fn new(functions: F) -> Evaluator<F> {
        Evaluator { functions, stacks: Stacks::default(), limit_hit: false }
    }

    /// The functions.
    pub fn functions(&self) -> &[Function] {
        self.functions.as_ref()
    }

    /// The expression's value on a record; null if it ran into a limit.
    pub fn eval(&mut self, expr: &Expr, record: &dyn Record) -> Value {
        // Most items are a column or a constant.
        if let Some(value) = read(expr, record) {
            return value;
        }
        let mut machine = Machine::new(self.functions.as_ref(), record, &mut self.stacks);
        let value = machine.run(expr);
        self.limit_hit |= machine.finish(&mut self.stacks).limit_hit;
        value
    }

    /// Does a condition pass, that is, is it true?
    pub fn holds(&mut self, expr: &Expr, record: &dyn Record) -> bool {
        self.eval(expr, record) == Value::Bool(true)
    }

    /// Calls a user function. Arguments are converted to the parameters' types.
    pub fn call(&mut self, function: u32, args: Vec<Value>) -> Value {
        self.called(function, args).0
    }

    /// A call in `.process`: what it emits, in order, as event type and fields; null items are left out unless they are
    /// the literal `null`. If it runs into a limit, what was emitted before stays.
    pub fn process(&mut self, function: u32, args: Vec<Value>) -> Vec<(Arc<str>, Map)> {
        self.called(function, args).1
    }

    fn called(&mut self, function: u32, args: Vec<Value>) -> (Value, Vec<(Arc<str>, Map)>) {
        let mut machine = Machine::new(self.functions.as_ref(), &NoRecord, &mut self.stacks);
        let value = machine.run_call(function, args);
        let end = machine.finish(&mut self.stacks);
        self.limit_hit |= end.limit_hit;
        (value, end.emitted)
    }

    /// Did an evaluation since the last [`Evaluator::reset`] run into [`CALL_DEPTH`] or [`LOOP_TURNS`]?
    pub fn limit_hit(&self) -> bool {
        self.limit_hit
    }

    /// Forgets limits that were hit: a new record begins.
    pub fn reset(&mut self) {
        self.limit_hit = false;
    }
}

#[cfg(test)]
mod tests;
