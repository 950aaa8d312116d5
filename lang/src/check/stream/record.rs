//! The scope of a stream's records: fields, the names that the record goes by, the bounds of its window.

use super::graph::Graph;
use super::matched::{Matched, Of, REVISION};
use super::matched_scope::MatchedScope;
use super::shape::Shape;
use crate::ast::{Arg, Expr as AstExpr, Ident};
use crate::check::expression::Expressions;
use crate::check::scope::{Found, Object, Scope, Typed};
use crate::check::suggestion::did_you_mean;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{Expr, NodeId};
use crate::span::Span;
use crate::value::{Type, Value};
use std::sync::Arc;

/// What is known of the records at one place of a stream.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The node that gives them.
    pub node: NodeId,
    /// Their fields.
    pub shape: Shape,
    /// Names that they go by: alias, source, event type.
    pub names: Vec<Arc<str>>,
    /// Names that they went by before they were replaced.
    pub replaced: Vec<Arc<str>>,
    /// Are there `window_start` and `window_end`?
    pub windowed: bool,
    /// Their event type, if it is the same for all.
    pub event: Option<Arc<str>>,
    /// The parts, if it is a match of a sequence or a row of a join.
    pub matched: Option<Arc<Matched>>,
    /// Are there `match_start`, `match_end` and `match_duration_ms`?
    pub matches: bool,
    /// Is there a `_revision`?
    pub revised: bool,
}

impl Record {
    /// Records that a node gives, without any names but their fields'.
    pub fn new(node: NodeId, shape: Shape) -> Record {
        Record {
            node,
            shape,
            names: Vec::new(),
            replaced: Vec::new(),
            windowed: false,
            event: None,
            matched: None,
            matches: false,
            revised: false,
        }
    }

    /// Are they matches of a sequence, or made of such?
    pub fn is_of_match(&self) -> bool {
        self.matches || self.matched.as_ref().is_some_and(|matched| matched.of == Of::Sequence)
    }

    /// Their fields for those who read the stream: of matches and rows of joins `part_f`.
    pub fn into_shape(self) -> Shape {
        self.matched.map_or(self.shape, |matched| matched.shape())
    }
}

/// The scope of these records.
pub(super) struct RecordScope<'s> {
    pub graph: &'s mut Graph,
    pub record: &'s Record,
}

impl RecordScope<'_> {
    fn matched(&mut self) -> Option<MatchedScope<'_>> {
        let matched = self.record.matched.as_deref()?;
        Some(MatchedScope::new(self.graph, matched))
    }

    /// What was found in terms of the parts of a match or row, as a column of it.
    fn composed(&mut self, found: Found, span: Span, expressions: &mut Expressions) -> Found {
        match found {
            Found::Value(typed) => Found::Value(self.composed_value(typed, span, expressions)),
            other => other,
        }
    }

    fn composed_value(&mut self, typed: Typed, span: Span, expressions: &mut Expressions) -> Typed {
        match typed.expr {
            Expr::Const(_) | Expr::EventTime => typed,
            _ => self.item(typed, span, expressions),
        }
    }

    /// A column of a match or row with this value.
    fn item(&mut self, typed: Typed, span: Span, expressions: &mut Expressions) -> Typed {
        let Some(matched) = self.record.matched.as_deref() else { return typed };
        if super::conjuncts::reads(&typed.expr).local {
            let message = "reading a parameter in what is taken of captured events is not supported yet";
            expressions.report(Diagnostic::new("E0900", span, message));
            return expressions.refused();
        }
        let column = self.graph.item(matched.composite, typed.expr, &typed.ty);
        Typed { expr: Expr::Column(column), ty: typed.ty }
    }

    /// What an object is called.
    pub fn name_of(&mut self, object: Object) -> Arc<str> {
        match self.matched() {
            Some(matched) => matched.name_of(object),
            None => self.record.names[object.0 as usize].clone(),
        }
    }

    fn field(&mut self, name: &Arc<str>) -> Option<Typed> {
        let ty = self.record.shape.fields.get(name)?.clone();
        let typed = self.column(name, ty)?;
        let made = !self.graph.is_open(self.record.node);
        Some(if &**name == REVISION && made { or_zero(typed) } else { typed })
    }

    fn column(&mut self, name: &Arc<str>, ty: Type) -> Option<Typed> {
        let column = self.graph.column(self.record.node, name, &ty)?;
        Some(Typed { expr: Expr::Column(column), ty })
    }

    /// `match_start`, `match_end`, `match_duration_ms`: of the match, or what a new record carries of it. All are columns,
    /// because behind a window the record's own time is another one.
    pub fn match_bound(&mut self, name: &Ident, expressions: &mut Expressions) -> Option<Typed> {
        let ty = match &*name.name {
            "match_start" | "match_end" => Type::Time,
            "match_duration_ms" => Type::Int,
            _ => return None,
        };
        match self.record.matched.as_deref().map(|matched| matched.match_bound(&name.name)) {
            Some(bound) => bound.map(|bound| self.item(bound, name.span, expressions)),
            None if self.record.matches && !self.record.shape.fields.contains_key(&name.name) => {
                self.column(&name.name, ty)
            }
            None => None,
        }
    }

    /// What is left of corrections when the records have been replaced.
    fn carried(&self, name: &str) -> Option<Typed> {
        match name {
            REVISION if self.record.revised => Some(or_zero(Typed { expr: Expr::Revision, ty: Type::Int })),
            _ => None,
        }
    }

    fn open(&mut self, name: &Arc<str>) -> Option<Typed> {
        if self.record.shape.open { self.column(name, Type::Any) } else { None }
    }
}

