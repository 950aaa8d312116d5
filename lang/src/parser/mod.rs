//! Text to syntax tree: recursive descent over the tokens of the expanded text.
//!
//! ```text
//! text ─► expand ─► lex ─► declarations ┬► streams ─► patterns ┬► expressions ─► operators, primaries
//!                                       └► statements ─────────┘
//! ```
//! It reports every problem of a text at once: after one, it goes on at the next declaration. No input makes it recurse
//! deeper than [`NESTING_LEVELS`](crate::limits::NESTING_LEVELS) brackets, and its time is linear in the text.

mod cursor;
mod declaration;
mod expr;
pub(crate) mod message;
pub(crate) mod notes;
mod operator;
mod pattern;
mod primary;
mod statement;
mod stream;
mod types;

use crate::ast::{Let, Program};
use crate::diagnostic::Diagnostic;
use crate::expand::{DECLARATIONS, Origin, expand, expand_once};
use crate::lexer::{Kind, Lexed, Token, lex};
use crate::limits::PROGRAM_BYTES;
use crate::span::Span;
use cursor::{Mode, Parser};
use notes::{Begins, Glue, Notes};
use std::ops::Range;

/// Reads a program. `file` is its number in the spans; what could be read is in the tree also when there are errors.
pub fn parse(text: &str, file: u16) -> (Program, Vec<Diagnostic>) {
    if text.len() > PROGRAM_BYTES {
        let start = Span { file, start: 0, end: 0 };
        let message = format!("the program is larger than {} MiB", PROGRAM_BYTES >> 20);
        let diagnostic =
            Diagnostic::new("E0109", start, message).help("split it into several pipelines, or repeat parts by for");
        return (Program::default(), vec![diagnostic]);
    }
    let mut syntax = Vec::new();
    let expanded = expand(text, file, &mut syntax);
    let mut lexical = Vec::new();
    let lexed = lex(&expanded.text, &expanded.origin, &mut lexical);
    let mut parser = Parser::new(&expanded.text, lexed);
    let program = parser.program();
    syntax.append(&mut parser.diagnostics);
    (program, arrange(text, lexical, syntax))
}

/// The `let`, `var` or `const` at the beginning of a text, if it has no error.
pub(crate) fn first_global(text: &str) -> Option<Let> {
    let mut lexical = Vec::new();
    let lexed = lex(text, &Origin::identity(0, text.len() as u32), &mut lexical);
    let mut parser = Parser::new(text, lexed);
    parser.mode = Mode { lines: true, operators: false };
    parser.binding().ok()
}

/// The tokens of a program as it was written, its templates read once and not repeated, with notes for the formatter.
pub(crate) struct Annotated {
    /// All tokens; the last one is the end.
    pub tokens: Vec<Token>,
    /// One per token.
    pub notes: Notes,
    /// The bodies of the templates, in bytes of the program.
    pub templates: Vec<Range<usize>>,
}

/// Reads a program for the formatter; nothing if there is an error, in a template that takes no turn perhaps.
pub(crate) fn annotate(text: &str) -> Option<Annotated> {
    let mut problems = Vec::new();
    let (expanded, templates) = expand_once(text, &mut problems);
    let lexed = lex(&expanded.text, &expanded.origin, &mut problems);
    let tokens = lexed.tokens.clone();
    let mut parser = Parser::new(&expanded.text, lexed);
    parser.notes = Some(Notes::new(tokens.len()));
    parser.program();
    let notes = parser.notes.take()?;
    (problems.is_empty() && parser.diagnostics.is_empty()).then_some(Annotated { tokens, notes, templates })
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, lexed: Lexed) -> Parser<'a> {
        Parser {
            text,
            tokens: lexed.tokens,
            lines: lexed.lines,
            at: 0,
            depth: 0,
            mode: Mode::default(),
            tallest: 0,
            diagnostics: Vec::new(),
            notes: None,
        }
    }

    /// All declarations. Of one that has an error of the lexer, that is all that is said.
    fn program(&mut self) -> Program {
        let mut items = Vec::new();
        while self.kind() != Kind::End {
            let begin = self.at;
            self.begins(Begins::Declaration);
            if self.notes.is_some() && self.word() == "for" {
                self.skip_template_header();
                continue;
            }
            let known = self.diagnostics.len();
            match self.item() {
                Ok(item) => items.push(item),
                Err(cursor::Abort) => {
                    self.resume(begin + 1);
                    if self.tokens[begin..self.at].iter().any(|token| token.kind == Kind::Error) {
                        self.diagnostics.truncate(known);
                    }
                }
            }
        }
        Program { items }
    }

    /// `for v in a..b:`, which only a program with notes still has; it was read before.
    fn skip_template_header(&mut self) {
        while !matches!(self.kind(), Kind::Colon | Kind::End) {
            match self.kind() {
                Kind::DotDot | Kind::DotDotEq => self.glue(Glue::Tight),
                Kind::Minus => self.glue(Glue::Prefix),
                _ => {}
            }
            self.bump();
        }
        self.bump();
    }

    /// Goes to the next line with a declaration in column 0, at `from` or behind it; it may be the line of the problem.
    fn resume(&mut self, from: usize) {
        self.depth = 0;
        self.mode = Mode::default();
        self.at = self.at.max(from).min(self.tokens.len() - 1);
        let problem = self.at;
        while self.at > from && !self.is_first_of_line() {
            self.at -= 1;
        }
        if self.at < from || !self.begins_declaration() {
            self.at = problem;
        }
        let begins = |p: &Self| DECLARATIONS.contains(&p.word()) || matches!(p.word(), "if" | "for" | "while");
        while self.kind() != Kind::End && !(begins(self) && self.is_in_column_0()) {
            self.at += 1;
        }
    }
}

/// In the order of the text, each code once per place; no syntax error in a line that has a lexical one.
fn arrange(text: &str, mut lexical: Vec<Diagnostic>, mut syntax: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |diagnostic: &Diagnostic| (diagnostic.span.start, diagnostic.span.end, diagnostic.code);
    lexical.sort_by_key(place);
    syntax.sort_by_key(place);
    if !lexical.is_empty() && !syntax.is_empty() {
        let starts: Vec<usize> =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        let line = |diagnostic: &Diagnostic| starts.partition_point(|start| *start <= diagnostic.span.start as usize);
        let lexical_lines: Vec<usize> = lexical.iter().map(line).collect();
        syntax.retain(|diagnostic| lexical_lines.binary_search(&line(diagnostic)).is_err());
    }
    let mut all = lexical;
    all.append(&mut syntax);
    all.sort_by_key(place);
    all.dedup_by_key(|diagnostic| (diagnostic.code, diagnostic.span));
    all
}
