//! Reads a file, a pipe or standard input in chunks of whole lines.
//!
//! Regular files are read directly. Pipes and terminals may go quiet in the middle of a chunk, so
//! a thread reads them and complete lines are handed out once nothing came for [`QUIET`], or once
//! they have waited for [`LONGEST_WAIT`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::cut::Cutter;
use super::{CHUNK_TARGET_BYTES, LINE_LIMIT_BYTES};

/// Complete lines are handed out when nothing came for this long.
const QUIET: Duration = Duration::from_millis(2);
/// Complete lines wait at most this long for more, however steadily it trickles.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// Bytes per read of a pipe.
const PIPE_READ_BYTES: usize = 64 * 1024;
/// Reads of a pipe that may wait to be taken.
const PIPE_QUEUE: usize = 4;

/// Whole lines of a source; only the very last line may lack its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position of the first byte in the source.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a reader gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Lines.
    Chunk(Chunk),
    /// A line over [`LINE_LIMIT_BYTES`] was left out.
    LineTooLong {
        /// Position of its first byte.
        offset: u64,
        /// Its length, with its line end.
        bytes: u64,
    },
    /// Nothing came in the time allowed (pipes only).
    Quiet,
    /// The source has ended.
    End,
}

/// A source of chunks.
#[derive(Debug)]
pub struct ChunkReader {
    input: Input,
    cutter: Cutter,
    chunk_target: usize,
    oldest: Option<Instant>,
    report: Option<Next>,
    ended: bool,
}

#[derive(Debug)]
enum Input {
    File { file: File, buffer: Vec<u8> },
    Pipe(Receiver<io::Result<Vec<u8>>>),
}

impl ChunkReader {
    /// Opens a file, or standard input for `-`, and skips to `offset` (pipes cannot skip: an
    /// error unless it is 0).
    pub fn open(path: &Path, offset: u64) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::pipe(standard_input()?, offset);
        }
        let mut file = File::open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory, not a file"));
        }
        if !kind.is_file() {
            return Self::pipe(file, offset);
        }
        file.seek(SeekFrom::Start(offset))?;
        let input = Input::File { file, buffer: vec![0; CHUNK_TARGET_BYTES] };
        Ok(Self::new(input, offset, CHUNK_TARGET_BYTES, LINE_LIMIT_BYTES))
    }

    /// Reads from anything that blocks, on a thread of its own.
    pub fn pipe(input: impl Read + Send + 'static, offset: u64) -> io::Result<Self> {
        if offset != 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a pipe cannot be read from a position"));
        }
        let (sender, receiver) = sync_channel(PIPE_QUEUE);
        // Detached: a read that blocks cannot be ended from outside; the thread ends with its
        // input or at the first read after the receiver is gone.
        thread::Builder::new().name("pipe-reader".into()).spawn(move || forward(input, &sender))?;
        Ok(Self::new(Input::Pipe(receiver), 0, CHUNK_TARGET_BYTES, LINE_LIMIT_BYTES))
    }

    fn new(input: Input, offset: u64, chunk_target: usize, line_limit: usize) -> Self {
        let cutter = Cutter::new(offset, line_limit);
        Self { input, cutter, chunk_target, oldest: None, report: None, ended: false }
    }

    /// The next chunk. Waits up to `wait` for a pipe to give something; `None` waits for ever.
    pub fn next(&mut self, wait: Option<Duration>) -> io::Result<Next> {
        let deadline = wait.map(|wait| Instant::now() + wait);
        loop {
            if let Some(report) = self.report.take() {
                return Ok(report);
            }
            if self.ended {
                return Ok(self.cutter.take_last().unwrap_or(Next::End));
            }
            let over_limit = self.cutter.is_over_limit();
            if (over_limit || self.cutter.ready() >= self.chunk_target)
                && let Some(chunk) = self.take()
            {
                return Ok(Next::Chunk(chunk));
            }
            if over_limit {
                self.cutter.skip_line();
            }
            if let Some(next) = self.read(deadline)? {
                return Ok(next);
            }
        }
    }

    /// Reads once; gives a chunk or `Quiet` where a pipe has nothing more for now.
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<Option<Next>> {
        let bytes = match &mut self.input {
            Input::File { file, buffer } => {
                let count = read_uninterrupted(file, buffer)?;
                self.ended = count == 0;
                self.report = self.cutter.push(&buffer[..count]);
                // One read is one chunk; a line that was left out is reported before it.
                let chunk = if self.report.is_none() { self.cutter.take() } else { None };
                return Ok(chunk.map(Next::Chunk));
            }
            Input::Pipe(receiver) => {
                let now = Instant::now();
                let flush = self.oldest.map(|oldest| (now + QUIET).min(oldest + LONGEST_WAIT));
                let until = [flush, deadline].into_iter().flatten().min();
                let received = match until {
                    Some(until) => receiver.recv_timeout(until.saturating_duration_since(now)),
                    None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match received {
                    Ok(bytes) => bytes?,
                    Err(RecvTimeoutError::Disconnected) => {
                        self.ended = true;
                        return Ok(None);
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        return Ok(Some(self.take().map_or(Next::Quiet, Next::Chunk)));
                    }
                }
            }
        };
        self.report = self.cutter.push(&bytes);
        if self.cutter.ready() > 0 && self.oldest.is_none() {
            self.oldest = Some(Instant::now());
        }
        Ok(None)
    }

    fn take(&mut self) -> Option<Chunk> {
        self.oldest = None;
        self.cutter.take()
    }
}

