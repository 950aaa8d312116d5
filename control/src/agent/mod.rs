//! The control plane's half of a worker: keeps a socket to a coordinator and has done what it orders.

pub mod engine;
