//! Values of the definitions: a few kinds, compared, ordered and written as docs/language.md says, without the engine's code.

use std::cmp::Ordering;

/// Nanoseconds of a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
pub const MILLI: i64 = 1_000_000;

/// A value.
#[derive(Clone, Debug)]
pub enum V {
    /// null
    Null,
    /// true, false
    Bool(bool),
    /// An int.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// Text.
    Str(String),
    /// A timestamp, ns.
    Time(i64),
    /// An array.
    Array(Vec<V>),
}

/// A float, or null where there is none.
pub fn finite(float: f64) -> V {
    if float.is_finite() { V::Float(float) } else { V::Null }
}

/// Exact comparison of an int with a float.
fn int_with_float(int: i64, float: f64) -> Ordering {
    if float >= 9.3e18 {
        return Ordering::Less;
    }
    if float <= -9.3e18 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    i128::from(int).cmp(&(whole as i128)).then(0.0f64.partial_cmp(&(float - whole)).expect("no value is NaN"))
}

impl V {
    /// null?
    pub fn is_null(&self) -> bool {
        matches!(self, V::Null)
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            V::Int(int) => Some(*int as f64),
            V::Float(float) => Some(*float),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            V::Null => 0,
            V::Bool(_) => 1,
            V::Int(_) | V::Float(_) => 2,
            V::Str(_) => 3,
            V::Time(_) => 4,
            V::Array(_) => 5,
        }
    }

    /// null < bool < number < str < timestamp < array, numbers by value.
    pub fn order(&self, other: &V) -> Ordering {
        match (self, other) {
            (V::Bool(a), V::Bool(b)) => a.cmp(b),
            (V::Int(a), V::Int(b)) | (V::Time(a), V::Time(b)) => a.cmp(b),
            (V::Float(a), V::Float(b)) => a.partial_cmp(b).expect("no value is NaN"),
            (V::Int(a), V::Float(b)) => int_with_float(*a, *b),
            (V::Float(a), V::Int(b)) => int_with_float(*b, *a).reverse(),
            (V::Str(a), V::Str(b)) => a.cmp(b),
            (V::Array(a), V::Array(b)) => {
                let first = a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne());
                first.unwrap_or(a.len().cmp(&b.len()))
            }
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// Equal in that order: one key, one distinct value.
    pub fn same(&self, other: &V) -> bool {
        self.order(other).is_eq()
    }

    /// Are both of a kind that `<` compares?
    pub fn comparable(&self, other: &V) -> bool {
        self.rank() == other.rank() && matches!(self.rank(), 2..=4)
    }

    /// The text form.
    pub fn text(&self) -> String {
        match self {
            V::Null => "null".into(),
            V::Bool(value) => value.to_string(),
            V::Int(int) => int.to_string(),
            V::Float(float) => format!("{float:?}"),
            V::Str(text) => text.clone(),
            V::Time(time) => time_text(*time),
            V::Array(_) => self.json(),
        }
    }

    /// As JSON; timestamps and durations are their texts.
    pub fn json(&self) -> String {
        match self {
            V::Str(_) | V::Time(_) => serde_json::to_string(&self.text()).expect("a text has a JSON form"),
            V::Array(items) => format!("[{}]", items.iter().map(V::json).collect::<Vec<_>>().join(",")),
            _ => self.text(),
        }
    }
}

/// The largest unit that divides.
pub fn span_text(span: i64) -> String {
    let units = [("d", 86_400 * SECOND), ("h", 3_600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", MILLI)];
    if span == 0 {
        return "0s".into();
    }
    let unit = units.into_iter().chain([("us", 1_000), ("ns", 1)]).find(|(_, unit)| span % unit == 0);
    let (name, unit) = unit.expect("one nanosecond divides everything");
    format!("{}{name}", span / unit)
}

/// `1970-01-01T00:00:05Z` with 0, 3, 6 or 9 digits of the second's fraction.
pub fn time_text(time: i64) -> String {
    let (seconds, fraction) = (time.div_euclid(SECOND), time.rem_euclid(SECOND));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (mut year, mut left) = (1970, days);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = |year: i64| if leap(year) { 366 } else { 365 };
    while left < 0 {
        year -= 1;
        left += length(year);
    }
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    let fraction = match fraction {
        0 => String::new(),
        fraction if fraction % MILLI == 0 => format!(".{:03}", fraction / MILLI),
        fraction if fraction % 1_000 == 0 => format!(".{:06}", fraction / 1_000),
        fraction => format!(".{fraction:09}"),
    };
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", month + 1, left + 1)
}
