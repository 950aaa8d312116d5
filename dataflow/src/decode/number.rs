//! JSON numbers: the grammar and the value in one pass, eight digits at a time.
//!
//! An integer that fits i64 is an int, everything else a float rounded to nearest; what no float reaches is
//! [`Number::Beyond`], which the language shows as null. Nothing is read behind the first byte that is no part of the
//! number, and `None` means that the grammar is violated.

/// A number's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
    /// Larger than every float.
    Beyond,
}

const ZEROS: u64 = 0x3030_3030_3030_3030;
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// Powers of ten that are exact floats and that a 53-bit mantissa may be divided by with one rounding.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Eight bytes from `pos`, those behind the end of the buffer as 0.
#[inline(always)]
pub(super) fn word(bytes: &[u8], pos: usize) -> u64 {
    match bytes.get(pos..pos + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().expect("the slice has eight bytes")),
        None => short_word(bytes, pos),
    }
}

#[cold]
fn short_word(bytes: &[u8], pos: usize) -> u64 {
    let rest = bytes.get(pos..).unwrap_or_default();
    rest.iter().enumerate().fold(0, |word, (index, byte)| word | u64::from(*byte) << (8 * index))
}

/// Number of digits at the start of a word, and their value.
#[inline(always)]
fn digits_of(word: u64) -> (usize, u64) {
    let digits = word ^ ZEROS;
    // A byte above 9 gets its high bit; carries run upwards only, behind the first byte that is no digit.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // The first digit is the lowest byte; missing digits in front of it are zeros.
    let eight = digits << (64 - 8 * count);
    let pairs = (eight.wrapping_mul(10)).wrapping_add(eight >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    (count, (fours.wrapping_mul(10_000)).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// Digits from `pos` on: where they end, and their value if there are at most 19 of them (`u64::MAX` otherwise).
#[inline(always)]
fn digits(bytes: &[u8], pos: usize, before: u64) -> (usize, u64) {
    let (count, value) = digits_of(word(bytes, pos));
    let mut total = before.wrapping_mul(TENS[count]).wrapping_add(value);
    let mut end = pos + count;
    let mut last = count;
    while last == 8 {
        let (count, value) = digits_of(word(bytes, end));
        total = total.wrapping_mul(TENS[count]).wrapping_add(value);
        end += count;
        last = count;
    }
    (end, total)
}

/// The number that starts at `pos` (with a digit or `-`) and where it ends.
#[inline]
pub(super) fn number(bytes: &[u8], pos: usize) -> Option<(Number, usize)> {
    let negative = bytes.get(pos) == Some(&b'-');
    let start = pos + usize::from(negative);
    let (end, int) = digits(bytes, start, 0);
    let count = end - start;
    if count == 0 || (count > 1 && bytes[start] == b'0') {
        return None;
    }
    match bytes.get(end) {
        Some(b'.') => fraction(bytes, pos, start, end, int),
        Some(b'e' | b'E') => exponent(bytes, pos, end),
        _ if count <= 18 => Some((Number::Int(if negative { -(int as i64) } else { int as i64 }), end)),
        _ => Some((large_int(&bytes[pos..end]), end)),
    }
}

#[inline]
fn fraction(bytes: &[u8], pos: usize, start: usize, dot: usize, int: u64) -> Option<(Number, usize)> {
    let (end, mantissa) = digits(bytes, dot + 1, int);
    let places = end - dot - 1;
    if places == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        return exponent(bytes, pos, end);
    }
    // At most 2^53 and a power of ten that is exact: one division rounds correctly.
    if end - start - 1 <= 16 && mantissa <= 1 << 53 {
        let float = mantissa as f64 / EXACT[places];
        return Some((Number::Float(if start > pos { -float } else { float }), end));
    }
    Some((parsed(&bytes[pos..end]), end))
}

#[cold]
fn exponent(bytes: &[u8], pos: usize, at: usize) -> Option<(Number, usize)> {
    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
    let (end, _) = digits(bytes, at + 1 + sign, 0);
    (end > at + 1 + sign).then(|| (parsed(&bytes[pos..end]), end))
}

#[cold]
fn large_int(text: &[u8]) -> Number {
    let int = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    int.map_or_else(|| parsed(text), Number::Int)
}

/// Slow and exact.
fn parsed(text: &[u8]) -> Number {
    let float = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match float {
        Some(float) if float.is_finite() => Number::Float(float),
        _ => Number::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Number, usize)> {
        number(text.as_bytes(), 0)
    }

    #[test]
    fn ints_fit_i64_or_become_floats() {
        assert_eq!(read("0"), Some((Number::Int(0), 1)));
        assert_eq!(read("-17,"), Some((Number::Int(-17), 3)));
        assert_eq!(read("1767225600000}"), Some((Number::Int(1_767_225_600_000), 13)));
        assert_eq!(read("12345678"), Some((Number::Int(12_345_678), 8)));
        assert_eq!(read("9223372036854775807"), Some((Number::Int(i64::MAX), 19)));
        assert_eq!(read("-9223372036854775808"), Some((Number::Int(i64::MIN), 20)));
        assert_eq!(read("9223372036854775808"), Some((Number::Float(9_223_372_036_854_775_808.0), 19)));
        assert_eq!(
            read("123456789012345678901234567890").map(|n| n.0),
            Some(Number::Float(123456789012345678901234567890.0))
        );
    }

    #[test]
    fn floats_round_to_nearest() {
        for text in [
            "62.85",
            "-0.5",
            "0.1",
            "3.141592653589793",
            "1e5",
            "1E-7",
            "2.5e+3",
            "123456789.123456789",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "9007199254740993.0",
            "100000000.00000001",
        ] {
            assert_eq!(read(text), Some((Number::Float(text.parse().unwrap()), text.len())), "{text}");
        }
    }

    #[test]
    fn beyond_all_floats() {
        assert_eq!(read("1e400").map(|n| n.0), Some(Number::Beyond));
        assert_eq!(read(&"9".repeat(400)).map(|n| n.0), Some(Number::Beyond));
        assert_eq!(read("1e-400").map(|n| n.0), Some(Number::Float(0.0)));
    }

    #[test]
    fn the_grammar_is_jsons() {
        for text in ["", "-", "01", "-01", "1.", ".5", "1e", "1e+", "+1", "-x", "00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
