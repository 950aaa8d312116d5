//! What the MQTT tests and the benchmark judge rarog by: a real broker, a load generator, an observer.
//!
//! Generator and observer are the C client (paho), so that the product's client is never tested against itself. Nothing
//! here is part of the product.
//!
//! ```text
//!   Publisher ──> Relay ──> Broker (mosquitto) ──> rarog ──> Broker ──> Observer ──> verdict
//! ```
//!
//! Invariant: what a [`Publisher`] says is confirmed, the broker has taken; what an [`Observer`] has not got, the broker has
//! not delivered to its persistent session.

pub mod bench;
pub mod broker;
pub mod cluster;
pub mod judge;
pub mod observer;
pub mod process;
pub mod program;
pub mod publisher;
pub mod relay;
pub mod rest;
pub mod sums;
pub mod web;

pub use broker::{Broker, Settings};
pub use observer::{Observer, Seen};
pub use process::Process;
pub use publisher::Publisher;
