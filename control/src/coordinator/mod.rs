//! A member of the control plane: what it is asked over REST, and what it tells workers.

pub mod compile;
