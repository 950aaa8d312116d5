//! Values as bytes of JSON: the text form of `rarog_lang::eval::text`, without its formatting machinery for the common
//! cases.

use rarog_lang::eval::text as slow;
use rarog_lang::value::Value;

/// Appends what a writer of texts writes.
fn by_text(out: &mut Vec<u8>, write: impl FnOnce(&mut String)) {
    let mut text = String::new();
    write(&mut text);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => bool(out, *value),
        Value::Int(value) => int(out, *value),
        Value::Float(value) => float(out, *value),
        Value::Str(text) => string(out, text),
        Value::Time(ns) => time(out, *ns),
        Value::Duration(ns) => duration(out, *ns),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(out, item);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                string(out, key);
                out.push(b':');
                self::value(out, item);
            }
            out.push(b'}');
        }
    }
}

pub(super) fn bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// `00` to `99`.
const PAIRS: [u8; 200] = {
    let mut pairs = [b'0'; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] = b'0' + (number / 10) as u8;
        pairs[number * 2 + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

fn pair(number: u64) -> [u8; 2] {
    let at = (number % 100) as usize * 2;
    [PAIRS[at], PAIRS[at + 1]]
}

pub(super) fn int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    digits(out, value.unsigned_abs(), 1);
}

/// A number in decimal, with zeros in front up to a width.
fn digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while number >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&pair(number));
        number /= 100;
    }
    if number > 0 {
        at -= 1;
        buffer[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&buffer[at.min(buffer.len() - width)..]);
}

/// Powers of ten that are tried as the denominator of a float.
const PLACES: [(f64, usize); 6] = [(1e1, 1), (1e2, 2), (1e3, 3), (1e4, 4), (1e5, 5), (1e6, 6)];
/// Decimals of at most 15 digits are all different floats: one that reads back is the shortest.
const SHORT: f64 = 1e15;

pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if (1e-3..SHORT).contains(&size) {
        if size.trunc() == size {
            int(out, value as i64);
            out.extend_from_slice(b".0");
            return;
        }
        for (power, places) in PLACES {
            let scaled = (size * power).round();
            if scaled >= SHORT {
                break;
            }
            if scaled / power == size {
                if value < 0.0 {
                    out.push(b'-');
                }
                digits(out, scaled as u64 / power as u64, 1);
                out.push(b'.');
                digits(out, scaled as u64 % power as u64, places);
                return;
            }
        }
    }
    by_text(out, |text| slow::write_float(text, value));
}

/// Bytes that cannot stand in a JSON string as they are.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(is_special) {
        by_text(out, |escaped| slow::write_json_string(escaped, text));
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

pub(super) fn time(out: &mut Vec<u8>, ns: i64) {
    out.push(b'"');
    by_text(out, |text| slow::write_time(text, ns));
    out.push(b'"');
}

pub(super) fn duration(out: &mut Vec<u8>, ns: i64) {
    out.push(b'"');
    by_text(out, |text| slow::write_duration(text, ns));
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn random(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    #[test]
    fn bytes_are_the_text_form() {
        let mut seed = 42;
        for round in 0..40_000 {
            let bits = random(&mut seed);
            let any = f64::from_bits(random(&mut seed));
            let decimal = (bits as i64 >> (bits % 60)) as f64 / 10_f64.powi((random(&mut seed) % 12) as i32);
            let float = if round % 2 == 0 { decimal } else { any };
            let shown = if float.is_finite() { Value::Float(float) } else { Value::Int(bits as i64 >> (bits % 63)) };
            for value in [shown, Value::Time(bits as i64 >> (bits % 50)), Value::Duration(bits as i64 >> (bits % 50))] {
                let (mut bytes, mut text) = (Vec::new(), String::new());
                self::value(&mut bytes, &value);
                slow::write_json(&mut text, &value);
                assert_eq!(String::from_utf8(bytes), Ok(text));
            }
        }
    }

    #[test]
    fn edges_and_collections() {
        let floats =
            [0.0, -0.0, 1e15, 999_999_999_999_999.9, 0.001, 0.000999, 62.85, 1e16, 5e-324, -1.5, 100.0, 0.1 + 0.2];
        let items = floats.map(Value::Float).into_iter().chain([i64::MIN, i64::MAX, 0, 9, 10, 99, 100].map(Value::Int));
        let texts = ["", "é\u{7f}", "a\"b\\c\n\u{1}"].map(|text| Value::Str(text.into()));
        let array = Value::Array(Arc::new(items.chain(texts).chain([Value::Null, Value::Bool(true)]).collect()));
        let map = Value::Map(Arc::new([("k\n".into(), array.clone()), ("l".into(), array)].into_iter().collect()));
        let (mut bytes, mut text) = (Vec::new(), String::new());
        value(&mut bytes, &map);
        slow::write_json(&mut text, &map);
        assert_eq!(String::from_utf8(bytes), Ok(text));
    }
}
