//! Diagnostics as text for people and as JSON for tools (docs/language.md).
//!
//! ```text
//! error[E0206]: unknown field valeu
//!  --> hot.vpl:5:12
//!   |
//! 5 |     .where(valeu > 30.0)
//!   |            ^^^^^
//!   = help: did you mean value?
//! ```
//! Lines and columns count from 1, columns in characters, ends exclusive. A byte order mark and the `\r` of a line break
//! are in no column. Rendering is linear in what it prints, also for a megabyte in one line.

use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::text::write_json_string;
use crate::span::Span;
use std::fmt::Write;

/// Bytes between two places of which the number of characters before them is known.
const BLOCK_BYTES: usize = 256;

/// Characters of a source line that are shown before and after the first one that is pointed at.
const WINDOW_CHARS: usize = 100;

/// The byte order mark.
const BOM: char = '\u{feff}';

/// A source file with what it takes to find lines and columns.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// As it is shown.
    pub name: String,
    /// Its content.
    pub text: String,
    /// First byte of each line.
    lines: Vec<usize>,
    /// Characters before each block.
    blocks: Vec<usize>,
}

/// A place from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column in characters.
    pub column: usize,
}

impl SourceText {
    /// Counts a file's lines and characters.
    pub fn new(name: String, text: String) -> SourceText {
        let mut lines = vec![0];
        let mut blocks = Vec::with_capacity(text.len() / BLOCK_BYTES + 1);
        let mut chars = 0;
        for (at, byte) in text.bytes().enumerate() {
            if at % BLOCK_BYTES == 0 {
                blocks.push(chars);
            }
            chars += usize::from(begins_char(byte));
            if byte == b'\n' {
                lines.push(at + 1);
            }
        }
        SourceText { name, text, lines, blocks }
    }

    /// Where a byte stands.
    pub fn position(&self, offset: u32) -> Position {
        let offset = (offset as usize).min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset) - 1;
        let start = self.lines[line];
        let within = offset.min(start + self.content(line).len()).max(start);
        let mark = usize::from(line == 0 && within > 0 && self.text.starts_with(BOM));
        Position { line: line + 1, column: self.chars_before(within) - self.chars_before(start) - mark + 1 }
    }

    /// A line, from 0, without its line break.
    fn content(&self, line: usize) -> &str {
        let start = self.lines[line];
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let content = &self.text[start..end];
        content.strip_suffix('\r').unwrap_or(content)
    }

    fn chars_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK_BYTES;
        let (known, from) = match self.blocks.get(block) {
            Some(known) => (*known, block * BLOCK_BYTES),
            None => (self.blocks.last().copied().unwrap_or(0), self.blocks.len().saturating_sub(1) * BLOCK_BYTES),
        };
        known + self.text.as_bytes()[from..offset].iter().filter(|byte| begins_char(**byte)).count()
    }
}

fn begins_char(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// All diagnostics in order of position, in the form shown above.
pub fn render_human(diagnostics: &[Diagnostic], sources: &[SourceText]) -> String {
    let mut out = String::new();
    for diagnostic in in_order(diagnostics) {
        put(&mut out, format_args!("{}[{}]: {}\n", severity(diagnostic), diagnostic.code, diagnostic.message));
        let Some(source) = sources.get(diagnostic.span.file as usize) else {
            put_help(&mut out, diagnostic, 1);
            continue;
        };
        let start = source.position(diagnostic.span.start);
        let width = start.line.to_string().len();
        put(&mut out, format_args!("{:width$}--> {}:{}:{}\n", "", source.name, start.line, start.column));
        let (shown, carets) = excerpt(source, diagnostic.span, start);
        put(&mut out, format_args!("{:width$} |\n{} | {shown}\n{:width$} | {carets}\n", "", start.line, ""));
        put_help(&mut out, diagnostic, width);
    }
    out
}

fn put_help(out: &mut String, diagnostic: &Diagnostic, width: usize) {
    if let Some(help) = &diagnostic.help {
        put(out, format_args!("{:width$} = help: {help}\n", ""));
    }
}

/// A source line, or the part of it around a span, and the line of carets below.
fn excerpt(source: &SourceText, span: Span, start: Position) -> (String, String) {
    let content = source.content(start.line - 1);
    let content = content.strip_prefix(BOM).unwrap_or(content);
    let end = source.position(span.end.max(span.start));
    let skipped = (start.column - 1).saturating_sub(WINDOW_CHARS);
    let until = start.column - 1 + WINDOW_CHARS;
    let (mut shown, mut carets) = (String::new(), String::new());
    if skipped > 0 {
        shown.push('…');
        carets.push(' ');
    }
    // Of a line of a megabyte only the window is walked: characters are skipped by way of their bytes.
    let from = source.lines[start.line - 1] + (source.content(start.line - 1).len() - content.len());
    let window = byte_of_char(source, from, skipped)..;
    let chars = source.text[window].chars().take_while(|char| *char != '\n' && *char != '\r');
    for (column, char) in (skipped + 1..).zip(chars) {
        if column > until {
            shown.push('…');
            break;
        }
        shown.push(if char.is_control() && char != '\t' { '\u{fffd}' } else { char });
        if column < start.column {
            carets.push(if char == '\t' { '\t' } else { ' ' });
        } else if end.line > start.line || column < end.column {
            carets.push('^');
        }
    }
    if !carets.ends_with('^') {
        carets.push('^');
    }
    (shown, carets)
}

/// The byte at which the character stands that is `chars` behind the byte `from`.
fn byte_of_char(source: &SourceText, from: usize, chars: usize) -> usize {
    let target = source.chars_before(from) + chars;
    let block = source.blocks.partition_point(|known| *known <= target).saturating_sub(1);
    let begin = (block * BLOCK_BYTES).max(from);
    let mut left = target - source.chars_before(begin).min(target);
    for (at, byte) in source.text.as_bytes()[begin..].iter().enumerate() {
        if begins_char(*byte) {
            if left == 0 {
                return begin + at;
            }
            left -= 1;
        }
    }
    source.text.len()
}

/// One JSON object per line, in order of position.
pub fn render_json(diagnostics: &[Diagnostic], sources: &[SourceText]) -> String {
    let mut out = String::new();
    for diagnostic in in_order(diagnostics) {
        let source = sources.get(diagnostic.span.file as usize);
        let place = |offset| source.map_or(Position { line: 1, column: 1 }, |source| source.position(offset));
        let (start, end) = (place(diagnostic.span.start), place(diagnostic.span.end.max(diagnostic.span.start)));
        put(
            &mut out,
            format_args!(
                "{{\"code\":\"{}\",\"severity\":\"{}\",\"line\":{},\"column\":{},\"end_line\":{},\"end_column\":{},\"message\":",
                diagnostic.code,
                severity(diagnostic),
                start.line,
                start.column,
                end.line,
                end.column
            ),
        );
        write_json_string(&mut out, &diagnostic.message);
        if let Some(help) = &diagnostic.help {
            out.push_str(",\"help\":");
            write_json_string(&mut out, help);
        }
        if let Some(source) = source {
            out.push_str(",\"file\":");
            write_json_string(&mut out, &source.name);
        }
        out.push_str("}\n");
    }
    out
}

fn in_order(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.code));
    sorted
}

