//! A checkpoint as the bytes of a file.
//!
//! ```text
//! "rarogcp\n" │ length, CRC-32 of the manifest │ manifest (JSON) │ parts of states, one after the other
//!      8      │       4          4             │                 │ lengths and checksums: in the manifest
//! ```
//! Invariant: bytes that are not exactly what was written are refused, whichever of them it is.

use super::manifest::{FORMAT, Manifest, Operator, Part};
use rarog_dataflow::snapshot::State;

const MAGIC: &[u8; 8] = b"rarogcp\n";

/// A checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What it says of itself.
    pub manifest: Manifest,
    /// For each of [`Manifest::operators`] its state.
    pub states: Vec<State>,
    /// For each of [`Manifest::attachments`] its bytes.
    pub attachments: Vec<Vec<u8>>,
}

/// What the manifest says of an attachment.
pub fn attachment(bytes: &[u8]) -> Part {
    Part { bin: None, length: bytes.len() as u64, crc: crc32fast::hash(bytes) }
}

/// What the manifest says of a state's parts.
pub fn parts(state: &State) -> Vec<Part> {
    let part =
        |(bin, bytes): (Option<u8>, &[u8])| Part { bin, length: bytes.len() as u64, crc: crc32fast::hash(bytes) };
    state.parts().map(part).collect()
}

impl Checkpoint {
    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let manifest = serde_json::to_vec(&self.manifest).expect("a manifest has no maps with odd keys");
        let states: usize = self.states.iter().map(State::len).sum();
        let mut bytes = Vec::with_capacity(MAGIC.len() + 8 + manifest.len() + states);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&manifest).to_le_bytes());
        bytes.extend_from_slice(&manifest);
        self.states.iter().flat_map(State::parts).for_each(|(_, part)| bytes.extend_from_slice(part));
        self.attachments.iter().for_each(|attachment| bytes.extend_from_slice(attachment));
        bytes
    }

    /// From bytes; what is wrong with them, in words.
    pub fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
        let mut rest = bytes;
        if take(&mut rest, MAGIC.len() as u64)? != MAGIC {
            return Err("it is no checkpoint".into());
        }
        let length = number(take(&mut rest, 4)?);
        let crc = number(take(&mut rest, 4)?);
        let manifest = take(&mut rest, u64::from(length))?;
        if crc32fast::hash(manifest) != crc {
            return Err("its manifest is damaged".into());
        }
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| format!("its manifest: {error}"))?;
        if manifest.format != FORMAT {
            return Err(format!("it has format {}, this build reads format {FORMAT}", manifest.format));
        }
        let states = manifest.operators.iter().map(|operator| state(operator, &mut rest)).collect::<Result<_, _>>()?;
        let mut attachments = Vec::new();
        for part in &manifest.attachments {
            let bytes = take(&mut rest, part.length)?;
            if attachment(bytes) != *part {
                return Err("an attachment is damaged".into());
            }
            attachments.push(bytes.to_vec());
        }
        let whole = rest.is_empty().then_some(Checkpoint { manifest, states, attachments });
        whole.ok_or_else(|| "something follows its end".into())
    }
}

fn state(operator: &Operator, rest: &mut &[u8]) -> Result<State, String> {
    let damaged = || format!("the state of stream {} is damaged", operator.stream);
    let mut state = State { version: operator.version, ..State::default() };
    for part in &operator.parts {
        let bytes = take(rest, part.length)?;
        if crc32fast::hash(bytes) != part.crc {
            return Err(damaged());
        }
        state.add_part(part.bin, bytes.to_vec()).map_err(|_| damaged())?;
    }
    Ok(state)
}

fn take<'b>(rest: &mut &'b [u8], length: u64) -> Result<&'b [u8], String> {
    let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
    let (taken, after) = rest.split_at(length.ok_or("it is cut off")?);
    *rest = after;
    Ok(taken)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
