//! Laws that hold for all values, tried on random ones against definitions in wider arithmetic.

use super::ops::{binary, comparable, contains, unary};
use super::order::{KeyValue, compare, compare_int_float, hash_key, same_key};
use super::text::to_text;
use super::{access, time};
use crate::ast::{BinOp, UnOp};
use crate::value::Value;
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

/// Ints around everything where something happens: zero, the ends, powers of two, floats' gaps.
fn ints() -> impl Strategy<Value = i64> {
    prop_oneof![
        -4_i64..5,
        any::<i64>(),
        (0_u32..64, -2_i64..3).prop_map(|(power, near)| (1_i64 << power).wrapping_add(near)),
        (0_u32..64, -2_i64..3).prop_map(|(power, near)| (-1_i64 << power).wrapping_add(near)),
    ]
}

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-8_i32..9).prop_map(|half| f64::from(half) / 2.0),
        ints().prop_map(|int| int as f64),
        ints().prop_map(|int| (int as f64).next_up()),
        ints().prop_map(|int| (int as f64).next_down()),
        any::<u64>().prop_map(f64::from_bits).prop_filter("values are finite", |float| float.is_finite()),
    ]
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        ints().prop_map(Value::Int),
        floats().prop_map(Value::Float),
        "[abé\u{10000}]{0,3}".prop_map(|text| Value::Str(text.into())),
        ints().prop_map(Value::Time),
        ints().prop_map(Value::Duration),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| Value::Array(Arc::new(items))),
            prop::collection::vec(("[ab]{0,2}", inner), 0..4).prop_map(|entries| {
                Value::Map(Arc::new(entries.into_iter().map(|(key, value)| (Arc::from(key), value)).collect()))
            }),
        ]
    })
}

/// A value that is the same in the language, with numbers and order of entries as they happen to be.
fn respelled(value: &Value) -> Value {
    match value {
        Value::Int(int) if (*int as f64) as i128 == i128::from(*int) => Value::Float(*int as f64),
        Value::Float(float) if float.trunc() == *float && float.abs() < 1e15 => Value::Int(*float as i64),
        Value::Array(items) => Value::Array(Arc::new(items.iter().map(respelled).collect())),
        Value::Map(map) => {
            Value::Map(Arc::new(map.iter().rev().map(|(key, value)| (key.clone(), respelled(value))).collect()))
        }
        other => other.clone(),
    }
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_key(value, &mut hasher);
    hasher.finish()
}

