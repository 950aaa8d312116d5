//! What a worker asks and reports, on its way to consensus and back.
//!
//! Invariants: reports of one pipeline are decided in the order in which they came, and of those that wait only the newest is
//! kept; a question for the owner is answered by a read that began after it came; what waits is bounded.

use crate::coordinator::agreement::Agreement;
use crate::model::command::{Change, Outcome};
use crate::model::ids::{EpochNumber, PipelineKey, Uuid, WorkerId};
use crate::model::state::{Client, Phase, State};
use crate::raft::SubmitError;
use crate::seams::Pending;
use crate::wire::{ToAgent, Verdict};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Reports that are being decided at the same time.
const REPORTS_AT_ONCE: usize = 64;

/// Pipelines whose reports may wait.
const REPORTS_LIMIT: usize = 65_536;

/// Questions for the owner that may wait for one read.
const OWNER_LIMIT: usize = 16_384;

/// Requests to record clients, and confirmations, at the same time.
const REQUESTS_LIMIT: usize = 1_024;

/// Time in which a read has to say who owns a pipeline, ms.
const OWNER_MS: u64 = 1_000;

/// Time in which a change has to be decided, ms.
const CHANGE_MS: u64 = 2_000;

/// Time after which a report that was not decided is tried again, ms.
const AGAIN_MS: u64 = 100;

/// See the module's head.
pub(super) struct Desk {
    agreement: Arc<dyn Agreement>,
    worker: WorkerId,
    instance: Uuid,
    work: FuturesUnordered<Pending<'static, Done>>,
    reports: BTreeMap<PipelineKey, (EpochNumber, Phase)>,
    reporting: BTreeSet<PipelineKey>,
    requests: usize,
    questions: Vec<Question>,
    is_reading: bool,
}

/// Who asks for what.
struct Question {
    request: u64,
    pipeline: PipelineKey,
    epoch: EpochNumber,
}

/// What has come back.
enum Done {
    Read(Vec<Question>, Option<Arc<State>>),
    Recorded(u64, Result<Outcome, SubmitError>),
    Reported(PipelineKey, EpochNumber, Phase, Result<Outcome, SubmitError>),
    Buried,
}

impl Desk {
    pub(super) fn new(agreement: Arc<dyn Agreement>, worker: WorkerId, instance: Uuid) -> Desk {
        Desk {
            agreement,
            worker,
            instance,
            work: FuturesUnordered::new(),
            reports: BTreeMap::new(),
            reporting: BTreeSet::new(),
            requests: 0,
            questions: Vec::new(),
            is_reading: false,
        }
    }

    /// A placement is in another phase.
    pub(super) fn report(&mut self, pipeline: PipelineKey, epoch: EpochNumber, phase: Phase) {
        if self.reports.len() < REPORTS_LIMIT || self.reports.contains_key(&pipeline) {
            self.reports.insert(pipeline, (epoch, phase));
            self.start_reports();
        } else {
            tracing::warn!(worker = %self.worker, %pipeline, "a report is dropped: {REPORTS_LIMIT} wait already");
        }
    }

    /// Is this placement the newest one? Gives the answer if it is known at once.
    pub(super) fn owner(&mut self, request: u64, pipeline: PipelineKey, epoch: EpochNumber) -> Option<ToAgent> {
        if self.questions.len() >= OWNER_LIMIT {
            return Some(ToAgent::Owned { request, verdict: Verdict::Unknown });
        }
        self.questions.push(Question { request, pipeline, epoch });
        self.start_read();
        None
    }

    /// Sessions are to be recorded. Gives the answer if it is known at once.
    pub(super) fn clients(
        &mut self,
        request: u64,
        pipeline: PipelineKey,
        epoch: EpochNumber,
        clients: BTreeMap<String, Client>,
    ) -> Option<ToAgent> {
        if self.requests >= REQUESTS_LIMIT {
            let refused = Some(format!("{REQUESTS_LIMIT} requests wait already: ask again"));
            return Some(ToAgent::Recorded { request, refused });
        }
        self.requests += 1;
        let deciding = self.submit(Change::Clients { pipeline, epoch, clients });
        self.work.push(Box::pin(async move { Done::Recorded(request, deciding.await) }));
        None
    }

