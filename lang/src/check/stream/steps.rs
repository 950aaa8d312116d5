//! Steps of sequences: their rules, the names that their conditions see, and their conditions taken apart for the engine.

use super::Streams;
use super::conjuncts;
use super::elements::{Element, Elements, Kind, Member};
use super::matched::{Matched, Of, Part};
use super::matched_scope::{MatchedScope, Own};
use super::sequence::Draft;
use super::shape::Shape;
use crate::ast::{Ident, Op as AstOp, PExpr, PKind, Quantifier, Step, StepTarget, Stream as AstStream};
use crate::check::suggestion::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::plan::{self, Event, Expr, Note};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How often each type is the type of a step that captures.
type Types<'e> = HashMap<&'e Arc<str>, usize>;

/// What a step's condition is made of.
#[derive(Debug, Default)]
struct Condition {
    filter: Option<Expr>,
    equalities: Vec<(Expr, Expr)>,
    rest: Option<Expr>,
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// Checks the elements: names, conditions, the rules for the first one. The parts of a match go into the draft.
    pub(super) fn steps(&mut self, elements: &Elements<'s>, draft: &mut Draft) -> Vec<Vec<plan::Element>> {
        for problem in &elements.problems {
            self.expressions.report(problem.clone());
        }
        let mut alternatives = Vec::with_capacity(elements.alternatives.len());
        for list in &elements.alternatives {
            self.check_first(list);
            self.check_aliases(list);
            let captured = list.iter().filter(|element| element.kind != Kind::Absence);
            let mut types: Types = HashMap::new();
            for member in captured.flat_map(|element| &element.members) {
                *types.entry(&member.name.name).or_default() += 1;
            }
            let mut seen = Matched::new(draft.composite, Of::Sequence, draft.matched.event.clone());
            let elements = list
                .iter()
                .enumerate()
                .map(|(index, element)| self.element(element, index == 0, &types, &mut seen, draft));
            alternatives.push(elements.collect());
        }
        alternatives
    }

    fn element(
        &mut self,
        element: &Element<'s>,
        first: bool,
        types: &Types,
        seen: &mut Matched,
        draft: &mut Draft,
    ) -> plan::Element {
        let mut parts: Vec<Part> = Vec::new();
        let mut events = Vec::new();
        for member in &element.members {
            let only = types.get(&member.name.name) == Some(&1);
            let named = match (element.kind, element.alias) {
                (Kind::Or, Some(alias)) => Some(alias),
                _ => member.alias.or_else(|| Some(member.name).filter(|_| only)),
            };
            let (own, port) = self.own(member, named, element.repeats(first), draft);
            let place = match element.kind {
                Kind::Absence => u32::MAX,
                _ => draft.slot(&mut self.graph, &own.part),
            };
            let own = self.with_own_names(own, place, member);
            let mut event = self.event(member, &own, port, seen);
            (event.min, event.many) = taken(element.quantifier(first));
            events.push(event);
            self.name_parts_of_pattern(member.name, seen, draft);
            let names = named.iter().map(|name| name.name.clone()).collect();
            parts.push(Part { names, ..own.part });
        }
        match (element.kind, element.alias) {
            (Kind::Absence, _) => {}
            (Kind::Or, Some(_)) => {
                let union = parts.into_iter().reduce(|mut whole, part| {
                    whole.shape = std::mem::take(&mut whole.shape).union(&part.shape);
                    whole
                });
                union.into_iter().for_each(|part| keep(part, seen, draft));
            }
            _ => parts.into_iter().for_each(|part| keep(part, seen, draft)),
        }
        match element.kind {
            Kind::And => plan::Element::And(events),
            Kind::Or => plan::Element::Or(events),
            Kind::Event | Kind::Absence => match (events.pop(), element.kind) {
                (Some(event), Kind::Event) => plan::Element::Event(event),
                (Some(event), _) => plan::Element::Absence(event),
                (None, _) => plan::Element::Or(Vec::new()),
            },
        }
    }

    /// What a step takes, and by which input it comes.
    fn own(&mut self, member: &Member<'s>, named: Option<&Ident>, repeats: bool, draft: &mut Draft) -> (Own, u32) {
        let name = member.name;
        if self.expressions.declared().is_pattern(&name.name) {
            self.named_as_step(name);
        }
        let reading = self.reading(name, draft.stream);
        self.refuse_late(&reading, name.span);
        let node = reading.node;
        let port = draft.port(node, &reading.shape, &name.name, &reading.clock);
        if let Some(alias) = member.alias {
            draft.inputs[port as usize].names.push(alias.name.clone());
        }
        let names: Vec<Arc<str>> = named.iter().map(|name| name.name.clone()).collect();
        let prefix = named.unwrap_or(name).name.clone();
        let part = Part { names, prefix, node, place: u32::MAX, shape: reading.shape, repeats, shown: true };
        (Own { part, node, event: name.name.clone() }, port)
    }

