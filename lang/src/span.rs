//! Places in source text: which file, and which bytes of it.

use serde::{Deserialize, Serialize};

/// A half-open byte range `start..end` in file number `file` of a compilation (0 is the program itself).
///
/// Text that came out of a `for` expansion keeps the position of the template it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Index of the source file: 0 is the program, imports follow in the order in which they are met.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; both must be in one file.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
