//! A pipeline with state that moves from engine to engine, on purpose.

use crate::worker::{self, Authority, PATIENCE, Worker, key};
use rarog_control::agent::engine::{Engine, Event};
use rarog_control::model::state::Phase;
use rarog_control::wire::Order;
use rarog_mqtt_tests::sums::{expected, program, reading, windows};
use rarog_mqtt_tests::{Broker, Observer, Publisher, Settings, broker::free_port};
use std::sync::Arc;

fn sums(port: u16, epoch: u64) -> Order {
    worker::order(&program("mqtt_1", "in", "sums"), port, key(1), epoch)
}

/// Releases a pipeline, and waits until it is gone; its state, or why there is none.
fn release(worker: &Worker, order: &Order) -> Result<Arc<[u8]>, String> {
    worker.engine.release(&order.pipeline, order.epoch).expect("it is there");
    let released = worker.wait_for(|event| matches!(event, Event::Released { epoch, .. } if *epoch == order.epoch));
    let Event::Released { state, .. } = released else { unreachable!("it was waited for") };
    if state.is_ok() {
        worker.wait_for_stop(order);
    }
    state
}

fn is_running(phase: &Phase) -> bool {
    *phase == Phase::Running
}

#[test]
fn windows_are_right_however_often_their_pipeline_moves() {
    const COUNT: u64 = 40_000;
    let broker = Broker::with(&Settings { max_inflight: 0, ..Settings::default() });
    let observer = Observer::subscribe(&broker.uri(), "judge", "sums", 1);
    let (workers, authority) = ([Worker::start(), Worker::start()], Authority::new());
    let mut order = sums(broker.port(), 1);
    workers[0].install(&order, &authority);
    workers[0].wait_for_phase(&order, "running", is_running);
    let uri = broker.uri();
    let load = std::thread::spawn(move || {
        let mut publisher = Publisher::connect(&uri, "load");
        // One more that closes the last window of the others.
        publisher.publish_paced("in", 1, 8000.0, (0..=COUNT).map(reading));
        publisher.finish()
    });
    for epoch in 2..=5 {
        let wanted = (epoch as usize - 1) * 35;
        assert!(observer.wait_until(PATIENCE, |seen| seen.len() >= wanted), "{} windows", observer.count());
        let [old, new] = if epoch % 2 == 0 { [&workers[0], &workers[1]] } else { [&workers[1], &workers[0]] };
        let state = release(old, &order).expect("its connections stand");
        order = sums(broker.port(), epoch);
        authority.raise(epoch);
        new.install_with(&order, &authority, Some(state)).expect("the order is good");
        new.wait_for_phase(&order, "running", is_running);
    }
    assert_eq!(load.join().expect("the load is published"), 0, "no reading is published twice");
    let wanted = expected(COUNT);
    let all = observer.wait_until(PATIENCE, |seen| seen.len() >= wanted.len());
    let (got, repeats) = windows(&observer.seen());
    println!("{COUNT} readings, 4 moves: {} windows, {repeats} repeated with the same id", got.len());
    assert!(all, "{} of {} windows", got.len(), wanted.len());
    assert_eq!(got, wanted);
}

#[test]
fn a_pipeline_that_cannot_finish_is_not_released() {
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = sums(free_port(), 1);
    worker.install(&order, &authority);
    let reason = release(&worker, &order).expect_err("nobody answers its connector");
    assert!(reason.contains("mqtt_1"), "{reason}");
    // It goes on.
    worker.wait_for_phase(&order, "degraded", |phase| matches!(phase, Phase::Degraded { .. }));
    assert_eq!(worker.engine.metrics().pipelines.len(), 1);
}

#[test]
fn a_state_that_is_damaged_is_refused() {
    let broker = Broker::start();
    let (worker, authority) = (Worker::start(), Authority::new());
    let order = sums(broker.port(), 1);
    worker.install_with(&order, &authority, Some(b"rubbish".as_slice().into())).expect("it is looked at later");
    let phase = worker.wait_for_phase(&order, "failed", |phase| matches!(phase, Phase::Failed { .. }));
    assert_eq!(phase, Phase::Failed { reason: "its state: it is cut off".into() });
}
