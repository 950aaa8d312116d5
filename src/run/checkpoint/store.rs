//! The folder of a pipeline's checkpoints.
//!
//! ```text
//! DIR/NAME/lock                              held by the run
//! DIR/NAME/00000000000000000412.checkpoint   the newest, by the number of its chunk
//! DIR/NAME/00000000000000000390.checkpoint   the one before, if the newest is damaged
//! ```
//! Invariant: a checkpoint is written under another name, brought to the disk and then renamed, so one that has its name is
//! whole, whenever the machine stops; and there is always one to go back to.

use super::format::Checkpoint;
use crate::files;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Checkpoints that are kept.
const KEPT: usize = 2;
const SUFFIX: &str = ".checkpoint";
const UNFINISHED: &str = ".unfinished";

/// See the module's head.
pub struct Store {
    folder: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

/// What was found in a folder.
pub struct Found {
    /// The newest checkpoint that can be read.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that cannot, with the reason.
    pub damaged: Vec<String>,
}

impl Store {
    /// Opens, and if need be makes, the folder of a pipeline.
    pub fn open(dir: &Path, pipeline: &str) -> Result<Store, String> {
        let folder = dir.join(folder_name(pipeline));
        fs::create_dir_all(&folder).map_err(|error| files::cannot_write(&folder, &error))?;
        let path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(|error| files::cannot_write(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Store { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another run has the checkpoints of {pipeline} in {}; end it, or give this one another --checkpoint-dir",
                dir.display()
            )),
            Err(TryLockError::Error(error)) => Err(files::cannot_write(&path, &error)),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Files of checkpoints, newest first.
    fn list(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                paths.push(path);
            }
        }
        // Numbers have the same number of digits.
        paths.sort();
        paths.reverse();
        Ok(paths)
    }

    /// The newest checkpoint that can be read. That there are some and none can be read is an error.
    pub fn newest(&self) -> Result<Found, String> {
        let paths = self.list().map_err(|error| files::cannot_read(&self.folder, &error))?;
        let mut damaged = Vec::new();
        for path in &paths {
            let read = fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| Checkpoint::read(&bytes));
            match read {
                Ok(checkpoint) => return Ok(Found { checkpoint: Some(checkpoint), damaged }),
                Err(reason) => damaged.push(format!("checkpoint {} cannot be used: {reason}", path.display())),
            }
        }
        if damaged.is_empty() {
            return Ok(Found { checkpoint: None, damaged });
        }
        Err(format!("{}\nnone is left; put one back from a copy, or begin anew with --forget", damaged.join("\n")))
    }

    /// Stores a checkpoint; its size. The ones that are not needed any more go.
    pub fn put(&self, checkpoint: &Checkpoint) -> io::Result<u64> {
        let bytes = checkpoint.bytes();
        let path = self.folder.join(format!("{:020}{SUFFIX}", checkpoint.manifest.chunk));
        let unfinished = path.with_extension(&UNFINISHED[1..]);
        let mut file = File::create(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&self.folder)?.sync_all()?;
        for old in self.list()?.iter().skip(KEPT) {
            fs::remove_file(old)?;
        }
        Ok(bytes.len() as u64)
    }

    /// Removes all checkpoints.
    pub fn clear(&self) -> Result<(), String> {
        let remove = || -> io::Result<()> { self.list()?.iter().try_for_each(fs::remove_file) };
        remove().map_err(|error| files::cannot_write(&self.folder, &error))
    }
}

/// A name as the name of a folder: other characters than letters, digits, `_`, `-` and dots inside as `%` and two digits.
fn folder_name(pipeline: &str) -> String {
    let plain =
        |byte: u8, first: bool| byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && !first);
    let name = |(index, byte): (usize, u8)| match plain(byte, index == 0) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    pipeline.bytes().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::manifest::*;
    use super::*;
    use rarog_dataflow::snapshot::State;
    use rarog_lang::stable_id::StableId;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rarog-store-{}-{name}", std::process::id()));
        // What an earlier test of the same process number has left.
        _ = fs::remove_dir_all(&folder);
        folder
    }

    fn checkpoint(chunk: u64) -> Checkpoint {
        let state = State { version: 1, common: vec![1, 2, 3], bins: [(7, vec![4; 100])].into() };
        let operator = Operator {
            id: StableId(1, 2),
            stream: "S".into(),
            does: "window".into(),
            version: 1,
            parts: super::super::format::parts(&state),
        };
        let manifest = Manifest {
            format: FORMAT,
            build: "test".into(),
            pipeline: "p".into(),
            incarnation: 0,
            chunk,
            written: 5,
            key_hash: 6,
            program: StableId(3, 4),
            input: Input::File(FilePosition { offset: chunk, ..FilePosition::default() }),
            outputs: vec![],
            operators: vec![operator],
            attachments: vec![super::super::format::attachment(b"seen")],
        };
        Checkpoint { manifest, states: vec![state], attachments: vec![b"seen".to_vec()] }
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_found() {
        let bytes = checkpoint(3).bytes();
        assert_eq!(Checkpoint::read(&bytes), Ok(checkpoint(3)));
        for index in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[index] ^= 1;
            assert!(Checkpoint::read(&wrong).is_err(), "byte {index}");
            assert!(Checkpoint::read(&bytes[..index]).is_err(), "cut at {index}");
        }
        assert!(Checkpoint::read(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn two_are_kept_and_the_one_before_stands_in() {
        let dir = folder("kept");
        let store = Store::open(&dir, "p").unwrap();
        assert!(store.newest().unwrap().checkpoint.is_none());
        for chunk in [5, 90, 100] {
            store.put(&checkpoint(chunk)).unwrap();
        }
        let names = store.list().unwrap();
        assert_eq!(names.len(), 2);
        assert_eq!(store.newest().unwrap().checkpoint, Some(checkpoint(100)));
        fs::write(&names[0], &fs::read(&names[0]).unwrap()[..50]).unwrap();
        let found = store.newest().unwrap();
        assert_eq!(found.checkpoint, Some(checkpoint(90)));
        assert!(found.damaged.len() == 1 && found.damaged[0].contains(&*names[0].to_string_lossy()));
        fs::write(&names[1], b"").unwrap();
        let Err(message) = store.newest() else { panic!("both are damaged") };
        assert!(message.contains("--forget"), "{message}");
        store.clear().unwrap();
        assert!(store.newest().unwrap().checkpoint.is_none());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let dir = folder("locked");
        let store = Store::open(&dir, "p").unwrap();
        let Err(message) = Store::open(&dir, "p") else { panic!("it is locked") };
        assert!(message.contains("another run"), "{message}");
        assert!(Store::open(&dir, "q").is_ok());
        drop(store);
        assert!(Store::open(&dir, "p").is_ok());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn names_of_pipelines_stay_in_their_folder() {
        let names = ["hot", "a.b-c_9", "..", "../x", "a/b", "ž", ""].map(folder_name);
        assert_eq!(names, ["hot", "a.b-c_9", "%2e.", "%2e.%2fx", "a%2fb", "%c5%be", ""]);
    }
}
