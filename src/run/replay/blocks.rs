//! Bytes into chunks of whole lines.
//!
//! Pure: bytes come in by [`Blocks::room`] and [`Blocks::filled`] or [`Blocks::push`], chunks go out by [`Blocks::cut`].
//! Of a line that is longer than a message may be, at least one byte more than that is kept, so that it is refused as too
//! large, and at most a read more, so that memory stays bounded.

use rarog_dataflow::decode::MESSAGE_BYTES;

/// A chunk is cut when it has this many bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// Room that there is at least for a read.
const READ_BYTES: usize = 64 * 1024;

/// See the module's head.
#[derive(Debug)]
pub struct Blocks {
    /// So many lines per chunk; `None`: by size.
    rows: Option<usize>,
    buffer: Vec<u8>,
    /// Of the buffer, what has not been cut off yet.
    start: usize,
    filled: usize,
    /// The line at the end is too long: the rest of it is dropped.
    skipping: bool,
    /// Bytes dropped of lines that are too long, and of these those of the line at the end.
    dropped: u64,
    dropped_of_last: u64,
    /// Where the next chunk begins in the input, but for what was dropped before it, and how much that is.
    cut: u64,
    dropped_before: u64,
    ended: bool,
}

impl Blocks {
    /// Cuts by size, or so many lines at a time.
    pub fn new(rows: Option<usize>) -> Blocks {
        let rows = rows.map(|rows| rows.max(1));
        Blocks {
            rows,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            skipping: false,
            dropped: 0,
            dropped_of_last: 0,
            cut: 0,
            dropped_before: 0,
            ended: false,
        }
    }

    /// The same, for an input that is read from a place on.
    pub fn starting_at(self, offset: u64) -> Blocks {
        Blocks { cut: offset, ..self }
    }

