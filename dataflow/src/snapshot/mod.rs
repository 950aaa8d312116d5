//! Snapshots: the state of operators as bytes, behind a numbered chunk.
//!
//! ```text
//!  chunk N with a barrier ──► operator at peer 0: Snapshot ─┐
//!                         └─► operator at peer 1: Snapshot ─┴─► State ──► bytes with checksums
//! ```
//! Every operator applies chunks in order, so its state behind chunk N is a function of the input alone, and the states of
//! all operators behind the same chunk fit together. Keyed state lies in [`BINS`] bins by the hash of its key: a bin is at
//! one peer whole, so a run with another number of peers takes the bins over as they are. What is the same at every peer
//! (watermarks) or belongs to no key is *common*; unkeyed entries lie in bin 0.
//!
//! Invariant: what an operator restores is what it wrote, byte for byte; anything else is an error and never a guess.

mod bytes;
mod state;

pub use bytes::SnapshotError;
pub use state::{State, States};

use crate::operators::key_hash_check;
use rarog_lang::plan::Op;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bins of keyed state.
pub const BINS: usize = 256;

/// The bin of a key's hash.
#[inline]
pub fn bin(hash: u64) -> u8 {
    (hash >> 32) as u8
}

/// The peer that has a bin.
#[inline]
pub fn peer(bin: u8, peers: usize) -> usize {
    usize::from(bin) % peers
}

/// Tells builds apart that hash keys differently: their bins do not fit together.
pub fn hash_check() -> u64 {
    key_hash_check()
}

/// Has an operator state between chunks?
pub fn keeps_state(op: &Op) -> bool {
    match op {
        Op::Window { .. } | Op::AggregateRunning { .. } | Op::Limit(_) | Op::Timer { .. } => true,
        Op::Join(_) | Op::Sequence(_) => true,
        Op::Distinct { per_window, .. } => !per_window,
        Op::Input(_) | Op::Merge(_) | Op::Filter(_) | Op::Project { .. } | Op::Retype(_) => false,
        Op::AggregateReleased { .. } | Op::Process { .. } | Op::Print(_) | Op::Log { .. } => false,
        Op::Alert { .. } | Op::Send { .. } | Op::Emit | Op::Late { .. } => false,
    }
}

/// The state of one operator at one peer, being written.
#[derive(Debug)]
pub struct Snapshot {
    version: u32,
    common: Vec<u8>,
    bins: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Nothing written so far, in this version of the operator's form.
    pub fn new(version: u32) -> Snapshot {
        Snapshot { version, common: Vec::new(), bins: vec![Vec::new(); BINS] }
    }

    /// Writes what is the same at every peer. Read back in the order of writing.
    pub fn common(&mut self, state: &impl Serialize) {
        bytes::write(&mut self.common, state);
    }

    /// Writes an entry that belongs to the key with this hash; 0 for what belongs to none. An operator with a key writes
    /// nothing under 0 but what each of its peers may add to, since a bin of another run may be at another peer.
    pub fn keyed(&mut self, hash: u64, entry: &impl Serialize) {
        bytes::write(&mut self.bins[usize::from(bin(hash))], entry);
    }
}

/// The state of one operator, being taken over by one of its peers.
#[derive(Clone, Copy)]
pub struct Restore<'s> {
    state: &'s State,
    peer: usize,
    peers: usize,
}

impl<'s> Restore<'s> {
    /// What this peer of so many has of a state; an operator that runs at one peer alone has all of it.
    pub fn new(state: &'s State, peer: usize, peers: usize) -> Restore<'s> {
        Restore { state, peer, peers }
    }

    /// The version that wrote it, unless it is this one.
    pub(crate) fn check_version(&self, version: Option<u32>) -> Result<(), SnapshotError> {
        match version {
            Some(version) if version == self.state.version => Ok(()),
            _ => Err(SnapshotError::Version { found: self.state.version, wanted: version.unwrap_or_default() }),
        }
    }

    /// Reads the common part, all of it: several writes are read back as a tuple.
    pub fn common<T: DeserializeOwned>(&self) -> Result<T, SnapshotError> {
        let (value, rest) = bytes::read(&self.state.common)?;
        if rest.is_empty() { Ok(value) } else { Err(SnapshotError::Damaged) }
    }

    /// Reads every entry of this peer's bins: bins in order, entries as they were written.
    pub fn each<T: DeserializeOwned>(
        &self,
        mut take: impl FnMut(T) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        for (&bin, bytes) in &self.state.bins {
            if peer(bin, self.peers) != self.peer {
                continue;
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (entry, after) = bytes::read(rest)?;
                take(entry)?;
                rest = after;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entries: &[(u64, u32)]) -> Snapshot {
        let mut snapshot = Snapshot::new(3);
        snapshot.common(&("watermark", 7_i64));
        entries.iter().for_each(|(hash, entry)| snapshot.keyed(*hash, entry));
        snapshot
    }

    fn read(state: &State, peer: usize, peers: usize) -> Vec<u32> {
        let mut entries = Vec::new();
        let read = Restore::new(state, peer, peers).each(|entry| {
            entries.push(entry);
            Ok(())
        });
        read.expect("it was written like this");
        entries
    }

    #[test]
    fn bins_of_two_peers_are_those_of_any_number() {
        let hash = |bin: u64| bin << 32;
        let parts =
            [written(&[(hash(0), 0), (hash(2), 2), (hash(254), 254)]), written(&[(hash(1), 1), (hash(255), 255)])];
        let state = State::of(parts.into());
        assert_eq!(Restore::new(&state, 0, 1).common::<(String, i64)>(), Ok(("watermark".into(), 7)));
        assert_eq!(read(&state, 0, 1), [0, 1, 2, 254, 255]);
        assert_eq!([0, 1, 2].map(|peer| read(&state, peer, 3)), [vec![0, 255], vec![1], vec![2, 254]]);
    }

    #[test]
    fn another_version_is_refused() {
        let state = State::of(vec![written(&[])]);
        let restore = Restore::new(&state, 0, 1);
        assert_eq!(restore.check_version(Some(3)), Ok(()));
        assert_eq!(restore.check_version(Some(4)), Err(SnapshotError::Version { found: 3, wanted: 4 }));
    }

    #[test]
    fn what_is_not_as_it_was_written_is_an_error() {
        let state = State::of(vec![written(&[(0, 1)])]);
        let restore = Restore::new(&state, 0, 1);
        assert_eq!(restore.common::<String>(), Err(SnapshotError::Damaged));
        assert_eq!(restore.each(|_: (u64, String)| Ok(())), Err(SnapshotError::Damaged));
    }
}
