//! The two ends of a pipeline: bytes in, bytes out, acknowledgements.
//!
//! Connectors move bytes and know nothing of values, plans or timely: decoding is an operator of
//! the dataflow. Every connector offers a blocking API for plain OS threads; the MQTT ones keep a
//! single-threaded runtime inside a thread of their own.
//!
//! ```text
//!   MQTT broker ──> mqtt::MqttSource ──┐               ┌──> mqtt::MqttSink ──> MQTT broker
//!   file, stdin ──> file::ChunkReader ─┼──> pipeline ──┼──> file::FileSink
//!   HTTP        ──> http::HttpSource ──┤               ├──> http::HttpSink ──> HTTP
//!   seed        ──> generator ─────────┘               └──> console::ConsoleSink
//! ```
//!
//! Invariants: no queue without a bound, no input acknowledged before the caller says that its
//! effects are safe, no output forgotten before the broker has confirmed or refused it.

pub mod backoff;
pub mod client_id;
pub mod console;
pub mod file;
pub mod generator;
pub mod http;
pub mod mqtt;
mod random;
