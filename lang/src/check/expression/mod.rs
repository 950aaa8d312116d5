//! Expressions: names resolved, types checked, constants folded, lowered for the plan.
//!
//! What a name means is asked of a [`Scope`]; what an expression does with it is decided here. The left sides of long chains
//! (`a + b + …`, `x.f().g()…`) are walked in a loop, so that depth of recursion follows the nesting that the parser allows.

mod arguments;
mod builtin;
mod call;
mod constant;
mod fold;
mod frame;
mod lambda;
mod member;
mod name;
mod operator;

#[cfg(test)]
pub(super) use builtin::signatures;

pub use arguments::{Bound, Parameters};
pub use constant::Constant;
pub(super) use fold::is_within;
pub use frame::Frame;
pub(super) use frame::Local;

use super::declared::{Declared, FnType};
use super::problems::Problems;
use super::scope::{Found, Scope, Typed};
use super::types;
use crate::ast::{Expr as AstExpr, ExprKind, TypeExpr};
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::{self, Expr};
use crate::span::Span;
use crate::value::{Type, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What a global stands for.
#[derive(Clone, Debug)]
pub(super) enum Global {
    /// A constant.
    Value(Value, Type),
    /// A lambda, lowered as this function of the plan.
    Lambda(u32, Arc<FnType>),
    /// Something in it was refused, so nothing follows from it.
    Refused,
}

/// The checker of expressions, and what all expressions of a program share.
#[derive(Debug)]
pub struct Expressions<'a> {
    pub(super) declared: &'a Declared<'a>,
    pub(super) problems: Problems,
    /// Errors and things that rest on refused ones so far; who compares it before and after knows whether to go on.
    refusals: u64,
    pub(super) frame: Frame,
    depth: u32,
    pub(super) functions: Vec<plan::Function>,
    pub(super) globals: HashMap<Arc<str>, Global>,
    pub(super) connectors: Vec<plan::Connector>,
    pub(super) cluster: &'a [plan::Connector],
    /// Text of lambdas that calls have multiplied so far.
    multiplied_bytes: u64,
}

/// What [`Expressions`] leaves behind.
#[derive(Debug)]
pub struct Checked {
    /// All user functions.
    pub functions: Vec<plan::Function>,
    /// Declared connectors, and those of the cluster that are used.
    pub connectors: Vec<plan::Connector>,
    /// Everything that was reported.
    pub problems: Problems,
}

impl<'a> Expressions<'a> {
    /// Lowers all functions, globals and connectors of `declared`. `cluster`: connectors that are registered where the
    /// program will run.
    pub fn new(declared: &'a Declared<'a>, cluster: &'a [plan::Connector], problems: Problems) -> Self {
        let mut expressions = Expressions {
            declared,
            problems,
            refusals: 0,
            frame: Frame::default(),
            depth: 0,
            functions: Vec::new(),
            globals: HashMap::new(),
            connectors: Vec::new(),
            cluster,
            multiplied_bytes: 0,
        };
        expressions.lower_functions_and_globals();
        expressions.lower_connectors();
        expressions.check_contexts();
        expressions
    }

    /// The declarations.
    pub fn declared(&self) -> &'a Declared<'a> {
        self.declared
    }

    /// Functions, connectors and problems, when the last expression has been checked.
    pub fn finish(self) -> Checked {
        Checked { functions: self.functions, connectors: self.connectors, problems: self.problems }
    }

    /// Notes a problem.
    pub fn report(&mut self, problem: Diagnostic) {
        if problem.severity == Severity::Error {
            self.refusals += 1;
        }
        self.problems.report(problem);
    }

    /// The `help:` line for an unknown name: the nearest of `known`.
    pub fn did_you_mean<N: AsRef<str>>(&self, name: &str, known: impl FnOnce() -> Vec<N>) -> Option<String> {
        self.problems.did_you_mean(name, known)
    }

    /// Has anything been refused since this number was taken? A caller that must not report follow-up errors asks.
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// What stands for a refused expression: null, of which nothing is known, so that nothing follows from it.
    pub fn refused(&mut self) -> Typed {
        self.refusals += 1;
        Typed { expr: Expr::Const(Value::Null), ty: Type::Any }
    }

    /// A type as written in an annotation (E0209, E0902).
    pub fn resolve_type(&mut self, ty: &TypeExpr) -> Type {
        let (resolved, ok) = self.declared.resolve_type(ty, &mut self.problems);
        if !ok {
            self.refusals += 1;
        }
        resolved
    }

