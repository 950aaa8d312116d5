//! The runtime around the operators: the only place that names timely.
//!
//! ```text
//! intake ─► source ─► Input ─► operators … ─► collector ─► the host's sink
//!    ▲                                            │
//!    └───────────── credits, completions ─────────┘
//! ```

pub mod align;
mod chain;
mod collect;
pub mod envelope;
mod render;
pub mod route;
mod run;
mod shared;
pub mod source;
#[cfg(test)]
pub(crate) mod tests;
pub mod tick;
mod worker;

pub use route::key as key_of;
pub use run::{RunError, run};
pub use shared::{Completed, Counters, DeadRecord, Host, OutputRows, Shared, Start, StreamCounts};
pub use source::{Decoded, Intake, Pulled};
pub use worker::{Job, Running, WorkerThread};
