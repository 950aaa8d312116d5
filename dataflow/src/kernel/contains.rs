//! `in`: elements of arrays, keys of maps, parts of texts, ints of ranges.

use super::arithmetic::map;
use super::compare::{Answer, answers};
use super::operand::{Operand, Side, Texts, View, both};
use hashbrown::HashSet;
use rarog_lang::eval::access::{range, range_contains};
use rarog_lang::eval::ops;
use rarog_lang::value::Value;
use std::sync::Arc;

/// Up to this many elements are compared one after the other.
const FEW: usize = 8;

/// A constant array, its numbers and texts sorted out so that they can be looked up.
#[derive(Debug)]
pub struct Set {
    items: Value,
    /// Ints, and floats that are whole.
    ints: Elements<i64>,
    /// Floats, and ints that floats hold exactly, by their bits (0.0 for both zeros).
    floats: Elements<u64>,
    texts: Elements<Box<[u8]>>,
    /// Without a hit the answer is null.
    nulls: bool,
}

/// Elements of one type.
#[derive(Debug)]
enum Elements<T> {
    Few(Vec<T>),
    Many(HashSet<T, foldhash::fast::FixedState>),
}

impl<T: std::hash::Hash + Eq> Elements<T> {
    fn new(items: impl Iterator<Item = T>) -> Elements<T> {
        let items: Vec<T> = items.collect();
        match items.len() {
            ..=FEW => Elements::Few(items),
            _ => Elements::Many(items.into_iter().collect()),
        }
    }

    #[inline]
    fn has<Q: ?Sized + std::hash::Hash + Eq>(&self, item: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self {
            Elements::Few(items) => items.iter().any(|one| one.borrow() == item),
            Elements::Many(items) => items.contains(item),
        }
    }
}

/// Bits by which equal floats are the same.
fn bits(float: f64) -> u64 {
    (float + 0.0).to_bits()
}

impl Set {
    /// Of an array's elements.
    pub fn new(items: Arc<Vec<Value>>) -> Set {
        let whole = |float: f64| ops::truncated(float).filter(|int| *int as f64 == float);
        let ints = items.iter().filter_map(|item| match item {
            Value::Int(int) => Some(*int),
            Value::Float(float) => whole(*float),
            _ => None,
        });
        let floats = items.iter().filter_map(|item| match item {
            Value::Int(int) => ops::truncated(*int as f64).filter(|back| back == int).map(|int| bits(int as f64)),
            Value::Float(float) => Some(bits(*float)),
            _ => None,
        });
        let texts = items.iter().filter_map(|item| match item {
            Value::Str(text) => Some(text.as_bytes().into()),
            _ => None,
        });
        Set {
            ints: Elements::new(ints),
            floats: Elements::new(floats),
            texts: Elements::new(texts),
            nulls: items.contains(&Value::Null),
            items: Value::Array(items),
        }
    }
}

/// `a in [constants]`
pub fn among(a: &Operand, set: &Set, rows: usize) -> Operand {
    if let Operand::Const(value) = a {
        return Operand::Const(ops::contains(value, &set.items));
    }
    let values = match a.view() {
        View::Null => return Operand::Const(Value::Null),
        View::Int(ints) => map(&ints, rows, |int| set.ints.has(&int)),
        View::Float(floats) => map(&floats, rows, |float| set.floats.has(&bits(float))),
        View::Str(texts) => (0..rows).map(|row| texts.bytes(row).is_some_and(|text| set.texts.has(text))).collect(),
        _ => return one_by_one(a, &Operand::Const(set.items.clone()), rows),
    };
    let mut valid = a.valid(rows);
    if set.nulls {
        let hits = values.clone();
        valid = both(&valid, &super::operand::flags(hits.into_iter()));
    }
    Answer::Rows(values, valid).into_operand(rows)
}

/// `a in b`
pub fn contains(a: &Operand, b: &Operand, rows: usize) -> Operand {
    match (a, b) {
        (Operand::Const(a), Operand::Const(b)) => return Operand::Const(ops::contains(a, b)),
        (_, Operand::Const(Value::Null)) | (Operand::Const(Value::Null), _) => return Operand::Const(Value::Null),
        _ => {}
    }
    match (a.view(), b.view()) {
        (View::Str(Texts::One(part)), View::Str(texts)) => {
            let finder = memchr::memmem::Finder::new(part);
            answers(rows, |row| Some(finder.find(texts.bytes(row)?).is_some())).into_operand(rows)
        }
        (View::Str(parts), View::Str(texts)) => {
            answers(rows, |row| Some(texts.get(row)?.contains(parts.get(row)?))).into_operand(rows)
        }
        _ => one_by_one(a, b, rows),
    }
}

/// `x in from..to` (`..=` if `included`) without making the array.
pub fn within([x, from, to]: &[Operand; 3], included: bool, rows: usize) -> Operand {
    if let (Operand::Const(x), Operand::Const(from), Operand::Const(to)) = (x, from, to) {
        return Operand::Const(range_contains(x, range(from, to, included)));
    }
    if let (Operand::Const(from), Operand::Const(to), View::Int(Side::Each(ints))) = (from, to, x.view()) {
        let bounds = range(from, to, included);
        // Null for every row if there is no such range.
        if range_contains(&Value::Int(0), bounds.clone()) != Value::Null {
            let (from, to) = bounds.map_or((1, 0), |bounds| bounds.into_inner());
            let values = ints.values.iter().map(|int| (from <= *int) & (*int <= to)).collect();
            return Answer::Rows(values, ints.valid.clone()).into_operand(rows);
        }
    }
    let (mut a, mut b, mut c) = (Value::Null, Value::Null, Value::Null);
    let answer = |row| {
        let bounds = range(from.at(row, &mut b), to.at(row, &mut c), included);
        flag(range_contains(x.at(row, &mut a), bounds))
    };
    answers(rows, answer).into_operand(rows)
}

fn one_by_one(a: &Operand, b: &Operand, rows: usize) -> Operand {
    let (mut left, mut right) = (Value::Null, Value::Null);
    answers(rows, |row| flag(ops::contains(a.at(row, &mut left), b.at(row, &mut right)))).into_operand(rows)
}

fn flag(value: Value) -> Option<bool> {
    if let Value::Bool(flag) = value { Some(flag) } else { None }
}
