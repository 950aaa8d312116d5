//! Numbers that aggregates keep: sums, as the functions `sum` and `avg` make them, and moments. All of them merge.

use rarog_lang::eval::ops::finite;
pub use rarog_lang::eval::sum::{Compensated, Sum};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};

/// Count, mean and sum of squared distances to it (Welford), the sums compensated.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
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
