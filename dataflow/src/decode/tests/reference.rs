//! The definition, written for clarity: what a line is, by way of `serde_json::Value`.
//!
//! Documented differences to serde_json: numbers beyond every float are null, ints beyond i64 are floats.

use super::plans::Of;
use crate::decode::JSON_DEPTH;
use rarog_lang::eval::convert::convert;
use rarog_lang::eval::time::readable_time;
use rarog_lang::value::{Map, Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A dead letter.
    Dead(&'static str),
    /// Of a type that no stream reads; its time if it tells one.
    Unread(Option<i64>),
    /// A row of an input: its time if it tells one, its columns, the whole record.
    Row(usize, Option<i64>, Vec<Value>, Map),
}

/// A value of the language for a value of JSON.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, float) => float.map_or(Value::Null, Value::Float),
        },
        Json::String(text) => Value::Str(text.as_str().into()),
        Json::Array(items) => Value::Array(Arc::new(items.iter().map(value).collect())),
        Json::Object(map) => Value::Map(Arc::new(fields(map))),
    }
}

fn fields(map: &serde_json::Map<String, Json>) -> Map {
    map.iter().map(|(key, json)| (Arc::from(key.as_str()), value(json))).collect()
}

fn depth(json: &Json) -> u32 {
    match json {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The document; `None`: it is not valid.
pub fn parse(line: &[u8]) -> Option<Json> {
    serde_json::from_slice(line).ok().filter(|json| depth(json) <= JSON_DEPTH)
}

/// What a line is for these inputs.
pub fn outcome(line: &[u8], inputs: &[Of], topic: Option<&str>) -> Outcome {
    let Some(json) = parse(line) else { return Outcome::Dead("bad_json") };
    let Json::Object(object) = json else { return Outcome::Dead("not_object") };
    let text = |key: &str| object.get(key).and_then(Json::as_str);
    let (event, type_key) = match (text("event_type"), text("type"), topic) {
        (Some(event), ..) => (event.to_string(), Some("event_type")),
        (None, Some(event), _) => (event.to_string(), Some("type")),
        (None, None, Some(topic)) => (topic.to_string(), None),
        (None, None, None) => return Outcome::Dead("no_type"),
    };
    let all = fields(&object);
    let mut record = match all.get("data") {
        Some(Value::Map(data)) => (**data).clone(),
        _ => {
            let mut record = all.clone();
            if let Some(key) = type_key {
                record.shift_remove(key);
            }
            record
        }
    };
    let input = inputs.iter().position(|input| input.event == event);
    let readable = |map: &Map, key: &str| map.get(key).and_then(readable_time);
    let told = || {
        let keys = ["@timestamp", "timestamp", "ts"];
        keys.iter().find_map(|key| readable(&record, key)).or_else(|| keys.iter().find_map(|key| readable(&all, key)))
    };
    let Some(index) = input else { return Outcome::Unread(told()) };
    let of = &inputs[index];
    let declared = of.time_field.and_then(|field| record.get(field)).filter(|value| **value != Value::Null);
    let time = match declared.map(readable_time) {
        Some(Some(time)) => Some(time),
        Some(None) => return Outcome::Dead("bad_event_time"),
        None => told(),
    };
    for (name, ty) in of.declared.iter().flatten() {
        if let Some(value) = record.get_mut(*name) {
            match convert(ty, std::mem::take(value)) {
                Some(converted) => *value = converted,
                None => return Outcome::Dead("bad_field"),
            }
        }
    }
    if !of.read {
        return Outcome::Unread(time);
    }
    let columns = of.columns.iter().map(|name| record.get(*name).cloned().unwrap_or_default()).collect();
    Outcome::Row(index, time, columns, record)
}

/// Equal but for the last bit of floats, which serde_json does not always round to nearest.
pub fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b || (a - b).abs() <= 1e-15 * a.abs(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| alike(a, b)),
        (Value::Map(a), Value::Map(b)) => maps_alike(a, b),
        (a, b) => a == b,
    }
}

/// The same fields, in whatever order.
pub fn maps_alike(a: &Map, b: &Map) -> bool {
    a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| alike(value, other)))
}

/// Declared types that the random tests use.
pub fn types() -> Vec<Type> {
    let point = Type::Record("P".into(), Arc::new(vec![("x".into(), Type::Float), ("n".into(), Type::Int)]));
    vec![
        Type::Any,
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::Str,
        Type::Time,
        Type::Duration,
        Type::Array(Type::Float.into()),
        Type::Array(Type::Any.into()),
        Type::Map(Type::Str.into(), Type::Int.into()),
        point,
    ]
}
