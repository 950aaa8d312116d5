//! Functions of texts: `trim` to `to_string`.

use crate::eval::access::{array, characters};
use crate::eval::nesting::TEXT_BYTES;
use crate::eval::text::{to_text, write_text};
use crate::plan::Builtin;
use crate::value::Value;

/// Calls one; `None` is null.
pub(super) fn call(function: Builtin, args: &[Value]) -> Option<Value> {
    match (function, args) {
        (Builtin::Trim, [Value::Str(text)]) => Some(of(text.trim())),
        (Builtin::Lower, [Value::Str(text)]) => Some(of(text.to_lowercase())),
        (Builtin::Upper, [Value::Str(text)]) => Some(of(text.to_uppercase())),
        (Builtin::StartsWith, [Value::Str(text), Value::Str(part)]) => Some(Value::Bool(text.starts_with(&**part))),
        (Builtin::EndsWith, [Value::Str(text), Value::Str(part)]) => Some(Value::Bool(text.ends_with(&**part))),
        (Builtin::Split, [Value::Str(text), Value::Str(separator)]) => Some(split(text, separator)),
        (Builtin::Replace, [Value::Str(text), Value::Str(old), Value::Str(new)]) => replace(text, old, new),
        (Builtin::Substring, [Value::Str(text), Value::Int(from)]) => Some(substring(text, *from, i64::MAX)),
        (Builtin::Substring, [Value::Str(text), Value::Int(from), Value::Int(to)]) => Some(substring(text, *from, *to)),
        (Builtin::Join, [Value::Array(items), Value::Str(separator)]) => join(items, separator),
        (Builtin::Concat, parts) => join(parts, ""),
        (Builtin::ToString, [Value::Str(text)]) => Some(Value::Str(text.clone())),
        (Builtin::ToString, [value]) => Some(of(to_text(value))),
        _ => None,
    }
}

fn of(text: impl AsRef<str>) -> Value {
    Value::Str(text.as_ref().into())
}

fn split(text: &str, separator: &str) -> Value {
    if separator.is_empty() {
        return array(text.chars().map(|character| of(character.encode_utf8(&mut [0; 4]))).collect());
    }
    array(text.split(separator).map(of).collect())
}

fn replace(text: &str, old: &str, new: &str) -> Option<Value> {
    if old.is_empty() {
        return Some(of(text));
    }
    let growth = new.len().saturating_sub(old.len());
    let fits =
        growth == 0 || text.matches(old).count().saturating_mul(growth) <= TEXT_BYTES - text.len().min(TEXT_BYTES);
    fits.then(|| of(text.replace(old, new)))
}

/// Characters `from..to`, both clamped to what there is.
fn substring(text: &str, from: i64, to: i64) -> Value {
    let at = |bound: i64| usize::try_from(bound.max(0)).unwrap_or(usize::MAX);
    of(characters(text, at(from), at(to)))
}

fn join(items: &[Value], separator: &str) -> Option<Value> {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        write_text(&mut text, item);
        if text.len() > TEXT_BYTES {
            return None;
        }
    }
    Some(of(text))
}
