//! Which workers live: the leader's judgement over the digests of all coordinators.
//!
//! Time is an argument; nothing is decided here about pipelines. The rules, for the process of a worker that is registered:
//! - it is heard by a coordinator whose digests come: it lives;
//! - its socket ended at a coordinator whose digests come, and it has no other: it is gone, at once;
//! - all coordinators that hold a socket of it find it silent: it is gone;
//! - its coordinator is lost, or has started anew: it has two deadlines, from the last digest of that process, to come elsewhere;
//! - it was not heard of since this leader began, or since it registered: it has one deadline.
//!
//! Invariant: a pause of the leader itself makes nobody gone, it gives everybody one deadline.

use super::fleet::{Digest, Fleet, Line, Seen, Sight, Sweep};
use crate::model::ids::{NodeId, Uuid, WorkerId};
use crate::model::observed::Verdict;
use crate::model::state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// After how long silence means that a worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For workers that answer our pings.
    pub ping: Duration,
    /// For those that send heartbeats.
    pub heartbeat: Duration,
}

/// See the module's head.
#[derive(Debug)]
pub struct Liveness {
    deadlines: Deadlines,
    /// When this leader began, or went on after a pause.
    since: Instant,
    ticked: Instant,
    nodes: BTreeMap<NodeId, Node>,
    /// By process, until when it may come back after its coordinator was lost.
    moving: BTreeMap<(WorkerId, Uuid), Instant>,
    /// Processes whose sockets have ended.
    ended: BTreeSet<(WorkerId, Uuid)>,
    /// By worker, its process and since when it is registered.
    registered: BTreeMap<WorkerId, (Uuid, Instant)>,
}

/// A coordinator.
#[derive(Debug)]
struct Node {
    boot: u64,
    number: u64,
    heard: Instant,
    sights: Vec<Sight>,
}

impl Node {
    fn sockets(&self) -> impl Iterator<Item = (WorkerId, Uuid)> {
        self.sights.iter().filter(|s| s.line != Line::Rest).filter_map(|s| Some((s.worker.clone(), s.instance?)))
    }
}

impl Liveness {
    /// A leader begins.
    pub fn new(deadlines: Deadlines, now: Instant) -> Liveness {
        Liveness {
            deadlines,
            since: now,
            ticked: now,
            nodes: BTreeMap::new(),
            moving: BTreeMap::new(),
            ended: BTreeSet::new(),
            registered: BTreeMap::new(),
        }
    }

    /// A digest has come.
    pub fn hear(&mut self, digest: Digest, now: Instant) {
        let node = Node { boot: digest.boot, number: digest.number, heard: now, sights: digest.sights };
        let live: BTreeSet<_> = node.sockets().collect();
        if let Some(before) = self.nodes.get(&digest.node) {
            if before.boot == node.boot {
                if node.number <= before.number {
                    return;
                }
                self.ended.extend(before.sockets().filter(|socket| !live.contains(socket)));
            } else {
                let until = before.heard + 2 * self.deadlines.ping;
                self.moving.extend(before.sockets().map(|socket| (socket, until)));
            }
        }
        self.ended.retain(|socket| !live.contains(socket));
        self.moving.retain(|socket, _| !live.contains(socket));
        self.nodes.insert(digest.node, node);
    }

    /// To be called much more often than half a deadline: forgets coordinators that are lost, and notices pauses of this one.
    pub fn tick(&mut self, state: &State, now: Instant) {
        let gap = now.saturating_duration_since(self.ticked);
        self.ticked = now;
        if gap > self.deadlines.ping / 2 {
            self.resume(now);
        }
        let patience = 2 * self.deadlines.ping;
        self.nodes.retain(|_, node| now.saturating_duration_since(node.heard) <= patience);
        self.moving.retain(|_, until| *until > now);
        self.registered.retain(|id, _| state.workers.contains_key(id));
        for (id, worker) in &state.workers {
            let known = self.registered.get(id).is_some_and(|(instance, _)| *instance == worker.instance);
            if !known {
                self.registered.insert(id.clone(), (worker.instance, now));
            }
        }
        self.ended.retain(|(id, instance)| state.workers.get(id).is_some_and(|w| w.instance == *instance));
    }

    /// Everybody gets one deadline.
    fn resume(&mut self, now: Instant) {
        self.since = now;
        for node in self.nodes.values_mut() {
            node.heard = now;
        }
    }

    /// What is known of the registered process of a worker.
    pub fn verdict(&self, id: &WorkerId, state: &State, now: Instant) -> Verdict {
        let Some(worker) = state.workers.get(id) else { return Verdict::Unknown };
        let deadline = if worker.protocol > 0 { self.deadlines.ping } else { self.deadlines.heartbeat };
        let ours = |sight: &&Sight| {
            sight.worker == *id
                && sight.instance.is_none_or(|instance| instance == worker.instance)
                && (sight.line == Line::Agent) == (worker.protocol > 0)
        };
        let mut silent_ms = None;
        let mut stale = false;
        for node in self.nodes.values() {
            for sight in node.sights.iter().filter(ours) {
                if sight.silent {
                    silent_ms = silent_ms.max(Some(sight.age_ms));
                } else if now.saturating_duration_since(node.heard) <= self.deadlines.ping {
                    return Verdict::Alive;
                } else {
                    stale = true;
                }
            }
        }
        let socket = (id.clone(), worker.instance);
        if stale {
            return Verdict::Unknown;
        }
        if let Some(ms) = silent_ms {
            return Verdict::Gone(format!("not heard for {ms} ms"));
        }
        if self.ended.contains(&socket) {
            return Verdict::Gone("its socket ended".into());
        }
        if now <= self.since + deadline || self.moving.contains_key(&socket) {
            return Verdict::Unknown;
        }
        match self.registered.get(id) {
            Some((instance, since)) if *instance == worker.instance && now > *since + deadline => {
                Verdict::Gone("no coordinator has heard of it".into())
            }
            _ => Verdict::Unknown,
        }
    }

    /// Everything that is seen.
    pub fn fleet(&self, leader: NodeId, sweep: Sweep, now: Instant) -> Fleet {
        let mut workers: BTreeMap<WorkerId, Seen> = BTreeMap::new();
        for (home, node) in &self.nodes {
            let more_ms = now.saturating_duration_since(node.heard).as_millis() as u64;
            for sight in &node.sights {
                let seen = Seen {
                    instance: sight.instance,
                    home: *home,
                    line: sight.line,
                    age_ms: sight.age_ms + more_ms,
                    silent: sight.silent,
                    metrics: sight.metrics.clone(),
                };
                let newer = workers.get(&sight.worker).is_none_or(|other| seen.age_ms < other.age_ms);
                if newer {
                    workers.insert(sight.worker.clone(), seen);
                }
            }
        }
        let ages = self.nodes.iter().map(|(id, n)| (*id, now.saturating_duration_since(n.heard).as_millis() as u64));
        Fleet { leader: Some(leader), workers, coordinators: ages.collect(), sweep }
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
