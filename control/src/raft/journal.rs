//! A file of records that is only appended to, and the thread that makes it durable.
//!
//! ```text
//!   file  = magic, frame*
//!   frame = "RFRM", length of payload (u32), crc32 of payload (u32), payload
//! ```
//! Records that arrive while the disk is busy become durable together, as one frame. Invariant: a frame is written only after
//! the one before it is durable. So only the last frame of a file can be one that a power cut interrupted; it is cut off. A
//! broken frame with a whole one behind it is damage, and nothing is guessed about it.

use crate::seams::Disk;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// What every file begins with; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"RAROGLG1";

/// What every frame begins with.
const FRAME: &[u8; 4] = b"RFRM";

/// Bytes of a frame before its payload.
const FRAME_HEAD_BYTES: usize = 12;

/// Bytes of records that are put into one frame before it is written.
const FRAME_LIMIT_BYTES: usize = 32 << 20;

/// Time after which records that nobody waits for are written by themselves, ms.
const LAZY_MS: u64 = 50;

/// What is called when records are durable, or cannot be made so.
pub(super) type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// How records get to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// By a thread of its own, so that waiting for the disk holds nobody up.
    #[default]
    Thread,
    /// At once, by whoever writes: the same every time, as simulations need it.
    Inline,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk failed.
    #[error("{place}: {source}")]
    Io {
        /// The file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error(
        "{place} is damaged at byte {offset}: {what}. This is no interrupted write, so nothing was changed. Put the file back \
         from a copy; or, if other coordinators of the cluster are alive, move the whole folder away and start this one \
         without it: it gets everything from them"
    )]
    Damaged {
        /// The file.
        place: String,
        /// Where.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
}

/// A record and where its frame begins, for messages.
pub(super) struct Frame {
    pub(super) offset: usize,
    pub(super) payload: Vec<u8>,
}

/// Reads a journal, which is made if it is missing. An interrupted write at its end is cut off.
pub(super) fn read(disk: &dyn Disk, name: &str) -> Result<Vec<Frame>, JournalError> {
    let place = || format!("{}/{name}", disk.place());
    let failed = |source| JournalError::Io { place: place(), source };
    let damaged = |offset, what: &str| JournalError::Damaged { place: place(), offset, what: what.into() };
    let Some(bytes) = disk.read(name).map_err(failed)? else {
        disk.replace(name, MAGIC).map_err(failed)?;
        return Ok(Vec::new());
    };
    if !bytes.starts_with(MAGIC) {
        return Err(damaged(0, "it is no log of this version"));
    }
    let mut frames = Vec::new();
    let mut at = MAGIC.len();
    while at < bytes.len() {
        match frame_at(&bytes, at) {
            Some(payload) => {
                frames.push(Frame { offset: at, payload: payload.to_vec() });
                at += FRAME_HEAD_BYTES + payload.len();
            }
            None if (at + 1..bytes.len()).any(|later| frame_at(&bytes, later).is_some()) => {
                return Err(damaged(at, "a record is broken, and whole ones follow it"));
            }
            None => {
                tracing::warn!(file = name, offset = at, bytes = bytes.len() - at, "cutting off an interrupted write");
                disk.truncate(name, at as u64).map_err(failed)?;
                break;
            }
        }
    }
    Ok(frames)
}

/// The payload of the whole frame that begins here, if there is one.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let head = bytes.get(at..at + FRAME_HEAD_BYTES)?;
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    if &head[..4] != FRAME {
        return None;
    }
    let start = at + FRAME_HEAD_BYTES;
    let payload = bytes.get(start..start.checked_add(word(4) as usize)?)?;
    (crc32fast::hash(payload) == word(8)).then_some(payload)
}

fn frame(payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::other("a record is larger than 4 GiB"))?;
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + payload.len());
    frame.extend_from_slice(FRAME);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    frame.extend_from_slice(payload);
    Ok(frame)
}

