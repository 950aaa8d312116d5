//! rarog-dataflow: a plan of `rarog-lang` rendered to a timely dataflow graph.

pub mod batch;
pub mod column;
pub mod whole;
