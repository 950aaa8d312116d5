//! What the front end has to say about a program: one value per problem, in the form of docs/language.md.

use crate::span::Span;

/// Does it stop the program from running?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program is refused.
    Error,
    /// The program runs; the user should look.
    Warning,
}

/// One problem: a stable code, a place, what is wrong and (in `help`) the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `E0206`, `W0201`, …
    pub code: &'static str,
    /// Derived from the code's first letter.
    pub severity: Severity,
    /// The place that the code's row in the reference names.
    pub span: Span,
    /// Lower-case, names the thing.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic whose severity follows from its code.
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        let severity = if code.starts_with('W') { Severity::Warning } else { Severity::Error };
        Diagnostic { code, severity, span, message: message.into(), help: None }
    }

    /// The same with a `help:` line.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
