//! Conversion of a value to a declared type (docs/language.md): incoming fields, annotated variables, parameters, results.

use super::ops::truncated;
use super::time::{parse_duration, readable_time};
use crate::value::{Map, Type, Value};
use std::sync::Arc;

/// The value as a value of the type; `None`: a misfit. Null fits every type.
pub fn convert(ty: &Type, value: Value) -> Option<Value> {
    match (ty, value) {
        (Type::Any, value) => Some(value),
        (_, Value::Null) => Some(Value::Null),
        (Type::Bool, value @ Value::Bool(_))
        | (Type::Int, value @ Value::Int(_))
        | (Type::Float, value @ Value::Float(_))
        | (Type::Str, value @ Value::Str(_))
        | (Type::Duration, value @ Value::Duration(_)) => Some(value),
        (Type::Float, Value::Int(int)) => Some(Value::Float(int as f64)),
        (Type::Int, Value::Float(float)) => integral(float).map(Value::Int),
        (Type::Time, value) => readable_time(&value).map(Value::Time),
        (Type::Duration, Value::Str(text)) => parse_duration(&text).map(Value::Duration),
        (Type::Array(element), Value::Array(items)) => convert_array(element, items),
        (Type::Map(_, element), Value::Map(map)) => convert_map(map, |_| Some(element)),
        (Type::Record(_, fields), Value::Map(map)) => {
            convert_map(map, |name| fields.iter().find(|(field, _)| **field == *name).map(|(_, ty)| ty))
        }
        _ => None,
    }
}

/// An integral float as an int.
pub fn integral(float: f64) -> Option<i64> {
    if float.trunc() == float { truncated(float) } else { None }
}

fn convert_array(element: &Type, mut items: Arc<Vec<Value>>) -> Option<Value> {
    if !items.iter().all(|item| is_of(element, item)) {
        for item in Arc::make_mut(&mut items) {
            *item = convert(element, std::mem::take(item))?;
        }
    }
    Some(Value::Array(items))
}

fn convert_map<'t>(mut map: Arc<Map>, ty: impl Fn(&str) -> Option<&'t Type>) -> Option<Value> {
    if !map.iter().all(|(key, value)| ty(key).is_none_or(|ty| is_of(ty, value))) {
        for (key, value) in Arc::make_mut(&mut map) {
            if let Some(ty) = ty(key) {
                *value = convert(ty, std::mem::take(value))?;
            }
        }
    }
    Some(Value::Map(map))
}

/// Would conversion leave the value as it is? Then shared collections need no copy. Only scalars are looked into.
fn is_of(ty: &Type, value: &Value) -> bool {
    matches!(
        (ty, value),
        (Type::Any, _)
            | (_, Value::Null)
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Str, Value::Str(_))
            | (Type::Time, Value::Time(_))
            | (Type::Duration, Value::Duration(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(items: &[Value]) -> Value {
        Value::Array(Arc::new(items.to_vec()))
    }

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(Arc::new(entries.iter().map(|(key, value)| (Arc::from(*key), value.clone())).collect()))
    }

    #[test]
    fn scalars_convert_or_do_not_fit() {
        use Value::{Bool, Duration, Float, Int, Null, Time};
        let text = |text: &str| Value::Str(text.into());
        for (ty, value, expected) in [
            (Type::Any, Int(1), Some(Int(1))),
            (Type::Int, Null, Some(Null)),
            (Type::Float, Int(2), Some(Float(2.0))),
            (Type::Float, text("2"), None),
            (Type::Int, Float(3.0), Some(Int(3))),
            (Type::Int, Float(-0.0), Some(Int(0))),
            (Type::Int, Float(2.5), None),
            (Type::Int, Float(9_223_372_036_854_775_808.0), None),
            (Type::Int, Float(-9_223_372_036_854_775_808.0), Some(Int(i64::MIN))),
            (Type::Int, text("3"), None),
            (Type::Int, Bool(true), None),
            (Type::Bool, Bool(true), Some(Bool(true))),
            (Type::Bool, Int(1), None),
            (Type::Str, text("x"), Some(text("x"))),
            (Type::Str, Int(1), None),
            (Type::Time, Time(5), Some(Time(5))),
            (Type::Time, Int(1_500), Some(Time(1_500_000_000))),
            (Type::Time, text("1970-01-01T00:00:01Z"), Some(Time(1_000_000_000))),
            (Type::Time, text("yesterday"), None),
            (Type::Time, Float(1.0), None),
            (Type::Duration, text("5s"), Some(Duration(5_000_000_000))),
            (Type::Duration, text("5"), None),
            (Type::Duration, Int(5), None),
            (Type::Duration, Time(5), None),
            (Type::Null, Int(5), None),
        ] {
            assert_eq!(convert(&ty, value.clone()), expected, "{ty:?} {value:?}");
        }
    }

    #[test]
    fn elements_and_fields_convert_alike() {
        let floats = Type::Array(Type::Float.into());
        let mixed = array(&[Value::Int(1), Value::Null, Value::Float(0.5)]);
        assert_eq!(convert(&floats, mixed), Some(array(&[Value::Float(1.0), Value::Null, Value::Float(0.5)])));
        assert_eq!(convert(&floats, array(&[Value::Int(1), Value::Bool(true)])), None);
        assert_eq!(convert(&floats, Value::Float(1.0)), None);
        let nested = Type::Map(Type::Str.into(), floats.clone().into());
        let value = map(&[("a", array(&[Value::Int(1)])), ("b", array(&[]))]);
        assert_eq!(convert(&nested, value), Some(map(&[("a", array(&[Value::Float(1.0)])), ("b", array(&[]))])));
        assert_eq!(convert(&nested, map(&[("a", Value::Int(1))])), None);
    }

    #[test]
    fn a_struct_checks_its_fields_and_lets_others_pass() {
        let fields = vec![("x".into(), Type::Float), ("n".into(), Type::Int)];
        let point = Type::Record("Point".into(), Arc::new(fields));
        let value = map(&[("more", Value::Bool(true)), ("x", Value::Int(1))]);
        assert_eq!(convert(&point, value), Some(map(&[("more", Value::Bool(true)), ("x", Value::Float(1.0))])));
        assert_eq!(convert(&point, map(&[("n", Value::Float(0.5))])), None);
        assert_eq!(convert(&point, map(&[])), Some(map(&[])));
    }

    #[test]
    fn what_fits_is_not_copied() {
        let items = Arc::new(vec![Value::Int(1), Value::Null]);
        let Some(Value::Array(same)) = convert(&Type::Array(Type::Int.into()), Value::Array(items.clone())) else {
            panic!()
        };
        assert!(Arc::ptr_eq(&items, &same));
    }
}
