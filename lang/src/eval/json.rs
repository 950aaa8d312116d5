//! Values as compact JSON (docs/language.md): what encoders write and what arrays and maps show as text. Timestamps and
//! durations are strings with their text forms. Nothing is allocated but the output.

use super::text::{TextSink, write_duration, write_float, write_int, write_time};
use crate::value::Value;

/// Appends a value as JSON.
pub fn write_json(out: &mut impl TextSink, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => write_int(out, *int),
        Value::Float(float) => write_float(out, *float),
        Value::Str(text) => write_json_string(out, text),
        Value::Time(ns) => quoted(out, |out| write_time(out, *ns)),
        Value::Duration(ns) => quoted(out, |out| write_duration(out, *ns)),
        Value::Array(items) => {
            out.push_str("[");
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(out, item);
            }
            out.push_str("]");
        }
        Value::Map(map) => {
            out.push_str("{");
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json_string(out, key);
                out.push_str(":");
                write_json(out, item);
            }
            out.push_str("}");
        }
    }
}

fn quoted<S: TextSink>(out: &mut S, write: impl FnOnce(&mut S)) {
    out.push_str("\"");
    write(out);
    out.push_str("\"");
}

/// Is there nothing to escape? Looks at sixteen bytes at once.
fn is_plain(text: &[u8]) -> bool {
    let plain = |byte: u8| (byte >= 0x20) & (byte != b'"') & (byte != b'\\');
    let (blocks, rest) = text.as_chunks::<16>();
    blocks.iter().all(|block| block.iter().fold(true, |all, byte| all & plain(*byte)))
        && rest.iter().all(|byte| plain(*byte))
}

/// Appends a JSON string with its quotes.
pub fn write_json_string(out: &mut impl TextSink, text: &str) {
    if is_plain(text.as_bytes()) {
        out.push_str("\"");
        out.push_str(text);
        out.push_str("\"");
        return;
    }
    out.push_str("\"");
    let mut written = 0;
    // What is escaped is ASCII, so every cut is between characters.
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str(if byte < 0x10 { "\\u000" } else { "\\u001" });
                let digit = usize::from(byte % 16);
                out.push_str(&"0123456789abcdef"[digit..=digit]);
            }
        }
    }
    out.push_str(&text[written..]);
    out.push_str("\"");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn json(value: &Value) -> String {
        let (mut text, mut bytes) = (String::new(), Vec::new());
        write_json(&mut text, value);
        write_json(&mut bytes, value);
        assert_eq!(text.as_bytes(), bytes);
        text
    }

    #[test]
    fn values_are_compact_json() {
        let text = |text: &str| Value::Str(text.into());
        for (value, expected) in [
            (Value::Null, "null"),
            (Value::Bool(false), "false"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Float(60.0), "60.0"),
            (Value::Float(1e16), "1e16"),
            (Value::Time(5_000_000_000), "\"1970-01-01T00:00:05Z\""),
            (Value::Duration(1_500_000_000), "\"1500ms\""),
            (text("é\"\\\n\r\t\u{0}\u{1f}\u{7f}🙂"), "\"é\\\"\\\\\\n\\r\\t\\u0000\\u001f\u{7f}🙂\""),
            (Value::Array(Arc::new(vec![])), "[]"),
            (Value::Array(Arc::new(vec![text("a"), Value::Null, Value::Duration(0)])), r#"["a",null,"0s"]"#),
        ] {
            assert_eq!(json(&value), expected);
        }
        let map = [("b\"".into(), Value::Int(1)), ("a".into(), Value::Map(Arc::default()))];
        assert_eq!(json(&Value::Map(Arc::new(map.into_iter().collect()))), r#"{"b\"":1,"a":{}}"#);
    }
}
