//! Sequences and patterns: section 10, rule by rule. Every run is looked at for every event.

use super::key;
use crate::expr::{Agg, Ex, Scope, holds};
use crate::program::{Element, Mode, Sequence, Step, Times};
use crate::record::{Part, Rec, alias_of};
use crate::value::V;
use std::rc::Rc;

/// `max_runs` where the program does not say.
const MAX_RUNS: usize = 10_000;

/// An event on its way into the sequence.
#[derive(Clone)]
struct Arrived {
    number: u64,
    of: String,
    record: Rec,
}

/// An event that a run has captured: which element, which member of a group.
#[derive(Clone)]
struct Capture {
    element: usize,
    member: usize,
    event: Arrived,
}

/// A run.
#[derive(Clone)]
struct Run {
    alternative: usize,
    position: usize,
    captures: Vec<Capture>,
    key: Vec<V>,
    deadline: i128,
    /// When it was opened or copied, on the clock of steps.
    created: u64,
}

/// A match that was reported, for containment.
struct Reported {
    key: Vec<V>,
    events: Vec<u64>,
    step: u64,
}

/// What a run looks for.
struct Scan<'p> {
    guards: Vec<&'p Step>,
    candidates: Vec<usize>,
    may_end: bool,
}

/// A sequence that runs.
pub struct Matching<'p> {
    sequence: &'p Sequence,
    waiting: Vec<Arrived>,
    arrived: u64,
    runs: Vec<Run>,
    reported: Vec<Reported>,
    /// Counts everything that is done, so that "while the run was open" can be asked.
    step: u64,
    matches: Vec<Rec>,
}

