//! Groups are deployed, changed and deleted.
//!
//! ```text
//!   replace: same number of replicas ──> same incarnation, another program: a new epoch on the same worker
//!            another number, or key ───> a new incarnation beside the old one, which retires when the new one takes records
//!            not named any more ───────> gone, its sessions are tombstones
//! ```
//! Invariants: deploying the same again changes nothing, so a pipeline never runs twice; an incarnation is never given twice
//! within a group; whatever a pipeline has made at brokers is a tombstone when the pipeline is gone.

use super::{placements, reports};
use crate::model::command::{Outcome, Refusal};
use crate::model::ids::{PipelineKey, Uuid};
use crate::model::names;
use crate::model::placement::Occupancy;
use crate::model::spec::{GroupSpec, PipelineSpec};
use crate::model::state::{Facts, Group, Pipeline, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pipelines of a group at the most.
pub const PIPELINE_LIMIT_COUNT: usize = 256;

/// Replicas of a pipeline at the most.
pub const REPLICA_LIMIT_COUNT: u16 = 64;

pub(super) fn deploy(
    state: &mut State,
    now_ms: u64,
    id: Uuid,
    spec: &GroupSpec,
    replace: bool,
    facts: &BTreeMap<Arc<str>, Facts>,
) -> Result<Outcome, Refusal> {
    let Some(cluster) = state.cluster else {
        return Err(Refusal::Invalid("the cluster has not formed: wait until it has".into()));
    };
    check(state, spec, facts)?;
    let known = state.group_named(&spec.name).map(|(id, group)| (id, group.spec == *spec));
    match known {
        Some((id, true)) => return Ok(Outcome::Group { id, existed: true }),
        Some((_, false)) if !replace => return Err(Refusal::NameTaken(spec.name.clone())),
        None if state.groups.contains_key(&id) => {
            return Err(Refusal::Invalid(format!("there is a group {id} already")));
        }
        _ => {}
    }
    let id = known.map_or(id, |(id, _)| id);
    let fresh = match known {
        Some(_) => change(state, now_ms, id, (spec, facts)),
        None => create(state, now_ms, id, (spec, facts)),
    };
    for (key, replicas) in fresh {
        let pipeline = Pipeline {
            id: names::pipeline_id(cluster, &key),
            replicas,
            revision: state.groups.get(&id).map_or(1, |group| group.revision),
            epoch: 0,
            placement: None,
            clients: BTreeMap::new(),
        };
        if let Some(group) = state.groups.get_mut(&id) {
            group.pipelines.insert(key, pipeline);
        }
    }
    place_first(state, now_ms, id);
    Ok(Outcome::Group { id, existed: false })
}

fn check(state: &State, spec: &GroupSpec, facts: &BTreeMap<Arc<str>, Facts>) -> Result<(), Refusal> {
    let invalid = |text: String| Err(Refusal::Invalid(text));
    if spec.pipelines.len() > PIPELINE_LIMIT_COUNT {
        return invalid(format!("a group has {PIPELINE_LIMIT_COUNT} pipelines at the most"));
    }
    let mut names = BTreeSet::new();
    for pipeline in &spec.pipelines {
        let (name, replicas) = (&pipeline.name, pipeline.replicas);
        if !names.insert(name) {
            return invalid(format!("two pipelines are called {name}: give each a name of its own"));
        }
        if !(1..=REPLICA_LIMIT_COUNT).contains(&replicas) {
            return invalid(format!("{name} has {replicas} replicas: 1 to {REPLICA_LIMIT_COUNT} are possible"));
        }
        let facts = facts.get(name).cloned().unwrap_or_default();
        if facts.stateful && replicas > 1 && pipeline.partition_key.is_none() {
            return invalid(format!("{name} keeps state: name a partition_key to divide it among {replicas} replicas"));
        }
        if let Some(unknown) = facts.connectors.iter().find(|it| !state.connectors.contains_key(*it)) {
            return Err(Refusal::UnknownConnector(unknown.clone()));
        }
    }
    Ok(())
}

/// Keys that get a pipeline, and the number of replicas that they are among.
type Fresh = Vec<(PipelineKey, u16)>;

fn create(state: &mut State, now_ms: u64, id: Uuid, (spec, facts): (&GroupSpec, &BTreeMap<Arc<str>, Facts>)) -> Fresh {
    let group = Group {
        spec: spec.clone(),
        number: state.next_group,
        created_ms: now_ms,
        revision: 1,
        incarnation: 1,
        facts: facts.clone(),
        pipelines: BTreeMap::new(),
    };
    state.next_group += 1;
    state.groups.insert(id, group);
    spec.pipelines.iter().flat_map(|pipeline| replicas(id, pipeline, 1)).collect()
}

fn change(state: &mut State, now_ms: u64, id: Uuid, (spec, facts): (&GroupSpec, &BTreeMap<Arc<str>, Facts>)) -> Fresh {
    let Some(group) = state.groups.get_mut(&id) else { return Fresh::new() };
    let before = std::mem::replace(&mut group.spec, spec.clone());
    group.facts = facts.clone();
    group.revision += 1;
    let mut fresh = Fresh::new();
    let mut renewed = Vec::new();
    for new in &spec.pipelines {
        let incarnation = group.incarnation_of(&new.name);
        match (before.pipelines.iter().find(|old| old.name == new.name), incarnation) {
            (Some(old), Some(incarnation)) if divides_alike(old, new) => {
                let keys = replicas(id, new, incarnation).into_iter().map(|(key, _)| key);
                renewed.extend(keys.filter(|_| old.source != new.source));
            }
            _ => fresh.extend(replicas(id, new, group.incarnation + 1)),
        }
    }
    if !fresh.is_empty() {
        group.incarnation += 1;
    }
    let revision = group.revision;
    let named: BTreeSet<&str> = spec.pipelines.iter().map(|it| &*it.name).collect();
    let removed: Vec<_> = group.pipelines.keys().filter(|key| !named.contains(&*key.name)).cloned().collect();
    for key in renewed {
        if let Some(pipeline) = state.pipeline_mut(&key) {
            pipeline.revision = revision;
        }
        placements::renew(state, now_ms, &key);
    }
    for key in removed {
        remove(state, now_ms, &key);
    }
    fresh
}

/// Do the sessions that replicas of one have made fit those of the other? A key means nothing to a single one.
fn divides_alike(a: &PipelineSpec, b: &PipelineSpec) -> bool {
    a.replicas == b.replicas && (a.replicas == 1 || a.partition_key == b.partition_key)
}

fn replicas(group: Uuid, spec: &PipelineSpec, incarnation: u64) -> Fresh {
    let key = |replica| PipelineKey { group, name: spec.name.clone(), incarnation, replica };
    (0..spec.replicas).map(|replica| (key(replica), spec.replicas)).collect()
}

/// Places the pipelines of a group that have no placement, as far as there are workers.
fn place_first(state: &mut State, now_ms: u64, id: Uuid) {
    let Some(group) = state.groups.get(&id) else { return };
    let mut occupancy = Occupancy::of(state);
    let mut targets = Vec::new();
    for (key, _) in group.in_order().into_iter().filter(|(_, pipeline)| pipeline.placement.is_none()) {
        if let Some(worker) = occupancy.target(key, &|_| true) {
            occupancy.put(key, &worker);
            targets.push((key.clone(), worker));
        }
    }
    for (key, worker) in targets {
        placements::put(state, now_ms, &key, Some(&worker), None);
    }
}

pub(super) fn retire(state: &mut State, now_ms: u64, keys: &[PipelineKey]) -> Result<Outcome, Refusal> {
    for key in keys {
        let group = state.groups.get(&key.group).filter(|group| group.pipelines.contains_key(key));
        let group = group.ok_or_else(|| Refusal::UnknownPipeline(key.clone()))?;
        if !group.is_retiring(key) {
            return Err(Refusal::Invalid(format!("{key} is the newest incarnation: it does not retire")));
        }
    }
    for key in keys {
        remove(state, now_ms, key);
    }
    Ok(super::applied_if(!keys.is_empty()))
}

pub(super) fn delete(state: &mut State, now_ms: u64, id: Uuid) -> Result<Outcome, Refusal> {
    let group = state.groups.get(&id).ok_or(Refusal::UnknownGroup(id))?;
    let keys: Vec<_> = group.pipelines.keys().cloned().collect();
    for key in keys {
        remove(state, now_ms, &key);
    }
    state.groups.remove(&id);
    Ok(Outcome::Applied)
}

/// A pipeline is gone, and its sessions are to go.
fn remove(state: &mut State, now_ms: u64, key: &PipelineKey) {
    placements::end_all_of(state, now_ms, key, "the pipeline was removed");
    let owner = reports::owner(state, key);
    let pipeline = state.groups.get_mut(&key.group).and_then(|group| group.pipelines.remove(key));
    reports::bury(state, now_ms, &owner, pipeline.map(|it| it.clients).unwrap_or_default());
}
