//! Reads `for v in a..b:`, after the variables of the templates around it are replaced.

use super::lines::Content;
use super::{Expander, Origin, substitute};
use crate::diagnostic::Diagnostic;
use crate::lexer::{Kind, Token, lex, number};
use crate::parser::message::{expected, is_reserved};
use crate::span::Span;
use std::collections::HashMap;

/// A header that was understood.
#[derive(Debug)]
pub struct Header {
    /// The place of `for`.
    pub word: Span,
    /// The variable.
    pub variable: String,
    /// Its first value.
    pub first: i64,
    /// How many values it takes.
    pub turns: u64,
}

impl Expander<'_> {
    pub(super) fn header(&mut self, at: usize) -> Option<Header> {
        let line = self.lines[at];
        let mut text = String::new();
        let mut origin = Origin::new(self.file, self.text.len() as u32);
        substitute(self.text, line.start + line.indent..line.end, &self.variables, &mut text, &mut origin);
        let lexed = lex(&text, &origin, self.diagnostics);
        let mut reader =
            HeaderReader { consts: &self.consts, text: &text, tokens: &lexed.tokens, at: 0, problem: None };
        let header = reader.read();
        let problem = reader.problem.map(|(what, token)| self.header_problem(what, token, &text, at));
        self.diagnostics.extend(problem);
        header
    }

    /// "Expected X, found Y", where Y may stand in a line below.
    fn header_problem(&self, what: &str, token: Token, text: &str, at: usize) -> Diagnostic {
        let mut problem = expected(what, &token, text);
        if token.kind == Kind::End {
            let next = self.lines[at + 1..].iter().find(|next| next.content == Content::Code);
            let start = next.map_or(self.text.len(), |next| next.start + next.indent);
            let end = next.map_or(start, |next| {
                let rest = self.text[start..next.end].trim_end();
                start + rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len())
            });
            problem.span = Span { file: self.file, start: start as u32, end: end as u32 };
            problem.message = format!("expected {what}, found the end of the line");
        }
        problem.help("a for outside of functions is written for i in 0..10: with the lines to repeat below")
    }
}

struct HeaderReader<'t> {
    consts: &'t HashMap<String, i64>,
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    problem: Option<(&'static str, Token)>,
}

impl HeaderReader<'_> {
    fn read(&mut self) -> Option<Header> {
        let word = self.tokens[0].span;
        self.at = 1;
        let name = self.take(Kind::Word, "a name")?;
        if is_reserved(self.written(name)) {
            self.at -= 1;
            return self.fail("a name");
        }
        if self.written(self.tokens[self.at]) != "in" {
            return self.fail("`in`");
        }
        self.at += 1;
        let first = self.bound()?;
        let inclusive = self.tokens[self.at].kind == Kind::DotDotEq;
        if !inclusive && self.tokens[self.at].kind != Kind::DotDot {
            return self.fail("`..` or `..=`");
        }
        self.at += 1;
        let last = self.bound()?;
        self.take(Kind::Colon, "`:`")?;
        if self.tokens[self.at].kind != Kind::End {
            return self.fail("the end of the line");
        }
        let turns = i128::from(last) - i128::from(first) + i128::from(inclusive);
        let variable = self.written(name).to_string();
        Some(Header { word, variable, first, turns: u64::try_from(turns).unwrap_or(0) })
    }

    /// `5`, `-5`, `N`, `-N`
    fn bound(&mut self) -> Option<i64> {
        let negative = self.tokens[self.at].kind == Kind::Minus;
        self.at += usize::from(negative);
        let token = self.tokens[self.at];
        let written = self.written(token);
        let value = match token.kind {
            Kind::Int => number::int(written).ok().map(i128::from),
            Kind::Word => self.consts.get(written).map(|value| i128::from(*value)),
            _ => None,
        };
        let signed = value.and_then(|value| i64::try_from(if negative { -value } else { value }).ok());
        let Some(signed) = signed else { return self.fail("an integer or an integer const above") };
        self.at += 1;
        Some(signed)
    }

    fn written(&self, token: Token) -> &str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn take(&mut self, kind: Kind, what: &'static str) -> Option<Token> {
        let token = self.tokens[self.at];
        if token.kind != kind {
            return self.fail(what);
        }
        self.at += 1;
        Some(token)
    }

    fn fail<T>(&mut self, what: &'static str) -> Option<T> {
        let token = self.tokens[self.at];
        if token.kind != Kind::Error {
            self.problem = Some((what, token));
        }
        None
    }
}
