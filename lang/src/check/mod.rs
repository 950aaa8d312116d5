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
mod stream;
pub mod suggestion;
#[cfg(test)]
mod tests;
pub mod types;

pub use connector::registered as registered_connector;
pub use function::item_name;

use crate::ast::Item;
use crate::diagnostic::Diagnostic;
use crate::plan::{Connector, Plan};
use crate::span::Span;
use declared::Declared;
use expression::Expressions;
use problems::Problems;

/// Checks a program: `items` in the order of the text, imports in place. `line` says where a place is, for messages:
/// `line 3`, `line 3 of other.vpl`. `problems`: what is known to be wrong
/// already. The plan means something only if no diagnostic is an error.
pub fn check(
    items: Vec<&Item>,
    line: &dyn Fn(Span) -> String,
    cluster: &[Connector],
    mut problems: Problems,
) -> (Plan, Vec<Diagnostic>) {
    let declared = Declared::new(items, line, &mut problems);
    let (plan, problems) = stream::check(Expressions::new(&declared, cluster, problems));
    (plan, problems.finish())
}
