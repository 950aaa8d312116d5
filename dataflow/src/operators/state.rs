//! Partial states of aggregate functions (docs/language.md). States of the same call merge, whatever part of the content
//! each has seen; what depends on order keeps (event time, arrival) with its values.

use super::key::{KeyColumns, KeyTable, SavedKey};
use super::numbers::{Compensated, Moments, Sum};
use super::sparse::Moved;
use crate::column::{Column, Prim};
use rarog_lang::eval::ops::finite;
use rarog_lang::eval::order::{KeyValue, compare};
use rarog_lang::plan::AggregateFn;
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

/// Order of a record inside a window: event time (0 where only arrival counts), then arrival.
pub type Rank = (i64, u64, u64);

/// What a call keeps; calls of one kind over one argument share their state (`sum(x)` and `avg(x)`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `count()`, `count(x)`
    Count,
    /// `sum`, `avg`
    Sum,
    /// `min` (false), `max` (true)
    Extreme(bool),
    /// `variance`, `stddev`
    Moments,
    /// `first` (false), `last` (true)
    Edge(bool),
    /// `count_distinct`
    Distinct,
    /// `collect`, `top_k`
    Values,
    /// `ema`, `percentile`
    Numbers,
}

impl Kind {
    /// What a function keeps.
    pub fn of(function: AggregateFn) -> Kind {
        match function {
            AggregateFn::Count | AggregateFn::CountValues => Kind::Count,
            AggregateFn::Sum | AggregateFn::Avg => Kind::Sum,
            AggregateFn::Min => Kind::Extreme(false),
            AggregateFn::Max => Kind::Extreme(true),
            AggregateFn::Variance | AggregateFn::Stddev => Kind::Moments,
            AggregateFn::First => Kind::Edge(false),
            AggregateFn::Last => Kind::Edge(true),
            AggregateFn::CountDistinct => Kind::Distinct,
            AggregateFn::Collect | AggregateFn::TopK(_) => Kind::Values,
            AggregateFn::Ema(_) | AggregateFn::Percentile(_) => Kind::Numbers,
        }
    }
}

/// Best number, text, timestamp and duration.
pub type Best = [Option<Value>; 4];

