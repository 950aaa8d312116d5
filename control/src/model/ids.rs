//! The names by which workers, groups, pipelines and coordinators are known.
//!
//! Invariant: ids of pipelines and their MQTT client ids depend on the cluster, the group, the pipeline's name, its replica
//! and (client ids) its incarnation alone: never on the worker or the epoch.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
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

/// One replica of one pipeline of one group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PipelineKey {
    /// Its group.
    pub group: Uuid,
    /// Its bare name within the group.
    pub name: Arc<str>,
    /// From 0; a pipeline without replicas has this one alone.
    pub replica: u16,
}

impl fmt::Display for PipelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.group, self.name, self.replica)
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
    fn workers_are_in_natural_order() {
        let mut names =
            ["worker-10", "worker-2", "a", "worker-1", "worker-02", "worker", "worker-2b"].map(WorkerId::new);
        names.sort();
        let names: Vec<&str> = names.iter().map(WorkerId::as_str).collect();
        assert_eq!(names, ["a", "worker", "worker-1", "worker-02", "worker-2", "worker-2b", "worker-10"]);
    }
}
