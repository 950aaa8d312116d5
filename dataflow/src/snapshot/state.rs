//! The state of an operator over all its peers, and of all operators behind one chunk.

use super::Snapshot;
use super::bytes::SnapshotError;
use rarog_lang::plan::NodeId;
use std::collections::BTreeMap;

/// The state of one operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Version of the operator's form.
    pub version: u32,
    /// What is the same at every peer.
    pub common: Vec<u8>,
    /// Bins that are not empty.
    pub bins: BTreeMap<u8, Vec<u8>>,
}

/// States by node, behind one chunk.
pub type States = BTreeMap<NodeId, State>;

impl State {
    /// Puts the parts of all peers together.
    pub(crate) fn of(parts: Vec<Snapshot>) -> State {
        let mut state = State::default();
        for (index, part) in parts.into_iter().enumerate() {
            if index == 0 {
                (state.version, state.common) = (part.version, part.common);
            }
            for (bin, bytes) in (0..=u8::MAX).zip(part.bins) {
                if !bytes.is_empty() {
                    state.bins.entry(bin).or_default().extend(bytes);
                }
            }
        }
        state
    }

    /// Bytes of content.
    pub fn len(&self) -> usize {
        self.common.len() + self.bins.values().map(Vec::len).sum::<usize>()
    }

    /// Nothing at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its parts, each to be stored with its length and checksum: the common one under `None`, and the bins.
    pub fn parts(&self) -> impl Iterator<Item = (Option<u8>, &[u8])> {
        let bins = self.bins.iter().map(|(bin, bytes)| (Some(*bin), &bytes[..]));
        std::iter::once((None, &self.common[..])).chain(bins)
    }

    /// Adds a part that was stored.
    pub fn add_part(&mut self, bin: Option<u8>, bytes: Vec<u8>) -> Result<(), SnapshotError> {
        match bin {
            None if self.common.is_empty() => self.common = bytes,
            Some(bin) if !self.bins.contains_key(&bin) => _ = self.bins.insert(bin, bytes),
            _ => return Err(SnapshotError::Damaged),
        }
        Ok(())
    }
}
