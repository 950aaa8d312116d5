//! Text to tokens. Linear in the text; never fails: what is no token becomes [`Kind::Error`] and a diagnostic.
//!
//! It works on the text in which `for` templates are expanded, and gives every token its place in the text as written.

pub mod number;
pub mod quoted;
mod token;

pub use token::{Kind, Lexed, Line, Token};

use crate::diagnostic::Diagnostic;
use crate::eval::time::parse_timestamp_literal;
use crate::expand::Origin;
use crate::span::Span;

/// Reads a text.
pub fn lex(text: &str, origin: &Origin, diagnostics: &mut Vec<Diagnostic>) -> Lexed {
    let mut lexer = Lexer {
        text,
        origin: origin.cursor(),
        pos: 0,
        lexed: Lexed { tokens: Vec::with_capacity(text.len() / 4), lines: Vec::new() },
        diagnostics,
    };
    lexer.open_line();
    lexer.run();
    lexer.lexed
}

struct Lexer<'a> {
    text: &'a str,
    origin: crate::expand::Cursor<'a>,
    pos: usize,
    lexed: Lexed,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => {
                    self.pos += 1;
                    self.open_line();
                }
                b' ' | b'\t' | b'\r' => self.pos += 1,
                b'#' => self.skip_line(),
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.skip_block_comment(),
                b'"' | b'\'' => self.string(),
                b'@' => self.time(),
                b'0'..=b'9' => self.number(),
                b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.word(),
                _ => self.symbol(),
            }
        }
        self.push(Kind::End, self.pos);
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.pos + ahead).copied()
    }

    fn open_line(&mut self) {
        let rest = &self.text.as_bytes()[self.pos..];
        let indent = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.lexed.lines.push(Line { start: self.pos as u32, indent: indent as u32 });
    }

    fn span(&mut self, start: usize, end: usize) -> Span {
        self.origin.span(start, end)
    }

    fn push(&mut self, kind: Kind, end: usize) {
        let (start, line) = (self.pos, self.lexed.lines.len() as u32 - 1);
        let span = self.span(start, end);
        self.lexed.tokens.push(Token { kind, start: start as u32, end: end as u32, line, span });
        self.pos = end;
    }

    fn report(&mut self, code: &'static str, start: usize, end: usize, message: String, help: &str) {
        let span = self.span(start, end);
        self.diagnostics.push(Diagnostic::new(code, span, message).help(help));
    }

    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.pos..];
        self.pos += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    fn skip_block_comment(&mut self) {
        match self.text[self.pos + 2..].find("*/") {
            Some(length) => {
                let end = self.pos + 2 + length + 2;
                while let Some(line) = self.text[self.pos..end].find('\n') {
                    self.pos += line + 1;
                    self.open_line();
                }
                self.pos = end;
            }
            None => {
                self.report(
                    "E0102",
                    self.pos,
                    self.pos + 2,
                    "unterminated comment".into(),
                    "end it with */; comments do not nest",
                );
                self.push(Kind::Error, self.text.len());
            }
        }
    }

    fn string(&mut self) {
        let quoted = quoted::scan(&self.text[self.pos..]);
        let end = self.pos + quoted.end;
        for escape in &quoted.bad_escapes {
            let (start, end) = (self.pos + escape.start, self.pos + escape.end);
            if quoted.closed {
                let message = format!("unknown escape {}", &self.text[start..end]);
                self.report("E0106", start, end, message, "the escapes are \\n \\t \\r \\0 \\\\ \\\" \\' \\u{hex}");
            }
        }
        if !quoted.closed {
            let quote = &self.text[self.pos..self.pos + 1];
            let help = format!("end it with {quote} on the same line; \\n stands for a line break");
            self.report("E0102", self.pos, self.pos + 1, "unterminated string".into(), &help);
        }
        let whole = quoted.closed && quoted.bad_escapes.is_empty();
        self.push(if whole { Kind::Str } else { Kind::Error }, end);
    }

    fn time(&mut self) {
        let rest = &self.text.as_bytes()[self.pos + 1..];
        let within = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b':' | b'.' | b'+' | b'-');
        let end = self.pos + 1 + rest.iter().take_while(within).count();
        let written = &self.text[self.pos..end];
        if parse_timestamp_literal(&written[1..]).is_some() {
            return self.push(Kind::Time, end);
        }
        let message = match written.len() {
            0..=60 => format!("bad timestamp {written}"),
            _ => "bad timestamp".into(),
        };
        self.report(
            "E0105",
            self.pos,
            end,
            message,
            "write @2024-01-15 or @2024-01-15T10:30:00Z, between the years 1678 and 2262",
        );
        self.push(Kind::Error, end);
    }

    fn number(&mut self) {
        let (length, result) = number::scan(&self.text[self.pos..]);
        let end = self.pos + length;
        let after_minus = self.lexed.tokens.last().is_some_and(|token| token.kind == Kind::Minus);
        let result = match result {
            Ok(Kind::Int) if !after_minus && number::int(&self.text[self.pos..end]) == Ok(1 << 63) => {
                Err(number::int_out_of_range(&self.text[self.pos..end]))
            }
            other => other,
        };
        match result {
            Ok(kind) => self.push(kind, end),
            Err(fault) => {
                self.report(fault.code, self.pos, end, fault.message, &fault.help);
                self.push(Kind::Error, end);
            }
        }
    }

    fn word(&mut self) {
        let rest = &self.text.as_bytes()[self.pos..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        self.push(Kind::Word, self.pos + length);
    }

    fn symbol(&mut self) {
        match token::symbol(&self.text.as_bytes()[self.pos..]) {
            Some((kind, length)) => self.push(kind, self.pos + length),
            None => self.unexpected(),
        }
    }

    /// A run of characters that begin no token: one diagnostic.
    fn unexpected(&mut self) {
        let begins_token = |char: char| {
            char.is_ascii_alphanumeric()
                || matches!(char, '_' | ' ' | '\t' | '\r' | '\n' | '#' | '"' | '\'' | '@')
                || "()[]{},;:.?+-*/%=<>&|^~".contains(char)
        };
        let rest = &self.text[self.pos..];
        let length = rest.find(begins_token).unwrap_or(rest.len());
        let (end, run) = (self.pos + length, &rest[..length]);
        let several = run.chars().nth(1).is_some();
        let shown: String = run.chars().take(20).flat_map(char::escape_debug).collect();
        let message = format!("unexpected character{} {shown}", if several { "s" } else { "" });
        let help = match run.chars().next() {
            Some('!') => "write not for negation, != for inequality",
            Some('`' | '“' | '”' | '„' | '‘' | '’') => "strings stand in \" or '",
            Some('\u{a0}' | '\u{2009}' | '\u{200b}' | '\u{feff}') => {
                "this is an invisible character; replace it by a blank"
            }
            Some(char) if char.is_alphabetic() => "names have letters A to Z, digits and _",
            _ => "remove it, or put it into a string",
        };
        self.report("E0101", self.pos, end, message, help);
        self.push(Kind::Error, end);
    }
}
