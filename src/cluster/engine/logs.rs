//! What pipelines put out, for those who want to watch.
//!
//! Nobody is waited for: a reader that does not keep up misses entries and is told how many. Invariant: without readers an
//! entry is not even made.

use rarog_control::model::ids::PipelineKey;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Entries that a reader may be behind.
const BEHIND_LIMIT: usize = 256;

/// A record that was put out.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Its type.
    pub event_type: String,
    /// Its time, RFC 3339.
    pub timestamp: String,
    /// Its fields.
    pub data: Map<String, Value>,
}

impl LogEntry {
    /// From the flat object that sinks get.
    pub fn of_flat(flat: &[u8]) -> Option<LogEntry> {
        let Ok(Value::Object(mut data)) = serde_json::from_slice(flat) else { return None };
        let mut text = |name: &str| match data.remove(name) {
            Some(Value::String(text)) => text,
            other => other.map(|other| other.to_string()).unwrap_or_default(),
        };
        let (event_type, timestamp) = (text("event_type"), text("timestamp"));
        Some(LogEntry { event_type, timestamp, data })
    }
}

/// By pipeline, where its entries go.
#[derive(Default)]
pub struct Logs(Mutex<BTreeMap<PipelineKey, broadcast::Sender<LogEntry>>>);

impl Logs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PipelineKey, broadcast::Sender<LogEntry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the entries of a pipeline go.
    pub fn sender(&self, pipeline: &PipelineKey) -> broadcast::Sender<LogEntry> {
        let channel = || broadcast::channel(BEHIND_LIMIT).0;
        self.lock().entry(pipeline.clone()).or_insert_with(channel).clone()
    }

    /// Entries from now on.
    pub fn subscribe(&self, pipeline: &PipelineKey) -> broadcast::Receiver<LogEntry> {
        self.sender(pipeline).subscribe()
    }

    /// The pipeline is gone.
    pub fn forget(&self, pipeline: &PipelineKey) {
        self.lock().remove(pipeline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flat_records_become_entries() {
        let flat = br#"{"event_type":"Hot","timestamp":"2026-01-01T00:00:00Z","seq":1}"#;
        let entry = LogEntry::of_flat(flat).expect("it is an object");
        assert_eq!((entry.event_type.as_str(), entry.timestamp.as_str()), ("Hot", "2026-01-01T00:00:00Z"));
        assert_eq!(Value::Object(entry.data), json!({"seq": 1}));
        assert_eq!(LogEntry::of_flat(b"1"), None);
    }
}
