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

/// The first eight bytes, those behind the end as 0.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => short_word(bytes),
    }
}

#[cold]
fn short_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Marks the bytes of a word that are no digits; exact up to the first one that is above `~`.
#[inline(always)]
fn others(word: u64) -> u64 {
    let digits = word ^ ZEROS;
    // A byte above 9 gets its high bit; only bytes that are not ASCII carry into the next one.
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
}

/// Value of the first `count` bytes of a word, which are 1 to 8 digits.
#[inline(always)]
fn value_of(word: u64, count: u32) -> u64 {
    // The first digit is the lowest byte; the missing ones in front of it become zeros.
    let eight = (word ^ ZEROS) << (64 - 8 * count);
    let pairs = (eight.wrapping_mul(10)).wrapping_add(eight >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    (fours.wrapping_mul(10_000)).wrapping_add(fours >> 32) & 0xFFFF_FFFF
}

/// Number of digits at the start of a word, and their value.
#[inline(always)]
fn digits_of(word: u64) -> (usize, u64) {
    match others(word).trailing_zeros() / 8 {
        0 => (0, 0),
        count => (count as usize, value_of(word, count)),
    }
}

/// Digits at the start, behind those of `before`: how many, and the value of all of them (without those that a u64 does
/// not hold).
#[inline(always)]
fn digits(mut bytes: &[u8], before: u64) -> (usize, u64) {
    let (mut total, mut length) = (before, 0);
    loop {
        let (count, value) = digits_of(word(bytes));
        total = total.wrapping_mul(TENS[count]).wrapping_add(value);
        length += count;
        match bytes.get(8..) {
            Some(behind) if count == 8 => bytes = behind,
            _ => return (length, total),
        }
    }
}

/// The number at the start (with a digit or `-`) and its length.
#[inline(always)]
pub(super) fn number(bytes: &[u8]) -> Option<(Number, usize)> {
    let word = word(bytes);
    let marks = others(word);
    let count = marks.trailing_zeros() / 8;
    // Most numbers are ints of at most seven digits, or have a point and an end within eight bytes.
    if count == 0 || count == 8 || (word as u8 == b'0' && count > 1) {
        return sixteen(bytes, word, count).or_else(|| long(bytes));
    }
    match (word >> (8 * count)) as u8 {
        b'.' => {
            let marks = marks & (marks - 1);
            let end = marks.trailing_zeros() / 8;
            let places = end.wrapping_sub(count + 1);
            if end == 8 || places == 0 || (word >> (8 * end)) as u8 | 0x20 == b'e' {
                return long(bytes);
            }
            let below = (1 << (8 * count)) - 1;
            let mantissa = value_of(word & below | (word >> 8) & !below, end - 1);
            Some((Number::Float(mantissa as f64 / EXACT[places as usize & 7]), end as usize))
        }
        b'e' | b'E' => long(bytes),
        _ => Some((Number::Int(value_of(word, count) as i64), count as usize)),
    }
}

/// An int of 8 to 15 digits, which times are; `None`: it is something else.
#[inline(always)]
fn sixteen(bytes: &[u8], word: u64, count: u32) -> Option<(Number, usize)> {
    let second = u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    let more = others(second).trailing_zeros() / 8;
    if count != 8 || more == 8 || word as u8 == b'0' {
        return None;
    }
    // Shifting by all bits of a word is not defined, so the digits are put in place in two steps.
    let low = value_of(second << 8 | u64::from(b'0'), more + 1);
    match (second >> (8 * more)) as u8 {
        b'.' | b'e' | b'E' => None,
        _ => Some((Number::Int((value_of(word, 8) * TENS[more as usize] + low) as i64), 8 + more as usize)),
    }
}

#[inline(never)]
fn long(bytes: &[u8]) -> Option<(Number, usize)> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let unsigned = &bytes[sign..];
    let (count, int) = digits(unsigned, 0);
    if count == 0 || (count > 1 && unsigned[0] == b'0') {
        return None;
    }
    let length = sign + count;
    match bytes.get(length) {
        Some(b'.') => fraction(bytes, length, sign, int),
        Some(b'e' | b'E') => exponent(bytes, length),
        _ if count <= 18 => Some((Number::Int(if sign > 0 { -(int as i64) } else { int as i64 }), length)),
        _ => Some((large_int(&bytes[..length]), length)),
    }
}

#[inline(always)]
fn fraction(bytes: &[u8], dot: usize, sign: usize, int: u64) -> Option<(Number, usize)> {
    let (places, mantissa) = digits(&bytes[dot + 1..], int);
    let length = dot + 1 + places;
    if places == 0 {
        return None;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        return exponent(bytes, length);
    }
    // At most 2^53 and a power of ten that is exact: one division rounds correctly.
    if length - sign - 1 <= 16 && mantissa <= 1 << 53 {
        let float = mantissa as f64 / EXACT[places];
        return Some((Number::Float(if sign > 0 { -float } else { float }), length));
    }
    Some((parsed(&bytes[..length]), length))
}

#[cold]
fn exponent(bytes: &[u8], at: usize) -> Option<(Number, usize)> {
    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
    let (count, _) = digits(bytes.get(at + 1 + sign..)?, 0);
    let length = at + 1 + sign + count;
    (count > 0).then(|| (parsed(&bytes[..length]), length))
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
        number(text.as_bytes())
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
