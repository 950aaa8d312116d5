//! The MQTT source and sink against a real broker, fed and judged by the C client.

use bytes::Bytes;
use rarog_connectors::mqtt::{
    Address, Evidence, LinkState, Message, MqttConfig, MqttError, MqttSink, MqttSource, Outcome, Output, Qos, Receipt,
    SinkConfig, SourceConfig, forget,
};
use rarog_mqtt_tests::{Broker, Observer, Publisher, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(broker: &Broker, client_id: &str) -> MqttConfig {
    MqttConfig::new(Address::new("127.0.0.1", broker.port()), client_id)
}

fn source_config(broker: &Broker, client_id: &str) -> SourceConfig {
    SourceConfig::new(config(broker, client_id), vec!["in/#".into()])
}

fn source_with(config: SourceConfig) -> MqttSource {
    let source = MqttSource::start(config, || {}, None).expect("the configuration is valid");
    source.wait_connected(PATIENCE).expect("the broker is there");
    source
}

fn source(broker: &Broker, client_id: &str) -> MqttSource {
    source_with(source_config(broker, client_id))
}

/// Receives until there are `count` messages.
fn receive(source: &MqttSource, count: usize) -> Vec<Message> {
    let (mut messages, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while messages.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} messages came", messages.len());
        messages.extend(source.receive(count - messages.len(), Duration::from_millis(100)).expect("the source runs"));
    }
    messages
}

/// Nothing more comes.
fn assert_quiet(source: &MqttSource) {
    let more = source.receive(10, Duration::from_millis(200)).expect("the source runs");
    assert!(more.is_empty(), "unexpected: {more:?}");
}

fn acknowledge(source: &MqttSource, messages: &[Message]) {
    source.acknowledge(messages.iter().map(|message| message.receipt));
}

/// Waits for a condition that a counter or a state shows.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Default, Clone)]
struct Outcomes(Arc<Mutex<Vec<Outcome>>>);

impl Outcomes {
    fn hook(&self) -> impl FnMut(&[Outcome]) + Send + 'static {
        let list = self.0.clone();
        move |outcomes| list.lock().expect("no test panics in it").extend_from_slice(outcomes)
    }

    fn get(&self) -> Vec<Outcome> {
        self.0.lock().expect("no test panics in it").clone()
    }

    fn confirmed(&self) -> Vec<u64> {
        let tag = |outcome: &Outcome| match outcome {
            Outcome::Confirmed { tag, .. } => Some(*tag),
            Outcome::Failed(_) => None,
        };
        self.get().iter().filter_map(tag).collect()
    }
}

fn sink(broker: &Broker, client_id: &str, outcomes: &Outcomes) -> MqttSink {
    let config = SinkConfig::new(config(broker, client_id));
    MqttSink::start(config, outcomes.hook(), None).expect("the configuration is valid")
}

fn output(number: u64) -> Output {
    Output {
        topic: "out/x".into(),
        payload: Bytes::from(number.to_string()),
        rarog_id: format!("id-{number}").into(),
        qos: Qos::AtLeastOnce,
        retain: false,
        tag: number,
    }
}

fn publish_numbers(broker: &Broker, topic: &str, numbers: std::ops::Range<u64>) {
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for number in numbers {
        publisher.publish(topic, 1, number.to_string());
    }
    publisher.finish();
}

fn number(payload: &[u8]) -> u64 {
    std::str::from_utf8(payload).expect("text").parse().expect("a number")
}

