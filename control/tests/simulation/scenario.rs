//! One run of the simulation: a cluster of three coordinators and three workers, and what is done to it.

use crate::agent;
use crate::coordinator::{self, DEADLINES, Inbox};
use crate::net::{Host, Seeded};
use crate::world::World;
use rarog_control::model::command::Change;
use rarog_control::model::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use rarog_control::model::spec::{ConnectorSpec, GroupSpec, PipelineSpec};
use rarog_control::model::state::{Facts, Phase, State, WorkerStatus};
use rarog_control::seams::Entropy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use turmoil::Sim;

const NODES: [NodeId; 3] = [1, 2, 3];
const WORKERS: [&str; 3] = ["w1", "w2", "w3"];
const TICK_MS: u64 = 2;

/// The time of day at which runs begin, Unix time, s.
const EPOCH_S: u64 = 1_700_000_000;

/// Time of a run at the most, s.
const RUN_S: u64 = 300;

/// Time for everything that has no deadline of its own, ms.
const PATIENCE_MS: u64 = 15_000;

/// What a change may take on its way through consensus and digests, ms.
const SLACK_MS: u64 = 400;

pub struct Scenario {
    sim: Sim<'static>,
    world: Arc<World>,
    hosts: BTreeMap<String, Host>,
    inboxes: BTreeMap<NodeId, Inbox>,
    draw: Seeded,
}

impl Scenario {
    pub fn new(seed: u64) -> Scenario {
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
        let mut inboxes = BTreeMap::new();
        for node in NODES {
            let (host, inbox, world) = (Host::new(draw.next_u64()), Inbox::default(), world.clone());
            hosts.insert(coordinator::name(node), host.clone());
            inboxes.insert(node, inbox.clone());
            sim.host(coordinator::name(node), move || {
                coordinator::run(node, NODES.to_vec(), host.clone(), world.clone(), inbox.clone())
            });
        }
        for (place, name) in WORKERS.into_iter().enumerate() {
            let (host, world) = (Host::new(draw.next_u64()), world.clone());
            hosts.insert(name.into(), host.clone());
            let mut nodes = NODES.to_vec();
            nodes.rotate_left(place);
            sim.host(name, move || agent::run(name.into(), nodes.clone(), host.clone(), world.clone()));
        }
        Scenario { sim, world, hosts, inboxes, draw }
    }

    /// Plays it; gives the record of what happened.
    pub fn play(mut self) -> Vec<String> {
        self.until("all workers are ready everywhere", PATIENCE_MS, |it| {
            it.agree() && WORKERS.iter().all(|name| it.status(name) == Some(WorkerStatus::Ready))
        });
        self.deploy("alpha", 3);
        self.deploy("beta", 4);
        self.until("everything runs", PATIENCE_MS, |it| it.agree() && it.running() == 7);
        self.kill_the_leader();
        self.kill_a_worker();
        self.bring_back();
        self.cut_off_a_worker();
        self.hold_a_worker();
        self.until("everything is in order", PATIENCE_MS, Scenario::is_settled);
        let wrongs = self.world.wrongs();
        assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
        self.world.record()
    }

    /// Workers move to the others, and nothing that runs is touched.
    fn kill_the_leader(&mut self) {
        let before = self.epochs();
        let leader = self.leader().expect("there is one");
        self.crash_coordinator(leader);
        self.until("another one leads", 2_000, |it| it.leader().is_some_and(|new| new != leader));
        self.run(4_000);
        assert_eq!(self.epochs(), before, "no worker was lost, so nothing moves");
        assert_eq!(self.ready(), 3);
    }

    /// Its pipelines run elsewhere.
    fn kill_a_worker(&mut self) {
        let name = self.some_worker();
        self.note(format_args!("{name} crashes"));
        self.sim.crash(name);
        self.hosts[name].disk.crash(self.draw.next_u64());
        self.lose(name);
    }

    /// Both come back, and the worker gets its share.
    fn bring_back(&mut self) {
        let down: Vec<NodeId> =
            NODES.into_iter().filter(|node| !self.world.coordinators().contains_key(node)).collect();
        for node in down {
            self.note(format_args!("{} starts", coordinator::name(node)));
            self.sim.bounce(coordinator::name(node));
        }
        let lost = WORKERS.into_iter().find(|name| self.status(name) == Some(WorkerStatus::Unhealthy));
        let lost = lost.expect("one was killed");
        self.note(format_args!("{lost} starts"));
        self.sim.bounce(lost);
        self.until("all are back", PATIENCE_MS, |it| {
            it.world.coordinators().len() == 3 && it.is_settled() && it.ready() == 3 && it.placed_on(lost) > 0
        });
    }

    /// A worker that no coordinator reaches, and that reaches the broker.
    fn cut_off_a_worker(&mut self) {
        let name = self.some_worker();
        self.note(format_args!("{name} is cut off"));
        for node in NODES {
            self.sim.partition(name, coordinator::name(node));
        }
        self.lose(name);
        self.run(self.draw.below(2_000));
        self.note(format_args!("{name} is reached again"));
        for node in NODES {
            self.sim.repair(name, coordinator::name(node));
        }
        self.until("it is back", PATIENCE_MS, |it| it.is_settled() && it.ready() == 3);
    }

