//! From publishing a reading to receiving what it was forwarded as, in one process, at an even pace.

use super::{TOPIC_IN, TOPIC_OUT, program, reading};
use crate::judge::seq;
use crate::{Broker, Observer, Process, Publisher};
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// How long the outputs may take to arrive when the load has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Latencies, milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Outputs.
    pub count: usize,
    /// Half are faster.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { count, p50, p99, max } = self;
        write!(f, "{count} outputs: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms")
    }
}

/// Runs rarog on readings at a rate for some seconds.
pub fn measure(seconds: usize, rate: usize) -> Latency {
    let broker = Broker::start();
    let path = crate::program::write(broker.directory(), "bench", &program(broker.port()));
    let path = path.to_str().expect("temporary paths are text");
    let mut process = Process::rarog(broker.directory(), "bench", &["run", path]);
    process.wait_for_stderr("(in): connected", PATIENCE);
    let observer = Observer::subscribe(&broker.uri(), "judge", TOPIC_OUT, 1);
    let mut publisher = Publisher::direct(&broker.uri(), "load");
    let (count, began) = (seconds * rate, Instant::now());
    let mut published = Vec::with_capacity(count);
    for number in 0..count {
        let due = began + Duration::from_secs_f64(number as f64 / rate as f64);
        if let Some(ahead) = due.checked_duration_since(Instant::now()) {
            thread::sleep(ahead);
        }
        published.push(Instant::now());
        publisher.publish(TOPIC_IN, 1, reading(number));
    }
    publisher.finish();
    observer.wait_for(count / 2, PATIENCE);
    let since = |output: &crate::Seen| output.at.duration_since(published[seq(output) as usize]).as_secs_f64() * 1e3;
    let mut latencies: Vec<f64> = observer.seen().iter().map(since).collect();
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Latency { count: latencies.len(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
}
