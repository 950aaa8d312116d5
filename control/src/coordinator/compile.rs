//! From VPL and the cluster's connectors to what a worker is told to run.
//!
//! ```text
//!   source + connectors ──> Compiler ──> Program ──┬──> REST: diagnostics, graphs
//!                              (cache)             └──> order(state, pipeline): what a placement runs
//! ```
//! A name that a program uses and does not declare is looked up among the connectors when the plan is built; no text is put in
//! front of the program, so lines and columns are the user's. Invariant: no plan holds a secret of a connector of the cluster;
//! an order carries them beside the plan.

use crate::model::ids::PipelineKey;
use crate::model::spec::{ConnectorSpec, SECRET_PARAMS};
use crate::model::state::{Connector, Phase, Placement, State};
use crate::wire::Order;
use rarog_lang::check::registered_connector;
use rarog_lang::compile::{Compiled, Options, compile};
use rarog_lang::diagnostic::{Diagnostic, Severity};
use rarog_lang::plan::{self, Plan};
use rarog_lang::render::{Position, SourceText};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Bytes of program text whose plans are kept.
pub const CACHE_BYTES: usize = 16 << 20;

/// Plans that are kept.
pub const CACHE_PROGRAMS: usize = 1024;

/// A program that compiles.
#[derive(Debug)]
pub struct Program {
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Does it keep something of earlier records? If not, any worker can go on where another one stopped.
    pub stateful: bool,
    /// The connectors of the cluster that it uses, by name, as they were when it was compiled.
    pub connectors: BTreeMap<String, ConnectorSpec>,
    /// What is to be said of it all the same.
    pub warnings: Vec<Problem>,
}

/// Something that is to be said of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// `E0206`, …
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Compiles, and remembers what it compiled lately.
#[derive(Debug, Default)]
pub struct Compiler {
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    programs: BTreeMap<Arc<str>, Arc<Program>>,
    /// The oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Compiler {
    /// One that remembers nothing.
    pub fn new() -> Compiler {
        Compiler::default()
    }

    /// Compiles a program, or says everything that is wrong with it. What was compiled before counts for as long as the
    /// connectors that it uses stay what they were.
    pub fn compile(
        &self,
        source: &Arc<str>,
        connectors: &BTreeMap<String, Connector>,
    ) -> Result<Arc<Program>, Vec<Problem>> {
        if let Some(program) = self.cache().get(source, connectors) {
            return Ok(program);
        }
        let (compiled, registered) = front_end(source, connectors);
        let problems = problems(&compiled.diagnostics, &compiled.sources);
        let Some(plan) = compiled.plan else { return Err(problems) };
        let program = Arc::new(program(plan, &registered, connectors, problems));
        self.cache().put(source.clone(), program.clone());
        Ok(program)
    }

    /// What the worker of a pipeline's present placement is to be told.
    pub fn order(&self, state: &State, key: &PipelineKey) -> Result<Order, String> {
        let group = state.groups.get(&key.group).ok_or_else(|| format!("there is no group {}", key.group))?;
        let unknown = || format!("there is no pipeline {key}");
        let pipeline = group.pipelines.get(key).ok_or_else(unknown)?;
        let spec = group.spec.pipelines.iter().find(|spec| spec.name == key.name).ok_or_else(unknown)?;
        let placement = pipeline.placement.as_ref().ok_or_else(|| format!("{key} has no placement"))?;
        let program = self.compile(&spec.source, &state.connectors).map_err(|problems| {
            let first = problems.iter().find(|problem| problem.severity == "error");
            let why = first.map_or_else(String::new, |e| format!(": {} in line {}: {}", e.code, e.line, e.message));
            format!("{key} does not compile any more{why}")
        })?;
        Ok(Order {
            pipeline: key.clone(),
            epoch: placement.epoch,
            id: pipeline.id,
            incarnation: key.incarnation,
            replicas: pipeline.replicas,
            partition_key: spec.partition_key.clone(),
            group_name: group.spec.name.clone(),
            source: spec.source.clone(),
            plan: program.plan.clone(),
            connectors: program.connectors.clone(),
            clients: pipeline.clients.clone(),
            state_comes: state_comes(state, placement),
        })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Nothing in it is ever half done, so a panic elsewhere does not spoil it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn get(&self, source: &Arc<str>, connectors: &BTreeMap<String, Connector>) -> Option<Arc<Program>> {
        let program = self.programs.get(source)?;
        let same = |(name, used): (&String, &ConnectorSpec)| connectors.get(name).is_some_and(|now| now.spec == *used);
        program.connectors.iter().all(same).then(|| program.clone())
    }

    fn put(&mut self, source: Arc<str>, program: Arc<Program>) {
        if self.programs.insert(source.clone(), program).is_none() {
            self.bytes += source.len();
            self.order.push_back(source);
        }
        while self.bytes > CACHE_BYTES || self.order.len() > CACHE_PROGRAMS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.len();
            self.programs.remove(&oldest);
        }
    }
}

