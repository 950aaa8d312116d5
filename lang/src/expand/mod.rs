//! Expands `for v in a..b:` in column 0 as text, before anything else is read.
//!
//! ```text
//! text ─► lines ─► template (a tree of headers and bodies) ─► expanded text and its origin
//! ```
//! The bodies lose the indentation of their first line, so that a declaration inside stands in column 0 again. Work and
//! output are bounded by [`FOR_TURNS`] and [`EXPANDED_BYTES`].

mod constant;
mod header;
mod lines;
mod origin;
mod template;

pub use origin::{Cursor, Origin};
pub(crate) use template::DECLARATIONS;

use crate::diagnostic::Diagnostic;
use crate::limits::{EXPANDED_BYTES, FOR_TURNS};
use crate::span::Span;
use lines::{Content, Line};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use template::{Node, Reader, Template};

/// The byte order mark.
pub(crate) const BOM: &str = "\u{feff}";

/// A text without templates.
#[derive(Debug)]
pub struct Expanded<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Where its bytes stood.
    pub origin: Origin,
}

/// Expands all templates of a program.
pub fn expand<'a>(text: &'a str, file: u16, diagnostics: &mut Vec<Diagnostic>) -> Expanded<'a> {
    let begin = if text.starts_with(BOM) { BOM.len() } else { 0 };
    if !may_have_templates(&text[begin..]) {
        let mut origin = Origin::new(file, text.len() as u32);
        origin.push_literal(begin as u32, (text.len() - begin) as u32);
        return Expanded { text: Cow::Borrowed(&text[begin..]), origin };
    }
    let lines = lines::split(text, begin);
    let nodes = Reader { text, file, lines: &lines, diagnostics }.read();
    let mut expander = Expander::new(text, file, &lines, diagnostics);
    expander.nodes(&nodes, "");
    if expander.full {
        // Like a program that is too large as it is written, it is not read at all.
        return Expanded { text: Cow::Borrowed(""), origin: Origin::new(file, text.len() as u32) };
    }
    Expanded { text: Cow::Owned(expander.out), origin: expander.origin }
}

/// For the formatter: every template once, behind its header, with the size of its first value for its variable; and
/// where the bodies are. So each token of the program is there once.
pub(crate) fn expand_once<'a>(text: &'a str, problems: &mut Vec<Diagnostic>) -> (Expanded<'a>, Vec<Range<usize>>) {
    let begin = if text.starts_with(BOM) { BOM.len() } else { 0 };
    let lines = lines::split(text, begin);
    let nodes = Reader { text, file: 0, lines: &lines, diagnostics: problems }.read();
    let mut expander = Expander::new(text, 0, &lines, problems);
    expander.once = true;
    expander.nodes(&nodes, "");
    (Expanded { text: Cow::Owned(expander.out), origin: expander.origin }, expander.bodies)
}

fn may_have_templates(text: &str) -> bool {
    text.starts_with("for") || text.contains("\nfor")
}

/// Names and values, the innermost last.
type Variables = Vec<(String, String)>;

struct Expander<'a> {
    text: &'a str,
    file: u16,
    lines: &'a [Line],
    diagnostics: &'a mut Vec<Diagnostic>,
    out: String,
    origin: Origin,
    /// The variables of the templates around, the innermost last.
    variables: Variables,
    /// The integer `const`s above.
    consts: HashMap<String, i64>,
    turns: u64,
    /// Bytes of headers that were read; they count like output, so that empty loops cannot work for ever.
    charged: usize,
    /// Was [`EXPANDED_BYTES`] reached?
    full: bool,
    /// Was [`FOR_TURNS`] reached?
    turned_out: bool,
    /// Is every template read once, behind its header, instead of repeated?
    once: bool,
    /// The bodies that were read once, in bytes of the program.
    bodies: Vec<Range<usize>>,
}

