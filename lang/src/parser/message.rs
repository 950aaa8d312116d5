//! The words of syntax errors: what was expected, what was found, and guesses at what was meant.

use crate::diagnostic::Diagnostic;
use crate::expand::DECLARATIONS;
use crate::lexer::{Kind, Token};

/// Words that are no names in expressions.
const RESERVED: &[&str] = &["true", "false", "null", "and", "or", "not", "in", "is", "if", "then", "else"];

/// Is this word no name in expressions?
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// E0110 at a token.
pub(crate) fn expected(what: &str, token: &Token, text: &str) -> Diagnostic {
    let written = &text[token.start as usize..token.end as usize];
    let diagnostic =
        Diagnostic::new("E0110", token.span, format!("expected {what}, found {}", found(token.kind, written)));
    match meant(token.kind, written) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn found(kind: Kind, written: &str) -> String {
    match kind {
        Kind::End => "the end of the file".into(),
        Kind::Str => "a string".into(),
        _ if written.len() > 40 => "a long word".into(),
        _ => format!("`{written}`"),
    }
}

/// What somebody who comes from another language meant.
fn meant(kind: Kind, written: &str) -> Option<&'static str> {
    match kind {
        Kind::Eq => Some("== compares; names get values by let, items by a colon"),
        Kind::Assign => Some("a new name gets its value by =, a var another one by :="),
        Kind::AndAnd => Some("write and"),
        Kind::OrOr => Some("write or"),
        Kind::Semicolon => Some("statements end with their line"),
        Kind::Word => match written {
            "AND" => Some("between conditions write and; AND joins the members of a pattern"),
            "OR" => Some("between conditions write or; OR joins the members of a pattern"),
            "NOT" => Some("before a condition write not; NOT stands before a pattern's step"),
            "not" => Some("put not and what it negates into brackets"),
            "else" | "then" => Some("the forms are if c then a else b, and if c: with statements"),
            _ => None,
        },
        _ => None,
    }
}

/// What declarations are called elsewhere, and here.
const FOREIGN: &[(&str, &str)] = &[
    ("def", "fn"),
    ("func", "fn"),
    ("function", "fn"),
    ("struct", "type"),
    ("record", "event"),
    ("schema", "event"),
    ("source", "connector"),
    ("sink", "connector"),
    ("include", "import"),
    ("use", "import"),
    ("query", "stream"),
];

/// The declaration that somebody meant by a word.
pub(crate) fn meant_declaration(word: &str) -> Option<&'static str> {
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == word).map(|(_, own)| *own);
    foreign.or_else(|| nearest(word, DECLARATIONS))
}

/// The candidate that `word` most likely stands for: few letters changed, added, left out or exchanged.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let allowed = match word.len() {
        0..=2 => return None,
        3..=5 => 1,
        6..=20 => 2,
        _ => return None,
    };
    let lower = word.to_ascii_lowercase();
    let close = candidates.iter().map(|candidate| (distance(lower.as_bytes(), candidate.as_bytes()), *candidate));
    close.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

/// Edits between two short words, an exchange of neighbours counted once.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let edited = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { edited.min(rows[i - 2][j - 2] + 1) } else { edited }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_find_their_like() {
        let words = ["stream", "event", "pattern", "connector", "fn"];
        assert_eq!(nearest("strem", &words), Some("stream"));
        assert_eq!(nearest("Stream", &words), Some("stream"));
        assert_eq!(nearest("evnet", &words), Some("event"));
        assert_eq!(nearest("conector", &words), Some("connector"));
        assert_eq!(nearest("total", &words), None);
        assert_eq!(nearest("fx", &words), None);
    }
}
