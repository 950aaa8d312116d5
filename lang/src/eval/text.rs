//! The text form of values (vpl.md section 3): what `to_string`, outputs and JSON show.

use crate::value::Value;
use std::fmt::Write;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// The text form.
pub fn to_text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Time(ns) => write_time(&mut out, *ns),
        Value::Duration(ns) => write_duration(&mut out, *ns),
        other => write_json(&mut out, other),
    }
    out
}

/// Compact JSON; timestamps and durations as their texts.
pub fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => put(out, format_args!("{int}")),
        Value::Float(float) => write_float(out, *float),
        Value::Str(text) => write_json_string(out, text),
        Value::Time(ns) => quoted(out, |out| write_time(out, *ns)),
        Value::Duration(ns) => quoted(out, |out| write_duration(out, *ns)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write_json(out, item);
            }
            out.push('}');
        }
    }
}

fn put(out: &mut String, args: std::fmt::Arguments) {
    out.write_fmt(args).expect("a String takes everything");
}

fn quoted(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push('"');
    write(out);
    out.push('"');
}

/// A JSON string with its quotes.
pub fn write_json_string(out: &mut String, text: &str) {
    quoted(out, |out| {
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if (c as u32) < 0x20 => put(out, format_args!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
    });
}

/// Shortest digits that read back the same, with `.` or exponent; plain for 1e-5 ≤ |x| < 1e16.
pub fn write_float(out: &mut String, float: f64) {
    let size = float.abs();
    if float == 0.0 || (1e-5..1e16).contains(&size) {
        let start = out.len();
        put(out, format_args!("{float}"));
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
    } else {
        put(out, format_args!("{float:e}"));
    }
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits.
pub fn write_time(out: &mut String, ns: i64) {
    let (seconds, fraction) = (ns.div_euclid(NS_PER_SECOND), ns.rem_euclid(NS_PER_SECOND));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    put(out, format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"));
    match fraction {
        0 => {}
        f if f % 1_000_000 == 0 => put(out, format_args!(".{:03}", f / 1_000_000)),
        f if f % 1_000 == 0 => put(out, format_args!(".{:06}", f / 1_000)),
        f => put(out, format_args!(".{f:09}")),
    }
    out.push('Z');
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// In the largest unit that divides it: `90s`, `2m`, `1500ms`, `0s`.
pub fn write_duration(out: &mut String, ns: i64) {
    const UNITS: [(i64, &str); 7] = [
        (86_400 * NS_PER_SECOND, "d"),
        (3_600 * NS_PER_SECOND, "h"),
        (60 * NS_PER_SECOND, "m"),
        (NS_PER_SECOND, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if ns == 0 {
        out.push_str("0s");
        return;
    }
    let (size, unit) = UNITS.into_iter().find(|(size, _)| ns % size == 0).unwrap_or((1, "ns"));
    put(out, format_args!("{}{unit}", ns / size));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn floats_are_short_and_always_floats() {
        let text = |float| to_text(&Value::Float(float));
        for (float, expected) in [
            (10.0, "10.0"),
            (1e-5, "0.00001"),
            (0.00012, "0.00012"),
            (1.5e-7, "1.5e-7"),
            (1e16, "1e16"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (-2.5, "-2.5"),
            (0.0, "0.0"),
        ] {
            let shown = text(float);
            assert_eq!(shown.parse::<f64>(), Ok(float));
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn times_have_as_many_digits_as_they_need() {
        let text = |ns| to_text(&Value::Time(ns));
        assert_eq!(text(5 * NS_PER_SECOND), "1970-01-01T00:00:05Z");
        assert_eq!(text(1_705_312_859_500_000_000), "2024-01-15T10:00:59.500Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(text(1_000), "1970-01-01T00:00:00.000001Z");
        assert_eq!(text(951_782_400 * NS_PER_SECOND), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn durations_take_the_largest_unit_that_divides() {
        let text = |ns| to_text(&Value::Duration(ns));
        let shown = [90 * NS_PER_SECOND, 120 * NS_PER_SECOND, 1_500_000_000, 0, -NS_PER_SECOND, 1].map(text);
        assert_eq!(shown, ["90s", "2m", "1500ms", "0s", "-1s", "1ns"]);
    }

    #[test]
    fn collections_are_compact_json() {
        let array = Value::Array(Arc::new(vec![Value::Str("a\"\n".into()), Value::Null, Value::Duration(0)]));
        assert_eq!(to_text(&array), r#"["a\"\n",null,"0s"]"#);
    }
}
