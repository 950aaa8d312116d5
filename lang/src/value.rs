//! Values of the language and their static types (docs/language.md).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An ordered map with string keys.
pub type Map = IndexMap<Arc<str>, Value>;

/// A value at run time. Floats are always finite: what would be NaN or infinite is `Null`.
///
/// `PartialEq` is representation equality (`Int(1) != Float(1.0)`); the language's `==` and its total order
/// are functions of the `eval` module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Missing, mistyped or impossible.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// 64-bit integer.
    Int(i64),
    /// Finite double.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Nanoseconds since the Unix epoch, UTC.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    /// Array.
    Array(Arc<Vec<Value>>),
    /// Ordered map.
    Map(Arc<Map>),
}

/// A static type. `Any` is what nothing is known about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Type {
    /// Unknown: decided value by value.
    #[default]
    Any,
    /// Only `null`.
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `str`
    Str,
    /// `timestamp`
    Time,
    /// `duration`
    Duration,
    /// `[T]`
    Array(Box<Type>),
    /// `{K: V}`; keys are always strings at run time.
    Map(Box<Type>, Box<Type>),
    /// A declared struct type or event: a map with these fields (others may be there too).
    Record(Arc<str>, Arc<Vec<(Arc<str>, Type)>>),
}
