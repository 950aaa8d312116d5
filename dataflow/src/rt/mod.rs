//! The runtime around the operators: the only place that names timely.
//!
//! ```text
//! intake ─► source ─► Input ─► operators … ─► collector ─► the host's sink
//!    ▲                                            │
//!    └───────────── credits, completions ─────────┘
//! ```

pub mod align;
pub mod envelope;
pub mod route;
mod shared;
pub mod source;
pub mod tick;

pub use shared::{Completed, Counters, DeadRecord, Host, OutputRows, Shared, StreamCounts};
pub use source::{Decoded, Intake, Pulled};
