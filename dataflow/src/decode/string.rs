//! JSON strings: where they end, whether they are valid, and what escaped ones say.
//!
//! The buffer has been checked to be UTF-8 before, so that only escapes and control characters are looked at here.

/// Bytes looked at in one step.
const STEP: usize = 16;

/// Marks the bytes that end a run of ordinary characters: `"`, `\` and control characters. One byte for each, so that the
/// compiler does all of them at once.
#[inline(always)]
fn special(step: &[u8; STEP]) -> u128 {
    let mut marks = [0; STEP];
    let mut at = 0;
    while at < STEP {
        let byte = step[at];
        let special = (byte == b'"') | (byte == b'\\') | (byte < 0x20);
        // All bits: what the machine's comparison of vectors gives.
        marks[at] = 0_u8.wrapping_sub(u8::from(special));
        at += 1;
    }
    u128::from_le_bytes(marks)
}

/// Number of ordinary characters at the start, a few less at the end of the text. A string of nothing else ends behind them
/// if a quote comes next.
#[inline(always)]
pub(super) fn plain(rest: &[u8]) -> usize {
    let mut ahead = rest;
    while let Some((step, behind)) = ahead.split_first_chunk() {
        let marks = special(step);
        if marks != 0 {
            return rest.len() - ahead.len() + marks.trailing_zeros() as usize / 8;
        }
        ahead = behind;
    }
    rest.len() - ahead.len()
}

/// Length of the string that `rest` begins behind the opening quote of, and whether anything in it is escaped; `None` if it
/// is not valid or does not end.
#[inline(always)]
pub(super) fn string(rest: &[u8]) -> Option<(usize, bool)> {
    let length = plain(rest);
    if rest.get(length) == Some(&b'"') { Some((length, false)) } else { escaped(rest, length) }
}

/// The same from `pos` on, byte by byte.
#[cold]
fn escaped(rest: &[u8], mut pos: usize) -> Option<(usize, bool)> {
    let mut any = false;
    loop {
        match rest.get(pos)? {
            b'"' => return Some((pos, any)),
            b'\\' => {
                pos = escape(rest, pos)?.1;
                any = true;
            }
            ..0x20 => return None,
            _ => pos += 1,
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
        let (end, escaped) = string(text.as_bytes())?;
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
        assert_eq!(string(b"abc"), None);
        assert_eq!(string(b"abc\\"), None);
        assert_eq!(string(b""), None);
    }

    #[test]
    fn every_byte_that_ends_a_run_is_found_wherever_it_stands() {
        for length in 0..40 {
            for byte in (0..0x20).chain([b'"']) {
                let mut text = vec![b'\x7F'; 40];
                text[length] = byte;
                let expected = (byte == b'"').then_some((length, false));
                assert_eq!(string(&text), expected);
                assert_eq!(string(&text[..=length]), expected);
                text.extend_from_slice(b"\\n\"");
                text[length] = b'~';
                assert_eq!(string(&text), Some((42, true)));
            }
        }
    }
}
