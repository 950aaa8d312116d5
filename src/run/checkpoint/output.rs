//! Outputs that are files: they can be cut back to where a checkpoint left them.

use super::manifest::Output;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// Standard output, if it is a file.
pub struct StandardOutput(Option<File>);

/// How long a file is, which goes by this path.
pub fn position(file: &File, path: &str) -> Option<Output> {
    let metadata = file.metadata().ok()?;
    Some(Output { path: path.into(), length: metadata.len(), file: (metadata.dev(), metadata.ino()) })
}

/// Cuts off what was written to a file behind a checkpoint. What is to be said, if that does not do.
pub fn cut_back(file: &File, what: &str, to: &Output) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| format!("cannot look at {what}: {error}"))?;
    if (metadata.dev(), metadata.ino()) != to.file {
        return Err(format!(
            "{what} is another file than then: what was written behind the checkpoint is written again"
        ));
    }
    if metadata.len() < to.length {
        return Err(format!(
            "{what} was emptied: the {} bytes up to the checkpoint are not in it; append to it (>>)",
            to.length
        ));
    }
    file.set_len(to.length).map_err(|error| format!("cannot cut {what} back to the checkpoint: {error}"))
}

impl StandardOutput {
    /// Standard output of this process.
    pub fn open() -> StandardOutput {
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from).ok();
        StandardOutput(file.filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file())))
    }

    /// Where it ends, once everything is written.
    pub fn position(&self) -> Option<Output> {
        position(self.0.as_ref()?, "")
    }

    /// Brings what is written to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Cuts off what was written behind a checkpoint. What is to be said, if that does not do.
    pub fn cut_back(&self, to: &Output) -> Result<(), String> {
        let Some(file) = &self.0 else {
            return Err("results that were written behind the checkpoint are written again".into());
        };
        cut_back(file, "standard output", to)
    }
}
