//! What the leader is to do next: the commands that bring the state in line with what is seen.
//!
//! ```text
//!   workers     gone: unhealthy, and its pipelines moved, in one command; back: ready
//!   retiring    old incarnations end when the new ones take records
//!   migrations  given up when the target is gone or the state does not come; back to the source
//!   orphans     pipelines without a living worker get one, as soon as there is one
//!   draining    moved away; the worker is deregistered when nothing is left
//!   rebalance   to newcomers, once
//! ```
//! Each rule sees what those before it decided, because every command is applied to a copy of the state when it is issued, and
//! dropped if it is refused there: so a pass never contradicts itself. The rules go round until none has anything to add, for
//! one may make room for another. Invariants: pure, the same input gives the same
//! commands; once they are applied, the same observation gives no more.

mod draining;
mod migrations;
mod orphans;
mod rebalance;
mod retiring;
#[cfg(test)]
mod tests;
mod workers;

use super::apply::apply;
use super::command::{Change, Command, Move, Outcome};
use super::ids::{PipelineKey, Uuid, WorkerId};
use super::observed::Observed;
use super::state::{MigrationReason, State};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub use migrations::{ARRIVAL_LIMIT_MS, MEMORY_MS, RELEASE_LIMIT_MS};
pub use rebalance::{REBALANCE_DELAY_MS, REBALANCE_LIMIT_MS};
pub use retiring::RETIRE_AFTER_MS;

/// Rounds of the rules in one pass at the most.
const ROUND_LIMIT_COUNT: usize = 16;

/// The leader's next commands, in order. `draw` gives ids for migrations.
pub fn reconcile(state: &State, observed: &Observed, now_ms: u64, draw: &mut dyn FnMut() -> Uuid) -> Vec<Change> {
    let mut pass = Pass::new(state, observed, now_ms, draw);
    for _ in 0..ROUND_LIMIT_COUNT {
        let decided = pass.changes.len();
        workers::judge(&mut pass);
        retiring::retire(&mut pass);
        migrations::settle(&mut pass);
        orphans::place(&mut pass);
        draining::drain(&mut pass);
        rebalance::after_join(&mut pass);
        migrations::forget(&mut pass);
        if pass.changes.len() == decided {
            break;
        }
    }
    pass.changes
}

/// The commands that spread the load over the workers that are ready, for somebody who asks.
pub fn rebalance(
    state: &State,
    rates: BTreeMap<PipelineKey, f64>,
    now_ms: u64,
    draw: &mut dyn FnMut() -> Uuid,
) -> Vec<Change> {
    let observed = Observed::trusting(state, rates);
    let mut pass = Pass::new(state, &observed, now_ms, draw);
    rebalance::spread(&mut pass);
    pass.changes
}

/// One pass: what is seen, what was decided so far, and the state as it will be then.
struct Pass<'a> {
    state: Cow<'a, State>,
    observed: &'a Observed,
    now_ms: u64,
    draw: &'a mut dyn FnMut() -> Uuid,
    changes: Vec<Change>,
}

impl<'a> Pass<'a> {
    fn new(state: &'a State, observed: &'a Observed, now_ms: u64, draw: &'a mut dyn FnMut() -> Uuid) -> Pass<'a> {
        Pass { state: Cow::Borrowed(state), observed, now_ms, draw, changes: vec![] }
    }

    /// Decides something, unless it would be refused or change nothing (but the version, which no rule looks at).
    fn issue(&mut self, change: Change) {
        let command = Command { at_ms: self.now_ms, change };
        if apply(self.state.to_mut(), &command) == Outcome::Applied {
            self.changes.push(command.change);
        }
    }

    /// Is a worker fit for pipelines and known to live?
    fn is_fit(&self, worker: &WorkerId) -> bool {
        self.state.workers.get(worker).is_some_and(|it| it.takes_pipelines()) && self.observed.is_alive(worker)
    }

    /// A new placement of a pipeline; a migration if there is a reason for one.
    fn step(&mut self, key: &PipelineKey, to: &WorkerId, reason: Option<MigrationReason>) -> Move {
        let seen = self.state.pipeline(key).map_or(0, |pipeline| pipeline.epoch);
        let migration = reason.map(|reason| ((self.draw)(), reason));
        Move { pipeline: key.clone(), seen, to: Some(to.clone()), migration }
    }

    /// Planned moves of pipelines that run: with their state, if they keep some.
    fn hand_over(&mut self, plan: &[(PipelineKey, WorkerId)], reason: MigrationReason) {
        let mut moves = Vec::new();
        for (key, to) in plan {
            let it = self.step(key, to, Some(reason));
            match it.migration {
                Some((migration, reason)) if self.state.is_stateful(key) => {
                    let (pipeline, seen, to) = (key.clone(), it.seen, to.clone());
                    self.issue(Change::Release { pipeline, seen, to, migration, reason });
                }
                _ => moves.push(it),
            }
        }
        if !moves.is_empty() {
            self.issue(Change::Place { moves });
        }
    }
}
