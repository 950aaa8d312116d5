//! Records that consist of several: matches of sequences and rows of joins. What their names stand for.
//!
//! A part is a captured event (or several, if its step repeats) or an input of a join. `part.f` reads its field; of a part that
//! repeats there are also `part.first`, `part.last`, `part.len`, `part[i]` and aggregates over it.

use super::graph::Graph;
use super::shape::Shape;
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::expression::Expressions;
use crate::check::scope::{Found, Object, Scope, Typed};
use crate::check::suggestion::did_you_mean;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{AggregateCall, Capture, Expr, NodeId};
use crate::span::Span;
use crate::value::Type;
use std::sync::Arc;

/// One of the records.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Alias, own name or type.
    pub names: Vec<Arc<str>>,
    /// What its fields are prefixed with.
    pub prefix: Arc<str>,
    pub node: NodeId,
    pub shape: Shape,
    pub repeats: bool,
}

/// Which kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The match of a sequence.
    Sequence,
    /// A condition in a sequence: part `own`, if it repeats, is being captured.
    Condition { own: Option<usize> },
    /// A row of a join.
    Join,
}

/// The parts.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    pub parts: Vec<Part>,
    pub of: Of,
    /// Keys of the partition.
    pub keys: Vec<(Arc<str>, Type)>,
}

impl Matched {
    /// The fields of such a record: `part_f` of every part, and of a match what was counted and its keys.
    pub fn shape(&self) -> Shape {
        let mut fields: Vec<(Arc<str>, Type)> = Vec::new();
        for part in &self.parts {
            let own = |(field, ty): (&Arc<str>, &Type)| (format!("{}_{field}", part.prefix).into(), ty.clone());
            fields.extend(part.shape.fields.iter().map(own));
            if part.repeats {
                fields.push((format!("_count_{}", part.prefix).into(), Type::Int));
            }
        }
        if self.of == Of::Sequence {
            fields.extend(self.keys.iter().cloned());
            fields.push(("_partition".into(), Type::Str));
        }
        Shape { open: self.parts.iter().any(|part| part.shape.open), ..Shape::of(fields) }
    }

    /// All names of its parts.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.parts.iter().flat_map(|part| part.names.iter().cloned())
    }
}

const FORMS: u32 = 4;
/// Inputs of a join among which a bare name is looked for.
const NESTED_INPUTS: usize = 128;

/// What of a part an object stands for.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Itself,
    First,
    Last,
    Previous,
}

const ALL_FORMS: [Form; FORMS as usize] = [Form::Itself, Form::First, Form::Last, Form::Previous];

fn object(part: usize, form: Form) -> Object {
    let form = ALL_FORMS.iter().position(|known| *known == form).unwrap_or(0);
    Object(u32::try_from(part).unwrap_or(0) * FORMS + u32::try_from(form).unwrap_or(0))
}

/// The scope of such a record.
pub(super) struct MatchedScope<'s> {
    pub graph: &'s mut Graph,
    pub matched: &'s Matched,
    /// Is the argument of an aggregate over this part being read?
    pub over: Option<usize>,
}

