//! rarog-dataflow: a plan of `rarog-lang` rendered to a timely dataflow graph.

pub mod column;
