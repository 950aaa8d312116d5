//! What a sequence consists of, whichever way it is spelled: alternatives, each a list of elements.

use crate::ast::{Arg, Expr, Ident, Op, PExpr, PKind, Quantifier, Source, Step, StepTarget, Stream};
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// What an element does with the events of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Takes one step's events.
    Event,
    /// Ends the run if the event comes.
    Absence,
    /// Takes one event of each step, in any order.
    And,
    /// Takes an event of one of the steps.
    Or,
}

/// A step of an element, with what stands around it in its spelling.
#[derive(Clone, Debug)]
pub(super) struct Member<'e> {
    pub step: &'e Step,
    /// Its type or stream.
    pub name: &'e Ident,
    pub alias: Option<&'e Ident>,
    /// `.where` between two arrows, and conditions around `not (X)`.
    pub more: Vec<&'e Expr>,
    /// `within` around `not (X)`.
    pub within: Option<&'e (Span, Expr)>,
    /// `.print` and `.log` between two arrows.
    pub notes: Vec<(&'e Ident, &'e [Arg])>,
}

impl<'e> Member<'e> {
    fn new(step: &'e Step, name: &'e Ident, alias: Option<&'e Ident>) -> Member<'e> {
        let within = step.within.as_ref();
        Member { step, name, alias, more: Vec::new(), within, notes: Vec::new() }
    }
}

/// An element.
#[derive(Clone, Debug)]
pub(super) struct Element<'e> {
    pub kind: Kind,
    pub members: Vec<Member<'e>>,
    /// Alias of an OR.
    pub alias: Option<&'e Ident>,
    pub span: Span,
}

impl Element<'_> {
    /// The quantifier, if it is a single event; `all X` is `X+`, but on the first step each X on its own.
    pub fn quantifier(&self, first: bool) -> Option<Quantifier> {
        let member = self.members.first().filter(|_| self.kind == Kind::Event)?;
        let plus = (member.step.all && !first).then_some(Quantifier::Plus);
        member.step.quantifier.map(|(quantifier, _)| quantifier).or(plus)
    }

    /// Does it take several events?
    pub fn repeats(&self, first: bool) -> bool {
        matches!(self.quantifier(first), Some(Quantifier::Plus | Quantifier::Star))
    }
}

/// Alternatives, and what was wrong with them.
#[derive(Debug, Default)]
pub(super) struct Elements<'e> {
    pub alternatives: Vec<Vec<Element<'e>>>,
    pub problems: Vec<Diagnostic>,
}

fn not_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new("E0905", span, format!("{what} is not supported yet"))
}

