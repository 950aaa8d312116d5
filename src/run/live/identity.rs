//! The id of an output: the user property `rarog-id`, the same whenever the same cause is processed again.
//!
//! ```text
//! id = hash128(pipeline, incarnation, cause, output node, index among the outputs of that cause and node)
//! ```
//! Pure. Invariant: an id depends on nothing but these, in particular not on where chunks were cut, on the number of
//! workers or on the process.

use rarog_lang::hash::hash128;
use rarog_lang::plan::NodeId;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(pub u64, pub u64);

impl Id {
    /// 32 hexadecimal digits.
    pub fn text(self) -> String {
        format!("{:016x}{:016x}", self.0, self.1)
    }
}

/// Who puts out: one program under one name. A run that forgets its session is a new incarnation, because the broker then
/// gives the same packet ids to other messages.
#[derive(Debug, Clone, Copy)]
pub struct Identity(Id);

/// What an output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'m> {
    /// A message: two with equal payloads under a reused packet id are the same.
    Message {
        /// Its topic.
        topic: &'m str,
        /// Packet id, not 0.
        packet_id: u16,
        /// Its bytes.
        payload: &'m [u8],
    },
    /// A record of a source with positions.
    Position {
        /// Index of the source.
        source: u32,
        /// Number of the record.
        position: u64,
    },
    /// The result of a window.
    Window {
        /// The operator.
        operator: NodeId,
        /// Hash of its key.
        key: u64,
        /// Its end, ns.
        end: i64,
        /// How often it has been corrected.
        revision: i64,
    },
    /// Nothing that comes again: a number unique in this process.
    Once(u64),
}

impl Identity {
    /// The identity of a run.
    pub fn new(name: &str, incarnation: u64) -> Identity {
        let pipeline = hash(name.as_bytes());
        Identity(mix(&[pipeline.0, pipeline.1, incarnation]))
    }

    /// The identity of a cause, to be taken once for all its outputs.
    pub fn cause(self, cause: Cause<'_>) -> Id {
        let own = |kind: u64, a: u64, b: u64| mix(&[self.0.0, self.0.1, kind, a, b]);
        match cause {
            Cause::Message { topic, packet_id, payload } => {
                let (topic, payload) = (hash(topic.as_bytes()), hash(payload));
                mix(&[self.0.0, self.0.1, 1, u64::from(packet_id), topic.0, topic.1, payload.0, payload.1])
            }
            Cause::Position { source, position } => own(2, u64::from(source), position),
            Cause::Window { operator, key, end, revision } => {
                let [end, revision] = [end, revision].map(i64::cast_unsigned);
                mix(&[self.0.0, self.0.1, 3, u64::from(operator), key, end, revision])
            }
            Cause::Once(number) => own(4, process(), number),
        }
    }

    /// The identity of what is known by its time and content alone.
    pub fn content(self, time: i64, content: &[u8]) -> Id {
        let content = hash(content);
        mix(&[self.0.0, self.0.1, 5, time.cast_unsigned(), content.0, content.1])
    }
}

/// A number that no other process has.
fn process() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

/// The id of output `index` of a cause at a node.
pub fn output(cause: Id, node: NodeId, index: u64) -> Id {
    mix(&[cause.0, cause.1, u64::from(node), index])
}

/// Hashes numbers.
fn mix(numbers: &[u64]) -> Id {
    let mut bytes = [0; 64];
    for (chunk, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        chunk.copy_from_slice(&number.to_le_bytes());
    }
    hash(&bytes[..numbers.len() * 8])
}

/// Stable over versions and machines, which the hashers of Rust's maps are not.
fn hash(bytes: &[u8]) -> Id {
    let (high, low) = hash128(bytes);
    Id(high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_an_id_is_made_of_counts() {
        let run = Identity::new("a", 0);
        let message = |topic, packet_id, payload| Cause::Message { topic, packet_id, payload };
        let causes = [
            message("t", 1, b"x".as_slice()),
            message("t", 2, b"x"),
            message("t", 1, b"y"),
            message("u", 1, b"x"),
            Cause::Position { source: 0, position: 1 },
            Cause::Position { source: 1, position: 0 },
            Cause::Window { operator: 0, key: 0, end: 0, revision: 1 },
            Cause::Window { operator: 0, key: 0, end: 1, revision: 0 },
            Cause::Window { operator: 0, key: 1, end: 0, revision: 0 },
            Cause::Window { operator: 1, key: 0, end: 0, revision: 0 },
            Cause::Once(1),
        ];
        let runs = [run, Identity::new("b", 0), Identity::new("a", 1)];
        let causes = runs.iter().flat_map(|run| causes.map(|cause| run.cause(cause)));
        let ids = causes.flat_map(|cause| [(0, 0), (0, 1), (1, 0)].map(|(node, index)| output(cause, node, index)));
        let ids: Vec<Id> = ids.collect();
        let distinct: std::collections::HashSet<Id> = ids.iter().copied().collect();
        assert_eq!((ids.len(), distinct.len()), (99, 99));
        assert_eq!(run.cause(message("t", 1, b"x")), Identity::new("a", 0).cause(message("t", 1, b"x")));
        assert_eq!(Id(1, 0xab).text(), "000000000000000100000000000000ab");
    }
}
