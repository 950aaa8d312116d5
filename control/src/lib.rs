//! rarog-control: what decides where pipelines run and keeps them running.
//!
//! ```text
//! rarog run ──► Engine ◄── (agent of a cluster)
//!                 │
//!      the binary implements it with dataflow and connectors
//! ```
//! So far it holds the seam alone: [`engine::Engine`], through which plans are installed, watched and dropped. The crate knows
//! plans and nothing of timely or of brokers, so whatever decides can be tested with an engine that only keeps books.

pub mod engine;
