//! The simulated hosts, what can be done to them, and what is seen of them from outside.

use crate::net::{Host, Seeded};
use crate::user::{self, Wish, Wishes};
use crate::world::World;
use crate::{agent, coordinator};
use rarog_control::model::ids::{EpochNumber, NodeId, PipelineKey, WorkerId};
use rarog_control::model::state::{Phase, State, WorkerStatus};
use rarog_control::seams::Entropy;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use turmoil::Sim;

pub const NODES: [NodeId; 3] = [1, 2, 3];
pub const WORKERS: [&str; 3] = ["w1", "w2", "w3"];

/// Somebody who asks coordinators for things.
const USER: &str = "user";

const TICK_MS: u64 = 2;

/// The time of day at which runs begin, Unix time, s.
const EPOCH_S: u64 = 1_700_000_000;

/// Time of a run at the most, s.
const RUN_S: u64 = 300;

/// Lines of the record that are shown when a run has failed.
const SHOWN: usize = 80;

/// Time for everything that has no deadline of its own, ms.
pub const PATIENCE_MS: u64 = 20_000;

pub struct Cluster {
    sim: Sim<'static>,
    pub world: Arc<World>,
    hosts: BTreeMap<String, Host>,
    wishes: Wishes,
    pub draw: Seeded,
}

