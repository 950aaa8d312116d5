//! Says that requests fail, and that they pass again, without flooding whoever reads it.
//!
//! Invariant: at most two reports within [`PAUSE`], and none of them hides how often it has happened.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two reports of failures.
const PAUSE: Duration = Duration::from_secs(10);

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleReport<'r> {
    /// Requests fail and are repeated.
    Failing {
        /// Why the latest failed.
        reason: &'r str,
        /// How many have failed since the last report.
        attempts: u64,
    },
    /// Requests pass again.
    Over,
}

/// Called on the connection's thread; must not block.
pub type TroubleHook = Box<dyn Fn(TroubleReport<'_>) + Send + Sync>;

/// Failures since the last report.
pub(crate) struct Trouble {
    state: Mutex<State>,
    hook: TroubleHook,
}

#[derive(Default)]
struct State {
    failed: u64,
    said: Option<Instant>,
    /// A report of failures is the latest.
    open: bool,
}

impl Trouble {
    pub(crate) fn new(hook: TroubleHook) -> Trouble {
        Trouble { state: Mutex::default(), hook }
    }

    /// A request failed and will be repeated.
    pub(crate) fn met(&self, reason: &str) {
        self.met_at(reason, Instant::now());
    }

    fn met_at(&self, reason: &str, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failed += 1;
        if state.said.is_some_and(|said| now.duration_since(said) < PAUSE) {
            return;
        }
        let attempts = std::mem::take(&mut state.failed);
        (state.said, state.open) = (Some(now), true);
        drop(state);
        (self.hook)(TroubleReport::Failing { reason, attempts });
    }

    /// A request passed.
    pub(crate) fn over(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.open) {
            drop(state);
            (self.hook)(TroubleReport::Over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn reports_are_few_and_count_what_they_leave_out() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let of_hook = said.clone();
        let hook = move |report: TroubleReport<'_>| of_hook.lock().expect("one thread").push(format!("{report:?}"));
        let (trouble, start) = (Trouble::new(Box::new(hook)), Instant::now());
        for tenth in 0..=100 {
            trouble.met_at("no", start + PAUSE / 100 * tenth);
            trouble.over();
        }
        let failing = |attempts: u64| format!("{:?}", TroubleReport::Failing { reason: "no", attempts });
        assert_eq!(*said.lock().expect("one thread"), [failing(1), "Over".into(), failing(100), "Over".into()]);
    }
}
