//! Constant arguments: literals, globals and arithmetic (sizes, durations, limits, names of topics).

use super::Expressions;
use crate::ast::Expr as AstExpr;
use crate::check::scope::NoRecord;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::value::{Type, Value};
use std::sync::Arc;

/// What came of an expression that should be constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A value and its static type.
    Value(Value, Type),
    /// Right in itself, but only known at run time.
    Other,
    /// Refused, and reported.
    Refused,
}

impl Expressions<'_> {
    /// The value of a constant expression.
    pub fn constant(&mut self, expr: &AstExpr) -> Constant {
        let refusals = self.refusals();
        let typed = self.check(expr, &mut NoRecord);
        if self.refusals() != refusals {
            return Constant::Refused;
        }
        match typed.expr {
            Expr::Const(value) => Constant::Value(value, typed.ty),
            _ => Constant::Other,
        }
    }

    /// A duration above zero, in ns. `name` is the operator or parameter.
    pub fn positive_duration(&mut self, name: &str, expr: &AstExpr) -> Option<i64> {
        self.asked(name, expr, "a positive duration", "for example `10s` or `5m`", |value| match value {
            Value::Duration(ns) if *ns > 0 => Some(*ns),
            _ => None,
        })
    }

    /// A duration of at least zero, in ns (`out_of_order`, `idle`, `allowed_lateness`).
    pub fn duration_or_zero(&mut self, name: &str, expr: &AstExpr) -> Option<i64> {
        self.asked(name, expr, "a positive duration or 0", "for example `10s` or `0s`", |value| match value {
            Value::Duration(ns) if *ns >= 0 => Some(*ns),
            Value::Int(0) => Some(0),
            _ => None,
        })
    }

    /// An integer above zero.
    pub fn positive_integer(&mut self, name: &str, expr: &AstExpr) -> Option<u64> {
        self.asked(name, expr, "a positive integer", "for example `10`", |value| match value {
            Value::Int(int) if *int > 0 => u64::try_from(*int).ok(),
            _ => None,
        })
    }

    /// A string.
    pub fn text(&mut self, name: &str, expr: &AstExpr) -> Option<Arc<str>> {
        self.asked(name, expr, "a string", "write it in quotes", |value| match value {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// E0305 for a value that is missing or not what is asked. `span`: the value's place, or the operator's name if there
    /// is no value.
    pub fn misfit(&mut self, name: &str, what: &str, help: &str, span: Span) {
        self.report(Diagnostic::new("E0305", span, format!("{name} takes {what}")).help(help));
    }

    /// A constant of the form that `accept` takes; else E0305, unless it was refused for something else.
    pub fn asked<T>(
        &mut self,
        name: &str,
        expr: &AstExpr,
        what: &str,
        help: &str,
        accept: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let accepted = match self.constant(expr) {
            Constant::Refused => return None,
            Constant::Value(value, _) => accept(&value),
            Constant::Other => None,
        };
        if accepted.is_none() {
            self.misfit(name, what, help, expr.span);
        }
        accepted
    }
}
