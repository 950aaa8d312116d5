//! `rarog fmt`: the one form of a program.
//!
//! ```text
//! text ─► tokens and comments (pieces) ─► where lines break (chains) ─► indentation and blanks (layout) ─► text
//! ```
//! It moves white space only: every token and every comment stays, `for` templates are not expanded, and the result reads
//! as the same tree. Line breaks of the author stay, except that a long chain of operators has one per line. What is
//! formatted once is not changed by formatting it again.

mod chains;
mod layout;
mod meaning;
mod pieces;
mod spacing;

use crate::diagnostic::{Diagnostic, Severity};
use crate::limits::PROGRAM_BYTES;
use crate::parser::{annotate, parse};

/// Columns of indentation of a block.
const INDENT_COLUMNS: usize = 4;

/// Columns of a line before its operators are put into lines of their own.
const LINE_COLUMNS: usize = 100;

/// Operators that may stand in one line.
const OPERATORS_IN_LINE: usize = 3;

/// Formats a program; one with errors is refused with all of them.
///
/// ```
/// let text = "stream  S=E .where( a>1 )\n .emit(a:a)";
/// assert_eq!(rarog_lang::format::format(text).unwrap(), "stream S = E\n    .where(a > 1)\n    .emit(a: a)\n");
/// ```
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (program, diagnostics) = parse(text, 0);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let Some(annotated) = annotate(text) else { return Ok(text.into()) };
    let pieces = pieces::split(text, &annotated);
    let breaks = chains::breaks(&pieces);
    let formatted = layout::lay_out(&pieces, &breaks, &annotated.templates, annotated.tokens.len());
    let (again, problems) = parse(&formatted, 0);
    // Whatever this file does wrong, it does not do it to a program.
    let same = problems.is_empty() && meaning::fingerprint(&again) == meaning::fingerprint(&program);
    debug_assert!(
        same || formatted.len() > PROGRAM_BYTES,
        "formatting changed what this says: {text:?} is not {formatted:?}"
    );
    Ok(if same { formatted } else { text.into() })
}
