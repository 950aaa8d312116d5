//! One test per rule of `apply`.

use crate::model::command::{Change, Move, Outcome, Refusal};
use crate::model::fixture::{Fixture, client, connector, group, id, key, pipeline, worker};
use crate::model::ids::{PipelineKey, Uuid};
use crate::model::spec::{GroupSpec, PipelineSpec};
use crate::model::state::{Facts, MigrationReason, MigrationStatus, Phase, WorkerStatus};
use std::collections::BTreeMap;

fn replace(fixture: &mut Fixture, spec: GroupSpec) -> Outcome {
    fixture.apply(Change::Deploy { id: id(99), spec, replace: true, facts: BTreeMap::new() })
}

fn replicated(name: &str, replicas: u16) -> PipelineSpec {
    PipelineSpec { replicas, partition_key: Some("k".into()), ..pipeline(name) }
}

fn record(fixture: &mut Fixture, key: &PipelineKey, clients: &[&str]) {
    let epoch = fixture.placement(key).epoch;
    let clients = clients.iter().map(|id| ((*id).to_string(), client("in"))).collect();
    fixture.done(Change::Clients { pipeline: key.clone(), epoch, clients });
}

fn tombstones(fixture: &Fixture) -> Vec<&str> {
    fixture.state.tombstones.keys().map(String::as_str).collect()
}

fn release(fixture: &mut Fixture, key: &PipelineKey, to: u32) -> Uuid {
    let migration = fixture.draw();
    let seen = fixture.state.pipeline(key).expect("it is deployed").epoch;
    let reason = MigrationReason::Manual;
    fixture.done(Change::Release { pipeline: key.clone(), seen, to: worker(to), migration, reason });
    migration
}

#[test]
fn four_groups_land_on_four_workers_in_turn() {
    let mut fixture = Fixture::with_workers(4);
    fixture.deploy_filters(4);
    let keys: Vec<_> = (1..=4).map(|n| fixture.filter(n)).collect();
    assert_eq!(fixture.where_are(&keys), ["worker-1", "worker-2", "worker-3", "worker-4"]);
}

#[test]
fn deploying_the_same_again_changes_nothing() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy(1, group("g", vec![pipeline("a")]));
    let before = fixture.state.groups.clone();
    let again = fixture.apply(Change::Deploy {
        id: id(2),
        spec: group("g", vec![pipeline("a")]),
        replace: false,
        facts: BTreeMap::new(),
    });
    assert_eq!(again, Outcome::Group { id: id(1), existed: true });
    assert_eq!(fixture.state.groups, before);
    let other = group("g", vec![pipeline("b")]);
    let change = Change::Deploy { id: id(2), spec: other, replace: false, facts: BTreeMap::new() };
    assert_eq!(fixture.refused(change), Refusal::NameTaken("g".into()));
}

#[test]
fn what_cannot_run_is_not_deployed() {
    let mut fixture = Fixture::with_workers(1);
    let mut refused = |pipelines: Vec<PipelineSpec>, facts: Facts| {
        let facts = [("a".into(), facts)].into();
        fixture.refused(Change::Deploy { id: id(1), spec: group("g", pipelines), replace: false, facts })
    };
    let stateful = Facts { stateful: true, ..Facts::default() };
    let without_key = PipelineSpec { replicas: 2, ..pipeline("a") };
    assert!(refused(vec![without_key], stateful).to_string().contains("name a partition_key"));
    let none = PipelineSpec { replicas: 0, ..pipeline("a") };
    assert!(refused(vec![none], Facts::default()).to_string().contains("0 replicas"));
    assert!(refused(vec![pipeline("a"), pipeline("a")], Facts::default()).to_string().contains("called a"));
    let names = Facts { connectors: ["mqtt_1".to_string()].into(), ..Facts::default() };
    assert_eq!(refused(vec![pipeline("a")], names), Refusal::UnknownConnector("mqtt_1".into()));
}

#[test]
fn another_program_keeps_the_incarnation_and_the_worker() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy(1, group("g", vec![pipeline("a"), pipeline("b")]));
    fixture.run_all();
    let changed = PipelineSpec { source: "v2".into(), ..pipeline("a") };
    assert_eq!(
        replace(&mut fixture, group("g", vec![changed, pipeline("b")])),
        Outcome::Group { id: id(1), existed: false }
    );
    let (a, b) = (key(1, "a", 0), key(1, "b", 0));
    assert_eq!(fixture.where_are(&[a.clone(), b.clone()]), ["worker-1", "worker-2"]);
    let phases = [fixture.placement(&a), fixture.placement(&b)].map(|it| (it.epoch, it.phase.clone()));
    assert_eq!(phases, [(2, Phase::Deploying), (1, Phase::Running)]);
    let revisions = [&a, &b].map(|key| fixture.state.pipeline(key).expect("it is there").revision);
    assert_eq!(revisions, [2, 1]);
}

