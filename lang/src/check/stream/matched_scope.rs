//! The scope of matches and rows of joins, in terms of their parts: `part.f` reads a field of a part; of a part that repeats
//! there are also `part.first`, `part.last`, `part.len`, `part[i]` and aggregates over it.
//!
//! Conditions of a sequence are asked here directly; what stands behind a match or row turns what it gets from here into
//! columns of the record (see [`super::record`]).

use super::graph::{Graph, count};
use super::matched::{Matched, Of, Part};
use crate::ast::{Arg, Expr as AstExpr, Ident};
use crate::check::expression::Expressions;
use crate::check::scope::{Found, Object, Scope, Typed};
use crate::check::suggestion::did_you_mean;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{Builtin, Capture, Expr, NodeId};
use crate::span::Span;
use crate::value::{Type, Value};
use std::sync::Arc;

/// The step whose condition is being read.
#[derive(Debug)]
pub(super) struct Own {
    pub part: Part,
    /// Where the records come from that are tried.
    pub node: NodeId,
    /// Their event type.
    pub event: Arc<str>,
}

/// What of a part an object stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Itself,
    First,
    Last,
    Previous,
    /// `part[i]`, by the number of the index.
    At(u32),
}

const FORMS: u32 = 4;
const ALL_FORMS: [Form; FORMS as usize] = [Form::Itself, Form::First, Form::Last, Form::Previous];
/// Objects from here on are indexed parts.
const INDEXED: u32 = 1 << 31;

pub(super) fn object(part: usize, form: Form) -> Object {
    match form {
        Form::At(number) => Object(INDEXED + number),
        form => {
            let form = ALL_FORMS.iter().position(|known| *known == form).unwrap_or(0);
            Object(count(part) * FORMS + count(form))
        }
    }
}

/// The scope of such a record.
pub(super) struct MatchedScope<'s> {
    pub graph: &'s mut Graph,
    pub matched: &'s Matched,
    /// The step whose condition is being read; it comes behind the parts.
    pub own: Option<&'s Own>,
    /// Is the argument of an aggregate over this part being read?
    pub over: Option<usize>,
}

