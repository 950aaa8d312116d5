//! Reading timestamps and durations from text (docs/language.md). Their text forms are in [`super::text`].
//!
//! Everything is strict: a text is read as a whole or not at all, and what i64 nanoseconds do not hold is not read.

use crate::value::Value;

const NS_PER_MS: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// An RFC 3339 date and time with its zone, in ns since the epoch. Digits beyond the ninth of a second are dropped; second
/// 60 is read where a leap second can be, as the second after it.
pub fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_first()?;
    let days = parse_date(date)?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = parse_clock(rest)?;
    instant(days, clock, parse_zone(rest)?)
}

/// What may follow the `@` of a timestamp literal: `YYYY-MM-DD[Thh:mm:ss[.f{1,9}][Z|±hh:mm]]`, in UTC without a zone.
pub fn parse_timestamp_literal(text: &str) -> Option<i64> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let days = parse_date(date)?;
    let Some((separator, rest)) = rest.split_first() else { return instant(days, Clock::default(), 0) };
    let (clock, rest) = parse_clock(rest)?;
    let zone = if rest.is_empty() { 0 } else { parse_zone(rest)? };
    let plain = *separator == b'T' && rest != b"z" && clock.digits <= 9 && !clock.leap;
    plain.then(|| instant(days, clock, zone)).flatten()
}

/// A time of day: seconds, nanoseconds, and how many digits the fraction had.
#[derive(Clone, Copy, Default)]
struct Clock {
    second: i64,
    ns: i64,
    digits: usize,
    leap: bool,
}

