//! Partial states of aggregate functions (vpl.md section 9). States of the same call merge, whatever part of the content
//! each has seen; what depends on order keeps (event time, arrival) with its values.

use crate::column::Column;
use rarog_lang::eval::order::{KeyValue, compare};
use rarog_lang::plan::AggregateFn;
use rarog_lang::value::Value;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Order of a record inside a window: event time (0 where only arrival counts), then arrival.
pub type Rank = (i64, u64, u64);

/// Compensated (Neumaier) sum of floats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compensated {
    sum: f64,
    rest: f64,
}

impl Compensated {
    #[inline]
    fn add(&mut self, value: f64) {
        let total = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() { (self.sum - total) + value } else { (value - total) + self.sum };
        self.rest += lost;
        self.sum = total;
    }

    fn merge(&mut self, other: &Compensated) {
        self.add(other.sum);
        self.add(other.rest);
    }

    fn value(&self) -> f64 {
        self.sum + self.rest
    }
}

/// Sum of numbers: ints exactly, floats compensated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    ints: i128,
    floats: Compensated,
    any_float: bool,
    count: u64,
}

impl Sum {
    #[inline]
    fn add_int(&mut self, value: i64) {
        self.ints += i128::from(value);
        self.count += 1;
    }

    #[inline]
    fn add_float(&mut self, value: f64) {
        self.floats.add(value);
        self.any_float = true;
        self.count += 1;
    }

    fn merge(&mut self, other: &Sum) {
        self.ints += other.ints;
        self.floats.merge(&other.floats);
        self.any_float |= other.any_float;
        self.count += other.count;
    }

    fn total(&self) -> f64 {
        let mut floats = self.floats;
        floats.add(self.ints as f64);
        floats.value()
    }

    fn value(&self) -> Value {
        if self.any_float {
            return finite(self.total());
        }
        i64::try_from(self.ints).map_or(Value::Null, Value::Int)
    }
}

/// Sums for variance: of the distances to the first value, which keeps them small.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        let weight = other.count as f64 / count as f64;
        self.squares += other.squares + distance * distance * self.count as f64 * weight;
        self.mean += distance * weight;
        self.count = count;
    }

    fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).max(0.0))
    }
}

/// State of one call over one group.
#[derive(Clone, Debug)]
pub enum State {
    /// `count()`, `count(x)`
    Count(u64),
    /// `sum`
    Sum(Sum),
    /// `avg`
    Avg(Sum),
    /// `min` (false) and `max` (true): best number, str, timestamp, duration.
    Extreme(bool, Box<[Option<Value>; 4]>),
    /// `variance`, `stddev` (true)
    Moments(bool, Moments),
    /// `first` (false), `last` (true)
    Edge(bool, Option<(Rank, Value)>),
    /// `count_distinct`
    Distinct(HashSet<KeyValue>),
    /// `ema`, `collect`, `top_k`, `percentile`: the values.
    Values(AggregateFn, Vec<(Rank, Value)>),
}

