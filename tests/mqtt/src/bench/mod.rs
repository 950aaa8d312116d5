//! What the benchmark compares, and how it measures.

pub mod bare;
pub mod connectors;
pub mod latency;
pub mod rate;

/// A program that forwards readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// The client library alone ([`bare`]).
    Bare,
    /// Source and sink of the product without its engine ([`connectors`]).
    Connectors,
    /// `rarog run` on a program that does the same.
    Rarog,
}

/// The topic that readings are published to.
pub const TOPIC_IN: &str = "bench/in";
/// The topic that hot readings are forwarded to.
pub const TOPIC_OUT: &str = "bench/out";

/// The program of [`Contestant::Rarog`].
pub fn program(port: u16) -> String {
    crate::program::seed("broker", port, TOPIC_IN, TOPIC_OUT)
}

/// Reading number `seq`; every second one is hot.
pub fn reading(seq: usize) -> String {
    let temperature = if seq.is_multiple_of(2) { 60 + seq % 30 } else { 20 + seq % 30 };
    format!(
        r#"{{"event_type":"SensorReading","sensor_id":"s{:04}","temperature":{temperature}.5,"seq":{seq}}}"#,
        seq % 1000
    )
}

/// Whether a reading is hot, by as little work as it takes.
pub fn is_hot(payload: &[u8]) -> bool {
    let field = b"\"temperature\":";
    let at = payload.windows(field.len()).position(|window| window == field);
    let number = at.map_or(&[][..], |at| &payload[at + field.len()..]);
    let end = number.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(number.len());
    std::str::from_utf8(&number[..end]).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(|t| t > 50.0)
}
