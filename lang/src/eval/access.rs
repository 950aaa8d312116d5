//! Elements, slices, members and ranges (docs/language.md).

use super::nesting::may_hold;
use super::order::{compare, compare_int_float};
use crate::value::{Map, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Longest array that a range becomes.
pub const RANGE_LEN: u64 = 100_000;

/// An array, or null if it would be too large.
pub fn array(items: Vec<Value>) -> Value {
    if may_hold(items.iter()) { Value::Array(Arc::new(items)) } else { Value::Null }
}

/// A map, or null if it would be too large.
pub fn map(entries: Map) -> Value {
    if may_hold(entries.values()) { Value::Map(Arc::new(entries)) } else { Value::Null }
}

/// Position of element `index` among `len`, negative ones from the end.
pub fn position(index: i64, len: usize) -> Option<usize> {
    let len = len as i64;
    let position = if index < 0 { index.checked_add(len)? } else { index };
    (0..len).contains(&position).then_some(position as usize)
}

/// `a[i]`, `m["k"]`
pub fn index(value: &Value, index: &Value) -> Value {
    let found = match (value, index) {
        (Value::Array(items), Value::Int(index)) => position(*index, items.len()).map(|at| items[at].clone()),
        (Value::Str(text), Value::Int(index)) => character(text, *index),
        (Value::Map(map), Value::Str(key)) => map.get(key).cloned(),
        _ => None,
    };
    found.unwrap_or_default()
}

fn character(text: &str, index: i64) -> Option<Value> {
    let found = match usize::try_from(index) {
        Ok(index) => text.chars().nth(index),
        Err(_) => text.chars().nth_back(usize::try_from(index.unsigned_abs() - 1).ok()?),
    };
    found.map(|character| Value::Str(character.encode_utf8(&mut [0; 4]).to_string().into()))
}

/// `m.k`
pub fn member(value: &Value, key: &str) -> Value {
    match value {
        Value::Map(map) => map.get(key).cloned().unwrap_or_default(),
        _ => Value::Null,
    }
}

/// `a[from:to]`; what is left out reaches to the end on its side.
pub fn slice(value: &Value, from: Option<&Value>, to: Option<&Value>) -> Value {
    let len = match value {
        Value::Array(items) => items.len(),
        Value::Str(text) => text.chars().count(),
        _ => return Value::Null,
    };
    let clamped = |bound: Option<&Value>, absent: usize| match bound {
        None => Some(absent),
        Some(Value::Int(at)) if *at < 0 => Some(at.saturating_add(len as i64).max(0) as usize),
        Some(Value::Int(at)) => Some((*at).min(len as i64) as usize),
        Some(_) => None,
    };
    let (Some(from), Some(to)) = (clamped(from, 0), clamped(to, len)) else { return Value::Null };
    match value {
        Value::Array(items) => Value::Array(Arc::new(items.get(from..to).unwrap_or_default().to_vec())),
        Value::Str(text) => Value::Str(characters(text, from, to).into()),
        _ => Value::Null,
    }
}

/// Characters `from..to` of a text that has at least that many.
pub fn characters(text: &str, from: usize, to: usize) -> &str {
    if from >= to {
        return "";
    }
    let mut starts = text.char_indices().map(|(start, _)| start).chain([text.len()]).skip(from);
    let start = starts.next().unwrap_or(text.len());
    let end = starts.nth(to - from - 1).unwrap_or(text.len());
    &text[start..end]
}

/// The ints of `from..to`, with `to` if `included`; `None` if the bounds are no ints.
pub fn range(from: &Value, to: &Value, included: bool) -> Option<RangeInclusive<i64>> {
    let (Value::Int(from), Value::Int(to)) = (from, to) else { return None };
    Some(match to.checked_sub(i64::from(!included)) {
        Some(last) => *from..=last,
        // Nothing is less than the least int.
        None => RangeInclusive::new(1, 0),
    })
}

fn range_len(range: &RangeInclusive<i64>) -> u64 {
    if range.is_empty() { 0 } else { range.end().abs_diff(*range.start()).saturating_add(1) }
}

/// A range as an array; null if it has more than [`RANGE_LEN`] elements.
pub fn range_array(range: Option<RangeInclusive<i64>>) -> Value {
    match range {
        Some(range) if range_len(&range) <= RANGE_LEN => Value::Array(Arc::new(range.map(Value::Int).collect())),
        _ => Value::Null,
    }
}

/// `value in from..to` without making the array: what [`super::ops::contains`] says of it.
pub fn range_contains(value: &Value, range: Option<RangeInclusive<i64>>) -> Value {
    let Some(range) = range.filter(|range| range_len(range) <= RANGE_LEN) else { return Value::Null };
    match value {
        Value::Null => Value::Null,
        Value::Int(int) => Value::Bool(range.contains(int)),
        Value::Float(float) => {
            let inside =
                compare_int_float(*range.start(), *float).is_le() && compare_int_float(*range.end(), *float).is_ge();
            Value::Bool(inside && float.trunc() == *float)
        }
        _ => Value::Bool(false),
    }
}

/// `set(c, i or key, x)`: a copy with that element; null if an array has no such element. `value` is reused if nobody
/// else holds it.
pub fn set(value: Value, index: &Value, element: Value) -> Value {
    if !may_hold([&element].into_iter()) {
        return Value::Null;
    }
    match (value, index) {
        (Value::Array(mut items), Value::Int(index)) => match position(*index, items.len()) {
            Some(at) => {
                Arc::make_mut(&mut items)[at] = element;
                Value::Array(items)
            }
            None => Value::Null,
        },
        (Value::Map(mut map), Value::Str(key)) => {
            Arc::make_mut(&mut map).insert(key.clone(), element);
            Value::Map(map)
        }
        _ => Value::Null,
    }
}

/// First occurrences, by value.
pub fn unique(items: &[Value]) -> Vec<Value> {
    let mut sorted: Vec<usize> = (0..items.len()).collect();
    sorted.sort_by(|a, b| compare(&items[*a], &items[*b]));
    // The sort is stable, so the first of each run of equals is the first occurrence.
    sorted.dedup_by(|later, first| compare(&items[*later], &items[*first]).is_eq());
    sorted.sort_unstable();
    sorted.into_iter().map(|at| items[at].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::ops::contains;
    use proptest::prelude::*;

    fn text(text: &str) -> Value {
        Value::Str(text.into())
    }

    fn ints(items: impl IntoIterator<Item = i64>) -> Value {
        Value::Array(Arc::new(items.into_iter().map(Value::Int).collect()))
    }

    #[test]
    fn elements_count_from_both_ends() {
        let items = ints([10, 20, 30]);
        for (at, expected) in [(0, Value::Int(10)), (2, Value::Int(30)), (-1, Value::Int(30)), (-3, Value::Int(10))] {
            assert_eq!(index(&items, &Value::Int(at)), expected);
        }
        for at in [3, -4, i64::MIN, i64::MAX] {
            assert_eq!(index(&items, &Value::Int(at)), Value::Null);
            assert_eq!(index(&text("abc"), &Value::Int(at)), Value::Null);
        }
        assert_eq!(index(&text("bébé"), &Value::Int(-1)), text("é"));
        assert_eq!(index(&text("bébé"), &Value::Int(1)), text("é"));
        assert_eq!(index(&items, &Value::Float(1.0)), Value::Null);
        assert_eq!(index(&Value::Int(5), &Value::Int(0)), Value::Null);
    }

    #[test]
    fn slices_clamp() {
        let (items, word) = (ints([10, 20, 30]), text("bébé"));
        let of = |value: &Value, from: Option<i64>, to: Option<i64>| {
            slice(value, from.map(Value::Int).as_ref(), to.map(Value::Int).as_ref())
        };
        assert_eq!(of(&items, Some(1), Some(3)), ints([20, 30]));
        assert_eq!(of(&items, None, Some(-1)), ints([10, 20]));
        assert_eq!(of(&items, Some(-100), Some(100)), ints([10, 20, 30]));
        assert_eq!(of(&items, Some(2), Some(1)), ints([]));
        assert_eq!(of(&items, Some(i64::MAX), Some(i64::MIN)), ints([]));
        assert_eq!(of(&word, Some(1), Some(3)), text("éb"));
        assert_eq!(of(&word, Some(-2), None), text("bé"));
        assert_eq!(of(&word, Some(4), None), text(""));
        assert_eq!(slice(&items, Some(&Value::Null), None), Value::Null);
        assert_eq!(slice(&Value::Int(1), None, None), Value::Null);
    }

    #[test]
    fn ranges_end_before_or_with_their_bound() {
        let of = |from, to, included| range_array(range(&Value::Int(from), &Value::Int(to), included));
        assert_eq!(of(1, 4, false), ints([1, 2, 3]));
        assert_eq!(of(1, 3, true), ints([1, 2, 3]));
        assert_eq!(of(3, 1, true), ints([]));
        assert_eq!(of(i64::MIN, i64::MIN, false), ints([]));
        assert_eq!(of(i64::MAX, i64::MAX, true), ints([i64::MAX]));
        assert_eq!(of(0, 100_000, false), ints(0..100_000));
        assert_eq!(of(0, 100_000, true), Value::Null);
        assert_eq!(of(i64::MIN, i64::MAX, true), Value::Null);
        assert_eq!(range_array(range(&Value::Float(1.0), &Value::Int(2), false)), Value::Null);
    }

    proptest! {
        #[test]
        fn membership_needs_no_array(from in -5_i64..5, to in -5_i64..5, included: bool, half in -12_i64..12) {
            let bounds = || range(&Value::Int(from), &Value::Int(to), included);
            for value in [Value::Int(half), Value::Float(half as f64 / 2.0), Value::Null, text("1")] {
                prop_assert_eq!(range_contains(&value, bounds()), contains(&value, &range_array(bounds())));
            }
        }

        #[test]
        fn slices_are_what_their_elements_are(word in "[aé🙂]{0,6}", from in -8_i64..8, to in -8_i64..8) {
            let chars: Vec<char> = word.chars().collect();
            let at = |i: i64| (if i < 0 { i + chars.len() as i64 } else { i }).clamp(0, chars.len() as i64) as usize;
            let expected: String = (at(from)..at(to)).map(|i| chars[i]).collect();
            prop_assert_eq!(slice(&text(&word), Some(&Value::Int(from)), Some(&Value::Int(to))), text(&expected));
        }
    }
}
