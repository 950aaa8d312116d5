//! Numbers and durations: where one ends, what it is, what it is worth. A number is never rounded silently to another kind:
//! what does not fit is E0103 or E0104.

use super::token::Kind;

/// Why a text that begins with a digit is no number.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// E0103 or E0104.
    pub code: &'static str,
    /// Message.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// The units of durations in nanoseconds.
const UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

fn digits(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn word(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// The end of `e5`, `E+5`, if it stands at `from`.
fn exponent(bytes: &[u8], from: usize) -> Option<usize> {
    if !matches!(bytes.get(from), Some(b'e' | b'E')) {
        return None;
    }
    let sign = usize::from(matches!(bytes.get(from + 1), Some(b'+' | b'-')));
    let end = digits(bytes, (from + 1 + sign).min(bytes.len()));
    (end > from + 1 + sign).then_some(end)
}

/// Reads the number at the beginning of `text`: the end of the token, and what it is or why it is nothing.
pub fn scan(text: &str) -> (usize, Result<Kind, Fault>) {
    let bytes = text.as_bytes();
    let whole = digits(bytes, 0);
    let mut end = whole;
    let mut kind = Kind::Int;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(bytes, end + 1);
        kind = Kind::Float;
    }
    if let Some(after) = exponent(bytes, end) {
        end = after;
        kind = Kind::Float;
    }
    let stop = word(bytes, end);
    let tail = &text[end..stop];
    if tail.is_empty() {
        return (end, check(kind, &text[..end]));
    }
    if kind == Kind::Int && UNITS.iter().any(|(unit, _)| *unit == tail) {
        return (stop, duration(&text[..stop]).map(|_| Kind::Duration));
    }
    (stop, Err(malformed(&text[..stop], kind, tail)))
}

fn check(kind: Kind, text: &str) -> Result<Kind, Fault> {
    match kind {
        Kind::Int => int(text).map(|_| Kind::Int),
        _ => float(text).map(|_| Kind::Float),
    }
}

fn malformed(text: &str, kind: Kind, tail: &str) -> Fault {
    let number = |help: &str| Fault { code: "E0103", message: format!("malformed number {text}"), help: help.into() };
    let known = UNITS.iter().any(|(unit, _)| *unit == tail);
    if tail.starts_with('_') {
        return number("write the digits without _");
    }
    if tail.starts_with(['e', 'E']) && tail[1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return number("digits must follow the e, as in 1e5");
    }
    if kind == Kind::Float {
        return number(match known {
            true => "a duration is a whole number and a unit: 1500ms instead of 1.5s",
            false => "put a blank or an operator behind the number",
        });
    }
    if text.starts_with('0') && tail.starts_with(['x', 'X', 'b', 'B', 'o', 'O']) {
        return number("only decimal numbers are known");
    }
    let several = tail.bytes().any(|byte| byte.is_ascii_digit());
    Fault {
        code: "E0104",
        message: format!("unknown duration unit {tail}"),
        help: match several {
            true => "a duration has one unit: 90m instead of 1h30m".into(),
            false => "the units are ns, us, ms, s, m, h, d".into(),
        },
    }
}

/// The value of an INT token, up to 2^63; the lexer sees to it that 2^63 stands behind `-`.
pub fn int(text: &str) -> Result<u64, Fault> {
    text.parse().ok().filter(|value| *value <= 1 << 63).ok_or_else(|| int_out_of_range(text))
}

/// E0103 for an integer that has no i64.
pub fn int_out_of_range(text: &str) -> Fault {
    Fault {
        code: "E0103",
        message: format!("integer {} is out of range", shortened(text)),
        help: "integers go from -9223372036854775808 to 9223372036854775807; write a float, such as 1e20, for more"
            .into(),
    }
}

/// The value of a FLOAT token.
pub fn float(text: &str) -> Result<f64, Fault> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| Fault {
        code: "E0103",
        message: format!("number {} is out of range", shortened(text)),
        help: "floats go up to 1.7976931348623157e308".into(),
    })
}

/// The value of a DUR token in ns.
pub fn duration(text: &str) -> Result<i64, Fault> {
    let unit_at = digits(text.as_bytes(), 0);
    let (number, unit) = text.split_at(unit_at);
    let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let value = number.parse::<i64>().ok().zip(scale).and_then(|(number, scale)| number.checked_mul(scale));
    value.ok_or_else(|| Fault {
        code: "E0104",
        message: format!("duration {} is out of range", shortened(text)),
        help: "durations go up to 9223372036854775807ns, about 292 years".into(),
    })
}

/// The text, cut in the middle when it is long.
fn shortened(text: &str) -> String {
    match text.len() {
        0..=40 => text.into(),
        length => format!("{}…{}", &text[..20], &text[length - 10..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> (usize, Result<Kind, &'static str>) {
        let (end, kind) = scan(text);
        (end, kind.map_err(|fault| fault.code))
    }

    #[test]
    fn numbers_end_where_they_end() {
        let cases = [
            ("12", 2, Ok(Kind::Int)),
            ("1..5", 1, Ok(Kind::Int)),
            ("1.5.x", 3, Ok(Kind::Float)),
            ("1.x", 1, Ok(Kind::Int)),
            ("1e5", 3, Ok(Kind::Float)),
            ("1.5E-3)", 6, Ok(Kind::Float)),
            ("5s)", 2, Ok(Kind::Duration)),
            ("5ms", 3, Ok(Kind::Duration)),
            ("9223372036854775808", 19, Ok(Kind::Int)),
            ("9223372036854775809", 19, Err("E0103")),
            ("1e400", 5, Err("E0103")),
            ("9223372036854775807ns", 21, Ok(Kind::Duration)),
            ("9223372036854775808ns", 21, Err("E0104")),
            ("106752d", 7, Err("E0104")),
            ("5sec", 4, Err("E0104")),
            ("1h30m", 5, Err("E0104")),
            ("1.5s", 4, Err("E0103")),
            ("0x1F", 4, Err("E0103")),
            ("1_000", 5, Err("E0103")),
            ("1e", 2, Err("E0103")),
            ("1e+", 2, Err("E0103")),
        ];
        for (text, end, expected) in cases {
            assert_eq!(kind(text), (end, expected), "{text}");
        }
    }

    #[test]
    fn durations_have_their_value() {
        assert_eq!(duration("90s").ok(), Some(90_000_000_000));
        assert_eq!(duration("1d").ok(), Some(86_400_000_000_000));
        assert_eq!(duration("7us").ok(), Some(7_000));
    }
}
