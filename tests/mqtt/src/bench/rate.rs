//! The rate from a backlog to the last output.

use super::{Contestant, TOPIC_IN, TOPIC_OUT, bare, connectors, reading};
use crate::observer::Counter;
use crate::{Broker, Observer, Process, Publisher, Settings};
use rarog_connectors::client_id::{End, for_run};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one contestant may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One contestant's turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Readings per second.
    pub rate: f64,
    /// Processor time of the broker, seconds.
    pub broker_seconds: f64,
}

/// Lets the contestants take turns and prints their rates.
pub fn compare(contestants: &[Contestant], events: usize, rounds: usize) {
    for max_inflight in [20, 0] {
        println!("broker with max_inflight_messages {max_inflight}, {events} readings, half of them forwarded:");
        let mut rates = vec![Vec::new(); contestants.len()];
        for _ in 0..rounds {
            for (contestant, rates) in contestants.iter().zip(&mut rates) {
                let turn = turn(*contestant, events, max_inflight);
                println!(
                    "  {contestant:?}: {:.0} readings/s, broker {:.2} us/reading",
                    turn.rate,
                    turn.broker_seconds / events as f64 * 1e6
                );
                rates.push(turn.rate);
            }
        }
        let median = |rates: &mut Vec<f64>| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        };
        let medians: Vec<f64> = rates.iter_mut().map(median).collect();
        for (contestant, rate) in contestants.iter().zip(&medians) {
            println!("  median {contestant:?}: {rate:.0} readings/s, {:.2} of the first", rate / medians[0]);
        }
    }
}

fn turn(contestant: Contestant, events: usize, max_inflight: u32) -> Turn {
    let broker = Broker::with(&Settings { max_inflight, ..Settings::default() });
    let path = crate::program::write(broker.directory(), "bench", &super::program(broker.port()));
    let path = path.to_str().expect("temporary paths are text");
    let source_id = &*for_run("", "bench", "broker", End::Source);
    // The session is made first, so that the backlog waits in it.
    drop(Observer::subscribe(&broker.uri(), source_id, TOPIC_IN, 1));
    let mut publisher = Publisher::direct(&broker.uri(), "load");
    for seq in 0..events {
        publisher.publish(TOPIC_IN, 1, reading(seq));
    }
    publisher.finish();
    let counter = Counter::subscribe(&broker.uri(), "judge", TOPIC_OUT);
    let before = processor_seconds(broker.pid());
    let running = Running::start(contestant, &broker, source_id, path);
    let (first, last) = counter.wait_for(events / 2, PATIENCE);
    let broker_seconds = processor_seconds(broker.pid()) - before;
    drop(running);
    Turn { rate: events as f64 / (last - first).as_secs_f64(), broker_seconds }
}

/// A contestant at work, until it is dropped.
enum Running {
    Thread(Arc<AtomicBool>, Option<JoinHandle<()>>),
    Process(#[allow(dead_code)] Process),
}

impl Running {
    fn start(contestant: Contestant, broker: &Broker, source_id: &str, path: &str) -> Running {
        let body = match contestant {
            Contestant::Bare => bare::run,
            Contestant::Connectors => connectors::run,
            Contestant::Rarog => return Running::Process(Process::rarog(broker.directory(), "bench", &["run", path])),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, port, source_id) = (stop.clone(), broker.port(), source_id.to_owned());
        Running::Thread(stop, Some(thread::spawn(move || body(port, &source_id, &stopped))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Running::Thread(stop, thread) = self {
            stop.store(true, Ordering::Relaxed);
            if let Some(thread) = thread.take() {
                thread.join().expect("the contestant ends well");
            }
        }
    }
}

/// Processor time of a process so far.
fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the name in parentheses; user and system ticks are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
