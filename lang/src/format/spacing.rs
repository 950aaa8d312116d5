//! Blanks between two pieces of one line.

use super::pieces::{Form, Piece};
use crate::lexer::Kind;
use crate::parser::notes::{Begins, Glue};

/// How many blanks stand between `left` and `right`.
pub(super) fn blanks(left: &Piece, right: &Piece) -> usize {
    if right.form == Form::LineComment {
        return 2;
    }
    if right.glue == Glue::AsIs {
        return usize::from(right.spaced || would_merge(left, right));
    }
    usize::from(!(sticks_right(left, right) || sticks_left(left, right)) || would_merge(left, right))
}

/// Does `left` want nothing behind it?
fn sticks_right(left: &Piece, right: &Piece) -> bool {
    let Form::Token(kind) = left.form else { return false };
    match kind {
        Kind::OpenParen | Kind::OpenBracket | Kind::Dot | Kind::QuestionDot => true,
        Kind::OpenBrace => left.glue != Glue::Roomy || right.form == Form::Token(Kind::CloseBrace),
        _ => matches!(left.glue, Glue::Prefix | Glue::Tight),
    }
}

/// Does `right` want nothing before it?
fn sticks_left(left: &Piece, right: &Piece) -> bool {
    let Form::Token(kind) = right.form else { return false };
    match kind {
        Kind::CloseParen | Kind::CloseBracket | Kind::Comma | Kind::Semicolon | Kind::Colon | Kind::QuestionDot => true,
        Kind::CloseBrace => right.glue != Glue::Roomy || left.form == Form::Token(Kind::OpenBrace),
        Kind::Dot => right.begins != Begins::Operator && right.glue != Glue::Apart,
        _ => matches!(right.glue, Glue::Call | Glue::Postfix | Glue::Tight),
    }
}

/// Would the two be read as something else without a blank?
fn would_merge(left: &Piece, right: &Piece) -> bool {
    let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '{' | '}');
    let (Some(last), Some(first)) = (left.text.chars().next_back(), right.text.chars().next()) else { return false };
    match (left.form, right.form) {
        (Form::Token(Kind::Time), _) => word(first) || matches!(first, ':' | '.' | '+' | '-'),
        (Form::Token(left), Form::Token(right)) if is_wordy(left) && is_wordy(right) => word(last) && word(first),
        _ => false,
    }
}

fn is_wordy(kind: Kind) -> bool {
    matches!(kind, Kind::Word | Kind::Int | Kind::Float | Kind::Duration)
}
