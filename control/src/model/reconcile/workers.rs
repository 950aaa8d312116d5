//! Workers that are gone, and workers that are back.

use super::{Pass, orphans};
use crate::model::command::Change;
use crate::model::ids::{PipelineKey, WorkerId};
use crate::model::observed::Verdict;
use crate::model::state::WorkerStatus;

pub(super) fn judge(pass: &mut Pass<'_>) {
    // Those that are back come first, so that they can take what others leave.
    let ids: Vec<WorkerId> = pass.state.workers.keys().cloned().collect();
    for id in &ids {
        if pass.observed.workers.get(id) == Some(&Verdict::Alive) {
            welcome(pass, id);
        }
    }
    for id in &ids {
        if let Some(why) = pass.observed.why_gone(id).map(str::to_string) {
            lose(pass, id, why);
        }
    }
}

fn welcome(pass: &mut Pass<'_>, id: &WorkerId) {
    let Some(worker) = pass.state.workers.get(id) else { return };
    if matches!(worker.status, WorkerStatus::Unhealthy | WorkerStatus::Registering) {
        let (instance, status) = (worker.instance, WorkerStatus::Ready);
        pass.issue(Change::WorkerStatus { worker: id.clone(), instance, status, reason: None, moves: vec![] });
    }
}

fn lose(pass: &mut Pass<'_>, id: &WorkerId, why: String) {
    let Some(worker) = pass.state.workers.get(id) else { return };
    let keys: Vec<PipelineKey> = pass.state.placed_on(id).into_iter().map(|(key, _)| key.clone()).collect();
    // One that is drained to the end is deregistered instead.
    let is_drained = worker.status == WorkerStatus::Draining && keys.is_empty();
    if worker.status == WorkerStatus::Unhealthy || is_drained {
        return;
    }
    let (instance, status) = (worker.instance, WorkerStatus::Unhealthy);
    let moves = orphans::moves(pass, &keys);
    pass.issue(Change::WorkerStatus { worker: id.clone(), instance, status, reason: Some(why), moves });
}
