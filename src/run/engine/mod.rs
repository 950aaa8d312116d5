//! The threads that run dataflows: a few that all narrow pipelines share, and threads of its own for each wide one.
//!
//! It knows how to run plans; what stands at their two ends is made by others. Invariants: a narrow pipeline goes to the
//! thread with the fewest; what becomes of one pipeline does not touch its neighbours.

use super::stop::Stop;
use rarog_dataflow::rt::{self, Job, RunError, Running, WorkerThread};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A pipeline whose ends are open.
pub struct Opened {
    /// What to run, with its host and intake.
    pub job: Job,
    /// Ends the intake.
    pub stop: Arc<Stop>,
}

/// See the module's head.
pub struct Workers {
    /// Threads that narrow pipelines share, at the most.
    limit: usize,
    shared: Mutex<Vec<SharedThread>>,
}

struct SharedThread {
    thread: WorkerThread,
    /// Held by each of its pipelines.
    load: Arc<()>,
}

/// A pipeline that runs or has run.
pub struct Run(Kind);

enum Kind {
    Narrow { running: Running, _load: Arc<()> },
    Wide { end: Arc<End>, stop: Arc<Stop> },
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

impl Default for Workers {
    fn default() -> Workers {
        Workers::new()
    }
}

impl Workers {
    /// No threads so far, and one for each processor at the most.
    pub fn new() -> Workers {
        Workers { limit: thread::available_parallelism().map_or(1, usize::from), shared: Mutex::default() }
    }

    /// Starts a pipeline, with `width` threads of its own if that is more than one.
    pub fn start(&self, opened: Opened, width: u16) -> Result<Run, RunError> {
        match width {
            0 | 1 => self.start_narrow(opened.job),
            _ => start_wide(opened, width.into()),
        }
    }

    fn start_narrow(&self, job: Job) -> Result<Run, RunError> {
        let mut shared = lock(&self.shared);
        let idlest = shared.iter().enumerate().min_by_key(|(_, thread)| Arc::strong_count(&thread.load));
        let free = idlest.filter(|(_, thread)| Arc::strong_count(&thread.load) == 1 || shared.len() >= self.limit);
        let index = match free {
            Some((index, _)) => index,
            None => {
                let thread = WorkerThread::start(&format!("worker-{}", shared.len()))?;
                shared.push(SharedThread { thread, load: Arc::default() });
                shared.len() - 1
            }
        };
        let running = shared[index].thread.install(job)?;
        Ok(Run(Kind::Narrow { running, _load: shared[index].load.clone() }))
    }
}

fn start_wide(opened: Opened, width: usize) -> Result<Run, RunError> {
    let end: Arc<End> = Arc::default();
    let (of_thread, job) = (end.clone(), opened.job);
    let body = move || {
        let result = rt::run(job, width);
        *lock(&of_thread.result) = Some(result);
        of_thread.ended.notify_all();
    };
    thread::Builder::new().name("wide".into()).spawn(body).map_err(|error| RunError::Threads(error.to_string()))?;
    Ok(Run(Kind::Wide { end, stop: opened.stop }))
}

impl End {
    fn wait(&self) -> Result<(), RunError> {
        let mut result = lock(&self.result);
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = self.ended.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Run {
    /// Waits until the pipeline has ended; how it did.
    pub fn wait(&self) -> Result<(), RunError> {
        match &self.0 {
            Kind::Narrow { running, .. } => running.wait(),
            Kind::Wide { end, .. } => end.wait(),
        }
    }

    /// How it has ended, if it has.
    pub fn ended(&self) -> Option<Result<(), RunError>> {
        match &self.0 {
            Kind::Narrow { running, .. } => running.ended(),
            Kind::Wide { end, .. } => lock(&end.result).clone(),
        }
    }

    /// Drops it with its state and all that is under way; returns when it is gone.
    pub fn drop_now(&self) {
        match &self.0 {
            Kind::Narrow { running, .. } => running.drop_now(),
            // Its peers leave together, when the intake tells each of them that it has ended.
            Kind::Wide { end, stop } => {
                stop.request();
                _ = end.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests;
