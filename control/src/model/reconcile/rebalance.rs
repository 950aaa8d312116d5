//! Spreading pipelines over workers that have joined: the fewest moves after which no move would lower the higher of two loads.
//!
//! Only pipelines that run and are not on the move go. Those with an affinity for where they are stay; those with an affinity
//! for a worker that can take them now go there. Of the rest the hottest go first.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::placement::Occupancy;
use crate::model::state::{MigrationReason, Phase, Placement};
use std::cmp::Reverse;

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
    let on_the_move = |key: &PipelineKey| !floor.is_pinned(key) && !floor.is_settled(key);
    let pairs = floor.fit.iter().flat_map(|from| floor.fit.iter().map(move |to| (from, to)));
    let mut relief = pairs.filter(|(from, to)| floor.occupancy.is_relief(from, to));
    relief.any(|(from, _)| floor.occupancy.on(from).any(on_the_move))
}

/// The workers among which is spread, and what is on them.
struct Floor<'p, 's> {
    pass: &'p Pass<'s>,
    fit: Vec<WorkerId>,
    occupancy: Occupancy<'p>,
    /// What was moved already: nothing moves twice.
    moved: Vec<PipelineKey>,
    /// In the order of deployment.
    order: Vec<PipelineKey>,
}

impl<'p, 's> Floor<'p, 's> {
    fn of(pass: &'p Pass<'s>) -> Floor<'p, 's> {
        let fit = pass.state.workers.keys().filter(|id| pass.is_fit(id)).cloned().collect();
        let order = pass.state.pipelines_in_order().into_iter().map(|(key, _)| key.clone()).collect();
        Floor { pass, fit, occupancy: Occupancy::of(&pass.state), moved: vec![], order }
    }

    /// Pipelines that go to the worker they have an affinity for.
    fn homecomings(&mut self) -> Vec<(PipelineKey, WorkerId)> {
        let mut plan = Vec::new();
        for key in self.order.clone() {
            let Some(from) = self.settled_on(&key) else { continue };
            let Some(home) = self.home(&key).filter(|home| *home != from && self.occupancy.has_room(home)) else {
                continue;
            };
            self.shift(&key, &from, &home);
            plan.push((key, home));
        }
        plan
    }

    /// From the most to the least loaded worker for which it helps.
    fn next_move(&self) -> Option<(PipelineKey, WorkerId, WorkerId)> {
        let mut by_load: Vec<&WorkerId> = self.fit.iter().collect();
        by_load.sort_by(|a, b| self.occupancy.compare(a, b).then_with(|| a.cmp(b)));
        let mut from_most = by_load.clone();
        from_most.sort_by(|a, b| self.occupancy.compare(b, a).then_with(|| a.cmp(b)));
        let pairs = from_most.into_iter().flat_map(|from| by_load.iter().map(move |to| (from, *to)));
        let mut useful = pairs.filter(|(from, to)| self.occupancy.is_relief(from, to) && self.occupancy.has_room(to));
        useful.find_map(|(from, to)| Some((self.candidate(from, to)?, from.clone(), to.clone())))
    }

    /// The pipeline that goes: none that would come together with a replica of itself that it is apart from now.
    fn candidate(&self, from: &WorkerId, to: &WorkerId) -> Option<PipelineKey> {
        let can_go = |key: &&PipelineKey| {
            self.settled_on(key).as_ref() == Some(from)
                && !self.is_pinned(key)
                && self.occupancy.siblings(key, to) <= self.occupancy.siblings(key, from)
        };
        // The first of the hottest: `max_by` would give the last of equals.
        let candidates = self.order.iter().filter(can_go).enumerate();
        let hottest = candidates.max_by(|(a_at, a), (b_at, b)| {
            let rates = self.pass.observed.rate(a).total_cmp(&self.pass.observed.rate(b));
            rates.then_with(|| Reverse(a_at).cmp(&Reverse(b_at)))
        });
        hottest.map(|(_, key)| key.clone())
    }

    fn shift(&mut self, key: &PipelineKey, from: &WorkerId, to: &WorkerId) {
        self.occupancy.take(key, from);
        self.occupancy.put(key, to);
        self.moved.push(key.clone());
    }

    fn placement(&self, key: &PipelineKey) -> Option<&'p Placement> {
        self.pass.state.pipeline(key)?.placement.as_ref()
    }

    /// The worker that runs a pipeline for which nothing else is decided.
    fn settled_on(&self, key: &PipelineKey) -> Option<WorkerId> {
        let placement = self.placement(key).filter(|_| self.is_settled(key))?;
        self.fit.contains(&placement.worker).then(|| placement.worker.clone())
    }

    fn is_settled(&self, key: &PipelineKey) -> bool {
        let runs = |it: &Placement| matches!(it.phase, Phase::Running | Phase::Degraded { .. }) && it.from.is_none();
        let state = &self.pass.state;
        self.placement(key).is_some_and(runs) && state.pending(key).is_none() && !self.moved.contains(key)
    }

    /// The worker that a pipeline has an affinity for, if it could run there.
    fn home(&self, key: &PipelineKey) -> Option<WorkerId> {
        let affinity = self.pass.state.spec_of(key)?.worker_affinity.as_deref()?;
        self.fit.iter().find(|id| id.as_str() == affinity).cloned()
    }

    fn is_pinned(&self, key: &PipelineKey) -> bool {
        self.home(key).is_some_and(|home| self.placement(key).is_some_and(|it| it.worker == home))
    }
}
