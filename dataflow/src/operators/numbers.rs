//! Numbers that aggregates keep: exact and compensated sums, moments. All of them merge.

use rarog_lang::eval::ops::finite;
use rarog_lang::value::Value;

/// Compensated (Neumaier) sum of floats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compensated {
    sum: f64,
    rest: f64,
}

impl Compensated {
    /// Adds a float.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() { (self.sum - total) + value } else { (value - total) + self.sum };
        self.rest += lost;
        self.sum = total;
    }

    fn merge(&mut self, other: &Compensated) {
        self.add(other.sum);
        self.add(other.rest);
    }

    /// The sum; infinite or NaN if it is beyond all floats.
    pub fn value(&self) -> f64 {
        self.sum + self.rest
    }
}

/// Sum of numbers: ints exactly, floats compensated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    ints: i128,
    floats: Compensated,
    count: u64,
    float_count: u64,
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
        self.float_count += 1;
        self.count += 1;
    }

    /// Takes over another sum.
    pub fn merge(&mut self, other: &Sum) {
        self.ints += other.ints;
        if other.float_count > 0 {
            self.floats.merge(&other.floats);
        }
        self.float_count += other.float_count;
        self.count += other.count;
    }

    fn total(&self) -> f64 {
        if self.float_count == self.count {
            return self.floats.value();
        }
        let mut floats = self.floats;
        floats.add(self.ints as f64);
        floats.value()
    }

    /// The sum: an int if all were, null if it does not fit.
    pub fn value(&self) -> Value {
        match self.float_count {
            0 => i64::try_from(self.ints).map_or(Value::Null, Value::Int),
            _ => finite(self.total()),
        }
    }

    /// The mean; null without numbers.
    pub fn mean(&self) -> Value {
        if self.count == 0 { Value::Null } else { finite(self.total() / self.count as f64) }
    }
}

/// Count, mean and sum of squared distances to it (Welford), the sums compensated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    count: u64,
    mean: Compensated,
    squares: Compensated,
}

impl Moments {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean.value();
        self.mean.add(distance / self.count as f64);
        self.squares.add(distance * (value - self.mean.value()));
    }

    /// Takes over other moments.
    pub fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let count = self.count + other.count;
        let distance = other.mean.value() - self.mean.value();
        let weight = other.count as f64 / count as f64;
        self.squares.merge(&other.squares);
        self.squares.add(distance * distance * self.count as f64 * weight);
        self.mean.add(distance * weight);
        self.count = count;
    }

    /// Sample variance, or its root; null for less than two numbers.
    pub fn spread(&self, root: bool) -> Value {
        if self.count < 2 {
            return Value::Null;
        }
        let variance = (self.squares.value() / (self.count - 1) as f64).max(0.0);
        finite(if root { variance.sqrt() } else { variance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_where_they_can_be() {
        let mut sum = Sum::default();
        sum.add_int(i64::MAX);
        sum.add_int(1);
        assert_eq!(sum.value(), Value::Null);
        sum.add_int(-1);
        assert_eq!(sum.value(), Value::Int(i64::MAX));
        let mut small = Sum::default();
        for float in [1e100, 1.0, -1e100] {
            small.add_float(float);
        }
        assert_eq!(small.value(), Value::Float(1.0));
        assert_eq!(Sum::default().mean(), Value::Null);
    }

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        let numbers = [3.5, -2.0, 8.0, 8.0, 1e3, 0.25];
        let of = |part: &[f64]| {
            let mut moments = Moments::default();
            part.iter().for_each(|number| moments.add(*number));
            moments
        };
        let Value::Float(whole) = of(&numbers).spread(false) else { panic!("six numbers have a variance") };
        for cut in 0..=numbers.len() {
            let mut parts = of(&numbers[..cut]);
            parts.merge(&of(&numbers[cut..]));
            let Value::Float(merged) = parts.spread(false) else { panic!("six numbers have a variance") };
            assert!((merged - whole).abs() <= 1e-9 * whole, "{cut}: {merged} {whole}");
        }
        assert_eq!(of(&numbers[..1]).spread(true), Value::Null);
    }
}