fn severity(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn put(out: &mut String, args: std::fmt::Arguments) {
    out.write_fmt(args).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceText {
        SourceText::new("hot.vpl".into(), text.into())
    }

    fn at(text: &str, needle: &str) -> Span {
        let start = text.find(needle).expect("the text has it") as u32;
        Span { file: 0, start, end: start + needle.len() as u32 }
    }

    #[test]
    fn people_see_the_line_with_carets() {
        let text = "stream S = E\n\t.where(valeu > 30.0)\n";
        let diagnostic = Diagnostic::new("E0206", at(text, "valeu"), "unknown field valeu").help("did you mean value?");
        let expected = "error[E0206]: unknown field valeu\n --> hot.vpl:2:9\n  |\n2 | \t.where(valeu > 30.0)\n  | \t       ^^^^^\n  = help: did you mean value?\n";
        assert_eq!(render_human(&[diagnostic], &[source(text)]), expected);
    }

    #[test]
    fn columns_are_characters_without_mark_and_carriage_return() {
        let text = "\u{feff}é = $\r\n\"ü\" €";
        let source = source(text);
        let place = |needle| {
            let span = at(text, needle);
            let (start, end) = (source.position(span.start), source.position(span.end));
            (start.line, start.column, end.line, end.column)
        };
        assert_eq!(place("é"), (1, 1, 1, 2));
        assert_eq!(place("$"), (1, 5, 1, 6));
        assert_eq!(place("\r\n"), (1, 6, 2, 1));
        assert_eq!(place("€"), (2, 5, 2, 6));
        assert_eq!(source.position(text.len() as u32), Position { line: 2, column: 6 });
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
    }

    #[test]
    fn tools_get_one_object_per_line_in_order() {
        let text = "a \"b\"\nc\n";
        let late = Diagnostic::new("E0110", at(text, "c"), "found \"c\"");
        let end = Span { file: 0, start: 8, end: 8 };
        let diagnostics = [Diagnostic::new("W0103", end, "end"), late.help("h")];
        let expected = concat!(
            r#"{"code":"E0110","severity":"error","line":2,"column":1,"end_line":2,"end_column":2,"message":"found \"c\"","help":"h","file":"hot.vpl"}"#,
            "\n",
            r#"{"code":"W0103","severity":"warning","line":3,"column":1,"end_line":3,"end_column":1,"message":"end","file":"hot.vpl"}"#,
            "\n"
        );
        assert_eq!(render_json(&diagnostics, &[source(text)]), expected);
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}$${}", "é".repeat(5000), "x".repeat(5000));
        let shown = render_human(&[Diagnostic::new("E0101", at(&text, "$$"), "m")], &[source(&text)]);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], " --> hot.vpl:1:5001");
        let before = |line: &str, what| line.split(what).next().map(|before| before.chars().count());
        assert_eq!(before(lines[3], "$$"), before(lines[4], "^^"));
        assert!(lines[3].chars().count() < 250 && lines[3].ends_with('…'), "{}", lines[3]);
    }

    #[test]
    fn a_span_over_lines_or_behind_the_end_has_carets_too() {
        let text = "ab\ncd";
        let whole = Span { file: 0, start: 1, end: 5 };
        let end = Span { file: 0, start: 5, end: 5 };
        let shown =
            render_human(&[Diagnostic::new("E0110", whole, "m"), Diagnostic::new("E0110", end, "m")], &[source(text)]);
        let carets: Vec<&str> = shown.lines().filter(|line| line.contains('^')).collect();
        assert_eq!(carets, ["  |  ^", "  |   ^"]);
        assert!(!render_human(&[Diagnostic::new("E0110", Span { file: 7, start: 0, end: 9 }, "m")], &[]).is_empty());
    }
}