/// Standard input without the standard library's small buffer.
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn read_uninterrupted(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn forward(mut input: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; PIPE_READ_BYTES];
    loop {
        let read = read_uninterrupted(&mut input, &mut buffer);
        let last = matches!(read, Ok(0) | Err(_));
        let message = read.map(|count| buffer[..count].to_vec());
        if matches!(&message, Ok(bytes) if bytes.is_empty()) || sender.send(message).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file of its own, removed at the end.
    struct TestFile(std::path::PathBuf);

    impl TestFile {
        fn with(name: &str, bytes: &[u8]) -> Self {
            let file = format!("rarog-reader-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(file);
            std::fs::write(&path, bytes).expect("the temporary directory is writable");
            Self(path)
        }
    }

    impl Drop for TestFile {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    fn all(reader: &mut ChunkReader) -> Vec<Next> {
        let next = || reader.next(None).expect("it can be read");
        std::iter::repeat_with(next).take_while(|next| *next != Next::End).collect()
    }

    #[test]
    fn a_file_comes_in_chunks_of_whole_lines() {
        let lines: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
        let file = TestFile::with("lines", format!("{lines}last").as_bytes());
        let chunks = all(&mut ChunkReader::open(&file.0, 0).expect("it opens"));
        assert!(chunks.len() > 3);
        let mut joined = Vec::new();
        for (index, next) in chunks.iter().enumerate() {
            let Next::Chunk(chunk) = next else { panic!("{next:?}") };
            assert_eq!(chunk.offset, joined.len() as u64);
            assert!(chunk.bytes.ends_with(b"\n") || index + 1 == chunks.len());
            assert!(chunk.bytes.len() <= 2 * CHUNK_TARGET_BYTES);
            joined.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(joined, format!("{lines}last").into_bytes());
        let rest = all(&mut ChunkReader::open(&file.0, lines.len() as u64).expect("it opens"));
        let last = Chunk { offset: lines.len() as u64, bytes: b"last".to_vec() };
        assert_eq!(rest, [Next::Chunk(last)]);
    }

    #[test]
    fn long_lines_come_whole_and_longer_ones_are_reported() {
        let long = vec![b'x'; 3 * CHUNK_TARGET_BYTES];
        let huge = vec![b'y'; LINE_LIMIT_BYTES + CHUNK_TARGET_BYTES + 1];
        let bytes = [b"a\n".as_slice(), &long, b"\nb\n", &huge, b"\nc\n"].concat();
        let file = TestFile::with("long", &bytes);
        let (mut joined, mut left_out) = (Vec::new(), Vec::new());
        for next in all(&mut ChunkReader::open(&file.0, 0).expect("it opens")) {
            match next {
                Next::Chunk(chunk) => joined.extend_from_slice(&chunk.bytes),
                Next::LineTooLong { offset, bytes } => left_out.push((offset, bytes)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(joined, [b"a\n".as_slice(), &long, b"\nb\nc\n"].concat());
        assert_eq!(left_out, [(long.len() as u64 + 5, huge.len() as u64 + 1)]);
    }

    #[test]
    fn empty_and_missing_files() {
        let file = TestFile::with("empty", b"");
        assert_eq!(all(&mut ChunkReader::open(&file.0, 0).expect("it opens")), []);
        assert!(ChunkReader::open(Path::new("/nonexistent/x"), 0).is_err());
        assert!(ChunkReader::open(&std::env::temp_dir(), 0).is_err());
    }

    #[test]
    fn a_quiet_pipe_gives_its_complete_lines() {
        let (input, mut output) = io::pipe().expect("a pipe");
        let mut reader = ChunkReader::pipe(input, 0).expect("a thread");
        assert_eq!(reader.next(Some(Duration::ZERO)).ok(), Some(Next::Quiet));
        output.write_all(b"a\nb\nhalf").expect("the reader lives");
        let chunk = Chunk { offset: 0, bytes: b"a\nb\n".to_vec() };
        assert_eq!(reader.next(None).ok(), Some(Next::Chunk(chunk)));
        drop(output);
        let rest = Chunk { offset: 4, bytes: b"half".to_vec() };
        assert_eq!(reader.next(None).ok(), Some(Next::Chunk(rest)));
        assert_eq!(reader.next(None).ok(), Some(Next::End));
    }
}
