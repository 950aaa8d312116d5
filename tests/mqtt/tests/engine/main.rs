//! The engine of a worker against a real broker: orders, take-overs, lost brokers and coordinators.

mod moves;
mod replicas;
mod takeover;
mod worker;

use rarog_control::agent::engine::{Ending, Engine, Event};
use rarog_control::model::state::Phase;
use rarog_mqtt_tests::judge::{judge, wait_for_distinct};
use rarog_mqtt_tests::{Broker, Observer, Publisher, broker::free_port, program};
use std::time::{Duration, Instant};
use worker::{Authority, PATIENCE, Worker, key, seed};

#[test]
fn the_seeds_program_runs_and_stops() {
    let broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = seed(&broker, 1, 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..100 {
        publisher.publish("e2e/input/1", (seq % 2) as i32, program::reading(seq));
    }
    publisher.finish();
    wait_for_distinct(&observer, program::hot(100), PATIENCE);
    let text = String::from_utf8_lossy(&observer.seen()[0].payload).into_owned();
    assert!(text.starts_with(r#"{"event_type":"HighTemp","timestamp":"20"#), "{text}");
    let metrics = worker.engine.metrics();
    assert_eq!((metrics.events_processed, metrics.pipelines_running), (100, 1));
    let of_pipeline = &metrics.pipelines[0];
    assert_eq!((of_pipeline.events_in, of_pipeline.events_out), (100, program::hot(100) as u64));
    let health = &of_pipeline.connectors[..];
    assert!(matches!(health, [one] if one.connected && one.connector_name == "mqtt_1" && one.messages_received == 100));
    worker.engine.stop(&order.pipeline, 1, Ending::Graceful).expect("it is there");
    worker.wait_for_stop(&order);
    assert!(worker.engine.metrics().pipelines.is_empty() && worker.engine.metrics().events_processed == 100);
    // The session is kept for whoever comes next.
    publisher.publish("e2e/input/1", 1, program::reading(100));
    publisher.finish();
    let order = seed(&broker, 1, 2);
    worker.install(&order, &authority);
    wait_for_distinct(&observer, program::hot(101), PATIENCE);
    judge(&observer.seen(), 101);
}

#[test]
fn orders_that_were_overruled_are_refused() {
    let broker = Broker::start();
    let (worker, authority) = (Worker::start(), Authority::new());
    let (first, second) = (seed(&broker, 1, 1), seed(&broker, 1, 2));
    worker.install(&second, &authority);
    assert!(worker.try_install(&first, &authority).is_err());
    assert!(worker.engine.stop(&second.pipeline, 1, Ending::Now).is_err());
    worker.install(&second, &authority);
    worker.wait_for_phase(&second, "running", |phase| *phase == Phase::Running);
    let third = seed(&broker, 1, 3);
    worker.install(&third, &authority);
    worker.wait_for_stop(&second);
    worker.wait_for_phase(&third, "running", |phase| *phase == Phase::Running);
    worker.engine.stop(&third.pipeline, 3, Ending::Now).expect("it is there");
    worker.wait_for_stop(&third);
    assert!(worker.engine.stop(&third.pipeline, 3, Ending::Now).is_err());
}

#[test]
fn a_connector_that_nobody_answers_degrades_its_pipeline() {
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = worker::order(&program_without_connector(), free_port(), key(1), 1);
    worker.install(&order, &authority);
    let phase = worker.wait_for_phase(&order, "degraded", |phase| matches!(phase, Phase::Degraded { .. }));
    let Phase::Degraded { reason } = phase else { unreachable!("it was waited for") };
    assert!(reason.starts_with("mqtt_1 (out): 127.0.0.1:") && reason.contains("refused"), "{reason}");
    let health = &worker.engine.metrics().pipelines[0].connectors;
    assert!(!health[0].connected && health[0].last_error.is_some());
}

fn program_without_connector() -> String {
    worker::seed_text(1)
}

#[test]
fn a_broker_that_restarts_costs_nothing() {
    const COUNT: u64 = 20_000;
    let mut broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = seed(&broker, 1, 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    let load = worker::publish(&broker, 1, COUNT, 8000.0);
    wait_for_distinct(&observer, program::hot(2000), PATIENCE);
    broker.stop();
    let phase = worker.wait_for_phase(&order, "degraded", |phase| matches!(phase, Phase::Degraded { .. }));
    assert!(matches!(&phase, Phase::Degraded { reason } if reason.contains("mqtt_1")), "{phase:?}");
    broker.launch();
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    load.join().expect("the load is published");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    // What the publisher has sent again has other packet ids, and so other outputs: only loss is judged here.
}

#[test]
fn who_waits_for_a_broker_can_be_cut() {
    let mut broker = Broker::start();
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = seed(&broker, 1, 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    broker.stop();
    worker.wait_for_phase(&order, "degraded", |phase| matches!(phase, Phase::Degraded { .. }));
    // Outputs that nobody confirms.
    replicas::wait(worker.engine.inject(&order.pipeline, replicas::events(0..50))).expect("it takes them");
    worker.engine.stop(&order.pipeline, 1, Ending::Graceful).expect("it is there");
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(worker.engine.metrics().pipelines.len(), 1, "it waits for its outputs");
    worker.engine.stop(&order.pipeline, 1, Ending::Now).expect("it is there");
    worker.wait_for_stop(&order);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn two_pipelines_share_a_connector() {
    let broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "out/#", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let text = |number: u32| worker::program(&format!("in/{number}"), &format!("out/{number}"));
    let orders = [1, 2].map(|number| worker::order(&text(number), broker.port(), key(number), 1));
    orders.iter().for_each(|order| worker.install(order, &authority));
    worker.wait_until_running(&orders);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..200 {
        publisher.publish(["in/1", "in/2"][seq as usize % 2], 1, program::reading(seq));
    }
    publisher.finish();
    wait_for_distinct(&observer, program::hot(200), PATIENCE);
    judge(&observer.seen(), 200);
    let of_topic = |topic: &str| observer.seen().iter().filter(|seen| &*seen.topic == topic).count();
    assert_eq!(of_topic("out/1") + of_topic("out/2"), program::hot(200));
    worker.engine.stop(&orders[0].pipeline, 1, Ending::Now).expect("it is there");
    worker.wait_for_stop(&orders[0]);
    let seq = (200..).find(|seq| program::is_hot(*seq)).expect("there are hot ones");
    publisher.publish("in/2", 1, program::reading(seq));
    publisher.finish();
    observer.wait_for(program::hot(200) + 1, PATIENCE);
}

#[test]
fn an_upgrade_loses_the_topics_that_it_does_not_read() {
    let broker = Broker::start();
    let observer = Observer::subscribe(&broker.uri(), "judge", "out", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let mut orders =
        ["old", "new"].map(|topic| worker::order(&worker::program(topic, "out"), broker.port(), key(1), 1));
    let clients = worker.engine.clients(&orders[0]).expect("it can be opened");
    let filters: Vec<_> = clients.values().map(|client| client.filters.clone()).collect();
    assert!(
        filters.contains(&vec!["old".to_owned()]) && filters.contains(&vec![]) && filters.len() == 2,
        "{clients:?}"
    );
    (orders[1].epoch, orders[1].clients) = (2, clients);
    for order in &orders {
        worker.install(order, &authority);
        worker.wait_for_phase(order, "running", |phase| *phase == Phase::Running);
    }
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    let hot: Vec<u64> = (0..10).filter(|seq| program::is_hot(*seq)).take(2).collect();
    publisher.publish("old", 1, program::reading(hot[0]));
    publisher.finish();
    publisher.publish("new", 1, program::reading(hot[1]));
    publisher.finish();
    observer.wait_for(1, PATIENCE);
    observer.settle(Duration::from_millis(200));
    assert_eq!(observer.seen().iter().map(rarog_mqtt_tests::judge::seq).collect::<Vec<_>>(), [hot[1]]);
}

#[test]
fn sessions_of_what_is_gone_are_removed() {
    let broker = Broker::start();
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = seed(&broker, 1, 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    worker.engine.stop(&order.pipeline, 1, Ending::Now).expect("it is there");
    worker.wait_for_stop(&order);
    let clients = worker.engine.clients(&order).expect("it can be opened");
    for (client, of) in &clients {
        worker.engine.bury(client, &of.connector);
    }
    let mut buried = Vec::new();
    while buried.len() < clients.len() {
        let Event::Buried { client, result } = worker.wait_for(|event| matches!(event, Event::Buried { .. })) else {
            unreachable!("it was waited for")
        };
        assert_eq!(result, Ok(()));
        buried.push(client);
    }
    buried.sort();
    assert!(buried.iter().eq(clients.keys()));
    // Nothing waits for a successor any more.
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    publisher.publish("e2e/input/1", 1, program::reading(0));
    publisher.finish();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let next = seed(&broker, 1, 2);
    worker.install(&next, &authority);
    worker.wait_for_phase(&next, "running", |phase| *phase == Phase::Running);
    observer.settle(Duration::from_millis(200));
    assert_eq!(observer.count(), 0);
}
