//! One test per rule of `reconcile`. After each pass it is looked that the same observation gives no more.

use super::*;
use crate::model::fixture::{Fixture, group, id, key, pipeline, worker};
use crate::model::observed::Verdict;
use crate::model::spec::PipelineSpec;
use crate::model::state::{Facts, MigrationStatus, Phase, WorkerStatus};

/// A fixture and what is seen of it.
struct Cluster {
    fixture: Fixture,
    observed: Observed,
}

impl Cluster {
    /// Workers that live, and `groups` groups of one pipeline that run.
    fn of(workers: u32, groups: u128) -> Cluster {
        let mut fixture = Fixture::with_workers(workers);
        fixture.deploy_filters(groups);
        fixture.run_all();
        Cluster::seen(fixture)
    }

    fn seen(fixture: Fixture) -> Cluster {
        let observed = Observed::trusting(&fixture.state, BTreeMap::new());
        Cluster { fixture, observed }
    }

    /// One pipeline that keeps state and runs on `worker-1`.
    fn stateful(workers: u32) -> (Cluster, PipelineKey) {
        let mut fixture = Fixture::with_workers(workers);
        let facts = Facts { stateful: true, ..Facts::default() };
        let spec = group("g", vec![pipeline("a")]);
        fixture.done(Change::Deploy { id: id(1), spec, replace: false, facts: [("a".into(), facts)].into() });
        fixture.run_all();
        (Cluster::seen(fixture), key(1, "a", 0))
    }

    fn see(&mut self, number: u32, verdict: Verdict) {
        self.observed.workers.insert(worker(number), verdict);
    }

    fn lose(&mut self, number: u32) {
        self.see(number, Verdict::Gone("socket closed".into()));
    }

    fn join(&mut self, number: u32, instance: u128) {
        self.fixture.register(number, instance);
        self.see(number, Verdict::Alive);
    }

    /// One pass, applied.
    #[track_caller]
    fn pass(&mut self) -> Vec<Change> {
        let changes = self.decide();
        for change in &changes {
            self.fixture.done(change.clone());
        }
        assert_eq!(self.decide(), [], "the same observation gives more");
        changes
    }

    fn decide(&mut self) -> Vec<Change> {
        let (state, now_ms) = (self.fixture.state.clone(), self.fixture.now_ms);
        reconcile(&state, &self.observed, now_ms, &mut || self.fixture.draw())
    }

    fn filters(&self, count: u128) -> Vec<String> {
        let keys: Vec<_> = (1..=count).map(|number| self.fixture.filter(number)).collect();
        self.fixture.where_are(&keys)
    }

    fn status(&self, number: u32) -> WorkerStatus {
        self.fixture.state.workers[&worker(number)].status
    }

    fn migrations(&self) -> Vec<(MigrationReason, MigrationStatus)> {
        self.fixture.state.migrations.values().map(|it| (it.reason, it.status.clone())).collect()
    }
}

#[test]
fn nothing_is_done_when_all_is_well_or_nothing_is_known() {
    let mut cluster = Cluster::of(3, 3);
    assert_eq!(cluster.pass(), []);
    for number in 1..=3 {
        cluster.see(number, Verdict::Unknown);
    }
    assert_eq!(cluster.pass(), []);
}

#[test]
fn losing_a_worker_is_one_command_with_all_its_moves() {
    let mut cluster = Cluster::of(4, 8);
    cluster.lose(2);
    let changes = cluster.pass();
    let [Change::WorkerStatus { worker: lost, status: WorkerStatus::Unhealthy, reason, moves, .. }] = &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((lost, reason.as_deref(), moves.len()), (&worker(2), Some("socket closed"), 2));
    assert_eq!(cluster.filters(6)[1..6], ["worker-1", "worker-3", "worker-4", "worker-1", "worker-3"]);
    assert_eq!(cluster.migrations(), vec![(MigrationReason::Failover, MigrationStatus::InProgress); 2]);
}

#[test]
fn two_workers_that_are_lost_together_do_not_get_each_others_pipelines() {
    let mut cluster = Cluster::of(3, 3);
    cluster.lose(1);
    cluster.lose(2);
    assert_eq!(cluster.pass().len(), 2);
    assert_eq!(cluster.filters(3), ["worker-3"; 3]);
}

#[test]
fn without_a_target_a_placement_stays_and_counts_again_when_its_process_is_back() {
    let mut cluster = Cluster::of(1, 1);
    cluster.lose(1);
    cluster.pass();
    assert_eq!((cluster.status(1), cluster.filters(1)), (WorkerStatus::Unhealthy, vec!["worker-1".to_string()]));
    cluster.see(1, Verdict::Alive);
    cluster.pass();
    let placement = cluster.fixture.placement(&cluster.fixture.filter(1));
    assert_eq!((placement.epoch, cluster.status(1)), (1, WorkerStatus::Ready));
}

