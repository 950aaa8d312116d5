//! What clients have seen, and whether that can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard};

/// See the module's head. Clones are the same.
#[derive(Clone, Default)]
pub struct History {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    record: Vec<String>,
    next: u64,
    /// Reported as decided.
    decided: BTreeSet<String>,
    /// Reported as not decided.
    refused: BTreeSet<String>,
    clusters: BTreeSet<String>,
    /// What a client has seen that cannot be.
    wrongs: Vec<String>,
    /// By node that runs, what its state has and how far it is.
    shown: BTreeMap<u64, BTreeSet<String>>,
    /// By node, who leads and who votes, as it sees it.
    seen: BTreeMap<u64, (Option<u64>, usize)>,
}

impl History {
    pub fn note(&self, what: impl Display) {
        let at = turmoil::sim_elapsed().map_or(0, |at| at.as_millis());
        self.inner().record.push(format!("{at:>7} ms  {what}"));
    }

    pub fn record(&self) -> Vec<String> {
        self.inner().record.clone()
    }

    /// A name that was not used before.
    pub fn fresh(&self) -> String {
        let mut inner = self.inner();
        inner.next += 1;
        format!("n{}", inner.next)
    }

    pub fn decided(&self, name: String) {
        self.inner().decided.insert(name);
    }

    pub fn refused(&self, name: String) {
        self.inner().refused.insert(name);
    }

    /// What was reported as decided so far.
    pub fn all_decided(&self) -> BTreeSet<String> {
        self.inner().decided.clone()
    }

    /// A client has seen what cannot be.
    pub fn wrong(&self, what: impl Display) {
        self.inner().wrongs.push(what.to_string());
    }

    pub fn formed(&self, cluster: impl Display) {
        self.inner().clusters.insert(cluster.to_string());
    }

    pub fn shows(&self, node: u64, names: BTreeSet<String>) {
        self.inner().shown.insert(node, names);
    }

    pub fn sees(&self, node: u64, leader: Option<u64>, voters: usize) {
        self.inner().seen.insert(node, (leader, voters));
    }

    pub fn gone(&self, node: u64) {
        let mut inner = self.inner();
        inner.shown.remove(&node);
        inner.seen.remove(&node);
    }

    /// Do all of so many nodes run, see the same leader, and that all vote?
    pub fn is_whole(&self, nodes: usize) -> bool {
        let inner = self.inner();
        let mut seen = inner.seen.values();
        let Some(first) = seen.next() else { return false };
        inner.seen.len() == nodes && first.0.is_some() && first.1 == nodes && seen.all(|other| other == first)
    }

    /// Who leads, as any of these nodes sees it, if it is another one than this.
    pub fn leader_after(&self, lost: u64) -> Option<u64> {
        self.inner().seen.values().find_map(|(leader, _)| leader.filter(|leader| *leader != lost))
    }

    /// Who leads, as some node sees it.
    pub fn leader(&self) -> Option<u64> {
        self.leader_after(0)
    }

    /// Do all of so many nodes show the same, which has everything that was decided?
    pub fn agrees(&self, nodes: usize) -> bool {
        let inner = self.inner();
        let mut shown = inner.shown.values();
        let Some(first) = shown.next() else { return false };
        inner.shown.len() == nodes && shown.all(|other| other == first) && inner.decided.is_subset(first)
    }

    /// No client has seen what cannot be, nothing that was refused was shown, and there was one cluster.
    pub fn check(&self) {
        let inner = self.inner();
        assert!(inner.wrongs.is_empty(), "{:?}", inner.wrongs);
        assert!(inner.clusters.len() <= 1, "several clusters: {:?}", inner.clusters);
        for (node, names) in &inner.shown {
            let wrong: Vec<_> = names.intersection(&inner.refused).collect();
            assert!(wrong.is_empty(), "node {node} shows what was reported as not decided: {wrong:?}");
        }
    }

    /// How many were decided, refused, and nobody knows.
    pub fn summary(&self) -> String {
        let inner = self.inner();
        let (decided, refused) = (inner.decided.len(), inner.refused.len());
        let unknown = inner.next as usize - decided - refused;
        format!("{decided} decided, {refused} refused, {unknown} unknown")
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with it")
    }
}
