//! Lambdas: the last argument of `map filter any all`, or bound by `let` and called.

use super::builtin::{Ask, Signature};
use super::frame::{BoundLambda, Local};
use super::{Expressions, Global};
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident, LambdaBody};
use crate::check::scope::{Scope, Typed};
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{Body, Builtin, Expr};
use crate::span::Span;
use crate::value::Type;
use std::collections::HashSet;
use std::rc::Rc;

/// A lambda bound by `let` is written out at every call; a program may come to so much text by that.
const MULTIPLIED_BYTES: u64 = 8 << 20;

/// A lowered lambda.
pub(in crate::check) struct Lambda {
    /// Slots of the parameters.
    pub(in crate::check) params: Vec<u32>,
    pub(in crate::check) body: Body,
    /// Type of its value.
    pub(in crate::check) ty: Type,
}

impl Expressions<'_> {
    /// `map(array, x => e)` and its like.
    pub(super) fn call_with_lambda(
        &mut self,
        signature: &'static Signature,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Typed {
        let (array, function) = match (receiver, args) {
            (Some(array), [function]) => (array, function),
            (None, [array, function]) => (self.check(&array.value, scope), function),
            _ => return self.refused(),
        };
        if !Ask::Array.accepts(&array.ty) {
            let message = format!("{} takes an array for array, found {}", name.name, types::name(&array.ty));
            self.report(Diagnostic::new("E0301", name.span, message));
        }
        let element = match &array.ty {
            Type::Array(element) => (**element).clone(),
            _ => Type::Any,
        };
        let ExprKind::Lambda(params, body) = &function.value.kind else {
            self.not_a_lambda(name, &function.value, scope);
            return self.refused();
        };
        if params.len() != 1 {
            let message = format!("the function of {} takes 1 argument, found {}", name.name, params.len());
            self.report(Diagnostic::new("E0303", name.span, message).help(format!("{}(array, x => …)", name.name)));
        }
        let lambda = self.lambda(params, body, &element, scope);
        let test = matches!(signature.builtin, Builtin::FilterFn | Builtin::AnyFn | Builtin::AllFn);
        if test && lambda.ty != Type::Bool && !types::is_unknown(&lambda.ty) {
            let span = match &**body {
                LambdaBody::Expr(expr) => expr.span,
                LambdaBody::Block(_) => function.value.span,
            };
            let message = format!("the condition is {}, not bool", types::name(&lambda.ty));
            self.report(Diagnostic::new("E0302", span, message));
        }
        let ty = match signature.builtin {
            Builtin::MapFn => Type::Array(Box::new(lambda.ty)),
            Builtin::FilterFn => array.ty,
            _ => Type::Bool,
        };
        let function = Expr::Lambda(lambda.params, Box::new(lambda.body));
        Typed { expr: Expr::Call(signature.builtin, vec![array.expr, function]), ty }
    }

    /// Something else than a lambda where one is asked.
    fn not_a_lambda(&mut self, callee: &Ident, value: &AstExpr, scope: &mut dyn Scope) {
        if let ExprKind::Name(name) = &value.kind {
            let bound = self.frame.find(name).is_some_and(|local| local.lambda.is_some());
            let global = matches!(self.globals.get(name), Some(Global::Lambda(..)));
            if bound || global || self.declared.function(name).is_some() {
                let message = format!("`{name}` is a function, not a value");
                self.report(Diagnostic::new("E0306", value.span, message).help(format!("write `x => {name}(x)`")));
                return;
            }
        }
        let refusals = self.refusals();
        let found = self.check(value, scope);
        if self.refusals() == refusals {
            let message = format!("{} takes a function x => … for f, found {}", callee.name, types::name(&found.ty));
            self.report(Diagnostic::new("E0301", callee.span, message));
        }
    }

    /// Lowers a lambda; its first parameter has type `element`.
    pub(in crate::check) fn lambda(
        &mut self,
        params: &[Ident],
        body: &LambdaBody,
        element: &Type,
        scope: &mut dyn Scope,
    ) -> Lambda {
        self.report_twice(params.iter());
        let block = self.frame.enter();
        let (mut slots, mut seen) = (Vec::new(), HashSet::new());
        for (index, param) in params.iter().enumerate() {
            let slot = self.frame.slot();
            slots.push(slot);
            let ty = if index == 0 { element.clone() } else { Type::Any };
            let (name, declared) = (param.name.clone(), Type::Any);
            if seen.insert(&param.name) {
                self.frame.declare(Local { name, slot, ty, declared, mutable: false, lambda: None });
            }
        }
        let (body, ty) = match body {
            LambdaBody::Expr(expr) => {
                let value = self.check(expr, scope);
                (Body::Expr(value.expr), value.ty)
            }
            LambdaBody::Block(statements) => {
                let loops = std::mem::take(&mut self.frame.loops);
                let result = self.frame.result.take();
                let body = self.block(statements, scope);
                (self.frame.loops, self.frame.result) = (loops, result);
                (Body::Block(body), Type::Any)
            }
        };
        self.frame.leave(block);
        Lambda { params: slots, body, ty }
    }

    /// E0217 for the second of two parameters of one name.
    pub(in crate::check) fn report_twice<'n>(&mut self, names: impl Iterator<Item = &'n Ident>) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(&name.name) {
                let message = format!("parameter {} is given twice", name.name);
                self.report(Diagnostic::new("E0217", name.span, message));
            }
        }
    }

    /// `let f = x => e` in a function.
    pub(in crate::check) fn bind_lambda(
        &mut self,
        name: &Ident,
        value: &AstExpr,
        params: &[Ident],
        body: &LambdaBody,
        scope: &mut dyn Scope,
    ) {
        let before = self.multiplied_bytes;
        let lambda = self.lambda(params, body, &Type::Any, scope);
        let inner = self.multiplied_bytes - before;
        let bytes = inner + u64::from(value.span.end.saturating_sub(value.span.start));
        let bound = BoundLambda { params: lambda.params, body: lambda.body, ty: lambda.ty, bytes };
        let slot = self.frame.slot();
        self.frame.declare(Local {
            name: name.name.clone(),
            slot,
            ty: Type::Any,
            declared: Type::Any,
            mutable: false,
            lambda: Some(Rc::new(bound)),
        });
    }

    /// A call of such a lambda.
    pub(super) fn call_bound_lambda(
        &mut self,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Typed {
        let Some(lambda) = self.frame.find(&name.name).and_then(|local| local.lambda.clone()) else {
            return self.refused();
        };
        let mut values: Vec<Expr> = receiver.into_iter().map(|receiver| receiver.expr).collect();
        for arg in args {
            values.push(self.check(&arg.value, scope).expr);
        }
        if let Some(named) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let message = format!("{} takes positional arguments", name.name);
            self.report(Diagnostic::new("E0304", name.span, message).help(format!("leave out `{}:`", named.name)));
            return self.refused();
        }
        if values.len() != lambda.params.len() {
            let (asked, found) = (lambda.params.len(), values.len());
            let noun = if asked == 1 { "argument" } else { "arguments" };
            let message = format!("{} takes {asked} {noun}, found {found}", name.name);
            self.report(Diagnostic::new("E0303", name.span, message));
            return self.refused();
        }
        self.multiplied_bytes = self.multiplied_bytes.saturating_add(lambda.bytes);
        if self.multiplied_bytes > MULTIPLIED_BYTES {
            let message = format!("the calls of lambdas nest too much: written out, {} is too large", name.name);
            self.report(Diagnostic::new("E0108", name.span, message).help("make it a `fn`"));
            return self.refused();
        }
        let expr = Expr::Apply(lambda.params.clone(), Box::new(lambda.body.clone()), values);
        Typed { expr, ty: lambda.ty.clone() }
    }

    /// A lambda where a value is asked (E0306).
    pub(super) fn misplaced_lambda(
        &mut self,
        span: Span,
        params: &[Ident],
        body: &LambdaBody,
        scope: &mut dyn Scope,
    ) -> Typed {
        let problem = Diagnostic::new("E0306", span, "a function is not a value here");
        self.report(problem.help("a lambda is the last argument of map, filter, any, all, or is bound by `let`"));
        self.lambda(params, body, &Type::Any, scope);
        self.refused()
    }
}
