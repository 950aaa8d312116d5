//! Tokens: the values of a record's keys as the scanner met them, and how a value is validated.
//!
//! Validation is exactly JSON's, with a limit on nesting. In a buffer of lines a line break ends the record; in a buffer
//! of messages each is followed by a byte that JSON has nowhere.

use super::JSON_DEPTH;
use super::number::{Number, number};
use super::string::string;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `null`, and numbers beyond every float.
    Null,
    False,
    True,
    Int,
    Float,
    /// Text without escapes.
    Text,
    /// Text with escapes.
    Escaped,
    /// An array or object.
    Nested,
}

/// A value: a number's bits, or the span of a text (without quotes) or of a nested value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    bits: u64,
    pub kind: Kind,
}

impl Token {
    #[inline(always)]
    fn new(kind: Kind, bits: u64) -> Token {
        Token { bits, kind }
    }

    #[inline(always)]
    pub fn spanning(kind: Kind, start: usize, end: usize) -> Token {
        Token { bits: start as u64 | ((end - start) as u64) << 32, kind }
    }

    /// The int, if it is one.
    #[inline(always)]
    pub fn int(self) -> i64 {
        self.bits as i64
    }

    /// The float, if it is one.
    #[inline(always)]
    pub fn float(self) -> f64 {
        f64::from_bits(self.bits)
    }

    /// Start and length, if it has a span.
    #[inline(always)]
    pub fn span(self) -> (u32, u32) {
        (self.bits as u32, (self.bits >> 32) as u32)
    }

    /// Text?
    #[inline(always)]
    pub fn is_text(self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Escaped)
    }
}

/// The byte at a position; 0 behind the end.
#[inline(always)]
pub(super) fn byte(bytes: &[u8], pos: usize) -> u8 {
    bytes.get(pos).copied().unwrap_or_default()
}

/// Behind the whitespace at `pos`. A line break counts as such only where it does not end the record.
#[inline(always)]
pub(super) fn blank<const LINES: bool>(bytes: &[u8], mut pos: usize) -> usize {
    loop {
        match byte(bytes, pos) {
            b' ' | b'\t' | b'\r' => pos += 1,
            b'\n' if !LINES => pos += 1,
            _ => return pos,
        }
    }
}

/// The value at `pos` inside of `depth` brackets, and where it ends.
#[inline(always)]
pub(super) fn value<const LINES: bool>(bytes: &[u8], pos: usize, depth: u32) -> Option<(Token, usize)> {
    match byte(bytes, pos) {
        b'"' => {
            let (end, escaped) = string(bytes, pos + 1, bytes.len())?;
            let kind = if escaped { Kind::Escaped } else { Kind::Text };
            Some((Token::spanning(kind, pos + 1, end), end + 1))
        }
        b'-' | b'0'..=b'9' => {
            let (number, end) = number(bytes, pos)?;
            let token = match number {
                Number::Int(int) => Token::new(Kind::Int, int as u64),
                Number::Float(float) => Token::new(Kind::Float, float.to_bits()),
                Number::Beyond => Token::new(Kind::Null, 0),
            };
            Some((token, end))
        }
        b't' => word(bytes, pos, b"true", Kind::True),
        b'f' => word(bytes, pos, b"false", Kind::False),
        b'n' => word(bytes, pos, b"null", Kind::Null),
        b'[' | b'{' => {
            let end = nested::<LINES>(bytes, pos, depth)?;
            Some((Token::spanning(Kind::Nested, pos, end), end))
        }
        _ => None,
    }
}

#[inline(always)]
fn word(bytes: &[u8], pos: usize, word: &[u8], kind: Kind) -> Option<(Token, usize)> {
    let end = pos + word.len();
    (bytes.get(pos..end)? == word).then_some((Token::new(kind, 0), end))
}

/// Where the array or object at `pos` ends.
fn nested<const LINES: bool>(bytes: &[u8], mut pos: usize, depth: u32) -> Option<usize> {
    // One bit per open bracket, the innermost lowest: is it an object?
    let mut objects = 0_u64;
    let mut level = depth;
    loop {
        match byte(bytes, pos) {
            open @ (b'[' | b'{') => {
                if level == JSON_DEPTH {
                    return None;
                }
                level += 1;
                let object = open == b'{';
                objects = objects << 1 | u64::from(object);
                pos = blank::<LINES>(bytes, pos + 1);
                if byte(bytes, pos) != if object { b'}' } else { b']' } {
                    if object {
                        pos = key::<LINES>(bytes, pos)?;
                    }
                    continue;
                }
                pos += 1;
                level -= 1;
                objects >>= 1;
            }
            // Not an array or object: the depth does not matter.
            _ => pos = value::<LINES>(bytes, pos, level)?.1,
        }
        while level > depth {
            pos = blank::<LINES>(bytes, pos);
            match (byte(bytes, pos), objects & 1) {
                (b',', 0) => {
                    pos = blank::<LINES>(bytes, pos + 1);
                    break;
                }
                (b',', _) => {
                    pos = key::<LINES>(bytes, blank::<LINES>(bytes, pos + 1))?;
                    break;
                }
                (b']', 0) | (b'}', 1) => {
                    pos += 1;
                    level -= 1;
                    objects >>= 1;
                }
                _ => return None,
            }
        }
        if level == depth {
            return Some(pos);
        }
    }
}

/// Behind the key at `pos`, its colon and the whitespace that follows.
fn key<const LINES: bool>(bytes: &[u8], pos: usize) -> Option<usize> {
    if byte(bytes, pos) != b'"' {
        return None;
    }
    let (end, _) = string(bytes, pos + 1, bytes.len())?;
    let colon = blank::<LINES>(bytes, end + 1);
    (byte(bytes, colon) == b':').then(|| blank::<LINES>(bytes, colon + 1))
}

/// Where the JSON value of any kind ends that begins at `start` with the whitespace around it; `None`: it is not valid.
pub(super) fn document<const LINES: bool>(bytes: &[u8], start: usize) -> Option<usize> {
    let (_, end) = value::<LINES>(bytes, blank::<LINES>(bytes, start), 0)?;
    Some(blank::<LINES>(bytes, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_document(text: &str) -> bool {
        document::<false>(text.as_bytes(), 0) == Some(text.len())
    }

    #[test]
    fn documents_are_those_of_json() {
        for text in [
            "1",
            " true ",
            "null",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1,2]",
            "[[],{}]",
            r#"{"a":{"b":[1,{"c":null}]},"d":"x"}"#,
            "\n[\n1\r,\t2 ]\n",
            "\"\\u00e9\"",
        ] {
            assert!(is_document(text), "{text}");
        }
        for text in [
            "",
            " ",
            "tru",
            "truex",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "[1]]",
            "'a'",
            "[\"a\nb\"]",
            "[1,\u{0}2]",
            "\u{feff}1",
        ] {
            assert!(!is_document(text), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_document(&nested(64)));
        assert!(!is_document(&nested(65)));
        let objects = "{\"a\":".repeat(64) + "1" + &"}".repeat(64);
        assert!(is_document(&objects));
        assert!(!is_document(&format!("[{objects}]")));
    }

    #[test]
    fn a_line_break_ends_a_record_in_lines() {
        assert_eq!(document::<true>(b"[1,\n2]", 0), None);
        assert_eq!(document::<true>(b"[1]\n[2]", 0), Some(3));
    }
}
