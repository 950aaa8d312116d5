//! The parser's view of the tokens: looking ahead, taking, failing, and the two things that change how an expression ends.

use super::message::{expected, is_reserved};
use super::notes::Notes;
use crate::ast::Ident;
use crate::diagnostic::Diagnostic;
use crate::expand::DECLARATIONS;
use crate::lexer::{Kind, Line, Token};
use crate::limits::NESTING_LEVELS;
use crate::span::Span;
use std::cmp::Ordering;

/// A declaration was given up; what is wrong with it was reported.
#[derive(Debug)]
pub(super) struct Abort;

/// What a rule gives.
pub(super) type Parsed<T> = Result<T, Abort>;

/// How expressions end where the parser stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// Line breaks matter: in a block or a top-level `let`, outside of brackets.
    pub lines: bool,
    /// `.name(` is the next operator of the stream, outside of brackets.
    pub operators: bool,
}

/// Reads one text.
pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub tokens: Vec<Token>,
    pub lines: Vec<Line>,
    pub at: usize,
    pub depth: u32,
    pub mode: Mode,
    /// Height of the tallest expression in the statements of the block that is being read.
    pub tallest: u32,
    pub diagnostics: Vec<Diagnostic>,
    /// For the formatter.
    pub notes: Option<Notes>,
}

impl<'a> Parser<'a> {
    /// The current token.
    pub fn token(&self) -> Token {
        self.tokens[self.at]
    }

    pub fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    /// The kind of the token that is `ahead` tokens away; the end repeats for ever.
    pub fn kind_at(&self, ahead: usize) -> Kind {
        self.tokens.get(self.at + ahead).map_or(Kind::End, |token| token.kind)
    }

