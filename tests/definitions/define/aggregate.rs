//! Aggregates over a list of records: section 9, literally.

use super::key;
use crate::expr::{Agg, Ex, Scope};
use crate::program::Item;
use crate::record::Rec;
use crate::value::{V, finite};

/// The records of one result.
struct Content<'c> {
    records: &'c [Rec],
    keys: &'c [(String, V)],
}

impl Scope for Content<'_> {
    fn name(&self, name: &str) -> V {
        match self.keys.iter().find(|(key, _)| key == name) {
            Some((_, value)) => value.clone(),
            None if name.starts_with("window_") => self.records[0].name(name),
            None => V::Null,
        }
    }

    fn aggregate(&self, agg: Agg, argument: Option<&Ex>) -> V {
        let value = |record: &Rec| argument.map_or(V::Null, |argument| argument.eval(record));
        let values: Vec<V> = self.records.iter().map(value).collect();
        if argument.is_none() { V::Int(self.records.len() as i64) } else { compute(agg, &values) }
    }
}

/// The result record of some records with one key: keys, items, `_partition`, `_revision`.
pub fn result(items: &[Item], records: &[Rec], time: i64) -> Rec {
    let first = &records[0];
    let content = Content { records, keys: &first.keys };
    let is_shown = |(key, value): &&(String, V)| !value.is_null() && !items.iter().any(|item| item.name == *key);
    let mut fields: Vec<(String, V)> = first.keys.iter().filter(is_shown).cloned().collect();
    push_items(&mut fields, items, &content);
    if !items.iter().any(|item| item.name == "_partition") {
        set(&mut fields, "_partition", key::partition(&key::of(first)));
    }
    if first.revision > 0 {
        set(&mut fields, "_revision", V::Int(first.revision));
    }
    Rec { time, fields, bounds: first.bounds, revision: first.revision, ..Rec::default() }
}

/// Adds items: null is left out unless it is written as `null`.
pub fn push_items(fields: &mut Vec<(String, V)>, items: &[Item], scope: &dyn Scope) {
    for item in items {
        let value = item.value.eval(scope);
        if !value.is_null() || matches!(item.value, Ex::Lit(V::Null)) {
            set(fields, &item.name, value);
        }
    }
}

/// Sets a field.
pub fn set(fields: &mut Vec<(String, V)>, name: &str, value: V) {
    match fields.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => *old = value,
        None => fields.push((name.into(), value)),
    }
}

/// Over the records that an alias has captured: `count(b)`, `sum(b.v * b.q)`.
pub fn over_alias(agg: Agg, argument: Option<&Ex>, alias: &str, records: &[Rec]) -> V {
    if matches!(argument, Some(Ex::Name(name)) if name == alias) {
        return V::Int(records.len() as i64);
    }
    let value = |record: &Rec| argument.map_or(V::Null, |argument| argument.eval(record));
    compute(agg, &records.iter().map(value).collect::<Vec<_>>())
}

/// The value of an aggregate function over the values of its argument, in order.
pub fn compute(agg: Agg, values: &[V]) -> V {
    let present: Vec<&V> = values.iter().filter(|value| !value.is_null()).collect();
    let numbers: Vec<f64> = values.iter().filter_map(V::number).collect();
    let n = numbers.len() as f64;
    match agg {
        Agg::Count => V::Int(present.len() as i64),
        Agg::Sum => sum(values),
        Agg::Avg if numbers.is_empty() => V::Null,
        Agg::Avg => finite(numbers.iter().sum::<f64>() / n),
        Agg::Min => extreme(values, false),
        Agg::Max => extreme(values, true),
        Agg::Variance | Agg::Stddev if numbers.len() < 2 => V::Null,
        Agg::Variance => finite(variance(&numbers)),
        Agg::Stddev => finite(variance(&numbers).sqrt()),
        Agg::First => values.first().cloned().unwrap_or(V::Null),
        Agg::Last => values.last().cloned().unwrap_or(V::Null),
        Agg::Ema(span) => ema(&numbers, span.unwrap_or(12)),
        Agg::CountDistinct | Agg::DistinctCount | Agg::CountOfDistinct => V::Int(counted(&present).len() as i64),
        Agg::Collect => V::Array(present.into_iter().cloned().collect()),
        Agg::TopK(k) => top(&present, k),
        Agg::Percentile(q) => percentile(numbers, if q > 1.0 { q / 100.0 } else { q }),
        Agg::Median | Agg::P50 => percentile(numbers, 0.5),
        Agg::P95 => percentile(numbers, 0.95),
        Agg::P99 => percentile(numbers, 0.99),
    }
}

fn sum(values: &[V]) -> V {
    let ints: i128 = values.iter().map(|value| if let V::Int(int) = value { i128::from(*int) } else { 0 }).sum();
    let floats: Vec<f64> =
        values.iter().filter_map(|value| if let V::Float(float) = value { Some(*float) } else { None }).collect();
    if floats.is_empty() {
        return i64::try_from(ints).map_or(V::Null, V::Int);
    }
    finite(ints as f64 + floats.iter().sum::<f64>())
}

/// Of the numbers, if none of the strs, then timestamps; of equal numbers the int.
fn extreme(values: &[V], largest: bool) -> V {
    let kinds: [fn(&V) -> bool; 3] =
        [|value| value.number().is_some(), |value| matches!(value, V::Str(_)), |value| matches!(value, V::Time(_))];
    let of_kind = |is: &fn(&V) -> bool| values.iter().filter(|value| is(value)).collect::<Vec<_>>();
    let candidates = kinds.iter().map(of_kind).find(|found| !found.is_empty()).unwrap_or_default();
    let beats = |a: &V, b: &V| {
        let order = if largest { b.order(a) } else { a.order(b) };
        order.is_lt() || (order.is_eq() && matches!(a, V::Int(_)))
    };
    let best = candidates.into_iter().fold(None, |best: Option<&V>, value| match best {
        Some(best) if !beats(value, best) => Some(best),
        _ => Some(value),
    });
    best.cloned().unwrap_or(V::Null)
}

fn variance(numbers: &[f64]) -> f64 {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>() / (n - 1.0)
}

fn ema(numbers: &[f64], span: i64) -> V {
    let k = 2.0 / (span as f64 + 1.0);
    let fold = |before: Option<f64>, number: &f64| Some(before.map_or(*number, |ema| number * k + ema * (1.0 - k)));
    numbers.iter().fold(None, fold).map_or(V::Null, finite)
}

/// Distinct values with how often they come, in order of first occurrence.
fn counted<'v>(values: &[&'v V]) -> Vec<(&'v V, usize)> {
    let mut counts: Vec<(&V, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(other, _)| other.same(value)) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts
}

fn top(values: &[&V], k: i64) -> V {
    let mut counts = counted(values);
    counts.sort_by(|(a, often), (b, rarely)| rarely.cmp(often).then(a.order(b)));
    V::Array(counts.into_iter().take(k as usize).map(|(value, _)| value.clone()).collect())
}

fn percentile(mut numbers: Vec<f64>, q: f64) -> V {
    if numbers.is_empty() {
        return V::Null;
    }
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("no value is NaN"));
    let place = q * (numbers.len() - 1) as f64;
    let (below, above) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
    finite(below + (above - below) * place.fract())
}
