//! Joins (vpl.md section 11).

mod classes;

pub use classes::join_key;
