//! Constant folding: an expression whose parts are constants is evaluated once, by what also evaluates it at run time.
//!
//! What would be large is left to run time, so that a short program cannot make a huge plan.

use super::Expressions;
use crate::check::scope::Typed;
use crate::eval::interpreter::{Evaluator, NoRecord};
use crate::plan::Expr;
use crate::value::Value;

/// A folded constant has at most so many parts and bytes of text.
const FOLDED_SIZE: usize = 16 << 10;

impl Expressions<'_> {
    /// The constant that `typed` is, if its parts are constants.
    pub(super) fn folded(&mut self, typed: Typed) -> Typed {
        if !has_constant_parts(&typed.expr) {
            return typed;
        }
        let value = Evaluator::new([]).eval(&typed.expr, &NoRecord);
        if is_within(&value, FOLDED_SIZE) { Typed { expr: Expr::Const(value), ty: typed.ty } } else { typed }
    }

    /// The value of an expression that reads no record, or null if it runs into a limit.
    pub(in crate::check) fn evaluate(&self, expr: &Expr) -> Value {
        Evaluator::new(self.functions.as_slice()).eval(expr, &NoRecord)
    }
}

/// Can it be evaluated now? Calls of user functions cannot: running into a limit is an event of run time.
fn has_constant_parts(expr: &Expr) -> bool {
    let constant = |part: &Expr| matches!(part, Expr::Const(_));
    match expr {
        Expr::Unary(_, a) | Expr::IsNull(a) | Expr::Member(a, _) | Expr::Convert(_, a) => constant(a),
        Expr::Binary(_, a, b)
        | Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Coalesce(a, b)
        | Expr::In(a, b)
        | Expr::Range(_, a, b)
        | Expr::Index(a, b) => constant(a) && constant(b),
        Expr::If(a, b, c) => constant(a) && constant(b) && constant(c),
        Expr::Slice(a, from, to) => constant(a) && [from, to].into_iter().flatten().all(|bound| constant(bound)),
        Expr::Array(items) | Expr::Call(_, items) => items.iter().all(constant),
        Expr::Map(entries) => entries.iter().all(|(_, value)| constant(value)),
        _ => false,
    }
}

/// Has the value at most `size` parts and bytes of text? The work is bounded by `size`, too, however often parts are shared.
pub(in crate::check) fn is_within(value: &Value, size: usize) -> bool {
    let mut open = vec![value];
    let mut left = size;
    while let Some(value) = open.pop() {
        let own = match value {
            Value::Str(text) => text.len(),
            Value::Array(items) => items.len(),
            Value::Map(map) => map.len(),
            _ => 0,
        };
        let Some(rest) = left.checked_sub(own + 1) else { return false };
        left = rest;
        match value {
            Value::Array(items) => open.extend(items.iter()),
            Value::Map(map) => open.extend(map.values()),
            _ => {}
        }
    }
    true
}
