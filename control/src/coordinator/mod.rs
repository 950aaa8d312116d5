//! A member of the control plane: what it is asked over REST, what it tells workers, and what it decides while it leads.

pub mod agreement;
pub mod compile;
pub mod detector;
pub mod digest;
pub mod driver;
pub mod fleet;
pub mod hub;
pub mod liveness;
pub mod pulse;
pub mod rates;
#[cfg(test)]
mod testing;
