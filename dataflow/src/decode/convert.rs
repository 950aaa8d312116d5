//! Conversion of incoming values to declared types (vpl.md section 4): int to float, integral float to int, RFC 3339
//! text or epoch milliseconds to timestamp, `5s` to duration, elements alike. Null fits every type; what else does not
//! fit is a misfit.

use super::time;
use rarog_lang::eval::ops::truncated;
use rarog_lang::value::{Map, Type, Value};
use std::sync::Arc;

/// The value as the type has it; `None`: a misfit.
pub(crate) fn convert(ty: &Type, value: Value) -> Option<Value> {
    match (ty, value) {
        (Type::Any, value) => Some(value),
        (_, Value::Null) => Some(Value::Null),
        (Type::Bool, value @ Value::Bool(_))
        | (Type::Int, value @ Value::Int(_))
        | (Type::Float, value @ Value::Float(_))
        | (Type::Str, value @ Value::Str(_))
        | (Type::Time, value @ Value::Time(_))
        | (Type::Duration, value @ Value::Duration(_)) => Some(value),
        (Type::Float, Value::Int(int)) => Some(Value::Float(int as f64)),
        (Type::Int, Value::Float(float)) => integral(float).map(Value::Int),
        (Type::Time, Value::Int(millis)) => time::of_millis(millis).map(Value::Time),
        (Type::Time, Value::Str(text)) => time::of_text(text.as_bytes()).map(Value::Time),
        (Type::Duration, Value::Str(text)) => time::duration(text.as_bytes()).map(Value::Duration),
        (Type::Array(element), Value::Array(items)) => {
            let items = items.iter().map(|item| convert(element, item.clone())).collect::<Option<Vec<_>>>()?;
            Some(Value::Array(Arc::new(items)))
        }
        (Type::Map(_, element), Value::Map(map)) => {
            let entries = map.iter().map(|(key, item)| Some((key.clone(), convert(element, item.clone())?)));
            Some(Value::Map(Arc::new(entries.collect::<Option<Map>>()?)))
        }
        (Type::Record(_, fields), Value::Map(map)) => fields_of(fields, map),
        _ => None,
    }
}

/// Declared fields of a nested record are converted, others stay.
fn fields_of(fields: &[(Arc<str>, Type)], mut map: Arc<Map>) -> Option<Value> {
    for (name, ty) in fields {
        if let Some(value) = map.get(name) {
            let converted = convert(ty, value.clone())?;
            if converted != *value {
                Arc::make_mut(&mut map).insert(name.clone(), converted);
            }
        }
    }
    Some(Value::Map(map))
}

/// A float without a fraction as an int, if i64 holds it.
#[inline]
pub(crate) fn integral(float: f64) -> Option<i64> {
    truncated(float).filter(|_| float.fract() == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(items: &[Value]) -> Value {
        Value::Array(Arc::new(items.to_vec()))
    }

    #[test]
    fn declared_types_convert_or_refuse() {
        let text = |text: &str| Value::Str(text.into());
        let ints = Type::Array(Box::new(Type::Float));
        let table = [
            (Type::Float, Value::Int(2), Some(Value::Float(2.0))),
            (Type::Int, Value::Float(3.0), Some(Value::Int(3))),
            (Type::Int, Value::Float(2.5), None),
            (Type::Int, Value::Float(9_223_372_036_854_775_808.0), None),
            (Type::Float, text("2"), None),
            (Type::Bool, Value::Int(1), None),
            (Type::Str, Value::Null, Some(Value::Null)),
            (Type::Time, Value::Int(5), Some(Value::Time(5_000_000))),
            (Type::Time, Value::Int(-5), None),
            (Type::Time, Value::Float(5.0), None),
            (Type::Time, text("1970-01-01T00:00:01Z"), Some(Value::Time(1_000_000_000))),
            (Type::Time, text("soon"), None),
            (Type::Duration, text("5s"), Some(Value::Duration(5_000_000_000))),
            (Type::Duration, Value::Int(5), None),
            (ints.clone(), array(&[Value::Int(1), Value::Null]), Some(array(&[Value::Float(1.0), Value::Null]))),
            (ints, array(&[text("x")]), None),
            (Type::Any, text("x"), Some(text("x"))),
        ];
        for (ty, value, expected) in table {
            assert_eq!(convert(&ty, value.clone()), expected, "{value:?} as {ty:?}");
        }
    }

    #[test]
    fn nested_records_convert_their_fields_and_keep_the_rest() {
        let ty = Type::Record("P".into(), Arc::new(vec![("x".into(), Type::Float), ("y".into(), Type::Int)]));
        let of = |x: Value| Value::Map(Arc::new(Map::from_iter([("a".into(), Value::Int(1)), ("x".into(), x)])));
        assert_eq!(convert(&ty, of(Value::Int(2))), Some(of(Value::Float(2.0))));
        assert_eq!(convert(&ty, of(Value::Bool(true))), None);
        assert_eq!(convert(&ty, Value::Int(1)), None);
    }
}
