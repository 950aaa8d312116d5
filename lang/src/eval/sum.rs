//! Sums of numbers as aggregates and the functions `sum` and `avg` define them (docs/language.md): ints exactly in 128
//! bits, floats with compensation. Partial sums merge.

use super::ops::finite;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Compensated (Neumaier) sum of floats.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Compensated {
    sum: f64,
    rest: f64,
}

impl Compensated {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() { (self.sum - total) + value } else { (value - total) + self.sum };
        self.rest += lost;
        self.sum = total;
    }

    /// Adds what another one has summed up.
    #[inline]
    pub fn merge(&mut self, other: &Compensated) {
        self.add(other.sum);
        self.add(other.rest);
    }

    /// The sum; infinite or NaN if it is beyond all floats.
    #[inline]
    pub fn value(&self) -> f64 {
        self.sum + self.rest
    }
}

/// Sum and number of numbers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    ints: i128,
    floats: Compensated,
    any_float: bool,
    count: u64,
}

impl Sum {
    /// Adds an int.
    #[inline]
    pub fn add_int(&mut self, value: i64) {
        self.ints += i128::from(value);
        self.count += 1;
    }

    /// Adds a float.
    #[inline]
    pub fn add_float(&mut self, value: f64) {
        self.floats.add(value);
        self.any_float = true;
        self.count += 1;
    }

    /// Adds a number; what is none is skipped.
    #[inline]
    pub fn add(&mut self, value: &Value) {
        match value {
            Value::Int(int) => self.add_int(*int),
            Value::Float(float) => self.add_float(*float),
            _ => {}
        }
    }

    /// Adds what another one has summed up.
    pub fn merge(&mut self, other: &Sum) {
        self.ints += other.ints;
        if other.any_float {
            self.floats.merge(&other.floats);
        }
        self.any_float |= other.any_float;
        self.count += other.count;
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn total(&self) -> f64 {
        let mut floats = self.floats;
        floats.add(self.ints as f64);
        floats.value()
    }

    /// The sum: int if all were ints, null beyond i64.
    pub fn value(&self) -> Value {
        if self.any_float { finite(self.total()) } else { i64::try_from(self.ints).map_or(Value::Null, Value::Int) }
    }

    /// The mean as a float; null without numbers.
    pub fn mean(&self) -> Value {
        if self.count == 0 { Value::Null } else { finite(self.total() / self.count as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[Value]) -> Sum {
        values.iter().fold(Sum::default(), |mut sum, value| {
            sum.add(value);
            sum
        })
    }

    #[test]
    fn ints_pass_through_what_i64_does_not_hold() {
        assert_eq!(sum(&[Value::Int(i64::MAX), Value::Int(5), Value::Int(-5)]).value(), Value::Int(i64::MAX));
        assert_eq!(sum(&[Value::Int(i64::MAX), Value::Int(1)]).value(), Value::Null);
        assert_eq!(sum(&[Value::Int(i64::MAX), Value::Int(i64::MAX)]).mean(), Value::Float(i64::MAX as f64));
        assert_eq!(sum(&[Value::Str("7".into()), Value::Bool(true), Value::Null]).value(), Value::Int(0));
        assert_eq!(sum(&[Value::Null]).mean(), Value::Null);
    }

    #[test]
    fn floats_are_compensated_and_parts_merge() {
        assert_eq!(sum(&[1e100, 1.0, -1e100].map(Value::Float)).value(), Value::Float(1.0));
        let values: Vec<Value> = [1e16, 1.0, -1e16, 0.25].map(Value::Float).into();
        assert_eq!(sum(&values).value(), Value::Float(1.25));
        let mut left = sum(&values[..2]);
        left.merge(&sum(&values[2..]));
        assert_eq!((left.value(), left.count()), (Value::Float(1.25), 4));
        assert_eq!(sum(&[Value::Int(1), Value::Float(0.5)]).value(), Value::Float(1.5));
    }
}
