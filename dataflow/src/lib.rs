//! rarog-dataflow: a plan of `rarog-lang` rendered to a timely dataflow graph.

pub mod batch;
pub mod clock;
pub mod column;
pub mod decode;
pub mod encode;
pub mod kernel;
pub mod operators;
pub mod rows;
pub mod rt;
pub mod snapshot;
pub mod whole;
