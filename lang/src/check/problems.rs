//! The list of what is wrong with a program: one code once per place, in order of position.

use super::suggestion::did_you_mean;
use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;
use std::collections::HashSet;

/// So many problems of a program may come with a did-you-mean.
const SUGGESTIONS: usize = 100;

/// Collects diagnostics. A second report of one code at one place is dropped, so text that a `for` has multiplied
/// complains once.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Span)>,
}

impl Problems {
    /// Notes a problem.
    pub fn report(&mut self, problem: Diagnostic) {
        if self.seen.insert((problem.code, problem.span)) {
            self.list.push(problem);
        }
    }

    /// The `help:` line for an unknown name: the nearest of `known`. A program with very many errors gets it for the first
    /// ones only, since comparing names is dear.
    pub fn did_you_mean<N: AsRef<str>>(&self, name: &str, known: impl FnOnce() -> Vec<N>) -> Option<String> {
        if self.list.len() >= SUGGESTIONS {
            return None;
        }
        did_you_mean(name, known().iter().map(AsRef::as_ref))
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them in order of position. What a build does not run yet (E0900) is only worth saying about a program
    /// that has no other error.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let otherwise_wrong = self.list.iter().any(|p| p.severity == Severity::Error && p.code != "E0900");
        if otherwise_wrong {
            self.list.retain(|problem| problem.code != "E0900");
        }
        self.list.sort_by_key(|problem| (problem.span, problem.code));
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: &'static str, start: u32) -> Diagnostic {
        Diagnostic::new(code, Span { file: 0, start, end: start + 1 }, "x")
    }

    fn codes(problems: Problems) -> Vec<&'static str> {
        problems.finish().iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn a_code_is_reported_once_per_place_and_in_order_of_position() {
        let mut problems = Problems::default();
        for problem in [at("E0206", 9), at("E0301", 2), at("E0206", 9), at("E0206", 4)] {
            problems.report(problem);
        }
        assert_eq!(codes(problems), ["E0301", "E0206", "E0206"]);
    }

    #[test]
    fn what_is_not_run_yet_matters_only_in_a_right_program() {
        let mut problems = Problems::default();
        problems.report(at("E0900", 1));
        problems.report(at("W0103", 2));
        assert_eq!(codes(problems), ["E0900", "W0103"]);
        let mut problems = Problems::default();
        problems.report(at("E0900", 1));
        problems.report(at("E0206", 2));
        assert_eq!(codes(problems), ["E0206"]);
    }
}
