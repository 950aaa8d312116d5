//! Bounds on what a collection may become, so that programs cannot build values that no text, comparison or drop comes
//! to the end of. A value beyond them is impossible, hence null.

use crate::value::Value;

/// Deepest nesting of arrays and maps: literals (128 deep) around what messages bring (64 deep) fit.
pub const VALUE_DEPTH: usize = 256;
/// Most values in one value, counted as often as they are shown.
pub const VALUE_ITEMS: usize = 16_000_000;
/// Longest text that is built, in bytes.
pub const TEXT_BYTES: usize = 256 << 20;

/// May these become the elements of a collection?
pub fn may_hold<'v>(mut elements: impl Iterator<Item = &'v Value>) -> bool {
    let mut left = VALUE_ITEMS;
    elements.all(|element| take(element, VALUE_DEPTH - 1, &mut left))
}

fn take(value: &Value, depth: usize, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| take(item, depth - 1, left)),
        Value::Map(map) => depth > 0 && map.values().all(|item| take(item, depth - 1, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn wrapped(mut value: Value, times: usize, copies: usize) -> Value {
        for _ in 0..times {
            value = Value::Array(Arc::new(vec![value; copies]));
        }
        value
    }

    #[test]
    fn depth_and_number_are_bounded() {
        assert!(may_hold([wrapped(Value::Null, VALUE_DEPTH - 1, 1)].iter()));
        assert!(!may_hold([wrapped(Value::Null, VALUE_DEPTH, 1)].iter()));
        let value = wrapped(Value::Null, 10, 2);
        assert!(take(&value, VALUE_DEPTH, &mut 2047));
        assert!(!take(&value, VALUE_DEPTH, &mut 2046));
        // Shared parts count as often as they are shown, so this ends early.
        assert!(!take(&wrapped(Value::Null, 200, 2), VALUE_DEPTH, &mut 1_000));
    }
}
