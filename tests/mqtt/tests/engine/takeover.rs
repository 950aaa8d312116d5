//! A pipeline that another engine takes over: nothing is lost, and the old one ends.

use crate::worker::{Authority, PATIENCE, Worker, publish, seed};
use rarog_control::model::state::Phase;
use rarog_mqtt_tests::judge::{judge, wait_for_distinct};
use rarog_mqtt_tests::{Broker, Observer, Publisher, Settings, program};
use std::time::{Duration, Instant};

fn unhurried() -> Broker {
    Broker::with(&Settings { max_inflight: 0, ..Settings::default() })
}

#[test]
fn a_successor_loses_nothing_and_its_predecessor_stops() {
    const COUNT: u64 = 20_000;
    let broker = unhurried();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (workers, authority) = ([Worker::start(), Worker::start()], Authority::new());
    let first = seed(&broker, 1, 1);
    workers[0].install(&first, &authority);
    workers[0].wait_for_phase(&first, "running", |phase| *phase == Phase::Running);
    let load = publish(&broker, 1, COUNT, 8000.0);
    let (mut before, mut taken) = (first, Vec::new());
    for epoch in 2..=5 {
        wait_for_distinct(&observer, program::hot(COUNT * (epoch - 1) / 8), PATIENCE);
        let order = seed(&broker, 1, epoch);
        authority.raise(epoch);
        let [old, new] = if epoch % 2 == 0 { [&workers[0], &workers[1]] } else { [&workers[1], &workers[0]] };
        let began = Instant::now();
        new.install(&order, &authority);
        new.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
        taken.push(began.elapsed());
        old.wait_for_stop(&before);
        before = order;
    }
    assert_eq!(load.join().expect("the load is published"), 0, "no reading is published twice");
    wait_for_distinct(&observer, program::hot(COUNT), PATIENCE);
    observer.settle(Duration::from_millis(300));
    println!("{COUNT} readings, taken over in {taken:.1?}: {:?}", judge(&observer.seen(), COUNT));
}

#[test]
fn a_zombie_says_nothing_until_it_is_told_that_it_is_one() {
    let broker = unhurried();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (zombie, successor) = (Worker::start(), Worker::start());
    // The zombie's side of the network has no coordinator.
    let (cut_off, authority) = (Authority::new(), Authority::new());
    let (old, new) = (seed(&broker, 1, 1), seed(&broker, 1, 2));
    zombie.install(&old, &cut_off);
    zombie.wait_for_phase(&old, "running", |phase| *phase == Phase::Running);
    cut_off.reached(false);
    cut_off.raise(2);
    authority.raise(2);
    successor.install(&new, &authority);
    successor.wait_for_phase(&new, "running", |phase| *phase == Phase::Running);
    let waits = |phase: &Phase| matches!(phase, Phase::Degraded { reason } if reason.contains("waiting for owner confirmation"));
    zombie.wait_for_phase(&old, "waiting", waits);
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..1000 {
        publisher.publish("e2e/input/1", 1, program::reading(seq));
    }
    publisher.finish();
    wait_for_distinct(&observer, program::hot(1000), PATIENCE);
    observer.settle(Duration::from_millis(300));
    assert_eq!(judge(&observer.seen(), 1000).repeated, 0);
    cut_off.reached(true);
    zombie.wait_for_stop(&old);
}

#[test]
fn who_cannot_ask_waits_with_its_input_kept() {
    let broker = unhurried();
    let observer = Observer::subscribe(&broker.uri(), "judge", "e2e/output", 1);
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = seed(&broker, 1, 1);
    worker.install(&order, &authority);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    authority.reached(false);
    // An unbroken connection is the right to run.
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    for seq in 0..100 {
        publisher.publish("e2e/input/1", 1, program::reading(seq));
    }
    publisher.finish();
    wait_for_distinct(&observer, program::hot(100), PATIENCE);
    authority.reached(true);
    drop(worker);
    publisher.publish("e2e/input/1", 1, program::reading(100));
    publisher.finish();
    authority.reached(false);
    let (worker, order) = (Worker::start(), seed(&broker, 1, 2));
    worker.install(&order, &authority);
    let waits = |phase: &Phase| matches!(phase, Phase::Degraded { reason } if reason.contains("waiting for owner confirmation"));
    worker.wait_for_phase(&order, "waiting", waits);
    assert_eq!(observer.count(), program::hot(100));
    authority.reached(true);
    worker.wait_for_phase(&order, "running", |phase| *phase == Phase::Running);
    wait_for_distinct(&observer, program::hot(101), PATIENCE);
    judge(&observer.seen(), 101);
}
