//! Small clusters for tests: everything about them has a short name, and every command is checked to be applied.

use super::apply::apply;
use super::command::{Change, Command, Move, Outcome, Refusal};
use super::ids::{PipelineKey, Uuid, WorkerId};
use super::spec::{ConnectorSpec, GroupSpec, PipelineSpec};
use super::state::{Capacity, Client, MigrationReason, Phase, Placement, State, WorkerStatus};
use std::collections::BTreeMap;

/// A cluster and its clock.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub state: State,
    pub now_ms: u64,
    drawn: u128,
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn worker(number: u32) -> WorkerId {
    WorkerId::new(&format!("worker-{number}"))
}

pub(crate) fn key(group: u128, name: &str, replica: u16) -> PipelineKey {
    PipelineKey::new(id(group), name, replica)
}

pub(crate) fn pipeline(name: &str) -> PipelineSpec {
    PipelineSpec { name: name.into(), source: "v1".into(), worker_affinity: None, replicas: 1, partition_key: None }
}

pub(crate) fn group(name: &str, pipelines: Vec<PipelineSpec>) -> GroupSpec {
    GroupSpec { name: name.into(), pipelines, routes: vec![] }
}

pub(crate) fn connector(name: &str) -> ConnectorSpec {
    let params = [("host".to_string(), "broker".to_string())].into();
    ConnectorSpec { name: name.into(), connector_type: "mqtt".into(), params, description: None }
}

pub(crate) fn client(filter: &str) -> Client {
    Client { connector: connector("mqtt_1"), filters: vec![filter.into()] }
}

impl Fixture {
    /// A cluster with its identity and these workers, `worker-1` and so on; the instance of `worker-n` is `n`.
    pub fn with_workers(count: u32) -> Fixture {
        let mut fixture = Fixture { state: State::default(), now_ms: 1_000, drawn: 1 << 100 };
        fixture.done(Change::Form { cluster: id(u128::MAX) });
        for number in 1..=count {
            fixture.register(number, u128::from(number));
        }
        fixture
    }

    pub fn apply(&mut self, change: Change) -> Outcome {
        apply(&mut self.state, &Command { at_ms: self.now_ms, change })
    }

    /// Applies what must not be refused.
    #[track_caller]
    pub fn done(&mut self, change: Change) -> Outcome {
        let outcome = self.apply(change);
        assert!(!matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        outcome
    }

    /// Applies what must be refused, and looks that nothing has changed.
    #[track_caller]
    pub fn refused(&mut self, change: Change) -> Refusal {
        let mut before = self.state.clone();
        match self.apply(change) {
            Outcome::Refused(refusal) => {
                before.version += 1;
                assert_eq!(self.state, before);
                refusal
            }
            outcome => panic!("not refused: {outcome:?}"),
        }
    }

    pub fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        id(self.drawn)
    }

    pub fn register(&mut self, number: u32, instance: u128) {
        self.done(Change::Register {
            worker: worker(number),
            address: format!("http://worker-{number}:9000"),
            api_key: None,
            instance: id(instance),
            protocol: 1,
            capacity: Capacity { cpu_cores: 4, pipelines_running: 0, max_pipelines: 100 },
        });
    }

    pub fn set_status(&mut self, number: u32, status: WorkerStatus) {
        let instance = self.state.workers[&worker(number)].instance;
        let change = Change::WorkerStatus { worker: worker(number), instance, status, reason: None, moves: vec![] };
        self.done(change);
    }

    /// Deploys a stateless group under this id.
    #[track_caller]
    pub fn deploy(&mut self, group: u128, spec: GroupSpec) {
        self.done(Change::Deploy { id: id(group), spec, replace: false, facts: BTreeMap::new() });
    }

    /// Deploys `count` groups of one pipeline, `sensor_filter_1` and so on; the group of `sensor_filter_n` is `n`.
    pub fn deploy_filters(&mut self, count: u128) {
        for number in 1..=count {
            let name = format!("sensor_filter_{number}");
            self.deploy(number, group(&name, vec![pipeline(&name)]));
        }
    }

    pub fn filter(&self, number: u128) -> PipelineKey {
        key(number, &format!("sensor_filter_{number}"), 0)
    }

    #[track_caller]
    pub fn placement(&self, key: &PipelineKey) -> &Placement {
        let pipeline = self.state.pipeline(key).expect("it is deployed");
        pipeline.placement.as_ref().expect("it is placed")
    }

    /// Names of the workers of these pipelines.
    pub fn where_are(&self, keys: &[PipelineKey]) -> Vec<String> {
        keys.iter().map(|key| self.placement(key).worker.to_string()).collect()
    }

    /// What the worker of a pipeline reports.
    #[track_caller]
    pub fn report(&mut self, key: &PipelineKey, phase: Phase) {
        let placement = self.placement(key);
        let (epoch, worker) = (placement.epoch, placement.worker.clone());
        self.done(Change::Report { pipeline: key.clone(), epoch, worker, phase });
    }

    /// Every placement takes records.
    pub fn run_all(&mut self) {
        let mut pipelines = self.state.pipelines_in_order();
        pipelines.retain(|(_, pipeline)| pipeline.placement.is_some());
        let keys: Vec<_> = pipelines.into_iter().map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.report(&key, Phase::Running);
        }
    }

    pub fn move_to(&mut self, key: &PipelineKey, number: u32, reason: Option<MigrationReason>) -> Move {
        let migration = reason.map(|reason| (self.draw(), reason));
        let seen = self.state.pipeline(key).expect("it is deployed").epoch;
        Move { pipeline: key.clone(), seen, to: Some(worker(number)), migration }
    }
}