#[test]
fn what_nobody_could_take_goes_to_the_first_worker_that_comes() {
    let mut cluster = Cluster::of(1, 2);
    cluster.lose(1);
    cluster.pass();
    cluster.fixture.register(2, 2);
    assert_eq!(cluster.pass(), [], "it is registered, and not seen");
    cluster.see(2, Verdict::Alive);
    cluster.pass();
    assert_eq!(cluster.filters(2), ["worker-2", "worker-2"]);
}

#[test]
fn groups_that_wait_for_workers_are_placed_when_one_comes() {
    let mut cluster = Cluster::seen(Fixture::with_workers(0));
    cluster.fixture.deploy_filters(2);
    assert_eq!(cluster.pass(), []);
    cluster.join(1, 1);
    cluster.pass();
    assert_eq!(cluster.filters(2), ["worker-1", "worker-1"]);
    assert!(cluster.fixture.state.migrations.is_empty());
}

#[test]
fn a_new_process_of_a_worker_gets_its_pipelines_anew() {
    let mut cluster = Cluster::of(2, 2);
    cluster.fixture.register(1, 77);
    cluster.see(1, Verdict::Unknown);
    assert_eq!(cluster.pass(), [], "it will be seen in a moment");
    let mut gone = Cluster { fixture: cluster.fixture.clone(), observed: cluster.observed.clone() };
    cluster.see(1, Verdict::Alive);
    cluster.pass();
    assert_eq!(cluster.filters(2), ["worker-1", "worker-2"]);
    let placement = cluster.fixture.placement(&cluster.fixture.filter(1));
    assert_eq!((placement.epoch, placement.instance, &placement.migration), (2, id(77), &None));

    gone.lose(1);
    gone.pass();
    assert_eq!(gone.filters(2), ["worker-2", "worker-2"]);
}

#[test]
fn a_join_moves_the_fewest_and_the_hottest_once() {
    let mut cluster = Cluster::of(3, 6);
    cluster.observed.rates.insert(cluster.fixture.filter(4), 10.0);
    cluster.join(4, 4);
    assert_eq!(cluster.pass(), [], "others may start with it");
    cluster.fixture.now_ms += REBALANCE_DELAY_MS;
    let changes = cluster.pass();
    assert!(matches!(&changes[..], [Change::Place { moves }, Change::Rebalanced] if moves.len() == 1), "{changes:?}");
    assert_eq!(cluster.filters(6), ["worker-1", "worker-2", "worker-3", "worker-4", "worker-2", "worker-3"]);
    assert_eq!(cluster.migrations(), [(MigrationReason::Rebalance, MigrationStatus::InProgress)]);
    assert_eq!(cluster.fixture.state.rebalance_since_ms, None);
}

#[test]
fn a_join_waits_for_pipelines_that_are_on_the_move() {
    let mut cluster = Cluster::of(2, 4);
    cluster.lose(2);
    cluster.pass();
    cluster.join(2, 22);
    cluster.fixture.now_ms += REBALANCE_DELAY_MS;
    let changes = cluster.pass();
    assert!(matches!(&changes[..], [Change::Place { moves }, Change::Rebalanced] if moves.len() == 2), "{changes:?}");

    let mut cluster = Cluster::of(2, 2);
    cluster.lose(2);
    cluster.pass();
    let first = cluster.fixture.filter(1);
    cluster.fixture.done(Change::Delete { group: first.group });
    cluster.fixture.deploy_filters(1);
    cluster.join(2, 22);
    cluster.fixture.now_ms += REBALANCE_DELAY_MS;
    assert_eq!(cluster.pass(), [], "neither takes records so far");
    cluster.fixture.run_all();
    let changes = cluster.pass();
    assert!(matches!(&changes[..], [Change::Place { .. }, Change::Rebalanced]), "{changes:?}");
}

#[test]
fn what_cannot_be_moved_in_time_stays() {
    let mut cluster = Cluster::seen(Fixture::with_workers(1));
    cluster.fixture.deploy_filters(2);
    cluster.join(2, 2);
    cluster.fixture.now_ms += REBALANCE_LIMIT_MS - 1;
    assert_eq!(cluster.pass(), []);
    cluster.fixture.now_ms += 1;
    assert_eq!(cluster.pass(), [Change::Rebalanced]);
}

