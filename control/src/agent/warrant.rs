//! Asks a coordinator whether a placement is the newest one of its pipeline.
//!
//! Invariant: a question has one answer: that of the coordinator, or "unknown" when the socket ends, when there is none, or
//! when it takes too long.

use super::engine::Warrant;
use crate::model::ids::{EpochNumber, PipelineKey};
use crate::seams::Pending;
use crate::wire::{ToCoordinator, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(1200);

/// The desk where questions wait for answers. Clones are the same desk.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    to_coordinator: Option<mpsc::Sender<ToCoordinator>>,
    next: u64,
    open: BTreeMap<u64, oneshot::Sender<Verdict>>,
}

impl Desk {
    /// Questions go here from now on; those that are open are not answered any more.
    pub fn connect(&self, to_coordinator: Option<mpsc::Sender<ToCoordinator>>) {
        let mut inner = self.lock();
        inner.to_coordinator = to_coordinator;
        inner.open.clear();
    }

    /// Questions do not go here any more, if they did.
    pub fn give_up(&self, to_coordinator: &mpsc::Sender<ToCoordinator>) {
        let goes_there = self.lock().to_coordinator.as_ref().is_some_and(|known| known.same_channel(to_coordinator));
        if goes_there {
            self.connect(None);
        }
    }

    /// An answer has come.
    pub fn answer(&self, request: u64, verdict: Verdict) {
        if let Some(asker) = self.lock().open.remove(&request) {
            // The asker may have given up.
            _ = asker.send(verdict);
        }
    }

    fn ask(&self, pipeline: PipelineKey, epoch: EpochNumber) -> Option<(u64, oneshot::Receiver<Verdict>)> {
        let mut inner = self.lock();
        let request = inner.next;
        inner.next += 1;
        let sender = inner.to_coordinator.clone()?;
        sender.try_send(ToCoordinator::Owner { request, pipeline, epoch }).ok()?;
        let (asker, answer) = oneshot::channel();
        inner.open.insert(request, asker);
        Some((request, answer))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Warrant for Desk {
    fn owner(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Pending<'static, Verdict> {
        let (desk, pipeline) = (self.clone(), pipeline.clone());
        Box::pin(async move {
            let Some((request, answer)) = desk.ask(pipeline, epoch) else { return Verdict::Unknown };
            let answered = timeout(PATIENCE, answer).await;
            desk.lock().open.remove(&request);
            answered.ok().and_then(Result::ok).unwrap_or(Verdict::Unknown)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Uuid;

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_once_or_unknown() {
        let (desk, key) = (Desk::default(), PipelineKey::new(Uuid::nil(), "p", 0));
        assert_eq!(desk.owner(&key, 1).await, Verdict::Unknown, "nobody is there");
        let (sender, mut receiver) = mpsc::channel(8);
        desk.connect(Some(sender));
        let asked = tokio::spawn(desk.owner(&key, 1));
        let Some(ToCoordinator::Owner { request, .. }) = receiver.recv().await else { panic!("it asks") };
        desk.answer(request, Verdict::Superseded);
        desk.answer(request, Verdict::Owner);
        assert_eq!(asked.await.expect("it ends"), Verdict::Superseded);
        assert_eq!(desk.owner(&key, 1).await, Verdict::Unknown, "nobody answers");
        let asked = tokio::spawn(desk.owner(&key, 1));
        while !matches!(receiver.recv().await, Some(ToCoordinator::Owner { request, .. }) if request == 2) {}
        desk.connect(None);
        assert_eq!(asked.await.expect("it ends"), Verdict::Unknown, "the socket is gone");
    }
}
