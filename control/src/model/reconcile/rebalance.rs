//! Spreading pipelines over workers that have joined: the fewest moves after which no move would lower the higher of two loads.
//!
//! Only pipelines that run and are not on the move go. Those with an affinity for where they are stay; those with an affinity
//! for a worker that can take them now go there. Of the rest the hottest go first.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::placement::{Load, Occupancy};
use crate::model::state::{MigrationReason, Phase, Pipeline, Placement};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// From a join until pipelines are moved, ms: several workers that start together are waited for.
pub const REBALANCE_DELAY_MS: u64 = 500;

/// From a join until what could not be moved stays where it is, ms.
pub const REBALANCE_LIMIT_MS: u64 = 2_500;

pub(super) fn after_join(pass: &mut Pass<'_>) {
    let Some(since_ms) = pass.state.rebalance_since_ms else { return };
    if pass.now_ms < since_ms + REBALANCE_DELAY_MS {
        return;
    }
    spread(pass);
    if pass.now_ms >= since_ms + REBALANCE_LIMIT_MS || !waits(pass) {
        pass.issue(Change::Rebalanced);
    }
}

/// Moves what can be moved now.
pub(super) fn spread(pass: &mut Pass<'_>) {
    let plan = plan(pass);
    pass.hand_over(&plan, MigrationReason::Rebalance);
}

fn plan(pass: &Pass<'_>) -> Vec<(PipelineKey, WorkerId)> {
    let mut floor = Floor::of(pass);
    let mut plan = floor.homecomings();
    while let Some((key, from, to)) = floor.next_move() {
        floor.shift(&key, &from, &to);
        plan.push((key, to));
    }
    plan
}

/// Are there pipelines that would go if they were not on the move?
fn waits(pass: &Pass<'_>) -> bool {
    let floor = Floor::of(pass);
    let on_the_move = |key: &PipelineKey| !floor.free.contains_key(key) && !floor.is_pinned(key);
    let loads = floor.loads();
    let is_high = |load: &Load| loads.iter().any(|(other, _)| load.is_relieved_by(*other));
    loads.iter().filter(|(load, _)| is_high(load)).any(|(_, id)| floor.occupancy.on(id).any(on_the_move))
}

/// The workers among which is spread, and what is on them.
struct Floor<'p, 's> {
    pass: &'p Pass<'s>,
    fit: BTreeSet<WorkerId>,
    occupancy: Occupancy<'p>,
    /// What may go: it runs on one of the workers, and nothing else is decided for it. With its place in the order of deployment.
    free: BTreeMap<PipelineKey, usize>,
}

impl<'p, 's> Floor<'p, 's> {
    fn of(pass: &'p Pass<'s>) -> Floor<'p, 's> {
        let fit: BTreeSet<WorkerId> = pass.state.workers.keys().filter(|id| pass.is_fit(id)).cloned().collect();
        let pending = pass.state.all_pending();
        let is_free = |key: &PipelineKey, pipeline: &Pipeline| {
            let placement = pipeline.placement.as_ref().filter(|it| fit.contains(&it.worker) && runs(it));
            placement.is_some() && !pending.contains_key(key)
        };
        let free = pass.state.pipelines_where(is_free).into_iter().enumerate();
        let free = free.map(|(at, (key, _))| (key.clone(), at)).collect();
        Floor { pass, fit, occupancy: Occupancy::of(&pass.state), free }
    }

    /// Pipelines that go to the worker they have an affinity for.
    fn homecomings(&mut self) -> Vec<(PipelineKey, WorkerId)> {
        let mut away: Vec<(usize, PipelineKey, WorkerId)> = self
            .free
            .iter()
            .filter(|(key, _)| !self.is_pinned(key))
            .filter_map(|(key, at)| Some((*at, key.clone(), self.home(key)?)))
            .collect();
        away.sort();
        let mut plan = Vec::new();
        for (_, key, home) in away {
            let from = self.worker_of(&key).filter(|_| self.occupancy.has_room(&home));
            if let Some(from) = from.cloned() {
                self.shift(&key, &from, &home);
                plan.push((key, home));
            }
        }
        plan
    }

    /// From the most to the least loaded worker for which it helps.
    fn next_move(&self) -> Option<(PipelineKey, WorkerId, WorkerId)> {
        let mut least_first = self.loads();
        least_first.sort();
        let mut most_first = least_first.clone();
        most_first.sort_by_key(|(load, id)| (Reverse(*load), *id));
        let pairs = most_first.into_iter().flat_map(|from| least_first.iter().map(move |to| (from, *to)));
        let mut useful = pairs.filter(|(from, to)| from.0.is_relieved_by(to.0) && self.occupancy.has_room(to.1));
        useful.find_map(|((_, from), (_, to))| Some((self.candidate(from, to)?, from.clone(), to.clone())))
    }

    fn loads(&self) -> Vec<(Load, &WorkerId)> {
        self.fit.iter().map(|id| (self.occupancy.load(id), id)).collect()
    }

    /// The pipeline that goes: the hottest, the first deployed among equals; none that would come together with a replica of
    /// itself that it is apart from now.
    fn candidate(&self, from: &WorkerId, to: &WorkerId) -> Option<PipelineKey> {
        let can_go = |key: &PipelineKey| {
            !self.is_pinned(key) && self.occupancy.siblings(key, to) <= self.occupancy.siblings(key, from)
        };
        let free = self.occupancy.on(from).filter_map(|key| Some((key, self.free.get(key)?)));
        let hottest = free.filter(|(key, _)| can_go(key)).max_by(|(a, a_at), (b, b_at)| {
            self.pass.observed.rate(a).total_cmp(&self.pass.observed.rate(b)).then_with(|| b_at.cmp(a_at))
        });
        hottest.map(|(key, _)| key.clone())
    }

    /// A pipeline goes, once.
    fn shift(&mut self, key: &PipelineKey, from: &WorkerId, to: &WorkerId) {
        self.occupancy.take(key, from);
        self.occupancy.put(key, to);
        self.free.remove(key);
    }

    fn worker_of(&self, key: &PipelineKey) -> Option<&'p WorkerId> {
        self.pass.state.pipeline(key)?.placement.as_ref().map(|it| &it.worker)
    }

    /// The worker that a pipeline has an affinity for, if it could run there.
    fn home(&self, key: &PipelineKey) -> Option<WorkerId> {
        let affinity = self.pass.state.spec_of(key)?.worker_affinity.as_deref()?;
        self.fit.get(&WorkerId::new(affinity)).cloned()
    }

    fn is_pinned(&self, key: &PipelineKey) -> bool {
        self.home(key).is_some_and(|home| self.worker_of(key) == Some(&home))
    }
}

/// Does it take records where it is, or try to?
fn runs(placement: &Placement) -> bool {
    matches!(placement.phase, Phase::Running | Phase::Degraded { .. }) && placement.from.is_none()
}
