//! Tokens and the table of lines.
//!
//! A token holds no value: [`super::number`], [`super::quoted`] and [`crate::eval::time`] read it from the text when the
//! parser asks, so that a token stays small.

use crate::span::Span;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    /// A name or a word of the language.
    Word,
    /// `12`
    Int,
    /// `1.5`, `1e3`
    Float,
    /// `5s`
    Duration,
    /// `@2024-01-15`
    Time,
    /// `"text"`
    Str,
    /// Text that is no token; a diagnostic was given.
    Error,
    /// The end of the text.
    End,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Comma,
    Semicolon,
    Colon,
    Assign,
    Dot,
    DotDot,
    DotDotEq,
    QuestionDot,
    QuestionQuestion,
    Question,
    Plus,
    Minus,
    Star,
    StarStar,
    Slash,
    Percent,
    EqEq,
    Arrow,
    FatArrow,
    Eq,
    NotEq,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
    And,
    AndAnd,
    Or,
    OrOr,
    Caret,
    Tilde,
}

/// The symbol at the beginning of a text, the longest one, and its length in bytes.
pub(super) fn symbol(bytes: &[u8]) -> Option<(Kind, usize)> {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let long = match (at(0), at(1)) {
        (b'.', b'.') if at(2) == b'=' => return Some((Kind::DotDotEq, 3)),
        (b'.', b'.') => Kind::DotDot,
        (b'?', b'.') => Kind::QuestionDot,
        (b'?', b'?') => Kind::QuestionQuestion,
        (b'*', b'*') => Kind::StarStar,
        (b'=', b'=') => Kind::EqEq,
        (b'=', b'>') => Kind::FatArrow,
        (b'!', b'=') => Kind::NotEq,
        (b'<', b'=') => Kind::Le,
        (b'<', b'<') => Kind::Shl,
        (b'>', b'=') => Kind::Ge,
        (b'>', b'>') => Kind::Shr,
        (b'-', b'>') => Kind::Arrow,
        (b':', b'=') => Kind::Assign,
        (b'&', b'&') => Kind::AndAnd,
        (b'|', b'|') => Kind::OrOr,
        _ => return short(at(0)).map(|kind| (kind, 1)),
    };
    Some((long, 2))
}

fn short(byte: u8) -> Option<Kind> {
    Some(match byte {
        b'(' => Kind::OpenParen,
        b')' => Kind::CloseParen,
        b'[' => Kind::OpenBracket,
        b']' => Kind::CloseBracket,
        b'{' => Kind::OpenBrace,
        b'}' => Kind::CloseBrace,
        b',' => Kind::Comma,
        b';' => Kind::Semicolon,
        b':' => Kind::Colon,
        b'.' => Kind::Dot,
        b'?' => Kind::Question,
        b'+' => Kind::Plus,
        b'-' => Kind::Minus,
        b'*' => Kind::Star,
        b'/' => Kind::Slash,
        b'%' => Kind::Percent,
        b'=' => Kind::Eq,
        b'<' => Kind::Lt,
        b'>' => Kind::Gt,
        b'&' => Kind::And,
        b'|' => Kind::Or,
        b'^' => Kind::Caret,
        b'~' => Kind::Tilde,
        _ => return None,
    })
}

/// One token: where it stands in the expanded text, and in the program as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// First byte in the expanded text.
    pub start: u32,
    /// One past its last byte in the expanded text.
    pub end: u32,
    /// Number of its line in the expanded text, from 0.
    pub line: u32,
    /// Its place in the program.
    pub span: Span,
}

/// A line of the expanded text.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// First byte.
    pub start: u32,
    /// Bytes of blanks and tabs that it begins with.
    pub indent: u32,
}

/// What the lexer makes of a text.
#[derive(Debug)]
pub struct Lexed {
    /// All tokens; the last one is [`Kind::End`].
    pub tokens: Vec<Token>,
    /// All lines.
    pub lines: Vec<Line>,
}
