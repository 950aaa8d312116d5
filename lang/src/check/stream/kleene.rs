//! Calls that the scope of a match knows: aggregates over a step that repeats, `prev(b)`, `event_time(alias)`.

use super::matched_scope::{Form, MatchedScope, object};
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::expression::Expressions;
use crate::check::scope::{Found, Typed};
use crate::diagnostic::Diagnostic;
use crate::plan::{AggregateCall, Capture, Expr};
use crate::value::Type;

impl MatchedScope<'_> {
    /// Parts that repeat and that an expression names.
    fn repeating(&self, expr: &AstExpr) -> Vec<usize> {
        let mut names = Vec::new();
        super::mentions::names(expr, &mut names);
        let mut parts: Vec<usize> =
            names.iter().filter_map(|name| self.find(name)).filter(|part| self.part(*part).repeats).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// An aggregate over the records of a part that repeats.
    pub(super) fn aggregate(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Option<Found> {
        let first = args.first()?;
        let parts = self.repeating(&first.value);
        let part = match (parts.as_slice(), self.over) {
            ([], _) if super::aggregate::is_function(&name.name) => return None,
            ([], _) => {
                let message = "an aggregate takes one Kleene alias";
                let problem = Diagnostic::new("E0406", name.span, message);
                expressions.report(problem.help("write `all X as b` or `X+ as b`, and aggregate over b"));
                return Some(Found::Refused);
            }
            (_, Some(_)) => {
                let problem =
                    Diagnostic::new("E0509", name.span, format!("aggregate {} inside an aggregate", name.name));
                expressions.report(problem.help("aggregate in one stream, and aggregate its results in a second one"));
                return Some(Found::Refused);
            }
            ([part], None) => *part,
            _ => {
                let problem = Diagnostic::new("E0406", name.span, "an aggregate takes one Kleene alias");
                expressions.report(problem.help("use an aggregate for each of them"));
                return Some(Found::Refused);
            }
        };
        let whole = matches!(&first.value.kind, ExprKind::Name(_)) && &*name.name == "count";
        let place = self.part(part).place;
        if whole && args.len() == 1 {
            return Some(Found::Value(Typed { expr: Expr::Captured(place, Capture::Count), ty: Type::Int }));
        }
        let (function, argument) = super::aggregate::call_of(name, args, expressions)?;
        let argument = argument.map(|argument| {
            self.over = Some(part);
            let typed = expressions.check(&argument, self);
            self.over = None;
            typed
        });
        let ty = super::aggregate::result_type(function, argument.as_ref().map_or(&Type::Any, |argument| &argument.ty));
        let call = AggregateCall { function, argument: argument.map(|argument| argument.expr) };
        Some(Found::Value(Typed { expr: Expr::Captured(place, Capture::Aggregate(Box::new(call))), ty }))
    }

    pub(super) fn previous(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Found {
        let own = match (args, self.own) {
            ([arg], Some(_)) => match &arg.value.kind {
                ExprKind::Name(alias) => self.find(alias).filter(|part| self.is_own(*part) && self.part(*part).repeats),
                _ => None,
            },
            _ => None,
        };
        if let Some(own) = own {
            return Found::Object(object(own, Form::Previous));
        }
        let message = match args {
            [Arg { value: AstExpr { kind: ExprKind::Name(alias), .. }, .. }] => {
                format!("prev({alias}) outside the condition of Kleene step {alias}")
            }
            _ => "prev takes the alias of the Kleene step in whose condition it stands".into(),
        };
        let problem = Diagnostic::new("E0406", name.span, message);
        expressions.report(problem.help("write it in that step: all X where f > prev(b).f as b"));
        Found::Refused
    }

    pub(super) fn time_of(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Option<Found> {
        let [arg] = args else { return None };
        if let ExprKind::Name(alias) = &arg.value.kind
            && let Some(part) = self.find(alias)
        {
            let expr = match self.is_own(part) {
                true => Expr::EventTime,
                false => Expr::Captured(self.part(part).place, Capture::Time),
            };
            return Some(Found::Value(Typed { expr, ty: Type::Time }));
        }
        let problem = Diagnostic::new("E0301", name.span, "event_time takes an alias");
        expressions.report(problem.help("event_time() is the time of the match"));
        Some(Found::Refused)
    }
}
