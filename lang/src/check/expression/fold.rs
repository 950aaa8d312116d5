//! Constant folding: an expression whose parts are constants is evaluated once, by what also evaluates it at run time.

use super::Expressions;
use crate::check::scope::Typed;
use crate::eval::ops;
use crate::plan::Expr;
use crate::value::Value;

impl Expressions<'_> {
    /// The constant that `typed` is, if its parts are constants.
    pub(super) fn folded(&mut self, typed: Typed) -> Typed {
        match fold(&typed.expr) {
            Some(value) => Typed { expr: Expr::Const(value), ty: typed.ty },
            None => typed,
        }
    }

    /// The value of an expression that reads no record.
    pub(in crate::check) fn evaluate(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::Const(value) => value.clone(),
            other => fold(other).unwrap_or_default(),
        }
    }
}

/// The value of a constant.
fn constant_of(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Const(value) => Some(value),
        _ => None,
    }
}

fn fold(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::Unary(op, a) => ops::unary(*op, constant_of(a)?),
        Expr::Binary(op, a, b) => ops::binary(*op, constant_of(a)?, constant_of(b)?),
        Expr::And(a, b) => ops::and(constant_of(a)?, constant_of(b)?),
        Expr::Or(a, b) => ops::or(constant_of(a)?, constant_of(b)?),
        Expr::In(a, b) => ops::contains(constant_of(a)?, constant_of(b)?),
        Expr::IsNull(a) => Value::Bool(*constant_of(a)? == Value::Null),
        _ => return None,
    })
}
