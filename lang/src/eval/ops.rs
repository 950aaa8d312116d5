//! Operators on values (docs/language.md): three-valued logic, exact comparison, arithmetic that gives null instead of a
//! wrapped, infinite or impossible result.

use super::nesting::TEXT_BYTES;
use super::order::compare;
use crate::ast::{BinOp, UnOp};
use crate::value::Value;
use std::cmp::Ordering;

/// A float as a value: NaN and infinity are null.
pub fn finite(float: f64) -> Value {
    if float.is_finite() { Value::Float(float) } else { Value::Null }
}

fn int(value: Option<i64>) -> Value {
    value.map_or(Value::Null, Value::Int)
}

/// `- ~ not`
pub fn unary(op: UnOp, value: &Value) -> Value {
    match (op, value) {
        (UnOp::Neg, Value::Int(i)) => int(i.checked_neg()),
        (UnOp::Neg, Value::Float(f)) => Value::Float(-f),
        (UnOp::Neg, Value::Duration(d)) => d.checked_neg().map_or(Value::Null, Value::Duration),
        (UnOp::BitNot, Value::Int(i)) => Value::Int(!i),
        (UnOp::Not, Value::Bool(b)) => Value::Bool(!b),
        _ => Value::Null,
    }
}

/// Three-valued `and`: false wins over null.
pub fn and(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
        _ => Value::Null,
    }
}

/// Three-valued `or`: true wins over null.
pub fn or(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
        (Value::Bool(false), Value::Bool(false)) => Value::Bool(false),
        _ => Value::Null,
    }
}

/// Order of two values that `<` can compare: numbers, texts, timestamps, durations, each with its own kind.
pub fn comparable(a: &Value, b: &Value) -> Option<Ordering> {
    let number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    let same = match (a, b) {
        (Value::Str(_), Value::Str(_))
        | (Value::Time(_), Value::Time(_))
        | (Value::Duration(_), Value::Duration(_)) => true,
        (a, b) => number(a) && number(b),
    };
    same.then(|| compare(a, b))
}

/// Every binary operator but `and or ?? in` and ranges.
pub fn binary(op: BinOp, a: &Value, b: &Value) -> Value {
    if *a == Value::Null || *b == Value::Null {
        return Value::Null;
    }
    let ordered = |holds: fn(Ordering) -> bool| comparable(a, b).map_or(Value::Null, |order| Value::Bool(holds(order)));
    match op {
        BinOp::Eq => Value::Bool(compare(a, b).is_eq()),
        BinOp::Ne => Value::Bool(compare(a, b).is_ne()),
        BinOp::Lt => ordered(Ordering::is_lt),
        BinOp::Le => ordered(Ordering::is_le),
        BinOp::Gt => ordered(Ordering::is_gt),
        BinOp::Ge => ordered(Ordering::is_ge),
        BinOp::BitOr | BinOp::BitXor | BinOp::BitAnd | BinOp::Shl | BinOp::Shr => bits(op, a, b),
        BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow => arithmetic(op, a, b),
    }
}

fn bits(op: BinOp, a: &Value, b: &Value) -> Value {
    let (Value::Int(a), Value::Int(b)) = (a, b) else { return Value::Null };
    let shift = u32::try_from(*b).ok().filter(|shift| *shift < 64);
    match op {
        BinOp::BitOr => Value::Int(a | b),
        BinOp::BitXor => Value::Int(a ^ b),
        BinOp::BitAnd => Value::Int(a & b),
        BinOp::Shl => int(shift.map(|shift| a << shift)),
        _ => int(shift.map(|shift| a >> shift)),
    }
}

fn arithmetic(op: BinOp, a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => of_ints(op, *a, *b),
        (Value::Int(a), Value::Float(b)) => of_floats(op, *a as f64, *b),
        (Value::Float(a), Value::Int(b)) => of_floats(op, *a, *b as f64),
        (Value::Float(a), Value::Float(b)) => of_floats(op, *a, *b),
        (Value::Str(a), Value::Str(b)) if op == BinOp::Add => joined(a, b),
        _ => of_times(op, a, b),
    }
}

