//! Calls: a lambda bound by `let`; what the scope knows (aggregates, `prev`, …); user functions; built-in functions.

use super::arguments::Parameters;
use super::builtin::{self, Signature};
use super::{Expressions, Global};
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::declared::FnType;
use crate::check::scope::{Found, Scope, Typed};
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::value::Type;
use std::sync::Arc;

/// Functions of other dialects that are known and refused (E0902).
const UNSUPPORTED: [&str; 9] = ["now", "timestamp", "zip", "flatten", "format", "parse", "print", "hash", "random"];

/// Aggregate functions that are not functions of single values, too.
const ONLY_AGGREGATES: [&str; 14] = [
    "count",
    "variance",
    "stddev",
    "ema",
    "count_distinct",
    "distinct_count",
    "distinct",
    "collect",
    "top_k",
    "percentile",
    "median",
    "p50",
    "p95",
    "p99",
];

impl Expressions<'_> {
    /// `receiver.name(args)`, as far as the scope knows the function.
    pub(super) fn scope_method(
        &mut self,
        receiver: &AstExpr,
        name: &Ident,
        args: &[Arg],
        span: Span,
        scope: &mut dyn Scope,
    ) -> Option<Found> {
        if self.is_bound_lambda(name) || builtin::find(&name.name).is_some_and(Signature::is_no_aggregate) {
            // The scope would have nothing to say, and copying the receivers of a long chain is dear.
            return None;
        }
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(Arg { name: None, value: receiver.clone() });
        all.extend_from_slice(args);
        scope.call(name, &all, span, self)
    }

    /// `name(args)`
    pub(super) fn call_by_name(&mut self, name: &Ident, args: &[Arg], span: Span, scope: &mut dyn Scope) -> Found {
        if !self.is_bound_lambda(name)
            && let Some(found) = scope.call(name, args, span, self)
        {
            return found;
        }
        self.call(name, None, args, scope)
    }

    fn is_bound_lambda(&self, name: &Ident) -> bool {
        self.frame.find(&name.name).is_some_and(|local| local.lambda.is_some())
    }

    /// A call that the scope does not know. `receiver` is the first argument of a method.
    pub(super) fn call(&mut self, name: &Ident, receiver: Option<Typed>, args: &[Arg], scope: &mut dyn Scope) -> Found {
        Found::Value(if self.is_bound_lambda(name) {
            self.call_bound_lambda(name, receiver, args, scope)
        } else if self.is_user_function(&name.name) {
            self.call_user_function(name, receiver, args, scope)
        } else if matches!(self.globals.get(&name.name), Some(Global::Refused)) {
            args.iter().for_each(|arg| self.check_loosely(&arg.value, scope));
            self.refused()
        } else if matches!(&*name.name, "event_time" | "event_type") {
            self.call_record_function(name, receiver, args, scope)
        } else if let Some(signature) = builtin::find(&name.name) {
            let found = args.len() + usize::from(receiver.is_some());
            if signature.is_aggregate_form(found) {
                self.refuse_call(self.aggregate_outside(name), args, scope)
            } else {
                self.call_builtin(signature, name, receiver, args, scope)
            }
        } else if UNSUPPORTED.contains(&&*name.name) {
            let problem = Diagnostic::new("E0902", name.span, format!("function {} is not supported yet", name.name));
            let problem = match &*name.name {
                "now" | "timestamp" => problem.help("use event_time(): results depend on event time only"),
                "format" => problem.help("use concat(…) or `+` with to_string(…)"),
                "parse" => problem.help("use to_int(…), to_float(…) or to_timestamp(…)"),
                "print" => problem.help("use the operator .print(…) of a stream"),
                _ => problem,
            };
            self.refuse_call(problem, args, scope)
        } else if ONLY_AGGREGATES.contains(&&*name.name) {
            self.refuse_call(self.aggregate_outside(name), args, scope)
        } else {
            self.refuse_call(self.unknown_function(name), args, scope)
        })
    }

    /// Is it a function that can be called outside of `.aggregate`, or one that is known and refused?
    pub fn knows_function(&self, name: &str) -> bool {
        self.is_user_function(name)
            || matches!(name, "event_time" | "event_type")
            || builtin::find(name).is_some()
            || UNSUPPORTED.contains(&name)
    }

    fn aggregate_outside(&self, name: &Ident) -> Diagnostic {
        let message = format!("aggregate {} outside of .aggregate", name.name);
        let problem = Diagnostic::new("E0511", name.span, message);
        problem.help(format!("write .aggregate(x: {}(…)) and use x behind it", name.name))
    }

    fn unknown_function(&self, name: &Ident) -> Diagnostic {
        let problem = Diagnostic::new("E0205", name.span, format!("unknown function {}", name.name));
        let known = || builtin::names().map(Arc::from).chain(self.declared.names_of_functions()).collect();
        match self.did_you_mean::<Arc<str>>(&name.name, known) {
            Some(help) => problem.help(help),
            None => problem.help(format!("declare it with `fn {}(…):`", name.name)),
        }
    }

    /// Reports, and checks the arguments all the same: what is wrong in them does not follow from this.
    fn refuse_call(&mut self, problem: Diagnostic, args: &[Arg], scope: &mut dyn Scope) -> Typed {
        self.report(problem);
        for arg in args {
            self.check_loosely(&arg.value, scope);
        }
        self.refused()
    }

    /// Checks an argument of a call that is refused anyway; it may be a lambda.
    pub(super) fn check_loosely(&mut self, value: &AstExpr, scope: &mut dyn Scope) {
        match &value.kind {
            ExprKind::Lambda(params, body) => {
                self.lambda(params, body, &Type::Any, scope);
            }
            _ => {
                self.check(value, scope);
            }
        }
    }

    fn is_user_function(&self, name: &str) -> bool {
        self.declared.function(name).is_some() || matches!(self.globals.get(name), Some(Global::Lambda(..)))
    }

    /// `f(args)` of a `fn`, or of a lambda that a global is bound to.
    fn call_user_function(
        &mut self,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Typed {
        if !self.frame.emits && self.declared.function(&name.name).is_some_and(|function| function.emits) {
            let message = format!("{} emits and can only be used in .process", name.name);
            let problem = Diagnostic::new("E0308", name.span, message);
            self.report(problem.help(format!("write `.process({}(…))`", name.name)));
        }
        match self.user_call(name, receiver, args, scope) {
            Some((id, args, ty)) => Typed { expr: Expr::CallFn(id, args), ty },
            None => self.refused(),
        }
    }

    /// Index and type of a user function.
    fn signature_of(&self, name: &str) -> Option<(u32, Arc<FnType>)> {
        if let Some(function) = self.declared.function(name) {
            return Some((function.id, function.ty.clone()));
        }
        match self.globals.get(name) {
            Some(Global::Lambda(id, ty)) => Some((*id, ty.clone())),
            _ => None,
        }
    }

    /// The call in `.process(f(args))`: index of the function and its arguments.
    pub fn process_call(&mut self, expr: &AstExpr, scope: &mut dyn Scope) -> Option<(u32, Vec<Expr>)> {
        let (name, args) = match &expr.kind {
            ExprKind::Call(name, args) if self.is_user_function(&name.name) => (name, args),
            _ => {
                let refusals = self.refusals();
                self.check(expr, scope);
                if self.refusals() == refusals {
                    self.misfit("process", "a call of a function that emits", "declare it with `fn`", expr.span);
                }
                return None;
            }
        };
        self.user_call(name, None, args, scope).map(|(id, args, _)| (id, args))
    }

    /// Function, arguments in the order of its parameters, and result type.
    pub(super) fn user_call(
        &mut self,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Option<(u32, Vec<Expr>, Type)> {
        let (id, function) = self.signature_of(&name.name)?;
        let params = &function.params;
        let names: Vec<&str> = params.iter().map(|(name, _)| &**name).collect();
        let (all, given) = (names.len(), usize::from(receiver.is_some()));
        let parameters = Parameters { names: &names, positional: all, required: all, given: given.min(all) };
        let bound = self.bind(name, parameters, args);
        for arg in &bound.left_over {
            self.check_loosely(&arg.value, scope);
        }
        let mut values: Vec<Expr> = Vec::new();
        let checked = receiver.into_iter().map(Some).take(all).chain(vec![None; all.saturating_sub(given)]);
        for (((param, ty), arg), receiver) in params.iter().zip(&bound.args).zip(checked) {
            let value = match (receiver, arg) {
                (Some(receiver), _) => receiver,
                (None, Some(arg)) => self.check(&arg.value, scope),
                (None, None) => continue,
            };
            if !types::converts(&value.ty, ty) {
                self.wrong_argument(name, param, &types::name(ty), &value.ty);
            }
            values.push(value.expr);
        }
        bound.ok.then(|| (id, values, function.ret.clone()))
    }

    /// E0301 for an argument.
    fn wrong_argument(&mut self, callee: &Ident, param: &str, asked: &str, found: &Type) {
        let message = format!("{} takes {asked} for {param}, found {}", callee.name, types::name(found));
        self.report(Diagnostic::new("E0301", callee.span, message));
    }

    /// `event_time()`, `event_type()`
    fn call_record_function(
        &mut self,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Typed {
        let found = args.len() + usize::from(receiver.is_some());
        if found > 0 {
            let message = format!("{} takes 0 arguments, found {found}", name.name);
            let problem = Diagnostic::new("E0303", name.span, message);
            return self.refuse_call(problem.help("only in a sequence it takes one: an alias"), args, scope);
        }
        if !scope.has_record() {
            let problem = Diagnostic::new("E0207", name.span, format!("unknown name {} (no record here)", name.name));
            self.report(problem.help(format!("pass it as an argument: `f({}())`", name.name)));
            return self.refused();
        }
        match &*name.name {
            "event_time" => Typed { expr: Expr::EventTime, ty: Type::Time },
            _ => Typed { expr: Expr::EventType, ty: Type::Str },
        }
    }

    fn call_builtin(
        &mut self,
        signature: &'static Signature,
        name: &Ident,
        receiver: Option<Typed>,
        args: &[Arg],
        scope: &mut dyn Scope,
    ) -> Typed {
        if let Some(named) = args.iter().find(|arg| arg.name.is_some()) {
            let problem = Diagnostic::new("E0304", name.span, format!("{} takes positional arguments", name.name));
            let named = named.name.as_ref().map_or("", |name| &*name.name);
            return self.refuse_call(problem.help(format!("leave out `{named}:`")), args, scope);
        }
        let found = args.len() + usize::from(receiver.is_some());
        if let Some(number) = signature.wrong_number(found) {
            let message = format!("{} takes {number}, found {found}", name.name);
            let problem = Diagnostic::new("E0303", name.span, message).help(signature.usage(&name.name));
            return self.refuse_call(problem, args, scope);
        }
        if signature.takes_lambda() {
            return self.call_with_lambda(signature, name, receiver, args, scope);
        }
        let refusals = self.refusals();
        let mut values: Vec<Typed> = receiver.into_iter().collect();
        for arg in args {
            values.push(self.check(&arg.value, scope));
        }
        for (value, (param, ask)) in values.iter().zip(signature.parameters()) {
            if !ask.accepts(&value.ty) {
                self.wrong_argument(name, param, ask.name(), &value.ty);
            }
        }
        let arg_types: Vec<Type> = values.iter().map(|value| value.ty.clone()).collect();
        match signature.result(&arg_types) {
            Ok(ty) => {
                let expr = Expr::Call(signature.builtin, values.into_iter().map(|value| value.expr).collect());
                self.folded(Typed { expr, ty })
            }
            Err((param, asked, found)) => {
                if self.refusals() == refusals {
                    self.wrong_argument(name, param, &asked, &found);
                }
                self.refused()
            }
        }
    }
}
