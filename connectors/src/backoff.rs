//! How long to wait before the next attempt to connect: 50 ms doubling to 500 ms, with jitter.
//!
//! Pure: the caller supplies the random number and does the waiting. Invariant: every delay lies
//! between [`Backoff::SHORTEST`] and [`Backoff::LONGEST`].

use std::time::Duration;

/// The delays of one series of attempts.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The shortest delay.
    pub const SHORTEST: Duration = Duration::from_millis(50);
    /// The longest delay.
    pub const LONGEST: Duration = Duration::from_millis(500);

    /// The delay before the next attempt; `random` is any uniformly distributed number.
    pub fn next_delay(&mut self, random: u64) -> Duration {
        let ceiling = (Self::SHORTEST * 2).saturating_mul(1 << self.attempts.min(8)).min(Self::LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let span = (ceiling - Self::SHORTEST).as_micros() as u64;
        Self::SHORTEST + Duration::from_micros(random % (span + 1))
    }

    /// Starts the series again, after an attempt that held.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stay_within_their_limits() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_delay(0), Backoff::SHORTEST);
        let longest = (0..20).map(|_| backoff.next_delay(450_000)).max();
        assert_eq!(longest, Some(Backoff::LONGEST));
        backoff.reset();
        assert!(backoff.next_delay(u64::MAX) <= Duration::from_millis(100));
    }
}
