//! The text form of values (docs/language.md): what `to_string`, outputs and JSON show.

pub use super::json::{write_json, write_json_string};
use crate::value::Value;
use std::fmt;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// What texts are appended to: a `String`, or bytes that are going to be sent.
pub trait TextSink {
    /// Appends.
    fn push_str(&mut self, text: &str);

    /// Appends bytes that are ASCII.
    fn push_ascii(&mut self, bytes: &[u8]) {
        self.push_str(ascii(bytes));
    }
}

impl TextSink for String {
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl TextSink for Vec<u8> {
    fn push_str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn push_ascii(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The text form.
pub fn to_text(value: &Value) -> String {
    let mut out = String::new();
    write_text(&mut out, value);
    out
}

/// Appends the text form.
pub fn write_text(out: &mut impl TextSink, value: &Value) {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Time(ns) => write_time(out, *ns),
        Value::Duration(ns) => write_duration(out, *ns),
        other => write_json(out, other),
    }
}

/// `00` to `99`.
const PAIRS: [u8; 200] = {
    let mut pairs = [b'0'; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] += (number / 10) as u8;
        pairs[number * 2 + 1] += (number % 10) as u8;
        number += 1;
    }
    pairs
};

/// Digits, with `-` if negative.
pub fn write_int(out: &mut impl TextSink, int: i64) {
    write_digits(out, int < 0, int.unsigned_abs(), 1);
}

/// The digits of a number, at least so many, behind a sign.
fn write_digits(out: &mut impl TextSink, negative: bool, mut number: u64, least: usize) {
    let mut digits = [b'0'; 21];
    let mut at = digits.len();
    while number >= 10 {
        at -= 2;
        let pair = (number % 100) as usize * 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        number /= 100;
    }
    if number > 0 {
        at -= 1;
        digits[at] += number as u8;
    }
    at = at.min(digits.len() - least);
    if negative {
        at -= 1;
        digits[at] = b'-';
    }
    out.push_ascii(&digits[at..]);
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("these bytes were written as ASCII")
}

/// Shortest digits that read back the same, with `.` or exponent; plain for 1e-5 ≤ |x| < 1e16.
pub fn write_float(out: &mut impl TextSink, float: f64) {
    if !write_decimal(out, float) {
        write_shortest(out, float);
    }
}

/// Powers of ten that are tried as the denominator of a float.
const PLACES: [(f64, usize); 6] = [(1e1, 1), (1e2, 2), (1e3, 3), (1e4, 4), (1e5, 5), (1e6, 6)];

/// Writes a float that is a decimal of at most 15 digits, six of them behind the point. These are all different floats, so
/// that the first that reads back is the shortest.
fn write_decimal(out: &mut impl TextSink, float: f64) -> bool {
    const BEYOND: f64 = 1e15;
    let size = float.abs();
    if !(1e-3..BEYOND).contains(&size) {
        return false;
    }
    for (power, places) in PLACES {
        let scaled = (size * power).round();
        if scaled >= BEYOND {
            return false;
        }
        if scaled / power == size {
            let (whole, fraction) = (scaled as u64 / power as u64, scaled as u64 % power as u64);
            write_digits(out, float < 0.0, whole, 1);
            out.push_str(".");
            write_digits(out, false, fraction, places);
            return true;
        }
    }
    false
}

fn write_shortest(out: &mut impl TextSink, float: f64) {
    let size = float.abs();
    let mut text = FloatText { bytes: [0; FLOAT_BYTES], len: 0 };
    let plain = float == 0.0 || (1e-5..1e16).contains(&size);
    let written = if plain {
        fmt::write(&mut text, format_args!("{float}"))
    } else {
        fmt::write(&mut text, format_args!("{float:e}"))
    };
    written.expect("the shortest digits of a float fit");
    let text = ascii(&text.bytes[..text.len]);
    out.push_str(text);
    if plain && !text.contains('.') {
        out.push_str(".0");
    }
}

/// Sign, at most 17 digits, a point, and as many zeros as a plain 1e-5 or 1e15 has.
const FLOAT_BYTES: usize = 40;

struct FloatText {
    bytes: [u8; FLOAT_BYTES],
    len: usize,
}

impl fmt::Write for FloatText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits.
pub fn write_time(out: &mut impl TextSink, ns: i64) {
    let (seconds, fraction) = (ns.div_euclid(NS_PER_SECOND), ns.rem_euclid(NS_PER_SECOND) as u32);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    let (year, month, day) = civil(days);
    // A day within i64 nanoseconds is in a year of four digits.
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    put_pairs(&mut text, 4, year as u32, 2);
    put_pairs(&mut text, 7, month as u32, 1);
    put_pairs(&mut text, 10, day as u32, 1);
    put_pairs(&mut text, 13, second / 3600, 1);
    put_pairs(&mut text, 16, second / 60 % 60, 1);
    put_pairs(&mut text, 19, second % 60, 1);
    let (micros, nanos) = (fraction / 1_000, fraction % 1_000);
    let end = match (micros % 1_000, nanos) {
        (0, 0) if micros == 0 => 19,
        (0, 0) => 23,
        (_, 0) => 26,
        _ => 29,
    };
    if micros > 0 {
        put_pairs(&mut text, 26, micros, 3);
    }
    put_pairs(&mut text, 29, nanos % 100, 1);
    text[26] += (nanos / 100) as u8;
    text[end] = b'Z';
    out.push_ascii(&text[..=end]);
}

/// Writes so many pairs of a number's digits, the last of which ends at `end`.
#[inline(always)]
fn put_pairs(text: &mut [u8; 30], mut end: usize, mut number: u32, pairs: usize) {
    for _ in 0..pairs {
        let pair = (number % 100) as usize * 2;
        text[end - 2..end].copy_from_slice(&PAIRS[pair..pair + 2]);
        (number, end) = (number / 100, end - 2);
    }
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
pub fn write_duration(out: &mut impl TextSink, ns: i64) {
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
    write_int(out, ns / size);
    out.push_str(unit);
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
    fn numbers_are_as_the_standard_library_has_them() {
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 8
        };
        for _ in 0..100_000 {
            let int = random() as i64 >> (random() % 56);
            let int = if random() % 2 == 0 { int } else { -int };
            assert_eq!(to_text(&Value::Int(int)), int.to_string());
            let float = int as f64 / 10_f64.powi((random() % 12) as i32);
            let (mut text, mut shortest) = (String::new(), String::new());
            write_float(&mut text, float);
            write_shortest(&mut shortest, float);
            assert_eq!(text, shortest);
        }
        for int in [0, 1, -1, 9, 10, 99, 100, i64::MAX, i64::MIN] {
            assert_eq!(to_text(&Value::Int(int)), int.to_string());
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
