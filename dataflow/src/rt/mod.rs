//! The runtime around the operators: the only place that names timely.
//!
//! ```text
//! intake ─► source ─► Input ─► operators … ─► collector ─► the host's sink
//!    ▲                                            │
//!    └───────────── credits, completions ─────────┘
//! ```

mod align;
mod collect;
mod envelope;
mod render;
mod route;
mod run;
mod shared;
mod source;
mod tick;

pub use run::{RunError, run};
pub use shared::{Completed, Counters, DeadRecord, Host, OutputRows, StreamCounts};
pub use source::{Intake, Pulled};
pub use tick::Tick;
