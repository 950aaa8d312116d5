//! What is known of a stream's records: their fields, and whether there may be others.

use crate::check::declared::Declared;
use crate::check::types;
use crate::value::Type;
use indexmap::IndexMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Names and types in order. Copies are shared until one of them is changed: every reader of an event has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(Arc<IndexMap<Arc<str>, Type>>);

impl Deref for Fields {
    type Target = IndexMap<Arc<str>, Type>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(Arc<str>, Type)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Type)>>(fields: I) -> Fields {
        Fields(Arc::new(fields.into_iter().collect()))
    }
}

/// Fields of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shape {
    /// Known fields with their types.
    pub fields: Fields,
    /// Are there fields that nobody declared?
    pub open: bool,
}

impl Shape {
    /// Nothing is known.
    pub fn unknown() -> Shape {
        Shape { fields: Fields::default(), open: true }
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
        if Arc::ptr_eq(&self.fields.0, &other.fields.0) && self.open == other.open {
            return self;
        }
        for (name, ty) in other.fields.iter() {
            match self.fields.get_mut(name) {
                Some(known) => *known = types::join(std::mem::take(known), ty.clone()),
                None => {
                    let ty = if self.open { Type::Any } else { ty.clone() };
                    self.fields.insert(name.clone(), ty);
                }
            }
        }
        if other.open {
            for (name, ty) in self.fields.iter_mut() {
                if !other.fields.contains_key(name) {
                    *ty = Type::Any;
                }
            }
        }
        self.open |= other.open;
        self
    }
}
