//! What a worker keeps on disk of its duties: the cluster that they are of, the orders, and the newest epochs seen.
//!
//! After a restart the orders are known and nothing of them runs before a coordinator has confirmed an epoch. Invariant: a file
//! that is damaged is set aside and said, never half read.

use super::duties::Books;
use crate::model::ids::Uuid;
use crate::seams::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// The file.
const FILE: &str = "agent.json";
/// Where a damaged one is kept.
const DAMAGED: &str = "agent.damaged.json";
/// Version of the form.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    crc: u32,
    /// JSON of [`Kept`], as a text so that its checksum is over what is read.
    kept: String,
}

/// What is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The cluster.
    pub cluster: Option<Uuid>,
    /// The duties.
    pub books: Books,
}

/// The worker's folder, as far as its duties are concerned.
#[derive(Clone)]
pub struct Store {
    disk: Arc<dyn Disk>,
}

impl Store {
    /// Of a folder.
    pub fn new(disk: Arc<dyn Disk>) -> Store {
        Store { disk }
    }

    /// What was kept; nothing at the first start.
    pub fn load(&self) -> io::Result<Kept> {
        let Some(bytes) = self.disk.read(FILE)? else { return Ok(Kept::default()) };
        match parse(&bytes) {
            Ok(kept) => Ok(kept),
            Err(why) => {
                tracing::error!(%why, "{FILE} is damaged: it is set aside as {DAMAGED}; placements come again from the cluster");
                self.disk.replace(DAMAGED, &bytes)?;
                self.disk.remove(FILE)?;
                Ok(Kept::default())
            }
        }
    }

    /// Keeps this instead.
    pub fn save(&self, kept: &Kept) -> io::Result<()> {
        let kept = serde_json::to_string(kept).map_err(io::Error::other)?;
        let form = Form { version: VERSION, crc: crc32fast::hash(kept.as_bytes()), kept };
        self.disk.replace(FILE, &serde_json::to_vec(&form).map_err(io::Error::other)?)
    }

    /// Forgets everything.
    pub fn clear(&self) -> io::Result<()> {
        self.disk.remove(FILE)
    }
}

fn parse(bytes: &[u8]) -> Result<Kept, String> {
    let form: Form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if form.version != VERSION {
        return Err(format!("its version is {}, this build reads {VERSION}", form.version));
    }
    if crc32fast::hash(form.kept.as_bytes()) != form.crc {
        return Err("its checksum is wrong".into());
    }
    serde_json::from_str(&form.kept).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::memory::MemoryDisk;

    #[test]
    fn what_is_kept_comes_back_and_damage_is_set_aside() {
        let disk = Arc::new(MemoryDisk::new());
        let store = Store::new(disk.clone());
        assert!(store.load().expect("it is empty").cluster.is_none());
        let kept = Kept { cluster: Some(Uuid::from_u128(7)), ..Kept::default() };
        store.save(&kept).expect("memory takes it");
        assert_eq!(store.load().expect("it is there").cluster, kept.cluster);
        let mut bytes = disk.read(FILE).expect("it reads").expect("it is there");
        let last = bytes.len() - 4;
        bytes[last] ^= 1;
        disk.replace(FILE, &bytes).expect("memory takes it");
        assert!(store.load().expect("damage is no error").cluster.is_none());
        assert_eq!(disk.read(DAMAGED).expect("it reads"), Some(bytes));
    }
}
