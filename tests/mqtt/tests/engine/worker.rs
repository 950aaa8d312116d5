//! An engine with its events, orders for it, and somebody who says who the owner is.

use rarog::cluster::engine::{LiveEngine, Settings};
use rarog_control::agent::engine::{Assignment, Engine, Event, Refused, Warrant};
use rarog_control::model::ids::{EpochNumber, PipelineKey, Uuid};
use rarog_control::model::names::pipeline_id;
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::model::state::Phase;
use rarog_control::seams::Pending;
use rarog_control::wire::{Order, Verdict};
use rarog_lang::check::registered_connector;
use rarog_lang::compile::{Options, compile};
use rarog_mqtt_tests::{Broker, Publisher, program};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing takes so long, except on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Knows the newest epoch, as far as it is reached.
pub struct Authority {
    newest: AtomicU64,
    reached: AtomicBool,
}

impl Authority {
    /// Epoch 1 is the newest.
    pub fn new() -> Arc<Authority> {
        Arc::new(Authority { newest: AtomicU64::new(1), reached: AtomicBool::new(true) })
    }

    /// Another epoch is.
    pub fn raise(&self, epoch: EpochNumber) {
        self.newest.store(epoch, Ordering::SeqCst);
    }

    /// Can anybody ask it?
    pub fn reached(&self, reached: bool) {
        self.reached.store(reached, Ordering::SeqCst);
    }
}

impl Warrant for Authority {
    fn owner(&self, _: &PipelineKey, epoch: EpochNumber) -> Pending<'static, Verdict> {
        let verdict = match (self.reached.load(Ordering::SeqCst), epoch >= self.newest.load(Ordering::SeqCst)) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Owner,
            (true, false) => Verdict::Superseded,
        };
        Box::pin(async move { verdict })
    }
}

/// An engine with what it tells.
pub struct Worker {
    pub engine: LiveEngine,
    events: Mutex<Receiver<Event>>,
}

impl Worker {
    pub fn start() -> Worker {
        let engine = LiveEngine::new(Settings::default());
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        engine.listen(Box::new(move |event| _ = sender.lock().expect("no test panics within").send(event)));
        Worker { engine, events: Mutex::new(events) }
    }

    pub fn try_install(&self, order: &Order, authority: &Arc<Authority>) -> Result<(), Refused> {
        self.install_with(order, authority, None)
    }

    pub fn install_with(
        &self,
        order: &Order,
        authority: &Arc<Authority>,
        state: Option<Arc<[u8]>>,
    ) -> Result<(), Refused> {
        self.engine.install(Assignment { order: order.clone(), state, warrant: authority.clone() })
    }

    pub fn install(&self, order: &Order, authority: &Arc<Authority>) {
        self.try_install(order, authority).expect("the order is good");
    }

    /// The next event that is wanted; others are passed over.
    pub fn wait_for(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        let (events, deadline) = (self.events.lock().expect("no test panics within"), Instant::now() + PATIENCE);
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match events.recv_timeout(left) {
                Ok(event) if wanted(&event) => return event,
                Ok(event) => passed.push(event),
                Err(error) => panic!("{error}; there were {passed:?}"),
            }
        }
    }

    pub fn wait_for_phase(&self, order: &Order, what: &str, wanted: impl Fn(&Phase) -> bool) -> Phase {
        let is_its = |event: &Event| match event {
            Event::Phase { pipeline, epoch, phase } => {
                (pipeline, epoch) == (&order.pipeline, &order.epoch) && wanted(phase)
            }
            _ => false,
        };
        let Event::Phase { phase, .. } = self.wait_for(is_its) else { unreachable!("{what} was waited for") };
        phase
    }

    /// Waits until all of them run, in whatever order they begin to.
    pub fn wait_until_running(&self, orders: &[Order]) {
        let mut waiting: Vec<&PipelineKey> = orders.iter().map(|order| &order.pipeline).collect();
        while !waiting.is_empty() {
            let is_one = |event: &Event| match event {
                Event::Phase { pipeline, phase, .. } => *phase == Phase::Running && waiting.contains(&pipeline),
                _ => false,
            };
            let Event::Phase { pipeline, .. } = self.wait_for(is_one) else { unreachable!("it was waited for") };
            waiting.retain(|key| **key != pipeline);
        }
    }

    pub fn wait_for_stop(&self, order: &Order) {
        let stopped = Event::Stopped { pipeline: order.pipeline.clone(), epoch: order.epoch };
        self.wait_for(|event| *event == stopped);
    }
}

/// The key of a pipeline.
pub fn key(number: u32) -> PipelineKey {
    PipelineKey::new(Uuid::from_u128(7), &format!("p{number}"), 0)
}

/// Hot readings from one topic to another over the cluster's connector.
pub fn program(topic_in: &str, topic_out: &str) -> String {
    let text = program::seed("mqtt_1", 1, topic_in, topic_out);
    text.split_once('\n').expect("the connector has a line of its own").1.to_owned()
}

/// The seed's program, as it is deployed.
pub fn seed_text(number: u32) -> String {
    program(&format!("e2e/input/{number}"), "e2e/output")
}

pub fn seed(broker: &Broker, number: u32, epoch: EpochNumber) -> Order {
    order(&seed_text(number), broker.port(), key(number), epoch)
}

/// An order for a program, as a coordinator makes it.
pub fn order(text: &str, port: u16, pipeline: PipelineKey, epoch: EpochNumber) -> Order {
    let params: BTreeMap<String, String> =
        [("host", "127.0.0.1"), ("port", &port.to_string())].map(|(name, text)| (name.into(), text.into())).into();
    let spec = ConnectorSpec { name: "mqtt_1".into(), connector_type: "mqtt".into(), params, description: None };
    let texts = spec.params.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let connector = registered_connector("mqtt_1", "mqtt", texts).expect("it is a connector");
    let options = Options { name: "program".into(), imports: None, cluster_connectors: &[connector] };
    let compiled = compile(text, &options);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    Order {
        epoch,
        id: pipeline_id(Uuid::from_u128(1), &pipeline),
        incarnation: pipeline.incarnation,
        pipeline,
        replicas: 1,
        partition_key: None,
        group_name: "tests".into(),
        source: text.into(),
        plan: Arc::new(plan),
        connectors: [("mqtt_1".to_owned(), spec)].into(),
        clients: BTreeMap::new(),
        state_comes: false,
    }
}

/// Publishes readings on a thread of its own.
pub fn publish(broker: &Broker, number: u32, count: u64, rate: f64) -> JoinHandle<u64> {
    let uri = broker.uri();
    std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        let readings = (0..count).map(|seq| program::reading(seq).into_bytes());
        publisher.publish_paced(&format!("e2e/input/{number}"), 1, rate, readings);
        publisher.finish()
    })
}
