//! The leader's loop: what is seen of workers and what was agreed, turned into the next changes.
//!
//! ```text
//!   state, digests, time ──> reconcile ──> changes, one after the other ──> consensus ──> state …
//! ```
//! Invariants: nothing is decided before everything that earlier leaders decided is seen here; changes are given to this
//! node's own leadership of one term or not at all; there is never more than one change under way.

use super::agreement::Agreement;
use super::detector::FailureDetector;
use super::fleet::Sweep;
use crate::model::command::Change;
use crate::model::observed::Verdict;
use crate::model::reconcile::reconcile;
use crate::model::state::{State, WorkerStatus};
use crate::seams::{Clock, Entropy};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Time between looks when nothing happens, ms.
const TICK_MS: u64 = 50;

/// Time for which changes of the state are gathered before they are looked at, ms.
const GATHER_MS: u64 = 2;

/// Time for the read with which a leader begins, ms.
const BARRIER_MS: u64 = 1_000;

/// Time after which something that failed is tried again, ms.
const AGAIN_MS: u64 = 20;

/// What the loop works with.
#[derive(Clone)]
pub struct Driver {
    /// The replicated state, and who leads.
    pub agreement: Arc<dyn Agreement>,
    /// What is seen.
    pub detector: Arc<FailureDetector>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Driver {
    /// Runs until consensus is gone.
    pub async fn run(&self) {
        let mut leading = self.agreement.watch_leader();
        loop {
            let term = match leading.wait_for(|now| now.is_self).await {
                Ok(now) => now.term,
                Err(_) => return,
            };
            self.detector.lead(term, Instant::now());
            if self.agreement.read(Duration::from_millis(BARRIER_MS)).await.is_none() {
                sleep(Duration::from_millis(AGAIN_MS)).await;
                continue;
            }
            tracing::info!(term, "this coordinator leads");
            self.lead(term).await;
            tracing::info!(term, "this coordinator leads no more");
        }
    }

    /// Leads until the term has ended for this node.
    async fn lead(&self, term: u64) {
        let mut states = self.agreement.watch();
        let mut leading = self.agreement.watch_leader();
        let mut ticks = interval(Duration::from_millis(TICK_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.leads(term) {
            let state = states.borrow_and_update().clone();
            self.pass(&state, term).await;
            tokio::select! {
                biased;
                changed = leading.changed() => if changed.is_err() { return },
                () = self.detector.heard() => {}
                changed = states.changed() => match changed {
                    Ok(()) => sleep(Duration::from_millis(GATHER_MS)).await,
                    Err(_) => return,
                },
                _ = ticks.tick() => {}
            }
        }
    }

    /// Looks once, and has done what follows.
    async fn pass(&self, state: &State, term: u64) {
        let observed = self.detector.observe(state, Instant::now());
        let is_news = |id, verdict: &Verdict| {
            let known = state.workers.get(id).map(|worker| worker.status);
            matches!(verdict, Verdict::Gone(_)) && known != Some(WorkerStatus::Unhealthy)
        };
        let lost = observed.workers.iter().filter(|(id, verdict)| is_news(*id, verdict)).count();
        self.detector.swept(Sweep { checked: observed.workers.len(), lost });
        let mut draw = || {
            let bits = u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
            uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
        };
        for change in reconcile(state, &observed, self.clock.now_ms(), &mut draw) {
            if !self.leads(term) || !self.decide(change).await {
                return;
            }
        }
    }

    /// Has a change decided, at this node and now; false if it was not.
    async fn decide(&self, change: Change) -> bool {
        tell(&change);
        match self.agreement.submit(change, Duration::ZERO).await {
            Ok(outcome) => {
                tracing::debug!(?outcome, "decided");
                true
            }
            Err(error) => {
                tracing::info!(%error, "a decision of this leader did not come about");
                sleep(Duration::from_millis(AGAIN_MS)).await;
                false
            }
        }
    }

    fn leads(&self, term: u64) -> bool {
        let leading = self.agreement.watch_leader();
        let now = leading.borrow();
        now.is_self && now.term == term
    }
}

/// Tells people what is decided.
fn tell(change: &Change) {
    match change {
        Change::WorkerStatus { worker, status, reason, moves, .. } => {
            let reason = reason.as_deref().unwrap_or_default();
            tracing::info!(%worker, ?status, moves = moves.len(), "worker {worker}: {status:?} {reason}");
        }
        Change::Place { moves } => tracing::info!(moves = moves.len(), "pipelines are placed"),
        Change::Release { pipeline, to, reason, .. } => {
            tracing::info!(%pipeline, %to, ?reason, "a pipeline moves with its state");
        }
        Change::FailMigration { migration, reason } => tracing::warn!(%migration, "a migration failed: {reason}"),
        other => tracing::debug!(?other, "decided by the leader"),
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
