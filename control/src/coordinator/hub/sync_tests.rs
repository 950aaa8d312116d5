//! Differences between a state and what a worker holds.

use super::*;
use crate::model::spec::GroupSpec;
use crate::model::state::{Capacity, Group, MigrationReason, Pipeline, Placement, Tombstone, Worker};
use std::collections::BTreeSet;

const PROCESS: Uuid = Uuid::from_u128(1);

fn key(name: &str) -> PipelineKey {
    PipelineKey::new(Uuid::from_u128(9), name, 0)
}

fn id(name: &str) -> WorkerId {
    WorkerId::new(name)
}

/// A state with these pipelines: name, worker, epoch.
fn state(pipelines: &[(&str, &str, EpochNumber)]) -> State {
    let mut state = State::default();
    let pipelines = pipelines.iter().map(|(name, worker, epoch)| {
        let placement = Placement {
            worker: id(worker),
            instance: PROCESS,
            epoch: *epoch,
            phase: Phase::Deploying,
            since_ms: 0,
            from: None,
            migration: None,
        };
        let pipeline = Pipeline {
            id: Uuid::nil(),
            replicas: 1,
            revision: 1,
            epoch: *epoch,
            placement: Some(placement),
            clients: BTreeMap::new(),
        };
        (key(name), pipeline)
    });
    let spec = GroupSpec { name: "g".into(), pipelines: vec![], routes: vec![] };
    let (facts, pipelines) = (BTreeMap::new(), pipelines.collect());
    let group = Group { spec, number: 0, created_ms: 0, revision: 1, incarnation: 1, facts, pipelines };
    state.groups.insert(Uuid::from_u128(9), group);
    state
}

fn placement<'a>(state: &'a mut State, name: &str) -> &'a mut Placement {
    let group = state.groups.get_mut(&Uuid::from_u128(9)).expect("it was made");
    group.pipelines.get_mut(&key(name)).and_then(|p| p.placement.as_mut()).expect("it was made")
}

fn migrate(state: &mut State, name: &str, status: MigrationStatus) -> Uuid {
    let migration = Migration {
        pipeline: key(name),
        source: Some(id("w")),
        target: id("v"),
        epoch: 2,
        with_state: true,
        reason: MigrationReason::Drain,
        status,
        started_ms: 0,
        ended_ms: None,
    };
    state.migrations.insert(Uuid::from_u128(5), migration);
    Uuid::from_u128(5)
}

fn held(name: &str, epoch: EpochNumber) -> Held {
    Held { pipeline: key(name), epoch, phase: Phase::Running }
}

fn steps(book: &mut Book, state: &State) -> Vec<Step> {
    book.steps(state, &id("w"), PROCESS)
}

#[test]
fn an_empty_worker_is_told_what_is_placed_there_once() {
    let state = state(&[("a", "w", 1), ("b", "v", 1)]);
    let mut book = Book::default();
    assert_eq!(steps(&mut book, &state), [Step::Install(key("a"))]);
    assert_eq!(steps(&mut book, &state), []);
}

#[test]
fn what_it_holds_is_compared() {
    let state = state(&[("a", "w", 1), ("b", "v", 2), ("c", "w", 3)]);
    let mut book = Book::new(&[held("a", 1), held("b", 1), held("c", 2), held("d", 4)]);
    let expected = [
        Step::Remove { pipeline: key("b"), epoch: 1 },
        Step::Remove { pipeline: key("d"), epoch: 4 },
        Step::Install(key("c")),
    ];
    assert_eq!(steps(&mut book, &state), expected);
    assert_eq!(steps(&mut book, &state), []);
}

#[test]
fn what_is_placed_on_another_process_of_the_worker_is_not_its_own() {
    let state = state(&[("a", "w", 1)]);
    assert_eq!(Book::default().steps(&state, &id("w"), Uuid::from_u128(2)), []);
}

#[test]
fn a_pending_migration_asks_for_the_state_and_a_failed_one_takes_that_back() {
    let mut state = state(&[("a", "w", 1)]);
    let mut book = Book::new(&[held("a", 1)]);
    let migration = migrate(&mut state, "a", MigrationStatus::Pending);
    assert_eq!(steps(&mut book, &state), [Step::Release { pipeline: key("a"), migration }]);
    assert_eq!(steps(&mut book, &state), []);
    migrate(&mut state, "a", MigrationStatus::Failed { reason: "no".into() });
    assert_eq!(steps(&mut book, &state), [Step::Install(key("a"))]);
}

#[test]
fn one_that_handed_its_state_over_rests_until_it_is_placed_elsewhere() {
    let mut state = state(&[("a", "w", 1)]);
    let mut book = Book::new(&[held("a", 1)]);
    placement(&mut state, "a").phase = Phase::Released;
    assert_eq!(steps(&mut book, &state), []);
    *placement(&mut state, "a") = Placement { worker: id("v"), epoch: 2, ..placement(&mut state, "a").clone() };
    assert_eq!(steps(&mut book, &state), [Step::Remove { pipeline: key("a"), epoch: 1 }]);
}

#[test]
fn sessions_to_be_removed_go_round_among_the_live_workers() {
    let mut state = State::default();
    for name in ["u", "v", "w"] {
        let status = if name == "u" { WorkerStatus::Unhealthy } else { WorkerStatus::Ready };
        let worker = Worker {
            address: String::new(),
            api_key: None,
            instance: PROCESS,
            protocol: PROTOCOL,
            capacity: Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 9 },
            status,
            reason: None,
            since_ms: 0,
        };
        state.workers.insert(id(name), worker);
    }
    let connector = || ConnectorSpec {
        name: "m".into(),
        connector_type: "mqtt".into(),
        params: BTreeMap::new(),
        description: None,
    };
    for client in ["c1", "c2", "c3", "c4"] {
        let tombstone = Tombstone { connector: connector(), pipeline: "p".into(), since_ms: 0 };
        state.tombstones.insert(client.into(), tombstone);
    }
    let mut books = ["u", "v", "w"].map(|name| (id(name), Book::default()));
    let mut asked = |now_ms| {
        let [_, v, w] =
            books.each_mut().map(|(id, book)| book.graves(&state, id, now_ms).into_keys().collect::<BTreeSet<_>>());
        (v, w)
    };
    let (v, w) = asked(0);
    assert_eq!(v.len() + w.len(), 4);
    assert!(v.is_disjoint(&w));
    assert_eq!(asked(BURY_AGAIN_MS - 1), (BTreeSet::new(), BTreeSet::new()));
    assert_eq!(asked(BURY_AGAIN_MS), (w, v), "the other one tries");
}
