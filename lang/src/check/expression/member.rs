//! Members, indices and slices.

use super::Expressions;
use crate::ast::{Expr as AstExpr, Ident};
use crate::check::scope::{Found, Scope, Typed};
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::value::{Type, Value};
use std::sync::Arc;

impl Expressions<'_> {
    /// `left.name`
    pub(super) fn member(&mut self, left: Found, span: Span, name: &Ident, scope: &mut dyn Scope) -> Found {
        let left = match left {
            Found::Object(object) => match scope.member(object, name, self) {
                Found::Unknown => scope.object(object, span, self),
                found => return found,
            },
            other => self.value_of(other, span, scope),
        };
        let ty = match &left.ty {
            Type::Any | Type::Null => Type::Any,
            Type::Map(_, value) => (**value).clone(),
            Type::Record(record, fields) => match types::field(fields, &name.name) {
                Some(ty) => ty.clone(),
                None => {
                    let problem = Diagnostic::new("E0206", name.span, format!("{record} has no field {}", name.name));
                    let problem = match self.did_you_mean(&name.name, || names_of(fields)) {
                        Some(help) => problem.help(help),
                        None => problem,
                    };
                    self.report(problem);
                    return Found::Value(self.refused());
                }
            },
            other => {
                let message = format!("{} has no field {}", types::name(other), name.name);
                let problem = Diagnostic::new("E0206", name.span, message);
                self.report(problem.help(format!(
                    "only maps, structs and events have fields; for a function write `{}(…)`",
                    name.name
                )));
                return Found::Value(self.refused());
            }
        };
        let expr = Expr::Member(Box::new(left.expr), name.name.clone());
        Found::Value(self.folded(Typed { expr, ty }))
    }

    /// `left[index]`
    pub(super) fn index(
        &mut self,
        left: Found,
        span: Span,
        bracket: Span,
        index: &AstExpr,
        scope: &mut dyn Scope,
    ) -> Found {
        if let Found::Object(object) = left {
            match scope.index(object, index, self) {
                Found::Unknown => {}
                found => return found,
            }
        }
        let left = self.value_of(left, span, scope);
        let index = self.check(index, scope);
        let Some(ty) = element(&left.ty, &index) else {
            self.not_applicable(bracket, "[…]", &left.ty, &index.ty);
            return Found::Value(self.refused());
        };
        let expr = Expr::Index(Box::new(left.expr), Box::new(index.expr));
        Found::Value(self.folded(Typed { expr, ty }))
    }

    /// `left[from:to]`
    pub(super) fn slice(
        &mut self,
        left: Typed,
        bracket: Span,
        from: Option<&AstExpr>,
        to: Option<&AstExpr>,
        scope: &mut dyn Scope,
    ) -> Typed {
        let mut bound = |bound: Option<&AstExpr>| bound.map(|bound| self.check(bound, scope));
        let (from, to) = (bound(from), bound(to));
        if !types::is_unknown(&left.ty) && !matches!(left.ty, Type::Array(_) | Type::Str) {
            let message = format!("`[:]` cannot be applied to {}", types::name(&left.ty));
            self.report(Diagnostic::new("E0301", bracket, message).help("only arrays and strings have slices"));
            return self.refused();
        }
        for bound in [&from, &to].into_iter().flatten() {
            if !types::is_unknown(&bound.ty) && bound.ty != Type::Int {
                self.not_applicable(bracket, "[:]", &left.ty, &bound.ty);
                return self.refused();
            }
        }
        let boxed = |bound: Option<Typed>| bound.map(|bound| Box::new(bound.expr));
        let expr = Expr::Slice(Box::new(left.expr), boxed(from), boxed(to));
        self.folded(Typed { expr, ty: left.ty })
    }
}

fn names_of(fields: &[(Arc<str>, Type)]) -> Vec<&str> {
    fields.iter().map(|(field, _)| &**field).collect()
}

/// Type of `collection[index]`; `None`: they do not fit.
pub(super) fn element(collection: &Type, index: &Typed) -> Option<Type> {
    let is = |ty: &Type| types::is_unknown(&index.ty) || index.ty == *ty;
    match collection {
        Type::Any | Type::Null => Some(Type::Any),
        Type::Array(element) => is(&Type::Int).then(|| (**element).clone()),
        Type::Str => is(&Type::Int).then_some(Type::Str),
        Type::Map(_, value) => is(&Type::Str).then(|| (**value).clone()),
        Type::Record(_, fields) => is(&Type::Str).then(|| match &index.expr {
            Expr::Const(Value::Str(key)) => types::field(fields, key).cloned().unwrap_or(Type::Any),
            _ => Type::Any,
        }),
        _ => None,
    }
}
