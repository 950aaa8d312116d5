//! Where a pipeline is to run: its affinity if that worker can take it, else a worker without a replica of the same pipeline,
//! the least loaded among those, the first by name among equals.
//!
//! Load is pipelines per processor; what is placed counts, not what workers say of themselves, because the latter is late. A
//! pipeline whose move is pending counts where it goes, and takes up room where it leaves until it has left. Pure: the same state gives the same target on every coordinator.
//! Invariant: a target is ready, speaks the protocol, has room, and was allowed by whoever asks.

use super::ids::{PipelineKey, WorkerId};
use super::state::State;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Which pipelines are where. Whoever plans several moves does them here as well, so that each sees those before it.
#[derive(Debug)]
pub struct Occupancy<'a> {
    state: &'a State,
    on: BTreeMap<WorkerId, BTreeSet<PipelineKey>>,
    /// What is about to leave, and has not left.
    leaving: BTreeMap<WorkerId, BTreeSet<PipelineKey>>,
}

impl<'a> Occupancy<'a> {
    /// As it is in this state.
    pub fn of(state: &'a State) -> Occupancy<'a> {
        let mut occupancy = Occupancy { state, on: BTreeMap::new(), leaving: BTreeMap::new() };
        let pending = state.all_pending();
        for (key, pipeline) in state.groups.values().flat_map(|group| &group.pipelines) {
            let worker = pipeline.placement.as_ref().map(|it| &it.worker);
            let target = pending.get(key).map(|(_, migration)| &migration.target);
            if let (Some(worker), Some(_)) = (worker, target) {
                occupancy.leaving.entry(worker.clone()).or_default().insert(key.clone());
            }
            if let Some(worker) = target.or(worker) {
                occupancy.put(key, worker);
            }
        }
        occupancy
    }

    /// The worker that a pipeline should run on; `None`: no allowed one can take it. Where it is now counts against it.
    pub fn target(&self, key: &PipelineKey, allowed: &dyn Fn(&WorkerId) -> bool) -> Option<WorkerId> {
        let workers = self.state.workers.iter();
        let fit = workers.filter(|(id, worker)| worker.takes_pipelines() && self.has_room(id) && allowed(id));
        let candidates: Vec<_> = fit.collect();
        let affinity = self.state.spec_of(key).and_then(|spec| spec.worker_affinity.as_deref());
        let wanted = candidates.iter().find(|(id, _)| affinity == Some(id.as_str()));
        let best = || candidates.iter().min_by_key(|(id, _)| (self.siblings(key, id), self.load(id), *id));
        wanted.or_else(best).map(|(id, _)| (*id).clone())
    }

    /// A pipeline is here now.
    pub fn put(&mut self, key: &PipelineKey, worker: &WorkerId) {
        self.on.entry(worker.clone()).or_default().insert(key.clone());
    }

    /// A pipeline is not here any more.
    pub fn take(&mut self, key: &PipelineKey, worker: &WorkerId) {
        for keys in [self.on.get_mut(worker), self.leaving.get_mut(worker)].into_iter().flatten() {
            keys.remove(key);
        }
    }

    /// The pipelines on a worker.
    pub fn on(&self, worker: &WorkerId) -> impl Iterator<Item = &PipelineKey> {
        self.on.get(worker).into_iter().flatten()
    }

    /// Their number.
    pub fn count(&self, worker: &WorkerId) -> u64 {
        self.on.get(worker).map_or(0, |keys| keys.len() as u64)
    }

    /// What a worker carries.
    pub fn load(&self, worker: &WorkerId) -> Load {
        let processors = self.state.workers.get(worker).map_or(1, |it| u64::from(it.capacity.cpu_cores.max(1)));
        Load { pipelines: self.count(worker), processors }
    }

    /// Other replicas of the same pipeline on a worker.
    pub fn siblings(&self, key: &PipelineKey, worker: &WorkerId) -> usize {
        let replica = |replica| PipelineKey { replica, ..key.clone() };
        let keys = self.on.get(worker).map(|keys| keys.range(replica(0)..=replica(u16::MAX)));
        keys.map_or(0, |keys| keys.filter(|other| *other != key).count())
    }

    /// Is a worker below the number of pipelines that it says it can carry?
    pub fn has_room(&self, worker: &WorkerId) -> bool {
        let most = self.state.workers.get(worker).map_or(0, |it| it.capacity.max_pipelines);
        let leaving = self.leaving.get(worker).map_or(0, |keys| keys.len() as u64);
        self.count(worker) + leaving < u64::from(most)
    }
}

/// Pipelines for processors; ordered by their ratio.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pipelines: u64,
    processors: u64,
}

