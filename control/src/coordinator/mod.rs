//! A member of the control plane: what it is asked over REST, what it tells workers, and what it decides while it leads.
//!
//! ```text
//!   clients ── REST ──> http ──┬──> consensus (raft) <── driver (while it leads) <── detector
//!   workers ── sockets ─> hub ─┘        │ state                                         ^
//!                          └── digests ─┴───────────────> the leader's ─────────────────┘
//! ```

pub mod agreement;
pub mod auth;
pub mod compile;
pub mod cors;
pub mod detector;
pub mod digest;
pub mod driver;
pub mod error;
pub mod fleet;
pub mod http;
pub mod hub;
pub mod limits;
pub mod liveness;
pub mod parts;
pub mod pulse;
pub mod rates;
pub mod server;
mod start;
#[cfg(test)]
mod testing;

pub use start::{Coordinator, CoordinatorConfig, StartError};