impl<'a> Expander<'a> {
    fn new(text: &'a str, file: u16, lines: &'a [Line], diagnostics: &'a mut Vec<Diagnostic>) -> Expander<'a> {
        Expander {
            text,
            file,
            lines,
            diagnostics,
            out: String::with_capacity(text.len()),
            origin: Origin::new(file, text.len() as u32),
            variables: Vec::new(),
            consts: HashMap::new(),
            turns: 0,
            charged: 0,
            full: false,
            turned_out: false,
            once: false,
            bodies: Vec::new(),
        }
    }

    fn nodes(&mut self, nodes: &[Node], base: &str) {
        for node in nodes {
            if self.full {
                return;
            }
            match node {
                Node::Lines(lines) => {
                    for at in lines.clone() {
                        self.line(at, base);
                    }
                }
                Node::For(template) => self.template(template),
            }
        }
    }

    fn template(&mut self, template: &Template) {
        let line = self.lines[template.header];
        self.charged += line.end - line.start;
        let Some(header) = self.header(template.header) else { return };
        if let Some(place) = template.missing_body {
            let missing = Diagnostic::new("E0107", place, "expected an indented block");
            self.diagnostics.push(missing.help("indent the lines that the for repeats"));
            return;
        }
        if self.once {
            return self.single(template, header);
        }
        if self.turns + header.turns > FOR_TURNS {
            return self.report_turns(header.word);
        }
        self.turns += header.turns;
        let base = &self.text[template.base.clone()];
        for turn in 0..header.turns {
            if self.full || self.is_full(header.word) {
                return;
            }
            let value = header.first.saturating_add_unsigned(turn);
            self.variables.push((header.variable.clone(), value.to_string()));
            self.nodes(&template.body, base);
            self.variables.pop();
        }
    }

    /// The header as it stands, and one turn with a value that can be part of a name.
    fn single(&mut self, template: &Template, header: header::Header) {
        let line = self.lines[template.header];
        let begin = line.start + line.indent;
        substitute(self.text, begin..line.end, &self.variables, &mut self.out, &mut self.origin);
        self.bodies.push(line.end..self.lines[template.last].end);
        let base = &self.text[template.base.clone()];
        self.variables.push((header.variable, header.first.unsigned_abs().to_string()));
        self.nodes(&template.body, base);
        self.variables.pop();
    }

    fn report_turns(&mut self, word: Span) {
        if !std::mem::replace(&mut self.turned_out, true) {
            let message = format!("for expands to more than {FOR_TURNS} turns");
            let help =
                "the turns of all fors of a program add up, those of an inner for once per turn of the outer one";
            self.diagnostics.push(Diagnostic::new("E0112", word, message).help(help));
        }
    }

    fn is_full(&mut self, word: Span) -> bool {
        self.full = self.out.len() + self.charged > EXPANDED_BYTES + self.text.len();
        if self.full {
            let message = format!("the program is larger than {} MiB when its for is expanded", EXPANDED_BYTES >> 20);
            self.diagnostics
                .push(Diagnostic::new("E0109", word, message).help("take fewer turns, or put less into the for"));
        }
        self.full
    }

    /// Copies a line without its base; a line that begins inside a comment stays as it is.
    fn line(&mut self, at: usize, base: &str) {
        let line = self.lines[at];
        let whole = &self.text[line.start..line.end];
        let stripped = match line.content {
            Content::Inside => 0,
            _ => whole.bytes().zip(base.bytes()).take_while(|(a, b)| a == b).count(),
        };
        if line.content == Content::Code && line.indent == base.len() && whole[line.indent..].starts_with("const") {
            self.constant(at, base);
        }
        let range = line.start + stripped..line.end;
        substitute(self.text, range, &self.variables, &mut self.out, &mut self.origin);
        if !self.variables.is_empty() && !whole.ends_with('\n') {
            // The last line of the program; another turn may follow.
            self.out.push('\n');
            self.origin.push_value(line.end as u32, line.end as u32, 1);
        }
    }
}

/// Appends a range of the program with every `{v}` replaced.
fn substitute(text: &str, range: Range<usize>, variables: &Variables, out: &mut String, origin: &mut Origin) {
    let (mut copied, mut at, end) = (range.start, range.start, range.end);
    while !variables.is_empty() {
        let Some(open) = text[at..end].find('{').map(|found| at + found) else { break };
        at = open + 1;
        let inner = &text[at..end];
        let length = inner.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if !inner[length..].starts_with('}') {
            continue;
        }
        let name = &inner[..length];
        let Some((_, value)) = variables.iter().rev().find(|(variable, _)| *variable == name) else { continue };
        out.push_str(&text[copied..open]);
        origin.push_literal(copied as u32, (open - copied) as u32);
        at = open + length + 2;
        copied = at;
        out.push_str(value);
        origin.push_value(open as u32, at as u32, value.len() as u32);
    }
    out.push_str(&text[copied..end]);
    origin.push_literal(copied as u32, (end - copied) as u32);
}
