//! The scalar semantics of the language: one truth for constant folding, kernels' fallback and their oracle.
//!
//! ```text
//! order ◄─ ops ◄─ access ◄─ builtin ◄─ interpreter      (what a value is compared, combined, indexed, called with)
//! text ◄─ json   time ◄─ convert                        (how it is shown and read)
//! ```
//! Everything here is total: what is impossible is null, never a panic.

pub mod access;
pub mod builtin;
pub mod convert;
pub mod interpreter;
pub mod json;
#[cfg(test)]
mod laws;
pub mod nesting;
pub mod ops;
pub mod order;
pub mod sum;
pub mod text;
pub mod time;
