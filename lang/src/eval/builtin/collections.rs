//! Functions of arrays and maps: `len` to `range`.

use crate::eval::access::{array, index, range, range_array, set, unique};
use crate::eval::nesting::{VALUE_ITEMS, may_hold};
use crate::eval::ops::contains;
use crate::eval::order::compare;
use crate::eval::sum::Sum;
use crate::plan::Builtin;
use crate::value::Value;
use std::mem::take;
use std::sync::Arc;

/// Calls one; `None` is null.
pub(super) fn call(function: Builtin, args: &mut [Value]) -> Option<Value> {
    match (function, args) {
        (Builtin::Len, [value]) => len(value).map(|len| Value::Int(len as i64)),
        (Builtin::Reverse, [Value::Str(text)]) => Some(Value::Str(text.chars().rev().collect::<String>().into())),
        (Builtin::Reverse, [Value::Array(items)]) => Some(changed(items, |items| items.reverse())),
        (Builtin::First, [Value::Array(items)]) => items.first().cloned(),
        (Builtin::Last, [Value::Array(items)]) => items.last().cloned(),
        (Builtin::Push, [Value::Array(items), element]) => push(items, take(element)),
        (Builtin::Pop, [Value::Array(items)]) => Some(changed(items, |items| drop(items.pop()))),
        (Builtin::Sort, [Value::Array(items)]) => sort(items),
        (Builtin::Unique, [Value::Array(items)]) => Some(Value::Array(Arc::new(unique(items)))),
        (Builtin::Sum, [Value::Array(items)]) => Some(sum(items).value()),
        (Builtin::Avg, [Value::Array(items)]) => Some(sum(items).mean()),
        (Builtin::Contains, [collection, value]) => Some(contains(value, collection)),
        (Builtin::Get, [collection @ (Value::Array(_) | Value::Map(_)), at]) => Some(index(collection, at)),
        (Builtin::Set, [collection, at, element]) => Some(set(take(collection), at, take(element))),
        (Builtin::Keys, [Value::Map(map)]) => Some(array(map.keys().cloned().map(Value::Str).collect())),
        (Builtin::Values, [Value::Map(map)]) => Some(array(map.values().cloned().collect())),
        (Builtin::RangeFn, [to]) => Some(range_array(range(&Value::Int(0), to, false))),
        (Builtin::RangeFn, [from, to]) => Some(range_array(range(from, to, false))),
        _ => None,
    }
}

fn len(value: &Value) -> Option<usize> {
    match value {
        Value::Str(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Map(map) => Some(map.len()),
        _ => None,
    }
}

/// The array after a change, in place if nobody else holds it.
fn changed(items: &mut Arc<Vec<Value>>, change: impl FnOnce(&mut Vec<Value>)) -> Value {
    change(Arc::make_mut(items));
    Value::Array(take(items))
}

fn push(items: &mut Arc<Vec<Value>>, element: Value) -> Option<Value> {
    let fits = items.len() < VALUE_ITEMS && may_hold([&element].into_iter());
    fits.then(|| changed(items, |items| items.push(element)))
}

/// Ascending, nulls last; null if there are bools or values of several kinds.
fn sort(items: &mut Arc<Vec<Value>>) -> Option<Value> {
    let mut present = items.iter().filter(|item| **item != Value::Null);
    if let Some(first) = present.next() {
        let kind = kind(first)?;
        if !present.all(|item| self::kind(item) == Some(kind)) {
            return None;
        }
    }
    Some(changed(items, |items| {
        items.sort_by(|a, b| (*a == Value::Null).cmp(&(*b == Value::Null)).then_with(|| compare(a, b)))
    }))
}

/// A number for each kind of values that can be sorted.
fn kind(value: &Value) -> Option<u8> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::Int(_) | Value::Float(_) => Some(0),
        Value::Str(_) => Some(1),
        Value::Time(_) => Some(2),
        Value::Duration(_) => Some(3),
        Value::Array(_) => Some(4),
        Value::Map(_) => Some(5),
    }
}

fn sum(items: &[Value]) -> Sum {
    let mut sum = Sum::default();
    items.iter().for_each(|item| sum.add(item));
    sum
}
