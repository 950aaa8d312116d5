//! HTTP: a sink that posts each output until it is answered for good, and a source that answers when effects are safe.
//!
//! Version 1.1, requests also over TLS; each end on a thread of its own with a single-threaded runtime. Invariants: no queue without a
//! bound, an output is forgotten only confirmed or reported as failed, a request is answered with 200 only when everything
//! that it caused is safe.

mod body;
mod client;
mod config;
mod sink;
mod source;
mod tls;
mod trouble;
mod url;

pub use body::MESSAGE_LIMIT_BYTES;
pub use config::{HttpSinkConfig, HttpTarget};
pub use sink::{HttpSink, HttpSinkCounters};
pub use source::{BODY_LIMIT_BYTES, HttpSource, HttpSourceConfig, HttpSourceCounters};
pub use trouble::{TroubleHook, TroubleReport};
pub use url::{Url, UrlError};
