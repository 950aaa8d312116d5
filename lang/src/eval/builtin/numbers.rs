//! Functions of numbers: `abs` to `clamp`.

use crate::ast::BinOp;
use crate::eval::ops::{binary, comparable, finite, truncated};
use crate::plan::Builtin;
use crate::value::Value;
use std::cmp::Ordering;

/// Calls one; `None` is null.
pub(super) fn call(function: Builtin, args: &[Value]) -> Option<Value> {
    match (function, args) {
        (Builtin::Abs, [Value::Int(int)]) => int.checked_abs().map(Value::Int),
        (Builtin::Abs, [Value::Float(float)]) => Some(Value::Float(float.abs())),
        (Builtin::Abs, [Value::Duration(ns)]) => ns.checked_abs().map(Value::Duration),
        (Builtin::Floor | Builtin::Ceil | Builtin::Round, [Value::Int(int)]) => Some(Value::Int(*int)),
        (Builtin::Floor, [Value::Float(float)]) => truncated(float.floor()).map(Value::Int),
        (Builtin::Ceil, [Value::Float(float)]) => truncated(float.ceil()).map(Value::Int),
        (Builtin::Round, [Value::Float(float)]) => truncated(float.round()).map(Value::Int),
        (Builtin::Round, [number, Value::Int(places)]) => round_to(float(number)?, *places),
        (Builtin::Pow, [base, exponent]) => Some(binary(BinOp::Pow, base, exponent)),
        (Builtin::Min, args) => extreme(args, Ordering::Less),
        (Builtin::Max, args) => extreme(args, Ordering::Greater),
        (Builtin::Clamp, [value, low, high]) => clamp(value, low, high),
        (_, [number]) => of_real(function, float(number)?),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn of_real(function: Builtin, x: f64) -> Option<Value> {
    let result = match function {
        Builtin::Sqrt => x.sqrt(),
        Builtin::Ln => x.ln(),
        Builtin::Log10 => x.log10(),
        Builtin::Exp => x.exp(),
        Builtin::Sin => x.sin(),
        Builtin::Cos => x.cos(),
        Builtin::Tan => x.tan(),
        _ => return None,
    };
    Some(finite(result))
}

/// round(x·10^k)/10^k for k in 0..=15.
fn round_to(x: f64, places: i64) -> Option<Value> {
    let power = 10f64.powi(i32::try_from(places).ok().filter(|places| (0..=15).contains(places))?);
    Some(finite((x * power).round() / power))
}

/// The first least (greatest) argument; of equal numbers an int.
fn extreme(args: &[Value], wanted: Ordering) -> Option<Value> {
    let (first, rest) = args.split_first()?;
    // Alone it must still be something that has an order.
    comparable(first, first)?;
    let mut best = first;
    for value in rest {
        let order = comparable(value, best)?;
        if order == wanted || (order.is_eq() && matches!((value, best), (Value::Int(_), Value::Float(_)))) {
            best = value;
        }
    }
    Some(best.clone())
}

fn clamp(value: &Value, low: &Value, high: &Value) -> Option<Value> {
    let (below, above) = (comparable(value, low)?, comparable(value, high)?);
    Some(
        if below.is_lt() {
            low
        } else if above.is_gt() {
            high
        } else {
            value
        }
        .clone(),
    )
}
