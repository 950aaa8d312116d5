//! The other end of the demonstration: subscribes to what the pipelines put out, shows alerts as they come and once per
//! second how much flows and how long it took.

use crate::stdout;
use rarog_connectors::mqtt::{Message, MqttConfig, MqttSource, SourceConfig};
use rarog_lang::eval::time::parse_rfc3339;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where filtered readings go.
pub const OUTPUT: &str = "e2e/output";
/// Where alerts go.
pub const ALERTS: &str = "demo/alerts";
/// Between two lines of rates.
const BEAT: Duration = Duration::from_secs(1);
/// Messages taken at once.
const TAKE: usize = 4096;
/// A wait for messages.
const WAIT: Duration = Duration::from_millis(100);
/// Latencies that are kept of one beat.
const SAMPLES: usize = 100_000;

/// What has come.
#[derive(Default)]
pub struct Seen {
    /// Filtered readings.
    pub outputs: u64,
    /// Alerts.
    pub alerts: u64,
}

/// A subscription to both topics.
pub struct Board {
    source: MqttSource,
}

impl Board {
    /// Subscribes.
    pub fn open(mqtt: MqttConfig, timeout: Duration) -> Result<Board, String> {
        let topics = [OUTPUT, ALERTS].map(String::from);
        let source =
            MqttSource::start(SourceConfig::new(mqtt, topics), || {}, None).map_err(|error| error.to_string())?;
        source.wait_connected(timeout).map_err(|error| error.to_string())?;
        Ok(Board { source })
    }

    /// Shows what comes until it is told to stop and nothing more comes.
    pub fn show(&self, published: &AtomicU64, stop: &AtomicBool) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let mut beat = Beat::default();
        let mut next = Instant::now() + BEAT;
        loop {
            let stopping = stop.load(Ordering::Acquire);
            let messages = self.source.receive(TAKE, WAIT).map_err(|error| error.to_string())?;
            for message in &messages {
                self.take(message, &mut seen, &mut beat);
            }
            self.source.acknowledge(messages.iter().map(|message| message.receipt));
            if Instant::now() >= next {
                next += BEAT;
                say_line!("{}", beat.line(published.load(Ordering::Acquire), &seen));
            }
            if stopping && messages.is_empty() {
                return Ok(seen);
            }
        }
    }

    fn take(&self, message: &Message, seen: &mut Seen, beat: &mut Beat) {
        let Ok(record) = serde_json::from_slice::<Value>(&message.payload) else { return };
        if &*message.topic == ALERTS {
            seen.alerts += 1;
            stdout::print(&format!("{}\n", alert(&record)));
            return;
        }
        seen.outputs += 1;
        let sent = record["ts"].as_str().and_then(|text| parse_rfc3339(text.as_bytes()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        if let Some(sent) = sent.filter(|_| beat.latencies.len() < SAMPLES) {
            beat.latencies.push(now.saturating_sub(sent) / 1_000_000);
        }
    }
}

fn alert(record: &Value) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or("?").to_string();
    format!(
        "{}  ALERT {} is hot: mean {}, peak {} over {} readings",
        text("timestamp"),
        text("sensor"),
        record["mean"],
        record["peak"],
        record["readings"]
    )
}

/// What has come since the last line of rates.
#[derive(Default)]
struct Beat {
    /// Readings, outputs and alerts as of the last line.
    before: [u64; 3],
    /// In ms.
    latencies: Vec<i64>,
}

impl Beat {
    fn line(&mut self, published: u64, seen: &Seen) -> String {
        let now = [published, seen.outputs, seen.alerts];
        let [readings, outputs, alerts] = [0, 1, 2].map(|index: usize| now[index].saturating_sub(self.before[index]));
        self.before = now;
        self.latencies.sort_unstable();
        let at = |share: usize| self.latencies.get(self.latencies.len() * share / 100).copied().unwrap_or_default();
        let (half, most) = (at(50), at(99));
        self.latencies.clear();
        format!(
            "{readings} readings/s in, {outputs}/s above 50 degrees out, {alerts} alerts/s; in to out p50 {half} ms, p99 {most} ms"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_shows_what_came_since_the_last_one() {
        let mut beat = Beat { before: [10, 5, 1], latencies: (0..100).rev().collect() };
        let line = beat.line(110, &Seen { outputs: 45, alerts: 1 });
        assert_eq!(line, "100 readings/s in, 40/s above 50 degrees out, 0 alerts/s; in to out p50 50 ms, p99 99 ms");
        assert!(beat.line(110, &Seen { outputs: 45, alerts: 1 }).starts_with("0 readings/s in, 0/s"));
    }
}