fn joined(a: &str, b: &str) -> Value {
    if a.len().saturating_add(b.len()) > TEXT_BYTES { Value::Null } else { Value::Str([a, b].concat().into()) }
}

fn of_ints(op: BinOp, a: i64, b: i64) -> Value {
    int(match op {
        BinOp::Add => a.checked_add(b),
        BinOp::Sub => a.checked_sub(b),
        BinOp::Mul => a.checked_mul(b),
        BinOp::Div => a.checked_div(b),
        BinOp::Rem if b == -1 => Some(0),
        BinOp::Rem => a.checked_rem(b),
        _ => power(a, b),
    })
}

/// Integer power by squaring; any exponent, as 0, 1 and -1 have all of them.
fn power(base: i64, exponent: i64) -> Option<i64> {
    match (base, u32::try_from(exponent)) {
        (_, Ok(exponent)) => base.checked_pow(exponent),
        _ if exponent < 0 => None,
        (0 | 1, _) => Some(base),
        (-1, _) => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => None,
    }
}

fn of_floats(op: BinOp, a: f64, b: f64) -> Value {
    finite(match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Div => a / b,
        BinOp::Rem => a % b,
        _ => a.powf(b),
    })
}

fn of_times(op: BinOp, a: &Value, b: &Value) -> Value {
    let time = |ns: Option<i64>| ns.map_or(Value::Null, Value::Time);
    let duration = |ns: Option<i64>| ns.map_or(Value::Null, Value::Duration);
    match (op, a, b) {
        (BinOp::Add, Value::Time(t), Value::Duration(d)) | (BinOp::Add, Value::Duration(d), Value::Time(t)) => {
            time(t.checked_add(*d))
        }
        (BinOp::Sub, Value::Time(t), Value::Duration(d)) => time(t.checked_sub(*d)),
        (BinOp::Sub, Value::Time(a), Value::Time(b)) => duration(a.checked_sub(*b)),
        (BinOp::Add, Value::Duration(a), Value::Duration(b)) => duration(a.checked_add(*b)),
        (BinOp::Sub, Value::Duration(a), Value::Duration(b)) => duration(a.checked_sub(*b)),
        (BinOp::Rem, Value::Duration(a), Value::Duration(b)) => {
            duration(if *b == -1 { Some(0) } else { a.checked_rem(*b) })
        }
        (BinOp::Div, Value::Duration(a), Value::Duration(b)) => finite(*a as f64 / *b as f64),
        (BinOp::Mul, Value::Duration(d), Value::Int(n)) | (BinOp::Mul, Value::Int(n), Value::Duration(d)) => {
            duration(d.checked_mul(*n))
        }
        (BinOp::Div, Value::Duration(d), Value::Int(n)) => duration(d.checked_div(*n)),
        (BinOp::Mul, Value::Duration(d), Value::Float(f)) | (BinOp::Mul, Value::Float(f), Value::Duration(d)) => {
            duration(truncated(*d as f64 * f))
        }
        (BinOp::Div, Value::Duration(d), Value::Float(f)) => duration(truncated(*d as f64 / f)),
        _ => Value::Null,
    }
}

/// A float without its fraction, if i64 holds it.
pub fn truncated(float: f64) -> Option<i64> {
    let range = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    range.contains(&float).then_some(float as i64)
}

