//! Tests of the front end from the outside, in one binary: linking is most of what a test binary costs.

mod any_text;
mod cases;
mod common;
mod composites;
mod formatting;
mod long_programs;
mod meaning;
mod mutated_programs;
mod parse_cases;
mod plans;
mod refusals;
mod soundness;
mod syntax;
