//! Sequences and patterns: every kind of element, every strategy.

use super::{Maker, Readable};
use crate::expr::{Agg, Ex, Op as Binary};
use crate::program::{Element, Item, Mode, Op, Sequence, Source, Step, Stream, Times};
use crate::value::SECOND;

/// What has an alias already.
#[derive(Clone)]
struct Named {
    alias: String,
    of: Readable,
    many: bool,
}

impl Maker<'_> {
    /// A sequence, and the fields of its results.
    pub(super) fn sequence_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let mut sequence = Sequence {
            mode: self.random.pick(&[Mode::Next, Mode::Next, Mode::Strict, Mode::Any]),
            ..Sequence::default()
        };
        let mut named = Vec::new();
        let kleene = self.random.once_in(2);
        let alternatives = if self.random.once_in(6) { 2 } else { 1 };
        let mut per_alternative = Vec::new();
        for _ in 0..alternatives {
            let before = named.len();
            let elements = self.elements(sequence.mode, kleene, &mut named);
            per_alternative.push(before..named.len());
            sequence.alternatives.push(elements);
        }
        if self.random.once_in(4) {
            self.limit_steps(&mut sequence);
        }
        if self.random.once_in(6) {
            let not = self.guard(&[]);
            sequence.nots.push(not);
        }
        if !self.random.once_in(3) {
            let field = self.random.pick(&["n", "k", "k", "s"]).to_string();
            let of = |name: &str| self.readable.iter().find(|readable| readable.name == name);
            let everywhere = |step: &Step| of(&step.of).is_some_and(|readable| readable.fields.contains(&field));
            if sequence.steps().all(everywhere) {
                sequence.keys.push(field);
            }
        }
        let has_kleene = named.iter().any(|named| named.many);
        sequence.each = has_kleene && sequence.mode != Mode::Any && self.random.once_in(4);
        if self.random.once_in(8) {
            sequence.max_runs = Some(1 + self.random.below(3));
        }
        let needed = sequence.mode == Mode::Any || sequence.alternatives.iter().any(|elements| needs_within(elements));
        if needed || !self.random.once_in(3) {
            sequence.within = Some(self.random.pick(&[1, 2, 3, 5, 10, 30]) * SECOND);
        }
        let items = self.match_items(&named);
        let fields = items.iter().map(|item| item.name.clone()).collect();
        let mut ops = Vec::new();
        self.watermark(&mut ops);
        ops.push(Op::Emit(None, items));
        (Stream { name, source: Source::Sequence(sequence), ops }, fields)
    }

    /// Limits between steps, which `sequence(a: A, …)` has.
    fn limit_steps(&mut self, sequence: &mut Sequence) {
        let [elements] = &mut sequence.alternatives[..] else { return };
        if elements.iter().all(|element| matches!(element, Element::Event(_))) {
            for element in &mut elements[1..] {
                if let (Element::Event(step), true) = (element, self.random.once_in(2)) {
                    step.within = Some(self.random.pick(&[1, 2, 5]) * SECOND);
                }
            }
        }
    }

    fn elements(&mut self, mode: Mode, kleene: bool, named: &mut Vec<Named>) -> Vec<Element> {
        let groups = mode != Mode::Any;
        let count = 1 + self.random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut elements: Vec<Element> = Vec::new();
        // Conditions may read what the same alternative has captured before.
        let from = named.len();
        let mut captured = from;
        for index in 0..count {
            let last = index + 1 == count;
            let before = named[from..captured].to_vec();
            let element = match self.random.below(12) {
                0 if groups => self.group(true, &before, named),
                1 => self.group(false, &before, named),
                2 if index > 0
                    && !matches!(elements[index - 1], Element::Absence(_))
                    && (!last || mode == Mode::Next) =>
                {
                    Element::Absence(self.guard(&before))
                }
                pick => {
                    let times = match pick {
                        3..7 if kleene && (index > 0 || pick == 3) => Times::Plus,
                        7 if kleene && index > 0 && !(last && mode == Mode::Any) => Times::Star,
                        8 if index > 0 && !(last && mode == Mode::Any) => Times::Optional,
                        _ => Times::Once,
                    };
                    Element::Event(self.step(times, &before, named))
                }
            };
            elements.push(element);
            captured = named.len();
        }
        elements
    }

    fn step(&mut self, times: Times, before: &[Named], named: &mut Vec<Named>) -> Step {
        let of = self.readable();
        let many = matches!(times, Times::Plus | Times::Star);
        let alias = format!("e{}", named.len());
        let own = many.then_some(alias.as_str());
        let condition = self.random.once_in(2).then(|| self.step_condition(&of, before, own));
        let monotone = match self.field(&of, "vn") {
            Some(field) if many && self.random.once_in(4) => Some((self.random.once_in(2), field)),
            _ => None,
        };
        named.push(Named { alias: alias.clone(), of: of.clone(), many });
        Step { of: of.name, alias: Some(alias), times, condition, within: None, monotone }
    }

    /// A step that is to be absent.
    fn guard(&mut self, before: &[Named]) -> Step {
        let of = self.readable();
        let condition = self.random.once_in(2).then(|| self.step_condition(&of, before, None));
        Step { of: of.name, alias: None, times: Times::Once, condition, within: None, monotone: None }
    }

    fn group(&mut self, and: bool, before: &[Named], named: &mut Vec<Named>) -> Element {
        let count = self.random.pick(&[2, 2, 3]);
        let from = named.len();
        let mut steps: Vec<Step> = (0..count).map(|_| self.step(Times::Once, before, named)).collect();
        if and {
            return Element::And(steps);
        }
        let alias = self.random.once_in(3).then(|| {
            // Members without an alias go by type, so they have to be of different types.
            let of = named[from].of.clone();
            named.truncate(from);
            let alias = format!("e{from}");
            named.push(Named { alias: alias.clone(), of, many: false });
            alias
        });
        if alias.is_some() {
            let mut kept: Vec<Step> = Vec::new();
            for step in steps {
                if !kept.iter().any(|other| other.of == step.of) {
                    kept.push(Step { alias: None, ..step });
                }
            }
            steps = kept;
            if steps.len() < 2 {
                let mut only = steps.remove(0);
                only.alias = alias;
                return Element::Event(only);
            }
        }
        Element::Or(steps, alias)
    }

    /// About the record, about what was captured before, or about the step's own elements so far.
    fn step_condition(&mut self, of: &Readable, before: &[Named], own: Option<&str>) -> Ex {
        if let (Some(own), Some(field), true) = (own, self.field(of, "vn"), self.random.once_in(3)) {
            let alias = own.to_string();
            return match self.random.below(3) {
                0 => {
                    let count = Ex::Agg(Agg::Count, Some(Box::new(Ex::Name(alias))));
                    Ex::bin(Binary::Lt, count, Ex::int(self.random.between(1, 3)))
                }
                1 => {
                    let before = Ex::bin(Binary::Coalesce, Ex::Prev(alias, field.clone()), Ex::int(0));
                    Ex::bin(Binary::Ge, Ex::Name(field), before)
                }
                _ => {
                    let sum = Ex::Agg(Agg::Sum, Some(Box::new(Ex::Of(alias, field))));
                    Ex::bin(Binary::Lt, sum, Ex::int(10))
                }
            };
        }
        let Some(earlier) = before.last().cloned().filter(|_| !self.random.once_in(3)) else {
            return self.condition(of, 1);
        };
        let earlier = if self.random.once_in(3) { self.random.pick(before) } else { earlier };
        let letters = self.random.pick(&["k", "k", "vn", "s", "n"]);
        match (self.field(of, letters), self.field(&earlier.of, letters)) {
            (Some(field), Some(other)) => {
                let op = match letters {
                    "vn" => self.random.pick(&[Binary::Lt, Binary::Ge, Binary::Gt]),
                    _ => Binary::Eq,
                };
                Ex::bin(op, Ex::Name(field), Ex::Of(earlier.alias, other))
            }
            _ => self.condition(of, 1),
        }
    }

    fn match_items(&mut self, named: &[Named]) -> Vec<Item> {
        let mut items = Vec::new();
        for (place, Named { alias, of, many }) in named.iter().enumerate() {
            let mut add = |name: &str, value: Ex| items.push(Item { name: format!("{name}{place}"), value });
            let field = self.field(of, "nvsk").unwrap_or_else(|| of.fields[0].clone());
            let letter = &field[..1];
            add(letter, Ex::Of(alias.clone(), field.clone()));
            if !many {
                if self.random.once_in(4) {
                    add("te", Ex::EventTime(Some(alias.clone())));
                }
                continue;
            }
            let all = Ex::Of(alias.clone(), field.clone());
            match self.random.below(6) {
                0 => add("nl", Ex::Len(alias.clone())),
                1 => add(&format!("{letter}f"), Ex::First(alias.clone(), field.clone())),
                2 => add(&format!("{letter}i"), Ex::At(alias.clone(), self.random.between(-1, 2), field.clone())),
                3 => add("nc", Ex::Agg(Agg::Count, Some(Box::new(Ex::Name(alias.clone()))))),
                4 => add("vs", Ex::Agg(Agg::Sum, Some(Box::new(all.clone())))),
                _ => add(&format!("{letter}m"), Ex::Agg(Agg::Max, Some(Box::new(all.clone())))),
            }
            add("ac", Ex::Agg(Agg::Collect, Some(Box::new(all))));
        }
        for (name, bound) in [("tms", "match_start"), ("tme", "match_end"), ("nmd", "match_duration_ms")] {
            if self.random.once_in(3) {
                items.push(Item { name: name.into(), value: Ex::name(bound) });
            }
        }
        items
    }
}

/// Does nothing else end it?
fn needs_within(elements: &[Element]) -> bool {
    match elements.last() {
        Some(Element::Absence(_)) => true,
        Some(Element::Event(step)) => step.times != Times::Once,
        _ => false,
    }
}
