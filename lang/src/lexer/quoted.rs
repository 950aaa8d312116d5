//! Strings: where one ends, its escapes, its value.

use std::ops::Range;

/// What [`scan`] finds.
#[derive(Debug, PartialEq, Eq)]
pub struct Quoted {
    /// One past the closing quote, or the end of the line.
    pub end: usize,
    /// Is there a closing quote?
    pub closed: bool,
    /// Escapes that mean nothing.
    pub bad_escapes: Vec<Range<usize>>,
}

/// Reads the string at the beginning of `text`, which begins with a quote.
pub fn scan(text: &str) -> Quoted {
    let bytes = text.as_bytes();
    let quote = bytes[0];
    let mut found = Quoted { end: 1, closed: false, bad_escapes: Vec::new() };
    while let Some(&byte) = bytes.get(found.end) {
        match byte {
            b'\n' => break,
            b'\r' if bytes.get(found.end + 1) == Some(&b'\n') => break,
            b'\\' => match escape(&text[found.end..]) {
                Escape::Char(_, length) => found.end += length,
                Escape::Bad(length) => {
                    found.bad_escapes.push(found.end..found.end + length);
                    found.end += length;
                }
            },
            _ if byte == quote => {
                found.closed = true;
                found.end += 1;
                break;
            }
            _ => found.end += 1,
        }
    }
    found
}

/// The value of a STR token, quotes included; an escape that means nothing stands for itself.
pub fn value(text: &str) -> String {
    let inner = &text[1..text.len().saturating_sub(1).max(1)];
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match escape(rest) {
            Escape::Char(char, length) => {
                value.push(char);
                length
            }
            Escape::Bad(length) => {
                value.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    value.push_str(rest);
    value
}

enum Escape {
    /// A character and the escape's length.
    Char(char, usize),
    /// The length of what is no escape.
    Bad(usize),
}

/// Reads the escape at the beginning of `text`, which begins with a backslash.
fn escape(text: &str) -> Escape {
    let Some(char) = text[1..].chars().next() else { return Escape::Bad(1) };
    let simple = match char {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        '\\' | '"' | '\'' => char,
        'u' => return unicode(text),
        '\n' | '\r' => return Escape::Bad(1),
        _ => return Escape::Bad(1 + char.len_utf8()),
    };
    Escape::Char(simple, 2)
}

/// `\u{e9}`
fn unicode(text: &str) -> Escape {
    let bytes = text.as_bytes();
    if bytes.get(2) != Some(&b'{') {
        return Escape::Bad(2);
    }
    let digits = bytes[3..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = 3 + digits;
    if bytes.get(end) != Some(&b'}') {
        return Escape::Bad(end);
    }
    let code = u32::from_str_radix(&text[3..end], 16).ok();
    match code.and_then(char::from_u32) {
        Some(char) => Escape::Char(char, end + 1),
        None => Escape::Bad(end + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_quote_or_with_the_line() {
        let none: &[(usize, usize)] = &[];
        let cases = [
            ("\"a'b\" x", 5, true, none),
            ("'it\\'s'", 7, true, none),
            ("\"abc\r\n\"", 4, false, none),
            ("\"a\\", 3, false, &[(2, 3)]),
            ("\"\\q\\u{}\\u{d800}\\u{zz}\"", 22, true, &[(1, 3), (3, 7), (7, 15), (15, 18)]),
        ];
        for (text, end, closed, bad) in cases {
            let found = scan(text);
            let escapes: Vec<_> = found.bad_escapes.iter().map(|range| (range.start, range.end)).collect();
            assert_eq!((found.end, found.closed, escapes.as_slice()), (end, closed, bad), "{text}");
        }
    }

    #[test]
    fn escapes_have_their_value() {
        assert_eq!(value(r#""a\n\t\r\0\\\"\'\u{e9}z""#), "a\n\t\r\0\\\"'éz");
        assert_eq!(value("''"), "");
    }
}