/// States of one call for all groups, by slot.
pub enum States {
    /// Records or values.
    Count(Vec<u64>),
    /// Sums.
    Sum(Vec<Sum>),
    /// Greatest (true) or least.
    Extreme(bool, Vec<Best>),
    /// Moments.
    Moments(Vec<Moments>),
    /// Last (true) or first.
    Edge(bool, Vec<Option<(Rank, Value)>>),
    /// Distinct values.
    Distinct(Vec<KeyTable>),
    /// Values; only numbers if true.
    Values(bool, Vec<Vec<(Rank, Value)>>),
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

/// The argument of a call over a batch.
pub enum Argument {
    /// `count()` has none.
    None,
    /// Its values.
    Column(Column),
    /// Its values as keys, for `count_distinct`.
    Keys(KeyColumns, Column),
}

impl Argument {
    /// Prepares the values of an argument for a kind of state.
    pub fn new(kind: Kind, column: Column) -> Argument {
        match kind {
            Kind::Distinct => {
                let rows = column.len();
                Argument::Keys(KeyColumns::new(vec![column.clone()], rows), column)
            }
            _ => Argument::Column(column),
        }
    }
}

/// What a group has seen, to be written down.
#[derive(Serialize, Deserialize)]
pub enum SavedState<'s> {
    /// [`States::Count`]
    Count(u64),
    /// [`States::Sum`]
    Sum(Sum),
    /// [`States::Extreme`]
    Extreme(Cow<'s, Best>),
    /// [`States::Moments`]
    Moments(Moments),
    /// [`States::Edge`]
    Edge(Cow<'s, Option<(Rank, Value)>>),
    /// [`States::Distinct`]
    Distinct(Vec<SavedKey>),
    /// [`States::Values`]
    Values(Cow<'s, [(Rank, Value)]>),
}

#[inline]
fn valid<T>(prim: &Prim<T>, row: usize) -> bool {
    prim.valid.as_ref().is_none_or(|valid| valid[row])
}

impl States {
    /// No groups.
    pub fn new(kind: Kind) -> States {
        match kind {
            Kind::Count => States::Count(Vec::new()),
            Kind::Sum => States::Sum(Vec::new()),
            Kind::Extreme(max) => States::Extreme(max, Vec::new()),
            Kind::Moments => States::Moments(Vec::new()),
            Kind::Edge(last) => States::Edge(last, Vec::new()),
            Kind::Distinct => States::Distinct(Vec::new()),
            Kind::Values => States::Values(false, Vec::new()),
            Kind::Numbers => States::Values(true, Vec::new()),
        }
    }

    /// Makes room for `slots` groups.
    pub fn grow(&mut self, slots: usize) {
        match self {
            States::Count(all) => all.resize(slots, 0),
            States::Sum(all) => all.resize(slots, Sum::default()),
            States::Extreme(_, all) => all.resize(slots, Best::default()),
            States::Moments(all) => all.resize(slots, Moments::default()),
            States::Edge(_, all) => all.resize(slots, None),
            States::Distinct(all) => all.resize_with(slots, KeyTable::default),
            States::Values(_, all) => all.resize(slots, Vec::new()),
        }
    }

    /// Forgets what a group has seen.
    pub fn reset(&mut self, slot: usize) {
        match self {
            States::Count(all) => all[slot] = 0,
            States::Sum(all) => all[slot] = Sum::default(),
            States::Extreme(_, all) => all[slot] = Best::default(),
            States::Moments(all) => all[slot] = Moments::default(),
            States::Edge(_, all) => all[slot] = None,
            States::Distinct(all) => all[slot] = KeyTable::default(),
            States::Values(_, all) => all[slot] = Vec::new(),
        }
    }

    /// Keeps the groups of slots that were used.
    pub fn give_back(&mut self, moved: &Moved) {
        match self {
            States::Count(all) => moved.keep(all),
            States::Sum(all) => moved.keep(all),
            States::Extreme(_, all) => moved.keep(all),
            States::Moments(all) => moved.keep(all),
            States::Edge(_, all) => moved.keep(all),
            States::Distinct(all) => moved.keep(all),
            States::Values(_, all) => moved.keep(all),
        }
    }

    /// What a group has seen.
    pub fn saved(&self, slot: usize) -> SavedState<'_> {
        match self {
            States::Count(all) => SavedState::Count(all[slot]),
            States::Sum(all) => SavedState::Sum(all[slot]),
            States::Extreme(_, all) => SavedState::Extreme(Cow::Borrowed(&all[slot])),
            States::Moments(all) => SavedState::Moments(all[slot]),
            States::Edge(_, all) => SavedState::Edge(Cow::Borrowed(&all[slot])),
            States::Distinct(all) => {
                let table = &all[slot];
                SavedState::Distinct(table.used().into_iter().map(|key| table.saved(key)).collect())
            }
            States::Values(_, all) => SavedState::Values(Cow::Borrowed(&all[slot])),
        }
    }

    /// Takes over what a group had seen; false if it is of another call.
    pub fn restore(&mut self, slot: usize, saved: SavedState<'_>) -> bool {
        match (self, saved) {
            (States::Count(all), SavedState::Count(count)) => all[slot] = count,
            (States::Sum(all), SavedState::Sum(sum)) => all[slot] = sum,
            (States::Extreme(_, all), SavedState::Extreme(best)) => all[slot] = best.into_owned(),
            (States::Moments(all), SavedState::Moments(moments)) => all[slot] = moments,
            (States::Edge(_, all), SavedState::Edge(edge)) => all[slot] = edge.into_owned(),
            (States::Distinct(all), SavedState::Distinct(keys)) => {
                keys.into_iter().for_each(|key| _ = all[slot].restore(key));
            }
            (States::Values(_, all), SavedState::Values(values)) => all[slot] = values.into_owned(),
            _ => return false,
        }
        true
    }

    /// Takes rows `first..first + slots.len()`, the i-th for group `slots[i]`.
    pub fn add_rows(&mut self, slots: &[u32], first: usize, argument: &Argument, rank: &dyn Fn(usize) -> Rank) {
        match (&mut *self, argument) {
            (States::Count(all), Argument::None) => slots.iter().for_each(|&slot| all[slot as usize] += 1),
            (States::Sum(all), Argument::Column(Column::Float(floats))) => {
                for (offset, &slot) in slots.iter().enumerate() {
                    if valid(floats, first + offset) {
                        all[slot as usize].add_float(floats.values[first + offset]);
                    }
                }
            }
            (States::Sum(all), Argument::Column(Column::Int(ints))) => {
                for (offset, &slot) in slots.iter().enumerate() {
                    if valid(ints, first + offset) {
                        all[slot as usize].add_int(ints.values[first + offset]);
                    }
                }
            }
            _ => {
                for (offset, &slot) in slots.iter().enumerate() {
                    self.add(slot as usize, argument, first + offset, rank);
                }
            }
        }
    }

    /// Takes rows for the only group there is, if that can be done at once; false if nothing was done.
    pub fn add_all(&mut self, rows: Range<usize>, argument: &Argument) -> bool {
        match (self, argument) {
            (States::Count(all), Argument::None) => all[0] += rows.len() as u64,
            (States::Sum(all), Argument::Column(Column::Float(floats))) if floats.valid.is_none() => {
                let mut sum = all[0];
                floats.values[rows].iter().for_each(|float| sum.add_float(*float));
                all[0] = sum;
            }
            _ => return false,
        }
        true
    }

    /// Takes one row.
    pub fn add(&mut self, slot: usize, argument: &Argument, row: usize, rank: &dyn Fn(usize) -> Rank) {
        match (self, argument) {
            (States::Count(all), Argument::None) => all[slot] += 1,
            (_, Argument::None) => {}
            (States::Distinct(all), Argument::Keys(keys, column)) => {
                if column.get(row) != Value::Null {
                    all[slot].slot(keys, row);
                }
            }
            (States::Extreme(max, all), Argument::Column(Column::Float(floats))) => {
                if valid(floats, row) {
                    extreme_float(*max, &mut all[slot], floats.values[row]);
                }
            }
            (States::Extreme(max, all), Argument::Column(Column::Int(ints))) => {
                if valid(ints, row) {
                    extreme_int(*max, &mut all[slot], ints.values[row]);
                }
            }
            (state, Argument::Column(column) | Argument::Keys(_, column)) => {
                state.add_value(slot, column.get(row), rank(row));
            }
        }
    }

    fn add_value(&mut self, slot: usize, value: Value, rank: Rank) {
        match self {
            States::Edge(last, all) => edge(*last, &mut all[slot], value, rank),
            _ if value == Value::Null => {}
            States::Count(all) => all[slot] += 1,
            States::Sum(all) => match value {
                Value::Int(int) => all[slot].add_int(int),
                Value::Float(float) => all[slot].add_float(float),
                _ => {}
            },
            States::Extreme(max, all) => extreme(*max, &mut all[slot], value),
            States::Moments(all) => {
                if let Some(number) = number(&value) {
                    all[slot].add(number);
                }
            }
            States::Values(numbers, all) => {
                if !*numbers || number(&value).is_some() {
                    all[slot].push((rank, value));
                }
            }
            States::Distinct(_) => unreachable!("distinct values come as keys"),
        }
    }

    /// Takes over what a group of another state of the same call has seen.
    pub fn merge(&mut self, slot: usize, other: &States, from: usize) {
        match (self, other) {
            (States::Count(all), States::Count(more)) => all[slot] += more[from],
            (States::Sum(all), States::Sum(more)) => all[slot].merge(&more[from]),
            (States::Extreme(max, all), States::Extreme(_, more)) => {
                for value in more[from].iter().flatten() {
                    extreme(*max, &mut all[slot], value.clone());
                }
            }
            (States::Moments(all), States::Moments(more)) => all[slot].merge(&more[from]),
            (States::Edge(last, all), States::Edge(_, more)) => {
                if let Some((rank, value)) = &more[from] {
                    edge(*last, &mut all[slot], value.clone(), *rank);
                }
            }
            (States::Distinct(all), States::Distinct(more)) => {
                for key in 0..more[from].slots() {
                    all[slot].slot_of(&more[from], key);
                }
            }
            (States::Values(_, all), States::Values(_, more)) => all[slot].extend(more[from].iter().cloned()),
            _ => unreachable!("states of one call have one form"),
        }
    }

    /// The value of a function over a group.
    pub fn result(&self, function: AggregateFn, slot: usize) -> Value {
        match (self, function) {
            (States::Count(all), _) => Value::Int(all[slot] as i64),
            (States::Sum(all), AggregateFn::Avg) => all[slot].mean(),
            (States::Sum(all), _) => all[slot].value(),
            (States::Extreme(_, all), _) => all[slot].iter().flatten().next().cloned().unwrap_or_default(),
            (States::Moments(all), function) => all[slot].spread(function == AggregateFn::Stddev),
            (States::Edge(_, all), _) => all[slot].as_ref().map_or(Value::Null, |(_, value)| value.clone()),
            (States::Distinct(all), _) => Value::Int(all[slot].len() as i64),
            (States::Values(_, all), function) => from_values(function, &all[slot]),
        }
    }
}

fn edge(last: bool, edge: &mut Option<(Rank, Value)>, value: Value, rank: Rank) {
    if edge.as_ref().is_none_or(|(at, _)| if last { rank >= *at } else { rank < *at }) {
        *edge = Some((rank, value));
    }
}

#[inline]
fn extreme_float(max: bool, best: &mut Best, float: f64) {
    match &mut best[0] {
        Some(Value::Float(current)) => {
            if if max { float > *current } else { float < *current } {
                *current = float;
            }
        }
        _ => extreme(max, best, Value::Float(float)),
    }
}

#[inline]
fn extreme_int(max: bool, best: &mut Best, int: i64) {
    match &mut best[0] {
        Some(Value::Int(current)) => {
            if if max { int > *current } else { int < *current } {
                *current = int;
            }
        }
        _ => extreme(max, best, Value::Int(int)),
    }
}

fn extreme(max: bool, best: &mut Best, value: Value) {
    let slot = match value {
        Value::Int(_) | Value::Float(_) => 0,
        Value::Str(_) => 1,
        Value::Time(_) => 2,
        Value::Duration(_) => 3,
        _ => return,
    };
    let better = best[slot].as_ref().is_none_or(|current| match compare(&value, current) {
        Ordering::Less => !max,
        Ordering::Greater => max,
        Ordering::Equal => matches!((&value, current), (Value::Int(_), Value::Float(_))),
    });
    if better {
        best[slot] = Some(value);
    }
}

fn from_values(function: AggregateFn, values: &[(Rank, Value)]) -> Value {
    let mut ordered: Vec<&(Rank, Value)> = values.iter().collect();
    ordered.sort_by_key(|(rank, _)| *rank);
    let numbers = || ordered.iter().filter_map(|(_, value)| number(value));
    match function {
        AggregateFn::Collect => array(ordered.iter().map(|(_, value)| value.clone())),
        AggregateFn::Ema(n) => ema(n, numbers()),
        AggregateFn::TopK(k) => top_k(k, &ordered),
        AggregateFn::Percentile(q) => percentile(q, numbers().collect()),
        _ => Value::Null,
    }
}

fn array(values: impl Iterator<Item = Value>) -> Value {
    Value::Array(values.collect::<Vec<_>>().into())
}

fn ema(n: f64, numbers: impl Iterator<Item = f64>) -> Value {
    let k = 2.0 / (n + 1.0);
    let folded = numbers.fold(None, |mean: Option<f64>, x| Some(mean.map_or(x, |mean| x * k + mean * (1.0 - k))));
    folded.map_or(Value::Null, finite)
}

fn top_k(k: u64, ordered: &[&(Rank, Value)]) -> Value {
    let mut counts: HashMap<KeyValue, (u64, Value)> = HashMap::new();
    for (_, value) in ordered {
        counts.entry(KeyValue(value.clone())).or_insert_with(|| (0, value.clone())).0 += 1;
    }
    let mut ranked: Vec<(u64, Value)> = counts.into_values().collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| compare(&a.1, &b.1)));
    ranked.truncate(usize::try_from(k).unwrap_or(usize::MAX));
    array(ranked.into_iter().map(|(_, value)| value))
}

fn percentile(q: f64, mut numbers: Vec<f64>) -> Value {
    if numbers.is_empty() {
        return Value::Null;
    }
    numbers.sort_by(f64::total_cmp);
    let at = q * (numbers.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(numbers.len() - 1);
    // Weights instead of a difference: that of two finite floats may be infinite.
    let share = at - low as f64;
    let mut mean = Compensated::default();
    mean.add(numbers[low] * (1.0 - share));
    mean.add(numbers[high] * share);
    finite(if numbers[low] == numbers[high] { numbers[low] } else { mean.value() })
}
