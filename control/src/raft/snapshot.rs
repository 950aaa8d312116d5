//! The file that holds a state and what it covers.
//!
//! ```text
//!   file = magic, crc32 of the rest (u32), length of meta (u32), meta, state
//! ```
//! Meta and state are encoded by postcard; the digit at the end of the magic is the version of both. Invariant: a snapshot is
//! durable as a whole before anything that it covers is forgotten.

use super::journal::JournalError;
use super::types::SnapshotMeta;
use crate::model::state::State;
use crate::seams::Disk;
use bytes::Bytes;
use std::io;

/// Name of the file.
pub(super) const SNAPSHOT: &str = "raft.snapshot";

const MAGIC: &[u8; 8] = b"RAROGSN1";

/// Bytes of an encoded state at the most.
pub(super) const SNAPSHOT_LIMIT_BYTES: usize = 256 << 20;

/// Encodes a state for other nodes.
pub(super) fn encode(state: &State) -> io::Result<Bytes> {
    let bytes = postcard::to_stdvec(state).map_err(io::Error::other)?;
    if bytes.len() > SNAPSHOT_LIMIT_BYTES {
        return Err(io::Error::other("the state of the cluster is larger than 256 MiB: remove groups"));
    }
    Ok(bytes.into())
}

/// The state of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> io::Result<State> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::other(format!("a snapshot cannot be decoded: {error}")))
}

/// Puts a snapshot in place of the one before.
pub(super) fn store(disk: &dyn Disk, meta: &SnapshotMeta, state: &[u8]) -> io::Result<()> {
    let meta = postcard::to_stdvec(meta).map_err(io::Error::other)?;
    let mut checked = u32::try_from(meta.len()).map_err(io::Error::other)?.to_le_bytes().to_vec();
    checked.extend_from_slice(&meta);
    checked.extend_from_slice(state);
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&crc32fast::hash(&checked).to_le_bytes());
    file.append(&mut checked);
    disk.replace(SNAPSHOT, &file)
}

/// The snapshot of a disk, if there is one.
pub(super) fn load(disk: &dyn Disk) -> Result<Option<(SnapshotMeta, Bytes)>, JournalError> {
    let place = || format!("{}/{SNAPSHOT}", disk.place());
    let read = disk.read(SNAPSHOT).map_err(|source| JournalError::Io { place: place(), source })?;
    let Some(file) = read.map(Bytes::from) else { return Ok(None) };
    let damaged = |what: &str| JournalError::Damaged { place: place(), offset: 0, what: what.into() };
    let rest = file.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no snapshot of this version"))?;
    let (crc, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
        return Err(damaged("its checksum is wrong"));
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    let (meta, state) =
        rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| damaged("it is too short"))?;
    let meta = postcard::from_bytes(meta).map_err(|error| damaged(&error.to_string()))?;
    decode(state).map_err(|error| damaged(&error.to_string()))?;
    Ok(Some((meta, file.slice_ref(state))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::Fixture;
    use crate::raft::types::{LogId, StoredMembership};
    use crate::seams::memory::MemoryDisk;
    use std::collections::BTreeMap;

    fn stored() -> (MemoryDisk, SnapshotMeta, State) {
        let disk = MemoryDisk::new();
        let state = Fixture::with_workers(3).state;
        let members = BTreeMap::from([(1, openraft::BasicNode { addr: "http://a:1".into() })]);
        let members = crate::raft::types::Membership::new(vec![[1].into()], members).expect("it has a voter");
        let last_log_id = Some(LogId::new_term_index(3, 7));
        let meta = SnapshotMeta { last_log_id, last_membership: StoredMembership::new(last_log_id, members) };
        store(&disk, &meta, &encode(&state).expect("it is small")).expect("the disk works");
        (disk, meta, state)
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let (disk, meta, state) = stored();
        let (found, bytes) = load(&disk).expect("it is whole").expect("it was stored");
        assert_eq!(found, meta);
        assert_eq!(decode(&bytes).expect("it is whole"), state);
        assert!(load(&MemoryDisk::new()).expect("nothing is no damage").is_none());
    }

    #[test]
    fn damage_is_named_wherever_it_is() {
        let (disk, ..) = stored();
        let whole = disk.read(SNAPSHOT).expect("it is in memory").expect("it was stored");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            disk.replace(SNAPSHOT, &bytes).expect("the disk works");
            let error = load(&disk).expect_err("it is damaged").to_string();
            assert!(error.starts_with("memory/raft.snapshot is damaged"), "{error}");
        }
        for length in 0..whole.len() {
            disk.replace(SNAPSHOT, &whole[..length]).expect("the disk works");
            assert!(load(&disk).is_err());
        }
    }
}
