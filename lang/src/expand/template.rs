//! The tree of `for` templates in a text: which lines are bodies of which header. Nothing is replaced here.

use super::lines::{Content, Line};
use crate::diagnostic::Diagnostic;
use crate::limits::NESTING_LEVELS;
use crate::span::Span;
use std::ops::Range;

/// A stretch of a text.
#[derive(Debug)]
pub enum Node {
    /// Lines that are copied.
    Lines(Range<usize>),
    /// A template.
    For(Template),
}

/// A `for` in the column of its surroundings, with the indented lines below.
#[derive(Debug)]
pub struct Template {
    /// Number of the header's line.
    pub header: usize,
    /// Bytes of indentation that the body's lines lose.
    pub base: Range<usize>,
    /// Body.
    pub body: Vec<Node>,
    /// Number of the body's last line.
    pub last: usize,
    /// Where the body should begin, if there is none.
    pub missing_body: Option<Span>,
}

/// Words that begin a declaration.
pub const DECLARATIONS: &[&str] =
    &["event", "type", "stream", "pattern", "connector", "context", "fn", "let", "var", "const", "import", "config"];

/// Reads the tree.
pub struct Reader<'a> {
    /// The program.
    pub text: &'a str,
    /// Its number.
    pub file: u16,
    /// Its lines.
    pub lines: &'a [Line],
    /// Problems.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// The whole text.
    pub fn read(&mut self) -> Vec<Node> {
        let mut at = 0;
        self.block(&mut at, 0..0, None, 0)
    }

    /// The lines from `at` on that stand deeper than `outer` (all, if there is no outer one).
    fn block(&mut self, at: &mut usize, base: Range<usize>, outer: Option<usize>, depth: u32) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut copied = *at;
        while let Some(line) = self.lines.get(*at).copied() {
            if line.content == Content::Code {
                if outer.is_some_and(|outer| line.indent <= outer) {
                    break;
                }
                if line.indent == base.len() && self.is_header(line) {
                    push_lines(&mut nodes, copied..*at);
                    if let Some(template) = self.template(at, depth) {
                        nodes.push(Node::For(template));
                    }
                    copied = *at;
                    continue;
                }
                self.check_indent(line, &base);
            }
            *at += 1;
        }
        push_lines(&mut nodes, copied..*at);
        nodes
    }

    fn template(&mut self, at: &mut usize, depth: u32) -> Option<Template> {
        let header = *at;
        let line = self.lines[header];
        *at += 1;
        let next = self.lines[*at..].iter().find(|line| line.content == Content::Code).copied();
        let Some(first) = next.filter(|next| next.indent > line.indent) else {
            let place = next.map_or(self.end(), |next| self.first_token(next));
            return Some(Template { header, base: 0..0, body: Vec::new(), last: header, missing_body: Some(place) });
        };
        if depth == NESTING_LEVELS {
            let place = self.first_token(line);
            let message = format!("nested deeper than {NESTING_LEVELS}");
            self.report("E0108", place, &message, "put fewer fors into each other");
            while self.lines.get(*at).is_some_and(|next| next.content != Content::Code || next.indent > line.indent) {
                *at += 1;
            }
            return None;
        }
        let base = first.start..first.start + first.indent;
        let outer = &self.text[line.start..line.start + line.indent];
        if !self.text[base.clone()].starts_with(outer) {
            let place = self.first_token(first);
            self.report(
                "E0107",
                place,
                "inconsistent indentation",
                "begin the line with the blanks and tabs of the for",
            );
        }
        let body = self.block(at, base.clone(), Some(line.indent), depth + 1);
        Some(Template { header, base, body, last: *at - 1, missing_body: None })
    }

    /// A declaration in a body must stand in the body's column, or it would change sides unseen.
    fn check_indent(&mut self, line: Line, base: &Range<usize>) {
        let indent = &self.text[line.start..line.start + line.indent];
        if !indent.starts_with(&self.text[base.clone()]) && DECLARATIONS.contains(&self.first_word(line)) {
            let place = self.first_token(line);
            self.report("E0107", place, "inconsistent indentation", "indent all lines of the for alike");
        }
    }

    /// Does the line begin with `for` and a name? What else begins with `for` is left to the parser.
    fn is_header(&self, line: Line) -> bool {
        let Some(rest) = self.text[line.start + line.indent..line.end].strip_prefix("for") else { return false };
        let name = rest.trim_start_matches([' ', '\t']);
        name.len() < rest.len() && name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
    }

    fn first_word(&self, line: Line) -> &'a str {
        let rest = &self.text[line.start + line.indent..line.end];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        &rest[..length]
    }

    /// The place of a line's first word, or of its first character.
    fn first_token(&self, line: Line) -> Span {
        let start = line.start + line.indent;
        let char = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let length = self.first_word(line).len().max(char);
        Span { file: self.file, start: start as u32, end: (start + length) as u32 }
    }

    fn end(&self) -> Span {
        let end = self.text.len() as u32;
        Span { file: self.file, start: end, end }
    }

    fn report(&mut self, code: &'static str, span: Span, message: &str, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, span, message).help(help));
    }
}

fn push_lines(nodes: &mut Vec<Node>, lines: Range<usize>) {
    if !lines.is_empty() {
        nodes.push(Node::Lines(lines));
    }
}
