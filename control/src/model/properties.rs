//! What holds whatever happens: random commands against the invariants of the state, and random states against the leader.

use super::apply::apply;
use super::command::{Change, Command, Move, Outcome};
use super::fixture::{client, connector, group, id, pipeline, worker};
use super::ids::{EpochNumber, PipelineKey, Uuid, WorkerId};
use super::observed::{Observed, Verdict};
use super::reconcile::reconcile;
use super::spec::{GroupSpec, PipelineSpec};
use super::state::{Capacity, Facts, MigrationReason, MigrationStatus, Phase, State, WorkerStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Choices that become a change once there is a state to choose from.
type Step = [u8; 4];

const WORKERS: u8 = 4;

/// A history: its state, its commands, and what has to hold of them.
#[derive(Default)]
struct History {
    state: State,
    commands: Vec<Command>,
    epochs: BTreeMap<PipelineKey, EpochNumber>,
    gone: BTreeSet<PipelineKey>,
    /// Client ids that were recorded and not buried since.
    clients: BTreeSet<String>,
    drawn: u128,
}

impl History {
    fn after(steps: &[Step]) -> History {
        let mut history = History::default();
        history.run(Change::Form { cluster: id(u128::MAX) });
        for step in steps {
            let change = history.change(*step);
            history.run(change);
        }
        history
    }

    fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        id(self.drawn)
    }

    /// Applies a change and looks at what it did.
    fn run(&mut self, change: Change) -> Outcome {
        let command = Command { at_ms: 1_000 + 10 * self.commands.len() as u64, change };
        let before = self.state.clone();
        let outcome = apply(&mut self.state, &command);
        if matches!(outcome, Outcome::Refused(_) | Outcome::Unchanged) {
            assert_eq!(self.state, State { version: before.version + 1, ..before.clone() }, "{command:?}: {outcome:?}");
        }
        self.follow_clients(&before, &command.change, &outcome);
        self.check_pipelines(&before);
        self.check_migrations();
        self.commands.push(command);
        outcome
    }

    /// No session is ever forgotten: each is a live pipeline's or a tombstone, never both.
    fn follow_clients(&mut self, before: &State, change: &Change, outcome: &Outcome) {
        match change {
            Change::Clients { clients, .. } if *outcome == Outcome::Applied => {
                self.clients.extend(clients.keys().cloned())
            }
            Change::Buried { clients } => {
                self.clients.retain(|id| !clients.contains(id) || !before.tombstones.contains_key(id));
            }
            _ => {}
        }
        let pipelines = self.state.groups.values().flat_map(|group| group.pipelines.values());
        let live: BTreeSet<String> = pipelines.flat_map(|pipeline| pipeline.clients.keys().cloned()).collect();
        let dead: BTreeSet<String> = self.state.tombstones.keys().cloned().collect();
        assert!(live.is_disjoint(&dead), "{live:?} {dead:?}");
        assert_eq!(&live | &dead, self.clients);
    }

    fn check_pipelines(&mut self, before: &State) {
        let pipelines = self.state.groups.values().flat_map(|group| &group.pipelines);
        let now: BTreeSet<PipelineKey> = pipelines.clone().map(|(key, _)| key.clone()).collect();
        for (key, pipeline) in pipelines {
            assert!(!self.gone.contains(key), "{key} is back");
            let old = self.epochs.insert(key.clone(), pipeline.epoch).unwrap_or(0);
            assert!(pipeline.epoch >= old, "the epoch of {key} went from {old} to {}", pipeline.epoch);
            let Some(placement) = &pipeline.placement else { continue };
            assert_eq!(placement.epoch, pipeline.epoch, "{key}");
            let target = self.state.workers.get(&placement.worker).expect("a placement names a worker that is known");
            let previous = before.pipeline(key).and_then(|it| it.placement.as_ref());
            let is_new = pipeline.epoch > old && previous.is_none_or(|it| it.worker != placement.worker);
            assert!(!is_new || target.takes_pipelines(), "{key} was placed on {target:?}");
        }
        self.gone.extend(self.epochs.keys().filter(|key| !now.contains(*key)).cloned());
    }

    fn check_migrations(&self) {
        let mut moving = BTreeSet::new();
        for (id, migration) in self.state.active_migrations() {
            assert!(moving.insert(&migration.pipeline), "two moves of {}", migration.pipeline);
            let pipeline = self.state.pipeline(&migration.pipeline).expect("what moves is there");
            if migration.status == MigrationStatus::Pending {
                assert_eq!(migration.epoch, pipeline.epoch + 1);
            } else {
                let placement = pipeline.placement.as_ref().expect("what moves is placed");
                assert_eq!((placement.migration, placement.epoch), (Some(id), migration.epoch));
            }
        }
    }

    /// A key that is there, or one that is not.
    fn key(&self, choice: u8) -> PipelineKey {
        let keys: Vec<_> = self.state.pipelines_in_order().into_iter().map(|(key, _)| key.clone()).collect();
        let gone = || self.gone.iter().next().cloned().unwrap_or(PipelineKey::new(id(7), "nothing", 0));
        keys.get(usize::from(choice) % (keys.len() + 1)).cloned().unwrap_or_else(gone)
    }

    fn epoch(&self, key: &PipelineKey, choice: u8) -> EpochNumber {
        let newest = self.state.pipeline(key).map_or(0, |pipeline| pipeline.epoch);
        if choice.is_multiple_of(8) { newest.saturating_sub(1) } else { newest }
    }

    fn moves(&mut self, count: u8, a: u8, b: u8) -> Vec<Move> {
        let one = |number: u8| {
            let pipeline = self.key(a.wrapping_add(number));
            let seen = self.epoch(&pipeline, b);
            let to = Some(worker(1 + u32::from(b.wrapping_add(number) % (WORKERS + 1)))).filter(|_| b != 255);
            let migration = (!b.is_multiple_of(3)).then(|| (self.draw(), MigrationReason::Failover));
            Move { pipeline, seen, to, migration }
        };
        (0..count).map(one).collect()
    }

    fn change(&mut self, [kind, a, b, c]: Step) -> Change {
        let worker_a = worker(1 + u32::from(a % WORKERS));
        match kind % 20 {
            0..=2 => Change::Register {
                worker: worker_a,
                address: "http://w".into(),
                api_key: None,
                instance: id(u128::from(b % 3)),
                protocol: u16::from(!c.is_multiple_of(8)),
                capacity: Capacity {
                    cpu_cores: 1 + u32::from(c % 2),
                    pipelines_running: 0,
                    max_pipelines: u32::from(c / 8),
                },
            },
            3 => {
                let status =
                    [WorkerStatus::Ready, WorkerStatus::Unhealthy, WorkerStatus::Draining, WorkerStatus::Registering];
                let (status, instance) = (status[usize::from(b % 4)], id(u128::from(c % 3)));
                let moves = self.moves(c % 4, b, c);
                Change::WorkerStatus { worker: worker_a, instance, status, reason: None, moves }
            }
            4 if b < 64 => Change::Deregister { worker: worker_a },
            4..=7 => {
                let spec = spec(a, b, c);
                let stateful = Facts { stateful: c.is_multiple_of(2), connectors: [format!("mqtt_{}", c % 2)].into() };
                let facts = spec.pipelines.iter().map(|it| (it.name.clone(), stateful.clone())).collect();
                Change::Deploy { id: self.draw(), spec, replace: c & 4 != 0, facts }
            }
            8 => match self.state.groups.keys().nth(usize::from(a % 4)).copied() {
                Some(group) if c < 64 => Change::Delete { group },
                _ => Change::Delete { group: id(0) },
            },
            9 => Change::Retire { pipelines: vec![self.key(a), self.key(b)] },
            10 => Change::Place { moves: self.moves(1 + c % 4, a, b) },
            11 => {
                let (pipeline, to) = (self.key(a), worker(1 + u32::from(b % WORKERS)));
                let (seen, migration) = (self.epoch(&pipeline, c), self.draw());
                Change::Release { pipeline, seen, to, migration, reason: MigrationReason::Drain }
            }
            12 => {
                let migration = self.state.migrations.keys().nth(usize::from(a)).copied().unwrap_or(id(0));
                Change::FailMigration { migration, reason: "no more".into() }
            }
            13 | 14 => {
                let pipeline = self.key(a);
                let placed = self.state.pipeline(&pipeline).and_then(|it| it.placement.as_ref());
                let worker = placed.filter(|_| c >= 16).map_or(worker_a, |it| it.worker.clone());
                let reason = || "no broker".to_string();
                let phase = match b % 8 {
                    0 => Phase::Failed { reason: reason() },
                    1 => Phase::Degraded { reason: reason() },
                    2 | 3 => Phase::Released,
                    4 => Phase::Deploying,
                    _ => Phase::Running,
                };
                Change::Report { epoch: self.epoch(&pipeline, c), pipeline, worker, phase }
            }
            15 => {
                let pipeline = self.key(a);
                let names = (0..3).filter(|bit| b >> bit & 1 == 1);
                let clients = names.map(|end| (format!("{pipeline}-{end}"), client("in"))).collect();
                Change::Clients { epoch: self.epoch(&pipeline, c), pipeline, clients }
            }
            16 => {
                let clients = self.state.tombstones.keys().skip(usize::from(a % 4)).take(usize::from(b % 3));
                Change::Buried { clients: clients.cloned().collect() }
            }
            17 => {
                let mut spec = connector(&format!("mqtt_{}", a % 2));
                spec.params.insert("port".into(), (b % 3).to_string());
                Change::PutConnector { spec, replace: c & 1 == 1 }
            }
            18 => Change::RemoveConnector { name: format!("mqtt_{}", a % 2) },
            _ if a < 128 => Change::Rebalanced,
            _ => Change::ForgetMigrations { before_ms: u64::from(b) * 20 },
        }
    }
}

