//! What is known of a stream's records: their fields, and whether there may be others.

use crate::check::declared::Declared;
use crate::check::types;
use crate::value::Type;
use indexmap::IndexMap;
use std::sync::Arc;

/// Fields of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shape {
    /// Known fields with their types.
    pub fields: IndexMap<Arc<str>, Type>,
    /// Are there fields that nobody declared?
    pub open: bool,
}

impl Shape {
    /// Nothing is known.
    pub fn unknown() -> Shape {
        Shape { fields: IndexMap::new(), open: true }
    }

    /// Exactly these fields.
    pub fn of(fields: impl IntoIterator<Item = (Arc<str>, Type)>) -> Shape {
        Shape { fields: fields.into_iter().collect(), open: false }
    }

    /// An event type, declared or not.
    pub fn of_event(event: &str, declared: &Declared) -> Shape {
        match declared.event(event) {
            Some(event) => Shape { fields: event.fields.iter().cloned().collect(), open: !event.complete },
            None => Shape::unknown(),
        }
    }

    /// The union of the records of two streams.
    pub fn union(mut self, other: &Shape) -> Shape {
        for (name, ty) in &other.fields {
            match self.fields.get_mut(name) {
                Some(known) => *known = types::join(std::mem::take(known), ty.clone()),
                None => {
                    let ty = if self.open { Type::Any } else { ty.clone() };
                    self.fields.insert(name.clone(), ty);
                }
            }
        }
        if other.open {
            for (name, ty) in &mut self.fields {
                if !other.fields.contains_key(name) {
                    *ty = Type::Any;
                }
            }
        }
        self.open |= other.open;
        self
    }
}