impl Cluster {
    /// All hosts, just started.
    pub fn new(seed: u64) -> Cluster {
        let mut sim = turmoil::Builder::new()
            .epoch(UNIX_EPOCH + Duration::from_secs(EPOCH_S))
            .simulation_duration(Duration::from_secs(RUN_S))
            .tick_duration(Duration::from_millis(TICK_MS))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(5))
            .tcp_capacity(4096)
            .rng_seed(seed)
            .build();
        let world = Arc::new(World::default());
        let draw = Seeded::new(seed);
        let mut hosts = BTreeMap::new();
        for node in NODES {
            let (host, world) = (Host::new(draw.next_u64()), world.clone());
            hosts.insert(coordinator::name(node), host.clone());
            sim.host(coordinator::name(node), move || {
                coordinator::run(node, NODES.to_vec(), host.clone(), world.clone())
            });
        }
        for (place, name) in WORKERS.into_iter().enumerate() {
            let (host, world) = (Host::new(draw.next_u64()), world.clone());
            hosts.insert(name.into(), host.clone());
            let mut nodes = NODES.to_vec();
            nodes.rotate_left(place);
            sim.host(name, move || agent::run(name.into(), nodes.clone(), host.clone(), world.clone()));
        }
        let wishes = Wishes::default();
        let (user, wanted, noted) = (Host::new(draw.next_u64()), wishes.clone(), world.clone());
        sim.host(USER, move || user::run(wanted.clone(), user.clone(), noted.clone()));
        Cluster { sim, world, hosts, wishes, draw }
    }

    /// Asks for something.
    pub fn wish(&self, wish: Wish) {
        self.wishes.lock().expect("nobody panics with it").push_back(wish);
    }

    pub fn crash_worker(&mut self, name: &str) {
        self.note(format_args!("{name} crashes"));
        self.sim.crash(name);
        self.hosts[name].disk.crash(self.draw.next_u64());
    }

    pub fn crash_coordinator(&mut self, node: NodeId) {
        let name = coordinator::name(node);
        self.note(format_args!("{name} crashes"));
        self.sim.crash(name.as_str());
        self.world.crashed(node);
        self.hosts[&name].disk.crash(self.draw.next_u64());
    }

    pub fn start(&mut self, name: &str) {
        self.note(format_args!("{name} starts"));
        self.sim.bounce(name);
    }

    /// Nothing comes from a worker to coordinators, or the other way.
    pub fn cut_off(&mut self, name: &str) {
        self.note(format_args!("{name} is cut off"));
        for node in NODES {
            self.sim.partition(name, coordinator::name(node));
        }
    }

    pub fn reach_again(&mut self, name: &str) {
        self.note(format_args!("{name} is reached again"));
        for node in NODES {
            self.sim.repair(name, coordinator::name(node));
        }
    }

    /// A coordinator and a worker reach each other, and no other coordinator.
    pub fn split_off(&mut self, node: NodeId, worker: &str) {
        let coordinator = coordinator::name(node);
        self.note(format_args!("{coordinator} and {worker} are split off"));
        for other in NODES.into_iter().filter(|other| *other != node).map(coordinator::name) {
            self.sim.partition(coordinator.as_str(), other.as_str());
            self.sim.partition(worker, other);
        }
    }

    pub fn join_again(&mut self, node: NodeId, worker: &str) {
        let coordinator = coordinator::name(node);
        self.note(format_args!("{coordinator} and {worker} are no longer split off"));
        for other in NODES.into_iter().filter(|other| *other != node).map(coordinator::name) {
            self.sim.repair(coordinator.as_str(), other.as_str());
            self.sim.repair(worker, other);
        }
    }

    /// All messages from and to a host wait, as if its process were stopped.
    pub fn hold(&mut self, name: &str) {
        self.note(format_args!("{name} is held"));
        for other in everybody().filter(|other| other != name) {
            self.sim.hold(name, other.as_str());
        }
    }

    pub fn let_go_on(&mut self, name: &str) {
        self.note(format_args!("{name} goes on"));
        for other in everybody().filter(|other| other != name) {
            self.sim.release(name, other.as_str());
        }
    }

    fn note(&self, what: impl Display) {
        self.world.note_at(self.sim.elapsed(), what);
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.sim.step().expect("no host fails");
        }
    }

    /// Lets time pass until it is so.
    pub fn until(&mut self, what: &str, limit_ms: u64, is_so: impl Fn(&Cluster) -> bool) {
        for _ in 0..limit_ms / TICK_MS {
            if is_so(self) {
                return;
            }
            self.sim.step().expect("no host fails");
        }
        panic!("not within {limit_ms} ms: {what}");
    }

    /// The newest state that is shown.
    pub fn state(&self) -> Arc<State> {
        let shown = self.world.coordinators();
        let newest = shown.into_values().map(|(state, _)| state).max_by_key(|state| state.version);
        newest.unwrap_or_default()
    }

    /// Do all coordinators that run show the same, and know a leader?
    pub fn agree(&self) -> bool {
        let shown = self.world.coordinators();
        let mut all = shown.values();
        let Some((first, leader)) = all.next() else { return false };
        leader.is_some() && all.all(|(state, of)| state.version == first.version && of == leader)
    }

    pub fn leader(&self) -> Option<NodeId> {
        let shown = self.world.coordinators();
        shown.iter().find(|(node, (_, leader))| *leader == Some(**node)).map(|(node, _)| *node)
    }

    pub fn status(&self, worker: &str) -> Option<WorkerStatus> {
        Some(self.state().workers.get(&WorkerId::new(worker))?.status)
    }

    pub fn ready(&self) -> usize {
        self.state().workers.values().filter(|worker| worker.status == WorkerStatus::Ready).count()
    }

    fn placements(&self) -> BTreeMap<PipelineKey, (String, EpochNumber, Phase)> {
        let state = self.state();
        let pipelines = state.groups.values().flat_map(|group| &group.pipelines);
        let placed = pipelines.filter_map(|(key, it)| {
            let it = it.placement.as_ref()?;
            Some((key.clone(), (it.worker.to_string(), it.epoch, it.phase.clone())))
        });
        placed.collect()
    }

    pub fn epochs(&self) -> BTreeMap<PipelineKey, EpochNumber> {
        self.placements().into_iter().map(|(key, (_, epoch, _))| (key, epoch)).collect()
    }

    pub fn placed_on(&self, name: &str) -> usize {
        self.placements().values().filter(|(worker, ..)| worker == name).count()
    }

    /// Pipelines that run where the state says, and nowhere else.
    pub fn running(&self) -> usize {
        let runs = |(key, (worker, epoch, phase)): &(PipelineKey, (String, EpochNumber, Phase))| {
            *phase == Phase::Running && self.world.connected(key) == Some((worker.clone(), *epoch))
        };
        self.placements().into_iter().filter(runs).count()
    }

    /// So many pipelines are there and run, on workers that are ready, under the newest epoch, and all coordinators show it.
    pub fn is_settled(&self, pipelines: usize) -> bool {
        let state = self.state();
        let is_home = |(worker, ..): &(String, EpochNumber, Phase)| {
            state.workers.get(&WorkerId::new(worker)).is_some_and(|it| it.status == WorkerStatus::Ready)
        };
        let is_newest = state
            .groups
            .values()
            .flat_map(|group| group.pipelines.values())
            .all(|pipeline| pipeline.placement.as_ref().is_some_and(|placement| placement.epoch == pipeline.epoch));
        self.agree()
            && is_newest
            && self.running() == pipelines
            && self.world.connections() == pipelines
            && self.placements().values().all(is_home)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let record = self.world.record();
            let from = record.len().saturating_sub(SHOWN);
            eprintln!("The end of the record:\n{}", record[from..].join("\n"));
        }
    }
}

/// The names of all hosts.
fn everybody() -> impl Iterator<Item = String> {
    let others = WORKERS.into_iter().chain([USER]).map(String::from);
    NODES.into_iter().map(coordinator::name).chain(others)
}
