//! PCG64 seeded and bounded as numpy's `default_rng(seed).integers(low, high)`, so that a set made here is the set that a
//! script in Python makes.
//!
//! Not a source of secrets. Invariant: the sequence is numpy's, on every platform and in every version.

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
const POOL: usize = 4;

/// The generator.
pub struct Pcg64 {
    state: u128,
    increment: u128,
    /// The upper half of the last 64 bits, which the next 32 are.
    half: Option<u32>,
}

impl Pcg64 {
    /// numpy's `default_rng(seed)`.
    pub fn new(seed: u64) -> Pcg64 {
        let [a, b, c, d] = seed_words(seed);
        let wide = |high: u64, low: u64| (u128::from(high) << 64) | u128::from(low);
        let mut pcg = Pcg64 { state: 0, increment: (wide(c, d) << 1) | 1, half: None };
        pcg.step();
        pcg.state = pcg.state.wrapping_add(wide(a, b));
        pcg.step();
        pcg
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    fn next_u64(&mut self) -> u64 {
        self.step();
        let (high, low) = ((self.state >> 64) as u64, self.state as u64);
        (high ^ low).rotate_right((high >> 58) as u32)
    }

    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        let next = self.next_u64();
        self.half = Some((next >> 32) as u32);
        next as u32
    }

    /// A number in `0..bound` (at least 2), without bias, by Lemire's method.
    pub fn below(&mut self, bound: u32) -> u32 {
        let mut product = u64::from(self.next_u32()) * u64::from(bound);
        if (product as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A column: `count` numbers in `0..bound`.
    pub fn column(&mut self, count: usize, bound: u32) -> Vec<u32> {
        (0..count).map(|_| self.below(bound)).collect()
    }
}

/// numpy's `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u64) -> [u64; 4] {
    let entropy = [seed as u32, (seed >> 32) as u32, 0, 0];
    let mut constant = 0x43b0_d7e5_u32;
    let mut hash = |value: u32| {
        let value = value ^ constant;
        constant = constant.wrapping_mul(0x931e_8875);
        let value = value.wrapping_mul(constant);
        value ^ (value >> 16)
    };
    let mut pool = entropy.map(&mut hash);
    for source in 0..POOL {
        for target in 0..POOL {
            if source != target {
                let mixed =
                    pool[target].wrapping_mul(0xca01_f9dd).wrapping_sub(hash(pool[source]).wrapping_mul(0x4973_f715));
                pool[target] = mixed ^ (mixed >> 16);
            }
        }
    }
    let mut constant = 0x8b51_f9dd_u32;
    let mut word = |index: usize| {
        let value = pool[index % POOL] ^ constant;
        constant = constant.wrapping_mul(0x58f3_8ded);
        let value = value.wrapping_mul(constant);
        u64::from(value ^ (value >> 16))
    };
    [0, 2, 4, 6].map(|index| word(index) | (word(index + 1) << 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `default_rng(1)`: `integers(0, 1000, 5)`, then `integers(0, 10000, 5)`, as numpy 2.4 gives them.
    #[test]
    fn numbers_are_numpys() {
        let mut pcg = Pcg64::new(1);
        assert_eq!(pcg.column(5, 1000), [473, 511, 755, 950, 34]);
        assert_eq!(pcg.column(5, 10_000), [1441, 8229, 9486, 2492, 3118]);
        let mut pcg = Pcg64::new(1);
        assert_eq!([pcg.next_u64(), pcg.next_u64()], [9441442522235856127, 17532960557476522086]);
    }
}
