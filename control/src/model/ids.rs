//! The names by which workers, groups, pipelines and coordinators are known.
//!
//! What they turn into towards brokers is in [`super::names`]. Invariant: a [`PipelineKey`] that was given away once never means
//! anything else, so whoever holds one that is gone cannot be mistaken for its successor.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
pub use uuid::Uuid;

/// Number of a coordinator: its place in the list of peers, from 1.
pub type NodeId = u64;

/// Generation of a placement.
pub type EpochNumber = u64;

/// Name of a worker. Its order is the natural one: `worker-2` comes before `worker-10`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// The worker of this name.
    pub fn new(name: &str) -> WorkerId {
        WorkerId(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl PartialOrd for WorkerId {
    fn partial_cmp(&self, other: &WorkerId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WorkerId {
    fn cmp(&self, other: &WorkerId) -> Ordering {
        natural(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

/// One replica of one incarnation of one pipeline of one group. In JSON, where it is also a key of maps, it is the text that
/// [`fmt::Display`] gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineKey {
    /// Its group.
    pub group: Uuid,
    /// Its bare name within the group.
    pub name: Arc<str>,
    /// Its identity towards brokers, from 1: another one when what they hold for it no longer fits (another number of replicas,
    /// a state that was thrown away). The old one runs beside it until the new one is subscribed.
    pub incarnation: u64,
    /// From 0; a pipeline without replicas has this one alone.
    pub replica: u16,
}

impl PipelineKey {
    /// A replica of the first incarnation.
    pub fn new(group: Uuid, name: &str, replica: u16) -> PipelineKey {
        PipelineKey { group, name: name.into(), incarnation: 1, replica }
    }
}

impl fmt::Display for PipelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}#{}", self.group, self.name, self.incarnation, self.replica)
    }
}

/// A text that is no pipeline's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no key of a pipeline: it looks like group-uuid/name@incarnation#replica")]
pub struct NoPipelineKey(String);

impl FromStr for PipelineKey {
    type Err = NoPipelineKey;

    fn from_str(text: &str) -> Result<PipelineKey, NoPipelineKey> {
        let parse = || {
            let (group, rest) = text.split_once('/')?;
            let (rest, replica) = rest.rsplit_once('#')?;
            let (name, incarnation) = rest.rsplit_once('@')?;
            Some(PipelineKey {
                group: group.parse().ok()?,
                name: name.into(),
                incarnation: incarnation.parse().ok()?,
                replica: replica.parse().ok()?,
            })
        };
        parse().ok_or_else(|| NoPipelineKey(text.into()))
    }
}

impl Serialize for PipelineKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.group, &self.name, self.incarnation, self.replica).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PipelineKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PipelineKey, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(de::Error::custom);
        }
        let (group, name, incarnation, replica) = Deserialize::deserialize(deserializer)?;
        Ok(PipelineKey { group, name, incarnation, replica })
    }
}

/// Compares texts with numbers in them as people do: runs of digits by their value, all else by characters.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.chars().next(), b.chars().next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let ((number_a, rest_a), (number_b, rest_b)) = (digits(a), digits(b));
                let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) => {
                if x != y {
                    return x.cmp(&y);
                }
                (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
            }
        }
    }
}

/// The leading number without its leading zeros, and what follows it.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_pipelines_are_texts_in_json() {
        let key = PipelineKey { incarnation: 3, ..PipelineKey::new(Uuid::from_u128(7), "a.b-c_d", 2) };
        let json = serde_json::to_string(&key).expect("a text can be written");
        assert_eq!(json, "\"00000000-0000-0000-0000-000000000007/a.b-c_d@3#2\"");
        assert_eq!(serde_json::from_str::<PipelineKey>(&json).expect("was just written"), key);
        for wrong in ["", "x/a@1#0", "00000000-0000-0000-0000-000000000007/a#0"] {
            assert_eq!(wrong.parse::<PipelineKey>(), Err(NoPipelineKey(wrong.into())));
        }
    }

    #[test]
    fn workers_are_in_natural_order() {
        let mut names =
            ["worker-10", "worker-2", "a", "worker-1", "worker-02", "worker", "worker-2b"].map(WorkerId::new);
        names.sort();
        let names: Vec<&str> = names.iter().map(WorkerId::as_str).collect();
        assert_eq!(names, ["a", "worker", "worker-1", "worker-02", "worker-2", "worker-2b", "worker-10"]);
    }
}