/// `a in b`: element, key, substring. Without a hit an array that holds null gives null.
pub fn contains(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (_, Value::Array(items)) => {
            if items.iter().any(|item| compare(item, a).is_eq()) {
                Value::Bool(true)
            } else if items.contains(&Value::Null) {
                Value::Null
            } else {
                Value::Bool(false)
            }
        }
        (Value::Str(key), Value::Map(map)) => Value::Bool(map.contains_key(key)),
        (Value::Str(part), Value::Str(text)) => Value::Bool(text.contains(&**part)),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn ints(op: BinOp, a: i64, b: i64) -> Value {
        binary(op, &Value::Int(a), &Value::Int(b))
    }

    #[test]
    fn integers_truncate_and_never_wrap() {
        assert_eq!(ints(BinOp::Div, -7, 2), Value::Int(-3));
        assert_eq!(ints(BinOp::Rem, 7, -3), Value::Int(1));
        assert_eq!(ints(BinOp::Rem, i64::MIN, -1), Value::Int(0));
        assert_eq!(ints(BinOp::Div, i64::MIN, -1), Value::Null);
        assert_eq!(ints(BinOp::Add, i64::MAX, 1), Value::Null);
        assert_eq!(ints(BinOp::Div, 1, 0), Value::Null);
        assert_eq!(ints(BinOp::Pow, 2, 63), Value::Null);
        assert_eq!(ints(BinOp::Pow, 2, -1), Value::Null);
        assert_eq!(ints(BinOp::Pow, -1, i64::MAX), Value::Int(-1));
        assert_eq!(ints(BinOp::Shl, 1, 64), Value::Null);
    }

    #[test]
    fn floats_never_leave_the_finite() {
        assert_eq!(binary(BinOp::Div, &Value::Float(1.0), &Value::Int(0)), Value::Null);
        assert_eq!(binary(BinOp::Mul, &Value::Float(1e300), &Value::Float(1e300)), Value::Null);
        assert_eq!(binary(BinOp::Pow, &Value::Float(-1.0), &Value::Float(0.5)), Value::Null);
    }

    #[test]
    fn logic_has_three_values() {
        let (yes, no) = (Value::Bool(true), Value::Bool(false));
        assert_eq!(and(&no, &Value::Null), no);
        assert_eq!(and(&yes, &Value::Null), Value::Null);
        assert_eq!(or(&Value::Null, &yes), yes);
        assert_eq!(or(&Value::Null, &no), Value::Null);
        assert_eq!(unary(UnOp::Not, &Value::Null), Value::Null);
    }

    #[test]
    fn different_kinds_are_unequal_and_have_no_order() {
        let text = Value::Str("7".into());
        assert_eq!(binary(BinOp::Eq, &Value::Int(7), &text), Value::Bool(false));
        assert_eq!(binary(BinOp::Lt, &Value::Int(7), &text), Value::Null);
        assert_eq!(binary(BinOp::Eq, &Value::Int(5), &Value::Float(5.0)), Value::Bool(true));
        assert_eq!(binary(BinOp::Lt, &Value::Bool(false), &Value::Bool(true)), Value::Null);
    }

    #[test]
    fn times_and_durations_combine() {
        let (t, d) = (Value::Time(10), Value::Duration(4));
        assert_eq!(binary(BinOp::Sub, &t, &d), Value::Time(6));
        assert_eq!(binary(BinOp::Sub, &t, &Value::Time(3)), Value::Duration(7));
        assert_eq!(binary(BinOp::Div, &d, &Value::Duration(8)), Value::Float(0.5));
        assert_eq!(binary(BinOp::Mul, &Value::Float(0.6), &d), Value::Duration(2));
        assert_eq!(binary(BinOp::Add, &t, &t), Value::Null);
    }

    #[test]
    fn a_miss_beside_null_is_unknown() {
        let array = Value::Array(Arc::new(vec![Value::Int(1), Value::Null]));
        assert_eq!(contains(&Value::Float(1.0), &array), Value::Bool(true));
        assert_eq!(contains(&Value::Int(2), &array), Value::Null);
        assert_eq!(contains(&Value::Str("b".into()), &Value::Str("abc".into())), Value::Bool(true));
    }
}
