//! Bare names: a local or parameter; what the scope knows; a global; a field of an undeclared event.

use super::{Expressions, Global};
use crate::ast::Ident;
use crate::check::scope::{Found, Scope, Typed};
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use std::sync::Arc;

/// So many names are listed when none is near to the unknown one.
const LISTED_NAMES: usize = 8;

impl Expressions<'_> {
    /// What a bare name stands for.
    pub(super) fn name(&mut self, name: &Ident, scope: &mut dyn Scope) -> Found {
        if let Some(local) = self.frame.find(&name.name) {
            if local.lambda.is_some() {
                return Found::Value(self.function_as_value(name));
            }
            return Found::Value(Typed { expr: Expr::Local(local.slot), ty: local.ty.clone() });
        }
        match scope.name(name, self) {
            Found::Unknown => {}
            found => return found,
        }
        match self.globals.get(&name.name) {
            Some(Global::Value(value, ty)) => {
                return Found::Value(Typed { expr: Expr::Const(value.clone()), ty: ty.clone() });
            }
            Some(Global::Lambda(..)) => return Found::Value(self.function_as_value(name)),
            Some(Global::Refused) => return Found::Value(self.refused()),
            None => {}
        }
        match scope.open_field(name, self) {
            Found::Unknown => {}
            found => return found,
        }
        if self.declared.function(&name.name).is_some() {
            return Found::Value(self.function_as_value(name));
        }
        Found::Value(self.unknown_name(name, scope))
    }

    /// E0306
    pub(super) fn function_as_value(&mut self, name: &Ident) -> Typed {
        let problem = Diagnostic::new("E0306", name.span, format!("`{}` is a function, not a value", name.name));
        self.report(problem.help(format!("call it: `{}(…)`", name.name)));
        self.refused()
    }

    /// E0206 where there is a record, E0207 where there is none.
    fn unknown_name(&mut self, name: &Ident, scope: &mut dyn Scope) -> Typed {
        let near = self.did_you_mean(&name.name, || {
            let mut known: Vec<Arc<str>> = self.frame.names().collect();
            known.extend(scope.names());
            known.extend(self.declared.names_of_globals());
            known
        });
        let problem = if scope.has_record() {
            let problem = Diagnostic::new("E0206", name.span, format!("unknown field {}", name.name));
            match near.or_else(|| listed(&scope.names())) {
                Some(help) => problem.help(help),
                None => problem,
            }
        } else {
            let problem = Diagnostic::new("E0207", name.span, format!("unknown name {} (no record here)", name.name));
            let no_record = "only parameters, locals and globals are known here; pass a field as an argument";
            problem.help(near.unwrap_or_else(|| no_record.into()))
        };
        self.report(problem);
        self.refused()
    }
}

/// `known here: a, b, c`
fn listed(names: &[Arc<str>]) -> Option<String> {
    let shown: Vec<&str> = names.iter().take(LISTED_NAMES).map(|name| &**name).collect();
    let more = if names.len() > LISTED_NAMES { ", …" } else { "" };
    (!shown.is_empty()).then(|| format!("known here: {}{more}", shown.join(", ")))
}