fn spec(a: u8, b: u8, c: u8) -> GroupSpec {
    let names = ["a", "b", "c"].into_iter().enumerate().filter(|(bit, _)| b >> bit & 1 == 1);
    let pipelines = names.map(|(bit, name)| PipelineSpec {
        source: format!("v{}", (c >> 3) % 2).into(),
        worker_affinity: (a & 16 != 0).then(|| worker(1 + bit as u32).to_string()),
        replicas: u16::from(b >> 4 & 3),
        partition_key: (a & 8 != 0).then(|| "k".into()),
        ..pipeline(name)
    });
    group(&format!("g{}", a % 3), pipelines.collect())
}

/// What is seen of the workers, two bits for each.
fn observed(state: &State, seen: u8) -> Observed {
    let verdict = |(at, id): (usize, &WorkerId)| {
        let verdict = match seen >> (2 * (at % 4)) & 3 {
            0 => Verdict::Unknown,
            1 => Verdict::Gone("silent".into()),
            _ => Verdict::Alive,
        };
        (id.clone(), verdict)
    };
    Observed { workers: state.workers.keys().enumerate().map(verdict).collect(), rates: BTreeMap::new() }
}

/// The same when there was time to find out.
fn settled(state: &State, seen: u8) -> Observed {
    let mut observed = observed(state, seen);
    observed.workers.values_mut().filter(|verdict| **verdict == Verdict::Unknown).for_each(|it| *it = Verdict::Alive);
    observed
}

