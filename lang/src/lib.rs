//! rarog-lang: VPL text to a checked [`plan::Plan`], with every diagnostic at once.
//!
//! ```text
//! text ─► lexer ─► parser ─► ast ─► checker ─► plan ─► explain, graph
//!                                     └─► diagnostics
//! ```
//! The crate does no I/O: imports are read through a function that the caller gives.

pub mod ast;
pub mod check;
pub mod compile;
mod composed;
pub mod describe;
pub mod diagnostic;
pub mod eval;
pub mod evt;
mod expand;
pub mod explain;
pub mod format;
pub mod graph;
pub mod hash;
pub mod lexer;
pub mod limits;
pub mod parser;
pub mod plan;
pub mod render;
mod rewrite;
pub mod span;
pub mod stable_id;
pub mod value;
