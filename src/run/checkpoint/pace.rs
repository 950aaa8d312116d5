//! When the next checkpoint is due. Pure: the clock is an argument.

use std::time::{Duration, Instant};

/// A checkpoint takes at most one part in so many of the time.
const SHARE: u32 = 10;

/// See the module's head.
#[derive(Debug)]
pub struct Pace {
    /// `None`: behind every chunk.
    interval: Option<Duration>,
    last: Instant,
    cost: Duration,
    under_way: bool,
}

impl Pace {
    /// One every so often; `None`: behind every chunk.
    pub fn new(interval: Option<Duration>, now: Instant) -> Pace {
        Pace { interval, last: now, cost: Duration::ZERO, under_way: false }
    }

    /// In how long the next one is due; `None` while one is under way.
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let Some(interval) = self.interval else { return Some(Duration::ZERO) };
        let wait = interval.max(self.cost * (SHARE - 1));
        (!self.under_way).then(|| wait.saturating_sub(now.saturating_duration_since(self.last)))
    }

    /// One has begun.
    pub fn begin(&mut self) {
        self.under_way = true;
    }

    /// One has ended, and took this long.
    pub fn done(&mut self, now: Instant, cost: Duration) {
        (self.last, self.cost, self.under_way) = (now, cost, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_every_interval_and_a_tenth_of_the_time_at_most() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let ms = |ms: u64| Some(Duration::from_millis(ms));
        let mut pace = Pace::new(ms(100), start);
        assert_eq!((pace.due_in(at(30)), pace.due_in(at(150))), (ms(70), ms(0)));
        pace.begin();
        assert_eq!(pace.due_in(at(400)), None);
        pace.done(at(200), Duration::from_millis(5));
        assert_eq!(pace.due_in(at(250)), ms(50));
        pace.done(at(300), Duration::from_millis(50));
        assert_eq!(pace.due_in(at(300)), ms(450));
        assert_eq!(Pace::new(None, start).due_in(start), ms(0));
    }
}