/// A pass of the leader, applied; and a second one, which has to find nothing.
fn pass(history: &mut History, observed: &Observed) -> usize {
    let now_ms = 1_000 + 10 * history.commands.len() as u64;
    pass_at(history, observed, now_ms)
}

fn pass_at(history: &mut History, observed: &Observed, now_ms: u64) -> usize {
    let state = history.state.clone();
    let changes = reconcile(&state, observed, now_ms, &mut || history.draw());
    for change in &changes {
        check_targets(&history.state, observed, change);
        let outcome = apply(&mut history.state, &Command { at_ms: now_ms, change: change.clone() });
        assert_eq!(outcome, Outcome::Applied, "{change:?}");
    }
    let state = history.state.clone();
    assert_eq!(reconcile(&state, observed, now_ms, &mut || history.draw()), [], "after {changes:?}");
    changes.len()
}

/// The leader gives pipelines to living workers alone, and only what a drained one gets back is an exception.
fn check_targets(state: &State, observed: &Observed, change: &Change) {
    let moves = match change {
        Change::Place { moves } | Change::WorkerStatus { moves, .. } => moves.clone(),
        Change::Release { pipeline, seen, to, .. } => {
            vec![Move { pipeline: pipeline.clone(), seen: *seen, to: Some(to.clone()), migration: None }]
        }
        _ => vec![],
    };
    for it in moves {
        let to = it.to.expect("the leader leaves nothing without a worker");
        let has_it =
            state.pipeline(&it.pipeline).and_then(|it| it.placement.as_ref()).is_some_and(|it| it.worker == to);
        assert!(observed.is_alive(&to), "{to} is not known to live: {change:?}");
        assert!(state.workers[&to].takes_pipelines() || has_it, "{to} takes no pipelines: {change:?}");
    }
}

