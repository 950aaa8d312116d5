//! Random expressions over the fields of a record.

use super::{Maker, Readable};
use crate::expr::{Agg, Ex, Func, Op};
use crate::program::Item;
use crate::value::V;

/// Does the field's name begin with one of these letters?
fn is_of(field: &str, letters: &str) -> bool {
    letters.contains(&field[..1])
}

/// Is its value the same to the last digit whatever the order of what it adds up?
fn is_exact(value: &Ex) -> bool {
    match value {
        Ex::Name(field) | Ex::Of(_, field) => !is_of(field, "r"),
        Ex::Agg(agg, argument) => {
            let rounds = matches!(
                agg,
                Agg::Avg
                    | Agg::Variance
                    | Agg::Stddev
                    | Agg::Ema(_)
                    | Agg::Percentile(_)
                    | Agg::Median
                    | Agg::P50
                    | Agg::P95
                    | Agg::P99
            );
            !rounds && argument.as_deref().is_none_or(is_exact)
        }
        Ex::Bin(Op::Div, ..) => false,
        Ex::Bin(_, left, right) => is_exact(left) && is_exact(right),
        // A condition decides, whatever it reads.
        Ex::If(_, yes, no) => is_exact(yes) && is_exact(no),
        Ex::Neg(inner) => is_exact(inner),
        _ => true,
    }
}

/// The letter for the name of a number.
fn letter_of(value: &Ex) -> &'static str {
    if is_exact(value) { "v" } else { "r" }
}