impl<'s> MatchedScope<'s> {
    /// Of a whole match or row.
    pub fn new(graph: &'s mut Graph, matched: &'s Matched) -> MatchedScope<'s> {
        MatchedScope { graph, matched, own: None, over: None }
    }

    /// Of the condition of a step.
    pub fn of_step(graph: &'s mut Graph, matched: &'s Matched, own: &'s Own) -> MatchedScope<'s> {
        MatchedScope { graph, matched, own: Some(own), over: None }
    }

    fn of(&self, object: Object) -> (usize, Form) {
        match object.0.checked_sub(INDEXED) {
            Some(number) => (self.graph.noted_index(self.matched.composite, number).0, Form::At(number)),
            None => ((object.0 / FORMS) as usize, ALL_FORMS[(object.0 % FORMS) as usize]),
        }
    }

    /// What an object is called.
    pub fn name_of(&self, object: Object) -> Arc<str> {
        let part = self.part(self.of(object).0);
        part.names.first().unwrap_or(&part.prefix).clone()
    }

    pub(super) fn is_own(&self, part: usize) -> bool {
        self.own.is_some() && part == self.matched.parts.len()
    }

    pub(super) fn part(&self, part: usize) -> &Part {
        match self.own {
            Some(own) if self.is_own(part) => &own.part,
            _ => &self.matched.parts[part],
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let own = self.own.filter(|own| own.part.names.iter().any(|known| **known == *name));
        own.map(|_| self.matched.parts.len()).or_else(|| self.matched.find(name))
    }

    /// A field of a part.
    fn read(&mut self, part: usize, form: Form, name: &Arc<str>) -> Option<Typed> {
        if let Some(own) = self.own.filter(|_| self.is_own(part)) {
            if form == Form::Itself && self.over != Some(part) {
                return self.tried(own, name);
            }
            let ty = own.part.field_type(name)?;
            let place = own.part.place;
            let column = self.graph.slot_column(self.matched.composite, place, name, &ty);
            return Some(Typed { expr: self.form(form, place, column), ty });
        }
        let index = match form {
            Form::At(number) => Some(self.graph.noted_index(self.matched.composite, number).1),
            _ => None,
        };
        self.matched.field(self.graph, part, name, |place, column| captured(form, index, place, column))
    }

    fn form(&self, form: Form, place: u32, column: u32) -> Expr {
        let index = match form {
            Form::At(number) => Some(self.graph.noted_index(self.matched.composite, number).1),
            _ => None,
        };
        captured(form, index, place, column)
    }

    /// A field of the record that is tried.
    fn tried(&mut self, own: &Own, name: &Arc<str>) -> Option<Typed> {
        let ty = own.part.field_type(name)?;
        let column = self.graph.column(own.node, name, &ty);
        let expr = column.map_or(Expr::Const(Value::Null), Expr::Column);
        Some(Typed { expr, ty })
    }

    fn unknown_field(&self, part: usize, name: &Ident, expressions: &mut Expressions) -> Found {
        let of = self.name_of(object(part, Form::Itself));
        let part = self.part(part);
        let problem = Diagnostic::new("E0206", name.span, format!("{of} has no field {}", name.name));
        let help = did_you_mean(&name.name, part.shape.fields.keys().map(|name| &**name));
        expressions.report(problem.help(help.unwrap_or_else(|| "declare it in the event".into())));
        Found::Refused
    }

    /// A bare field of the record that a condition is tried on.
    fn own_value(&mut self, name: &Arc<str>, open: bool) -> Option<Typed> {
        let own = self.own?;
        if !open && !own.part.shape.fields.contains_key(name) {
            return None;
        }
        self.tried(own, name)
    }

    /// A bare field of a join: the first input where it is not null.
    fn first_of_inputs(&mut self, name: &Arc<str>, open: bool) -> Option<Typed> {
        if !open && !self.matched.parts.iter().any(|part| part.shape.fields.contains_key(name)) {
            return None;
        }
        let mut found: Vec<Typed> = Vec::new();
        for part in 0..self.matched.parts.len() {
            found.extend(self.read(part, Form::Itself, name));
        }
        let ty = types::join_all(found.iter().map(|typed| typed.ty.clone()));
        let mut exprs: Vec<Expr> = found.into_iter().map(|typed| typed.expr).collect();
        let expr = match exprs.len() {
            0 => return None,
            1 => exprs.remove(0),
            2 => {
                let second = Box::new(exprs.remove(1));
                Expr::Coalesce(Box::new(exprs.remove(0)), second)
            }
            _ => Expr::Call(Builtin::Coalesce, exprs),
        };
        Some(Typed { expr, ty })
    }

    fn bare(&mut self, name: &Arc<str>) -> Option<Typed> {
        match self.matched.of {
            _ if self.own.is_some() => self.own_value(name, false),
            Of::Join => self.first_of_inputs(name, false).or_else(|| self.matched.record_field(self.graph, name)),
            Of::Sequence => {
                let field = self.matched.record_field(self.graph, name);
                field.or_else(|| self.matched.match_bound(name))
            }
        }
    }
}

/// What is read of captured records: a column of theirs.
fn captured(form: Form, index: Option<Expr>, place: u32, column: u32) -> Expr {
    match (form, index) {
        (Form::Previous, _) => Expr::Captured(place, Capture::Previous(column)),
        (Form::First, _) => Expr::Captured(place, Capture::First(column)),
        (Form::At(_), Some(index)) => Expr::Captured(place, Capture::At(column, Box::new(index))),
        _ => Expr::Of(place, column),
    }
}

impl Scope for MatchedScope<'_> {
    fn name(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        if let Some(part) = self.find(&name.name) {
            return Found::Object(object(part, Form::Itself));
        }
        self.bare(&name.name).map_or(Found::Unknown, Found::Value)
    }

    fn open_field(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        match self.matched.of {
            _ if self.own.is_some() => self.own_value(&name.name, true),
            Of::Join => self.first_of_inputs(&name.name, true),
            Of::Sequence => None,
        }
        .map_or(Found::Unknown, Found::Value)
    }

    fn object(&mut self, object: Object, _: Span, _: &mut Expressions) -> Typed {
        let (part, form) = self.of(object);
        let of = self.part(part);
        let (place, repeats) = (of.place, of.repeats && form == Form::Itself && self.over != Some(part));
        let ty = types::open_map();
        if let Some(own) = self.own.filter(|_| self.is_own(part) && form == Form::Itself && self.over.is_none()) {
            // A field of the event that is tried comes before an alias of the same name.
            if let Some(field) = own.part.names.iter().find_map(|name| self.own_value(name, false)) {
                return field;
            }
            if !repeats {
                self.graph.need_whole(own.node);
                return Typed { expr: Expr::Record, ty };
            }
        }
        let node = self.part(part).node;
        self.graph.need_part(self.matched.composite, place, node);
        let records = Expr::Captured(place, Capture::Records);
        let index = |index| Expr::Index(Box::new(records.clone()), Box::new(index));
        match form {
            Form::Itself if repeats => Typed { expr: records, ty: Type::Array(Box::new(ty)) },
            Form::Itself => Typed { expr: Expr::Captured(place, Capture::Record), ty },
            Form::At(number) => Typed { expr: index(self.graph.noted_index(self.matched.composite, number).1), ty },
            Form::First => Typed { expr: index(Expr::Const(Value::Int(0))), ty },
            Form::Last | Form::Previous => Typed { expr: index(Expr::Const(Value::Int(-1))), ty },
        }
    }

    fn member(&mut self, at: Object, name: &Ident, expressions: &mut Expressions) -> Found {
        let (part, form) = self.of(at);
        if self.part(part).repeats && form == Form::Itself && self.over != Some(part) {
            let place = self.part(part).place;
            match &*name.name {
                "first" => return Found::Object(object(part, Form::First)),
                "last" => return Found::Object(object(part, Form::Last)),
                "len" | "count" => {
                    return Found::Value(Typed { expr: Expr::Captured(place, Capture::Count), ty: Type::Int });
                }
                _ => {}
            }
        }
        match self.read(part, form, &name.name) {
            Some(typed) => Found::Value(typed),
            None => self.unknown_field(part, name, expressions),
        }
    }

    fn index(&mut self, at: Object, index: &AstExpr, expressions: &mut Expressions) -> Found {
        let (part, form) = self.of(at);
        if form != Form::Itself || !self.part(part).repeats || self.over == Some(part) {
            return Found::Unknown;
        }
        let index = expressions.check(index, self);
        // Of another type it is refused as the index of an array is.
        match types::is_unknown(&index.ty) || index.ty == Type::Int {
            true => {
                let number = self.graph.note_index(self.matched.composite, part, index.expr);
                Found::Object(object(part, Form::At(number)))
            }
            false => Found::Unknown,
        }
    }

    fn call(&mut self, name: &Ident, args: &[Arg], _: Span, expressions: &mut Expressions) -> Option<Found> {
        if expressions.declared().function(&name.name).is_some() {
            return None;
        }
        if &*name.name == "event_type" && args.is_empty() {
            let event = self.own.map_or(&self.matched.event, |own| &own.event);
            return Some(Found::Value(Typed { expr: Expr::Const(Value::Str(event.clone())), ty: Type::Str }));
        }
        match &*name.name {
            "prev" if self.matched.of != Of::Join => Some(self.previous(name, args, expressions)),
            "event_time" if self.matched.of != Of::Join => self.time_of(name, args, expressions),
            known if self.matched.of != Of::Join && super::aggregate::is_aggregate(known, args.len()) => {
                self.aggregate(name, args, expressions)
            }
            _ => None,
        }
    }

    fn has_record(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<Arc<str>> {
        let own = self.own.iter().flat_map(|own| own.part.names.iter().chain(own.part.shape.fields.keys()).cloned());
        own.chain(self.matched.names()).collect()
    }
}