impl Load {
    /// Does the higher of two loads become lower when a pipeline goes from this one to the other?
    pub fn is_relieved_by(self, to: Load) -> bool {
        Load { pipelines: to.pipelines + 1, ..to } < self
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        (self.pipelines * other.processors).cmp(&(other.pipelines * self.processors))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Load) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::{Fixture, group, key, pipeline, worker};
    use crate::model::spec::PipelineSpec;
    use crate::model::state::WorkerStatus;

    fn keys(name: &str, replicas: u16) -> Vec<PipelineKey> {
        (0..replicas).map(|replica| key(9, name, replica)).collect()
    }

    #[test]
    fn replicas_are_spread_and_the_rest_goes_where_least_is() {
        let mut fixture = Fixture::with_workers(3);
        fixture.deploy(1, group("x", vec![pipeline("x")]));
        let replicated = PipelineSpec { replicas: 4, partition_key: Some("k".into()), ..pipeline("a") };
        fixture.deploy(9, group("g", vec![replicated, pipeline("b")]));
        assert_eq!(fixture.where_are(&keys("a", 4)), ["worker-2", "worker-3", "worker-1", "worker-2"]);
        assert_eq!(fixture.where_are(&keys("b", 1)), ["worker-3"]);
    }

    #[test]
    fn affinity_counts_where_it_can() {
        let mut fixture = Fixture::with_workers(3);
        let to = |name: &str, worker: &str| PipelineSpec { worker_affinity: Some(worker.into()), ..pipeline(name) };
        let all = vec![to("a", "worker-3"), to("b", "worker-3"), to("c", "nobody"), to("d", "worker-2")];
        fixture.set_status(2, WorkerStatus::Draining);
        fixture.deploy(9, group("g", all));
        let keys: Vec<_> = ["a", "b", "c", "d"].map(|name| key(9, name, 0)).into();
        assert_eq!(fixture.where_are(&keys), ["worker-3", "worker-3", "worker-1", "worker-1"]);
    }

    #[test]
    fn load_is_per_processor_and_ends_at_the_limit() {
        let mut fixture = Fixture::with_workers(2);
        let capacity = &mut fixture.state.workers.get_mut(&worker(1)).expect("it is there").capacity;
        (capacity.cpu_cores, capacity.max_pipelines) = (12, 4);
        fixture.deploy_filters(6);
        let keys: Vec<_> = (1..=6).map(|n| fixture.filter(n)).collect();
        let expected = ["worker-1", "worker-2", "worker-1", "worker-1", "worker-1", "worker-2"];
        assert_eq!(fixture.where_are(&keys), expected);
    }

    #[test]
    fn only_workers_that_can_run_it_are_targets() {
        let mut fixture = Fixture::with_workers(4);
        fixture.deploy(9, group("g", vec![]));
        fixture.set_status(1, WorkerStatus::Unhealthy);
        fixture.set_status(2, WorkerStatus::Draining);
        fixture.state.workers.get_mut(&worker(3)).expect("it is there").protocol = 0;
        let target = |fixture: &Fixture| Occupancy::of(&fixture.state).target(&key(9, "a", 0), &|_| true);
        assert_eq!(target(&fixture), Some(worker(4)));
        fixture.state.workers.get_mut(&worker(4)).expect("it is there").capacity.max_pipelines = 0;
        assert_eq!(target(&fixture), None);
    }
}