impl Maker<'_> {
    /// A field of one of these kinds.
    pub(super) fn field(&mut self, of: &Readable, letters: &str) -> Option<String> {
        let fields: Vec<String> = of.fields.iter().filter(|field| is_of(field, letters)).cloned().collect();
        (!fields.is_empty()).then(|| self.random.pick(&fields))
    }

    /// A number, mostly.
    pub(super) fn number(&mut self, of: &Readable, depth: u32) -> Ex {
        let leaf = depth == 0 || self.random.once_in(2);
        if leaf {
            return match self.field(of, "vn") {
                Some(field) if !self.random.once_in(5) => Ex::Name(field),
                _ if self.random.once_in(2) => Ex::int(self.random.between(-3, 9)),
                _ => Ex::Lit(V::Float(self.random.between(-8, 20) as f64 / 4.0)),
            };
        }
        let (left, right) = (self.number(of, depth - 1), self.number(of, depth - 1));
        match self.random.below(8) {
            0 => Ex::If(Box::new(self.condition(of, depth - 1)), Box::new(left), Box::new(right)),
            1 => Ex::bin(Op::Coalesce, left, right),
            2 => Ex::Neg(Box::new(left)),
            3 => Ex::bin(self.random.pick(&[Op::Div, Op::Rem]), left, right),
            _ => Ex::bin(self.random.pick(&[Op::Add, Op::Sub, Op::Mul]), left, right),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, of: &Readable, depth: u32) -> Ex {
        if depth > 0 && self.random.once_in(3) {
            let (left, right) = (self.condition(of, depth - 1), self.condition(of, depth - 1));
            return match self.random.below(5) {
                0 => Ex::Not(Box::new(left)),
                1 | 2 => Ex::bin(Op::And, left, right),
                _ => Ex::bin(Op::Or, left, right),
            };
        }
        let text = self.field(of, "s").filter(|_| self.random.once_in(4));
        if let Some(text) = text {
            let constant = Ex::Lit(V::Str(self.random.pick(&["x", "y", "é"]).into()));
            return Ex::bin(self.random.pick(&[Op::Eq, Op::Ne, Op::Lt, Op::Ge]), Ex::Name(text), constant);
        }
        let key = self.field(of, "k").filter(|_| self.random.once_in(4));
        if let Some(key) = key {
            return match self.random.below(3) {
                0 => Ex::IsNull(Box::new(Ex::Name(key))),
                1 => Ex::bin(Op::Ne, Ex::Name(key), Ex::int(self.random.between(0, 2))),
                _ => Ex::bin(Op::Eq, Ex::Name(key), Ex::Lit(V::Str("a".into()))),
            };
        }
        let op = self.random.pick(&[Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Ne, Op::Eq]);
        Ex::bin(op, self.number(of, 1), Ex::int(self.random.between(-1, 6)))
    }

    /// Items that keep some fields and compute others, and the names of the new record.
    pub(super) fn items(&mut self, of: &Readable, windowed: bool) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for field in &of.fields {
            if !self.random.once_in(4) && !items.iter().any(|item| item.name == *field) {
                items.push(Item { name: field.clone(), value: Ex::name(field) });
            }
        }
        if self.random.once_in(2) {
            let value = self.number(of, 2);
            items.push(Item { name: format!("{}x", letter_of(&value)), value });
        }
        if windowed && self.random.once_in(2) {
            items.push(Item { name: "tw".into(), value: Ex::name("window_start") });
            items.push(Item { name: "tx".into(), value: Ex::name("window_end") });
        }
        if self.random.once_in(10) {
            items.push(Item { name: "sx".into(), value: Ex::Lit(V::Null) });
        }
        unique(items)
    }

    /// Items of an aggregate.
    pub(super) fn aggregates(&mut self, of: &Readable, keys: &[Item], windowed: bool) -> Vec<Item> {
        let mut items = vec![Item { name: "nc".into(), value: Ex::Agg(Agg::Count, None) }];
        for index in 0..1 + self.random.below(4) {
            let (letter, value) = self.aggregate(of, windowed);
            items.push(Item { name: format!("{letter}{index}"), value });
        }
        if self.random.once_in(4) {
            let total = Ex::Agg(Agg::Sum, Some(Box::new(self.number(of, 1))));
            let value = Ex::bin(self.random.pick(&[Op::Div, Op::Mul, Op::Add]), total, Ex::Agg(Agg::Count, None));
            items.push(Item { name: format!("{}r", letter_of(&value)), value });
        }
        if windowed && self.random.once_in(4) {
            items.push(Item { name: "tw".into(), value: Ex::name("window_end") });
        }
        if !keys.is_empty() && self.random.once_in(6) {
            let value = Ex::Call(Func::TypeOf, vec![Ex::name(&keys[0].name)]);
            items.push(Item { name: "st".into(), value });
        }
        if self.random.once_in(3) {
            self.random.shuffle(&mut items);
        }
        unique(items)
    }

    /// An aggregate, and the kind of its value.
    fn aggregate(&mut self, of: &Readable, windowed: bool) -> (&'static str, Ex) {
        let number = if self.random.once_in(3) { self.number(of, 1) } else { self.number(of, 0) };
        let rough = self.field(of, "r").filter(|_| self.random.once_in(4));
        if let Some(field) = rough {
            let agg = self.random.pick(&[Agg::Sum, Agg::Avg, Agg::Min, Agg::Max]);
            return ("r", Ex::Agg(agg, Some(Box::new(Ex::Name(field)))));
        }
        let any = match self.field(of, "kvns") {
            Some(field) => Ex::Name(field),
            None => number.clone(),
        };
        let text = self.field(of, "sn").map_or(number.clone(), Ex::Name);
        let (letter, agg, argument) = match self.random.below(if windowed { 24 } else { 18 }) {
            0 => ("n", Agg::Count, any),
            1 | 2 => ("v", Agg::Sum, number),
            3 => ("v", Agg::Avg, number),
            4 => ("k", Agg::Min, any),
            5 => ("k", Agg::Max, any),
            6 => ("v", Agg::Min, number),
            7 => ("v", Agg::Max, number),
            8 => ("v", Agg::Variance, number),
            9 => ("v", Agg::Stddev, number),
            10 => ("k", Agg::First, any),
            11 => ("k", Agg::Last, any),
            12 => ("v", Agg::Ema(self.random.pick(&[None, Some(1), Some(3)])), number),
            13 => ("n", Agg::CountDistinct, any),
            14 => ("n", Agg::DistinctCount, any),
            15 => ("n", Agg::CountOfDistinct, any),
            16 | 17 => ("v", Agg::Sum, any),
            18 => ("a", Agg::Collect, any),
            19 => ("a", Agg::TopK(self.random.between(1, 3)), text),
            20 => ("v", Agg::Percentile(self.random.pick(&[0.0, 0.25, 0.9, 1.0, 75.0])), number),
            21 => ("v", self.random.pick(&[Agg::Median, Agg::P50]), number),
            22 => ("v", Agg::P95, number),
            _ => ("v", Agg::P99, number),
        };
        let value = Ex::Agg(agg, Some(Box::new(argument)));
        (if letter == "v" { letter_of(&value) } else { letter }, value)
    }
}

/// No name twice: the first counts.
fn unique(items: Vec<Item>) -> Vec<Item> {
    let mut kept: Vec<Item> = Vec::new();
    for item in items {
        if !kept.iter().any(|other| other.name == item.name) {
            kept.push(item);
        }
    }
    kept
}