#[test]
fn another_number_of_replicas_is_a_new_incarnation_beside_the_old_one() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy(1, group("g", vec![replicated("a", 2)]));
    fixture.run_all();
    let old: Vec<_> = (0..2).map(|replica| key(1, "a", replica)).collect();
    record(&mut fixture, &old[0], &["old-src"]);
    replace(&mut fixture, group("g", vec![replicated("a", 3)]));
    let new: Vec<_> = (0..3).map(|replica| PipelineKey { incarnation: 2, ..key(1, "a", replica) }).collect();
    let group = &fixture.state.groups[&id(1)];
    assert_eq!(
        group.in_order().iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        old.iter().chain(&new).collect::<Vec<_>>()
    );
    assert!(old.iter().all(|key| group.is_retiring(key)) && !new.iter().any(|key| group.is_retiring(key)));
    assert_eq!(group.pipelines[&old[0]].id, group.pipelines[&new[0]].id);
    assert!(new.iter().all(|key| group.pipelines[key].replicas == 3 && group.pipelines[key].placement.is_some()));
    assert!(matches!(fixture.refused(Change::Retire { pipelines: new }), Refusal::Invalid(_)));
    fixture.done(Change::Retire { pipelines: old });
    assert_eq!(fixture.state.groups[&id(1)].pipelines.len(), 3);
    assert_eq!(tombstones(&fixture), ["old-src"]);
}

#[test]
fn an_incarnation_is_never_given_twice() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy(1, group("g", vec![pipeline("a"), pipeline("b")]));
    record(&mut fixture, &key(1, "a", 0), &["a-src"]);
    replace(&mut fixture, group("g", vec![pipeline("b")]));
    assert_eq!(tombstones(&fixture), ["a-src"]);
    replace(&mut fixture, group("g", vec![pipeline("a"), pipeline("b")]));
    let keys: Vec<_> = fixture.state.groups[&id(1)].in_order().iter().map(|(key, _)| (*key).clone()).collect();
    assert_eq!(keys, [PipelineKey { incarnation: 2, ..key(1, "a", 0) }, key(1, "b", 0)]);
}

#[test]
fn what_a_deleted_group_has_made_is_buried() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy(1, group("g", vec![pipeline("a")]));
    record(&mut fixture, &key(1, "a", 0), &["src", "out"]);
    fixture.done(Change::Delete { group: id(1) });
    assert!(fixture.state.groups.is_empty());
    assert_eq!(tombstones(&fixture), ["out", "src"]);
    assert_eq!(fixture.state.tombstones["src"].pipeline, "g/a#0");
    fixture.done(Change::Buried { clients: vec!["src".into()] });
    assert_eq!(tombstones(&fixture), ["out"]);
    assert_eq!(fixture.refused(Change::Delete { group: id(1) }), Refusal::UnknownGroup(id(1)));
}

#[test]
fn sessions_that_are_not_named_any_more_are_buried_and_come_back_when_they_are() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy(1, group("g", vec![pipeline("a")]));
    let a = key(1, "a", 0);
    record(&mut fixture, &a, &["x", "y"]);
    record(&mut fixture, &a, &["y", "z"]);
    assert_eq!(tombstones(&fixture), ["x"]);
    record(&mut fixture, &a, &["x"]);
    assert_eq!(tombstones(&fixture), ["y", "z"]);
    let old = Change::Clients { pipeline: a, epoch: 0, clients: BTreeMap::new() };
    assert_eq!(fixture.refused(old), Refusal::OldEpoch { given: 0, newest: 1 });
}

#[test]
fn a_move_is_refused_when_something_newer_was_decided() {
    let mut fixture = Fixture::with_workers(3);
    fixture.deploy_filters(1);
    let a = fixture.filter(1);
    let first = fixture.move_to(&a, 2, Some(MigrationReason::Manual));
    let second = fixture.move_to(&a, 3, None);
    fixture.done(Change::Place { moves: vec![first] });
    let refusal = fixture.refused(Change::Place { moves: vec![second] });
    assert_eq!(refusal, Refusal::OldEpoch { given: 1, newest: 2 });
    let placement = fixture.placement(&a);
    assert_eq!((placement.worker.clone(), placement.from.clone()), (worker(2), Some(worker(1))));
}

#[test]
fn one_move_that_was_overruled_does_not_hold_the_others_back() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(2);
    let (a, b) = (fixture.filter(1), fixture.filter(2));
    let wrong = Move { seen: 7, ..fixture.move_to(&a, 2, None) };
    let right = fixture.move_to(&b, 1, None);
    assert_eq!(fixture.done(Change::Place { moves: vec![wrong, right] }), Outcome::Applied);
    assert_eq!(fixture.where_are(&[a, b]), ["worker-1", "worker-1"]);
}

