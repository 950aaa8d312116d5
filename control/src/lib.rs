//! rarog-control: what decides where pipelines run and keeps them running.
//!
//! ```text
//!   REST, CLI ──> coordinator ──> raft ──> model (State, apply, reconcile)
//!                     │ wire                    ^ the only mutation
//!                   agent ──> Engine
//!                               │
//!                    the binary implements it with dataflow and connectors
//! ```
//! The crate knows plans and nothing of timely or of brokers, so whatever decides can be tested with an engine that only keeps
//! books, and in a simulation: sockets, disks, clocks and randomness are behind [`seams`].

pub mod agent;
pub mod coordinator;
pub mod http_client;
pub mod model;
pub mod raft;
pub mod seams;
pub mod wire;
pub mod worker;
