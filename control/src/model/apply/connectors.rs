//! Connectors that programs may name.
//!
//! Invariant: a connector that a group names is there; one that changes makes new placements of the pipelines that name it,
//! so that their workers get its new parameters.

use super::{applied_if, placements};
use crate::model::command::{Outcome, Refusal};
use crate::model::ids::PipelineKey;
use crate::model::spec::ConnectorSpec;
use crate::model::state::{Connector, State};

pub(super) fn put(state: &mut State, now_ms: u64, spec: &ConnectorSpec, replace: bool) -> Result<Outcome, Refusal> {
    let known = state.connectors.get(&spec.name);
    if known.is_some_and(|known| known.spec == *spec) {
        return Ok(Outcome::Unchanged);
    }
    if known.is_some() && !replace {
        return Err(Refusal::NameTaken(spec.name.clone()));
    }
    let revision = known.map_or(1, |known| known.revision + 1);
    let connects_elsewhere =
        known.is_some_and(|known| known.spec.connector_type != spec.connector_type || known.spec.params != spec.params);
    state.connectors.insert(spec.name.clone(), Connector { spec: spec.clone(), revision });
    if connects_elsewhere {
        for key in users(state, &spec.name) {
            placements::renew(state, now_ms, &key);
        }
    }
    Ok(Outcome::Applied)
}

pub(super) fn remove(state: &mut State, name: &str) -> Result<Outcome, Refusal> {
    if !state.connectors.contains_key(name) {
        return Err(Refusal::UnknownConnector(name.into()));
    }
    let by = state.users_of(name);
    if !by.is_empty() {
        return Err(Refusal::InUse { connector: name.into(), by });
    }
    Ok(applied_if(state.connectors.remove(name).is_some()))
}

/// The pipelines that name a connector.
fn users(state: &State, connector: &str) -> Vec<PipelineKey> {
    let keys = state.groups.values().flat_map(|group| group.pipelines.keys());
    let names = |key: &&PipelineKey| state.facts_of(key).is_some_and(|facts| facts.connectors.contains(connector));
    keys.filter(names).cloned().collect()
}