impl MatchedScope<'_> {
    fn part(&self, object: Object) -> (usize, Form) {
        ((object.0 / FORMS) as usize, ALL_FORMS[(object.0 % FORMS) as usize])
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.matched.parts.iter().position(|part| part.names.iter().any(|known| **known == *name))
    }

    /// The column of a field of a part.
    fn field(&mut self, part: usize, name: &Arc<str>) -> Option<(u32, Type)> {
        let part = &self.matched.parts[part];
        let known = part.shape.fields.get(name).cloned();
        let ty = known.or_else(|| part.shape.open.then_some(Type::Any))?;
        // A record of several types has the fields of all of them, if not as one column.
        let column = self.graph.column(part.node, name, &ty).unwrap_or(0);
        Some((column, ty))
    }

    fn read(&self, part: usize, form: Form, column: u32) -> Expr {
        let place = u32::try_from(part).unwrap_or(u32::MAX);
        let repeats = self.matched.parts[part].repeats && self.over != Some(part);
        let own = self.matched.of == Of::Condition { own: Some(part) };
        match form {
            Form::Previous => Expr::Captured(place, Capture::Previous(column)),
            Form::First => Expr::Captured(place, Capture::First(column)),
            Form::Itself if own && self.over.is_none() => Expr::Column(column),
            Form::Itself | Form::Last if repeats => Expr::Captured(place, Capture::Last(column)),
            _ => Expr::Of(place, column),
        }
    }

    fn unknown_field(&self, of: &str, part: usize, name: &Ident, expressions: &mut Expressions) -> Found {
        let known = self.matched.parts[part].shape.fields.keys().map(|name| &**name);
        let problem = Diagnostic::new("E0206", name.span, format!("{of} has no field {}", name.name));
        let help = did_you_mean(&name.name, known).unwrap_or_else(|| "declare it in the event".into());
        expressions.report(problem.help(help));
        Found::Refused
    }

    /// A bare field of the event that a condition is tried on.
    fn own_value(&mut self, own: usize, name: &Arc<str>, open: bool) -> Option<Typed> {
        if !open && !self.matched.parts[own].shape.fields.contains_key(name) {
            return None;
        }
        let (column, ty) = self.field(own, name)?;
        Some(Typed { expr: self.read(own, Form::Itself, column), ty })
    }

    /// `alias_f`, `_count_alias`, keys, `_partition`, `match_…`
    fn own_field(&mut self, name: &Arc<str>) -> Option<Typed> {
        let typed = |ty| Some(Typed { expr: Expr::Record, ty });
        if let Some((_, ty)) = self.matched.keys.iter().find(|(key, _)| key == name) {
            return typed(ty.clone());
        }
        match &**name {
            "match_start" | "match_end" => return typed(Type::Time),
            "match_duration_ms" => return typed(Type::Int),
            "_partition" => return typed(Type::Str),
            _ => {}
        }
        for part in 0..self.matched.parts.len() {
            let (prefix, repeats) = (self.matched.parts[part].prefix.clone(), self.matched.parts[part].repeats);
            if repeats && name.strip_prefix("_count_") == Some(&*prefix) {
                return typed(Type::Int);
            }
            let field =
                name.strip_prefix(&*prefix).and_then(|rest| rest.strip_prefix('_')).filter(|field| !field.is_empty());
            if let Some((column, ty)) = field.and_then(|field| self.field(part, &field.into())) {
                return Some(Typed { expr: self.read(part, Form::Last, column), ty });
            }
        }
        None
    }

    /// A bare field of a join: the first input where it is not null.
    fn first_of_inputs(&mut self, name: &Arc<str>, open: bool) -> Option<Typed> {
        let mut found: Option<Typed> = None;
        // So many inputs as expressions may nest.
        for part in 0..self.matched.parts.len().min(NESTED_INPUTS) {
            let known = self.matched.parts[part].shape.fields.contains_key(name);
            if !known && !open {
                continue;
            }
            let Some((column, ty)) = self.field(part, name) else { continue };
            let next = Typed { expr: self.read(part, Form::Itself, column), ty };
            found = Some(match found {
                None => next,
                Some(before) => Typed {
                    ty: types::join(before.ty, next.ty),
                    expr: Expr::Coalesce(Box::new(before.expr), Box::new(next.expr)),
                },
            });
        }
        found
    }

    /// Parts that repeat and that an expression names.
    fn repeating(&self, expr: &AstExpr) -> Vec<usize> {
        let mut names = Vec::new();
        super::mentions::names(expr, &mut names);
        let mut parts: Vec<usize> =
            names.iter().filter_map(|name| self.find(name)).filter(|part| self.matched.parts[*part].repeats).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// An aggregate over the records of a part that repeats.
    fn aggregate(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Option<Found> {
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
        let place = u32::try_from(part).unwrap_or(u32::MAX);
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

    fn previous(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Found {
        let own = match (args, self.matched.of) {
            ([arg], Of::Condition { own: Some(own) }) => match &arg.value.kind {
                ExprKind::Name(alias) if self.find(alias) == Some(own) && self.matched.parts[own].repeats => Some(own),
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

    fn time_of(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Option<Found> {
        let [arg] = args else { return None };
        if let ExprKind::Name(alias) = &arg.value.kind
            && let Some(part) = self.find(alias)
        {
            let place = u32::try_from(part).unwrap_or(u32::MAX);
            return Some(Found::Value(Typed { expr: Expr::Captured(place, Capture::Time), ty: Type::Time }));
        }
        let problem = Diagnostic::new("E0301", name.span, "event_time takes an alias");
        expressions.report(problem.help("event_time() is the time of the match"));
        Some(Found::Refused)
    }
}

impl Scope for MatchedScope<'_> {
    fn name(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        if let Some(part) = self.find(&name.name) {
            return Found::Object(object(part, Form::Itself));
        }
        match self.matched.of {
            Of::Join => self.first_of_inputs(&name.name, false).or_else(|| self.own_field(&name.name)),
            Of::Sequence => self.own_field(&name.name),
            Of::Condition { own } => own.and_then(|own| self.own_value(own, &name.name, false)),
        }
        .map_or(Found::Unknown, Found::Value)
    }

    fn open_field(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        match self.matched.of {
            Of::Join => self.first_of_inputs(&name.name, true),
            Of::Condition { own } => own.and_then(|own| self.own_value(own, &name.name, true)),
            Of::Sequence => None,
        }
        .map_or(Found::Unknown, Found::Value)
    }

    fn object(&mut self, object: Object, _: Span, _: &mut Expressions) -> Typed {
        let (part, form) = self.part(object);
        if let (Of::Condition { own: Some(own) }, Form::Itself) = (self.matched.of, form) {
            // A field of the event that is tried comes before an alias of the same name.
            let names = self.matched.parts[part].names.clone();
            if let Some(field) = names.iter().find_map(|name| self.own_value(own, name, false)) {
                return field;
            }
        }
        let place = u32::try_from(part).unwrap_or(u32::MAX);
        let repeats = self.matched.parts[part].repeats && form == Form::Itself && self.over.is_none();
        match repeats {
            true => {
                let ty = Type::Array(Box::new(types::open_map()));
                Typed { expr: Expr::Captured(place, Capture::Records), ty }
            }
            false => Typed { expr: Expr::Captured(place, Capture::Record), ty: types::open_map() },
        }
    }

    fn member(&mut self, at: Object, name: &Ident, expressions: &mut Expressions) -> Found {
        let (part, form) = self.part(at);
        let repeats = self.matched.parts[part].repeats;
        if repeats && form == Form::Itself {
            let place = u32::try_from(part).unwrap_or(u32::MAX);
            match &*name.name {
                "first" => return Found::Object(object(part, Form::First)),
                "last" => return Found::Object(object(part, Form::Last)),
                "len" | "count" => {
                    return Found::Value(Typed { expr: Expr::Captured(place, Capture::Count), ty: Type::Int });
                }
                _ => {}
            }
        }
        match self.field(part, &name.name) {
            Some((column, ty)) => Found::Value(Typed { expr: self.read(part, form, column), ty }),
            None => {
                let of = self.matched.parts[part].names.first().cloned().unwrap_or_default();
                self.unknown_field(&of, part, name, expressions)
            }
        }
    }

    fn index(&mut self, _: Object, _: &AstExpr, _: &mut Expressions) -> Found {
        // `b[i].f` reads the array of the captured records.
        Found::Unknown
    }

    fn call(&mut self, name: &Ident, args: &[Arg], _: Span, expressions: &mut Expressions) -> Option<Found> {
        if expressions.declared().function(&name.name).is_some() {
            return None;
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
        self.matched.parts.iter().flat_map(|part| part.names.iter().cloned()).collect()
    }
}
