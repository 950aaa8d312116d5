//! Appends to a file.
//!
//! Lines go through a buffer; they are safe from a crash of this process after
//! [`FileSink::flush`], from a crash of the machine after [`FileSink::sync`]. Invariant: the file
//! is never truncated.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// A file that is appended to.
#[derive(Debug)]
pub struct FileSink {
    file: BufWriter<File>,
}

impl FileSink {
    /// Opens the file for appending; it is made if it does not exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// Appends one record and a line end.
    pub fn write_line(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.write_all(record)?;
        self.file.write_all(b"\n")
    }

    /// Appends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Hands everything to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_appended_to() {
        let path = std::env::temp_dir().join(format!("rarog-sink-{}", std::process::id()));
        for text in ["a", "b"] {
            let mut sink = FileSink::open(&path).expect("it opens");
            sink.write_line(text.as_bytes()).expect("it can be written");
            sink.sync().expect("it can be synced");
        }
        assert_eq!(std::fs::read(&path).ok(), Some(b"a\nb\n".to_vec()));
        drop(std::fs::remove_file(&path));
    }
}