impl<'p> Matching<'p> {
    /// No runs.
    pub fn new(sequence: &'p Sequence) -> Matching<'p> {
        let (waiting, runs, reported, matches) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Matching { sequence, waiting, arrived: 0, runs, reported, step: 0, matches }
    }

    /// Takes a record; it waits until the watermark has reached it.
    pub fn take(&mut self, from: &str, record: Rec) {
        self.arrived += 1;
        self.waiting.push(Arrived { number: self.arrived, of: from.into(), record });
    }

    /// The watermark has reached w: the matches that this brings.
    pub fn fire(&mut self, w: i128) -> Vec<Rec> {
        let reached = |arrived: &Arrived| i128::from(arrived.record.time) <= w;
        let (mut due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(reached);
        self.waiting = waiting;
        due.sort_by_key(|arrived| (arrived.record.time, arrived.number));
        for event in due {
            self.event(event);
        }
        self.end_before(w);
        std::mem::take(&mut self.matches)
    }

    /// Rule 1: runs whose deadline is over.
    fn end_before(&mut self, time: i128) {
        let over = |run: &Run| run.deadline < time;
        let (mut ended, open) = std::mem::take(&mut self.runs).into_iter().partition::<Vec<_>, _>(over);
        self.runs = open;
        ended.sort_by_key(|run| (run.deadline, run.created));
        for run in ended {
            let may_end = self.scan(&run).may_end && self.sequence.mode != Mode::Any;
            if may_end && !self.matches_per_element(&run) {
                self.complete(&run, run.deadline as i64);
            }
        }
    }

    fn event(&mut self, x: Arrived) {
        self.end_before(x.record.time.into());
        let key: Vec<V> = self.sequence.keys.iter().map(|name| x.record.field(name)).collect();
        let in_leading_and = self.continue_runs(&x, &key);
        self.open_runs(&x, &key, in_leading_and);
        let most = self.sequence.max_runs.unwrap_or(MAX_RUNS);
        let of_key = |run: &Run| key::same(&run.key, &key);
        while self.runs.iter().filter(|run| of_key(run)).count() > most {
            let oldest = self.runs.iter().filter(|run| of_key(run)).map(|run| run.created).min();
            self.runs.retain(|run| Some(run.created) != oldest);
        }
    }

    /// Rule 2. True if a leading AND has captured x.
    fn continue_runs(&mut self, x: &Arrived, key: &[V]) -> bool {
        let mut in_leading_and = false;
        let mut runs = std::mem::take(&mut self.runs);
        runs.sort_by_key(|run| run.created);
        for run in runs {
            if !key::same(&run.key, key) {
                self.runs.push(run);
                continue;
            }
            let scan = self.scan(&run);
            let guards = scan.guards.iter().copied().chain(&self.sequence.nots);
            if guards.into_iter().any(|guard| self.takes(&run, guard, None, x)) {
                continue;
            }
            let takers: Vec<(usize, usize)> = scan
                .candidates
                .iter()
                .rev()
                .filter_map(|element| Some((*element, self.member_for(&run, *element, x)?)))
                .collect();
            in_leading_and |= takers.first().is_some_and(|(element, _)| *element == 0 && self.is_and(&run, 0));
            self.continue_run(run, x, &takers, scan.may_end);
        }
        in_leading_and
    }

    fn continue_run(&mut self, run: Run, x: &Arrived, takers: &[(usize, usize)], may_end: bool) {
        if self.sequence.mode == Mode::Any {
            for taker in takers {
                let mut copy = run.clone();
                self.step += 1;
                copy.created = self.step;
                self.capture(copy, *taker, x);
            }
            self.runs.push(run);
            return;
        }
        match takers.first() {
            Some(taker) => self.capture(run, *taker, x),
            None if self.sequence.mode == Mode::Strict => {
                if may_end && !self.matches_per_element(&run) {
                    self.complete(&run, x.record.time);
                }
            }
            None => self.runs.push(run),
        }
    }

    /// The run takes x; it goes on unless that completes it.
    fn capture(&mut self, mut run: Run, (element, member): (usize, usize), x: &Arrived) {
        let elements = &self.sequence.alternatives[run.alternative];
        run.captures.push(Capture { element, member, event: x.clone() });
        let stays = match &elements[element] {
            Element::Event(step) => step.many(),
            Element::And(members) => {
                let filled = |member: usize| run.captures.iter().any(|c| c.element == element && c.member == member);
                !(0..members.len()).all(filled)
            }
            Element::Or(..) | Element::Absence(_) => false,
        };
        run.position = if stays { element } else { element + 1 };
        let time = x.record.time;
        if run.position == elements.len() {
            self.complete(&run, time);
            return;
        }
        let last = element + 1 == elements.len();
        let many = matches!(&elements[element], Element::Event(step) if step.many());
        if last && many && (self.sequence.mode == Mode::Any || self.matches_per_element(&run)) {
            self.report(&run, None, time);
        }
        self.runs.push(run);
    }

    /// Rule 3.
    fn open_runs(&mut self, x: &Arrived, key: &[V], in_leading_and: bool) {
        for alternative in 0..self.sequence.alternatives.len() {
            self.step += 1;
            let deadline = match self.sequence.within {
                Some(within) => i128::from(x.record.time) + i128::from(within),
                None => i128::MAX,
            };
            let run =
                Run { alternative, position: 0, captures: vec![], key: key.to_vec(), deadline, created: self.step };
            if in_leading_and && self.is_and(&run, 0) {
                continue;
            }
            if let Some(member) = self.member_for(&run, 0, x) {
                self.capture(run, (0, member), x);
            }
        }
    }

    fn is_and(&self, run: &Run, element: usize) -> bool {
        matches!(self.sequence.alternatives[run.alternative][element], Element::And(_))
    }

    /// What the run looks for from its position on.
    fn scan(&self, run: &Run) -> Scan<'p> {
        let elements = &self.sequence.alternatives[run.alternative];
        let mut scan = Scan { guards: Vec::new(), candidates: Vec::new(), may_end: false };
        for (index, element) in elements.iter().enumerate().skip(run.position) {
            let step = match element {
                Element::Absence(step) => {
                    scan.guards.push(step);
                    continue;
                }
                Element::Event(step) => Some(step),
                Element::And(_) | Element::Or(..) => None,
            };
            scan.candidates.push(index);
            let captured = run.captures.iter().any(|capture| capture.element == index);
            let passes = step.is_some_and(|step| match step.times {
                Times::Once => false,
                Times::Optional | Times::Star => true,
                Times::Plus => captured,
            });
            if !passes {
                return scan;
            }
        }
        scan.may_end = true;
        scan
    }

    /// The member of an element that takes x.
    fn member_for(&self, run: &Run, element: usize, x: &Arrived) -> Option<usize> {
        let of = &self.sequence.alternatives[run.alternative][element];
        let open = |member: &usize| {
            let filled = run.captures.iter().any(|c| c.element == element && c.member == *member);
            !(matches!(of, Element::And(_)) && filled)
        };
        let steps = of.steps();
        (0..steps.len()).filter(open).find(|member| self.takes(run, &steps[*member], Some(element), x))
    }

    /// Type, step limit, monotone field, condition.
    fn takes(&self, run: &Run, step: &Step, element: Option<usize>, x: &Arrived) -> bool {
        if step.of != x.of {
            return false;
        }
        let last = run.captures.last();
        if let (Some(limit), Some(last)) = (step.within, last)
            && x.record.time - last.event.record.time > limit
        {
            return false;
        }
        let of_step = run.captures.iter().rev().find(|capture| Some(capture.element) == element);
        if let (Some((up, field)), Some(before)) = (&step.monotone, of_step) {
            let (old, new) = (before.event.record.field(field), x.record.field(field));
            let beyond = if *up { old.order(&new).is_lt() } else { new.order(&old).is_lt() };
            if !(old.comparable(&new) && beyond) {
                return false;
            }
        }
        let parts = self.parts(run, usize::MAX);
        let scope = Tried { step, x: &x.record, captured: Rec { parts: Rc::new(parts), ..Rec::default() } };
        step.condition.as_ref().is_none_or(|condition| holds(condition, &scope))
    }

    /// What a run has captured, by alias or type. Of the last Kleene element at most `limit`.
    fn parts(&self, run: &Run, limit: usize) -> Vec<Part> {
        let elements = &self.sequence.alternatives[run.alternative];
        let mut parts: Vec<Part> = Vec::new();
        let mut add = |name: &str, of: &str, records: Vec<Rec>| match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => part.records.extend(records),
            None => parts.push(Part { name: name.into(), of: of.into(), records }),
        };
        for (index, element) in elements.iter().enumerate() {
            if matches!(element, Element::Absence(_)) {
                continue;
            }
            let most = if Some(index) == last_kleene(elements) { limit } else { usize::MAX };
            for (member, step) in element.steps().iter().enumerate() {
                let of_member = run.captures.iter().filter(|c| (c.element, c.member) == (index, member));
                let records: Vec<Rec> = of_member.map(|c| c.event.record.clone()).take(most).collect();
                if let Element::Or(_, Some(alias)) = element {
                    add(alias, alias, records.clone());
                }
                add(step.slot(), &step.of, records);
            }
        }
        parts
    }

