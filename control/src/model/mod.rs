//! The state of a cluster, and everything that is decided about it: pure functions of state, command and time.
//!
//! ```text
//!                 Command ──> apply ──> State ──┬──> reconcile(state, observed, now) ──> Command …
//!   (ordered by Raft)                           └──> views, orders for workers
//! ```
//! Invariants: [`State`] changes through `apply` alone; `apply` gives the same result for the same state and command on every
//! coordinator (no clock, no randomness, ordered maps only); a command that was overruled meanwhile is refused by it and
//! changes nothing. Nothing here does I/O.

pub mod apply;
pub mod command;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ids;
pub mod lookup;
pub mod names;
pub mod observed;
pub mod placement;
#[cfg(test)]
mod properties;
pub mod reconcile;
pub mod secret;
pub mod spec;
pub mod state;
