//! Static types: how they are called in messages, which value may stand where, what two branches have in common.
//!
//! A static type is a promise about every value but null, which belongs to all of them. It is never wider than true: what
//! may be an int or a float is `Any`.

use crate::value::{Type, Value};
use std::sync::Arc;

/// The name of a type as a program writes it.
pub fn name(ty: &Type) -> String {
    match ty {
        Type::Any => "any".into(),
        Type::Null => "null".into(),
        Type::Bool => "bool".into(),
        Type::Int => "int".into(),
        Type::Float => "float".into(),
        Type::Str => "str".into(),
        Type::Time => "timestamp".into(),
        Type::Duration => "duration".into(),
        Type::Array(element) => format!("[{}]", name(element)),
        Type::Map(key, value) => format!("{{{}: {}}}", name(key), name(value)),
        Type::Record(record, _) => record.to_string(),
    }
}

/// A built-in type name.
pub fn builtin(name: &str) -> Option<Type> {
    Some(match name {
        "any" => Type::Any,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "float" => Type::Float,
        "str" | "string" => Type::Str,
        "timestamp" => Type::Time,
        "duration" => Type::Duration,
        _ => return None,
    })
}

/// The names that [`builtin`] knows.
pub const BUILTIN: [&str; 8] = ["any", "bool", "int", "float", "str", "string", "timestamp", "duration"];

/// A map from text to anything: the type of a record of which nothing is known.
pub fn open_map() -> Type {
    Type::Map(Box::new(Type::Str), Box::new(Type::Any))
}

/// An array of unknown elements.
pub fn open_array() -> Type {
    Type::Array(Box::new(Type::Any))
}

/// What one may know of a value.
pub fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Float(_) => Type::Float,
        Value::Str(_) => Type::Str,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Array(items) => Type::Array(Box::new(join_all(items.iter().map(of_value)))),
        Value::Map(map) => Type::Map(Box::new(Type::Str), Box::new(join_all(map.values().map(of_value)))),
    }
}

/// Nothing is known, or the value is null: it may stand anywhere.
pub fn is_unknown(ty: &Type) -> bool {
    matches!(ty, Type::Any | Type::Null)
}

/// May a value of type `from` stand where `to` is asked, perhaps after the conversion that declared types bring
/// (int to float, integral float to int, text or epoch milliseconds to timestamp, text to duration)?
pub fn converts(from: &Type, to: &Type) -> bool {
    match (from, to) {
        _ if is_unknown(from) || is_unknown(to) => true,
        (Type::Int | Type::Float, Type::Int | Type::Float) => true,
        (Type::Str | Type::Int, Type::Time) | (Type::Str, Type::Duration) => true,
        (Type::Array(from), Type::Array(to)) => converts(from, to),
        (Type::Map(_, from), Type::Map(_, to)) => converts(from, to),
        // The fields of a map are not known one by one, and those that a record lacks are null.
        (Type::Record(..), Type::Map(..)) | (Type::Map(..), Type::Record(..)) => true,
        (Type::Record(_, from), Type::Record(_, to)) => to.iter().all(|(field, to)| {
            let from = from.iter().find(|(name, _)| name == field);
            from.is_none_or(|(_, from)| converts(from, to))
        }),
        (from, to) => from == to,
    }
}

/// What is true of a value that is of one of two types.
pub fn join(a: Type, b: Type) -> Type {
    match (a, b) {
        (Type::Null, other) | (other, Type::Null) => other,
        (Type::Array(a), Type::Array(b)) => Type::Array(Box::new(join(*a, *b))),
        (Type::Map(ka, a), Type::Map(kb, b)) => Type::Map(Box::new(join(*ka, *kb)), Box::new(join(*a, *b))),
        (a, b) if a == b => a,
        _ => Type::Any,
    }
}

/// [`join`] of any number of types; of none: `Any`.
pub fn join_all(types: impl IntoIterator<Item = Type>) -> Type {
    types.into_iter().reduce(join).unwrap_or(Type::Any)
}

/// The kinds that `==` tells apart; `None`: unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// bool
    Bool,
    /// int, float
    Number,
    /// str
    Str,
    /// timestamp
    Time,
    /// duration
    Duration,
    /// arrays
    Array,
    /// maps, structs, events
    Map,
}

/// The kind of a type.
pub fn kind(ty: &Type) -> Option<Kind> {
    Some(match ty {
        Type::Any | Type::Null => return None,
        Type::Bool => Kind::Bool,
        Type::Int | Type::Float => Kind::Number,
        Type::Str => Kind::Str,
        Type::Time => Kind::Time,
        Type::Duration => Kind::Duration,
        Type::Array(_) => Kind::Array,
        Type::Map(..) | Type::Record(..) => Kind::Map,
    })
}

/// The declared type of a field of a record type.
pub fn field<'t>(fields: &'t [(Arc<str>, Type)], name: &str) -> Option<&'t Type> {
    fields.iter().find(|(field, _)| &**field == name).map(|(_, ty)| ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(of: Type) -> Type {
        Type::Array(Box::new(of))
    }

    #[test]
    fn conversions_are_those_of_event_fields() {
        use Type::*;
        for (from, to, fits) in [
            (Int, Float, true),
            (Float, Int, true),
            (Str, Int, false),
            (Str, Time, true),
            (Int, Time, true),
            (Float, Time, false),
            (Str, Duration, true),
            (Int, Duration, false),
            (Any, Bool, true),
            (Null, Bool, true),
            (Int, Bool, false),
            (array(Int), array(Float), true),
            (array(Str), array(Int), false),
        ] {
            assert_eq!(converts(&from, &to), fits, "{} to {}", name(&from), name(&to));
        }
    }

    #[test]
    fn a_join_promises_no_more_than_both_keep() {
        assert_eq!(join(Type::Int, Type::Null), Type::Int);
        assert_eq!(join(Type::Int, Type::Float), Type::Any);
        assert_eq!(join(array(Type::Int), array(Type::Null)), array(Type::Int));
        assert_eq!(join_all([]), Type::Any);
    }
}
