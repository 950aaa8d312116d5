//! The engine of this process: pipelines on one shared worker thread, wide ones on threads of their own.
//!
//! It knows how to run plans; what stands at their two ends is made by [`Ends`]. Invariants: those of
//! [`rarog_control::engine`].

use super::stop::Stop;
use rarog_control::engine::{Engine, Epoch, PipelineId, Placement, Refused, State, Status};
use rarog_dataflow::rt::{self, Counters, Job, RunError, Running, WorkerThread};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The two ends of a pipeline, opened.
pub struct Opened {
    /// What to run, with its host and intake.
    pub job: Job,
    /// Ends the intake.
    pub stop: Arc<Stop>,
}

/// Makes the ends of pipelines that are being installed.
pub trait Ends: Send + Sync {
    /// Opens them; what is wrong, in words.
    fn open(&self, placement: &Placement) -> Result<Opened, String>;
}

/// See the module's head.
pub struct LocalEngine {
    ends: Box<dyn Ends>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    shared: Option<WorkerThread>,
    pipelines: BTreeMap<PipelineId, Installed>,
    /// The newest epoch seen of each pipeline, dropped ones included.
    epochs: BTreeMap<PipelineId, Epoch>,
}

struct Installed {
    epoch: Epoch,
    counters: Arc<Counters>,
    run: Arc<Run>,
}

/// A pipeline that runs or has run.
enum Run {
    Narrow(Running),
    Wide { end: End, stop: Arc<Stop> },
}

/// How a wide run ended.
#[derive(Default)]
struct End {
    result: Mutex<Option<Result<(), RunError>>>,
    ended: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    fn wide(opened: Opened, workers: usize) -> Result<Arc<Run>, RunError> {
        let run = Arc::new(Run::Wide { end: End::default(), stop: opened.stop });
        let of_thread = run.clone();
        let job = opened.job;
        let body = move || {
            let result = rt::run(job, workers);
            if let Run::Wide { end, .. } = &*of_thread {
                *lock(&end.result) = Some(result);
                end.ended.notify_all();
            }
        };
        thread::Builder::new().name("wide".into()).spawn(body).map_err(|error| RunError::Threads(error.to_string()))?;
        Ok(run)
    }

    fn wait(&self) -> Result<(), RunError> {
        match self {
            Run::Narrow(running) => running.wait(),
            Run::Wide { end, .. } => {
                let mut result = lock(&end.result);
                loop {
                    match &*result {
                        Some(result) => return result.clone(),
                        None => result = end.ended.wait(result).unwrap_or_else(PoisonError::into_inner),
                    }
                }
            }
        }
    }

    fn ended(&self) -> Option<Result<(), RunError>> {
        match self {
            Run::Narrow(running) => running.ended(),
            Run::Wide { end, .. } => lock(&end.result).clone(),
        }
    }

    fn drop_now(&self) {
        match self {
            Run::Narrow(running) => running.drop_now(),
            // Its peers leave together, when the intake tells each of them that it has ended.
            Run::Wide { stop, .. } => {
                stop.request();
                _ = self.wait();
            }
        }
    }
}

impl LocalEngine {
    /// An engine without pipelines.
    pub fn new(ends: impl Ends + 'static) -> LocalEngine {
        LocalEngine { ends: Box::new(ends), inner: Mutex::default() }
    }

    /// Waits until a pipeline has ended; how it did.
    pub fn wait(&self, pipeline: &PipelineId) -> Result<(), RunError> {
        let run = lock(&self.inner).pipelines.get(pipeline).map(|installed| installed.run.clone());
        run.map_or(Err(RunError::Dropped), |run| run.wait())
    }
}

impl Inner {
    /// Refuses orders that have been overruled.
    fn admit(&mut self, pipeline: &PipelineId, given: Epoch) -> Result<(), Refused> {
        let newest = self.epochs.entry(pipeline.clone()).or_insert(given);
        if given < *newest {
            return Err(Refused::OldEpoch { given, newest: *newest });
        }
        *newest = given;
        Ok(())
    }

    fn start(&mut self, opened: Opened, workers: u16) -> Result<Arc<Run>, RunError> {
        if workers > 1 {
            return Run::wide(opened, workers.into());
        }
        let thread = match self.shared.take() {
            Some(thread) => thread,
            None => WorkerThread::start("worker")?,
        };
        let running = self.shared.insert(thread).install(opened.job)?;
        Ok(Arc::new(Run::Narrow(running)))
    }
}

impl Engine for LocalEngine {
    fn install(&self, placement: Placement) -> Result<(), Refused> {
        let mut inner = lock(&self.inner);
        inner.admit(&placement.pipeline, placement.epoch)?;
        if let Some(installed) = inner.pipelines.get(&placement.pipeline) {
            if installed.epoch == placement.epoch {
                return Ok(());
            }
            installed.run.drop_now();
            inner.pipelines.remove(&placement.pipeline);
        }
        let opened = self.ends.open(&placement).map_err(Refused::CannotStart)?;
        let counters = opened.job.counters.clone();
        let started = inner.start(opened, placement.workers);
        let run = started.map_err(|error| Refused::CannotStart(error.to_string()))?;
        inner.pipelines.insert(placement.pipeline, Installed { epoch: placement.epoch, counters, run });
        Ok(())
    }

    fn drop_pipeline(&self, pipeline: &PipelineId, epoch: Epoch) -> Result<(), Refused> {
        let mut inner = lock(&self.inner);
        inner.admit(pipeline, epoch)?;
        let installed = inner.pipelines.remove(pipeline).ok_or_else(|| Refused::Unknown(pipeline.clone()))?;
        installed.run.drop_now();
        Ok(())
    }

    fn status(&self) -> Vec<Status> {
        let inner = lock(&self.inner);
        let status = |(pipeline, installed): (&PipelineId, &Installed)| Status {
            pipeline: pipeline.clone(),
            epoch: installed.epoch,
            state: match installed.run.ended() {
                None => State::Running,
                Some(Ok(())) => State::Ended,
                Some(Err(error)) => State::Failed(error.to_string()),
            },
            records: installed.counters.records.load(Ordering::Relaxed),
        };
        inner.pipelines.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests;