#[test]
fn messages_go_through_source_and_sink_once_and_in_order() {
    const COUNT: u64 = 20_000;
    let broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "out/#", 1);
    let source = source(&broker, "src");
    let outcomes = Outcomes::default();
    let sink = sink(&broker, "out", &outcomes);
    let load = std::thread::spawn({
        let uri = broker.uri();
        move || {
            let mut publisher = Publisher::connect(&uri, "load");
            for number in 0..COUNT {
                publisher.publish("in/a", 1, number.to_string());
            }
            publisher.finish();
        }
    });
    let mut waiting: BTreeMap<u64, Receipt> = BTreeMap::new();
    let (mut next, mut done) = (0, 0);
    while done < COUNT {
        for message in source.receive(1000, Duration::from_millis(5)).expect("the source runs") {
            assert_eq!((number(&message.payload), &*message.topic), (next, "in/a"));
            waiting.insert(next, message.receipt);
            sink.send(&output(next)).expect("the sink runs");
            next += 1;
        }
        let confirmed = std::mem::take(&mut *outcomes.0.lock().expect("no panic"));
        done += confirmed.len() as u64;
        source.acknowledge(confirmed.iter().map(|outcome| match outcome {
            Outcome::Confirmed { tag, .. } => waiting.remove(tag).expect("it is confirmed once"),
            Outcome::Failed(failure) => panic!("{failure:?}"),
        }));
    }
    load.join().expect("the load was published");
    observer.wait_for(COUNT as usize, PATIENCE);
    wait("all acknowledgements are sent", || source.counters().acknowledged == COUNT);
    let numbers: Vec<u64> = observer.seen().iter().map(|seen| number(&seen.payload)).collect();
    assert!(numbers.iter().copied().eq(0..COUNT));
    assert!(observer.seen().iter().all(|seen| seen.id == Some(format!("id-{}", number(&seen.payload)))));
    assert_eq!(source.close(PATIENCE), LinkState::Closed);
    let again = self::source(&broker, "src");
    assert_quiet(&again);
    assert_eq!(sink.close(PATIENCE).unconfirmed, []);
}

#[test]
fn what_was_not_acknowledged_comes_again_to_a_successor() {
    let broker = Broker::start();
    let first = source(&broker, "src");
    publish_numbers(&broker, "in/a", 0..1000);
    let messages = receive(&first, 1000);
    // Every odd one and the first: only number 0 and 1 may be acknowledged, the order of receipt holds the others back.
    let some: Vec<Message> = messages.iter().filter(|m| number(&m.payload) % 2 == 1).cloned().collect();
    acknowledge(&first, &some);
    acknowledge(&first, &messages[..1]);
    wait("two acknowledgements are sent", || first.counters().acknowledged == 2);
    drop(first);
    let second = source(&broker, "src");
    let again = receive(&second, 998);
    assert_quiet(&second);
    for (before, after) in messages[2..].iter().zip(&again) {
        assert_eq!((&before.payload, before.packet_id), (&after.payload, after.packet_id));
        assert!(after.dup);
    }
    acknowledge(&second, &again);
    assert_eq!(second.close(PATIENCE), LinkState::Closed);
    assert_quiet(&source(&broker, "src"));
}

#[test]
fn a_broker_that_restarts_costs_a_source_nothing() {
    let mut broker = Broker::start();
    let source = source(&broker, "src");
    publish_numbers(&broker, "in/a", 0..500);
    let messages = receive(&source, 500);
    acknowledge(&source, &messages[..200]);
    wait("the acknowledgements are sent", || source.counters().acknowledged == 200);
    broker.stop();
    wait("the source notices", || matches!(source.state(), LinkState::Disconnected { .. }));
    acknowledge(&source, &messages[200..300]); // done between two connections
    broker.launch();
    wait("the source is back", || matches!(source.state(), LinkState::Connected { session_present: true }));
    publish_numbers(&broker, "in/a", 500..600);
    let more = receive(&source, 100);
    assert!(more.iter().map(|m| number(&m.payload)).eq(500..600), "none is delivered a second time");
    let counters = source.counters();
    assert!((300..=500).contains(&counters.recognised), "{counters:?}");
    assert_eq!((counters.received, counters.connections), (600, 2));
    acknowledge(&source, &messages[300..]);
    acknowledge(&source, &more);
    wait("all acknowledgements are sent", || source.counters().open == 0);
    assert_eq!(source.close(PATIENCE), LinkState::Closed);
    assert_quiet(&self::source(&broker, "src"));
}

