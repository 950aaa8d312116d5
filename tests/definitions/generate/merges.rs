//! Streams that part and meet again: what one record causes comes to a merge by several ways, and what reads the merge goes
//! by position.

use super::{Maker, Readable};
use crate::expr::Ex;
use crate::program::{Input, Item, Op, Source, Stream, Window};
use crate::value::V;

impl Maker<'_> {
    /// A stream without state, and the fields of its records.
    pub(super) fn plain_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let (source, of) = if self.random.once_in(2) { self.met_again() } else { self.one() };
        let mut ops = Vec::new();
        if self.random.once_in(3) {
            ops.push(Op::Where(self.condition(&of, 1), false));
        }
        if self.random.once_in(4) {
            return (Stream { name, source, ops }, of.fields);
        }
        let mut items = self.items(&of, false);
        items.retain(|item| item.name != "so");
        items.push(Item { name: "so".into(), value: Ex::Lit(V::Str(name.clone())) });
        let fields = items.iter().map(|item| item.name.clone()).collect();
        let op = if self.random.once_in(2) { Op::Emit(None, items) } else { Op::Select(items) };
        ops.push(op);
        (Stream { name, source, ops }, fields)
    }

    /// A stream that reads a merge by position.
    pub(super) fn positional_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let (source, mut of) = self.met_again();
        let mut ops = Vec::new();
        match self.random.below(4) {
            0 => self.distinct_or_limit(&mut ops, &of),
            kind => {
                let keys = self.keys(&of, 1);
                if !keys.is_empty() {
                    ops.push(Op::PartitionBy(keys.clone()));
                }
                if kind > 1 {
                    let size = 1 + self.random.below(4);
                    let slide = self.random.once_in(2).then(|| 1 + self.random.below(size));
                    ops.push(Op::Window(Window::Count { size, slide }));
                }
                self.aggregate_op(&mut ops, &mut of, &keys, kind > 1);
            }
        }
        let items = self.items(&of, false);
        let fields = items.iter().map(|item| item.name.clone()).filter(|field| field != "_partition").collect();
        ops.push(Op::Emit(None, items));
        (Stream { name, source, ops }, fields)
    }

    fn one(&mut self) -> (Source, Readable) {
        let of = self.readable();
        (Source::One(of.name.clone()), of)
    }

    /// A merge of several, each once.
    fn met_again(&mut self) -> (Source, Readable) {
        let mut all = self.readable.clone();
        self.random.shuffle(&mut all);
        all.truncate(2 + self.random.below(2));
        let mut fields = all[0].fields.clone();
        fields.retain(|field| all.iter().all(|of| of.fields.contains(field)));
        let mut inputs = Vec::new();
        for of in &all {
            let condition = self.random.once_in(4).then(|| self.condition(of, 1));
            inputs.push(Input { of: of.name.clone(), name: of.name.clone(), condition });
        }
        let derived = all.iter().all(Readable::is_exact);
        (Source::Merge(inputs), Readable { name: String::new(), fields, derived })
    }
}
