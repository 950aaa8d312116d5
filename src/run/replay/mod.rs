//! The intake of a replay: a file or standard input, cut into numbered chunks of whole lines.
//!
//! ```text
//! file ──read──┐
//!              ├─► Blocks ─► chunk n ─► (outside of the lock) decoder
//! pipe ─thread─┘
//! ```
//! Files are read by whoever pulls. A pipe may go quiet, so a thread reads it, and what it has given is handed out as soon
//! as nothing more is there. Invariant: the chunks, joined, are the input, but for what is behind the limit of an endless
//! line; memory does not grow with the input.

mod blocks;
mod pipe;

use crate::args::InputFormat;
use crate::files;
use crate::run::checkpoint::{Checkpoints, FilePosition, Input};
use blocks::Blocks;
use pipe::{Given, Pipe};
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Baton, Decoder, Relay, batch_offset_behind};
use rarog_dataflow::rt::{Decoded, Intake, Pulled};
use rarog_lang::plan::Plan;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file or standard input as an intake.
pub struct Replay {
    inner: Arc<Inner>,
}

struct Inner {
    decoder: Decoder,
    format: InputFormat,
    name: String,
    /// Size of the input, if it has one.
    total: Option<u64>,
    read: AtomicU64,
    checkpoints: Option<Arc<Checkpoints>>,
    state: Mutex<State>,
    /// Buffers of chunks that have been decoded.
    spare: Mutex<Vec<Vec<u8>>>,
    failure: Mutex<Option<String>>,
}

struct State {
    source: Source,
    blocks: Blocks,
    seq: u64,
    /// The last chunk has been given.
    ended: bool,
    relay: Relay,
    /// `.evt`: offset of the last BATCH so far, ns.
    batch: i64,
}

/// Where a replay begins.
#[derive(Default)]
pub struct From {
    /// Number of its first chunk.
    pub chunk: u64,
    /// Where that begins.
    pub position: FilePosition,
    /// Asked for barriers, and told where they stand.
    pub checkpoints: Option<Arc<Checkpoints>>,
}

enum Source {
    File(File),
    Pipe(Pipe),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file, and its size if it has one.
fn open(input: &Path) -> Result<(Source, Option<u64>), String> {
    let failed = |error: std::io::Error| files::cannot_read(input, &error);
    let file = match files::is_stdin(input) {
        true => File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?),
        false => File::open(input).map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() {
        return Ok((Source::File(file), Some(metadata.len())));
    }
    Ok((Source::Pipe(Pipe::new(file).map_err(failed)?), None))
}

/// A byte order mark at the start of a file is none of its first record; blanks in its place keep positions right.
fn blank_mark(lines: &mut [u8]) {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if lines.starts_with(MARK) {
        lines[..MARK.len()].fill(b' ');
    }
}

impl Replay {
    /// Opens a file, or standard input for `-`. `batch_rows`: so many lines per chunk, exactly.
    pub fn open(
        input: &Path,
        format: InputFormat,
        plan: Arc<Plan>,
        batch_rows: Option<usize>,
        from: From,
    ) -> Result<Replay, String> {
        let From { chunk, position, checkpoints } = from;
        let (mut source, total) = open(input)?;
        match &mut source {
            Source::File(file) if position.offset > 0 => {
                let sought = file.seek(SeekFrom::Start(position.offset));
                sought.map_err(|error| files::cannot_read(input, &error))?;
            }
            Source::Pipe(_) if checkpoints.is_some() => {
                return Err(format!(
                    "{} cannot be read again, so checkpoints are of no use; give a file",
                    input.display()
                ));
            }
            Source::File(_) | Source::Pipe(_) => {}
        }
        let state = State {
            source,
            blocks: Blocks::new(batch_rows).starting_at(position.offset),
            seq: chunk,
            ended: false,
            relay: Relay::starting_at(position.time),
            batch: position.batch,
        };
        let name = if files::is_stdin(input) { "standard input".to_string() } else { input.display().to_string() };
        let inner = Inner {
            decoder: Decoder::new(&plan),
            format,
            name,
            total,
            read: AtomicU64::new(position.offset),
            checkpoints,
            state: Mutex::new(state),
            spare: Mutex::new(Vec::new()),
            failure: Mutex::new(None),
        };
        Ok(Replay { inner: Arc::new(inner) })
    }

    /// Why the input ended early, if it did.
    pub fn failure(&self) -> Option<String> {
        lock(&self.inner.failure).clone()
    }

    /// Bytes read so far, and of how many if that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.inner.read.load(Ordering::Relaxed), self.inner.total)
    }
}