#[test]
fn outputs_survive_a_broker_that_restarts() {
    let mut broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "out/#", 1);
    let outcomes = Outcomes::default();
    let sink = sink(&broker, "out", &outcomes);
    for number in 0..2000 {
        sink.send(&output(number)).expect("there is room");
    }
    broker.stop();
    for number in 2000..4000 {
        sink.send(&output(number)).expect("there is room");
    }
    broker.launch();
    assert!(sink.flush(PATIENCE), "{:?}", sink.state());
    let confirmed: BTreeSet<u64> = outcomes.confirmed().into_iter().collect();
    assert_eq!((outcomes.get().len(), confirmed.len()), (4000, 4000), "each is reported once");
    let all = |seen: &[rarog_mqtt_tests::Seen]| {
        seen.iter().map(|seen| number(&seen.payload)).collect::<BTreeSet<_>>().len() == 4000
    };
    assert!(observer.wait_until(PATIENCE, all), "{} arrived", observer.count());
    for seen in observer.seen() {
        assert_eq!(seen.id, Some(format!("id-{}", number(&seen.payload))), "also those that came twice");
    }
    assert_eq!(sink.counters().unconfirmed, 0);
}

#[test]
fn a_source_that_nobody_empties_holds_the_broker_back() {
    const LIMIT: usize = 1 << 20;
    let broker = Broker::start();
    let config = SourceConfig { inbox_limit_bytes: LIMIT, ..source_config(&broker, "src") };
    let source = source_with(config);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for number in 0..500_u64 {
        publisher.publish("in/a", 1, [number.to_string().into_bytes(), vec![b' '; 100_000]].concat());
    }
    publisher.finish();
    let waiting = source.counters().waiting;
    assert!(waiting as usize <= LIMIT / 100_000 + 1, "{waiting} messages wait");
    let messages = receive(&source, 500);
    assert!(messages.iter().map(|m| m.payload.iter().position(|b| *b == b' ')).all(|end| end.is_some()));
    acknowledge(&source, &messages);
    wait("all acknowledgements are sent", || source.counters().acknowledged == 500);
}

#[test]
fn large_messages_pass_and_larger_ones_do_not_get_stuck() {
    let broker = Broker::start();
    let source = source(&broker, "src");
    let observer = Observer::subscribe(&broker.uri(), "judge", "out/#", 1);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    let sizes = [11_000, 900_000, 2_000_000, 15_000_000, 17_000_000, 5];
    for size in sizes {
        publisher.publish("in/a", 1, vec![b'x'; size]);
    }
    publisher.finish();
    let messages = receive(&source, 5);
    let received: Vec<usize> = messages.iter().map(|m| m.payload.len()).collect();
    assert_eq!(received, [11_000, 900_000, 2_000_000, 15_000_000, 5], "the broker keeps to the packet limit");
    assert_eq!(source.counters().connections, 1);
    let outcomes = Outcomes::default();
    let sink = sink(&broker, "out", &outcomes);
    for message in &messages {
        sink.send(&Output { payload: message.payload.clone(), ..output(1) }).expect("there is room");
    }
    let huge = Output { payload: vec![b'x'; 17_000_000].into(), ..output(1) };
    assert!(sink.send(&huge).is_err());
    assert!(sink.flush(PATIENCE));
    observer.wait_for(5, PATIENCE);
}

