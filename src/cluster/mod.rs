//! What makes this process part of a cluster: the engine that runs what a coordinator orders.

pub mod engine;
