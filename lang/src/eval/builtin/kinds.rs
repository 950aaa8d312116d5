//! Conversions and questions about kinds: `to_int` to `if_null`.

use crate::eval::ops::{finite, truncated};
use crate::eval::time::readable_time;
use crate::plan::Builtin;
use crate::value::Value;
use std::mem::take;

const NS_PER_MS: i64 = 1_000_000;

/// Calls one; `None` is null.
pub(super) fn call(function: Builtin, args: &mut [Value]) -> Option<Value> {
    match (function, args) {
        (Builtin::ToInt, [value]) => to_int(value).map(Value::Int),
        (Builtin::ToFloat, [value]) => to_float(value),
        (Builtin::ToTimestamp, [value @ (Value::Str(_) | Value::Int(_))]) => readable_time(value).map(Value::Time),
        (Builtin::Seconds, [Value::Duration(ns)]) => Some(Value::Float(*ns as f64 / 1e9)),
        (Builtin::Millis, [Value::Duration(ns) | Value::Time(ns)]) => Some(Value::Int(*ns / NS_PER_MS)),
        (Builtin::Coalesce | Builtin::IfNull, args) => args.iter_mut().find(|arg| **arg != Value::Null).map(take),
        (Builtin::TypeOf, [value]) => Some(Value::Str(type_of(value).into())),
        (_, [value]) => is_of(function, value).map(Value::Bool),
        _ => None,
    }
}

/// Without its fraction; a timestamp in ms; text of digits with or without sign.
fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(int) => Some(*int),
        Value::Float(float) => truncated(*float),
        Value::Bool(bool) => Some(i64::from(*bool)),
        Value::Time(ns) => Some(*ns / NS_PER_MS),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

fn to_float(value: &Value) -> Option<Value> {
    match value {
        Value::Int(int) => Some(Value::Float(*int as f64)),
        Value::Float(float) => Some(Value::Float(*float)),
        Value::Bool(bool) => Some(Value::Float(f64::from(*bool))),
        Value::Str(text) if is_number(text) => text.parse().ok().map(finite),
        _ => None,
    }
}

/// `[+-]? \d+ (.\d+)? ([eE][+-]?\d+)?`: less than the library reads.
fn is_number(text: &str) -> bool {
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_string();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = unsigned(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(&unsigned(exponent))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "string",
        Value::Time(_) => "timestamp",
        Value::Duration(_) => "duration",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
    }
}

fn is_of(function: Builtin, value: &Value) -> Option<bool> {
    Some(match function {
        Builtin::IsNull => *value == Value::Null,
        Builtin::IsInt => matches!(value, Value::Int(_)),
        Builtin::IsFloat => matches!(value, Value::Float(_)),
        Builtin::IsString => matches!(value, Value::Str(_)),
        Builtin::IsBool => matches!(value, Value::Bool(_)),
        Builtin::IsArray => matches!(value, Value::Array(_)),
        Builtin::IsMap => matches!(value, Value::Map(_)),
        _ => return None,
    })
}