/// Everything that is to be said of a program, and its plan also if this build does not run something of it yet.
pub fn inspect(source: &str, connectors: &BTreeMap<String, Connector>) -> (Option<Plan>, Vec<Problem>) {
    let (compiled, _) = front_end(source, connectors);
    let problems = problems(&compiled.diagnostics, &compiled.sources);
    (compiled.plan.or(compiled.draft), problems)
}

/// The connector as plans have it: typed, and without its secrets. Fails with everything that is wrong with it.
pub fn registered(spec: &ConnectorSpec) -> Result<plan::Connector, Vec<String>> {
    let params = spec.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut connector = registered_connector(&spec.name, &spec.connector_type, params)?;
    connector.params.retain(|(name, _)| !SECRET_PARAMS.contains(&&**name));
    Ok(connector)
}

fn front_end(source: &str, connectors: &BTreeMap<String, Connector>) -> (Compiled, Vec<plan::Connector>) {
    // All were checked when they were stored; one that an older build stored and this one refuses is as good as missing.
    let registered: Vec<_> = connectors.values().filter_map(|connector| registered(&connector.spec).ok()).collect();
    let options = Options { name: "<pipeline>".into(), imports: None, cluster_connectors: &registered };
    let compiled = aside(|| compile(source, &options));
    (compiled, registered)
}

/// Does something long on the thread that asks, after the runtime has moved to others what that thread has to do besides:
/// heartbeats and probes do not wait for a compiler. A runtime of one thread, as simulations have it, waits.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

fn program(
    plan: Plan,
    registered: &[plan::Connector],
    connectors: &BTreeMap<String, Connector>,
    warnings: Vec<Problem>,
) -> Program {
    let of_cluster = plan.connectors.iter().filter(|used| registered.contains(used));
    let specs = of_cluster.filter_map(|used| connectors.get(&*used.name)).map(|connector| connector.spec.clone());
    let connectors = specs.map(|spec| (spec.name.clone(), spec)).collect();
    let stateful = plan.nodes.iter().any(|node| node.op.keeps_state());
    Program { plan: Arc::new(plan), stateful, connectors, warnings }
}

fn problems(diagnostics: &[Diagnostic], sources: &[SourceText]) -> Vec<Problem> {
    let start = Position { line: 1, column: 1 };
    let problem = |diagnostic: &Diagnostic| {
        let source = sources.get(usize::from(diagnostic.span.file));
        let place = source.map_or(start, |source| source.position(diagnostic.span.start));
        Problem {
            severity: if diagnostic.severity == Severity::Error { "error" } else { "warning" },
            line: place.line,
            column: place.column,
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            hint: diagnostic.help.clone(),
        }
    };
    diagnostics.iter().map(problem).collect()
}