impl<'e> Elements<'e> {
    /// Those of a stream that has arrows, `sequence(…)` or a pattern as its source.
    pub fn of_stream(stream: &'e Stream, pattern: Option<&'e PExpr>) -> Elements<'e> {
        let mut elements = Elements::default();
        match &stream.source {
            Source::Sequence(_, steps) => {
                let list = steps.iter().filter_map(|(alias, step)| elements.step(step, Some(alias))).collect();
                elements.alternatives.push(list);
            }
            Source::Pattern(pattern) => elements.pattern(pattern),
            Source::Step(step) => match pattern {
                Some(pattern) => elements.pattern(pattern),
                None => {
                    let first = elements.step(step, None);
                    elements.alternatives.push(first.into_iter().collect());
                }
            },
            _ => {}
        }
        elements.add_arrows(stream);
        elements
    }

    /// The steps behind `->`, with the conditions that stand between two arrows.
    fn add_arrows(&mut self, stream: &'e Stream) {
        let last_arrow = stream.ops.iter().rposition(|op| matches!(op, Op::Then(..)));
        let Some(last_arrow) = last_arrow else { return };
        for op in &stream.ops[..=last_arrow] {
            match op {
                Op::Then(_, step) => {
                    let element = self.step(step, None);
                    for list in &mut self.alternatives {
                        list.extend(element.clone());
                    }
                }
                Op::Call(name, args) if matches!(&*name.name, "where" | "filter") && args.len() == 1 => {
                    for element in self.alternatives.iter_mut().filter_map(|list| list.last_mut()) {
                        element.members.iter_mut().for_each(|member| member.more.push(&args[0].value));
                    }
                }
                Op::Call(name, args) if matches!(&*name.name, "print" | "log") => {
                    for element in self.alternatives.iter_mut().filter_map(|list| list.last_mut()) {
                        element.members.iter_mut().for_each(|member| member.notes.push((name, args)));
                    }
                }
                _ => {}
            }
        }
    }

    /// Those of a pattern.
    pub fn of_pattern(pattern: &'e PExpr) -> Elements<'e> {
        let mut elements = Elements::default();
        elements.pattern(pattern);
        elements
    }

    fn pattern(&mut self, pattern: &'e PExpr) {
        match &pattern.kind {
            PKind::Or(members, alias) if members.iter().any(|member| !is_event(member)) => {
                if let Some(alias) = alias {
                    self.problems.push(not_yet("an alias of several sequences", alias.span));
                }
                for member in members {
                    let list = self.list(member);
                    self.alternatives.push(list);
                }
            }
            _ => {
                let list = self.list(pattern);
                self.alternatives.push(list);
            }
        }
    }

    fn list(&mut self, pattern: &'e PExpr) -> Vec<Element<'e>> {
        match &pattern.kind {
            PKind::Seq(parts) => parts.iter().flat_map(|part| self.list(part)).collect(),
            PKind::And(members, alias) => self.group(Kind::And, members, alias.as_ref(), pattern.span),
            PKind::Or(members, alias) => self.group(Kind::Or, members, alias.as_ref(), pattern.span),
            PKind::Step(step) => self.step(step, None).into_iter().collect(),
        }
    }

    fn group(&mut self, kind: Kind, members: &'e [PExpr], alias: Option<&'e Ident>, span: Span) -> Vec<Element<'e>> {
        let mut steps = Vec::new();
        for member in members {
            match &member.kind {
                PKind::Step(step) if matches!(step.target, StepTarget::Name(_)) => {
                    // A refused one keeps its name, so that nothing follows from it.
                    if !is_event(member) {
                        self.problems.push(not_yet("a group member other than a plain event", member.span));
                    }
                    if let StepTarget::Name(name) = &step.target {
                        steps.push(Member::new(step, name, step.alias.as_ref()));
                    }
                }
                PKind::Seq(_) => self.problems.push(not_yet("a sequence inside AND or OR", member.span)),
                _ => self.problems.push(not_yet("a group member other than a plain event", member.span)),
            }
        }
        vec![Element { kind, members: steps, alias, span }]
    }

    fn step(&mut self, step: &'e Step, own_alias: Option<&'e Ident>) -> Option<Element<'e>> {
        let alias = own_alias.or(step.alias.as_ref());
        match &step.target {
            StepTarget::Name(name) => {
                let kind = if step.negated { Kind::Absence } else { Kind::Event };
                let member = Member::new(step, name, alias);
                Some(Element { kind, members: vec![member], alias: None, span: step.span })
            }
            StepTarget::Group(group) => {
                if let Some((_, span)) = step.quantifier {
                    self.problems.push(not_yet("a quantifier on a group", span));
                }
                if step.negated {
                    return self.absence(step, group, alias);
                }
                let mut inner = self.list(group);
                if inner.len() > 1 {
                    self.problems.push(not_yet("a sequence inside a group", step.span));
                }
                inner.truncate(1);
                inner.pop().map(|element| Element { alias: element.alias.or(alias), ..element })
            }
        }
    }
}

impl<'e> Elements<'e> {
    /// `not (X)`, with what stands around the brackets.
    fn absence(&mut self, step: &'e Step, group: &'e PExpr, alias: Option<&'e Ident>) -> Option<Element<'e>> {
        let mut inner = self.list(group);
        match (inner.pop(), inner.is_empty()) {
            (Some(mut only), true) if only.kind == Kind::Event => {
                for member in &mut only.members {
                    member.more.extend(&step.conditions);
                    member.alias = member.alias.or(alias);
                    member.within = member.within.or(step.within.as_ref());
                }
                Some(Element { kind: Kind::Absence, span: step.span, ..only })
            }
            _ => {
                self.problems.push(not_yet("the absence of a group", step.span));
                None
            }
        }
    }

    /// What `.not(step)` takes: each event of it ends a run.
    pub fn of_not(step: &'e Step) -> Elements<'e> {
        let mut elements = Elements::default();
        let list = elements.step(step, None);
        let plain = |element: &Element| matches!(element.kind, Kind::Event | Kind::Or) && !element.repeats(true);
        match list {
            Some(element) if plain(&element) => elements.alternatives.push(vec![element]),
            Some(_) => elements.problems.push(not_yet("other than events in .not", step.span)),
            None => {}
        }
        elements
    }
}

/// A step of one type without anything that a group cannot have.
fn is_event(pattern: &PExpr) -> bool {
    let PKind::Step(step) = &pattern.kind else { return false };
    let named = matches!(step.target, StepTarget::Name(_));
    named && !step.negated && !step.all && step.quantifier.is_none() && step.monotone.is_empty()
}
