//! Random batches: every physical type, with and without nulls, whatever standing in null rows.

use crate::random::Random;
use rarog_dataflow::batch::{EventTypes, Released, Rows};
use rarog_dataflow::column::{Column, EXTRA_BIT, NULL_SPAN, Prim, StrColumn, from_values};
use rarog_dataflow::whole::Whole;
use rarog_lang::value::{Map, Value};
use std::sync::Arc;

/// Columns of a batch: two of each kind and two that vary.
pub const COLUMNS: usize = 18;

/// Kinds of values; a column's number modulo [`KINDS`] is its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Float,
    Str,
    Time,
    Duration,
    Array,
    Map,
    Any,
}

pub const KINDS: [Kind; 9] =
    [Kind::Bool, Kind::Int, Kind::Float, Kind::Str, Kind::Time, Kind::Duration, Kind::Array, Kind::Map, Kind::Any];

pub const INTS: [i64; 16] = [
    0,
    1,
    2,
    3,
    -1,
    -7,
    64,
    63,
    1000,
    200,
    9_007_199_254_740_992,
    9_007_199_254_740_993,
    -9_007_199_254_740_993,
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
];
pub const FLOATS: [f64; 18] = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.0,
    1.5,
    2.5,
    -2.5,
    3.0,
    200.0,
    1e-7,
    1e300,
    -1e300,
    f64::MIN_POSITIVE,
    9_007_199_254_740_992.0,
    9_223_372_036_854_775_808.0,
    -9_223_372_036_854_775_808.0,
    9_223_372_036_854_774_784.0,
];
const TEXTS: [&str; 14] = ["", "a", "ab", "b", "aß", "é", "🙂a", " ab ", "12", "-3", "2.5", "1e3", "5s", "İx"];

pub fn int(random: &mut Random) -> i64 {
    if random.once_in(3) { random.pick(&INTS) } else { random.below(12) as i64 - 4 }
}

pub fn float(random: &mut Random) -> f64 {
    if random.once_in(3) { random.pick(&FLOATS) } else { (random.below(40) as f64 - 12.0) / 4.0 }
}

pub fn text(random: &mut Random) -> &'static str {
    random.pick(&TEXTS)
}

/// A value of a kind.
pub fn value(random: &mut Random, kind: Kind, depth: u32) -> Value {
    let inner = |random: &mut Random| {
        let kind = random.pick(&KINDS[..if depth == 0 { 6 } else { 9 }]);
        if random.once_in(6) { Value::Null } else { value(random, kind, depth.saturating_sub(1)) }
    };
    match kind {
        Kind::Bool => Value::Bool(random.once_in(2)),
        Kind::Int => Value::Int(int(random)),
        Kind::Float => Value::Float(float(random)),
        Kind::Str => Value::Str(text(random).into()),
        Kind::Time => Value::Time(int(random).saturating_mul(1_000_000)),
        Kind::Duration => Value::Duration(int(random).saturating_mul(if random.once_in(2) { 1 } else { 1_000_000 })),
        Kind::Array if random.once_in(2) => {
            let kind = random.pick(&KINDS[..6]);
            Value::Array(Arc::new((0..random.below(4)).map(|_| value(random, kind, 0)).collect()))
        }
        Kind::Array => Value::Array(Arc::new((0..random.below(4)).map(|_| inner(random)).collect())),
        Kind::Map => {
            let entries = (0..random.below(4)).map(|_| (Arc::from(random.pick(&["k", "a", "c1"])), inner(random)));
            Value::Map(Arc::new(entries.collect::<Map>()))
        }
        Kind::Any => inner(random),
    }
}

fn valid(random: &mut Random, rows: usize) -> Option<Arc<Vec<bool>>> {
    random.once_in(2).then(|| Arc::new((0..rows).map(|_| !random.once_in(4)).collect()))
}

