//! Old incarnations of pipelines end when the new ones take records.
//!
//! Both get what is published meanwhile, so records may be repeated; what the old sessions still hold has [`RETIRE_AFTER_MS`]
//! to be worked off.

use super::Pass;
use crate::model::command::Change;
use crate::model::ids::PipelineKey;
use crate::model::state::{Group, Phase, Pipeline};

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
    let succeeded = |name: &str| {
        let newest = group.incarnation_of(name);
        let mut replicas = group.pipelines.iter().filter(|(key, _)| *key.name == *name);
        replicas.all(|(key, pipeline)| Some(key.incarnation) != newest || has_run(pass, pipeline))
    };
    let keys = group.pipelines.keys();
    keys.filter(|key| group.is_retiring(key) && succeeded(&key.name)).cloned().collect()
}

/// Has it taken records for long enough, and does it still?
fn has_run(pass: &Pass<'_>, pipeline: &Pipeline) -> bool {
    let placement = pipeline.placement.as_ref();
    placement
        .filter(|it| it.phase == Phase::Running && pass.observed.is_alive(&it.worker))
        .is_some_and(|it| it.since_ms + RETIRE_AFTER_MS <= pass.now_ms)
}
