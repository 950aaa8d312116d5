//! Records that consist of several: matches of sequences and rows of joins. Their parts, and the fields that they have as
//! records of their own.
//!
//! A part is a captured event (or several, if its step repeats) or an input of a join.

use super::composite::CompositeId;
use super::graph::Graph;
use super::shape::Shape;
use crate::check::scope::Typed;
use crate::plan::{BinOp, Builtin, Capture, Expr, NodeId};
use crate::value::{Type, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// One of the records.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Alias, own name or type.
    pub names: Vec<Arc<str>>,
    /// What its fields are prefixed with.
    pub prefix: Arc<str>,
    /// The node that gives its records, or one of them.
    pub node: NodeId,
    /// Its input of the join, or its slot of the sequence.
    pub place: u32,
    pub shape: Shape,
    pub repeats: bool,
    /// Are its fields fields of the whole? Those of a second step of one type without a name of its own are not.
    pub shown: bool,
}

/// Which kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The match of a sequence.
    Sequence,
    /// A row of a join.
    Join,
}

/// The parts.
#[derive(Debug)]
pub(super) struct Matched {
    pub composite: CompositeId,
    pub of: Of,
    /// The stream's name: its records' event type.
    pub event: Arc<str>,
    pub parts: Vec<Part>,
    by_name: HashMap<Arc<str>, usize>,
    /// The first part of each prefix.
    by_prefix: HashMap<Arc<str>, usize>,
    /// Keys of the partition.
    pub keys: Vec<(Arc<str>, Type)>,
}

/// How often a window had fired before: a field of the results of windows that are corrected.
pub(super) const REVISION: &str = "_revision";

impl Matched {
    /// A record without parts.
    pub fn new(composite: CompositeId, of: Of, event: Arc<str>) -> Matched {
        let (by_name, by_prefix) = (HashMap::new(), HashMap::new());
        Matched { composite, of, event, parts: Vec::new(), by_name, by_prefix, keys: Vec::new() }
    }

    /// Adds a part; a name or prefix goes to the first one that has it.
    pub fn push(&mut self, mut part: Part) {
        let place = self.parts.len();
        for name in &part.names {
            self.by_name.entry(name.clone()).or_insert(place);
        }
        part.shown = *self.by_prefix.entry(part.prefix.clone()).or_insert(place) == place;
        self.parts.push(part);
    }

    /// Gives a part one more name.
    pub fn name(&mut self, part: usize, name: Arc<str>) {
        self.by_name.entry(name.clone()).or_insert(part);
        self.parts[part].names.push(name);
    }

    /// Lets a part stand for the records of another one, too.
    pub fn widen(&mut self, part: usize, other: &Part) {
        let known = &mut self.parts[part];
        known.shape = std::mem::take(&mut known.shape).union(&other.shape);
        known.repeats |= other.repeats;
    }

    /// The part of this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The fields of such a record: `part_f` of every part, and of a match what was counted and its keys.
    pub fn shape(&self) -> Shape {
        let mut fields: Vec<(Arc<str>, Type)> = Vec::new();
        for part in self.parts.iter().filter(|part| part.shown) {
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
        Shape { open: self.parts.iter().any(|part| part.shown && part.shape.open), ..Shape::of(fields) }
    }

    /// All names of its parts.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.parts.iter().flat_map(|part| part.names.iter().cloned())
    }

    /// A field of the record as a whole: `alias_f`, `_count_alias`, keys, `_partition`.
    pub fn record_field(&self, graph: &mut Graph, name: &Arc<str>) -> Option<Typed> {
        if self.of == Of::Sequence {
            if let Some((place, (_, ty))) = (0..).zip(&self.keys).find(|(_, (key, _))| key == name) {
                return Some(Typed { expr: Expr::Key(place), ty: ty.clone() });
            }
            if &**name == "_partition" {
                return Some(Typed { expr: Expr::Partition, ty: Type::Str });
            }
        }
        if let Some(&part) = name.strip_prefix("_count_").and_then(|prefix| self.by_prefix.get(prefix))
            && self.parts[part].repeats
        {
            return Some(Typed { expr: Expr::Captured(self.parts[part].place, Capture::Count), ty: Type::Int });
        }
        // The first part, in their order, for which the rest of the name is a field.
        let ends = name.match_indices('_').map(|(end, _)| end).filter(|end| end + 1 < name.len());
        let mut parts: Vec<(usize, &str)> =
            ends.filter_map(|end| self.by_prefix.get(&name[..end]).map(|part| (*part, &name[end + 1..]))).collect();
        parts.sort_unstable();
        parts.into_iter().find_map(|(part, field)| self.field(graph, part, &field.into(), Expr::Of))
    }

    /// `match_start`, `match_end`, `match_duration_ms`
    pub fn match_bound(&self, name: &str) -> Option<Typed> {
        if self.of != Of::Sequence {
            return None;
        }
        match name {
            "match_start" => Some(Typed { expr: Expr::MatchStart, ty: Type::Time }),
            "match_end" => Some(Typed { expr: Expr::EventTime, ty: Type::Time }),
            "match_duration_ms" => {
                let took = Expr::Binary(BinOp::Sub, Box::new(Expr::EventTime), Box::new(Expr::MatchStart));
                Some(Typed { expr: Expr::Call(Builtin::Millis, vec![took]), ty: Type::Int })
            }
            _ => None,
        }
    }

    /// A field of a part, read by what `read` makes of the part's place and the column there.
    pub fn field(
        &self,
        graph: &mut Graph,
        part: usize,
        name: &Arc<str>,
        read: impl FnOnce(u32, u32) -> Expr,
    ) -> Option<Typed> {
        let part = &self.parts[part];
        let ty = part.field_type(name)?;
        let column = match self.of {
            Of::Join => graph.column(part.node, name, &ty),
            _ => Some(graph.slot_column(self.composite, part.place, name, &ty)),
        };
        // A first result of a window that is corrected has no `_revision`; read, it is 0.
        let expr = match column {
            Some(column) => read(part.place, column),
            None => Expr::Const(Value::Null),
        };
        let zero = || Box::new(Expr::Const(Value::Int(0)));
        let expr = if &**name == REVISION { Expr::Coalesce(Box::new(expr), zero()) } else { expr };
        Some(Typed { expr, ty })
    }
}

impl Part {
    /// The type of a field, if there may be one of that name.
    pub fn field_type(&self, name: &Arc<str>) -> Option<Type> {
        self.shape.fields.get(name).cloned().or_else(|| self.shape.open.then_some(Type::Any))
    }
}
