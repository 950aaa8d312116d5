//! What brokers and outputs know pipelines by.
//!
//! Invariants: an id depends on the cluster, the group, the pipeline's name and its replica alone; a client id moreover on its
//! incarnation, the connector and the direction; neither on the worker or the epoch, so that a successor takes over what
//! its predecessor has made. They are the same on every machine and in every version.

use super::ids::{PipelineKey, Uuid};
use rarog_lang::hash::hash128;
use serde_json::Value;

/// Characters of a client id at the most.
pub const CLIENT_ID_LIMIT_CHARS: usize = 64;

/// Characters of the hash: 128 bits, five in each.
const HASH_CHARS: usize = 26;

const MARK: &str = "rarog-";

/// RFC 4648, small letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Which end of a pipeline a client serves: the two never share a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Records come in.
    Source,
    /// Records go out.
    Sink,
}

/// The id of a pipeline, the same for all its incarnations.
///
/// ```
/// use rarog_control::model::ids::{PipelineKey, Uuid};
/// use rarog_control::model::names::pipeline_id;
///
/// let (cluster, group) = (Uuid::from_u128(1), Uuid::from_u128(2));
/// let key = PipelineKey::new(group, "alerts", 0);
/// let next = PipelineKey { incarnation: 2, ..key.clone() };
/// assert_eq!(pipeline_id(cluster, &key), pipeline_id(cluster, &next));
/// assert_ne!(pipeline_id(cluster, &key), pipeline_id(cluster, &PipelineKey::new(group, "alerts", 1)));
/// ```
pub fn pipeline_id(cluster: Uuid, key: &PipelineKey) -> Uuid {
    let hash = hash_of(&[
        b"pipeline",
        cluster.as_bytes(),
        key.group.as_bytes(),
        key.name.as_bytes(),
        &key.replica.to_le_bytes(),
    ]);
    uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
}

/// The client id of one end of a pipeline at the broker of a connector: letters, digits and hyphens. Of a prefix that the user
/// has set only these are kept, up to [`CLIENT_ID_LIMIT_CHARS`] in all.
///
/// ```
/// use rarog_control::model::ids::Uuid;
/// use rarog_control::model::names::{End, client_id};
///
/// let pipeline = Uuid::from_u128(1);
/// let id = client_id(pipeline, 1, "mqtt_1", End::Source, Some("plant 7/"));
/// assert!(id.starts_with("plant7rarog-") && id.len() == 38);
/// assert_ne!(id, client_id(pipeline, 1, "mqtt_1", End::Sink, Some("plant 7/")));
/// assert_ne!(id, client_id(pipeline, 2, "mqtt_1", End::Source, Some("plant 7/")));
/// ```
pub fn client_id(pipeline: Uuid, incarnation: u64, connector: &str, end: End, prefix: Option<&str>) -> String {
    let end: &[u8] = match end {
        End::Source => b"src",
        End::Sink => b"out",
    };
    let hash = hash_of(&[b"client", pipeline.as_bytes(), &incarnation.to_le_bytes(), connector.as_bytes(), end]);
    let room = CLIENT_ID_LIMIT_CHARS - MARK.len() - HASH_CHARS;
    let mut id: String =
        prefix.unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(room).collect();
    id.push_str(MARK);
    id.extend((0..HASH_CHARS).map(|place| {
        let five_bits = (hash >> (5 * (HASH_CHARS - 1 - place))) & 31;
        char::from(ALPHABET[five_bits as usize])
    }));
    id
}

/// The replica for a record with this key, wherever it comes in. Texts count as they are, all else as JSON.
///
/// ```
/// use rarog_control::model::names::replica_of;
/// use serde_json::json;
///
/// assert_eq!(replica_of(&json!("s1"), 64), 16);
/// assert_eq!(replica_of(&json!(1), 64), replica_of(&json!("1"), 64));
/// ```
pub fn replica_of(key: &Value, replicas: u16) -> u16 {
    let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    u16::try_from(hash128(text.as_bytes()).0 % u64::from(replicas.max(1))).expect("it is less than a u16")
}

/// Hashes parts so that no two lists of parts give the same bytes.
fn hash_of(parts: &[&[u8]]) -> u128 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    let (high, low) = hash128(&bytes);
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_they_are() {
        let key = PipelineKey::new(Uuid::from_u128(2), "alerts", 0);
        let id = pipeline_id(Uuid::from_u128(1), &key);
        assert_eq!(id.to_string(), "53ce5133-4e08-8004-a0ef-58429bd1535e");
        assert_eq!(client_id(id, 1, "mqtt_1", End::Source, None), "rarog-c64fx7sgz3bipya5t2sanfrmne");
        assert_eq!(client_id(id, 1, "mqtt_1", End::Sink, None), "rarog-h7lgcod4f3exhrk45lup2yuuop");
    }

    #[test]
    fn client_ids_fit() {
        let id = client_id(Uuid::nil(), u64::MAX, &"c".repeat(1000), End::Sink, Some(&"ä-Z9".repeat(100)));
        assert_eq!(id.len(), CLIENT_ID_LIMIT_CHARS);
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
    }
}