fn two_digits(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text.get(at)?.wrapping_sub(b'0'), text.get(at + 1)?.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// `YYYY-MM-DD` as days since the epoch; the text is ten bytes long.
fn parse_date(text: &[u8]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two_digits(text, 0)? * 100 + two_digits(text, 2)?;
    let (month, day) = (two_digits(text, 5)?, two_digits(text, 8)?);
    ((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `hh:mm:ss[.f+]` and what follows it.
fn parse_clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let (clock, mut rest) = text.split_at_checked(8)?;
    let (hour, minute, second) = (two_digits(clock, 0)?, two_digits(clock, 3)?, two_digits(clock, 6)?);
    if clock[2] != b':' || clock[5] != b':' || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (mut ns, mut digits) = (0, 0);
    if let Some((b'.', fraction)) = rest.split_first() {
        digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let padded = fraction[..digits].iter().copied().chain(std::iter::repeat(b'0'));
        ns = padded.take(9).fold(0, |ns, digit| ns * 10 + i64::from(digit - b'0'));
        rest = &fraction[digits..];
    }
    Some((Clock { second: hour * 3600 + minute * 60 + second, ns, digits, leap: second == 60 }, rest))
}

/// `Z` or `±hh:mm`, as seconds that local time is ahead of UTC.
fn parse_zone(text: &[u8]) -> Option<i64> {
    let (sign, offset) = text.split_first()?;
    if matches!(sign, b'Z' | b'z') {
        return offset.is_empty().then_some(0);
    }
    let (hour, minute) = (two_digits(offset, 0)?, two_digits(offset, 3)?);
    if offset.len() != 5 || offset[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    match sign {
        b'+' => Some(hour * 3600 + minute * 60),
        b'-' => Some(-(hour * 3600 + minute * 60)),
        _ => None,
    }
}

fn instant(days: i64, clock: Clock, zone: i64) -> Option<i64> {
    let seconds = days * SECONDS_PER_DAY + clock.second - zone;
    if clock.leap && seconds.rem_euclid(SECONDS_PER_DAY) != 0 {
        return None;
    }
    let ns = i128::from(seconds) * 1_000_000_000 + i128::from(clock.ns);
    i64::try_from(ns).ok()
}

/// Milliseconds since the epoch as a time: from 0 on, as far as i64 ns reach.
pub fn from_epoch_ms(ms: i64) -> Option<i64> {
    if ms < 0 { None } else { ms.checked_mul(NS_PER_MS) }
}

/// The readable times of section 7: RFC 3339 text with zone, int epoch ms.
pub fn readable_time(value: &Value) -> Option<i64> {
    match value {
        Value::Time(ns) => Some(*ns),
        Value::Int(ms) => from_epoch_ms(*ms),
        Value::Str(text) => parse_rfc3339(text.as_bytes()),
        _ => None,
    }
}

/// Nanoseconds of a duration's unit.
pub fn unit_ns(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => NS_PER_MS,
        "s" => 1_000 * NS_PER_MS,
        "m" => 60_000 * NS_PER_MS,
        "h" => 3_600_000 * NS_PER_MS,
        "d" => 86_400_000 * NS_PER_MS,
        _ => return None,
    })
}

/// A duration as its text form shows it: `\d+(ns|us|ms|s|m|h|d)`, with `-` before it if it is negative.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let unit_at = digits.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    // More digits than i128 holds are out of range anyway.
    let count: i128 = digits[..unit_at].parse().ok()?;
    let ns = count.checked_mul(unit_ns(&digits[unit_at..])?.into())?;
    i64::try_from(if negative { -ns } else { ns }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::text::to_text;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<i64> {
        parse_rfc3339(text.as_bytes())
    }

    #[test]
    fn rfc_3339_is_read_with_any_zone() {
        const S: i64 = 1_000_000_000;
        for (text, ns) in [
            ("1970-01-01T00:00:05Z", 5 * S),
            ("1970-01-01t00:00:05z", 5 * S),
            ("1970-01-01 00:00:05+00:00", 5 * S),
            ("2024-01-15T12:00:59.5+02:00", 1_705_312_859_500_000_000),
            ("2024-01-15T04:30:59.5-05:30", 1_705_312_859_500_000_000),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("1970-01-01T00:00:00.0000000019Z", 1),
            ("2000-02-29T00:00:00-00:00", 951_782_400 * S),
            ("1990-12-31T23:59:60Z", 662_688_000 * S),
            ("1990-12-31T15:59:60-08:00", 662_688_000 * S),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
            ("1677-09-21T00:12:43.145224192Z", i64::MIN),
        ] {
            assert_eq!(read(text), Some(ns), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "2024",
            "2024-01-15",
            "2024-01-15T10:00:00",
            "2024-01-15T10:00Z",
            "2024-1-15T10:00:00Z",
            "2024-01-15T10:00:00.Z",
            "2024-13-15T10:00:00Z",
            "2024-00-15T10:00:00Z",
            "2024-01-32T10:00:00Z",
            "2023-02-29T10:00:00Z",
            "1900-02-29T10:00:00Z",
            "2024-01-15T24:00:00Z",
            "2024-01-15T10:60:00Z",
            "2024-01-15T10:00:61Z",
            "2024-01-15T10:00:60Z",
            "2024-01-15T10:00:00+0200",
            "2024-01-15T10:00:00+2:00",
            "2024-01-15T10:00:00+24:00",
            "2024-01-15T10:00:00+02:60",
            "2024-01-15T10:00:00+02:00x",
            "2024-01-15T10:00:00ZZ",
            "2024-01-15T10:00:00Z ",
            " 2024-01-15T10:00:00Z",
            "+2024-01-15T10:00:00Z",
            "2024-01-15_10:00:00Z",
            "2024/01/15T10:00:00Z",
            "2024-01-15T10.00.00Z",
            "2262-04-11T23:47:16.854775808Z",
            "1677-09-21T00:12:43.145224191Z",
            "9999-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "２024-01-15T10:00:00Z",
            "1705312859500",
            "2024-01-15T10:00:00é",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn literals_may_lack_time_and_zone() {
        let second = 1_000_000_000;
        let cases = [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:05Z", Some(5 * second)),
            ("1970-01-01T00:00:05", Some(5 * second)),
            ("1970-01-01T02:00:00+02:00", Some(0)),
            ("1969-12-31T22:30:00-01:30", Some(0)),
            ("1969-12-31T23:59:59.5Z", Some(-second / 2)),
            ("2024-01-15", Some(1_705_276_800 * second)),
            ("2000-02-29T12:00:00.123456789Z", Some(951_825_600 * second + 123_456_789)),
            ("2262-04-11T23:47:16.854775807Z", Some(i64::MAX)),
            ("2262-04-11T23:47:16.854775808Z", None),
            ("1677-09-21T00:12:43.145224192Z", Some(i64::MIN)),
            ("0001-01-01", None),
            ("2024-13-01", None),
            ("2023-02-29", None),
            ("2024-1-15", None),
            ("2024-01-15T", None),
            ("2024-01-15T10:00", None),
            ("2024-01-15T24:00:00", None),
            ("2024-01-15T10:00:60", None),
            ("2024-01-15T10:00:00.", None),
            ("2024-01-15T10:00:00.1234567890", None),
            ("2024-01-15Z", None),
            ("2024-01-15T10:00:00+2", None),
            ("2024-01-15T10:00:00Zx", None),
            ("", None),
            ("1970-01-01t00:00:01Z", None),
            ("1970-01-01T00:00:01z", None),
            ("1970-01-01 00:00:01Z", None),
            ("1990-12-31T23:59:60Z", None),
            ("2024-01-15Té", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_timestamp_literal(text), expected, "{text}");
        }
    }

    #[test]
    fn epoch_milliseconds_start_at_zero() {
        assert_eq!(readable_time(&Value::Int(0)), Some(0));
        assert_eq!(readable_time(&Value::Int(9_223_372_036_854)), Some(9_223_372_036_854_000_000));
        assert_eq!(readable_time(&Value::Int(9_223_372_036_855)), None);
        assert_eq!(readable_time(&Value::Int(-1)), None);
        assert_eq!(readable_time(&Value::Float(1.0)), None);
        assert_eq!(readable_time(&Value::Null), None);
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, ns) in [
            ("5s", 5_000_000_000),
            ("1500ms", 1_500_000_000),
            ("007us", 7_000),
            ("0d", 0),
            ("-2m", -120_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("3h", 10_800_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Some(ns), "{text}");
        }
        for bad in [
            "",
            "s",
            "5",
            "5 s",
            "5S",
            "5sec",
            "1.5s",
            "1h30m",
            "+5s",
            "--5s",
            "-",
            "9223372036854775808ns",
            "106752d",
            "99999999999999999999999999999999999999999999s",
            "５s",
            " 5s",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back_from_its_text(ns in any::<i64>()) {
            prop_assert_eq!(read(&to_text(&Value::Time(ns))), Some(ns));
        }

        #[test]
        fn every_duration_reads_back_from_its_text(ns in any::<i64>(), unit in prop::sample::select(vec![1, 1_000, 1_000_000, 60_000_000_000_i64])) {
            let ns = ns / unit * unit;
            prop_assert_eq!(parse_duration(&to_text(&Value::Duration(ns))), Some(ns));
        }

        #[test]
        fn no_text_makes_the_readers_fail(text in ".{0,40}", digits in "[0-9TZ:+. -]{0,40}") {
            let _ = (read(&text), read(&digits), parse_timestamp_literal(&digits), parse_duration(&text));
        }
    }
}
