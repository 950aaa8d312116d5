//! Tokens: the values of a record's keys as the scanner met them, and how a value is validated.
//!
//! Validation is exactly JSON's, with a limit on nesting. In a buffer of lines a line break ends the record; in a buffer
//! of messages each is followed by a byte that JSON has nowhere.

use super::JSON_DEPTH;
use super::number::{Number, number};
use super::string::string;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) struct Token {
    bits: u64,
    pub kind: Kind,
}

impl Token {
    /// Null.
    pub const NONE: Token = Token { bits: 0, kind: Kind::Null };

    #[inline(always)]
    fn new(kind: Kind, bits: u64) -> Token {
        Token { bits, kind }
    }

    #[inline(always)]
    pub fn spanning(kind: Kind, start: usize, length: usize) -> Token {
        Token { bits: start as u64 | (length as u64) << 32, kind }
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

impl From<Number> for Token {
    #[inline(always)]
    fn from(number: Number) -> Token {
        match number {
            Number::Int(int) => Token::new(Kind::Int, int as u64),
            Number::Float(float) => Token::new(Kind::Float, float.to_bits()),
            Number::Beyond => Token::NONE,
        }
    }
}

/// The first byte; 0 at the end.
#[inline(always)]
pub(super) fn first(rest: &[u8]) -> u8 {
    rest.first().copied().unwrap_or_default()
}

/// What is behind so many bytes.
#[inline(always)]
pub(super) fn behind(rest: &[u8], count: usize) -> &[u8] {
    rest.get(count..).unwrap_or_default()
}

/// Behind the whitespace at the start. A line break counts as such only where it does not end the record.
#[inline(always)]
pub(super) fn blank<const LINES: bool>(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest.split_first() {
            Some((b' ' | b'\t' | b'\r', behind)) => rest = behind,
            Some((b'\n', behind)) if !LINES => rest = behind,
            _ => return rest,
        }
    }
}

/// The value at the start, inside of `depth` brackets, and what is behind it. `total` is the length of the text that `rest`
/// is the end of.
#[inline(always)]
pub(super) fn value<const LINES: bool>(rest: &[u8], total: usize, depth: u32) -> Option<(Token, &[u8])> {
    let (first, inside) = rest.split_first()?;
    match first {
        b'"' => {
            let (length, escaped) = string(inside)?;
            let kind = if escaped { Kind::Escaped } else { Kind::Text };
            Some((Token::spanning(kind, total - inside.len(), length), behind(inside, length + 1)))
        }
        b'-' | b'0'..=b'9' => {
            let (number, length) = number(rest)?;
            Some((number.into(), behind(rest, length)))
        }
        b't' => word(rest, b"true", Kind::True),
        b'f' => word(rest, b"false", Kind::False),
        b'n' => word(rest, b"null", Kind::Null),
        b'[' | b'{' => {
            let behind = nested::<LINES>(rest, depth)?;
            Some((Token::spanning(Kind::Nested, total - rest.len(), rest.len() - behind.len()), behind))
        }
        _ => None,
    }
}

#[inline(always)]
fn word<'t>(rest: &'t [u8], word: &[u8], kind: Kind) -> Option<(Token, &'t [u8])> {
    Some((Token::new(kind, 0), rest.strip_prefix(word)?))
}

/// Behind the array or object at the start.
#[inline(never)]
fn nested<const LINES: bool>(mut rest: &[u8], depth: u32) -> Option<&[u8]> {
    // One bit per open bracket, the innermost lowest: is it an object?
    let mut objects = 0_u64;
    let mut level = depth;
    loop {
        match first(rest) {
            open @ (b'[' | b'{') => {
                if level == JSON_DEPTH {
                    return None;
                }
                level += 1;
                let object = open == b'{';
                objects = objects << 1 | u64::from(object);
                rest = blank::<LINES>(behind(rest, 1));
                if first(rest) != if object { b'}' } else { b']' } {
                    if object {
                        rest = key::<LINES>(rest)?;
                    }
                    continue;
                }
                (rest, level, objects) = (behind(rest, 1), level - 1, objects >> 1);
            }
            // Not an array or object: neither place nor depth matters.
            _ => rest = value::<LINES>(rest, rest.len(), level)?.1,
        }
        while level > depth {
            rest = blank::<LINES>(rest);
            match (first(rest), objects & 1) {
                (b',', 0) => {
                    rest = blank::<LINES>(behind(rest, 1));
                    break;
                }
                (b',', _) => {
                    rest = key::<LINES>(blank::<LINES>(behind(rest, 1)))?;
                    break;
                }
                (b']', 0) | (b'}', 1) => (rest, level, objects) = (behind(rest, 1), level - 1, objects >> 1),
                _ => return None,
            }
        }
        if level == depth {
            return Some(rest);
        }
    }
}

/// Behind the key at the start, its colon and the whitespace that follows.
fn key<const LINES: bool>(rest: &[u8]) -> Option<&[u8]> {
    let inside = rest.strip_prefix(b"\"")?;
    let (length, _) = string(inside)?;
    let colon = blank::<LINES>(behind(inside, length + 1));
    Some(blank::<LINES>(colon.strip_prefix(b":")?))
}

/// What is behind the JSON value of any kind at the start and the whitespace around it; `None`: it is not valid.
pub(super) fn document<const LINES: bool>(rest: &[u8]) -> Option<&[u8]> {
    let start = blank::<LINES>(rest);
    let (_, behind) = value::<LINES>(start, start.len(), 0)?;
    Some(blank::<LINES>(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_document(text: &str) -> bool {
        document::<false>(text.as_bytes()) == Some(b"")
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
        assert_eq!(document::<true>(b"[1,\n2]"), None);
        assert_eq!(document::<true>(b"[1]\n[2]"), Some(&b"\n[2]"[..]));
    }
}