/// Does a placement begin with what the worker before it hands over? After a loss there is nothing to hand over, and one
/// that runs has it already.
fn state_comes(state: &State, placement: &Placement) -> bool {
    let migration = placement.migration.and_then(|id| state.migrations.get(&id));
    placement.phase == Phase::Deploying && migration.is_some_and(|it| it.with_state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Uuid, WorkerId};
    use crate::model::spec::{GroupSpec, PipelineSpec};
    use crate::model::state::{Group, Pipeline};

    /// As deployment scripts write it.
    const PROGRAM: &str = "event SensorReading:\n    sensor_id: str\n    temperature: float\n\
        stream Input = SensorReading\n    .from(mqtt_1, topic: \"e2e/input/1\")\n\
        stream HighTemp = Input\n    .where(temperature > 50.0)\n\
        stream Output = HighTemp\n    .to(mqtt_1, topic: \"e2e/output\")\n";

    fn connectors(specs: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, Connector> {
        let connector = |(name, params): &(&str, &[(&str, &str)])| {
            let params = params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            let spec = ConnectorSpec { name: (*name).into(), connector_type: "mqtt".into(), params, description: None };
            ((*name).to_string(), Connector { spec, revision: 1 })
        };
        specs.iter().map(connector).collect()
    }

    fn broker() -> BTreeMap<String, Connector> {
        let params: &[_] = &[("host", "broker"), ("port", "1883"), ("password", "hush-hush")];
        connectors(&[("mqtt_1", params), ("other", &[("host", "h")])])
    }

    fn state(source: &str) -> (State, PipelineKey) {
        let id = Uuid::from_u128(7);
        let key = PipelineKey { incarnation: 2, ..PipelineKey::new(id, "p", 0) };
        let spec = PipelineSpec {
            name: "p".into(),
            source: source.into(),
            worker_affinity: None,
            replicas: 1,
            partition_key: None,
        };
        let placement = Placement {
            worker: WorkerId::new("w"),
            instance: Uuid::from_u128(1),
            epoch: 3,
            phase: Phase::Deploying,
            since_ms: 0,
            from: None,
            migration: None,
        };
        let pipeline = Pipeline {
            id: Uuid::from_u128(8),
            replicas: 1,
            revision: 1,
            epoch: 3,
            placement: Some(placement),
            clients: BTreeMap::new(),
        };
        let group = Group {
            spec: GroupSpec { name: "g".into(), pipelines: vec![spec], routes: vec![] },
            number: 0,
            created_ms: 0,
            revision: 1,
            incarnation: 2,
            facts: BTreeMap::new(),
            pipelines: [(key.clone(), pipeline)].into(),
        };
        let state = State { groups: [(id, group)].into(), connectors: broker(), ..State::default() };
        (state, key)
    }

    #[test]
    fn names_are_looked_up_in_the_cluster() {
        let program = Compiler::new().compile(&PROGRAM.into(), &broker()).expect("it compiles");
        assert!(!program.stateful);
        assert_eq!(program.connectors.keys().collect::<Vec<_>>(), ["mqtt_1"]);
        assert_eq!(program.connectors["mqtt_1"].params["password"], "hush-hush");
        assert!(!format!("{:?}", program.plan).contains("hush-hush"));
    }

    #[test]
    fn diagnostics_have_the_lines_of_the_text() {
        let text = PROGRAM.replace("temperature > 50.0", "temprature > 50.0").replace(".to(mqtt_1", ".to(mqtt_9");
        let problems = Compiler::new().compile(&text.into(), &broker()).expect_err("it is wrong");
        let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column, problem.code)).collect();
        assert_eq!(places, [(7, 12, "E0206"), (9, 9, "E0204")]);
        assert!(problems.iter().all(|problem| problem.hint.is_some()), "{problems:?}");
    }

    #[test]
    fn what_was_compiled_counts_while_its_connectors_stay() {
        let compiler = Compiler::new();
        let source: Arc<str> = PROGRAM.into();
        let mut known = broker();
        let first = compiler.compile(&source, &known).expect("it compiles");
        known.remove("other");
        assert!(Arc::ptr_eq(&first, &compiler.compile(&source, &known).expect("it compiles")));
        let spec = &mut known.get_mut("mqtt_1").expect("it is there").spec;
        spec.params.insert("host".into(), "elsewhere".into());
        let second = compiler.compile(&source, &known).expect("it compiles");
        assert_eq!(second.connectors["mqtt_1"].params["host"], "elsewhere");
        known.remove("mqtt_1");
        assert_eq!(compiler.compile(&source, &known).expect_err("the connector is gone")[0].code, "E0204");
    }

    #[test]
    fn the_cache_is_bounded() {
        let compiler = Compiler::new();
        for at in 0..CACHE_PROGRAMS + 3 {
            compiler.compile(&format!("let a = {at}\n").into(), &BTreeMap::new()).expect("it compiles");
        }
        let cache = compiler.cache();
        assert_eq!((cache.programs.len(), cache.order.len()), (CACHE_PROGRAMS, CACHE_PROGRAMS));
        assert_eq!(cache.bytes, cache.programs.keys().map(|source| source.len()).sum::<usize>());
    }

    #[test]
    fn an_order_says_what_the_placement_runs() {
        let (mut state, key) = state(PROGRAM);
        let compiler = Compiler::new();
        let order = compiler.order(&state, &key).expect("there is a placement");
        assert_eq!((order.epoch, order.incarnation, order.group_name.as_str()), (3, 2, "g"));
        assert!(!order.state_comes && order.connectors.contains_key("mqtt_1"));
        state.connectors.clear();
        let gone = compiler.order(&state, &key).expect_err("its connector is gone");
        assert!(gone.contains("E0204 in line 5: unknown connector mqtt_1"), "{gone}");
        let group = state.groups.get_mut(&key.group).expect("it is there");
        group.pipelines.get_mut(&key).expect("it is there").placement = None;
        assert!(compiler.order(&state, &key).expect_err("it is not placed").ends_with("has no placement"));
    }
}