    /// The condition of a step calls its record by its own alias and by its type.
    fn with_own_names(&self, own: Own, place: u32, member: &Member) -> Own {
        let mut names: Vec<Arc<str>> = member.alias.iter().map(|alias| alias.name.clone()).collect();
        names.push(member.name.name.clone());
        Own { part: Part { names, place, ..own.part }, ..own }
    }

    /// Conditions, step limit, monotone fields and notes of a step.
    fn event(&mut self, member: &Member<'s>, own: &Own, port: u32, seen: &Matched) -> Event {
        let condition = self.step_condition(member, own, seen);
        let within = member.within.and_then(|(_, within)| self.expressions.positive_duration("within", within));
        let mut monotone = Vec::new();
        for (rising, word, field) in &member.step.monotone {
            if !own.part.repeats {
                let problem = Diagnostic::new("E0401", *word, "increasing and decreasing need a Kleene step");
                self.expressions.report(problem.help("write `all X.increasing(f)`"));
                continue;
            }
            match own.part.field_type(&field.name) {
                Some(ty) => {
                    let column = self.graph.slot_column(seen.composite, own.part.place, &field.name, &ty);
                    monotone.push((*rising, column));
                }
                None => self.no_such_field(field, own),
            }
        }
        let notes = member.notes.iter().map(|(word, args)| self.note(word, args, own, seen)).collect();
        Event {
            input: port,
            slot: own.part.place,
            columns: Vec::new(),
            min: 1,
            many: false,
            filter: condition.filter,
            equalities: condition.equalities,
            condition: condition.rest,
            within,
            monotone,
            notes,
        }
    }

    fn no_such_field(&mut self, field: &Ident, own: &Own) {
        let problem = Diagnostic::new("E0206", field.span, format!("{} has no field {}", own.event, field.name));
        let help = did_you_mean(&field.name, own.part.shape.fields.keys().map(|name| &**name));
        self.expressions.report(problem.help(help.unwrap_or_else(|| "declare it in the event".into())));
    }

    fn step_condition(&mut self, member: &Member<'s>, own: &Own, seen: &Matched) -> Condition {
        let mut parts = Vec::new();
        for condition in member.step.conditions.iter().chain(member.more.iter().copied()) {
            let mut scope = MatchedScope::of_step(&mut self.graph, seen, own);
            conjuncts::split(self.expressions.condition(condition, &mut scope).expr, &mut parts);
        }
        let mut sorted = Condition::default();
        let (mut alone, mut rest) = (Vec::new(), Vec::new());
        for part in parts {
            if is_captured(&part) == Some(false) {
                alone.push(part);
                continue;
            }
            let sides =
                conjuncts::equality(&part).map(|(left, right)| (left, right, is_captured(left), is_captured(right)));
            match sides {
                Some((left, right, Some(false), Some(true))) => sorted.equalities.push((left.clone(), right.clone())),
                Some((left, right, Some(true), Some(false))) => sorted.equalities.push((right.clone(), left.clone())),
                _ => rest.push(part),
            }
        }
        (sorted.filter, sorted.rest) = (conjuncts::all(alone), conjuncts::all(rest));
        sorted
    }

    fn note(&mut self, word: &Ident, args: &[crate::ast::Arg], own: &Own, seen: &Matched) -> Note {
        let mut scope = MatchedScope::of_step(&mut self.graph, seen, own);
        let note = match &*word.name {
            "print" => Note::Print(super::simple::print_items(&mut self.expressions, &mut scope, args)),
            _ => {
                let (level, message, data) = super::simple::log_items(&mut self.expressions, &mut scope, word, args);
                Note::Log { level, message, data }
            }
        };
        let of_record = match &note {
            Note::Print(items) => items.is_empty(),
            Note::Log { message, data, .. } => message.is_none() && data.is_none(),
        };
        if of_record {
            self.graph.need_whole(own.node);
        }
        note
    }

    /// A pattern as a step is refused; nothing follows from the names of its own steps.
    fn name_parts_of_pattern(&mut self, name: &Ident, seen: &mut Matched, draft: &mut Draft) {
        let Some(pattern) = self.expressions.declared().pattern(&name.name) else { return };
        if !draft.patterns.insert(name.name.clone()) {
            return;
        }
        let mut names = Vec::new();
        names_in_pattern(&pattern.expr, &mut names);
        names.retain(|name| seen.find(&name.name).is_none());
        for name in names {
            let node = self.reading_of_nothing(draft.stream, name);
            let (names, prefix) = (vec![name.name.clone()], name.name.clone());
            let part = Part { names, prefix, node, place: 0, shape: Shape::unknown(), repeats: false, shown: true };
            let place = draft.slot(&mut self.graph, &part);
            keep(Part { place, ..part }, seen, draft);
        }
    }

