//! Sequences with hand-made plans.

mod patterns;
mod table;
