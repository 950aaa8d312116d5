//! The files of events, made by `rarog generate` in a folder that goes away with this. Files of one set are there at a time.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of files.
pub struct Inputs {
    folder: PathBuf,
}

impl Inputs {
    /// Makes the folder.
    pub fn new() -> Result<Inputs, String> {
        let folder = std::env::temp_dir().join(format!("rarog-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Inputs { folder })
    }

    /// Makes the files of a set, and removes those of the one before.
    pub fn of_set<const N: usize>(&self, rarog: &Path, set: &str, sizes: [u64; N]) -> Result<[PathBuf; N], String> {
        _ = std::fs::remove_dir_all(&self.folder);
        std::fs::create_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))?;
        let files = sizes.map(|events| self.folder.join(format!("{set}-{events}.jsonl")));
        for (events, file) in sizes.iter().zip(&files) {
            let mut command = Command::new(rarog);
            command.args(["generate", set, "--count", &events.to_string(), "--output"]).arg(file);
            let output = command.output().map_err(|error| format!("{}: {error}", rarog.display()))?;
            if !output.status.success() {
                return Err(format!("rarog generate {set}: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
        Ok(files)
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}
