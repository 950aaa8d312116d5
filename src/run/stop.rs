//! How a run is asked to stop: by Ctrl-C, SIGTERM, or the reader of its results going away.
//!
//! Stopping ends the intake and nothing else: what is under way is finished. A second signal ends the process at once.

use super::talk::Talk;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Waker = Box<dyn Fn() + Send + Sync>;

/// The exit code of a process that a second signal ended, as shells count: 128 and SIGINT's number.
const ENDED_BY_SIGNAL: i32 = 130;

/// Asked to stop?
#[derive(Default)]
pub struct Stop {
    requested: AtomicBool,
    reader_gone: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Stop {
    /// Has somebody asked?
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Asks, and wakes whoever waits for something else.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Release);
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|wake| wake());
    }

    /// Asks because nobody reads the results any more: then nothing more is said either.
    pub fn reader_has_gone(&self) {
        self.reader_gone.store(true, Ordering::Release);
        self.request();
    }

    /// Does nobody read the results any more?
    pub fn reader_is_gone(&self) -> bool {
        self.reader_gone.load(Ordering::Acquire)
    }

    /// Calls this when somebody asks; at once if somebody has.
    pub fn on_request(&self, wake: Waker) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked under the lock, a request is either seen here or finds the waker in the list.
        if self.is_requested() {
            wake();
        }
        wakers.push(wake);
    }

    /// Lets Ctrl-C and SIGTERM ask, and says that they were heard.
    pub fn by_signals(self: &Arc<Stop>, talk: &Talk) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (stop, talk) = (self.clone(), talk.clone());
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                if stop.is_requested() {
                    process::exit(ENDED_BY_SIGNAL);
                }
                talk.say("stopping: what is under way is finished; once more ends at once");
                stop.request();
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn who_waits_is_woken_even_if_he_comes_late() {
        let stop = Stop::default();
        let woken = Arc::new(AtomicU32::new(0));
        let wake = || {
            let woken = woken.clone();
            Box::new(move || _ = woken.fetch_add(1, Ordering::Relaxed))
        };
        stop.on_request(wake());
        assert!(!stop.is_requested() && woken.load(Ordering::Relaxed) == 0);
        stop.request();
        stop.on_request(wake());
        assert!(stop.is_requested() && woken.load(Ordering::Relaxed) == 2);
    }
}