/// Living workers do what they are told: hand over what is asked for, run what they have.
fn obey(state: &mut State, observed: &Observed, now_ms: u64) {
    let pipelines = state.pipelines_in_order().into_iter();
    let reports: Vec<Change> = pipelines
        .filter_map(|(key, pipeline)| {
            let placement = pipeline.placement.as_ref().filter(|it| observed.is_alive(&it.worker))?;
            let phase = match (&placement.phase, state.pending(key)) {
                (_, Some(_)) => Phase::Released,
                _ => Phase::Running,
            };
            Some(Change::Report {
                pipeline: key.clone(),
                epoch: placement.epoch,
                worker: placement.worker.clone(),
                phase,
            })
        })
        .collect();
    for change in reports {
        apply(state, &Command { at_ms: now_ms, change });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn commands_keep_the_invariants(steps in vec(any::<Step>(), 1..120)) {
        let history = History::after(&steps);
        let mut again = State::default();
        for command in &history.commands {
            apply(&mut again, command);
        }
        prop_assert_eq!(&again, &history.state, "the same commands give another state");
    }

    #[test]
    fn the_state_can_be_written_and_read(steps in vec(any::<Step>(), 1..80)) {
        let history = History::after(&steps);
        let bytes = postcard::to_stdvec(&history.state).expect("it can be written");
        prop_assert_eq!(&postcard::from_bytes::<State>(&bytes).expect("it was just written"), &history.state);
        let json = serde_json::to_string(&history.state).expect("it can be written");
        prop_assert_eq!(&serde_json::from_str::<State>(&json).expect("it was just written"), &history.state);
        let bytes = postcard::to_stdvec(&history.commands).expect("they can be written");
        prop_assert_eq!(&postcard::from_bytes::<Vec<Command>>(&bytes).expect("they were just written"), &history.commands);
        let json = serde_json::to_string(&history.commands).expect("they can be written");
        prop_assert_eq!(&serde_json::from_str::<Vec<Command>>(&json).expect("they were just written"), &history.commands);
    }

    #[test]
    fn the_leader_does_what_is_to_be_done_in_one_pass(steps in vec(any::<Step>(), 1..100), seen in vec(any::<u8>(), 1..6)) {
        let mut history = History::after(&steps);
        for seen in seen {
            let observed = observed(&history.state, seen);
            pass(&mut history, &observed);
        }
    }

    #[test]
    fn the_leader_comes_to_rest_with_everything_placed(steps in vec(any::<Step>(), 1..100), seen in any::<u8>()) {
        let mut history = History::after(&steps);
        let mut now_ms = 1_000 + 10 * history.commands.len() as u64;
        let mut last = 0;
        for second in 0..30 {
            let observed = settled(&history.state, seen);
            if pass_at(&mut history, &observed, now_ms) > 0 {
                last = second;
            }
            obey(&mut history.state, &observed, now_ms);
            now_ms += 1_000;
        }
        prop_assert!(last < 20, "the last change came after {last} s");
        let observed = settled(&history.state, seen);
        prop_assert!(!history.state.migrations.values().any(|it| it.status == MigrationStatus::Pending));
        let room: u64 = history.state.workers.iter()
            .filter(|(id, worker)| worker.takes_pipelines() && observed.is_alive(id))
            .map(|(id, worker)| u64::from(worker.capacity.max_pipelines).saturating_sub(history.state.placed_on(id).len() as u64))
            .sum();
        for (key, pipeline) in history.state.pipelines_in_order() {
            let worker = pipeline.placement.as_ref().map(|it| &it.worker);
            let is_lost = worker.is_none_or(|id| history.state.workers[id].status == WorkerStatus::Unhealthy);
            prop_assert!(!is_lost || room == 0, "{key} is left on {worker:?} with room for {room}");
        }
    }
}
