//! Where the formatter breaks lines that the author did not break: before declarations, and in long chains of operators.

use super::pieces::Piece;
use super::spacing::blanks;
use super::{LINE_COLUMNS, OPERATORS_IN_LINE};
use crate::parser::notes::Begins;

/// For every piece, whether a line must begin with it.
pub(super) fn breaks(pieces: &[Piece]) -> Vec<bool> {
    let mut breaks = vec![false; pieces.len()];
    let is_declaration = |piece: &Piece| piece.begins == Begins::Declaration;
    let mut start = pieces.iter().position(is_declaration);
    while let Some(from) = start {
        breaks[from] = from > 0 && pieces[from - 1].is_token();
        let next = pieces[from + 1..].iter().position(is_declaration).map(|length| from + 1 + length);
        chain(&pieces[from..next.unwrap_or(pieces.len())], &mut breaks[from..]);
        start = next;
    }
    breaks
}

/// The chain of one declaration.
fn chain(pieces: &[Piece], breaks: &mut [bool]) {
    let of = |begins: Begins| pieces.iter().enumerate().filter(move |(_, piece)| piece.begins == begins);
    let operators: Vec<usize> = of(Begins::Operator).map(|(at, _)| at).collect();
    let arrows: Vec<usize> = of(Begins::Arrow).map(|(at, _)| at).collect();
    let is_broken =
        operators.iter().any(|at| pieces[*at].begins_line(&pieces[*at - 1])) || operators.len() > OPERATORS_IN_LINE;
    if is_broken || is_wide(pieces, breaks) {
        operators.iter().for_each(|at| breaks[*at] = true);
    }
    if !arrows.is_empty() && is_wide(pieces, breaks) {
        arrows.iter().for_each(|at| breaks[*at] = true);
    }
}

/// Is the first line too wide, indentation aside?
fn is_wide(pieces: &[Piece], breaks: &[bool]) -> bool {
    let mut columns = pieces[0].text.chars().count();
    for (at, pair) in pieces.windows(2).enumerate() {
        if pair[1].begins_line(&pair[0]) || breaks[at + 1] || columns > LINE_COLUMNS {
            break;
        }
        // A comment behind the line does not make it longer.
        if pair[1].is_token() {
            columns += blanks(&pair[0], &pair[1]) + pair[1].text.chars().count();
        }
    }
    columns > LINE_COLUMNS
}