    /// The word that is `ahead` tokens away, or nothing if no word is.
    pub fn word_at(&self, ahead: usize) -> &'a str {
        match self.tokens.get(self.at + ahead) {
            Some(token) if token.kind == Kind::Word => self.written(token),
            _ => "",
        }
    }

    pub fn word(&self) -> &'a str {
        self.word_at(0)
    }

    /// The text of a token.
    pub fn written(&self, token: &Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The place of the token before the current one.
    pub fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    /// Takes the current token; the end is never passed.
    pub fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    /// Takes a token of this kind if it is there.
    pub fn eat(&mut self, kind: Kind) -> bool {
        let there = self.kind() == kind;
        if there {
            self.bump();
        }
        there
    }

    /// Takes this word if it is there.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let there = self.word() == word;
        if there {
            self.bump();
        }
        there
    }

    /// Takes the first half of a symbol of two characters, where only that can be meant; `second` is left.
    pub fn eat_half(&mut self, kind: Kind, second: Kind) -> Option<Span> {
        let token = self.token();
        if token.kind != kind {
            return None;
        }
        let middle = token.span.start + 1;
        let span = Span { start: middle, ..token.span };
        self.tokens[self.at] = Token { kind: second, start: token.start + 1, span, ..token };
        Some(Span { end: middle, ..token.span })
    }

    pub fn expect(&mut self, kind: Kind, what: &str) -> Parsed<Token> {
        if self.kind() == kind { Ok(self.bump()) } else { Err(self.fail(what)) }
    }

    pub fn expect_word(&mut self, word: &str) -> Parsed<Token> {
        if self.word() == word { Ok(self.bump()) } else { Err(self.fail(&format!("`{word}`"))) }
    }

    /// A name that expressions can use.
    pub fn name(&mut self, what: &str) -> Parsed<Ident> {
        if is_reserved(self.word()) {
            let diagnostic = expected(what, &self.token(), self.text);
            return Err(
                self.report(diagnostic.help(format!("{} is a word of the language; take another name", self.word())))
            );
        }
        self.any_name(what)
    }

    /// Does the current line begin a declaration? There no word is taken for a name that a broken line before is short of.
    pub fn begins_declaration(&self) -> bool {
        let begins = DECLARATIONS.contains(&self.word()) && self.is_in_column_0();
        let next = self.tokens.get(self.at + 1).filter(|next| next.line == self.token().line);
        begins
            && next.is_some_and(|next| match next.kind {
                Kind::Str => self.word() == "import",
                Kind::Word => !is_reserved(self.written(next)),
                _ => false,
            })
    }

    /// A name that stands where no expression could, so that every word will do.
    pub fn any_name(&mut self, what: &str) -> Parsed<Ident> {
        if self.begins_declaration() {
            return Err(self.fail(what));
        }
        let token = self.expect(Kind::Word, what)?;
        Ok(self.ident(&token))
    }

    pub fn ident(&self, token: &Token) -> Ident {
        Ident { name: self.written(token).into(), span: token.span }
    }

    /// E0110 at the current token; silent at one that is no token, since the lexer has spoken.
    pub fn fail(&mut self, what: &str) -> Abort {
        let token = self.token();
        if token.kind != Kind::Error {
            self.diagnostics.push(expected(what, &token, self.text));
        }
        Abort
    }

    /// The same with a way out.
    pub fn fail_with(&mut self, what: &str, help: &str) -> Abort {
        let token = self.token();
        if token.kind != Kind::Error {
            self.diagnostics.push(expected(what, &token, self.text).help(help));
        }
        Abort
    }

    pub fn report(&mut self, diagnostic: Diagnostic) -> Abort {
        self.diagnostics.push(diagnostic);
        Abort
    }

    /// One level deeper, because of the token at `place`.
    pub fn enter(&mut self, place: Span) -> Parsed<()> {
        if self.depth == NESTING_LEVELS {
            let message = format!("nested deeper than {NESTING_LEVELS}");
            return Err(self
                .report(Diagnostic::new("E0108", place, message).help("split it: give parts a name with let or fn")));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Between brackets: one level deeper, and lines and operators end nothing.
    pub fn bracketed<T>(&mut self, open: Kind, what: &str, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let at = self.at;
        let token = self.expect(open, what)?;
        self.enter(token.span)?;
        let mode = std::mem::take(&mut self.mode);
        let value = inner(self).inspect_err(|Abort| self.blame_open(at))?;
        self.mode = mode;
        self.leave();
        Ok(value)
    }

    /// What runs into the next declaration, or the end, lacks a bracket: says which.
    fn blame_open(&mut self, open: usize) {
        if self.kind() != Kind::End && !self.begins_declaration() {
            return;
        }
        let (bracket, before) = (self.written(&self.tokens[open]), self.tokens[..open].last());
        let owner = before.filter(|before| before.kind == Kind::Word).map(|before| self.written(before));
        let help = match owner {
            Some(owner) => format!("the {bracket} behind {owner} is not closed"),
            None => format!("a {bracket} is not closed"),
        };
        let place = self.token().span;
        let missing = self.diagnostics.last_mut().filter(|last| last.code == "E0110" && last.span == place);
        if let Some(missing) = missing.filter(|missing| missing.help.is_none()) {
            missing.help = Some(help);
        }
    }

    /// With another mode.
    pub fn with_mode<T>(&mut self, mode: Mode, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let before = std::mem::replace(&mut self.mode, mode);
        let value = inner(self)?;
        self.mode = before;
        Ok(value)
    }

    /// Is the current token the first one of its line?
    pub fn is_first_of_line(&self) -> bool {
        self.at == 0 || self.tokens[self.at - 1].line < self.token().line
    }

    /// Does the current token stand in column 0?
    pub fn is_in_column_0(&self) -> bool {
        self.token().start == self.lines[self.token().line as usize].start
    }

    /// The blanks and tabs at the beginning of a line.
    pub fn indent(&self, line: u32) -> &'a str {
        let line = self.lines[line as usize];
        &self.text[line.start as usize..(line.start + line.indent) as usize]
    }

    /// How the current token's line stands to a line with the indentation `other`; nothing if blanks and tabs disagree.
    pub fn compare_indent(&self, other: &str) -> Option<Ordering> {
        let own = self.indent(self.token().line);
        match own.len().cmp(&other.len()) {
            Ordering::Less if other.starts_with(own) => Some(Ordering::Less),
            Ordering::Equal if own == other => Some(Ordering::Equal),
            Ordering::Greater if own.starts_with(other) => Some(Ordering::Greater),
            _ => None,
        }
    }
}