    /// A value.
    pub fn check(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Typed {
        let found = self.resolve(expr, scope);
        self.value_of(found, expr.span, scope)
    }

    /// A condition: bool, or unknown (E0302).
    pub fn condition(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Typed {
        let condition = self.check(expr, scope);
        if types::is_unknown(&condition.ty) || condition.ty == Type::Bool {
            return condition;
        }
        let message = format!("the condition is {}, not bool", types::name(&condition.ty));
        let problem = Diagnostic::new("E0302", expr.span, message);
        self.report(problem.help("compare it with something, for example `… > 0` or `… is not null`"));
        self.refused()
    }

    /// A value, or an object of the scope that is not used as a value yet.
    pub fn resolve(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Found {
        if self.depth == 0 {
            self.frame.restart();
        }
        self.depth += 1;
        let found = self.resolve_chain(expr, scope);
        self.depth -= 1;
        found
    }

    /// Makes a value of what a name or member stands for.
    pub fn value_of(&mut self, found: Found, span: Span, scope: &mut dyn Scope) -> Typed {
        match found {
            Found::Value(typed) => typed,
            Found::Object(object) => scope.object(object, span, self),
            Found::Refused | Found::Unknown => self.refused(),
        }
    }

    fn resolve_chain(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Found {
        let mut links = Vec::new();
        let mut leaf = expr;
        let mut found = loop {
            if let ExprKind::Method(receiver, name, args) = &leaf.kind
                && let Some(found) = self.scope_method(receiver, name, args, leaf.span, scope)
            {
                break found;
            }
            match left_side(&leaf.kind) {
                Some(left) => {
                    links.push(leaf);
                    leaf = left;
                }
                None => break self.leaf(leaf, scope),
            }
        };
        while let Some(link) = links.pop() {
            found = self.link(link, found, scope);
        }
        found
    }

    /// An expression whose left side is `left`.
    fn link(&mut self, expr: &AstExpr, left: Found, scope: &mut dyn Scope) -> Found {
        let typed = match &expr.kind {
            ExprKind::Member(receiver, name) => return self.member(left, receiver.span, name, scope),
            ExprKind::Index(receiver, bracket, index) => {
                return self.index(left, receiver.span, *bracket, index, scope);
            }
            ExprKind::Slice(receiver, bracket, from, to) => {
                let left = self.value_of(left, receiver.span, scope);
                self.slice(left, *bracket, from.as_deref(), to.as_deref(), scope)
            }
            ExprKind::Method(receiver, name, args) => {
                let left = self.value_of(left, receiver.span, scope);
                return self.call(name, Some(left), args, scope);
            }
            ExprKind::Binary(op, symbol, a, b) => self.binary(*op, *symbol, (left, a), b, scope),
            ExprKind::And(symbol, a, b) => {
                let left = self.value_of(left, a.span, scope);
                self.logic(true, *symbol, left, b, scope)
            }
            ExprKind::Or(symbol, a, b) => {
                let left = self.value_of(left, a.span, scope);
                self.logic(false, *symbol, left, b, scope)
            }
            ExprKind::In(negated, symbol, a, b) => {
                let left = self.value_of(left, a.span, scope);
                self.contained(*negated, *symbol, left, b, scope)
            }
            ExprKind::IsNull(negated, _, a) => {
                let left = self.value_of(left, a.span, scope);
                self.null_test(*negated, left)
            }
            other => unreachable!("{other:?} has no left side that is walked in a loop"),
        };
        Found::Value(typed)
    }

    /// An expression without such a left side.
    fn leaf(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Found {
        let constant = |value: Value| Typed { ty: types::of_value(&value), expr: Expr::Const(value) };
        Found::Value(match &expr.kind {
            ExprKind::Int(int) => constant(Value::Int(*int)),
            ExprKind::Float(float) => constant(Value::Float(*float)),
            ExprKind::Str(text) => constant(Value::Str(text.clone())),
            ExprKind::Duration(ns) => constant(Value::Duration(*ns)),
            ExprKind::Time(ns) => constant(Value::Time(*ns)),
            ExprKind::Bool(bool) => constant(Value::Bool(*bool)),
            ExprKind::Null => constant(Value::Null),
            ExprKind::Name(name) => {
                let name = crate::ast::Ident { name: name.clone(), span: expr.span };
                return self.name(&name, scope);
            }
            ExprKind::Call(name, args) => return self.call_by_name(name, args, expr.span, scope),
            ExprKind::Unary(op, symbol, operand) => self.unary(*op, *symbol, operand, scope),
            ExprKind::Coalesce(_, a, b) => self.coalesce(a, b, scope),
            ExprKind::Range(inclusive, symbol, from, to) => {
                let range = self.range(*inclusive, *symbol, from, to, scope);
                self.folded(range)
            }
            ExprKind::If(condition, then, otherwise) => self.choice(condition, then, otherwise, scope),
            ExprKind::Array(items) => self.array(items, scope),
            ExprKind::Map(entries) => self.map(entries, scope),
            ExprKind::Lambda(params, body) => self.misplaced_lambda(expr.span, params, body, scope),
            ExprKind::IsOther(what, operand) => {
                self.check(operand, scope);
                let problem = Diagnostic::new("E0902", *what, "`is` other than `is null` is not supported yet");
                self.report(problem.help("compare `type_of(…)` with the name of a type"));
                self.refused()
            }
            other => unreachable!("{other:?} has a left side"),
        })
    }
}

/// The left side of what may be chained without nesting.
fn left_side(kind: &ExprKind) -> Option<&AstExpr> {
    match kind {
        ExprKind::Binary(_, _, left, _)
        | ExprKind::And(_, left, _)
        | ExprKind::Or(_, left, _)
        | ExprKind::In(_, _, left, _)
        | ExprKind::IsNull(_, _, left)
        | ExprKind::Member(left, _)
        | ExprKind::Method(left, _, _)
        | ExprKind::Index(left, _, _)
        | ExprKind::Slice(left, _, _, _) => Some(left),
        _ => None,
    }
}
