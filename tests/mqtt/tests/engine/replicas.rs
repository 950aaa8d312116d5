//! Several replicas of one pipeline, and events that come by no connector.

use crate::worker::{self, Authority, PATIENCE, Worker, key};
use rarog_control::agent::engine::{Ending, Engine, Injected, Refused};
use rarog_control::model::ids::{PipelineKey, Uuid};
use rarog_control::model::names::pipeline_id;
use rarog_control::model::state::Phase;
use rarog_control::wire::Order;
use rarog_mqtt_tests::judge::{judge, wait_for_distinct};
use rarog_mqtt_tests::{Broker, Observer, Publisher, Settings, broker::free_port, program};
use serde_json::json;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const REPLICAS: u16 = 3;

/// Orders for the replicas of the seed's program.
fn replicas(broker: &Broker, partition_key: Option<&str>) -> Vec<Order> {
    let order = |replica| {
        let pipeline = PipelineKey { replica, ..key(1) };
        let id = pipeline_id(Uuid::from_u128(1), &pipeline);
        let partition_key = partition_key.map(str::to_owned);
        Order { pipeline, id, replicas: REPLICAS, partition_key, ..worker::seed(broker, 1, 1) }
    };
    (0..REPLICAS).map(order).collect()
}

#[test]
fn replicas_divide_what_comes() {
    for partition_key in [Some("sensor_id"), None] {
        let broker = Broker::with(&Settings { max_inflight: 0, ..Settings::default() });
        let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
        let (workers, authority) = ([Worker::start(), Worker::start()], Authority::new());
        let orders = replicas(&broker, partition_key);
        let of = |order: &Order| &workers[usize::from(order.pipeline.replica) % 2];
        for order in &orders {
            of(order).install(order, &authority);
            of(order).wait_for_phase(order, "running", |phase| *phase == Phase::Running);
        }
        let mut publisher = Publisher::connect(&broker.uri(), "load");
        (0..3000).for_each(|seq| publisher.publish("e2e/input/1", 1, program::reading(seq)));
        publisher.finish();
        wait_for_distinct(&observer, program::hot(3000), PATIENCE);
        observer.settle(Duration::from_millis(300));
        assert_eq!(judge(&observer.seen(), 3000).repeated, 0);
        let metrics = workers.each_ref().map(|worker| worker.engine.metrics());
        let shares: Vec<u64> = metrics.iter().flat_map(|of| &of.pipelines).map(|of| of.events_in).collect();
        assert!(shares.len() == 3 && shares.iter().sum::<u64>() == 3000, "{shares:?}");
        assert!(shares.iter().all(|share| (500..1500).contains(share)), "{partition_key:?}: {shares:?}");
    }
}

/// Waits for an answer that somebody else's thread gives.
pub fn wait<T>(answer: impl Future<Output = T>) -> T {
    let (mut answer, deadline) = (pin!(answer), Instant::now() + PATIENCE);
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
        assert!(Instant::now() < deadline, "no answer");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Readings as events.
pub fn events(seqs: std::ops::Range<u64>) -> Vec<Injected> {
    let event = |seq: u64| {
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(&program::reading(seq)).expect("it is an object");
        fields.remove("event_type");
        Injected { event_type: "SensorReading".into(), fields }
    };
    seqs.map(event).collect()
}

/// Each number once: as it is put out.
fn hot(seqs: std::ops::Range<u64>) -> Vec<u64> {
    seqs.filter(|seq| program::is_hot(*seq)).collect()
}

#[test]
fn injected_events_give_back_what_they_cause() {
    let broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = worker::seed(&broker, 1, 1);
    let inject = |events| wait(worker.engine.inject(&order.pipeline, events));
    assert_eq!(inject(events(0..1)), Err(Refused::Unknown(order.pipeline.clone())));
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    let mut log = worker.engine.subscribe(&order.pipeline).expect("it is there");
    let outputs = inject(events(0..50)).expect("it runs");
    assert!(outputs.iter().all(|output| output.event_type == "HighTemp" && output.fields.len() == 3), "{outputs:?}");
    let seqs: Vec<u64> = outputs.iter().map(|output| output.fields["seq"].as_u64().expect("a number")).collect();
    assert_eq!(seqs, hot(0..50));
    assert_eq!(inject(Vec::new()), Ok(Vec::new()));
    let unknown = Injected { event_type: "Other".into(), fields: serde_json::Map::new() };
    assert_eq!(inject(vec![unknown]), Ok(Vec::new()));
    // They are outputs like others.
    wait_for_distinct(&observer, hot(0..50).len(), PATIENCE);
    let entry = log.try_recv().expect("it was put out");
    assert_eq!((entry.event_type.as_str(), &entry.data["seq"]), ("HighTemp", &json!(hot(0..50)[0])));
    worker.engine.stop(&order.pipeline, 1, Ending::Graceful).expect("it is there");
    worker.wait_for_stop(&order);
    assert!(inject(events(0..1)).is_err());
}

#[test]
fn a_pipeline_without_connectors_takes_injected_events() {
    let (worker, authority) = (Worker::start(), Authority::new());
    let text = "stream Hot = SensorReading\n    .where(temperature > 50)\n    .emit(seq: seq)\n\
                stream Triples = SensorReading\n    .window(3)\n    .aggregate(n: count(), last: last(seq))\n    .emit(last: last)\n";
    let order = worker::order(text, free_port(), key(1), 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    let outputs = wait(worker.engine.inject(&order.pipeline, events(0..6))).expect("it runs");
    let of = |event: &str, field: &str| -> Vec<u64> {
        let of_type = outputs.iter().filter(|output| output.event_type == event);
        of_type.map(|output| output.fields.get(field).and_then(serde_json::Value::as_u64).expect(event)).collect()
    };
    assert_eq!((of("Hot", "seq"), of("Triples", "last")), (hot(0..6), vec![2, 5]), "{outputs:?}");
}