/// An int against a float as fractions: a float is m·2^e with whole m.
fn exact_order(int: i64, float: f64) -> Ordering {
    let bits = float.to_bits();
    let (exponent, fraction) = ((bits >> 52) as i32 & 0x7ff, (bits & ((1 << 52) - 1)) as i128);
    let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
    let mantissa = if float.is_sign_negative() { -mantissa } else { mantissa };
    let exponent = exponent.max(1) - 1075;
    match exponent {
        // Beyond every int, or zero.
        60.. => 0.cmp(&mantissa),
        0..=59 => i128::from(int).cmp(&(mantissa << exponent)),
        -63..=-1 => (i128::from(int) << -exponent).cmp(&mantissa),
        // Below 1/2 of an ulp of every int but zero.
        _ => i128::from(int).cmp(&mantissa.signum()).then(if int == 0 { 0.cmp(&mantissa) } else { int.cmp(&0) }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_order_is_total(a in values(), b in values(), c in values()) {
        prop_assert_eq!(compare(&a, &a), Ordering::Equal);
        prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
            prop_assert!(compare(&a, &c).is_le());
        }
    }

    #[test]
    fn numbers_are_in_a_total_order(a in floats(), b in ints(), c in floats()) {
        let (a, b, c) = (Value::Float(a), Value::Int(b), Value::Float(c));
        let mut sorted = [&a, &b, &c];
        sorted.sort_by(|a, b| compare(a, b));
        prop_assert!(compare(sorted[0], sorted[2]).is_le());
        prop_assert!(compare(sorted[0], sorted[1]).is_le() && compare(sorted[1], sorted[2]).is_le());
    }

    #[test]
    fn equal_keys_hash_alike(a in values(), b in values()) {
        let same = respelled(&a);
        prop_assert!(same_key(&a, &same), "{:?} {:?}", a, same);
        prop_assert_eq!(hash(&a), hash(&same));
        if same_key(&a, &b) {
            prop_assert_eq!(hash(&a), hash(&b));
        }
        let keys: HashSet<KeyValue> = [a.clone(), same, b.clone()].map(KeyValue).into_iter().collect();
        prop_assert_eq!(keys.len(), if same_key(&a, &b) { 1 } else { 2 });
    }

    #[test]
    fn ints_and_floats_compare_exactly(int in ints(), float in floats()) {
        let beside = int as f64;
        for float in [float, beside, beside.next_up(), beside.next_down()] {
            prop_assert_eq!(compare_int_float(int, float), exact_order(int, float), "{} {:e}", int, float);
        }
    }

    #[test]
    fn comparisons_are_the_order_of_what_can_be_compared(a in values(), b in values()) {
        let answer = |op| binary(op, &a, &b);
        match comparable(&a, &b) {
            Some(order) => {
                prop_assert_eq!(order, compare(&a, &b));
                prop_assert_eq!(answer(BinOp::Lt), Value::Bool(order.is_lt()));
                prop_assert_eq!(answer(BinOp::Le), Value::Bool(order.is_le()));
                prop_assert_eq!(answer(BinOp::Gt), Value::Bool(order.is_gt()));
                prop_assert_eq!(answer(BinOp::Ge), Value::Bool(order.is_ge()));
            }
            None => prop_assert!([BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge].iter().all(|op| answer(*op) == Value::Null)),
        }
        let known = a != Value::Null && b != Value::Null;
        let equal = if known { Value::Bool(same_key(&a, &b)) } else { Value::Null };
        prop_assert_eq!(answer(BinOp::Ne), unary(UnOp::Not, &equal));
        prop_assert_eq!(answer(BinOp::Eq), equal);
    }

    #[test]
    fn int_arithmetic_is_exact_or_null(a in ints(), b in ints()) {
        let wide = |op| {
            let (a, b) = (i128::from(a), i128::from(b));
            match op {
                BinOp::Add => Some(a + b),
                BinOp::Sub => Some(a - b),
                BinOp::Mul => Some(a * b),
                BinOp::Div => a.checked_div(b),
                _ => a.checked_rem(b),
            }
        };
        for op in [BinOp::Add, BinOp::Sub, BinOp::Mul, BinOp::Div, BinOp::Rem] {
            let exact = wide(op).and_then(|exact| i64::try_from(exact).ok());
            prop_assert_eq!(binary(op, &Value::Int(a), &Value::Int(b)), exact.map_or(Value::Null, Value::Int));
        }
        let negated = i64::try_from(-i128::from(a)).map_or(Value::Null, Value::Int);
        prop_assert_eq!(unary(UnOp::Neg, &Value::Int(a)), negated);
    }

    #[test]
    fn powers_are_repeated_products(base in -12_i64..13, exponent in 0_i64..70) {
        let product = (0..exponent).try_fold(1_i64, |product, _| product.checked_mul(base));
        let power = binary(BinOp::Pow, &Value::Int(base), &Value::Int(exponent));
        prop_assert_eq!(power, product.map_or(Value::Null, Value::Int));
    }

    #[test]
    fn times_and_durations_are_counted_in_wide_integers(a in ints(), b in ints()) {
        let (t, u, d, e) = (Value::Time(a), Value::Time(b), Value::Duration(a), Value::Duration(b));
        let fits = |wide: i128, kind: fn(i64) -> Value| i64::try_from(wide).map_or(Value::Null, kind);
        let (x, y) = (i128::from(a), i128::from(b));
        prop_assert_eq!(binary(BinOp::Add, &t, &e), fits(x + y, Value::Time));
        prop_assert_eq!(binary(BinOp::Add, &d, &u), fits(x + y, Value::Time));
        prop_assert_eq!(binary(BinOp::Sub, &t, &e), fits(x - y, Value::Time));
        prop_assert_eq!(binary(BinOp::Sub, &t, &u), fits(x - y, Value::Duration));
        prop_assert_eq!(binary(BinOp::Add, &d, &e), fits(x + y, Value::Duration));
        prop_assert_eq!(binary(BinOp::Sub, &d, &e), fits(x - y, Value::Duration));
        prop_assert_eq!(binary(BinOp::Mul, &d, &Value::Int(b)), fits(x * y, Value::Duration));
        let wide = |exact: Option<i128>| exact.map_or(Value::Null, |exact| fits(exact, Value::Duration));
        prop_assert_eq!(binary(BinOp::Div, &d, &Value::Int(b)), wide(x.checked_div(y)));
        prop_assert_eq!(binary(BinOp::Rem, &d, &e), wide(x.checked_rem(y)));
    }

    #[test]
    fn operators_are_total_and_give_finite_floats(a in values(), b in values()) {
        use BinOp::*;
        for op in [Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Rem, Pow, BitOr, BitXor, BitAnd, Shl, Shr] {
            let value = binary(op, &a, &b);
            prop_assert!(!matches!(value, Value::Float(float) if !float.is_finite()));
            if a == Value::Null || b == Value::Null {
                prop_assert_eq!(value, Value::Null);
            }
        }
        for op in [UnOp::Neg, UnOp::BitNot, UnOp::Not] {
            prop_assert!(!matches!(unary(op, &a), Value::Float(float) if !float.is_finite()));
        }
        let _ = (access::index(&a, &b), access::slice(&a, Some(&b), None), access::range(&a, &b, true));
    }

    #[test]
    fn membership_is_equality_with_an_element(a in values(), items in prop::collection::vec(values(), 0..4)) {
        let equal = |item: &Value| binary(BinOp::Eq, item, &a);
        let any = items.iter().map(equal).fold(Value::Bool(false), |any, equal| super::ops::or(&any, &equal));
        let expected = if a == Value::Null { Value::Null } else { any };
        prop_assert_eq!(contains(&a, &Value::Array(Arc::new(items))), expected);
    }

    #[test]
    fn floats_read_back_from_their_shortest_text(float in floats()) {
        let text = to_text(&Value::Float(float));
        prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(float.to_bits()));
        let has_point_or_exponent = text.contains(['.', 'e']);
        prop_assert!(has_point_or_exponent, "{}", text);
        let plain = float == 0.0 || (1e-5..1e16).contains(&float.abs());
        prop_assert_eq!(plain, !text.contains('e'));
        // No shorter digits read back the same.
        let digits = text.trim_start_matches('-').split('e').next().map(|m| m.replace('.', "")).unwrap_or_default();
        let digits = digits.trim_matches('0').len();
        prop_assert!(digits <= 17);
        if digits > 1 {
            let shorter = format!("{float:.*e}", digits - 2);
            prop_assert_ne!(shorter.parse::<f64>(), Ok(float), "{} {}", text, shorter);
        }
    }

    #[test]
    fn texts_of_times_and_durations_sort_and_read_back(a in 0_i64..4_102_444_800, b in 0_i64..4_102_444_800) {
        let (a, b) = (Value::Time(a * 1_000_000_000), Value::Time(b * 1_000_000_000));
        prop_assert_eq!(to_text(&a).cmp(&to_text(&b)), compare(&a, &b));
        prop_assert_eq!(time::readable_time(&Value::Str(to_text(&a).into())), time::readable_time(&a));
    }
}
