//! Cuts a stream of bytes into chunks that end at line ends.
//!
//! ```text
//!   pushed:  aaaa\nbb | bb\ncc | c          taken: "aaaa\nbbbb\n"   kept: "ccc"
//! ```
//!
//! Pure: bytes are pushed in, chunks are taken out. Invariant: bytes leave in the order in which
//! they came, each once; only lines over the limit are dropped, and each is reported.

use super::reader::{Chunk, Next};

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Cutter {
    buffer: Vec<u8>,
    /// Position in the stream of the buffer's first byte.
    offset: u64,
    /// Length of the buffer's part that consists of complete lines.
    complete: usize,
    /// Bytes dropped so far of a line over the limit.
    skipping: Option<u64>,
    line_limit: usize,
}

impl Cutter {
    pub(crate) fn new(offset: u64, line_limit: usize) -> Self {
        Self { buffer: Vec::new(), offset, complete: 0, skipping: None, line_limit }
    }

    /// Bytes that a chunk taken now would have.
    pub(crate) fn ready(&self) -> usize {
        self.complete
    }

    /// Adds bytes. Returns the report of a line over the limit that ended in them.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Option<Next> {
        let mut report = None;
        if let Some(skipped) = self.skipping {
            let end = bytes.iter().position(|b| *b == b'\n');
            let dropped = end.map_or(bytes.len(), |end| end + 1);
            let skipped = skipped + dropped as u64;
            bytes = &bytes[dropped..];
            if end.is_none() {
                self.skipping = Some(skipped);
                return None;
            }
            report = Some(self.report_skipped(skipped));
        }
        if let Some(last) = bytes.iter().rposition(|b| *b == b'\n') {
            self.complete = self.buffer.len() + last + 1;
        }
        self.buffer.extend_from_slice(bytes);
        report
    }

    /// True if the incomplete line at the end is over the limit; take what is ready first.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.buffer.len() - self.complete > self.line_limit
    }

    /// Drops the incomplete line and everything up to its end.
    pub(crate) fn skip_line(&mut self) {
        debug_assert_eq!(self.complete, 0, "complete lines are taken first");
        self.skipping = Some(self.buffer.len() as u64);
        self.buffer = Vec::new();
    }

    /// Takes the complete lines.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
        if self.complete == 0 {
            return None;
        }
        let rest = self.buffer.split_off(self.complete);
        Some(self.hand_out(rest))
    }

    /// The stream has ended: takes what is left, with or without a line end.
    pub(crate) fn take_last(&mut self) -> Option<Next> {
        if let Some(skipped) = self.skipping {
            return Some(self.report_skipped(skipped));
        }
        (!self.buffer.is_empty()).then(|| Next::Chunk(self.hand_out(Vec::new())))
    }

    fn hand_out(&mut self, rest: Vec<u8>) -> Chunk {
        let chunk = Chunk { offset: self.offset, bytes: std::mem::replace(&mut self.buffer, rest) };
        self.offset += chunk.bytes.len() as u64;
        self.complete = 0;
        chunk
    }

    fn report_skipped(&mut self, bytes: u64) -> Next {
        let offset = self.offset;
        self.offset += bytes;
        self.skipping = None;
        Next::LineTooLong { offset, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunk: Option<Chunk>) -> Option<(u64, String)> {
        chunk.map(|c| (c.offset, String::from_utf8(c.bytes).expect("test text")))
    }

    #[test]
    fn chunks_end_at_line_ends() {
        let mut cutter = Cutter::new(100, 1000);
        assert_eq!(cutter.push(b"aaaa\nbb"), None);
        assert_eq!(cutter.push(b"bb\ncc"), None);
        assert_eq!(text(cutter.take()), Some((100, "aaaa\nbbbb\n".into())));
        assert_eq!(text(cutter.take()), None);
        cutter.push(b"c");
        let Some(Next::Chunk(last)) = cutter.take_last() else { panic!("the rest") };
        assert_eq!((last.offset, last.bytes.as_slice()), (110, b"ccc".as_slice()));
        assert_eq!(cutter.take_last(), None);
    }

    #[test]
    fn a_line_over_the_limit_is_dropped_and_reported() {
        let mut cutter = Cutter::new(0, 4);
        cutter.push(b"a\nbbbbb");
        assert!(cutter.is_over_limit());
        assert_eq!(text(cutter.take()), Some((0, "a\n".into())));
        cutter.skip_line();
        assert_eq!(cutter.push(b"bbb"), None);
        assert_eq!(cutter.push(b"b\nc\n"), Some(Next::LineTooLong { offset: 2, bytes: 10 }));
        assert_eq!(text(cutter.take()), Some((12, "c\n".into())));
    }
}