    /// Where to read into.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 && self.start * 2 >= self.filled {
            self.buffer.copy_within(self.start..self.filled, 0);
            (self.start, self.filled) = (0, self.filled - self.start);
        }
        let wanted = self.filled + READ_BYTES;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted.max(CHUNK_BYTES + READ_BYTES), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// So many bytes have been read into the room. Gives the number back.
    pub fn filled(&mut self, count: usize) -> usize {
        let from = self.filled;
        self.filled += count;
        if self.skipping {
            let fresh = &self.buffer[from..self.filled];
            let rest = memchr::memchr(b'\n', fresh).unwrap_or(fresh.len());
            self.skipping = rest == fresh.len();
            self.buffer.copy_within(from + rest..self.filled, from);
            self.drop_last(rest);
        }
        if !self.skipping {
            self.dropped_of_last = 0;
        }
        let line = memchr::memrchr(b'\n', &self.buffer[self.start..self.filled]);
        let line = line.map_or(self.start, |at| self.start + at + 1);
        if self.filled - line > MESSAGE_BYTES + 1 {
            self.drop_last(self.filled - line - MESSAGE_BYTES - 1);
            self.skipping = true;
        }
        count
    }

    fn drop_last(&mut self, count: usize) {
        self.filled -= count;
        self.dropped += count as u64;
        self.dropped_of_last += count as u64;
    }

    /// Where the next chunk begins in the input.
    pub fn position(&self) -> u64 {
        self.cut + self.dropped_before
    }

    /// Adds bytes. Gives their number back.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        for part in bytes.chunks(READ_BYTES) {
            self.room()[..part.len()].copy_from_slice(part);
            self.filled(part.len());
        }
        bytes.len()
    }

    /// Nothing follows. Gives 0 back, the number of bytes read.
    pub fn end(&mut self) -> usize {
        self.ended = true;
        0
    }

    /// Nothing is left, and nothing follows.
    pub fn is_empty(&self) -> bool {
        self.ended && self.start == self.filled
    }

    /// The next chunk, if there is enough for one; the last one may be empty. `quiet`: what is there is enough, as far as
    /// lines are whole. `spare` may have a buffer to go on with.
    pub fn cut(&mut self, quiet: bool, spare: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let bytes = &self.buffer[self.start..self.filled];
        let end = match self.rows {
            Some(rows) => memchr::memchr_iter(b'\n', bytes).nth(rows - 1),
            None if quiet || self.ended || bytes.len() >= CHUNK_BYTES => memchr::memrchr(b'\n', bytes),
            None => None,
        };
        let end = match end {
            // Whatever stands behind the last line break is a line, too.
            _ if self.ended && (self.rows.is_none() || end.is_none()) => bytes.len(),
            Some(at) => at + 1,
            None => return None,
        };
        self.cut += end as u64;
        self.dropped_before = self.dropped - self.dropped_of_last;
        if self.rows.is_some() {
            let lines = self.buffer[self.start..self.start + end].to_vec();
            self.start += end;
            return Some(lines);
        }
        let mut next = spare().unwrap_or_default();
        let rest = self.filled - self.start - end;
        if next.len() < rest {
            next.resize(rest.max(CHUNK_BYTES + READ_BYTES), 0);
        }
        next[..rest].copy_from_slice(&self.buffer[self.start + end..self.filled]);
        let mut lines = std::mem::replace(&mut self.buffer, next);
        lines.truncate(self.start + end);
        lines.drain(..self.start);
        (self.start, self.filled) = (0, rest);
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All chunks of an input that comes in reads of this size.
    fn chunks(input: &[u8], rows: Option<usize>, read: usize) -> Vec<Vec<u8>> {
        let mut blocks = Blocks::new(rows);
        let mut chunks = Vec::new();
        let mut reads = input.chunks(read);
        loop {
            if let Some(chunk) = blocks.cut(false, || None) {
                chunks.push(chunk);
                if blocks.is_empty() {
                    return chunks;
                }
                continue;
            }
            match reads.next() {
                Some(bytes) => _ = blocks.push(bytes),
                None => _ = blocks.end(),
            }
        }
    }

    fn lines(count: usize) -> Vec<u8> {
        (0..count)
            .flat_map(|line| format!("{{\"line\":{line},\"x\":\"{}\"}}\n", "y".repeat(line % 90)).into_bytes())
            .collect()
    }

    #[test]
    fn chunks_are_whole_lines_and_joined_the_input() {
        let mut input = lines(20_000);
        for end in ["", "no line end"] {
            input.extend_from_slice(end.as_bytes());
            for read in [777, READ_BYTES, 3 * READ_BYTES] {
                let chunks = chunks(&input, None, read);
                assert!(chunks.len() > 2 && chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
                assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk.ends_with(b"\n")));
                assert_eq!(chunks.concat(), input);
            }
        }
    }

    #[test]
    fn rows_are_counted_exactly() {
        let input = lines(23);
        for (rows, expected) in [(1, 23), (7, 4), (23, 1), (4096, 1)] {
            let counts: Vec<usize> = chunks(&input, Some(rows), 100)
                .iter()
                .map(|chunk| memchr::memchr_iter(b'\n', chunk).count())
                .filter(|count| *count > 0)
                .collect();
            assert_eq!(counts.len(), expected);
            assert!(counts[..expected - 1].iter().all(|count| *count == rows));
        }
        assert_eq!(chunks(b"", Some(1), 1), [b""]);
        assert_eq!(chunks(b"", None, 1), [b""]);
        assert_eq!(chunks(b"a\nb", Some(1), 1), [&b"a\n"[..], b"b"]);
    }

    #[test]
    fn of_an_endless_line_enough_is_kept_to_refuse_it() {
        for long in [MESSAGE_BYTES, MESSAGE_BYTES + 1, MESSAGE_BYTES + 2, 3 * MESSAGE_BYTES] {
            let input = [b"a\n", &vec![b'x'; long][..], b"\nb\n"].concat();
            for (input, rest) in [(&input[..], &b"b\n"[..]), (&input[..input.len() - 3], b"")] {
                for rows in [None, Some(1)] {
                    let chunks = chunks(input, rows, 100_000).concat();
                    let lines: Vec<&[u8]> = chunks.split_inclusive(|byte| *byte == b'\n').collect();
                    assert_eq!((lines[0], lines.get(2).copied().unwrap_or_default()), (&b"a\n"[..], rest));
                    let kept = lines[1].strip_suffix(b"\n").unwrap_or(lines[1]);
                    assert!(kept.iter().all(|byte| *byte == b'x') && kept.len() <= MESSAGE_BYTES + READ_BYTES);
                    assert_eq!(kept.len() > MESSAGE_BYTES, long > MESSAGE_BYTES);
                }
            }
        }
    }

    #[test]
    fn chunks_know_where_they_begin() {
        let long = vec![b'x'; 2 * MESSAGE_BYTES];
        let input = [&lines(9000)[..], &long, b"\n", &lines(9000), &long, &long, b"\nlast"].concat();
        let mut blocks = Blocks::new(None);
        let mut reads = input.chunks(50_000);
        let mut seen = 0;
        while !blocks.is_empty() {
            let position = blocks.position() as usize;
            if let Some(chunk) = blocks.cut(false, || None) {
                let same = chunk.len().min(1000);
                assert_eq!(chunk[..same], input[position..position + same]);
                seen += 1;
            } else {
                match reads.next() {
                    Some(bytes) => _ = blocks.push(bytes),
                    None => _ = blocks.end(),
                }
            }
        }
        assert!(seen > 6);
    }

    #[test]
    fn a_quiet_pipe_gives_the_lines_it_has() {
        let mut blocks = Blocks::new(None);
        blocks.push(b"a\nb\nc");
        assert_eq!(blocks.cut(false, || None), None);
        assert_eq!(blocks.cut(true, || None).as_deref(), Some(&b"a\nb\n"[..]));
        assert_eq!(blocks.cut(true, || None), None);
        blocks.push(b"c\n");
        assert_eq!(blocks.cut(true, || None).as_deref(), Some(&b"cc\n"[..]));
    }
}
