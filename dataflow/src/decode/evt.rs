//! The `.evt` format (docs/language.md): one event per line, written for people.
//!
//! ```text
//! # comment
//! BATCH 1500
//! @100ms SensorReading { sensor: "a", t: 21.5, note: dry and warm }
//! Login("u1", true)
//! {"event_type":"A","data":{"i":1}}
//! ```
//! Lines become JSON lines, which the one decoder for JSON takes from there.

use super::dead::Reason;
use super::decoder::Refused;
use super::lines::line_spans;
use super::{JSON_DEPTH, MESSAGE_BYTES};
use rarog_lang::eval::text::write_json_string;

const NS_PER_MS: i64 = 1_000_000;

/// An event, now a line of JSON.
pub(super) struct Line {
    /// Its index among the lines of the chunk.
    pub index: usize,
    /// Where it stood.
    pub span: (usize, usize),
    /// The event time that the line or the BATCH above it says, ns.
    pub offset: Option<i64>,
}

/// A chunk as JSON lines.
pub(super) struct Translated {
    pub text: String,
    /// By line of `text`.
    pub lines: Vec<Line>,
    pub refused: Vec<Refused>,
}

/// What a line is.
enum Content<'t> {
    Nothing,
    /// ns
    Batch(i64),
    /// `@offset`, ns, and what follows.
    Event(Option<i64>, &'t str),
}

/// Translates lines; `batch` is the offset of the last BATCH above them, ns; `spoilt` says which are not UTF-8.
pub(super) fn translate(text: &str, mut batch: i64, spoilt: impl Fn(usize) -> bool) -> Translated {
    let mut to = Translated { text: String::with_capacity(text.len() * 2), lines: vec![], refused: vec![] };
    for (index, span) in line_spans(text.as_bytes()).into_iter().enumerate() {
        let line = text[span.0..span.1].trim();
        let mut refuse = |reason, detail: &str| to.refused.push(Refused::new(index, span, reason, detail));
        if span.1 - span.0 > MESSAGE_BYTES {
            refuse(Reason::TooLarge, "the line is longer than the limit");
            continue;
        }
        if spoilt(span.0) {
            let reason = if line.starts_with('{') { Reason::BadJson } else { Reason::BadLine };
            refuse(reason, "not UTF-8");
            continue;
        }
        let (offset, event) = match content(line) {
            Some(Content::Nothing) => continue,
            Some(Content::Batch(offset)) => {
                batch = offset;
                continue;
            }
            Some(Content::Event(offset, event)) => (offset.or((batch > 0).then_some(batch)), event),
            None => {
                refuse(Reason::BadLine, "not an event, a BATCH or a comment");
                continue;
            }
        };
        let start = to.text.len();
        match write_event(&mut to.text, event) {
            Some(Written { too_deep: false }) => {
                to.text.push('\n');
                to.lines.push(Line { index, span, offset });
            }
            Some(Written { too_deep: true }) => {
                to.text.truncate(start);
                refuse(Reason::BadLine, "arrays nested deeper than 64, the record counted");
            }
            None => {
                to.text.truncate(start);
                refuse(Reason::BadLine, "not an event: Type { key: value, … }, Type(value, …) or JSON");
            }
        }
    }
    to
}

/// The offset of the last BATCH line in these lines, ns; `before` if there is none.
pub fn batch_offset_behind(lines: &[u8], before: i64) -> i64 {
    let mut end = lines.len();
    while let Some(at) = memchr::memmem::rfind(&lines[..end], b"BATCH") {
        let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |before| before + 1);
        let behind = memchr::memchr(b'\n', &lines[at..]).map_or(lines.len(), |length| at + length);
        if let Ok(line) = std::str::from_utf8(&lines[start..behind])
            && let Some(Content::Batch(offset)) = content(line.trim())
        {
            return offset;
        }
        end = at;
    }
    before
}

