//! Joins: all kinds, two to four inputs, joins with oneself, equalities and other conditions.

use super::{Maker, Readable};
use crate::expr::{Ex, Op as Binary};
use crate::program::{Input, Item, Join, Kept, Op, Source, Stream};

impl Maker<'_> {
    /// A join, and the fields of its results.
    pub(super) fn joined_stream(&mut self, name: String) -> (Stream, Vec<String>) {
        let count = self.random.pick(&[2, 2, 2, 2, 3, 4]);
        let of: Vec<Readable> = (0..count).map(|_| self.readable()).collect();
        let mut inputs: Vec<Input> = Vec::new();
        for readable in &of {
            let twice = of.iter().filter(|other| other.name == readable.name).count() > 1;
            let alias =
                if twice || self.random.once_in(3) { format!("J{}", inputs.len()) } else { readable.name.clone() };
            let condition = self.random.once_in(4).then(|| self.condition(readable, 1));
            inputs.push(Input { of: readable.name.clone(), name: alias, condition });
        }
        let kept = if count == 2 {
            self.random.pick(&[Kept::Inner, Kept::Left, Kept::Right, Kept::Full])
        } else {
            Kept::Inner
        };
        let mut on: Vec<Ex> = (1..count).map(|right| self.between(&inputs, &of, right - 1, right)).collect();
        if self.random.once_in(3) {
            let (left, right) = (self.random.below(count - 1), count - 1);
            on.push(self.residual(&inputs, &of, left, right));
        }
        if self.random.once_in(2) {
            let all = on.into_iter().reduce(|all, one| Ex::bin(Binary::And, all, one));
            on = all.into_iter().collect();
        }
        let items = self.joined_items(&inputs, &of);
        let fields = items.iter().map(|item| item.name.clone()).collect();
        let window = self.span();
        let mut ops = Vec::new();
        self.watermark(&mut ops);
        if self.random.once_in(5) {
            let (place, field) = self.side_field(&of, "vn");
            let value = Ex::Of(inputs[place].name.clone(), field);
            ops.push(Op::Where(Ex::bin(Binary::Gt, value, Ex::int(0)), false));
        }
        ops.push(Op::Emit(None, items));
        (Stream { name, source: Source::Join(Join { kept, inputs, on, window }), ops }, fields)
    }

    /// A field of one of these kinds of some input.
    fn side_field(&mut self, of: &[Readable], letters: &str) -> (usize, String) {
        let place = self.random.below(of.len());
        let field = self.field(&of[place], letters).unwrap_or_else(|| of[place].fields[0].clone());
        (place, field)
    }

    /// A condition between two inputs: mostly an equality.
    fn between(&mut self, inputs: &[Input], of: &[Readable], left: usize, right: usize) -> Ex {
        if self.random.once_in(6) {
            return self.residual(inputs, of, left, right);
        }
        let letters = self.random.pick(&["k", "k", "n", "s"]);
        match (self.field(&of[left], letters), self.field(&of[right], letters)) {
            (Some(a), Some(b)) => {
                let side = |place: usize, field| Ex::Of(inputs[place].name.clone(), field);
                Ex::bin(Binary::Eq, side(left, a), side(right, b))
            }
            _ => self.residual(inputs, of, left, right),
        }
    }

    fn residual(&mut self, inputs: &[Input], of: &[Readable], left: usize, right: usize) -> Ex {
        let mut side = |place: usize| match self.field(&of[place], "vn") {
            Some(field) => Ex::Of(inputs[place].name.clone(), field),
            None => Ex::int(3),
        };
        let (a, b) = (side(left), side(right));
        match self.random.below(4) {
            0 => Ex::bin(Binary::Or, Ex::bin(Binary::Lt, a.clone(), b), Ex::bin(Binary::Eq, a, Ex::int(2))),
            1 => Ex::bin(Binary::Ge, Ex::bin(Binary::Add, a, b), Ex::int(2)),
            _ => Ex::bin(self.random.pick(&[Binary::Lt, Binary::Le, Binary::Ne]), a, b),
        }
    }

    fn joined_items(&mut self, inputs: &[Input], of: &[Readable]) -> Vec<Item> {
        let mut items = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            for field in &of[place].fields {
                if !self.random.once_in(3) {
                    let value = Ex::Of(input.name.clone(), field.clone());
                    items.push(Item { name: format!("{field}_{place}"), value });
                }
            }
        }
        // A bare name is that of the first input where it is not null.
        if self.random.once_in(3) || items.is_empty() {
            let bare: Vec<&String> = of[0].fields.iter().filter(|field| !field.starts_with('_')).collect();
            let field = self.random.pick(&bare).clone();
            items.push(Item { name: format!("{field}b"), value: Ex::Name(field) });
        }
        items
    }
}
