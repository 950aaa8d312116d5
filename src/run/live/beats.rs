//! The thread that wakes pipelines for which time alone matters: timers, and sources that have fallen silent.
//!
//! It costs nothing for a pipeline that has neither.

use super::intake::LiveIntake;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Shortest and longest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

/// The thread, until it is dropped.
pub struct Beats {
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to look after these.
pub fn start(intakes: Vec<Arc<LiveIntake>>) -> Beats {
    let (sender, ended) = channel::<()>();
    let look = move || {
        // Those that have no beat never will.
        let mut intakes: Vec<_> = intakes.into_iter().filter(|intake| intake.beat().is_some()).collect();
        while !intakes.is_empty() {
            let next = intakes.iter().filter_map(|intake| intake.beat()).min().unwrap_or(LONGEST);
            if ended.recv_timeout(next.clamp(SHORTEST, LONGEST)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            intakes.retain(|intake| !intake.is_over());
        }
    };
    // Without the thread windows wait for the next record.
    let thread = thread::Builder::new().name("beats".into()).spawn(look).ok();
    Beats { ended: Some(sender), thread }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has cost nothing but beats.
            drop(thread.join());
        }
    }
}
