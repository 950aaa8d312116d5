//! Bytes to columnar rows: JSON lines, JSON messages and `.evt` (docs/language.md).
//!
//! ```text
//! bytes ─► scanner ─► tokens ─► recipe ─► columns of the input
//!            │                     │
//!            └─ learned sequences ─┘
//! ```
//! One pass: every byte of a document is validated; only fields that the plan reads become columns; declared fields are
//! checked, read or not. Any number of threads decode chunks at the same time with one [`Decoder`].
//!
//! Not in here: where bytes come from (connectors), and what happens to records that cannot be used (the host).

mod build;
mod dead;
mod decoder;
mod entries;
mod evt;
mod gather;
mod lines;
mod messages;
mod number;
mod paths;
mod recipe;
mod relay;
mod scan;
mod string;
mod tables;
mod template;
mod token;
mod tries;
mod value;

pub use decoder::Decoder;
pub(crate) use entries::{Entries, entries};
pub use evt::batch_offset_behind;
pub use messages::{Messages, topic_type};
pub use relay::{Baton, Behind, Relay};
pub(crate) use token::{Kind, Token};
pub(crate) use value::{read, read_object};

/// Longest line or message, without its line end.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// Deepest nesting of brackets in a JSON document.
pub const JSON_DEPTH: u32 = 64;
/// Live: how far a time may be ahead of the wall clock.
pub const MAX_AHEAD_NS: i64 = 60 * 1_000_000_000;
/// Longest text of a chunk: spans have 31 bits.
pub const CHUNK_BYTES: usize = 1 << 30;
/// Live: times before 2000 are perhaps seconds that were taken for milliseconds.
const EARLY_BEFORE_NS: i64 = 946_684_800 * 1_000_000_000;

#[cfg(test)]
mod tests;
