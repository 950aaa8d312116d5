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
use rarog_lang::evt::{Content, Written, content, write_event};

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
        match write_event(&mut to.text, event, JSON_DEPTH) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NS_PER_MS: i64 = 1_000_000;

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
