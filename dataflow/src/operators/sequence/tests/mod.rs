//! Sequences with hand-made plans.

mod patterns;
mod predicates;
mod table;
