//! JSON strings: where they end, whether they are valid, and what escaped ones say.
//!
//! The buffer has been checked to be UTF-8 before, so that only escapes and control characters are looked at here.

use super::number::word;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes that end a run of ordinary characters: `"`, `\` and control characters. The lowest mark is exact.
#[inline(always)]
fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

/// First byte from `pos` that is `"`, `\` or a control character, or something at or behind `end`.
#[inline(always)]
pub(super) fn run(bytes: &[u8], mut pos: usize, end: usize) -> usize {
    while pos < end {
        let marks = special(word(bytes, pos));
        if marks != 0 {
            return pos + (marks.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    pos
}

/// The closing quote of the string whose first character is at `pos`, and whether anything is escaped; `None` if it is
/// not valid or does not end before `end`.
#[inline(always)]
pub(super) fn string(bytes: &[u8], pos: usize, end: usize) -> Option<(usize, bool)> {
    let stop = run(bytes, pos, end);
    if stop < end && bytes[stop] == b'"' { Some((stop, false)) } else { escaped(bytes, stop, end) }
}

#[cold]
fn escaped(bytes: &[u8], mut pos: usize, end: usize) -> Option<(usize, bool)> {
    loop {
        pos = run(bytes, pos, end);
        match bytes[..end].get(pos)? {
            b'"' => return Some((pos, true)),
            b'\\' => pos = escape(&bytes[..end], pos)?.1,
            _ => return None,
        }
    }
}

/// What the escape at `pos` says and where it ends.
fn escape(bytes: &[u8], pos: usize) -> Option<(char, usize)> {
    let simple = match bytes.get(pos + 1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes, pos),
        _ => return None,
    };
    Some((simple, pos + 2))
}

/// `\uXXXX` or a pair of surrogates.
fn unicode(bytes: &[u8], pos: usize) -> Option<(char, usize)> {
    let first = hex(bytes, pos + 2)?;
    if !(0xD800..0xE000).contains(&first) {
        return char::from_u32(first).map(|c| (c, pos + 6));
    }
    if first >= 0xDC00 || bytes.get(pos + 6..pos + 8)? != b"\\u" {
        return None;
    }
    let second = hex(bytes, pos + 8)?;
    if !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|c| (c, pos + 12))
}

fn hex(bytes: &[u8], pos: usize) -> Option<u32> {
    let digits = bytes.get(pos..pos + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// Appends what the inside of a valid string (`text`, without quotes) says.
pub(super) fn unescape(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let mut pos = 0;
    while let Some(offset) = memchr::memchr(b'\\', &bytes[pos..]) {
        out.push_str(&text[pos..pos + offset]);
        let Some((character, end)) = escape(bytes, pos + offset) else { return };
        out.push(character);
        pos = end;
    }
    out.push_str(&text[pos..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inside: &str) -> Option<String> {
        let text = format!("{inside}\",\"next\"");
        let (end, escaped) = string(text.as_bytes(), 0, text.len())?;
        let mut out = String::new();
        unescape(&text[..end], &mut out);
        assert_eq!(escaped, text[..end].contains('\\'));
        Some(out)
    }

    #[test]
    fn plain_strings_end_at_the_quote() {
        assert_eq!(read(""), Some("".into()));
        assert_eq!(read("sensor_0473 and more"), Some("sensor_0473 and more".into()));
        assert_eq!(read("bébé ☃ 🙂"), Some("bébé ☃ 🙂".into()));
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(read(r#"a\"b\\c\/\b\f\n\r\t\u0041\ud83d\ude42"#), Some("a\"b\\c/\u{8}\u{c}\n\r\tA🙂".into()));
    }

    #[test]
    fn bad_strings_are_refused() {
        for bad in ["a\nb", "\u{1f}", r"\x", r"\u12", r"\u12g4", r"\ud800", r"\ud800\u0041", r"\udc00", r"\u+123"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(string(b"abc", 0, 3), None);
        assert_eq!(string(b"abc\\", 0, 4), None);
        assert_eq!(string(b"abc\"", 0, 3), None);
    }
}
