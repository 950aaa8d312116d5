//! Dead letters: into their file, one JSON object per line, or counted with samples for people.

use super::checkpoint::{Output, cut_back, position};
use super::talk::Talk;
use crate::files;
use rarog_dataflow::rt::DeadRecord;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples that are shown per reason when there is no file.
const SAMPLES_PER_REASON: u64 = 3;
/// Characters of a sample.
const SAMPLE_CHARS: usize = 160;

/// The file that pipelines of a run share, if there is one.
#[derive(Clone, Default)]
pub struct DeadFile(Option<Arc<Mutex<Open>>>);

struct Open {
    path: PathBuf,
    out: BufWriter<File>,
    failure: Option<String>,
}

impl DeadFile {
    /// Begins the file anew: of a run that can be repeated on its input.
    pub fn create(path: Option<&Path>) -> Result<DeadFile, String> {
        DeadFile::open(path, File::options().write(true).create(true).truncate(true))
    }

    /// Goes on with the file.
    pub fn append(path: Option<&Path>) -> Result<DeadFile, String> {
        DeadFile::open(path, File::options().append(true).create(true))
    }

    /// Goes on with the file of a live run: what that could not use does not come again, so that a restart must not remove what
    /// the run before it has left.
    pub fn add_to(path: Option<&Path>) -> Result<DeadFile, String> {
        let dead = DeadFile::append(path)?;
        if let (Some(mut open), Some(path)) = (dead.lock(), path)
            && ends_within_a_line(path).map_err(|error| files::cannot_read(path, &error))?
        {
            let ended = writeln!(open.out);
            open.check(ended);
        }
        Ok(dead)
    }

    fn open(path: Option<&Path>, options: &OpenOptions) -> Result<DeadFile, String> {
        let Some(path) = path else { return Ok(DeadFile(None)) };
        let file = options.open(path).map_err(|error| files::cannot_write(path, &error))?;
        let open = Open { path: path.into(), out: BufWriter::new(file), failure: None };
        Ok(DeadFile(Some(Arc::new(Mutex::new(open)))))
    }

    fn lock(&self) -> Option<MutexGuard<'_, Open>> {
        self.0.as_ref().map(|open| open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings everything to the disk; how long the file then is.
    pub fn position(&self) -> Option<Output> {
        let open = self.lock()?;
        open.out.get_ref().sync_data().ok()?;
        position(open.out.get_ref(), &open.path.to_string_lossy())
    }

    /// Cuts off what was written behind a checkpoint. What is to be said, if that does not do.
    pub fn cut_back(&self, to: &Output) -> Result<(), String> {
        self.lock().map_or(Ok(()), |open| cut_back(open.out.get_ref(), "the file of dead letters", to))
    }

    /// Puts everything on disk as far as the operating system; the first error there was.
    pub fn flush(&self) -> Result<(), String> {
        let Some(mut open) = self.lock() else { return Ok(()) };
        let flushed = open.out.flush();
        open.check(flushed);
        open.failure.clone().map_or(Ok(()), Err)
    }
}

impl Open {
    fn check(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            let message = files::cannot_write(&self.path, &error);
            self.failure.get_or_insert(message);
        }
    }
}

/// Has a run been killed while it wrote a line of this file?
fn ends_within_a_line(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 || !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Where a record came in.
#[derive(Default)]
pub struct Place {
    /// The connector, or the file that replaces all of them.
    pub connector: Option<Arc<str>>,
    /// The topic of a message.
    pub topic: Option<Arc<str>>,
}

/// The dead letters of one pipeline.
pub struct DeadLetters {
    file: DeadFile,
    talk: Talk,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl DeadLetters {
    /// None so far.
    pub fn new(file: DeadFile, talk: Talk) -> DeadLetters {
        DeadLetters { file, talk, counts: Mutex::default() }
    }

    /// Takes one.
    pub fn take(&self, record: &DeadRecord, place: &Place) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(record.reason).or_insert(0);
        *count += 1;
        let count = *count;
        drop(counts);
        if let Some(mut open) = self.file.lock() {
            let line = line(record, place);
            let written = writeln!(open.out, "{line}");
            open.check(written);
        } else if count <= SAMPLES_PER_REASON {
            self.talk.say(&sample(record, place, count));
        }
    }

    /// How many, by reason.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn line(record: &DeadRecord, place: &Place) -> Value {
    let mut line = json!({
        "reason": record.reason,
        "detail": record.detail,
        "connector": place.connector,
        "topic": place.topic,
        "position": record.position,
        "stream": record.stream,
        "raw": String::from_utf8_lossy(&record.raw),
    });
    if std::str::from_utf8(&record.raw).is_err() {
        line["raw_hex"] = record.raw.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    }
    line
}

fn sample(record: &DeadRecord, place: &Place, count: u64) -> String {
    let text = String::from_utf8_lossy(&record.raw);
    let mut shown: String = text.chars().take(SAMPLE_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let of =
        |word: &str, name: &Option<Arc<str>>| name.as_ref().map(|name| format!(" {word} {name}")).unwrap_or_default();
    let at = format!("{}{}", of("from", &place.topic), of("at", &record.stream));
    let more =
        if count == SAMPLES_PER_REASON { " (more of this reason are only counted; see --dead-letters)" } else { "" };
    format!("dead letter {}{at}: {}: {shown}{more}", record.reason, record.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_runs_add_to_what_is_there() {
        let path = std::env::temp_dir().join(format!("rarog-dead-{}.jsonl", std::process::id()));
        let write = |dead: DeadFile| {
            let mut open = dead.lock().expect("there is a file");
            writeln!(open.out, "new").expect("it is written");
            drop(open);
            dead.flush()
        };
        for (before, after) in [("", "new\n"), ("old\n", "old\nnew\n"), ("{\"rea", "{\"rea\nnew\n")] {
            std::fs::write(&path, before).expect("the folder for temporary files is writable");
            assert_eq!(DeadFile::add_to(Some(&path)).and_then(write), Ok(()));
            assert_eq!(std::fs::read_to_string(&path).expect("it is there"), after);
        }
        assert_eq!(DeadFile::create(Some(&path)).and_then(write), Ok(()));
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "new\n");
        std::fs::remove_file(&path).expect("it is there");
    }
}
