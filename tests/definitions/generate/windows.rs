//! Streams with windows, aggregates, distinct and limit over types, streams and merges.

use super::{Area, Maker, Readable};
use crate::expr::{Ex, Op as Binary};
use crate::program::{Input, Item, Op, Source, Stream, Window};
use crate::value::SECOND;

impl Maker<'_> {
    /// A stream, and the fields of its results.
    pub(super) fn windowed_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let (source, mut of) = self.merged_source();
        let mut ops = Vec::new();
        self.watermark(&mut ops);
        self.filters(&mut ops, &mut of);
        let windowed = !self.random.once_in(5);
        let keys = self.keys(&of, 2);
        if !keys.is_empty() && (windowed || self.random.once_in(2)) {
            ops.push(Op::PartitionBy(keys.clone()));
        }
        let aggregated = if windowed { self.window(&mut ops, &mut of, &keys) } else { self.running(&mut ops, &mut of) };
        if aggregated && self.random.once_in(4) {
            let least = Ex::int(self.random.between(0, 3));
            ops.push(Op::Where(Ex::bin(Binary::Ge, Ex::name("nc"), least), true));
        }
        if self.random.once_in(8) {
            self.distinct_or_limit(&mut ops, &of);
        }
        if !(aggregated && self.random.once_in(6)) {
            let items = self.items(&of, windowed);
            of.fields = items.iter().map(|item| item.name.clone()).collect();
            let event = self.random.once_in(8).then(|| format!("T{name}"));
            ops.push(Op::Emit(event, items));
        }
        of.fields.retain(|field| field != "_partition");
        (Stream { name, source, ops }, of.fields)
    }

    /// The late records of a stream that has some.
    pub(super) fn late_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let has_late = |stream: &&Stream| {
            let windowed = |op: &Op| matches!(op, Op::Window(Window::Time { .. } | Window::Session { .. }));
            stream.ops.iter().any(windowed) && matches!(stream.source, Source::One(_))
        };
        let with_late: Vec<Stream> = self.program.streams.iter().filter(has_late).cloned().collect();
        if with_late.is_empty() {
            return self.windowed_stream(name);
        }
        let of = self.random.pick(&with_late);
        // Before the window there may be a select, so only what every record of it has is read.
        let before = of.ops.iter().take_while(|op| !matches!(op, Op::Window(_)));
        let selected = before.filter_map(|op| if let Op::Select(items) = op { Some(items) } else { None }).last();
        let source = self.readable.iter().find(|readable| of.reads().contains(&readable.name.as_str()));
        let fields = match (selected, source) {
            (Some(items), _) => items.iter().map(|item| item.name.clone()).collect(),
            (None, Some(source)) => source.fields.clone(),
            (None, None) => Vec::new(),
        };
        let readable = Readable { name: of.name.clone(), fields, derived: true };
        let items = self.items(&readable, false);
        let fields = items.iter().map(|item| item.name.clone()).collect();
        (Stream { name, source: Source::Late(of.name), ops: vec![Op::Emit(None, items)] }, fields)
    }

    /// One type or stream, or a merge of several.
    fn merged_source(&mut self) -> (Source, Readable) {
        let first = self.readable();
        if !self.random.once_in(3) {
            return (Source::One(first.name.clone()), first);
        }
        let mut fields = first.fields.clone();
        let mut of = vec![first];
        for _ in 0..1 + self.random.below(2) {
            let other = self.readable();
            if !of.iter().any(|known| known.name == other.name) || self.random.once_in(3) {
                fields.retain(|field| other.fields.contains(field));
                of.push(other);
            }
        }
        let mut inputs = Vec::new();
        for readable in &of {
            let condition = self.random.once_in(3).then(|| self.condition(readable, 1));
            let twice = of.iter().filter(|other| other.name == readable.name).count() > 1;
            let name = if twice { format!("I{}", inputs.len()) } else { readable.name.clone() };
            inputs.push(Input { of: readable.name.clone(), name, condition });
        }
        let derived = of.iter().all(Readable::is_exact);
        (Source::Merge(inputs), Readable { name: String::new(), fields, derived })
    }

    pub(super) fn watermark(&mut self, ops: &mut Vec<Op>) {
        if self.random.once_in(3) {
            let tolerance = self.random.pick(&[0, 1, 2, 5, 8]) * SECOND;
            ops.push(Op::OutOfOrder(tolerance));
        }
    }

    /// What stands before the window.
    fn filters(&mut self, ops: &mut Vec<Op>, of: &mut Readable) {
        if self.random.once_in(3) {
            ops.push(Op::Where(self.condition(of, 2), false));
        }
        if self.random.once_in(5) {
            let items = self.items(of, false);
            of.fields = items.iter().map(|item| item.name.clone()).collect();
            of.derived = true;
            ops.push(Op::Select(items));
        }
        if self.random.once_in(6) {
            self.distinct_or_limit(ops, of);
        }
    }

    pub(super) fn distinct_or_limit(&mut self, ops: &mut Vec<Op>, of: &Readable) {
        if self.random.once_in(4) {
            ops.push(Op::Limit(1 + self.random.below(12)));
            return;
        }
        let mut by: Vec<Ex> = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            by.extend(self.field(of, "kvns").map(Ex::Name));
        }
        // Whole records are compared where a null is no field, in records that a stream made, and where all digits count.
        let whole = of.is_exact();
        if whole && self.random.once_in(3) {
            by.clear();
        }
        let within = self.random.once_in(2).then(|| self.span());
        if whole || !by.is_empty() {
            ops.push(Op::Distinct(by, within));
        }
    }

    /// Up to some keys; none as often as not.
    pub(super) fn keys(&mut self, of: &Readable, most: usize) -> Vec<Item> {
        let mut keys: Vec<Item> = Vec::new();
        for _ in 0..self.random.below(most + 1) {
            let computed = self.random.once_in(8);
            let Some(field) = self.field(of, "ksnk") else { continue };
            let key = match computed {
                true => Item { name: "ke".into(), value: Ex::bin(Binary::Coalesce, Ex::Name(field), Ex::int(7)) },
                false => Item { name: field.clone(), value: Ex::Name(field) },
            };
            if !keys.iter().any(|other| other.name == key.name) {
                keys.push(key);
            }
        }
        keys
    }

    fn bounds(&mut self) -> Window {
        match self.random.below(8) {
            0..3 => Window::Time { size: self.span(), slide: None },
            3..5 => {
                let (a, b) = (self.span(), self.span());
                Window::Time { size: a.max(b), slide: Some(a.min(b)) }
            }
            5 => Window::Session { gap: self.span() },
            6 => Window::Count { size: 1 + self.random.below(5), slide: None },
            _ => {
                let size = 1 + self.random.below(9);
                Window::Count { size, slide: Some(1 + self.random.below(size)) }
            }
        }
    }

    /// A window and, mostly, an aggregate. True if there is one.
    fn window(&mut self, ops: &mut Vec<Op>, of: &mut Readable, keys: &[Item]) -> bool {
        let bounds = self.bounds();
        let late = self.area == Area::Lateness && matches!(bounds, Window::Time { .. });
        let mut between = true;
        if late && !self.random.once_in(3) {
            let lateness = self.span();
            ops.push(Op::AllowedLateness(lateness));
            between = false;
        }
        if !keys.is_empty() && self.random.once_in(8) {
            // Keys go with the record, whatever becomes of its fields.
            let items = self.items(of, false);
            of.fields = items.iter().map(|item| item.name.clone()).collect();
            of.derived = true;
            ops.push(Op::Select(items));
        }
        ops.push(Op::Window(bounds));
        if between && self.random.once_in(6) {
            ops.push(Op::Where(self.condition(of, 1), false));
        }
        let by = if between && self.random.once_in(8) { self.field(of, "kns") } else { None };
        if let Some(by) = by {
            ops.push(Op::Distinct(vec![Ex::Name(by)], None));
        }
        if self.random.once_in(5) {
            return false;
        }
        let mut keys = keys.to_vec();
        if self.random.once_in(8) {
            let other = self.keys(of, 1);
            if !other.is_empty() {
                ops.push(Op::PartitionBy(other.clone()));
                keys = other;
            }
        }
        self.aggregate_op(ops, of, &keys, true);
        true
    }

    fn running(&mut self, ops: &mut Vec<Op>, of: &mut Readable) -> bool {
        if self.random.once_in(2) {
            ops.retain(|op| !matches!(op, Op::PartitionBy(_)));
            return false;
        }
        let keys = ops.iter().find_map(|op| if let Op::PartitionBy(keys) = op { Some(keys.clone()) } else { None });
        self.aggregate_op(ops, of, &keys.unwrap_or_default(), false);
        true
    }

    pub(super) fn aggregate_op(&mut self, ops: &mut Vec<Op>, of: &mut Readable, keys: &[Item], windowed: bool) {
        let items = self.aggregates(of, keys, windowed);
        of.fields = keys.iter().chain(&items).map(|item| item.name.clone()).collect();
        of.fields.dedup();
        if !keys.is_empty() {
            of.fields.push("_partition".into());
        }
        of.derived = true;
        ops.push(Op::Aggregate(items));
    }
}