fn prim<T>(random: &mut Random, rows: usize, mut one: impl FnMut(&mut Random) -> T) -> Prim<T> {
    Prim { valid: valid(random, rows), values: Arc::new((0..rows).map(|_| one(random)).collect()) }
}

/// Floats with anything in the null rows.
fn floats(random: &mut Random, rows: usize) -> Prim<f64> {
    let mut prim = prim(random, rows, float);
    if let Some(valid) = &prim.valid {
        let garbage = random.pick(&[f64::NAN, f64::INFINITY, 0.0]);
        let values = prim.values.iter().zip(valid.iter()).map(|(value, valid)| if *valid { *value } else { garbage });
        prim.values = Arc::new(values.collect());
    }
    prim
}

/// Texts in two buffers.
fn texts(random: &mut Random, rows: usize) -> StrColumn {
    let (mut buffers, two) = ([String::new(), String::new()], random.once_in(2));
    let nulls = random.once_in(2);
    let spans = (0..rows).map(|_| {
        if nulls && random.once_in(4) {
            return (NULL_SPAN, random.below(3) as u32);
        }
        let extra = two && random.once_in(3);
        let (buffer, text) = (&mut buffers[usize::from(extra)], text(random));
        let start = buffer.len() as u32 | if extra { EXTRA_BIT } else { 0 };
        buffer.push_str(text);
        (start, text.len() as u32)
    });
    let spans = Arc::new(spans.collect());
    let [text, extra] = buffers;
    StrColumn { text: text.into(), extra: extra.into(), spans }
}

fn column(random: &mut Random, kind: Kind, rows: usize) -> Column {
    if random.once_in(20) {
        return Column::Null(rows);
    }
    match kind {
        // What a batch has need not fit the static type that an expression was made for.
        _ if random.once_in(12) => {
            let kind = random.pick(&KINDS);
            from_values((0..rows).map(|_| value(random, kind, 1)).collect())
        }
        Kind::Bool => Column::Bool(prim(random, rows, |random| random.once_in(2))),
        Kind::Int => Column::Int(prim(random, rows, int)),
        Kind::Float => Column::Float(floats(random, rows)),
        Kind::Str => Column::Str(texts(random, rows)),
        Kind::Time => Column::Time(prim(random, rows, |random| int(random).saturating_mul(1_000_000))),
        Kind::Duration => Column::Duration(prim(random, rows, |random| int(random).saturating_mul(1_000))),
        // Numbers of both kinds are the most frequent mixture.
        Kind::Any if random.once_in(2) => {
            let number = |random: &mut Random| {
                let kind = random.pick(&KINDS[1..3]);
                value(random, kind, 0)
            };
            Column::Any(Arc::new((0..rows).map(|_| number(random)).collect()))
        }
        kind => {
            let one = |random: &mut Random| if random.once_in(6) { Value::Null } else { value(random, kind, 1) };
            Column::Any(Arc::new((0..rows).map(|_| one(random)).collect()))
        }
    }
}

/// A batch.
pub fn batch(random: &mut Random, rows: usize) -> Rows {
    let whole: Vec<Value> = (0..rows).map(|_| value(random, Kind::Map, 1)).collect();
    let event = match random.once_in(2) {
        true => EventTypes::One("A".into()),
        false => EventTypes::Each(Arc::new((0..rows).map(|_| random.pick(&["A", "B"]).into()).collect())),
    };
    let released = |row: usize| Released { revision: row as u64 % 3, ..Released::first(row as i64 * 1_000, 5_000_000) };
    Rows {
        pos: Arc::new((0..rows as u64).map(|row| row << 2).collect()),
        time: Arc::new((0..rows).map(|_| int(random)).collect()),
        event,
        columns: (0..COLUMNS).map(|index| column(random, KINDS[index % KINDS.len()], rows)).collect(),
        whole: Some(Whole::Values(Arc::new(whole))),
        rank: None,
        released: random.once_in(2).then(|| Arc::new((0..rows).map(released).collect())),
    }
}
