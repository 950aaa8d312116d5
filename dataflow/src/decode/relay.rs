//! The time of the last record, handed from chunk to chunk: records of a file that have no time take that of the record
//! before, which may be in a chunk that another thread is decoding.
//!
//! ```text
//! chunk 0 ──baton──► chunk 1 ──baton──► chunk 2
//! ```
//! Nobody waits for ever: a chunk waits only for the one before it, which was cut earlier and waits for nothing later; and
//! a baton that is dropped without having been passed lets the next chunk go.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Slot {
    time: Mutex<Option<i64>>,
    passed: Condvar,
}

impl Slot {
    fn put(&self, time: i64) {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(time);
        self.passed.notify_all();
    }

    fn wait(&self) -> i64 {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(time) = *time {
                return time;
            }
            time = self.passed.wait(time).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Makes the batons of consecutive chunks.
#[derive(Debug)]
pub struct Relay {
    last: Arc<Slot>,
}

impl Default for Relay {
    fn default() -> Relay {
        Relay::starting_at(0)
    }
}

impl Relay {
    /// Before the first chunk, the last record had this time, ns.
    pub fn starting_at(time: i64) -> Relay {
        let last = Slot::default();
        last.put(time);
        Relay { last: Arc::new(last) }
    }

    /// The baton of the next chunk; in the order in which chunks are cut.
    pub fn baton(&mut self) -> Baton {
        let after = Arc::new(Slot::default());
        let before = std::mem::replace(&mut self.last, after.clone());
        Baton { before, after }
    }

    /// The time of the last record up to here.
    pub fn behind(&self) -> Behind {
        Behind(self.last.clone())
    }
}

/// The time of the last record of the chunks that have got a baton.
#[derive(Debug)]
pub struct Behind(Arc<Slot>);

impl Behind {
    /// The time, ns; waits until they are decoded.
    pub fn time(&self) -> i64 {
        self.0.wait()
    }
}

/// What a chunk gets from the one before it and owes to the next.
#[derive(Debug)]
pub struct Baton {
    before: Arc<Slot>,
    after: Arc<Slot>,
}

impl Baton {
    /// Time of the last record before this chunk, ns; waits until it is known.
    pub(super) fn time_before(&self) -> i64 {
        self.before.wait()
    }

    /// Time of the last record of this chunk, ns.
    pub(super) fn pass(&self, time: i64) {
        self.after.put(time);
    }
}

impl Drop for Baton {
    fn drop(&mut self) {
        self.after.put(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_from_chunk_to_chunk_whoever_decodes_first() {
        let mut relay = Relay::default();
        let batons: Vec<(i64, Baton)> = (0..4).map(|index| (index, relay.baton())).collect();
        let threads: Vec<_> = batons
            .into_iter()
            .rev()
            .map(|(index, baton)| {
                std::thread::spawn(move || {
                    if index % 2 == 1 {
                        baton.pass(index);
                        return baton.time_before();
                    }
                    let before = baton.time_before();
                    baton.pass(before);
                    before
                })
            })
            .collect();
        let before: Vec<i64> = threads.into_iter().rev().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(before, [0, 0, 1, 1]);
    }

    #[test]
    fn a_lost_baton_lets_the_next_chunk_go() {
        let mut relay = Relay::default();
        drop(relay.baton());
        assert_eq!(relay.baton().time_before(), 0);
    }
}