    /// `.each()` with a Kleene element that ends the list.
    fn matches_per_element(&self, run: &Run) -> bool {
        let elements = &self.sequence.alternatives[run.alternative];
        self.sequence.each && last_kleene(elements) == Some(elements.len() - 1)
    }

    /// A run is complete: one match, or with `.each()` one per element.
    fn complete(&mut self, run: &Run, time: i64) {
        let elements = &self.sequence.alternatives[run.alternative];
        if self.sequence.each
            && let Some(kleene) = last_kleene(elements)
        {
            let count = run.captures.iter().filter(|capture| capture.element == kleene).count();
            let lengths = if count == 0 { 0..=0 } else { 1..=count };
            lengths.for_each(|length| self.report(run, Some(length), time));
            return;
        }
        let has_kleene = self.sequence.alternatives.iter().any(|elements| last_kleene(elements).is_some());
        let contains = self.sequence.mode == Mode::Next && !self.sequence.each && has_kleene;
        self.step += 1;
        let events: Vec<u64> = run.captures.iter().map(|capture| capture.event.number).collect();
        let covers = |other: &Reported| {
            key::same(&other.key, &run.key)
                && other.step > run.created
                && events.iter().all(|event| other.events.contains(event))
        };
        if contains && self.reported.iter().any(covers) {
            return;
        }
        self.reported.push(Reported { key: run.key.clone(), events, step: self.step });
        self.report(run, None, time);
    }

    /// Puts a match out.
    fn report(&mut self, run: &Run, length: Option<usize>, time: i64) {
        let parts = self.parts(run, length.unwrap_or(usize::MAX));
        let start = run.captures[0].event.record.time;
        let record = Rec {
            time,
            fields: self.fields(run, &parts),
            parts: Rc::new(parts),
            matched: Some((start, time)),
            ..Rec::default()
        };
        self.matches.push(record);
    }

    /// `alias_f`, `_count_alias`, keys, `_partition`.
    fn fields(&self, run: &Run, parts: &[Part]) -> Vec<(String, V)> {
        let elements = &self.sequence.alternatives[run.alternative];
        let mut fields = Vec::new();
        for part in parts {
            let last = part.records.last().map(|record| record.fields.as_slice()).unwrap_or_default();
            fields.extend(last.iter().map(|(name, value)| (format!("{}_{name}", part.name), value.clone())));
            if elements.iter().flat_map(Element::steps).any(|step| step.many() && step.slot() == part.name) {
                fields.push((format!("_count_{}", part.name), V::Int(part.records.len() as i64)));
            }
        }
        let shown = self.sequence.keys.iter().cloned().zip(run.key.iter().cloned());
        fields.extend(shown.filter(|(_, value)| !value.is_null()));
        fields.push(("_partition".into(), key::partition(&run.key)));
        fields
    }
}

fn last_kleene(elements: &[Element]) -> Option<usize> {
    elements.iter().rposition(|element| matches!(element, Element::Event(step) if step.many()))
}

/// What names mean in the condition of a step: the record that is tried, and what was captured before.
struct Tried<'t> {
    step: &'t Step,
    x: &'t Rec,
    captured: Rec,
}

impl Scope for Tried<'_> {
    fn name(&self, name: &str) -> V {
        self.x.name(name)
    }

    fn of(&self, alias: &str, field: &str) -> V {
        let own = self.step.alias.as_deref() == Some(alias) || self.step.of == alias;
        if own { self.x.field(field) } else { self.captured.of(alias, field) }
    }

    fn elements(&self, alias: &str) -> Vec<&dyn Scope> {
        self.captured.elements(alias)
    }

    fn time(&self, alias: Option<&str>) -> V {
        if alias.is_none() || alias == self.step.alias.as_deref() {
            V::Time(self.x.time)
        } else {
            self.captured.time(alias)
        }
    }

    fn aggregate(&self, agg: Agg, argument: Option<&Ex>) -> V {
        debug_assert!(argument.and_then(alias_of).is_some());
        self.captured.aggregate(agg, argument)
    }
}
