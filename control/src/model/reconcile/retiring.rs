//! Old incarnations of pipelines end when the new ones take records.
//!
//! Both get what is published meanwhile, so records may be repeated; what the old sessions still hold has [`RETIRE_AFTER_MS`]
//! to be worked off.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::PipelineKey;
use crate::model::state::{Group, Phase, Pipeline};
use std::collections::{BTreeMap, BTreeSet};

/// For so long all replicas of a new incarnation have to take records before the old one ends, ms.
pub const RETIRE_AFTER_MS: u64 = 5_000;

pub(super) fn retire(pass: &mut Pass<'_>) {
    let groups = pass.state.groups.values();
    let pipelines: Vec<PipelineKey> = groups.flat_map(|group| ended(pass, group)).collect();
    if !pipelines.is_empty() {
        pass.issue(Change::Retire { pipelines });
    }
}

fn ended(pass: &Pass<'_>, group: &Group) -> Vec<PipelineKey> {
    if group.incarnation == 1 {
        return vec![];
    }
    // Incarnations of a name follow each other in the map, so what stays is the newest.
    let newest: BTreeMap<&str, u64> = group.pipelines.keys().map(|key| (&*key.name, key.incarnation)).collect();
    let is_newest = |key: &PipelineKey| newest.get(&*key.name) == Some(&key.incarnation);
    let pipelines = group.pipelines.iter();
    let late = pipelines.filter(|(key, pipeline)| is_newest(key) && !has_run(pass, pipeline));
    let late: BTreeSet<&str> = late.map(|(key, _)| &*key.name).collect();
    let keys = group.pipelines.keys();
    keys.filter(|key| !is_newest(key) && !late.contains(&*key.name)).cloned().collect()
}

/// Has it taken records for long enough, and does it still?
fn has_run(pass: &Pass<'_>, pipeline: &Pipeline) -> bool {
    let placement = pipeline.placement.as_ref();
    placement
        .filter(|it| it.phase == Phase::Running && pass.observed.is_alive(&it.worker))
        .is_some_and(|it| it.since_ms + RETIRE_AFTER_MS <= pass.now_ms)
}
