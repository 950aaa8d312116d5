//! Times and durations as events spell them: RFC 3339 with a zone, epoch milliseconds, `5s`.
//!
//! What does not fit nanoseconds in an i64 is not readable.

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_SECOND: i64 = 1_000_000_000;

/// Epoch milliseconds as a time; negative ones are none.
#[inline]
pub(crate) fn of_millis(millis: i64) -> Option<i64> {
    if millis < 0 { None } else { millis.checked_mul(NS_PER_MS) }
}

/// RFC 3339 with a zone: `2024-01-15T12:00:59.5+02:00`.
pub(crate) fn of_text(text: &[u8]) -> Option<i64> {
    let head: &[u8; 19] = text.get(..19)?.try_into().ok()?;
    let shape = head[4] == b'-' && head[7] == b'-' && head[13] == b':' && head[16] == b':';
    if !shape || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i64::from(two(head[0], head[1])?) * 100 + i64::from(two(head[2], head[3])?);
    let month = two(head[5], head[6])?;
    let day = two(head[8], head[9])?;
    let hour = two(head[11], head[12])?;
    let minute = two(head[14], head[15])?;
    let second = two(head[17], head[18])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = fraction(&text[19..])?;
    let clock = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let seconds = days(year, month, day)? * 86_400 + clock - offset(zone)?;
    // In 128 bits: the first second of i64 nanoseconds is below the range, its fraction is not.
    i64::try_from(i128::from(seconds) * i128::from(NS_PER_SECOND) + i128::from(fraction)).ok()
}

#[inline(always)]
fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (u32::from(tens.wrapping_sub(b'0')), u32::from(ones.wrapping_sub(b'0')));
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}

/// Nanoseconds of `.5` and what follows it; digits behind the ninth are dropped.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let nanos = (0..9).fold(0, |sum, place| {
        let digit = digits[..count].get(place).map_or(0, |digit| i64::from(digit - b'0'));
        sum * 10 + digit
    });
    Some((nanos, &digits[count..]))
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            let seconds = i64::from(hours * 3600 + minutes * 60);
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// `5s`, `1500ms`, `-2m`: the text form of durations.
pub(crate) fn duration(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: i128 = match &text[count..] {
        b"ns" => 1,
        b"us" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        b"d" => 86_400_000_000_000,
        _ => return None,
    };
    if count == 0 {
        return None;
    }
    let number =
        text[..count].iter().try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add((digit - b'0').into()))?;
    let ns = i128::from(number) * unit;
    i64::try_from(if negative { -ns } else { ns }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_lang::eval::text::{write_duration, write_time};

    #[test]
    fn times_with_a_zone_are_read() {
        for (text, ns) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-01-15T12:00:59.5+02:00", Some(1_705_312_859_500_000_000)),
            ("2024-01-15t10:00:59.500000000z", Some(1_705_312_859_500_000_000)),
            ("2024-01-15T10:00:59.5000000009Z", Some(1_705_312_859_500_000_000)),
            ("2024-02-29T00:00:00-00:30", Some(1_709_166_600_000_000_000)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-01-15T10:00:59", None),
            ("2024-01-15T10:00:59.Z", None),
            ("2024-01-15", None),
            ("2024-13-15T10:00:59Z", None),
            ("2024-01-15T24:00:00Z", None),
            ("2024-01-15T10:00:59Zx", None),
            ("2024-01-15T10:00:59+2:00", None),
            ("2024-01-15T1é:00:59Z", None),
            ("1677-09-21T00:12:43.145224192Z", Some(i64::MIN)),
            ("1677-09-21T00:12:43.145224191Z", None),
            ("2262-04-11T23:47:16.854775807Z", Some(i64::MAX)),
            ("2262-04-11T23:47:16.854775808Z", None),
            ("9999-01-01T00:00:00Z", None),
        ] {
            assert_eq!(of_text(text.as_bytes()), ns, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut seed = 7_u64;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let ns = (seed as i64) >> (seed >> 58);
            let (mut time, mut span) = (String::new(), String::new());
            write_time(&mut time, ns);
            write_duration(&mut span, ns);
            assert_eq!(of_text(time.as_bytes()), Some(ns), "{time}");
            assert_eq!(duration(span.as_bytes()), Some(ns), "{span}");
        }
    }

    #[test]
    fn durations_have_one_unit() {
        for (text, ns) in [("5s", Some(5 * NS_PER_SECOND)), ("5", None), ("s", None), ("1.5s", None), ("5 s", None)] {
            assert_eq!(duration(text.as_bytes()), ns, "{text}");
        }
        assert_eq!(duration(b"9223372036854775807ns"), Some(i64::MAX));
        assert_eq!(duration(b"106752d"), None);
    }

    #[test]
    fn millis_are_not_negative_and_fit() {
        assert_eq!(of_millis(0), Some(0));
        assert_eq!(of_millis(-1), None);
        assert_eq!(of_millis(9_223_372_036_854), Some(9_223_372_036_854_000_000));
        assert_eq!(of_millis(9_223_372_036_855), None);
    }
}
