//! The checker: from the syntax tree to the plan, with every problem at once.
//!
//! ```text
//! items ─► Declared (tables of names) ─► Expressions (functions, globals, connectors, every expression)
//!                                            ▲ calls back into a Scope, which says what a name means
//!                                        streams, operators, patterns, joins ─► plan
//! ```
//! Nothing here evaluates a record; what is constant is evaluated by the evaluator that also runs programs.

mod connector;
pub mod declared;
mod dependency;
pub mod expression;
mod function;
pub mod problems;
pub mod scope;
pub mod suggestion;
#[cfg(test)]
mod tests;
pub mod types;

pub use function::item_name;