    /// E0403
    fn check_first(&mut self, list: &[Element]) {
        let Some(first) = list.first() else { return };
        let what = match first.kind {
            Kind::Absence => "a negation",
            _ if matches!(first.quantifier(true), Some(Quantifier::Optional | Quantifier::Star)) => "an optional step",
            _ => return,
        };
        let problem = Diagnostic::new("E0403", first.span, format!("a pattern cannot start with {what}"));
        self.expressions.report(problem.help("begin with an event that must come"));
    }

    /// E0213
    fn check_aliases(&mut self, list: &[Element]) {
        let mut seen: HashSet<&Arc<str>> = HashSet::new();
        for element in list {
            for alias in element.members.iter().filter_map(|member| member.alias).chain(element.alias) {
                if !seen.insert(&alias.name) {
                    self.used_twice(alias);
                }
            }
            self.check_group(element);
        }
    }

    fn used_twice(&mut self, alias: &Ident) {
        let problem = Diagnostic::new("E0213", alias.span, format!("{} is used twice", alias.name));
        self.expressions.report(problem.help("give one of them another name"));
    }

    fn check_group(&mut self, element: &Element) {
        if element.kind != Kind::And {
            return;
        }
        let mut seen: HashSet<&Arc<str>> = HashSet::new();
        for member in element.members.iter().filter(|member| member.alias.is_none()) {
            if !seen.insert(&member.name.name) {
                let message = format!("{} is used twice: items of one type in a group need aliases", member.name.name);
                let problem = Diagnostic::new("E0213", member.name.span, message);
                self.expressions.report(problem.help(format!("write {} as a", member.name.name)));
            }
        }
    }

    /// `.not(N where …)`: what ends a run wherever it stands.
    pub(super) fn negations(&mut self, ast: &'s AstStream, elements: &Elements<'s>, draft: &mut Draft) -> Vec<Event> {
        let members = elements.alternatives.iter().flatten();
        let aliases =
            members.flat_map(|element| element.members.iter().filter_map(|member| member.alias).chain(element.alias));
        let mut seen: HashSet<&Arc<str>> = aliases.map(|alias| &alias.name).collect();
        let mut events = Vec::new();
        for op in &ast.ops {
            let AstOp::Not(_, step) = op else { continue };
            let taken = Elements::of_not(step);
            taken.problems.into_iter().for_each(|problem| self.expressions.report(problem));
            for member in taken.alternatives.iter().flatten().flat_map(|element| &element.members) {
                if let Some(alias) = member.alias.filter(|alias| !seen.insert(&alias.name)) {
                    self.used_twice(alias);
                }
                let (own, port) = self.own(member, member.alias, false, draft);
                let own = self.with_own_names(own, u32::MAX, member);
                events.push(self.event(member, &own, port, &draft.matched));
            }
        }
        events
    }
}

/// How many records a quantifier takes at least, and whether there may be more.
fn taken(quantifier: Option<Quantifier>) -> (u32, bool) {
    match quantifier {
        None => (1, false),
        Some(Quantifier::Plus) => (1, true),
        Some(Quantifier::Star) => (0, true),
        Some(Quantifier::Optional) => (0, false),
    }
}

/// Is it made of captured records alone (true), or of the record that is tried alone (false)?
fn is_captured(expr: &Expr) -> Option<bool> {
    let reads = conjuncts::reads(expr);
    match (reads.record || reads.other, !reads.parts.is_empty()) {
        (true, true) => None,
        (_, captured) => Some(captured),
    }
}

/// A part that later steps and the match can read.
fn keep(part: Part, seen: &mut Matched, draft: &mut Draft) {
    seen.push(part.clone());
    draft.add(part);
}

/// Aliases, and types of steps without one.
fn names_in_pattern<'p>(pattern: &'p PExpr, names: &mut Vec<&'p Ident>) {
    match &pattern.kind {
        PKind::Seq(parts) => parts.iter().for_each(|part| names_in_pattern(part, names)),
        PKind::And(parts, alias) | PKind::Or(parts, alias) => {
            names.extend(alias);
            parts.iter().for_each(|part| names_in_pattern(part, names));
        }
        PKind::Step(step) => names_in_step(step, names),
    }
}

fn names_in_step<'p>(step: &'p Step, names: &mut Vec<&'p Ident>) {
    match &step.target {
        StepTarget::Name(name) => names.push(step.alias.as_ref().unwrap_or(name)),
        StepTarget::Group(group) => {
            names.extend(&step.alias);
            names_in_pattern(group, names);
        }
    }
}
