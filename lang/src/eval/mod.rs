//! The scalar semantics of the language: one truth for constant folding, kernels' fallback and their oracle.

pub mod ops;
pub mod order;
pub mod text;
