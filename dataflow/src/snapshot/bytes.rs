//! The codec of states: postcard, which is compact and the same on every machine.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a state cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It was written in another form.
    #[error("it has version {found}, and this build reads version {wanted}")]
    Version {
        /// The form that it has.
        found: u32,
        /// The form that is read.
        wanted: u32,
    },
    /// Its bytes are not what was written.
    #[error("it is damaged")]
    Damaged,
    /// It is right, but does not fit the operator.
    #[error("{0}")]
    Misfit(String),
}

/// Appends a value.
pub(super) fn write(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let taken = std::mem::take(bytes);
    *bytes =
        postcard::to_extend(value, taken).expect("states have lengths that are known, and memory takes everything");
}

/// The value at the front, and what is behind it.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), SnapshotError> {
    postcard::take_from_bytes(bytes).map_err(|_| SnapshotError::Damaged)
}