fn finite(value: f64) -> Value {
    if value.is_finite() { Value::Float(value) } else { Value::Null }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

impl State {
    /// State of a group without records.
    pub fn new(function: AggregateFn) -> State {
        match function {
            AggregateFn::Count | AggregateFn::CountValues => State::Count(0),
            AggregateFn::Sum => State::Sum(Sum::default()),
            AggregateFn::Avg => State::Avg(Sum::default()),
            AggregateFn::Min => State::Extreme(false, Box::default()),
            AggregateFn::Max => State::Extreme(true, Box::default()),
            AggregateFn::Variance => State::Moments(false, Moments::default()),
            AggregateFn::Stddev => State::Moments(true, Moments::default()),
            AggregateFn::First => State::Edge(false, None),
            AggregateFn::Last => State::Edge(true, None),
            AggregateFn::CountDistinct => State::Distinct(HashSet::new()),
            AggregateFn::Ema(_) | AggregateFn::Collect | AggregateFn::TopK(_) | AggregateFn::Percentile(_) => {
                State::Values(function, Vec::new())
            }
        }
    }

    /// Takes the argument's value at a row; `None` for `count()`.
    #[inline]
    pub fn add(&mut self, argument: Option<&Column>, row: usize, rank: Rank) {
        match (self, argument) {
            (State::Count(count), None) => *count += 1,
            (State::Sum(sum) | State::Avg(sum), Some(Column::Float(floats))) => {
                if floats.valid.as_ref().is_none_or(|valid| valid[row]) {
                    sum.add_float(floats.values[row]);
                }
            }
            (State::Sum(sum) | State::Avg(sum), Some(Column::Int(ints))) => {
                if ints.valid.as_ref().is_none_or(|valid| valid[row]) {
                    sum.add_int(ints.values[row]);
                }
            }
            (state, Some(column)) => state.add_value(column.get(row), rank),
            (_, None) => {}
        }
    }

    fn add_value(&mut self, value: Value, rank: Rank) {
        match self {
            State::Edge(last, edge) => {
                let better = edge.as_ref().is_none_or(|(at, _)| if *last { rank >= *at } else { rank < *at });
                if better {
                    *edge = Some((rank, value));
                }
                return;
            }
            _ if value == Value::Null => return,
            State::Count(count) => *count += 1,
            State::Sum(sum) | State::Avg(sum) => match value {
                Value::Int(int) => sum.add_int(int),
                Value::Float(float) => sum.add_float(float),
                _ => {}
            },
            State::Extreme(max, best) => extreme(*max, best, value),
            State::Moments(_, moments) => {
                if let Some(number) = number(&value) {
                    moments.add(number);
                }
            }
            State::Distinct(seen) => {
                seen.insert(KeyValue(value));
            }
            State::Values(function, values) => {
                let numbers = matches!(function, AggregateFn::Ema(_) | AggregateFn::Percentile(_));
                if !numbers || number(&value).is_some() {
                    values.push((rank, value));
                }
            }
        }
    }

    /// Takes over what another state of the same call has seen.
    pub fn merge(&mut self, other: &State) {
        match (self, other) {
            (State::Count(count), State::Count(more)) => *count += more,
            (State::Sum(sum), State::Sum(more)) | (State::Avg(sum), State::Avg(more)) => sum.merge(more),
            (State::Extreme(max, best), State::Extreme(_, more)) => {
                for value in more.iter().flatten() {
                    extreme(*max, best, value.clone());
                }
            }
            (State::Moments(_, moments), State::Moments(_, more)) => moments.merge(more),
            (state @ State::Edge(..), State::Edge(_, more)) => {
                if let Some((rank, value)) = more {
                    state.add_value(value.clone(), *rank);
                }
            }
            (State::Distinct(seen), State::Distinct(more)) => seen.extend(more.iter().cloned()),
            (State::Values(_, values), State::Values(_, more)) => values.extend(more.iter().cloned()),
            _ => unreachable!("states of one call have one form"),
        }
    }

    /// The value of the aggregate.
    pub fn result(&self) -> Value {
        match self {
            State::Count(count) => Value::Int(*count as i64),
            State::Sum(sum) => sum.value(),
            State::Avg(sum) if sum.count == 0 => Value::Null,
            State::Avg(sum) => finite(sum.total() / sum.count as f64),
            State::Extreme(_, best) => best.iter().flatten().next().cloned().unwrap_or_default(),
            State::Moments(root, moments) => {
                moments.variance().map_or(Value::Null, |v| finite(if *root { v.sqrt() } else { v }))
            }
            State::Edge(_, edge) => edge.as_ref().map_or(Value::Null, |(_, value)| value.clone()),
            State::Distinct(seen) => Value::Int(seen.len() as i64),
            State::Values(function, values) => from_values(*function, values),
        }
    }
}

fn extreme(max: bool, best: &mut [Option<Value>; 4], value: Value) {
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
    match function {
        AggregateFn::Collect => Value::Array(ordered.into_iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().into()),
        AggregateFn::Ema(n) => ema(n, ordered.iter().filter_map(|(_, value)| number(value))),
        AggregateFn::TopK(k) => top_k(k, ordered),
        AggregateFn::Percentile(q) => percentile(q, ordered.iter().filter_map(|(_, value)| number(value)).collect()),
        _ => Value::Null,
    }
}

fn ema(n: f64, numbers: impl Iterator<Item = f64>) -> Value {
    let k = 2.0 / (n + 1.0);
    let folded = numbers.fold(None, |mean: Option<f64>, x| Some(mean.map_or(x, |mean| x * k + mean * (1.0 - k))));
    folded.map_or(Value::Null, finite)
}

fn top_k(k: u64, ordered: Vec<&(Rank, Value)>) -> Value {
    let mut counts: HashMap<KeyValue, (u64, Value)> = HashMap::new();
    for (_, value) in ordered {
        counts.entry(KeyValue(value.clone())).or_insert_with(|| (0, value.clone())).0 += 1;
    }
    let mut ranked: Vec<(u64, Value)> = counts.into_values().collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| compare(&a.1, &b.1)));
    ranked.truncate(usize::try_from(k).unwrap_or(usize::MAX));
    Value::Array(ranked.into_iter().map(|(_, value)| value).collect::<Vec<_>>().into())
}

fn percentile(q: f64, mut numbers: Vec<f64>) -> Value {
    if numbers.is_empty() {
        return Value::Null;
    }
    numbers.sort_by(f64::total_cmp);
    let at = q * (numbers.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(numbers.len() - 1);
    finite(numbers[low] + (numbers[high] - numbers[low]) * (at - low as f64))
}