/// A first result has no `_revision`; read, it is 0.
fn or_zero(revision: Typed) -> Typed {
    let zero = Expr::Const(Value::Int(0));
    Typed { expr: Expr::Coalesce(Box::new(revision.expr), Box::new(zero)), ..revision }
}

/// The bounds of a window.
pub(super) fn window_bound(name: &str) -> Option<Typed> {
    match name {
        "window_start" => Some(Typed { expr: Expr::WindowStart, ty: Type::Time }),
        "window_end" => Some(Typed { expr: Expr::WindowEnd, ty: Type::Time }),
        _ => None,
    }
}

impl Scope for RecordScope<'_> {
    fn name(&mut self, name: &Ident, expressions: &mut Expressions) -> Found {
        let hidden = self.record.matched.as_ref().is_some_and(|matched| matched.find(&name.name).is_some());
        if let Some(bound) = self.match_bound(name, expressions).filter(|_| !hidden) {
            return Found::Value(bound);
        }
        if let Some(mut matched) = self.matched() {
            let found = matched.name(name, expressions);
            if found != Found::Unknown {
                return self.composed(found, name.span, expressions);
            }
        }
        if let Some(place) = self.record.names.iter().position(|known| *known == name.name) {
            return Found::Object(Object(u32::try_from(place).unwrap_or(u32::MAX)));
        }
        if let Some(field) = self.field(&name.name) {
            return Found::Value(field);
        }
        if let Some(bound) = window_bound(&name.name).filter(|_| self.record.windowed) {
            return Found::Value(bound);
        }
        if let Some(carried) = self.carried(&name.name) {
            return Found::Value(carried);
        }
        let hides_global = expressions.declared().global(&name.name).is_some();
        if self.record.replaced.contains(&name.name) && !hides_global {
            let message = format!("{} is not visible here: the record was replaced before", name.name);
            let help = format!("take what you need of it along: .select(x: {}.x)", name.name);
            expressions.report(Diagnostic::new("E0214", name.span, message).help(help));
            return Found::Refused;
        }
        Found::Unknown
    }

    fn open_field(&mut self, name: &Ident, expressions: &mut Expressions) -> Found {
        if let Some(mut matched) = self.matched() {
            let found = matched.open_field(name, expressions);
            return self.composed(found, name.span, expressions);
        }
        self.open(&name.name).map_or(Found::Unknown, Found::Value)
    }

    fn object(&mut self, object: Object, span: Span, expressions: &mut Expressions) -> Typed {
        if let Some(mut matched) = self.matched() {
            let typed = matched.object(object, span, expressions);
            return self.composed_value(typed, span, expressions);
        }
        let name = self.record.names[object.0 as usize].clone();
        if let Some(field) = self.field(&name) {
            return field;
        }
        self.graph.need_whole(self.record.node);
        let shape = &self.record.shape;
        let ty = match shape.open {
            true => types::open_map(),
            false => {
                let fields = shape.fields.iter().map(|(name, ty)| (name.clone(), ty.clone())).collect();
                Type::Record(name, Arc::new(fields))
            }
        };
        Typed { expr: Expr::Record, ty }
    }

    fn member(&mut self, object: Object, name: &Ident, expressions: &mut Expressions) -> Found {
        if let Some(mut matched) = self.matched() {
            let found = matched.member(object, name, expressions);
            return self.composed(found, name.span, expressions);
        }
        if let Some(field) = self.field(&name.name).or_else(|| self.open(&name.name)) {
            return Found::Value(field);
        }
        let of = &self.record.names[object.0 as usize];
        let known: Vec<Arc<str>> = self.record.shape.fields.keys().cloned().collect();
        let problem = Diagnostic::new("E0206", name.span, format!("{of} has no field {}", name.name));
        expressions.report(match did_you_mean(&name.name, known.iter().map(|name| &**name)) {
            Some(help) => problem.help(help),
            None => problem.help("declare it in the event"),
        });
        Found::Refused
    }

    fn index(&mut self, object: Object, index: &AstExpr, expressions: &mut Expressions) -> Found {
        match self.matched() {
            Some(mut matched) => matched.index(object, index, expressions),
            None => Found::Unknown,
        }
    }

    fn call(&mut self, name: &Ident, args: &[Arg], span: Span, expressions: &mut Expressions) -> Option<Found> {
        let found = self.matched()?.call(name, args, span, expressions)?;
        Some(self.composed(found, span, expressions))
    }

    fn has_record(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<Arc<str>> {
        if let Some(matched) = &self.record.matched {
            return matched.names().collect();
        }
        let bounds = ["window_start", "window_end"].into_iter().filter(|_| self.record.windowed).map(Arc::from);
        self.record.shape.fields.keys().chain(&self.record.names).cloned().chain(bounds).collect()
    }
}