#[test]
fn nothing_is_placed_where_it_cannot_run() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(1);
    let a = fixture.filter(1);
    for status in [WorkerStatus::Unhealthy, WorkerStatus::Draining, WorkerStatus::Registering] {
        fixture.set_status(2, status);
        let to = fixture.move_to(&a, 2, None);
        assert_eq!(fixture.refused(Change::Place { moves: vec![to] }), Refusal::NoTarget(worker(2)));
    }
    let nowhere = fixture.move_to(&a, 9, None);
    assert_eq!(fixture.refused(Change::Place { moves: vec![nowhere] }), Refusal::UnknownWorker(worker(9)));
}

#[test]
fn losing_a_worker_is_one_command() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(1);
    fixture.run_all();
    let a = fixture.filter(1);
    let moves = vec![fixture.move_to(&a, 2, Some(MigrationReason::Failover))];
    let (status, reason) = (WorkerStatus::Unhealthy, Some("socket closed".to_string()));
    let lost = Change::WorkerStatus { worker: worker(1), instance: id(1), status, reason, moves };
    fixture.done(lost.clone());
    assert_eq!(fixture.state.workers[&worker(1)].status, WorkerStatus::Unhealthy);
    let placement = fixture.placement(&a).clone();
    assert_eq!((placement.worker, placement.epoch, placement.from), (worker(2), 2, Some(worker(1))));
    let migration = &fixture.state.migrations[&placement.migration.expect("it is a migration")];
    assert_eq!((&migration.source, &migration.status), (&Some(worker(1)), &MigrationStatus::InProgress));
    fixture.register(1, 77);
    assert_eq!(fixture.refused(lost), Refusal::OtherInstance { known: id(77) });
}

#[test]
fn a_report_completes_the_migration() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(1);
    let a = fixture.filter(1);
    let to = fixture.move_to(&a, 2, Some(MigrationReason::Manual));
    fixture.done(Change::Place { moves: vec![to] });
    let stale = Change::Report { pipeline: a.clone(), epoch: 1, worker: worker(1), phase: Phase::Running };
    assert_eq!(fixture.refused(stale), Refusal::OldEpoch { given: 1, newest: 2 });
    let stranger = Change::Report { pipeline: a.clone(), epoch: 2, worker: worker(1), phase: Phase::Running };
    assert!(matches!(fixture.refused(stranger), Refusal::Invalid(_)));
    fixture.now_ms += 5;
    fixture.report(&a, Phase::Running);
    let placement = fixture.placement(&a).clone();
    assert_eq!((placement.from, placement.since_ms), (None, 1_005));
    let migration = &fixture.state.migrations[&placement.migration.expect("it is a migration")];
    assert_eq!((&migration.status, migration.ended_ms), (&MigrationStatus::Completed, Some(1_005)));
}

#[test]
fn the_placement_changes_when_the_state_has_arrived() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(1);
    fixture.run_all();
    let a = fixture.filter(1);
    let migration = release(&mut fixture, &a, 2);
    assert_eq!(fixture.where_are(std::slice::from_ref(&a)), ["worker-1"]);
    assert_eq!(fixture.state.migrations[&migration].epoch, 2);
    fixture.report(&a, Phase::Released);
    let placement = fixture.placement(&a).clone();
    assert_eq!((placement.worker, placement.epoch, placement.migration), (worker(2), 2, Some(migration)));
    assert_eq!((placement.phase, placement.from), (Phase::Deploying, Some(worker(1))));
    assert!(fixture.state.migrations[&migration].with_state);
}

#[test]
fn a_state_whose_target_is_gone_stays_where_it_was() {
    let mut fixture = Fixture::with_workers(2);
    fixture.deploy_filters(1);
    fixture.run_all();
    let a = fixture.filter(1);
    let migration = release(&mut fixture, &a, 2);
    fixture.set_status(2, WorkerStatus::Unhealthy);
    fixture.report(&a, Phase::Released);
    let placement = fixture.placement(&a);
    assert_eq!((&placement.worker, placement.epoch, &placement.phase), (&worker(1), 1, &Phase::Released));
    assert!(matches!(fixture.state.migrations[&migration].status, MigrationStatus::Failed { .. }));
    assert_eq!(
        fixture.refused(Change::FailMigration { migration, reason: String::new() }),
        Refusal::UnknownMigration(migration)
    );
}

