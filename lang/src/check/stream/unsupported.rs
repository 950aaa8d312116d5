//! Sources that the language has and this build does not run yet: they are checked, and then refused.

use super::{Streams, near};
use crate::ast::{Source, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::span::Span;

impl<'a> Streams<'_, 'a> {
    /// E0900 for a stream that cannot run yet. It is checked all the same.
    pub(super) fn refuse_unsupported(&mut self, ast: &AstStream) {
        if let Some((what, span)) = self.unsupported(ast) {
            self.expressions.report(Diagnostic::new("E0900", span, format!("{what} is not supported yet")));
        }
    }

    fn unsupported(&mut self, ast: &AstStream) -> Option<(&'static str, Span)> {
        match &ast.source {
            Source::Late(word, name) => {
                if !self.expressions.declared().is_stream(&name.name) {
                    let known = self.expressions.declared().names_of_streams();
                    let problem = Diagnostic::new("E0202", name.span, format!("unknown stream {}", name.name));
                    let help = near(&name.name, &known).unwrap_or_else(|| "name a stream with a window".into());
                    self.expressions.report(problem.help(help));
                }
                Some(("late", *word))
            }
            _ => None,
        }
    }
}
