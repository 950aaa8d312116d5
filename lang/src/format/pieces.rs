//! A program as a row of tokens and comments, each with what the source says about the white space before it.

use crate::expand::BOM;
use crate::lexer::{Kind, Token};
use crate::parser::Annotated;
use crate::parser::notes::{Begins, Glue};

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A token.
    Token(Kind),
    /// `# …`, `// …`
    LineComment,
    /// `/* … */`
    BlockComment,
}

/// A token or comment.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    pub form: Form,
    /// Number of the token.
    pub token: usize,
    pub glue: Glue,
    pub begins: Begins,
    /// Line breaks between it and the piece before.
    pub breaks: usize,
    /// White space or a line break before it.
    pub spaced: bool,
    /// Blanks and tabs that its line in the source begins with.
    pub column: usize,
    /// First byte in the source.
    pub start: usize,
}

impl Piece<'_> {
    pub fn is_token(&self) -> bool {
        matches!(self.form, Form::Token(_))
    }

    /// Does a line begin with it, behind `before`, for all that chains say?
    pub fn begins_line(&self, before: &Piece) -> bool {
        let is_behind_comment = match before.form {
            Form::LineComment => true,
            // What stands behind a comment of several lines has that comment's blanks before it, which mean nothing.
            Form::BlockComment => before.text.contains('\n') && self.is_token(),
            Form::Token(_) => false,
        };
        self.breaks > 0 || is_behind_comment
    }
}

/// Splits a program.
pub(super) fn split<'a>(text: &'a str, annotated: &Annotated) -> Vec<Piece<'a>> {
    let pos = if text.starts_with(BOM) { BOM.len() } else { 0 };
    let mut splitter = Splitter { text, pos, breaks: 0, spaced: true, column: 0, pieces: Vec::new() };
    splitter.measure();
    for (at, token) in annotated.tokens.iter().enumerate() {
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        // The value of a placeholder can be several tokens; it is written once.
        if start < splitter.pos {
            continue;
        }
        splitter.comments(start);
        if token.kind == Kind::End {
            break;
        }
        splitter.token(at, token, annotated.notes.glue[at], annotated.notes.begins[at], end);
    }
    splitter.pieces
}

struct Splitter<'a> {
    text: &'a str,
    pos: usize,
    breaks: usize,
    spaced: bool,
    column: usize,
    pieces: Vec<Piece<'a>>,
}

impl Splitter<'_> {
    /// Notes the indentation of the line that begins here.
    fn measure(&mut self) {
        let rest = &self.text.as_bytes()[self.pos..];
        self.column = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }

    /// Takes the comments before `until`.
    fn comments(&mut self, until: usize) {
        while self.pos < until {
            let rest = &self.text[self.pos..until];
            if rest.starts_with('#') || rest.starts_with("//") {
                let line_end = rest.find('\n').unwrap_or(rest.len());
                self.push(Form::LineComment, self.pos + line_end, usize::MAX, Glue::Usual, Begins::Nothing);
            } else if let Some(inner) = rest.strip_prefix("/*") {
                let length = inner.find("*/").map_or(rest.len(), |at| at + 4);
                self.push(Form::BlockComment, self.pos + length, usize::MAX, Glue::Usual, Begins::Nothing);
            } else {
                let is_break = rest.starts_with('\n');
                self.pos += rest.chars().next().map_or(1, char::len_utf8);
                self.spaced = true;
                if is_break {
                    self.breaks += 1;
                    self.measure();
                }
            }
        }
    }

    fn token(&mut self, at: usize, token: &Token, glue: Glue, begins: Begins, end: usize) {
        let halves = match token.kind {
            Kind::QuestionDot if glue != Glue::Usual => Some((Kind::Question, Kind::Dot)),
            Kind::Ge if glue == Glue::Postfix => Some((Kind::Gt, Kind::Eq)),
            _ => None,
        };
        let Some((first, second)) = halves else {
            return self.push(Form::Token(token.kind), end, at, glue, begins);
        };
        self.push(Form::Token(first), self.pos + 1, at, Glue::Postfix, Begins::Nothing);
        self.push(Form::Token(second), end, at, Glue::Apart, begins);
    }

    fn push(&mut self, form: Form, end: usize, token: usize, glue: Glue, begins: Begins) {
        let text = self.text[self.pos..end].trim_end();
        let (breaks, spaced, column, start) = (self.breaks, self.spaced, self.column, self.pos);
        self.pieces.push(Piece { text, form, token, glue, begins, breaks, spaced, column, start });
        self.pos = end;
        self.breaks = 0;
        self.spaced = false;
        if form == Form::BlockComment && text.contains('\n') {
            let line = end - text.len() + text.rfind('\n').map_or(0, |at| at + 1);
            let rest = &self.text.as_bytes()[line..];
            self.column = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        }
    }
}
