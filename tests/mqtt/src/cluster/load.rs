//! Numbered readings through a cluster, and the exact account of what came out.
//!
//! The collector is never cleared: each reading has a number, and belongs to the phase that numbered it. Invariant: what the
//! account calls lost has not come out, although the broker confirmed its reading, within the time it was given.

use crate::program::{is_hot, reading};
use crate::{Observer, Publisher, judge};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long outputs may take that are to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of readings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Outputs that were to come.
    pub expected: usize,
    /// Of these, those that did not.
    pub lost: usize,
    /// Outputs beyond the first of a reading.
    pub repeated: usize,
    /// Of these, those without the id of the first.
    pub repeated_without_id: usize,
    /// Outputs that no published reading explains.
    pub invented: usize,
}

/// See the module's head.
pub struct Load {
    publisher: Publisher,
    observer: Observer,
    next: u64,
    /// All hot readings published so far.
    hot: BTreeSet<u64>,
}

impl Load {
    /// Connects generator and collector to a broker.
    pub fn connect(uri: &str) -> Load {
        let observer = Observer::subscribe(uri, "collector", "e2e/output", 1);
        Load { publisher: Publisher::connect(uri, "load"), observer, next: 0, hot: BTreeSet::new() }
    }

    /// Publishes readings over these inputs in turn, as fast as the broker takes them; waits for its confirmations.
    pub fn publish(&mut self, count: u64, inputs: &[usize]) -> Range<u64> {
        let numbers = self.next..self.next + count;
        for seq in numbers.clone() {
            self.one(seq, inputs);
        }
        self.publisher.finish();
        numbers
    }

    /// Publishes readings that nobody is to read; waits for the broker's confirmations.
    pub fn publish_unread(&mut self, count: u64, inputs: &[usize]) {
        for seq in self.next..self.next + count {
            let input = inputs[(seq % inputs.len() as u64) as usize];
            self.publisher.publish(&format!("e2e/input/{input}"), 1, reading(seq));
        }
        self.next += count;
        self.publisher.finish();
    }

    /// Publishes readings at a rate per second until `until` says so; it is asked before each.
    pub fn publish_paced(
        &mut self,
        rate: f64,
        inputs: &[usize],
        mut until: impl FnMut(Duration) -> bool,
    ) -> Range<u64> {
        let (began, first) = (Instant::now(), self.next);
        while !until(began.elapsed()) {
            let due = began + Duration::from_secs_f64((self.next - first) as f64 / rate);
            if let Some(ahead) = due.checked_duration_since(Instant::now()) {
                std::thread::sleep(ahead);
            }
            self.one(self.next, inputs);
        }
        self.publisher.finish();
        first..self.next
    }

    fn one(&mut self, seq: u64, inputs: &[usize]) {
        let input = inputs[(seq % inputs.len() as u64) as usize];
        self.publisher.publish(&format!("e2e/input/{input}"), 1, reading(seq));
        if is_hot(seq) {
            self.hot.insert(seq);
        }
        self.next = seq + 1;
    }

    /// Waits until everything published has come out, or [`PATIENCE`] is over; the account of all so far.
    pub fn account(&self) -> Tally {
        let expected = self.hot.len();
        let mut distinct = judge::Distinct::default();
        self.observer.wait_until(PATIENCE, |seen| distinct.count(seen) >= expected);
        self.tally()
    }

    /// The account of what is there now.
    pub fn tally(&self) -> Tally {
        let seen = self.observer.seen();
        let mut ids: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let mut tally = Tally { expected: self.hot.len(), ..Tally::default() };
        for output in &seen {
            let seq = judge::seq(output);
            if !self.hot.contains(&seq) {
                tally.invented += 1;
                continue;
            }
            let id = output.id.clone().unwrap_or_default();
            match ids.get_mut(&seq) {
                None => _ = ids.insert(seq, BTreeSet::from([id])),
                Some(known) => {
                    tally.repeated += 1;
                    tally.repeated_without_id += usize::from(id.is_empty() || known.insert(id));
                }
            }
        }
        tally.lost = tally.expected - ids.len();
        tally
    }

    /// Waits until nothing has come out for this long.
    pub fn settle(&self, quiet: Duration) {
        self.observer.settle(quiet);
    }

    /// The longest time between two outputs of readings for `input` that overlaps this span.
    pub fn longest_gap_within(&self, input: usize, inputs: &[usize], from: Instant, to: Instant) -> Duration {
        let of_input = |seq: u64| inputs[(seq % inputs.len() as u64) as usize] == input;
        let seen = self.observer.seen();
        let times = seen.iter().filter(|output| of_input(judge::seq(output))).map(|output| output.at);
        let times: Vec<Instant> = times.collect();
        let start = times.partition_point(|at| *at < from).saturating_sub(1);
        let end = (times.partition_point(|at| *at <= to) + 1).min(times.len());
        times[start..end].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The collector.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }
}