#[test]
fn credentials_are_used_and_their_lack_is_named() {
    let user = ("falcon".to_owned(), "fire".to_owned());
    let broker = Broker::with(&Settings { user: Some(user), ..Settings::default() });
    let wrong = MqttConfig {
        username: Some("falcon".into()),
        password: Some("ice".into()),
        connect_timeout: Some(Duration::from_millis(500)),
        ..config(&broker, "src")
    };
    let source = MqttSource::start(SourceConfig::new(wrong, vec!["in/#".into()]), || {}, None).expect("it is valid");
    match source.wait_connected(PATIENCE) {
        Err(MqttError::ConnectTimeout { reason, .. }) => assert!(reason.contains("refused"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let right = MqttConfig { username: Some("falcon".into()), password: Some("fire".into()), ..config(&broker, "src") };
    let source = source_with(SourceConfig::new(right.clone(), vec!["in/#".into()]));
    let sink = MqttSink::start(SinkConfig::new(MqttConfig { client_id: "out".into(), ..right }), |_| {}, None);
    let sink = sink.expect("it is valid");
    sink.send(&Output { topic: "in/a".into(), ..output(7) }).expect("there is room");
    assert_eq!(number(&receive(&source, 1)[0].payload), 7);
}

#[test]
fn the_newer_of_two_clients_with_one_id_stays() {
    let broker = Broker::start();
    let old = source(&broker, "src");
    let new = source(&broker, "src");
    wait("the older one gives up", || old.state().is_final());
    let LinkState::Failed(MqttError::TakenOver { client_id, evidence }) = old.state() else {
        panic!("{:?}", old.state());
    };
    assert_eq!(client_id, "src");
    assert!(matches!(evidence, Evidence::Told | Evidence::Inferred));
    publish_numbers(&broker, "in/a", 0..10);
    let messages = receive(&new, 10);
    acknowledge(&new, &messages);
    wait("all acknowledgements are sent", || new.counters().acknowledged == 10);
    assert!(old.receive(1, Duration::ZERO).is_err());
}

#[test]
fn a_session_that_is_forgotten_keeps_nothing() {
    let broker = Broker::start();
    drop(source(&broker, "src"));
    publish_numbers(&broker, "in/a", 0..10);
    forget(&config(&broker, "src"), PATIENCE).expect("the broker is there");
    let source = source(&broker, "src");
    assert_quiet(&source);
    assert!(matches!(source.state(), LinkState::Connected { session_present: false }));
}

#[test]
fn an_output_that_the_broker_refuses_fails_and_the_others_pass() {
    let rules = rarog_mqtt_tests::broker::fresh_directory();
    std::fs::write(rules.join("acl"), "topic readwrite out/#\ntopic read in/#\n").expect("it is writable");
    // Without a limit on queued messages, mosquitto 2.0.11 answers a refused publish by closing the connection.
    let acl = format!("acl_file {}", rules.join("acl").display());
    let lines = vec![acl, "max_queued_messages 100000".into()];
    let broker = Broker::with(&Settings { lines, ..Settings::default() });
    let observer = Observer::subscribe(&broker.uri(), "judge", "#", 1);
    let outcomes = Outcomes::default();
    let sink = sink(&broker, "out", &outcomes);
    for number in 0..300 {
        let topic = if number % 3 == 0 { "secret" } else { "out/x" };
        sink.send(&Output { topic: topic.into(), ..output(number) }).expect("there is room");
    }
    assert!(sink.flush(PATIENCE), "{:?} {:?}\n{}", sink.counters(), sink.state(), broker.log());
    let failed: BTreeSet<u64> = outcomes
        .get()
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Failed(failure) => Some(failure.output.tag),
            Outcome::Confirmed { .. } => None,
        })
        .collect();
    assert!(failed.iter().copied().eq((0..300).step_by(3)), "{failed:?}");
    observer.wait_for(200, PATIENCE);
    assert_eq!(sink.counters().connections, 1);
    drop(std::fs::remove_dir_all(rules));
}

#[test]
fn retained_messages_come_with_the_first_subscription_only() {
    let mut broker = Broker::start();
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    publisher.publish_retained("in/a", "1");
    publisher.finish();
    let source = source(&broker, "src");
    let messages = receive(&source, 1);
    assert!(messages[0].retain);
    acknowledge(&source, &messages);
    wait("it is acknowledged", || source.counters().acknowledged == 1);
    broker.stop();
    broker.launch();
    wait("the source is back", || source.counters().connections == 2);
    assert_quiet(&source);
}

#[test]
fn an_end_that_stops_takes_no_more_and_loses_nothing() {
    let broker = Broker::start();
    let first = source(&broker, "src");
    publish_numbers(&broker, "in/a", 0..100);
    let messages = receive(&first, 100);
    first.stop_intake();
    publish_numbers(&broker, "in/a", 100..3000); // comes in unread while it is closing
    acknowledge(&first, &messages);
    assert_eq!(first.close(PATIENCE), LinkState::Closed);
    let second = source(&broker, "src");
    let rest = receive(&second, 2900);
    assert!(rest.iter().map(|m| number(&m.payload)).eq(100..3000), "none of the acknowledged comes again");
}
