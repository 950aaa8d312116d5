//! The workers that keep in touch with this coordinator: one entry for each socket and for each line of heartbeats.
//!
//! Invariants: of one process of a worker at most one socket of a kind is here, the newest; a socket counts for as long as its
//! entry is here, and everything that opens, closes, falls silent or comes back gets a higher revision.

use crate::coordinator::fleet::{Line, Sight};
use crate::coordinator::pulse::Pulse;
use crate::model::ids::{Uuid, WorkerId};
use crate::wire::Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Lines of REST heartbeats at the most; more are not recorded.
const BEATS_LIMIT: usize = 10_000;

/// Number of a socket within this process.
pub type SocketId = u64;

/// See the module's head.
#[derive(Debug)]
pub struct Sockets {
    inner: Mutex<Inner>,
    revision: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    next: SocketId,
    sockets: BTreeMap<SocketId, Entry>,
    beats: BTreeMap<WorkerId, (Pulse, Metrics)>,
}

#[derive(Debug)]
struct Entry {
    worker: WorkerId,
    instance: Option<Uuid>,
    line: Line,
    pulse: Pulse,
    metrics: Metrics,
    replaced: Arc<Notify>,
}

/// A socket's entry; it is gone when this is dropped.
#[derive(Debug)]
pub struct Presence {
    sockets: Arc<Sockets>,
    id: SocketId,
    replaced: Arc<Notify>,
}

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets { inner: Mutex::default(), revision: watch::Sender::new(0) }
    }
}

impl Sockets {
    /// A worker is here. An older socket of the same process is told that it was replaced.
    pub fn open(
        self: &Arc<Sockets>,
        worker: WorkerId,
        instance: Option<Uuid>,
        line: Line,
        deadline: Duration,
        now: Instant,
    ) -> Presence {
        let replaced = Arc::new(Notify::new());
        let mut inner = self.inner();
        inner.sockets.retain(|_, entry| {
            let same = entry.worker == worker && entry.instance == instance && entry.line == line;
            if same {
                entry.replaced.notify_one();
            }
            !same
        });
        inner.next += 1;
        let id = inner.next;
        let pulse = Pulse::new(deadline, now);
        let entry = Entry { worker, instance, line, pulse, metrics: Metrics::default(), replaced: replaced.clone() };
        inner.sockets.insert(id, entry);
        drop(inner);
        self.changed();
        Presence { sockets: self.clone(), id, replaced }
    }

    /// A heartbeat has come over REST.
    pub fn beat(&self, worker: &WorkerId, metrics: Metrics, deadline: Duration, now: Instant) {
        let mut inner = self.inner();
        let has_room = inner.beats.len() < BEATS_LIMIT;
        let back = match inner.beats.get_mut(worker) {
            Some((pulse, last)) => {
                *last = metrics;
                pulse.heard(now)
            }
            None if has_room => {
                inner.beats.insert(worker.clone(), (Pulse::new(deadline, now), metrics));
                true
            }
            None => false,
        };
        drop(inner);
        if back {
            self.changed();
        }
    }

    /// Looks after the lines of heartbeats: those that were silent for long are forgotten.
    pub fn tick_beats(&self, deadline: Duration, now: Instant) {
        let mut inner = self.inner();
        let mut changed = false;
        inner.beats.retain(|_, (pulse, _)| {
            changed |= pulse.tick(now);
            !pulse.is_silent() || pulse.age(now) < 4 * deadline
        });
        drop(inner);
        if changed {
            self.changed();
        }
    }

    /// Everybody who is here.
    pub fn sights(&self, now: Instant) -> Vec<Sight> {
        let inner = self.inner();
        let sockets = inner.sockets.values().map(|entry| Sight {
            worker: entry.worker.clone(),
            instance: entry.instance,
            line: entry.line,
            age_ms: entry.pulse.age(now).as_millis() as u64,
            silent: entry.pulse.is_silent(),
            metrics: entry.metrics.clone(),
        });
        let beats = inner.beats.iter().map(|(worker, (pulse, metrics))| Sight {
            worker: worker.clone(),
            instance: None,
            line: Line::Rest,
            age_ms: pulse.age(now).as_millis() as u64,
            silent: pulse.is_silent(),
            metrics: metrics.clone(),
        });
        sockets.chain(beats).collect()
    }

