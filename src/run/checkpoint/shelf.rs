//! Where checkpoints are put.

use super::format::Checkpoint;
use super::store::Store;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module's head.
pub enum Shelf {
    /// Files of a folder.
    Folder(Store),
    /// The last one, as bytes.
    Memory(Arc<Mutex<Option<Arc<[u8]>>>>),
}

impl Shelf {
    /// Puts one there.
    pub fn put(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        match self {
            Shelf::Folder(store) => store.put(checkpoint).map(drop),
            Shelf::Memory(kept) => {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint.bytes().into());
                Ok(())
            }
        }
    }
}