/// What reading gave.
enum Got {
    /// Lines, where they begin in the input, and whether they are the last.
    Lines(Vec<u8>, u64, bool),
    /// Nothing at the moment.
    Nothing,
    Failed(std::io::Error),
}

impl Inner {
    /// Reads until there is a chunk.
    fn next(&self, state: &mut State) -> Got {
        loop {
            let quiet = match &state.source {
                Source::File(_) => false,
                Source::Pipe(pipe) => pipe.is_quiet(),
            };
            let position = state.blocks.position();
            if let Some(lines) = state.blocks.cut(quiet, || lock(&self.spare).pop()) {
                return Got::Lines(lines, position, state.blocks.is_empty());
            }
            let read = match &mut state.source {
                Source::File(file) => match file.read(state.blocks.room()) {
                    Ok(0) => state.blocks.end(),
                    Ok(count) => state.blocks.filled(count),
                    Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                    Err(error) => return Got::Failed(error),
                },
                Source::Pipe(pipe) => match pipe.take() {
                    Given::Bytes(bytes) => state.blocks.push(&bytes),
                    Given::Nothing => return Got::Nothing,
                    Given::End => state.blocks.end(),
                    Given::Failed(error) => return Got::Failed(error),
                },
            };
            self.read.fetch_add(read as u64, Ordering::Relaxed);
        }
    }

    fn decode(&self, chunk: Chunk, lines: Vec<u8>, baton: &Baton, batch: i64) -> Decoded {
        let decoded = match self.format {
            InputFormat::Jsonl => self.decoder.lines(chunk, &lines, baton),
            InputFormat::Evt => self.decoder.evt(chunk, &lines, batch),
        };
        lock(&self.spare).push(lines);
        decoded
    }

    /// The next chunk. One that is empty and not the end only says where a checkpoint stands.
    fn cut(self: &Arc<Self>, state: &mut State, lines: Vec<u8>, position: u64, end: bool) -> Pulled {
        let checkpoints = self.checkpoints.clone().filter(|of| end || lines.is_empty() || of.is_due());
        let chunk = Chunk { seq: state.seq, end, barrier: checkpoints.is_some(), ..Chunk::default() };
        state.seq += 1;
        let baton = state.relay.baton();
        let batch = state.batch;
        if self.format == InputFormat::Evt {
            state.batch = batch_offset_behind(&lines, batch);
        }
        let behind = checkpoints.map(|checkpoints| {
            checkpoints.begin();
            let (path, offset) = (self.name.clone(), state.blocks.position());
            let at = FilePosition { path, offset, batch: state.batch, ended: end, ..FilePosition::default() };
            (checkpoints, at, state.relay.behind())
        });
        let inner = self.clone();
        Pulled::Chunk(Box::new(move || {
            let mut decoded = inner.decode(chunk, lines, &baton, batch);
            decoded.dead.iter_mut().flat_map(|dead| &mut dead.position).for_each(|at| *at += position);
            drop(baton);
            if let Some((checkpoints, at, behind)) = behind {
                let at = FilePosition { time: behind.time(), ..at };
                checkpoints.stand(decoded.chunk.seq, Input::File(at));
            }
            decoded
        }))
    }
}

impl Replay {
    /// The run is asked to stop: a last chunk with a barrier, once, if there are checkpoints.
    pub fn last(&self) -> Option<Pulled> {
        let mut state = lock(&self.inner.state);
        self.inner.checkpoints.as_ref().filter(|_| !state.ended)?;
        state.ended = true;
        let position = state.blocks.position();
        Some(self.inner.cut(&mut state, Vec::new(), position, false))
    }
}

impl Intake for Replay {
    fn pull(&self) -> Pulled {
        let mut state = lock(&self.inner.state);
        if state.ended {
            return Pulled::End;
        }
        let (lines, position, end) = match self.inner.next(&mut state) {
            Got::Lines(mut lines, position, end) => {
                if position == 0 {
                    blank_mark(&mut lines);
                }
                (lines, position, end)
            }
            Got::Nothing => return Pulled::Pending,
            Got::Failed(error) => {
                state.ended = true;
                *lock(&self.inner.failure) = Some(format!("cannot read {}: {error}", self.inner.name));
                return Pulled::End;
            }
        };
        state.ended = end;
        self.inner.cut(&mut state, lines, position, end)
    }

    fn on_data(&self, wake: Box<dyn Fn() + Send + Sync>) {
        if let Source::Pipe(pipe) = &lock(&self.inner.state).source {
            pipe.on_data(wake);
        }
    }
}

#[cfg(test)]
mod tests;