#[test]
fn affinity_is_kept_and_restored_by_a_join() {
    let mut fixture = Fixture::with_workers(1);
    let to = |name: &str, number| PipelineSpec { worker_affinity: Some(worker(number).to_string()), ..pipeline(name) };
    fixture.deploy(1, group("g", vec![to("a", 1), to("b", 1), to("c", 1), to("d", 2), pipeline("e")]));
    fixture.run_all();
    let mut cluster = Cluster::seen(fixture);
    cluster.join(2, 2);
    cluster.fixture.now_ms += REBALANCE_DELAY_MS;
    cluster.pass();
    let keys = ["a", "b", "c", "d", "e"].map(|name| key(1, name, 0));
    assert_eq!(cluster.fixture.where_are(&keys), ["worker-1", "worker-1", "worker-1", "worker-2", "worker-2"]);
}

#[test]
fn a_state_goes_along_when_a_worker_is_drained() {
    let (mut cluster, a) = Cluster::stateful(2);
    cluster.fixture.set_status(1, WorkerStatus::Draining);
    assert!(matches!(&cluster.pass()[..], [Change::Release { to, .. }] if *to == worker(2)));
    assert_eq!(cluster.fixture.where_are(std::slice::from_ref(&a)), ["worker-1"]);
    cluster.fixture.report(&a, Phase::Released);
    assert_eq!(cluster.pass(), [], "it is waited for");
    cluster.fixture.report(&a, Phase::Running);
    assert_eq!(cluster.pass(), [Change::Deregister { worker: worker(1) }]);
    assert_eq!(cluster.migrations(), [(MigrationReason::Drain, MigrationStatus::Completed)]);
}

#[test]
fn a_drained_worker_goes_when_its_successors_run_or_have_had_their_time() {
    let mut cluster = Cluster::of(2, 2);
    cluster.fixture.set_status(1, WorkerStatus::Draining);
    assert!(matches!(&cluster.pass()[..], [Change::Place { moves }] if moves.len() == 1));
    let mut late = Cluster { fixture: cluster.fixture.clone(), observed: cluster.observed.clone() };
    cluster.fixture.run_all();
    assert_eq!(cluster.pass(), [Change::Deregister { worker: worker(1) }]);
    late.fixture.now_ms += 5_000;
    assert_eq!(late.pass(), [Change::Deregister { worker: worker(1) }]);
}

#[test]
fn what_nobody_can_take_keeps_its_drained_worker() {
    let mut cluster = Cluster::of(1, 1);
    cluster.fixture.set_status(1, WorkerStatus::Draining);
    assert_eq!(cluster.pass(), []);
    cluster.lose(1);
    cluster.pass();
    assert_eq!(cluster.status(1), WorkerStatus::Unhealthy);
}

#[test]
fn a_worker_that_dies_while_it_is_drained_loses_its_pipelines_like_any_other() {
    let (mut cluster, a) = Cluster::stateful(3);
    cluster.fixture.set_status(1, WorkerStatus::Draining);
    cluster.pass();
    cluster.lose(1);
    cluster.pass();
    assert_eq!(cluster.fixture.placement(&a).epoch, 2);
    assert_eq!(cluster.status(1), WorkerStatus::Unhealthy);
    let reasons: Vec<_> =
        cluster.migrations().into_iter().map(|(reason, status)| (reason, status.is_active())).collect();
    assert_eq!(reasons, [(MigrationReason::Drain, false), (MigrationReason::Failover, true)]);
}

/// A planned move of `a` from `worker-1` to `worker-2`.
fn release(cluster: &mut Cluster, a: &PipelineKey) {
    let (migration, seen) = (cluster.fixture.draw(), 1);
    let (pipeline, reason) = (a.clone(), MigrationReason::Manual);
    cluster.fixture.done(Change::Release { pipeline, seen, to: worker(2), migration, reason });
}

#[test]
fn a_planned_move_is_given_up_when_its_target_dies_before_the_state_has_come() {
    let (mut cluster, a) = Cluster::stateful(2);
    release(&mut cluster, &a);
    cluster.lose(2);
    let changes = cluster.pass();
    assert!(matches!(&changes[..], [Change::WorkerStatus { .. }, Change::FailMigration { .. }]), "{changes:?}");
    assert_eq!(cluster.fixture.placement(&a).epoch, 1, "its source goes on");
    cluster.fixture.report(&a, Phase::Released);
    cluster.pass();
    let placement = cluster.fixture.placement(&a);
    assert_eq!((&placement.worker, placement.epoch, &placement.phase), (&worker(1), 2, &Phase::Deploying));
}

