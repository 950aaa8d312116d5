//! What users ask for: pipeline groups and connectors, in the shapes of the REST interface.
//!
//! Invariant: no field is left out when it is written, because the replicated state is also kept in a format without names.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pipelines that are deployed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Name, unique in the cluster.
    pub name: String,
    /// Its pipelines, in the order in which they are placed.
    pub pipelines: Vec<PipelineSpec>,
    /// Where injected events go.
    #[serde(default)]
    pub routes: Vec<RouteSpec>,
}

/// One pipeline of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineSpec {
    /// Name, unique in the group.
    pub name: Arc<str>,
    /// VPL.
    pub source: Arc<str>,
    /// The worker that it is to run on if that is possible.
    #[serde(default)]
    pub worker_affinity: Option<String>,
    /// In how many replicas.
    #[serde(default = "one")]
    pub replicas: u16,
    /// The field by which records are divided among replicas.
    #[serde(default)]
    pub partition_key: Option<String>,
}

/// Where injected events of some types go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The pipeline that they come from, or `_external`.
    pub from_pipeline: String,
    /// The pipeline that gets them.
    pub to_pipeline: String,
    /// `*`, `Prefix*` or a whole name, each.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// Kept for those who set it; pipelines talk through topics.
    #[serde(default, alias = "nats_subject")]
    pub mqtt_topic: Option<String>,
}

/// A connector that programs may name without declaring it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorSpec {
    /// Name, unique in the cluster.
    pub name: String,
    /// `mqtt`, `http`, `console`, …
    pub connector_type: String,
    /// Its parameters, all texts.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
}

/// Parameters whose values must not show.
pub const SECRET_PARAMS: [&str; 5] = ["password", "token", "api_key", "secret", "credentials"];

/// What stands for a value that must not show.
pub const HIDDEN: &str = "***";

impl ConnectorSpec {
    /// The same with hidden values in place of secrets, for answers and logs.
    pub fn redacted(&self) -> ConnectorSpec {
        let mut shown = self.clone();
        for (name, value) in &mut shown.params {
            if SECRET_PARAMS.contains(&name.as_str()) {
                *value = HIDDEN.into();
            }
        }
        shown
    }
}

impl std::fmt::Debug for ConnectorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.redacted();
        let mut form = f.debug_struct("ConnectorSpec");
        form.field("name", &shown.name).field("connector_type", &shown.connector_type);
        form.field("params", &shown.params).field("description", &shown.description).finish()
    }
}

fn one() -> u16 {
    1
}
