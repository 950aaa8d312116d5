//! A case in pieces: each process ends hard behind a checkpoint, and the next one goes on from there.

use crate::case::Case;
use crate::process::{self, Finished};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The exit code of a process that ended behind its checkpoint.
const CUT: i32 = 86;
/// Records between cuts are 1 to this many.
const ROWS: u64 = 9;
/// Processes that a case may take: one per record of the longest.
const PROCESSES: usize = 400;
/// Numbers of workers that take turns.
const WORKERS: [usize; 3] = [1, 2, 4];

/// The answers of the case do not change by cuts at every k-th record; k comes out of the case's name, so that the cases
/// together have all of them.
pub fn check(case: &Case) -> Result<(), String> {
    let seed = case.name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let records = case.records()? as u64;
    // Long cases are not cut into more pieces than there may be processes for.
    let rows = (1 + seed % ROWS).max(records / 60);
    case.compare_by(|args| in_pieces(case.folder(), args, rows, seed as usize))
        .map_err(|message| format!("cut every {rows} records: {message}"))
}

/// What all processes together wrote.
fn in_pieces(folder: &Path, args: &[String], rows: u64, seed: usize) -> Result<Finished, String> {
    let scratch = Scratch::new()?;
    let output = scratch.0.join("output");
    let mut stderr = String::new();
    for process in 0..PROCESSES {
        let append = File::options().create(true).append(true).open(&output).map_err(|error| error.to_string())?;
        let workers = WORKERS[(process + seed) % WORKERS.len()];
        let mut command = Command::new(env!("CARGO_BIN_EXE_rarog"));
        command.args(args).arg("--checkpoint-dir").arg(&scratch.0).arg("--checkpoint-cut");
        command.args([format!("--batch-rows={rows}"), format!("--workers={workers}")]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(append).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start rarog: {error}"))?;
        let said = process::drain(child.stderr.take().expect("stderr is piped"));
        let finished = process::finish(child, "in pieces", &process::drain(std::io::empty()), &said)?;
        stderr.push_str(&finished.stderr);
        if finished.code != Some(CUT) {
            let stdout = fs::read_to_string(&output).map_err(|error| error.to_string())?;
            return Ok(Finished { stdout, stderr, ..finished });
        }
    }
    Err(format!("is not at its end after {PROCESSES} processes\n{stderr}"))
}

/// A folder that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rarog-cuts-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        drop(fs::remove_dir_all(&self.0));
    }
}
