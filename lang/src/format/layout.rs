//! Pieces to text: the indentation of every line, and blanks within.
//!
//! ```text
//! stream S = E                 a declaration: as deep as its templates
//!     .emit(                   a line that goes on: one level below the line that it belongs to
//!         a: f(x => {          in brackets: one level below the line that opens them
//!             if x:            a statement in braces
//!                 return 1     a line of a block: one level below its header's line
//!         }),
//!     )                        a closing bracket: as deep as the line of the opening one
//! ```

use super::INDENT_COLUMNS;
use super::pieces::{Form, Piece};
use super::spacing::blanks;
use crate::lexer::Kind;
use crate::parser::notes::Begins;
use std::ops::Range;

/// Writes the pieces down. A line begins where the source or `breaks` says so.
pub(super) fn lay_out(pieces: &[Piece], breaks: &[bool], templates: &[Range<usize>], tokens: usize) -> String {
    let mut layout = Layout {
        pieces,
        templates,
        out: String::new(),
        line_indent: 0,
        indents: vec![0; tokens],
        columns: vec![0; tokens],
        contexts: vec![Context { content: 0, closing: 0, base: Some(0) }],
        next_token: next_tokens(pieces),
        next_template: 0,
        open_templates: Vec::new(),
        declaration_depth: 0,
    };
    for (at, piece) in pieces.iter().enumerate() {
        if at == 0 {
            layout.indent_line(at);
        } else if breaks[at] || piece.begins_line(&pieces[at - 1]) {
            layout.break_line(at);
        } else {
            layout.pad(blanks(&pieces[at - 1], piece));
        }
        layout.write(piece);
    }
    if !layout.out.is_empty() {
        layout.out.push('\n');
    }
    layout.out
}

/// Brackets that are open, or the text outside of all.
struct Context {
    /// Indentation of its lines.
    content: usize,
    /// Indentation of the closing bracket.
    closing: usize,
    /// Indentation of the statement that is being written, once there was one.
    base: Option<usize>,
}

struct Layout<'a> {
    pieces: &'a [Piece<'a>],
    templates: &'a [Range<usize>],
    out: String,
    /// Indentation of the current line.
    line_indent: usize,
    /// Indentation of the line of every token.
    indents: Vec<usize>,
    /// Indentation of the line of every token in the source.
    columns: Vec<usize>,
    /// The last one is the innermost.
    contexts: Vec<Context>,
    /// For every piece, the first token at it or behind it.
    next_token: Vec<Option<usize>>,
    /// The next template that was not entered.
    next_template: usize,
    /// Ends of the templates around.
    open_templates: Vec<usize>,
    /// How many templates were around the current declaration when it began.
    declaration_depth: usize,
}

impl Layout<'_> {
    fn break_line(&mut self, at: usize) {
        let piece = &self.pieces[at];
        self.out.push('\n');
        if piece.breaks > 1 {
            self.out.push('\n');
        }
        self.indent_line(at);
    }

    fn indent_line(&mut self, at: usize) {
        let piece = &self.pieces[at];
        self.line_indent = if piece.is_token() { self.indent(piece) } else { self.comment_indent(at) };
        self.pad(self.line_indent);
    }

    /// A comment stands like what follows, unless it stood further to the right than that: then like what came before.
    fn comment_indent(&mut self, at: usize) -> usize {
        let (column, next) = match self.next_token[at].map(|next| &self.pieces[next]) {
            Some(next) => (next.column, self.indent(next)),
            None => (0, 0),
        };
        let before = self.contexts.last().map_or(0, |context| context.base.unwrap_or(context.content));
        if column >= self.pieces[at].column { next } else { next.max(before) }
    }

    /// The indentation of a line that begins with this token.
    fn indent(&mut self, piece: &Piece) -> usize {
        let depth = self.template_depth(piece.start);
        let context = self.contexts.last().expect("the outermost context stays");
        match piece.begins {
            Begins::Declaration => depth * INDENT_COLUMNS,
            // It goes on with the last turn of a template that has ended before it, and must not get into that.
            _ if depth < self.declaration_depth => depth * INDENT_COLUMNS,
            Begins::Item { header } => self.indents[header] + INDENT_COLUMNS,
            Begins::Arm { header } => self.indents[header],
            Begins::Statement => context.content,
            Begins::Skipped { header, first } => {
                let deeper = piece.column.saturating_sub(self.columns[first]);
                self.indents[header] + INDENT_COLUMNS + deeper
            }
            _ if is_closing(piece) => context.closing,
            _ => context.base.map_or(context.content, |base| base + INDENT_COLUMNS),
        }
    }

    /// How many templates are around a place; places come in order.
    fn template_depth(&mut self, start: usize) -> usize {
        while let Some(template) = self.templates.get(self.next_template).filter(|template| template.start <= start) {
            self.next_template += 1;
            self.open_templates.push(template.end);
        }
        self.open_templates.retain(|end| *end > start);
        self.open_templates.len()
    }

    fn pad(&mut self, blanks: usize) {
        self.out.extend(std::iter::repeat_n(' ', blanks));
    }

    fn write(&mut self, piece: &Piece) {
        match piece.form {
            Form::BlockComment => {
                self.out.extend(piece.text.split_inclusive('\n').map(|line| line.replace("\r\n", "\n")))
            }
            _ => self.out.push_str(piece.text),
        }
        let Form::Token(kind) = piece.form else { return };
        self.indents[piece.token] = self.line_indent;
        self.columns[piece.token] = piece.column;
        if piece.begins == Begins::Declaration {
            self.declaration_depth = self.template_depth(piece.start);
        }
        if matches!(
            piece.begins,
            Begins::Declaration | Begins::Item { .. } | Begins::Arm { .. } | Begins::Statement | Begins::Skipped { .. }
        ) && let Some(context) = self.contexts.last_mut()
        {
            context.base = Some(self.line_indent);
        }
        match kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace => {
                let closing = self.line_indent;
                self.contexts.push(Context { content: closing + INDENT_COLUMNS, closing, base: None });
            }
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace if self.contexts.len() > 1 => {
                self.contexts.pop();
            }
            _ => {}
        }
    }
}

fn next_tokens(pieces: &[Piece]) -> Vec<Option<usize>> {
    let mut next = vec![None; pieces.len()];
    let mut last = None;
    for (at, piece) in pieces.iter().enumerate().rev() {
        last = if piece.is_token() { Some(at) } else { last };
        next[at] = last;
    }
    next
}

fn is_closing(piece: &Piece) -> bool {
    matches!(piece.form, Form::Token(Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace))
}
