//! Texts that somebody could have typed: soups of tokens, and golden programs with tokens lost, doubled or exchanged.

use proptest::prelude::*;

const TOKENS: &[&str] = &[
    "stream",
    "event",
    "type",
    "pattern",
    "connector",
    "context",
    "fn",
    "let",
    "var",
    "const",
    "import",
    "config",
    "for",
    "if",
    "elif",
    "else",
    "while",
    "return",
    "break",
    "emit",
    "merge",
    "join",
    "timer",
    "late",
    "sequence",
    "SEQ",
    "AND",
    "OR",
    "NOT",
    "not",
    "all",
    "where",
    "as",
    "on",
    "within",
    "partition",
    "by",
    "extends",
    "in",
    "is",
    "null",
    "true",
    "then",
    "and",
    "or",
    "Stream",
    "S",
    "E",
    "a",
    "b",
    "f",
    "x1",
    "cores",
    "i",
    "{i}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    ":",
    ":=",
    ".",
    "..",
    "..=",
    "?.",
    "??",
    "?",
    "+",
    "-",
    "*",
    "**",
    "/",
    "%",
    "==",
    "=",
    "=>",
    "!=",
    "<",
    "<=",
    "<<",
    ">",
    ">=",
    ">>",
    "->",
    "&",
    "&&",
    "|",
    "||",
    "^",
    "~",
    "!",
    "$",
    "@",
    "1",
    "2.5",
    "1e9",
    "5s",
    "5x",
    "@2024-01-15",
    "\"s\"",
    "'t'",
    "\"",
    "'",
    "\\",
    "# c",
    "// d",
    "/* e */",
    "/*",
    "*/",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\n\t",
    "\r\n",
    " ",
    "  ",
    "é",
    "\u{feff}",
    "0..3",
    "9223372036854775808",
    ".where(",
    ".emit(",
    ".window(",
    "stream S = E",
    "\nstream T = E\n",
    "for i in 0..2:\n    ",
    "x => {",
    "if a:\n        ",
    "\"\\q\"",
    "\\u{e9}",
];

/// Tokens of the language in any order.
pub fn soup() -> impl Strategy<Value = String> {
    let token = (prop::sample::select(TOKENS), prop::sample::select(&["", " ", " ", " "][..]));
    prop::collection::vec(token, 0..60)
        .prop_map(|tokens| tokens.iter().map(|(token, blank)| format!("{token}{blank}")).collect())
}

/// One of `programs`, changed in a few places.
pub fn mutated(programs: Vec<String>) -> impl Strategy<Value = String> {
    let change = (0..6u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::sample::select(TOKENS));
    (prop::sample::select(programs), prop::collection::vec(change, 1..5)).prop_map(|(program, changes)| {
        let mut tokens = split(&program);
        for (kind, at, other, token) in changes {
            if tokens.is_empty() {
                break;
            }
            let (at, other) = (at.index(tokens.len()), other.index(tokens.len()));
            match kind {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, tokens[at].clone()),
                2 => tokens.swap(at, other),
                3 => tokens.insert(at, (*token).to_string()),
                4 => tokens[at] = (*token).to_string(),
                _ => drop(tokens.drain(at.min(other)..at.max(other).min(at.min(other) + 8))),
            }
        }
        tokens.concat()
    })
}

/// Words, runs of blanks, single characters.
fn split(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let class = |char: char| match char {
        _ if char.is_alphanumeric() || char == '_' => 1,
        ' ' | '\t' => 2,
        _ => 0,
    };
    let mut last = 0;
    for char in text.chars() {
        let class = class(char);
        match tokens.last_mut() {
            Some(token) if class == last && class > 0 => token.push(char),
            _ => tokens.push(char.to_string()),
        }
        last = class;
    }
    tokens
}
