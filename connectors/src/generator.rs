//! Sensor readings out of a seed, for trying things out and for load.
//!
//! ```text
//! {"event_type":"SensorReading","sensor_id":"s12","temperature":63.4,"seq":7,"ts":1700000000007}
//! ```
//!
//! Invariant: a reading is a function of (configuration, number) alone, so the source can be read
//! again from any number. Rate and pauses decide when a reading comes, never what it is.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::random::SplitMix64;

/// The event time of reading 0, in milliseconds since 1970.
const FIRST_TS_MS: u64 = 1_700_000_000_000;
/// Readings per chunk at most.
const CHUNK_READINGS: u64 = 4096;
/// Readings made before this much time has passed since they were due come in one chunk.
const GATHER: Duration = Duration::from_millis(2);

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorConfig {
    /// Readings per second; 0 gives them as fast as they are taken.
    pub rate: f64,
    /// How many in all; `None` goes on for ever.
    pub count: Option<u64>,
    /// How many different sensors; at least one.
    pub keys: u64,
    /// What the readings depend on.
    pub seed: u64,
    /// Event time between two readings. It paces them as well if `rate` is 0 and this was given.
    pub interval: Option<Duration>,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self { rate: 0.0, count: None, keys: 100, seed: 0, interval: None }
    }
}

/// A source of generated readings.
#[derive(Debug)]
pub struct Generator {
    config: GeneratorConfig,
    next: u64,
    /// When, and at which number, the present pace began.
    began: Option<(Instant, u64)>,
}

/// Readings, one JSON line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// Number of the first.
    pub first: u64,
    /// The lines.
    pub bytes: Vec<u8>,
}

impl Generator {
    /// A generator that begins with reading number `first`.
    pub fn starting_at(config: GeneratorConfig, first: u64) -> Self {
        Self { config, next: first, began: None }
    }

    /// The next readings; waits until one is due. `None` after the last.
    pub fn next_chunk(&mut self) -> Option<Readings> {
        let left = self.config.count.map_or(u64::MAX, |count| count.saturating_sub(self.next));
        if left == 0 {
            return None;
        }
        let wanted = match self.period() {
            None => CHUNK_READINGS,
            Some(period) => self.wait_until_due(period),
        };
        let count = wanted.min(left).min(CHUNK_READINGS);
        let mut bytes = Vec::with_capacity(count as usize * 100);
        for number in self.next..self.next + count {
            self.write_reading(number, &mut bytes);
        }
        let first = self.next;
        self.next += count;
        Some(Readings { first, bytes })
    }

    /// Wall-clock time between two readings, if they are paced.
    fn period(&self) -> Option<Duration> {
        if self.config.rate > 0.0 && self.config.rate.is_finite() {
            return Duration::try_from_secs_f64(1.0 / self.config.rate).ok();
        }
        self.config.interval.filter(|interval| !interval.is_zero())
    }

    /// Waits until the next reading is due; how many are due then, at least one.
    fn wait_until_due(&mut self, period: Duration) -> u64 {
        let (began, at) = *self.began.get_or_insert((Instant::now(), self.next));
        let period_nanos = period.as_nanos().max(1);
        let due_nanos = period_nanos.saturating_mul(u128::from(self.next - at));
        let due = Duration::from_nanos(u64::try_from(due_nanos).unwrap_or(u64::MAX));
        let ahead = due.saturating_sub(began.elapsed());
        if !ahead.is_zero() {
            thread::sleep(ahead.max(GATHER.min(period * 64)));
        }
        let late = began.elapsed().saturating_sub(due);
        u64::try_from(late.as_nanos() / period_nanos).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn write_reading(&self, number: u64, out: &mut Vec<u8>) {
        let mixed = self.config.seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mut random = SplitMix64::new(mixed);
        let sensor = random.below(self.config.keys.max(1));
        let tenths = 200 + random.below(701);
        let step_ms = self.config.interval.map_or(1, |i| i.as_millis().max(1) as u64);
        let ts = FIRST_TS_MS.saturating_add(number.saturating_mul(step_ms));
        // Writing to memory does not fail.
        drop(writeln!(
            out,
            r#"{{"event_type":"SensorReading","sensor_id":"s{sensor}","temperature":{}.{},"seq":{number},"ts":{ts}}}"#,
            tenths / 10,
            tenths % 10,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(config: &GeneratorConfig, first: u64) -> Vec<u8> {
        let mut generator = Generator::starting_at(config.clone(), first);
        std::iter::from_fn(|| generator.next_chunk()).flat_map(|readings| readings.bytes).collect()
    }

    #[test]
    fn readings_depend_on_seed_and_number_alone() {
        let config = GeneratorConfig { count: Some(10_000), seed: 5, ..Default::default() };
        let readings = all(&config, 0);
        assert_eq!(readings, all(&config, 0));
        assert!(readings.ends_with(&all(&config, 9_990)));
        assert_ne!(readings, all(&GeneratorConfig { seed: 6, ..config }, 0));
        assert_eq!(readings.iter().filter(|b| **b == b'\n').count(), 10_000);
        let first = readings.split(|b| *b == b'\n').next().expect("a line");
        let first = std::str::from_utf8(first).expect("text");
        assert!(first.starts_with(r#"{"event_type":"SensorReading","sensor_id":"s"#), "{first}");
        assert!(first.ends_with(r#","seq":0,"ts":1700000000000}"#), "{first}");
    }

    #[test]
    fn a_rate_paces_the_readings() {
        let config = GeneratorConfig { rate: 1000.0, count: Some(100), ..Default::default() };
        let began = Instant::now();
        assert_eq!(all(&config, 0).iter().filter(|b| **b == b'\n').count(), 100);
        assert!(began.elapsed() >= Duration::from_millis(90));
    }
}