#[test]
fn a_planned_move_goes_back_to_its_source_when_its_target_dies_or_is_silent() {
    for dies in [true, false] {
        let (mut cluster, a) = Cluster::stateful(3);
        release(&mut cluster, &a);
        cluster.fixture.report(&a, Phase::Released);
        assert_eq!(cluster.pass(), []);
        if dies {
            cluster.lose(2);
        } else {
            cluster.fixture.now_ms += ARRIVAL_LIMIT_MS + 1;
        }
        cluster.pass();
        let placement = cluster.fixture.placement(&a);
        assert_eq!((&placement.worker, placement.epoch), (&worker(1), 3));
        assert!(matches!(&cluster.migrations()[0].1, MigrationStatus::Failed { .. }));
    }
}

#[test]
fn a_planned_move_goes_back_when_the_pipeline_fails_at_its_target() {
    let mut cluster = Cluster::of(2, 1);
    let a = cluster.fixture.filter(1);
    let to = cluster.fixture.move_to(&a, 2, Some(MigrationReason::Manual));
    cluster.fixture.done(Change::Place { moves: vec![to] });
    cluster.fixture.report(&a, Phase::Failed { reason: "no such file".into() });
    cluster.pass();
    assert_eq!((cluster.filters(1), cluster.fixture.placement(&a).epoch), (vec!["worker-1".to_string()], 3));
}

#[test]
fn a_source_that_does_not_hand_over_keeps_its_pipeline() {
    let (mut cluster, a) = Cluster::stateful(2);
    release(&mut cluster, &a);
    cluster.fixture.now_ms += RELEASE_LIMIT_MS + 1;
    assert!(matches!(&cluster.pass()[..], [Change::FailMigration { .. }]));
    assert_eq!(cluster.fixture.placement(&a).epoch, 1);
}

#[test]
fn an_old_incarnation_ends_when_the_new_one_has_run_for_a_while() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy(1, group("g", vec![pipeline("a")]));
    fixture.run_all();
    let spec = group("g", vec![PipelineSpec { replicas: 2, ..pipeline("a") }]);
    fixture.done(Change::Deploy { id: id(9), spec, replace: true, facts: BTreeMap::new() });
    let mut cluster = Cluster::seen(fixture);
    cluster.fixture.now_ms += RETIRE_AFTER_MS;
    assert_eq!(cluster.pass(), []);
    cluster.fixture.run_all();
    cluster.fixture.now_ms += RETIRE_AFTER_MS - 1;
    assert_eq!(cluster.pass(), []);
    cluster.fixture.now_ms += 1;
    assert_eq!(cluster.pass(), [Change::Retire { pipelines: vec![key(1, "a", 0)] }]);
}

#[test]
fn workers_that_are_only_watched_get_ready_and_no_pipelines() {
    let mut cluster = Cluster::of(1, 1);
    let worker_2 = |protocol| Change::Register {
        worker: worker(2),
        address: String::new(),
        api_key: None,
        instance: id(2),
        protocol,
        capacity: crate::model::state::Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 9 },
    };
    cluster.fixture.done(worker_2(0));
    assert_eq!(cluster.status(2), WorkerStatus::Registering);
    cluster.see(2, Verdict::Alive);
    cluster.pass();
    assert_eq!(cluster.status(2), WorkerStatus::Ready);
    cluster.lose(1);
    cluster.pass();
    assert_eq!(cluster.filters(1), ["worker-1"]);
}

#[test]
fn migrations_are_forgotten_after_an_hour() {
    let mut cluster = Cluster::of(2, 1);
    cluster.lose(1);
    cluster.pass();
    cluster.fixture.run_all();
    cluster.fixture.now_ms += MEMORY_MS;
    assert_eq!(cluster.pass(), []);
    cluster.fixture.now_ms += 1;
    assert_eq!(cluster.pass().len(), 1);
    assert!(cluster.fixture.state.migrations.is_empty());
}

#[test]
fn a_rebalance_can_be_asked_for() {
    let mut cluster = Cluster::of(2, 4);
    cluster.lose(2);
    cluster.pass();
    cluster.fixture.run_all();
    cluster.see(2, Verdict::Alive);
    cluster.pass();
    assert_eq!(cluster.filters(4), ["worker-1"; 4], "one that is back has not joined");
    let state = cluster.fixture.state.clone();
    let changes = rebalance(&state, BTreeMap::new(), 0, &mut || cluster.fixture.draw());
    assert!(matches!(&changes[..], [Change::Place { moves }] if moves.len() == 2), "{changes:?}");
}
