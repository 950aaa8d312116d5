//! What the operators of section 10 say of a sequence as a whole: its bound in time, its selection strategy, how many matches
//! a Kleene step gives; and the rules for them.

use super::Streams;
use super::elements::{Element, Kind};
use crate::ast::{Arg, Ident, Op as AstOp, Pattern, Quantifier, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::plan::Mode;
use crate::span::Span;

/// Most open runs of a key if nothing is said.
const MAX_RUNS: u64 = 10_000;

/// What the operators of section 10 said.
#[derive(Debug, Default)]
pub(super) struct Modes {
    /// Where a bound in time is given, if one is.
    within: Option<Span>,
    /// ns
    pub bound: Option<i64>,
    max_runs: Option<u64>,
    strict: Option<Span>,
    any: Option<Span>,
    each: Option<Span>,
    longest: Option<Span>,
    selection: Option<(&'static str, Span)>,
}

impl Modes {
    /// The selection strategy.
    pub fn mode(&self) -> Mode {
        match (self.strict, self.any) {
            (Some(_), _) => Mode::Strict,
            (_, Some(_)) => Mode::Any,
            _ => Mode::Next,
        }
    }

    /// Is there a match per element?
    pub fn is_each(&self) -> bool {
        self.each.is_some()
    }

    /// Most open runs of a key.
    pub fn max_runs(&self) -> u64 {
        self.max_runs.unwrap_or(MAX_RUNS)
    }
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// `.within` and the selection strategies, wherever they stand.
    pub(super) fn modes(&mut self, ast: &AstStream, pattern: Option<&Pattern>) -> Modes {
        let mut modes = Modes {
            within: pattern.and_then(|pattern| pattern.within.first()).map(|(span, _)| *span),
            ..Modes::default()
        };
        if let Some((_, within)) = pattern.and_then(|pattern| pattern.within.first()) {
            modes.bound = self.expressions.positive_duration("within", within);
        }
        for op in &ast.ops {
            let AstOp::Call(word, args) = op else { continue };
            match &*word.name {
                "within" => {
                    if pattern.is_some_and(|pattern| !pattern.within.is_empty()) {
                        let problem =
                            Diagnostic::new("E0404", word.span, ".within is given twice: the pattern has one");
                        self.expressions.report(problem.help("leave one of them out"));
                    }
                    if let Some(arg) = self.one_argument(word, "d", args) {
                        modes.bound = self.expressions.positive_duration("within", &arg.value);
                    }
                    modes.within = Some(word.span);
                }
                "max_runs" => {
                    if let Some(arg) = self.one_argument(word, "n", args) {
                        modes.max_runs = self.expressions.positive_integer("max_runs", &arg.value);
                    }
                }
                "strict" => self.select(&mut modes, "strict", word, args),
                "skip_till_next" | "stnm" => self.select(&mut modes, "skip_till_next", word, args),
                "skip_till_any" | "stam" => self.select(&mut modes, "skip_till_any", word, args),
                "each" | "longest" => {
                    self.no_arguments(word, args);
                    let (one, other) = match &*word.name {
                        "each" => (&mut modes.each, modes.longest),
                        _ => (&mut modes.longest, modes.each),
                    };
                    match other {
                        Some(_) => self.contradiction(word),
                        None => *one = Some(word.span),
                    }
                }
                _ => {}
            }
        }
        modes
    }

    fn one_argument<'e>(&mut self, word: &Ident, name: &'static str, args: &'e [Arg]) -> Option<&'e Arg> {
        let parameters = crate::check::expression::Parameters { names: &[name], positional: 1, required: 1, given: 0 };
        self.expressions.bind(word, parameters, args).args[0]
    }

    fn no_arguments(&mut self, word: &Ident, args: &[Arg]) {
        let parameters = crate::check::expression::Parameters { names: &[], positional: 0, required: 0, given: 0 };
        self.expressions.bind(word, parameters, args);
    }

    fn select(&mut self, modes: &mut Modes, mode: &'static str, word: &Ident, args: &[Arg]) {
        self.no_arguments(word, args);
        match modes.selection {
            Some((given, _)) if given != mode => self.contradiction(word),
            _ => modes.selection = Some((mode, word.span)),
        }
        match mode {
            "strict" => modes.strict = Some(word.span),
            "skip_till_any" => modes.any = Some(word.span),
            _ => {}
        }
    }

    /// E0405 for what was given otherwise before.
    fn contradiction(&mut self, word: &Ident) {
        let message = format!(".{} contradicts the selection given before", word.name);
        self.expressions.report(Diagnostic::new("E0405", word.span, message).help("leave one of them out"));
    }

    /// E0401, E0402, E0405, E0905, W0401
    pub(super) fn check_modes(&mut self, alternatives: &[Vec<Element>], modes: &Modes, ast: &AstStream) {
        let repeats = |list: &Vec<Element>| list.iter().enumerate().any(|(index, element)| element.repeats(index == 0));
        if let (Some(each), false) = (modes.each, alternatives.iter().any(repeats)) {
            let problem = Diagnostic::new("E0401", each, ".each needs a Kleene step");
            self.expressions.report(problem.help("write `all X` or `X+`"));
        }
        if let (Some(each), Some(any)) = (modes.each, modes.any) {
            let problem = Diagnostic::new("E0405", each.max(any), ".each contradicts .skip_till_any");
            self.expressions.report(problem.help("leave one of them out"));
        }
        let mut open_ended = false;
        for list in alternatives {
            let Some(last) = list.last() else { continue };
            let trailing_absence = last.kind == Kind::Absence;
            if let (true, Some(word)) = (trailing_absence, modes.strict.or(modes.any)) {
                let message = "a trailing absence contradicts strict and skip_till_any";
                self.expressions.report(Diagnostic::new("E0405", word, message).help("leave the selection out"));
            }
            if let Some(word) = modes.any.filter(|_| list.iter().any(|element| element.kind == Kind::And)) {
                self.expressions.report(Diagnostic::new("E0905", word, "AND with skip_till_any is not supported yet"));
            }
            let optional = last.quantifier(list.len() == 1) == Some(Quantifier::Optional);
            let kleene = last.repeats(list.len() == 1) && modes.each.is_none();
            if modes.within.is_none()
                && !super::chain::is_vague(ast)
                && (trailing_absence || optional || kleene || modes.any.is_some())
            {
                let problem = Diagnostic::new("E0402", last.span, "needs a within: nothing else ends it");
                self.expressions.report(problem.help("add .within(5m)"));
                open_ended = true;
            }
        }
        if modes.within.is_none() && !open_ended && !super::chain::is_vague(ast) {
            let problem = Diagnostic::new("W0401", ast.name.span, "sequence without within: runs wait for ever");
            self.expressions.report(problem.help("add .within(5m)"));
        }
    }
}