fn content(line: &str) -> Option<Content<'_>> {
    if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
        return Some(Content::Nothing);
    }
    if let Some(offset) = line.strip_prefix("BATCH").and_then(batch) {
        return Some(Content::Batch(offset));
    }
    let Some(rest) = line.strip_prefix('@') else { return Some(Content::Event(None, line)) };
    let (offset, event) = rest.split_once([' ', '\t'])?;
    let digits = offset.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &offset[digits.len()..] {
        "" | "ms" => NS_PER_MS,
        "s" => 1_000 * NS_PER_MS,
        "m" => 60_000 * NS_PER_MS,
        _ => return None,
    };
    Some(Content::Event(Some(whole_number(digits)?.checked_mul(unit)?), event.trim_start()))
}

/// What follows `BATCH`: milliseconds, as ns.
fn batch(rest: &str) -> Option<i64> {
    let offset = rest.strip_prefix([' ', '\t'])?.trim();
    whole_number(offset.strip_suffix(';').unwrap_or(offset).trim_end())?.checked_mul(NS_PER_MS)
}

/// `\d+` in an i64.
fn whole_number(digits: &str) -> Option<i64> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all { digits.parse().ok() } else { None }
}

/// Writes an event as JSON. JSON stays as it is; whether it is valid is found out later.
fn write_event(out: &mut String, event: &str) -> Option<Written> {
    let event = event.strip_suffix(';').map_or(event, str::trim_end);
    if event.starts_with('{') {
        out.push_str(event);
        return Some(Written { too_deep: false });
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name_end = event.find(|c| !is_name(c))?;
    let (name, rest) = event.split_at(name_end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let close = match rest.chars().next()? {
        '{' => '}',
        '(' => ')',
        _ => return None,
    };
    out.push_str("{\"event_type\":\"");
    out.push_str(name);
    out.push_str("\",\"data\":{");
    let mut fields = Fields { text: &rest[1..], close, too_deep: false };
    fields.write(out)?;
    out.push_str("}}");
    Some(Written { too_deep: fields.too_deep })
}

/// An event that has become JSON.
struct Written {
    /// An array nests deeper than the limit; it must not pass for a text.
    too_deep: bool,
}

/// What is left of the fields of an event.
struct Fields<'t> {
    text: &'t str,
    close: char,
    too_deep: bool,
}

impl<'t> Fields<'t> {
    fn write(&mut self, out: &mut String) -> Option<()> {
        let mut count = 0;
        loop {
            self.text = self.text.trim_start();
            if self.text.is_empty() || self.skip(self.close) {
                return self.text.trim_end().is_empty().then_some(());
            }
            if count > 0 {
                out.push(',');
            }
            match self.close {
                '}' => self.key(out)?,
                _ => out.push_str(&format!("\"field_{count}\"")),
            }
            out.push(':');
            self.value(out, 3)?;
            count += 1;
            self.text = self.text.trim_start();
            if !self.skip(',') && !self.text.is_empty() && !self.text.starts_with(self.close) {
                return None;
            }
        }
    }

    fn skip(&mut self, character: char) -> bool {
        match self.text.strip_prefix(character) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    /// A name or a quoted text, and the colon.
    fn key(&mut self, out: &mut String) -> Option<()> {
        if let Some((key, rest)) = quoted(self.text) {
            self.text = rest.trim_start().strip_prefix(':')?;
            write_json_string(out, &key);
            return Some(());
        }
        let (key, rest) = self.text.split_once(':')?;
        let key = key.trim();
        if key.is_empty() || key.contains([',', '{', '}', '[', ']', '(', ')', '"', '\'']) {
            return None;
        }
        self.text = rest;
        write_json_string(out, key);
        Some(())
    }

    /// A value inside of `depth` brackets of the JSON to be.
    fn value(&mut self, out: &mut String, depth: u32) -> Option<()> {
        self.text = self.text.trim_start();
        if self.text.starts_with('[')
            && let Some(()) = self.array(out, depth)
        {
            return Some(());
        }
        if let Some((text, rest)) = quoted(self.text)
            && self.is_end(rest)
        {
            self.text = rest;
            write_json_string(out, &text);
            return Some(());
        }
        let (text, rest) = self.bare();
        self.text = rest;
        match text {
            "true" | "false" | "null" => out.push_str(text),
            "nil" => out.push_str("null"),
            _ => match number(text) {
                Some(number) => out.push_str(&number),
                None => write_json_string(out, text),
            },
        }
        Some(())
    }

    /// Does a value end here?
    fn is_end(&self, rest: &str) -> bool {
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with([',', self.close])
    }

    /// `[…]` with values of all kinds; as it was if it is not one.
    fn array(&mut self, out: &mut String, depth: u32) -> Option<()> {
        let (before, written) = (self.text, out.len());
        let mut inside = Fields { text: &self.text[1..], close: ']', too_deep: false };
        let done = inside.items(out, depth).filter(|()| self.is_end(inside.text));
        self.too_deep |= inside.too_deep;
        match done {
            Some(()) => self.text = inside.text,
            None => {
                self.text = before;
                out.truncate(written);
            }
        }
        done
    }

    fn items(&mut self, out: &mut String, depth: u32) -> Option<()> {
        if depth > JSON_DEPTH {
            self.too_deep = true;
            return None;
        }
        out.push('[');
        let mut count = 0;
        loop {
            self.text = self.text.trim_start();
            if self.skip(']') {
                out.push(']');
                return Some(());
            }
            if count > 0 {
                out.push(',');
            }
            self.value(out, depth + 1)?;
            count += 1;
            self.text = self.text.trim_start();
            if !self.skip(',') && !self.text.starts_with(']') {
                return None;
            }
        }
    }

    /// Text up to a comma or the closing bracket, those in brackets of its own aside.
    fn bare(&self) -> (&'t str, &'t str) {
        let mut open = 0_u32;
        for (at, character) in self.text.char_indices() {
            match character {
                ',' if open == 0 => return self.cut(at),
                c if c == self.close && open == 0 => return self.cut(at),
                '{' | '[' | '(' => open += 1,
                '}' | ']' | ')' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        self.cut(self.text.len())
    }

    fn cut(&self, at: usize) -> (&'t str, &'t str) {
        let (text, rest) = self.text.split_at(at);
        (text.trim_end(), rest)
    }
}

/// A text in quotes, and what follows it: `\n \t \r`, else `\c` is c.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c if c == quote => return Some((out, &text[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

/// An int or float as JSON writes it.
fn number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    let zeros = unsigned.len() - unsigned.trim_start_matches('0').len();
    // JSON has no zeros in front, but the one of `0` and `0.5`.
    let from = if unsigned[zeros..].starts_with(|c: char| c.is_ascii_digit()) { zeros } else { zeros - 1 };
    let sign = if text.starts_with('-') { "-" } else { "" };
    Some(format!("{sign}{}", &unsigned[from..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> Option<String> {
        let to = translate(line, 0, |_| false);
        assert_eq!(to.lines.len() + to.refused.len(), 1, "{line}");
        to.refused.is_empty().then(|| to.text.trim_end().to_string())
    }

    fn data(fields: &str) -> Option<String> {
        let json = json(&format!("E {{ {fields} }}"))?;
        let inside = json.strip_prefix(r#"{"event_type":"E","data":"#)?.strip_suffix('}')?;
        Some(inside.to_string())
    }

    #[test]
    fn values_are_read_as_what_they_look_like() {
        for (fields, expected) in [
            ("", "{}"),
            ("a: 1, b: -2.50, c: 1e3", r#"{"a":1,"b":-2.50,"c":1e3}"#),
            ("a: true, b: false, c: null, d: nil", r#"{"a":true,"b":false,"c":null,"d":null}"#),
            (r#"a: "x, y }", "b c": 'it'"#, r#"{"a":"x, y }","b c":"it"}"#),
            (r#"a: "l\n\t\r\"\\\q""#, r#"{"a":"l\n\t\r\"\\q"}"#),
            ("a: dry and warm, b: 1.2.3, c: +x", r#"{"a":"dry and warm","b":"1.2.3","c":"+x"}"#),
            ("a: 007, b: 00.5, c: 0, d: +5, e: -0, f: 00", r#"{"a":7,"b":0.5,"c":0,"d":5,"e":-0,"f":0}"#),
            ("a: .5, b: 5., c: inf, d: 1e, e: 1_000", r#"{"a":".5","b":"5.","c":"inf","d":"1e","e":"1_000"}"#),
            ("a: [1, [x y, \"z\"], nil, []], b: 1", r#"{"a":[1,["x y","z"],null,[]],"b":1}"#),
            ("a: [1, 2] more, b: 1", r#"{"a":"[1, 2] more","b":1}"#),
            ("a: {p: 1, q: 2}, b: f(1, 2)", r#"{"a":"{p: 1, q: 2}","b":"f(1, 2)"}"#),
            ("a: \"x\" y, b: it's", r#"{"a":"\"x\" y","b":"it's"}"#),
            ("a: 1,", r#"{"a":1}"#),
            ("a:, b: é", r#"{"a":"","b":"é"}"#),
        ] {
            assert_eq!(data(fields).as_deref(), Some(expected), "{fields}");
        }
    }

    #[test]
    fn forms_of_events() {
        let a1 = Some(r#"{"event_type":"A","data":{"i":1}}"#.to_string());
        for line in [
            "A { i: 1 }",
            "A{i:1}",
            "  A { i: 1 } ;  ",
            "A { i: 1",
            "A { i: 1;",
            "@5 A { i: 1 }",
            "@5ms \t A { i: 1 }\r",
        ] {
            assert_eq!(json(line), a1, "{line}");
        }
        assert_eq!(
            json("A(1, x, [2])").as_deref(),
            Some(r#"{"event_type":"A","data":{"field_0":1,"field_1":"x","field_2":[2]}}"#)
        );
        assert_eq!(json("A()").as_deref(), Some(r#"{"event_type":"A","data":{}}"#));
        assert_eq!(json("A(1").as_deref(), Some(r#"{"event_type":"A","data":{"field_0":1}}"#));
        assert_eq!(json(r#"{"a":1};"#).as_deref(), Some(r#"{"a":1}"#));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "A",
            "A B { }",
            "1A { }",
            "A { x }",
            "A { : 1 }",
            "A { a: 1 } }",
            "A { a: 1 } x",
            "@5",
            "@5x A { }",
            "@1.5s A { }",
            "@-5 A { }",
            "BATCH",
            "BATCH x",
            "BATCH -1",
            "A [1]",
            "A { a: 1,, b: 2 }",
            "@99999999999999999 A { }",
            "A-b { }",
            "[1]",
            "\"x\"",
        ] {
            assert_eq!(json(line), None, "{line}");
        }
    }

    #[test]
    fn offsets_stand_on_the_line_or_above_it() {
        let text = "A {}\n@7 A {}\n@0 A {}\n\n# x\n// y\nBATCH 1500\nA {}\n@2s A {}\n@1m A {}\nBATCH 0\nA {}\n";
        let to = translate(text, 3 * NS_PER_MS, |_| false);
        let offsets: Vec<Option<i64>> = to.lines.iter().map(|line| Some(line.offset? / NS_PER_MS)).collect();
        assert_eq!(offsets, [Some(3), Some(7), Some(0), Some(1500), Some(2000), Some(60_000), None]);
        assert!(to.refused.is_empty());
    }

    #[test]
    fn the_offset_behind_lines_is_that_of_the_last_batch() {
        for (text, expected) in [
            ("", 9),
            ("A { }\n", 9),
            ("BATCH 5\nA { x: BATCH 7 }\nBATCHES { }\nBATCH x\n", 5 * NS_PER_MS),
            ("BATCH 5\n  BATCH 6 \r\n", 6 * NS_PER_MS),
            ("BATCH 5\nBATCH 0", 0),
        ] {
            assert_eq!(batch_offset_behind(text.as_bytes(), 9), expected, "{text}");
        }
    }
}