    /// Sockets whose workers are heard.
    pub fn live(&self) -> usize {
        self.inner().sockets.values().filter(|entry| !entry.pulse.is_silent()).count()
    }

    /// The present revision, and a sign of every change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No entry is ever half changed, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    /// Something was heard of the worker.
    pub fn heard(&self, now: Instant) {
        if self.with(|entry| entry.pulse.heard(now)) {
            self.sockets.changed();
        }
    }

    /// What the worker does.
    pub fn does(&self, metrics: Metrics) {
        self.with(|entry| {
            entry.metrics = metrics;
            false
        });
    }

    /// Looks after it; see [`Pulse::tick`].
    pub fn tick(&self, now: Instant) {
        if self.with(|entry| entry.pulse.tick(now)) {
            self.sockets.changed();
        }
    }

    /// For how long nothing was heard.
    pub fn age(&self, now: Instant) -> Duration {
        let inner = self.sockets.inner();
        inner.sockets.get(&self.id).map_or(Duration::ZERO, |entry| entry.pulse.age(now))
    }

    /// Waits until a newer socket of the same process is here.
    pub async fn replaced(&self) {
        self.replaced.notified().await;
    }

    fn with(&self, change: impl FnOnce(&mut Entry) -> bool) -> bool {
        self.sockets.inner().sockets.get_mut(&self.id).is_some_and(change)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let removed = self.sockets.inner().sockets.remove(&self.id);
        if removed.is_some() {
            self.sockets.changed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(1);

    fn open(sockets: &Arc<Sockets>, name: &str, instance: u128, now: Instant) -> Presence {
        sockets.open(WorkerId::new(name), Some(Uuid::from_u128(instance)), Line::Agent, DEADLINE, now)
    }

    #[tokio::test]
    async fn a_newer_socket_of_a_process_takes_the_place_of_the_older() {
        let (sockets, now) = (Arc::new(Sockets::default()), Instant::now());
        let first = open(&sockets, "w", 1, now);
        let other = open(&sockets, "w", 2, now);
        let second = open(&sockets, "w", 1, now);
        first.replaced().await;
        drop(first);
        assert_eq!(sockets.live(), 2, "the end of the older one takes nothing away");
        drop((other, second));
        assert_eq!(sockets.live(), 0);
    }

    #[tokio::test]
    async fn whatever_changes_is_signalled() {
        let (sockets, now) = (Arc::new(Sockets::default()), Instant::now());
        let mut watch = sockets.watch();
        let mut changed = || {
            let changed = watch.has_changed().expect("its sender lives");
            watch.mark_unchanged();
            changed
        };
        let presence = open(&sockets, "w", 1, now);
        assert!(changed());
        presence.heard(now);
        assert!(!changed());
        for at in 1..=25 {
            presence.tick(now + Duration::from_millis(at * 50));
        }
        assert!(changed(), "it is silent");
        assert_eq!(sockets.live(), 0);
        presence.heard(now + 2 * DEADLINE);
        assert!(changed(), "it is back");
        drop(presence);
        assert!(changed());
    }

    #[tokio::test]
    async fn a_line_of_heartbeats_falls_silent_and_is_forgotten() {
        let (sockets, now) = (Arc::new(Sockets::default()), Instant::now());
        sockets.beat(&WorkerId::new("old"), Metrics::default(), DEADLINE, now);
        let mut silent = Vec::new();
        for at in 1..=100u64 {
            let now = now + Duration::from_millis(at * 50);
            sockets.tick_beats(DEADLINE, now);
            silent.push(sockets.sights(now).first().map(|sight| sight.silent));
        }
        assert_eq!(silent[19], Some(false));
        assert_eq!(silent[20], Some(true));
        assert_eq!(silent[99], None);
    }
}
