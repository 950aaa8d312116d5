//! A disk in memory that can crash, for tests and simulations.
//!
//! Invariant: after a crash everything that was reported as durable is there, and of what was appended since the last sync
//! any beginning, perhaps with a wrong byte in it. What a crash leaves is decided by its seed alone.

use super::Disk;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A disk in memory. See the module's head.
#[derive(Default)]
pub struct MemoryDisk {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, MemoryFile>,
    /// Operations that changed something so far.
    writes: u64,
    /// The write that fails, as all that come after it.
    fails_at: Option<u64>,
}

#[derive(Clone, Default)]
struct MemoryFile {
    bytes: Vec<u8>,
    /// How many of them are durable.
    durable: usize,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// How many operations have changed something so far.
    pub fn writes(&self) -> u64 {
        self.inner().writes
    }

    /// Lets the write with this number (from 0, see [`MemoryDisk::writes`]) and all later ones fail, until [`MemoryDisk::crash`].
    pub fn fail_at(&self, write: u64) {
        self.inner().fails_at = Some(write);
    }

    /// Has a write failed?
    pub fn has_failed(&self) -> bool {
        let inner = self.inner();
        inner.fails_at.is_some_and(|at| inner.writes > at)
    }

    /// Loses what need not be there after a power cut. Works again afterwards.
    pub fn crash(&self, seed: u64) {
        let mut draw = SplitMix(seed);
        let mut inner = self.inner();
        inner.fails_at = None;
        for file in inner.files.values_mut() {
            let unsynced = file.bytes.len() - file.durable;
            let kept = draw.below(unsynced as u64 + 1) as usize;
            file.bytes.truncate(file.durable + kept);
            if kept > 0 && draw.below(2) == 0 {
                let at = file.durable + draw.below(kept as u64) as usize;
                file.bytes[at] ^= 1 << draw.below(8);
            }
            file.durable = file.bytes.len();
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write; an error if it is to fail.
    fn write(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        let number = inner.writes;
        inner.writes += 1;
        match inner.fails_at {
            Some(at) if number >= at => Err(io::Error::other("the disk has failed")),
            _ => Ok(inner),
        }
    }
}

impl Disk for MemoryDisk {
    fn place(&self) -> String {
        "memory".into()
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.inner().files.get(name).map(|file| file.bytes.clone()))
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self.write() {
            Ok(mut inner) => inner.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(bytes),
            Err(error) => {
                // The power went while it was written: some of it may be there.
                let mut inner = self.inner();
                if inner.fails_at == Some(inner.writes - 1) {
                    inner.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(bytes);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut inner = self.write()?;
        if let Some(file) = inner.files.get_mut(name) {
            file.durable = file.bytes.len();
        }
        Ok(())
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let mut inner = self.write()?;
        if let Some(file) = inner.files.get_mut(name) {
            file.bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            file.durable = file.bytes.len();
        }
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = MemoryFile { bytes: bytes.to_vec(), durable: bytes.len() };
        self.write()?.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.write()?.files.remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().files.keys().cloned().collect())
    }
}

/// A small generator of numbers that are as good as random.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_beginning_of_the_rest() {
        let (mut lost, mut torn) = (0, 0);
        for seed in 0..200 {
            let disk = MemoryDisk::new();
            disk.append("log", b"durable").expect("works");
            disk.sync("log").expect("works");
            disk.append("log", b"perhaps").expect("works");
            disk.crash(seed);
            let bytes = disk.read("log").expect("readable").expect("it was synced");
            assert!(bytes.starts_with(b"durable"));
            assert!(bytes.len() <= 14);
            lost += usize::from(bytes.len() < 14);
            torn += usize::from(!b"durableperhaps".starts_with(&bytes));
        }
        assert!(lost > 0 && torn > 0, "{lost} {torn}");
    }

    #[test]
    fn a_failed_disk_stays_failed_until_it_crashes() {
        let disk = MemoryDisk::new();
        disk.replace("meta", b"1").expect("works");
        disk.fail_at(disk.writes());
        assert!(disk.replace("meta", b"2").is_err());
        assert!(disk.append("log", b"x").is_err());
        assert!(disk.has_failed());
        disk.crash(1);
        disk.append("log", b"y").expect("works again");
        assert_eq!(disk.read("meta").expect("readable").as_deref(), Some(&b"1"[..]));
        assert_eq!(disk.read("log").expect("readable").as_deref(), Some(&b"y"[..]));
    }
}