/// Something to write.
enum Job {
    /// Add records.
    Append { records: Vec<u8>, done: Option<Done> },
    /// Put these records in place of all that there are.
    Rewrite { records: Vec<u8>, done: Option<Done> },
}

/// Writes a journal, in the order of the calls.
pub(super) struct Writer(Outlet);

/// See [`Flush`].
enum Outlet {
    Thread(mpsc::Sender<Job>),
    Inline(Mutex<Sink>),
}

impl Writer {
    /// Writes to the end of a journal that [`read`] has seen.
    pub(super) fn new(disk: Arc<dyn Disk>, name: &'static str, flush: Flush) -> io::Result<Writer> {
        let mut sink = Sink { disk, name, held: Vec::new(), has_failed: false };
        if flush == Flush::Inline {
            return Ok(Writer(Outlet::Inline(Mutex::new(sink))));
        }
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new().name("raft-log".into()).spawn(move || {
            while let Ok(first) = receiver.recv() {
                sink.drain(first, &receiver);
            }
        })?;
        Ok(Writer(Outlet::Thread(sender)))
    }

    /// Adds records; `done` is called when they are durable. Without it they may wait for others that somebody waits for.
    pub(super) fn append(&self, records: Vec<u8>, done: Option<Done>) {
        self.enqueue(Job::Append { records, done });
    }

    /// Puts records in place of all that were written before.
    pub(super) fn rewrite(&self, records: Vec<u8>, done: Option<Done>) {
        self.enqueue(Job::Rewrite { records, done });
    }

    fn enqueue(&self, job: Job) {
        match &self.0 {
            Outlet::Inline(sink) => sink.lock().unwrap_or_else(PoisonError::into_inner).perform(job),
            Outlet::Thread(sender) => {
                if let Err(mpsc::SendError(Job::Append { done, .. } | Job::Rewrite { done, .. })) = sender.send(job)
                    && let Some(done) = done
                {
                    done(Err(io::Error::other("the thread that writes the log has ended")));
                }
            }
        }
    }
}

/// The end of the file.
struct Sink {
    disk: Arc<dyn Disk>,
    name: &'static str,
    /// Records that nobody waits for.
    held: Vec<u8>,
    /// After an error nobody knows what the file holds, so nothing is added to it any more.
    has_failed: bool,
}

impl Sink {
    /// Writes this job and all that wait behind it.
    fn drain(&mut self, first: Job, receiver: &mpsc::Receiver<Job>) {
        let mut next = Some(first);
        while let Some(job) = next.take() {
            let Job::Append { records, done } = job else {
                self.perform(job);
                next = receiver.try_recv().ok();
                continue;
            };
            let mut records = records;
            let mut waiting: Vec<Done> = done.into_iter().collect();
            while records.len() < FRAME_LIMIT_BYTES {
                let patience = Duration::from_millis(if waiting.is_empty() { LAZY_MS } else { 0 });
                match receiver.recv_timeout(patience) {
                    Ok(Job::Append { records: more, done }) => {
                        records.extend_from_slice(&more);
                        waiting.extend(done);
                    }
                    Ok(rewrite) => {
                        next = Some(rewrite);
                        break;
                    }
                    Err(_) => break,
                }
            }
            let result = self.write(&records);
            finish(waiting, &result);
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Append { records, done: None } => self.held.extend_from_slice(&records),
            Job::Append { mut records, done: Some(done) } => {
                if !self.held.is_empty() {
                    let mut all = std::mem::take(&mut self.held);
                    all.append(&mut records);
                    records = all;
                }
                done(self.write(&records));
            }
            Job::Rewrite { records, done } => {
                self.held.clear();
                let result = self.rewrite(&records);
                finish(done.into_iter().collect(), &result);
            }
        }
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let disk = self.disk.clone();
        self.attempt(|name| {
            disk.append(name, &frame(records)?)?;
            disk.sync(name)
        })
    }

