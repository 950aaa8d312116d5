//! A member of the control plane: what it is asked over REST, what it tells workers, and what it decides while it leads.

pub mod compile;
pub mod fleet;
pub mod liveness;
pub mod pulse;