    /// Sessions are gone. One that is not recorded is asked for again.
    pub(super) fn buried(&mut self, clients: Vec<String>) {
        if self.requests >= REQUESTS_LIMIT || clients.is_empty() {
            return;
        }
        self.requests += 1;
        let (worker, deciding) = (self.worker.clone(), self.submit(Change::Buried { clients }));
        self.work.push(Box::pin(async move {
            if let Err(error) = deciding.await {
                tracing::debug!(%worker, %error, "removed sessions are not recorded so far");
            }
            Done::Buried
        }));
    }

    /// Is something on its way?
    pub(super) fn is_busy(&self) -> bool {
        !self.work.is_empty()
    }

    /// Waits for the next thing that comes back, and gives what the worker is to be told of it.
    pub(super) async fn next(&mut self) -> Vec<ToAgent> {
        let Some(done) = self.work.next().await else { return Vec::new() };
        match done {
            Done::Read(questions, state) => {
                self.is_reading = false;
                self.start_read();
                let answer =
                    |q: Question| ToAgent::Owned { request: q.request, verdict: self.verdict(&q, state.as_deref()) };
                questions.into_iter().map(answer).collect()
            }
            Done::Recorded(request, outcome) => {
                self.requests -= 1;
                vec![ToAgent::Recorded { request, refused: refusal(outcome) }]
            }
            Done::Reported(pipeline, epoch, phase, outcome) => {
                self.reporting.remove(&pipeline);
                match outcome {
                    Ok(Outcome::Refused(why)) => {
                        tracing::debug!(worker = %self.worker, %pipeline, epoch, ?why, "a report was overruled");
                    }
                    Ok(_) => {}
                    // A newer one that came meanwhile counts instead.
                    Err(_) => {
                        self.reports.entry(pipeline).or_insert((epoch, phase));
                    }
                }
                self.start_reports();
                Vec::new()
            }
            Done::Buried => {
                self.requests -= 1;
                Vec::new()
            }
        }
    }

    fn start_reports(&mut self) {
        while self.reporting.len() < REPORTS_AT_ONCE {
            let free = self.reports.keys().find(|pipeline| !self.reporting.contains(*pipeline)).cloned();
            let Some(pipeline) = free else { return };
            let Some((epoch, phase)) = self.reports.remove(&pipeline) else { return };
            self.reporting.insert(pipeline.clone());
            let worker = self.worker.clone();
            let deciding =
                self.submit(Change::Report { pipeline: pipeline.clone(), epoch, worker, phase: phase.clone() });
            self.work.push(Box::pin(async move {
                let outcome = deciding.await;
                if outcome.is_err() {
                    sleep(Duration::from_millis(AGAIN_MS)).await;
                }
                Done::Reported(pipeline, epoch, phase, outcome)
            }));
        }
    }

    fn start_read(&mut self) {
        if self.is_reading || self.questions.is_empty() {
            return;
        }
        self.is_reading = true;
        let questions = mem::take(&mut self.questions);
        let reading = self.agreement.read(Duration::from_millis(OWNER_MS));
        self.work.push(Box::pin(async move { Done::Read(questions, reading.await) }));
    }

    fn submit(&self, change: Change) -> Pending<'static, Result<Outcome, SubmitError>> {
        self.agreement.submit(change, Duration::from_millis(CHANGE_MS))
    }

    fn verdict(&self, question: &Question, state: Option<&State>) -> Verdict {
        let Some(state) = state else { return Verdict::Unknown };
        let group = state.groups.get(&question.pipeline.group);
        let placement = group.and_then(|g| g.pipelines.get(&question.pipeline)).and_then(|p| p.placement.as_ref());
        let is_owner = placement.is_some_and(|placement| {
            placement.worker == self.worker && placement.instance == self.instance && placement.epoch == question.epoch
        });
        if is_owner { Verdict::Owner } else { Verdict::Superseded }
    }
}

/// Why clients are not recorded.
fn refusal(outcome: Result<Outcome, SubmitError>) -> Option<String> {
    match outcome {
        Ok(Outcome::Refused(why)) => Some(format!("{why:?}")),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}
