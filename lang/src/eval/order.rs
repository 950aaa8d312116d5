//! Equality, order and keys of values (docs/language.md).
//!
//! Total order: null < bool < number < str < timestamp < duration < array < map. Numbers compare by exact value, so that
//! 1 and 1.0 are one key and `i64::MAX` is not the float beside it.

use crate::value::{Map, Value};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// 2^63 as a float: the first float that no i64 reaches.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// Compares an int with a finite float by exact value.
pub fn compare_int_float(int: i64, float: f64) -> Ordering {
    if float >= TWO_POW_63 {
        return Ordering::Less;
    }
    if float < -TWO_POW_63 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    int.cmp(&(whole as i64)).then_with(|| 0.0.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal))
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Str(_) => 3,
        Value::Time(_) => 4,
        Value::Duration(_) => 5,
        Value::Array(_) => 6,
        Value::Map(_) => 7,
    }
}

/// The total order.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Int(a), Value::Float(b)) => compare_int_float(*a, *b),
        (Value::Float(a), Value::Int(b)) => compare_int_float(*b, *a).reverse(),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Str(a), Value::Str(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let differing = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => compare_maps(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Maps compare as their entries sorted by key: the order of entries makes no difference.
fn compare_maps(a: &Map, b: &Map) -> Ordering {
    let (a, b) = (sorted(a), sorted(b));
    let entry = |((ka, va), (kb, vb)): (&(&str, &Value), &(&str, &Value))| ka.cmp(kb).then_with(|| compare(va, vb));
    let differing = a.iter().zip(&b).map(entry).find(|order| order.is_ne());
    differing.unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (&**key, value)).collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

/// Are they the same key?
pub fn same_key(a: &Value, b: &Value) -> bool {
    compare(a, b).is_eq()
}

/// Hashes a key: equal keys hash alike.
pub fn hash_key(value: &Value, state: &mut impl Hasher) {
    state.write_u8(rank(value));
    match value {
        Value::Null => {}
        Value::Bool(bool) => state.write_u8((*bool).into()),
        Value::Int(int) | Value::Time(int) | Value::Duration(int) => state.write_i64(*int),
        Value::Float(float) if float.trunc() == *float && (-TWO_POW_63..TWO_POW_63).contains(float) => {
            state.write_i64(*float as i64);
        }
        Value::Float(float) => state.write_u64(float.to_bits()),
        Value::Str(text) => state.write(text.as_bytes()),
        Value::Array(items) => {
            state.write_usize(items.len());
            items.iter().for_each(|item| hash_key(item, state));
        }
        Value::Map(map) => {
            state.write_usize(map.len());
            for (key, value) in sorted(map) {
                key.hash(state);
                hash_key(value, state);
            }
        }
    }
}

/// A value as a key of a table.
#[derive(Clone, Debug)]
pub struct KeyValue(pub Value);

impl PartialEq for KeyValue {
    fn eq(&self, other: &Self) -> bool {
        same_key(&self.0, &other.0)
    }
}

impl Eq for KeyValue {}

impl Hash for KeyValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(&self.0, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::DefaultHasher;
    use std::sync::Arc;

    fn hash(value: &Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        hash_key(value, &mut hasher);
        hasher.finish()
    }

    #[test]
    fn numbers_compare_by_exact_value() {
        let big = i64::MAX;
        assert_eq!(compare_int_float(big, big as f64), Ordering::Less);
        assert_eq!(compare_int_float(i64::MIN, i64::MIN as f64), Ordering::Equal);
        assert_eq!(compare_int_float(2, 2.5), Ordering::Less);
        assert_eq!(compare_int_float(-2, -2.5), Ordering::Greater);
        assert_eq!(compare_int_float(9_007_199_254_740_993, 9_007_199_254_740_992.0), Ordering::Greater);
    }

    #[test]
    fn one_and_one_point_zero_are_one_key_and_text_is_another() {
        assert!(same_key(&Value::Int(1), &Value::Float(1.0)));
        assert_eq!(hash(&Value::Int(1)), hash(&Value::Float(1.0)));
        assert_eq!(hash(&Value::Int(0)), hash(&Value::Float(-0.0)));
        assert!(!same_key(&Value::Int(1), &Value::Str("1".into())));
        assert!(same_key(&Value::Null, &Value::Null));
    }

    #[test]
    fn maps_are_equal_in_any_order_of_entries() {
        let map = |pairs: &[(&str, i64)]| {
            Value::Map(Arc::new(pairs.iter().map(|(k, v)| (Arc::from(*k), Value::Int(*v))).collect()))
        };
        let (a, b) = (map(&[("v", 1), ("k", 2)]), map(&[("k", 2), ("v", 1)]));
        assert!(same_key(&a, &b));
        assert_eq!(hash(&a), hash(&b));
        assert!(!same_key(&a, &map(&[("k", 2)])));
    }

    #[test]
    fn kinds_are_ordered() {
        let kinds = [
            Value::Null,
            Value::Bool(true),
            Value::Float(-1.5),
            Value::Str("".into()),
            Value::Time(0),
            Value::Duration(0),
            Value::Array(Arc::default()),
            Value::Map(Arc::default()),
        ];
        assert!(kinds.is_sorted_by(|a, b| compare(a, b).is_lt()));
    }
}
