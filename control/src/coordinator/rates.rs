//! How many records come into pipelines, from the counters that workers send.
//!
//! Time is an argument. Invariant: a rate covers at least [`SPAN_S`]; a counter that went back belongs to a new placement and starts anew.

use crate::model::ids::PipelineKey;
use crate::wire::PipelineMetrics;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Time over which records are counted at least, s.
const SPAN_S: u64 = 1;

/// Time after which a pipeline that nobody speaks of is forgotten, s.
const MEMORY_S: u64 = 10;

/// See the module's head.
#[derive(Debug, Default)]
pub struct Rates {
    samples: BTreeMap<PipelineKey, Sample>,
}

#[derive(Debug)]
struct Sample {
    events: u64,
    since: Instant,
    heard: Instant,
    per_second: f64,
}

impl Rates {
    /// A worker has said what its pipelines do.
    pub fn hear(&mut self, pipelines: &[PipelineMetrics], now: Instant) {
        for it in pipelines {
            let first = Sample { events: it.events_in, since: now, heard: now, per_second: 0.0 };
            let sample = self.samples.entry(it.pipeline.clone()).or_insert(first);
            sample.heard = now;
            let span = now.saturating_duration_since(sample.since);
            let Some(more) = it.events_in.checked_sub(sample.events) else {
                *sample = Sample { events: it.events_in, since: now, heard: now, per_second: 0.0 };
                continue;
            };
            if span >= Duration::from_secs(SPAN_S) {
                sample.per_second = more as f64 / span.as_secs_f64();
                (sample.events, sample.since) = (it.events_in, now);
            }
        }
    }

    /// Records per second, of all that were heard of lately.
    pub fn per_second(&mut self, now: Instant) -> BTreeMap<PipelineKey, f64> {
        let memory = Duration::from_secs(MEMORY_S);
        self.samples.retain(|_, sample| now.saturating_duration_since(sample.heard) < memory);
        let known = self.samples.iter().filter(|(_, sample)| sample.per_second > 0.0);
        known.map(|(pipeline, sample)| (pipeline.clone(), sample.per_second)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Uuid;

    #[test]
    fn rates_follow_counters_and_start_anew_with_placements() {
        let key = PipelineKey::new(Uuid::nil(), "p", 0);
        let metrics =
            |events_in| [PipelineMetrics { pipeline: key.clone(), events_in, events_out: 0, connectors: Vec::new() }];
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rates = Rates::default();
        let mut rate = |events, ms| {
            rates.hear(&metrics(events), at(ms));
            rates.per_second(at(ms)).get(&key).copied()
        };
        assert_eq!(rate(100, 0), None);
        assert_eq!(rate(500, 500), None, "too short a time");
        assert_eq!(rate(2100, 2000), Some(1000.0));
        assert_eq!(rate(2200, 2100), Some(1000.0));
        assert_eq!(rate(3, 2200), None, "another placement");
        assert_eq!(rate(13, 3200), Some(10.0));
        assert!(rates.per_second(at(14_000)).is_empty());
    }
}
