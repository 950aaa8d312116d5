//! The life of one socket, or of one line of heartbeats, as the coordinator that holds it sees it.
//!
//! Time is an argument. Invariants: a worker is silent when nothing was heard of it for a whole deadline in which this process
//! itself was awake; once it is silent, only what is heard from then on brings it back.

use std::time::Duration;
use tokio::time::Instant;

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Pulse {
    deadline: Duration,
    heard: Instant,
    ticked: Instant,
    silent: bool,
}

impl Pulse {
    /// Something was heard for the first time.
    pub fn new(deadline: Duration, now: Instant) -> Pulse {
        Pulse { deadline, heard: now, ticked: now, silent: false }
    }

    /// Something was heard. True if that ended a silence.
    pub fn heard(&mut self, now: Instant) -> bool {
        self.heard = now;
        std::mem::take(&mut self.silent)
    }

    /// To be called much more often than half a deadline. True if the silence begins with this call. A longer gap between two
    /// calls means that this process was held: what was sent meanwhile may not have been read, so the deadline begins anew.
    pub fn tick(&mut self, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.ticked);
        self.ticked = now;
        if self.silent {
            return false;
        }
        if gap > self.deadline / 2 {
            self.heard = now;
        }
        self.silent = now.saturating_duration_since(self.heard) > self.deadline;
        self.silent
    }

    /// Was nothing heard for a deadline?
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// Time since something was heard.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Ticks every 50 ms and gives the ticks at which a silence began.
    fn ticks(pulse: &mut Pulse, start: Instant, range: std::ops::Range<u64>) -> Vec<u64> {
        range.step_by(50).filter(|at| pulse.tick(start + ms(*at))).collect()
    }

    #[test]
    fn a_silence_begins_once_and_after_the_deadline() {
        let start = Instant::now();
        let mut pulse = Pulse::new(DEADLINE, start);
        assert_eq!(ticks(&mut pulse, start, 0..3000), [1050]);
        assert!(pulse.is_silent());
    }

    #[test]
    fn what_is_heard_puts_it_off_and_ends_it() {
        let start = Instant::now();
        let mut pulse = Pulse::new(DEADLINE, start);
        assert_eq!(ticks(&mut pulse, start, 0..700), [0u64; 0]);
        assert!(!pulse.heard(start + ms(700)));
        assert_eq!(ticks(&mut pulse, start, 700..2500), [1750]);
        assert!(pulse.heard(start + ms(2500)));
        assert!(!pulse.is_silent());
        assert_eq!(ticks(&mut pulse, start, 2500..5000), [3550]);
    }

    #[test]
    fn a_pause_of_this_process_is_not_a_silence_of_the_worker() {
        let start = Instant::now();
        let mut pulse = Pulse::new(DEADLINE, start);
        assert_eq!(ticks(&mut pulse, start, 0..500), [0u64; 0]);
        assert!(!pulse.tick(start + ms(10_000)), "held for 9.5 s");
        assert_eq!(ticks(&mut pulse, start, 10_050..13_000), [11_050], "one deadline from when it went on");
    }
}