    /// A worker whose messages are held, as if its process were stopped, and then go on.
    fn hold_a_worker(&mut self) {
        let name = self.some_worker();
        self.note(format_args!("{name} is held"));
        for node in NODES {
            self.sim.hold(name, coordinator::name(node));
        }
        self.lose(name);
        self.run(self.draw.below(2_000));
        self.note(format_args!("{name} goes on"));
        for node in NODES {
            self.sim.release(name, coordinator::name(node));
        }
        self.until("it is back", PATIENCE_MS, |it| it.is_settled() && it.ready() == 3);
    }

    /// A worker is found gone in time, and all that it ran runs elsewhere.
    fn lose(&mut self, name: &str) {
        let limit = DEADLINES.ping.as_millis() as u64 + SLACK_MS;
        self.until("it is found gone", limit, |it| it.status(name) == Some(WorkerStatus::Unhealthy));
        self.until("its pipelines run elsewhere", SLACK_MS, |it| it.placed_on(name) == 0 && it.running() == 7);
    }

    fn deploy(&mut self, group: &str, pipelines: usize) {
        let node = NODES[self.draw.below(3) as usize];
        let source = "event E:\n    a: int\nstream S = E\n    .from(m, topic: \"in\")\n    .where(a > 1)\n    .to(m, topic: \"out\")\n";
        let spec = GroupSpec {
            name: group.into(),
            pipelines: (1..=pipelines)
                .map(|number| PipelineSpec {
                    name: format!("{group}-{number}").into(),
                    source: source.into(),
                    worker_affinity: None,
                    replicas: 1,
                    partition_key: None,
                })
                .collect(),
            routes: vec![],
        };
        let params = BTreeMap::from([("host".into(), "broker".into())]);
        let connector = ConnectorSpec { name: "m".into(), connector_type: "mqtt".into(), params, description: None };
        let facts = Facts { stateful: false, connectors: BTreeSet::from(["m".into()]) };
        let facts = spec.pipelines.iter().map(|it| (it.name.clone(), facts.clone())).collect();
        let id = Uuid::from_u64_pair(self.draw.next_u64(), self.draw.next_u64());
        let changes = [
            Change::PutConnector { spec: connector, replace: false },
            Change::Deploy { id, spec, replace: false, facts },
        ];
        self.inboxes[&node].lock().expect("nobody panics with it").extend(changes);
        self.until("it is deployed", PATIENCE_MS, |it| it.state().groups.contains_key(&id));
    }

    fn crash_coordinator(&mut self, node: NodeId) {
        let name = coordinator::name(node);
        self.note(format_args!("{name} crashes"));
        self.sim.crash(name.as_str());
        self.world.crashed(node);
        self.hosts[&name].disk.crash(self.draw.next_u64());
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.world.note_at(self.sim.elapsed(), what);
    }

    fn some_worker(&self) -> &'static str {
        WORKERS[self.draw.below(WORKERS.len() as u64) as usize]
    }

    /// Lets time pass.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.sim.step().expect("no host fails");
        }
    }

    /// Lets time pass until it is so.
    fn until(&mut self, what: &str, limit_ms: u64, is_so: impl Fn(&Scenario) -> bool) {
        for _ in 0..limit_ms / TICK_MS {
            if is_so(self) {
                return;
            }
            self.sim.step().expect("no host fails");
        }
        let record = self.world.record();
        let tail = record[record.len().saturating_sub(60)..].join("\n");
        panic!("not within {limit_ms} ms: {what}. The end of the record:\n{tail}");
    }

    /// The newest state that is shown.
    fn state(&self) -> Arc<State> {
        let shown = self.world.coordinators();
        let newest = shown.into_values().map(|(state, _)| state).max_by_key(|state| state.version);
        newest.unwrap_or_default()
    }

    /// Do all coordinators that run show the same, and know a leader?
    fn agree(&self) -> bool {
        let shown = self.world.coordinators();
        let mut all = shown.values();
        let Some((first, leader)) = all.next() else { return false };
        leader.is_some() && all.all(|(state, of)| state.version == first.version && of == leader)
    }

    fn leader(&self) -> Option<NodeId> {
        let shown = self.world.coordinators();
        shown.iter().find(|(node, (_, leader))| *leader == Some(**node)).map(|(node, _)| *node)
    }

    fn status(&self, worker: &str) -> Option<WorkerStatus> {
        Some(self.state().workers.get(&WorkerId::new(worker))?.status)
    }

    fn ready(&self) -> usize {
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

    fn epochs(&self) -> BTreeMap<PipelineKey, EpochNumber> {
        self.placements().into_iter().map(|(key, (_, epoch, _))| (key, epoch)).collect()
    }

    fn placed_on(&self, name: &str) -> usize {
        self.placements().values().filter(|(worker, ..)| worker == name).count()
    }

    /// Pipelines that run where the state says, and nowhere else.
    fn running(&self) -> usize {
        let runs = |(key, (worker, epoch, phase)): &(PipelineKey, (String, EpochNumber, Phase))| {
            *phase == Phase::Running && self.world.connected(key) == Some((worker.clone(), *epoch))
        };
        self.placements().into_iter().filter(runs).count()
    }

    /// Everything runs, on workers that are ready, under the newest epoch, and all coordinators show it.
    fn is_settled(&self) -> bool {
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
            && self.running() == 7
            && self.world.connections() == 7
            && self.placements().values().all(is_home)
    }
}