#[test]
fn a_newer_decision_ends_a_migration() {
    let mut fixture = Fixture::with_workers(3);
    fixture.deploy_filters(1);
    fixture.run_all();
    let a = fixture.filter(1);
    let first = release(&mut fixture, &a, 2);
    let second = release(&mut fixture, &a, 3);
    assert!(matches!(fixture.state.migrations[&first].status, MigrationStatus::Failed { .. }));
    let to = fixture.move_to(&a, 2, None);
    fixture.done(Change::Place { moves: vec![to] });
    assert!(matches!(fixture.state.migrations[&second].status, MigrationStatus::Failed { .. }));
    fixture.now_ms += 10;
    assert_eq!(fixture.done(Change::ForgetMigrations { before_ms: 1_000 }), Outcome::Unchanged);
    fixture.done(Change::ForgetMigrations { before_ms: 1_001 });
    assert!(fixture.state.migrations.is_empty());
}

#[test]
fn a_new_process_finds_its_placements_unconfirmed() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy_filters(1);
    fixture.run_all();
    assert_eq!(fixture.state.rebalance_since_ms, None);
    fixture.now_ms = 2_000;
    fixture.register(1, 77);
    let placement = fixture.placement(&fixture.filter(1));
    assert_eq!((&placement.worker, placement.instance), (&worker(1), id(1)));
    assert_eq!(fixture.state.rebalance_since_ms, Some(2_000));
    assert_eq!(fixture.done(Change::Rebalanced), Outcome::Applied);
    assert_eq!(fixture.done(Change::Rebalanced), Outcome::Unchanged);
}

#[test]
fn a_drained_process_does_not_come_back_and_the_next_one_does() {
    let mut fixture = Fixture::with_workers(1);
    fixture.deploy_filters(1);
    fixture.set_status(1, WorkerStatus::Draining);
    fixture.register(1, 1);
    assert_eq!(fixture.state.workers[&worker(1)].status, WorkerStatus::Draining);
    fixture.done(Change::Deregister { worker: worker(1) });
    let pipeline = fixture.state.pipeline(&fixture.filter(1)).expect("it is deployed");
    assert_eq!((&pipeline.placement, pipeline.epoch), (&None, 2));
    let call = |instance| Change::Register {
        worker: worker(1),
        address: String::new(),
        api_key: None,
        instance: id(instance),
        protocol: 1,
        capacity: crate::model::state::Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 1 },
    };
    assert_eq!(fixture.refused(call(1)), Refusal::Drained(worker(1)));
    fixture.done(call(2));
    assert!(fixture.state.drained.is_empty());
}

#[test]
fn connectors_are_kept_while_they_are_used_and_renew_what_names_them() {
    let mut fixture = Fixture::with_workers(1);
    fixture.done(Change::PutConnector { spec: connector("mqtt_1"), replace: false });
    let again = Change::PutConnector { spec: connector("mqtt_1"), replace: false };
    assert_eq!(fixture.done(again), Outcome::Unchanged);
    let facts = Facts { connectors: ["mqtt_1".to_string()].into(), ..Facts::default() };
    let spec = group("g", vec![pipeline("a"), pipeline("b")]);
    fixture.done(Change::Deploy { id: id(1), spec, replace: false, facts: [("a".into(), facts)].into() });
    let by = vec!["g".to_string()];
    let remove = Change::RemoveConnector { name: "mqtt_1".into() };
    assert_eq!(fixture.refused(remove), Refusal::InUse { connector: "mqtt_1".into(), by });
    let mut other = connector("mqtt_1");
    other.params.insert("host".into(), "elsewhere".into());
    let change = Change::PutConnector { spec: other.clone(), replace: false };
    assert_eq!(fixture.refused(change), Refusal::NameTaken("mqtt_1".into()));
    fixture.done(Change::PutConnector { spec: other, replace: true });
    assert_eq!(fixture.state.connectors["mqtt_1"].revision, 2);
    assert_eq!([fixture.placement(&key(1, "a", 0)).epoch, fixture.placement(&key(1, "b", 0)).epoch], [2, 1]);
    fixture.done(Change::Delete { group: id(1) });
    fixture.done(Change::RemoveConnector { name: "mqtt_1".into() });
    let gone = Change::RemoveConnector { name: "mqtt_1".into() };
    assert_eq!(fixture.refused(gone), Refusal::UnknownConnector("mqtt_1".into()));
}

#[test]
fn a_cluster_has_one_identity_and_knows_its_coordinators() {
    let mut fixture = Fixture::with_workers(0);
    assert_eq!(fixture.done(Change::Form { cluster: id(u128::MAX) }), Outcome::Unchanged);
    assert_eq!(fixture.refused(Change::Form { cluster: id(1) }), Refusal::Formed(id(u128::MAX)));
    let at = |address: Option<&str>| Change::Coordinator { node: 2, address: address.map(str::to_string) };
    assert_eq!(fixture.done(at(Some("http://c2:9100"))), Outcome::Applied);
    assert_eq!(fixture.done(at(Some("http://c2:9100"))), Outcome::Unchanged);
    assert_eq!(fixture.done(at(None)), Outcome::Applied);
    assert!(fixture.state.coordinators.is_empty());
}
