//! Lines to standard output or standard error.
//!
//! Lines are gathered and written whole. Invariant: after [`ConsoleSink::flush`] nothing is held
//! back. A reader that has gone away (`| head`) shows as [`std::io::ErrorKind::BrokenPipe`].

use std::io::{self, Write};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// Standard output or standard error as a sink.
#[derive(Debug)]
pub struct ConsoleSink<W: Write = Console> {
    console: W,
    buffer: Vec<u8>,
}

/// One of the two standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Console::Stdout => io::stdout().write(bytes),
            Console::Stderr => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Console::Stdout => io::stdout().flush(),
            Console::Stderr => io::stderr().flush(),
        }
    }
}

impl<W: Write> ConsoleSink<W> {
    /// A sink on a standard stream, or on any writer.
    pub fn new(console: W) -> Self {
        Self { console, buffer: Vec::new() }
    }

    /// Adds one record and a line end.
    pub fn write_line(&mut self, record: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(record);
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Writes what was gathered; what cannot be written is dropped with the error.
    pub fn flush(&mut self) -> io::Result<()> {
        let written = self.console.write_all(&self.buffer);
        self.buffer.clear();
        written?;
        self.console.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let mut sink = ConsoleSink::new(Vec::new());
        sink.write_line(b"a").expect("memory takes it");
        assert!(sink.console.is_empty());
        sink.write_line(&[b'x'; BUFFER_BYTES]).expect("memory takes it");
        sink.write_line(b"b").expect("memory takes it");
        sink.flush().expect("memory takes it");
        assert_eq!(sink.console.len(), BUFFER_BYTES + 5);
        assert!(sink.console.starts_with(b"a\nx") && sink.console.ends_with(b"x\nb\n"));
    }
}