    fn rewrite(&mut self, records: &[u8]) -> io::Result<()> {
        let disk = self.disk.clone();
        self.attempt(|name| {
            let mut file = MAGIC.to_vec();
            file.extend_from_slice(&frame(records)?);
            disk.replace(name, &file)
        })
    }

    fn attempt(&mut self, write: impl FnOnce(&str) -> io::Result<()>) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("an earlier write to the log has failed"));
        }
        let result = write(self.name);
        if let Err(error) = &result {
            self.has_failed = true;
            tracing::error!(file = self.name, %error, "the log cannot be written: this coordinator stops taking part");
        }
        result
    }
}

fn finish(waiting: Vec<Done>, result: &io::Result<()>) {
    for done in waiting {
        done(match result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::memory::MemoryDisk;

    const NAME: &str = "log";

    fn write(disk: &Arc<MemoryDisk>, flush: Flush, records: &[&[u8]]) {
        let writer = Writer::new(disk.clone(), NAME, flush).expect("threads can be made");
        for record in records {
            let (sender, receiver) = mpsc::channel();
            writer
                .append(record.to_vec(), Some(Box::new(move |result| sender.send(result).expect("it is waited for"))));
            receiver.recv().expect("it is called").expect("it is written");
        }
    }

    fn payloads(disk: &MemoryDisk) -> Vec<Vec<u8>> {
        read(disk, NAME).expect("it is whole").into_iter().map(|frame| frame.payload).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        for flush in [Flush::Thread, Flush::Inline] {
            let disk = Arc::new(MemoryDisk::new());
            assert!(payloads(&disk).is_empty());
            write(&disk, flush, &[b"one", b"", b"three"]);
            assert_eq!(payloads(&disk), [&b"one"[..], b"", b"three"]);
        }
    }

    #[test]
    fn an_interrupted_write_is_cut_off_at_every_byte() {
        let disk = Arc::new(MemoryDisk::new());
        payloads(&disk);
        write(&disk, Flush::Inline, &[b"kept", b"interrupted"]);
        let whole = disk.read(NAME).expect("readable").expect("it was made");
        let second = MAGIC.len() + FRAME_HEAD_BYTES + 4;
        for length in second..whole.len() {
            disk.replace(NAME, &whole[..length]).expect("writable");
            assert_eq!(payloads(&disk), [b"kept"]);
            write(&disk, Flush::Inline, &[b"later"]);
            assert_eq!(payloads(&disk), [&b"kept"[..], b"later"]);
        }
    }

    #[test]
    fn damage_in_the_middle_is_refused_and_named() {
        let disk = Arc::new(MemoryDisk::new());
        payloads(&disk);
        write(&disk, Flush::Inline, &[b"first", b"second", b"third"]);
        let whole = disk.read(NAME).expect("readable").expect("it was made");
        let second = MAGIC.len() + FRAME_HEAD_BYTES + 5;
        let third = second + FRAME_HEAD_BYTES + 6;
        for at in second..third {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            disk.replace(NAME, &bytes).expect("writable");
            let error = read(&*disk, NAME).err().expect("it is damaged").to_string();
            assert!(error.contains(&format!("log is damaged at byte {second}")), "{error}");
            assert_eq!(disk.read(NAME).expect("readable"), Some(bytes), "nothing may be changed");
        }
    }

    #[test]
    fn after_an_error_nothing_is_reported_as_durable() {
        let disk = Arc::new(MemoryDisk::new());
        payloads(&disk);
        let writer = Writer::new(disk.clone(), NAME, Flush::Inline).expect("no thread is made");
        disk.fail_at(disk.writes() + 1);
        let (sender, results) = mpsc::channel();
        for record in [b"a", b"b"] {
            let sender = sender.clone();
            writer.append(
                record.to_vec(),
                Some(Box::new(move |result| sender.send(result.is_ok()).expect("it is kept"))),
            );
            disk.crash(0);
        }
        assert_eq!(results.try_iter().collect::<Vec<_>>(), [false, false]);
    }
}
