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
pub mod tick;
