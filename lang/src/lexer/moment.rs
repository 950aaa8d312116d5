//! Timestamp literals: `@2024-01-15T10:00:00.5+02:00` to nanoseconds since the epoch, proleptic Gregorian, UTC without a zone.

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// Reads the text behind the `@`; null if it has not the form, names no day or moment, or does not fit i64 nanoseconds.
pub fn parse(text: &str) -> Option<i64> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.byte(b'-')?;
    let month = rest.number(2)?;
    rest.byte(b'-')?;
    let day = rest.number(2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let mut ns = i128::from(days_since_epoch(year, month, day)) * 86_400 * SECOND;
    if !rest.0.is_empty() {
        ns += time_of_day(&mut rest)?;
    }
    if !rest.0.is_empty() {
        return None;
    }
    i64::try_from(ns).ok()
}

/// `Thh:mm:ss[.f][zone]` as an offset to midnight UTC.
fn time_of_day(rest: &mut Rest) -> Option<i128> {
    rest.byte(b'T')?;
    let hour = rest.number(2)?;
    rest.byte(b':')?;
    let minute = rest.number(2)?;
    rest.byte(b':')?;
    let second = rest.number(2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut ns = i128::from(hour * 3600 + minute * 60 + second) * SECOND;
    if rest.byte(b'.').is_some() {
        ns += rest.fraction()?;
    }
    if rest.byte(b'Z').is_some() {
        return Some(ns);
    }
    let sign = match rest.0.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Some(ns),
    };
    rest.0 = &rest.0[1..];
    let hours = rest.number(2)?;
    rest.byte(b':')?;
    let minutes = rest.number(2)?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(ns - sign * i128::from(hours * 3600 + minutes * 60) * SECOND)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = tail;
        Some(head.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    /// One to nine digits as nanoseconds.
    fn fraction(&mut self) -> Option<i128> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        let value = self.number(digits)?;
        Some(i128::from(value) * 10i128.pow(9 - digits as u32))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01: years are counted from March, so that the leap day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_their_value() {
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
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
