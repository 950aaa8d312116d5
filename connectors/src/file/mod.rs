//! Files and standard input as sources, files as sinks.
//!
//! A source gives chunks that end at line ends; it knows lines, not their content. Invariant: the
//! chunks of a file, joined, are the file, but for lines over [`LINE_LIMIT_BYTES`], each of which
//! is reported.

mod cut;
mod reader;
mod sink;

pub use reader::{Chunk, ChunkReader, Next};
pub use sink::FileSink;

/// The size at which a chunk is cut, at the last line end before it.
pub const CHUNK_TARGET_BYTES: usize = 256 * 1024;

/// The longest line that is delivered.
pub const LINE_LIMIT_BYTES: usize = 16 * 1024 * 1024;
