//! Operators: which operand types fit, what type results.

use super::Expressions;
use crate::ast::{BinOp, Expr as AstExpr, ExprKind, Ident, UnOp};
use crate::check::scope::{Found, Scope, Typed};
use crate::check::types::{self, Kind};
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::value::Type;
use std::collections::HashSet;
use std::sync::Arc;

impl Expressions<'_> {
    /// `op operand`
    pub(super) fn unary(&mut self, op: UnOp, symbol: Span, operand: &AstExpr, scope: &mut dyn Scope) -> Typed {
        let operand = self.check(operand, scope);
        let Some(ty) = unary_type(op, &operand.ty) else {
            let name = match op {
                UnOp::Neg => "-",
                UnOp::BitNot => "~",
                UnOp::Not => "not",
            };
            let message = format!("`{name}` cannot be applied to {}", types::name(&operand.ty));
            self.report(Diagnostic::new("E0301", symbol, message));
            return self.refused();
        };
        self.folded(Typed { expr: Expr::Unary(op, Box::new(operand.expr)), ty })
    }

    /// `left op right`
    pub(super) fn binary(
        &mut self,
        op: BinOp,
        symbol: Span,
        (left, left_ast): (Found, &AstExpr),
        right: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Typed {
        let left = self.value_of(left, left_ast.span, scope);
        if matches!(op, BinOp::Eq | BinOp::Ne) {
            if right.kind == ExprKind::Null {
                return self.null_test(op == BinOp::Ne, left);
            }
            if left_ast.kind == ExprKind::Null {
                let right = self.check(right, scope);
                return self.null_test(op == BinOp::Ne, right);
            }
        }
        let right = self.check(right, scope);
        let Some(ty) = binary_type(op, &left.ty, &right.ty) else {
            self.not_applicable(symbol, binary_name(op), &left.ty, &right.ty);
            return self.refused();
        };
        self.folded(Typed { expr: Expr::Binary(op, Box::new(left.expr), Box::new(right.expr)), ty })
    }

    /// `is [not] null`, `== null`, `!= null`
    pub(super) fn null_test(&mut self, negated: bool, operand: Typed) -> Typed {
        let test = Expr::IsNull(Box::new(operand.expr));
        let test = self.folded(Typed { expr: test, ty: Type::Bool });
        if negated { self.folded(negation(test)) } else { test }
    }

    /// `and`, `or`
    pub(super) fn logic(
        &mut self,
        and: bool,
        symbol: Span,
        left: Typed,
        right: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Typed {
        let right = self.check(right, scope);
        let fits = |typed: &Typed| types::is_unknown(&typed.ty) || typed.ty == Type::Bool;
        if !fits(&left) || !fits(&right) {
            self.not_applicable(symbol, if and { "and" } else { "or" }, &left.ty, &right.ty);
            return self.refused();
        }
        let (left, right) = (Box::new(left.expr), Box::new(right.expr));
        let expr = if and { Expr::And(left, right) } else { Expr::Or(left, right) };
        self.folded(Typed { expr, ty: Type::Bool })
    }

    /// `left [not] in right`
    pub(super) fn contained(
        &mut self,
        negated: bool,
        symbol: Span,
        left: Typed,
        right: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Typed {
        let right = self.check(right, scope);
        if !may_contain(&right.ty, &left.ty) {
            self.not_applicable(symbol, if negated { "not in" } else { "in" }, &left.ty, &right.ty);
            return self.refused();
        }
        let expr = Expr::In(Box::new(left.expr), Box::new(right.expr));
        let test = self.folded(Typed { expr, ty: Type::Bool });
        if negated { self.folded(negation(test)) } else { test }
    }

    /// `a ?? b`
    pub(super) fn coalesce(&mut self, left: &AstExpr, right: &AstExpr, scope: &mut dyn Scope) -> Typed {
        let (left, right) = (self.check(left, scope), self.check(right, scope));
        let ty = types::join(left.ty, right.ty);
        self.folded(Typed { expr: Expr::Coalesce(Box::new(left.expr), Box::new(right.expr)), ty })
    }

    /// `from..to`, not folded: a `for` runs over ranges that no array could hold.
    pub(in crate::check) fn range(
        &mut self,
        inclusive: bool,
        symbol: Span,
        from: &AstExpr,
        to: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Typed {
        let (from, to) = (self.check(from, scope), self.check(to, scope));
        let fits = |typed: &Typed| types::is_unknown(&typed.ty) || typed.ty == Type::Int;
        if !fits(&from) || !fits(&to) {
            self.not_applicable(symbol, if inclusive { "..=" } else { ".." }, &from.ty, &to.ty);
            return self.refused();
        }
        let expr = Expr::Range(inclusive, Box::new(from.expr), Box::new(to.expr));
        Typed { expr, ty: Type::Array(Box::new(Type::Int)) }
    }

    /// `if condition then a else b`
    pub(super) fn choice(
        &mut self,
        condition: &AstExpr,
        then: &AstExpr,
        otherwise: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Typed {
        let condition = self.condition(condition, scope);
        let (then, otherwise) = (self.check(then, scope), self.check(otherwise, scope));
        let ty = types::join(then.ty, otherwise.ty);
        let expr = Expr::If(Box::new(condition.expr), Box::new(then.expr), Box::new(otherwise.expr));
        self.folded(Typed { expr, ty })
    }

    /// `[a, b]`
    pub(super) fn array(&mut self, items: &[AstExpr], scope: &mut dyn Scope) -> Typed {
        let items: Vec<Typed> = items.iter().map(|item| self.check(item, scope)).collect();
        let ty = Type::Array(Box::new(types::join_all(items.iter().map(|item| item.ty.clone()))));
        self.folded(Typed { expr: Expr::Array(items.into_iter().map(|item| item.expr).collect()), ty })
    }

    /// `{k: v}`
    pub(super) fn map(&mut self, entries: &[(Ident, AstExpr)], scope: &mut dyn Scope) -> Typed {
        let mut keys: HashSet<&Arc<str>> = HashSet::new();
        let mut checked = Vec::new();
        let mut types = Vec::new();
        for (key, value) in entries {
            if !keys.insert(&key.name) {
                self.report(Diagnostic::new("E0217", key.span, format!("field {} is given twice", key.name)));
            }
            let value = self.check(value, scope);
            checked.push((key.name.clone(), value.expr));
            types.push(value.ty);
        }
        let ty = Type::Map(Box::new(Type::Str), Box::new(types::join_all(types)));
        self.folded(Typed { expr: Expr::Map(checked), ty })
    }

    /// E0301 for an operator.
    pub(super) fn not_applicable(&mut self, symbol: Span, operator: &str, left: &Type, right: &Type) {
        let message = format!("`{operator}` cannot be applied to {} and {}", types::name(left), types::name(right));
        let problem = Diagnostic::new("E0301", symbol, message);
        let kinds = [left, right].map(types::kind);
        let help = if operator == "+" && kinds.contains(&Some(Kind::Str)) {
            "`+` joins strings: make the other operand a string with `to_string(…)`"
        } else if kinds.contains(&Some(Kind::Str)) && kinds.contains(&Some(Kind::Number)) {
            "a string becomes a number with `to_int(…)` or `to_float(…)`, a number a string with `to_string(…)`"
        } else if kinds.contains(&Some(Kind::Duration)) && kinds.contains(&Some(Kind::Number)) {
            "a duration becomes a number with `seconds(…)` or `millis(…)`"
        } else {
            self.report(problem);
            return;
        };
        self.report(problem.help(help));
    }
}

fn negation(test: Typed) -> Typed {
    Typed { expr: Expr::Unary(UnOp::Not, Box::new(test.expr)), ty: Type::Bool }
}

fn unary_type(op: UnOp, operand: &Type) -> Option<Type> {
    match (op, operand) {
        (UnOp::Not, Type::Any | Type::Null | Type::Bool) => Some(Type::Bool),
        (UnOp::BitNot, Type::Any | Type::Null | Type::Int) => Some(Type::Int),
        (UnOp::Neg, Type::Any | Type::Null) => Some(Type::Any),
        (UnOp::Neg, Type::Int | Type::Float | Type::Duration) => Some(operand.clone()),
        _ => None,
    }
}

/// Result of a binary operator; `None`: the operands do not fit, whatever their values.
fn binary_type(op: BinOp, left: &Type, right: &Type) -> Option<Type> {
    let (a, b) = (types::kind(left), types::kind(right));
    match op {
        BinOp::Eq | BinOp::Ne => (a.is_none() || b.is_none() || a == b).then_some(Type::Bool),
        BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => {
            let ordered = |kind: Option<Kind>| !matches!(kind, Some(Kind::Bool | Kind::Array | Kind::Map));
            (ordered(a) && ordered(b) && (a.is_none() || b.is_none() || a == b)).then_some(Type::Bool)
        }
        BinOp::BitOr | BinOp::BitXor | BinOp::BitAnd | BinOp::Shl | BinOp::Shr => {
            let fits = |ty: &Type| types::is_unknown(ty) || *ty == Type::Int;
            (fits(left) && fits(right)).then_some(Type::Int)
        }
        BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow => arithmetic_type(op, left, right),
    }
}

/// Result of arithmetic. Beside an operand of unknown type it is known only if every fitting pair gives the same.
fn arithmetic_type(op: BinOp, left: &Type, right: &Type) -> Option<Type> {
    const CANDIDATES: [Type; 5] = [Type::Int, Type::Float, Type::Str, Type::Time, Type::Duration];
    let candidates = |ty: &Type| if types::is_unknown(ty) { CANDIDATES.to_vec() } else { vec![ty.clone()] };
    let mut results = Vec::new();
    for a in candidates(left) {
        for b in candidates(right) {
            results.extend(known_arithmetic_type(op, &a, &b));
        }
    }
    results.into_iter().reduce(types::join)
}

fn known_arithmetic_type(op: BinOp, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Duration, Float, Int, Str, Time};
    Some(match (op, left, right) {
        (_, Int, Int) => Int,
        (_, Int | Float, Int | Float) => Float,
        (BinOp::Add, Str, Str) => Str,
        (BinOp::Add | BinOp::Sub, Time, Duration) | (BinOp::Add, Duration, Time) => Time,
        (BinOp::Sub, Time, Time) => Duration,
        (BinOp::Add | BinOp::Sub | BinOp::Rem, Duration, Duration) => Duration,
        (BinOp::Mul | BinOp::Div, Duration, Int | Float) | (BinOp::Mul, Int | Float, Duration) => Duration,
        (BinOp::Div, Duration, Duration) => Float,
        _ => return None,
    })
}

/// Can `item in collection` be true?
pub(super) fn may_contain(collection: &Type, item: &Type) -> bool {
    let item_kind = types::kind(item);
    let same = |ty: &Type| {
        let kind = types::kind(ty);
        kind.is_none() || item_kind.is_none() || kind == item_kind
    };
    match collection {
        Type::Any | Type::Null => true,
        Type::Array(element) => same(element),
        Type::Str | Type::Record(..) => same(&Type::Str),
        Type::Map(key, _) => same(key) || same(&Type::Str),
        _ => false,
    }
}

fn binary_name(op: BinOp) -> &'static str {
    match op {
        BinOp::Eq => "==",
        BinOp::Ne => "!=",
        BinOp::Lt => "<",
        BinOp::Le => "<=",
        BinOp::Gt => ">",
        BinOp::Ge => ">=",
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Rem => "%",
        BinOp::Pow => "**",
        BinOp::BitOr => "|",
        BinOp::BitXor => "^",
        BinOp::BitAnd => "&",
        BinOp::Shl => "<<",
        BinOp::Shr => ">>",
    }
}
