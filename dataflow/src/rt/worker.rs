//! A thread that runs many narrow pipelines: one single-peer timely worker, into which pipelines are installed and from
//! which they are dropped while the others go on.
//!
//! An idle pipeline costs nothing: the worker parks until a source is woken or a command comes. A pipeline that fails is
//! dropped; its neighbours do not notice.

use super::render::render;
use super::run::RunError;
use super::shared::{Counters, Host, Shared, Start};
use super::source::Intake;
use super::tick::Tick;
use crate::operators::Clockwork;
use rarog_lang::plan::{PLAN_VERSION, Plan};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::worker::Worker;

/// A pipeline to run.
pub struct Job {
    /// What.
    pub plan: Arc<Plan>,
    /// Where its results go.
    pub host: Arc<dyn Host>,
    /// Its counters.
    pub counters: Arc<Counters>,
    /// Where its chunks come from.
    pub intake: Arc<dyn Intake>,
    /// Its clocks.
    pub clockwork: Clockwork,
    /// Where it begins.
    pub start: Start,
}

enum Command {
    Install(Job, Arc<End>),
    Drop(Arc<End>),
    /// Leave when the last pipeline has ended.
    Leave,
}

/// How a pipeline ended, once it has.
#[derive(Default)]
struct End {
    result: Mutex<Option<Result<(), RunError>>>,
    ended: Condvar,
}

impl End {
    fn set(&self, result: Result<(), RunError>) {
        self.result.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(result);
        self.ended.notify_all();
    }

    fn wait(&self) -> Result<(), RunError> {
        let mut result = self.result.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = self.ended.wait(result).unwrap_or_else(|poisoned| poisoned.into_inner()),
            }
        }
    }
}

/// A pipeline that was installed.
pub struct Running {
    end: Arc<End>,
    commands: Sender<Command>,
    thread: Thread,
}

impl Running {
    /// Waits until the intake has ended and everything that came in is through, or the pipeline failed or was dropped.
    pub fn wait(&self) -> Result<(), RunError> {
        self.end.wait()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Result<(), RunError>> {
        self.end.result.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Drops the pipeline with its state and all that is under way; returns when it is gone.
    pub fn drop_now(&self) {
        // A thread that has ended has ended its pipelines.
        if self.commands.send(Command::Drop(self.end.clone())).is_ok() {
            self.thread.unpark();
            _ = self.end.wait();
        }
    }
}

/// The thread.
pub struct WorkerThread {
    commands: Sender<Command>,
    join: Option<JoinHandle<()>>,
}

impl WorkerThread {
    /// Starts a thread without pipelines.
    pub fn start(name: &str) -> Result<WorkerThread, RunError> {
        let (commands, receiver) = channel();
        let thread = std::thread::Builder::new().name(name.to_string());
        let join = thread
            .spawn(move || Pipelines::new(receiver).run())
            .map_err(|error| RunError::Threads(error.to_string()))?;
        Ok(WorkerThread { commands, join: Some(join) })
    }

    /// Installs a pipeline.
    pub fn install(&self, job: Job) -> Result<Running, RunError> {
        if job.plan.version != PLAN_VERSION {
            return Err(RunError::Version(job.plan.version));
        }
        let gone = || RunError::Threads("the worker thread has ended".into());
        let Some(join) = &self.join else { return Err(gone()) };
        let end = Arc::new(End::default());
        self.commands.send(Command::Install(job, end.clone())).map_err(|_| gone())?;
        join.thread().unpark();
        Ok(Running { end, commands: self.commands.clone(), thread: join.thread().clone() })
    }
}

impl Drop for WorkerThread {
    /// Waits for the pipelines to end; does not if the thread that drops it panics, since they might never.
    fn drop(&mut self) {
        // A thread that is gone need not be told.
        _ = self.commands.send(Command::Leave);
        if let Some(join) = self.join.take().filter(|_| !std::thread::panicking()) {
            join.thread().unpark();
            _ = join.join();
        }
    }
}

struct Installed {
    shared: Arc<Shared>,
    end: Arc<End>,
}

/// The thread's own side.
struct Pipelines {
    worker: Worker,
    commands: Receiver<Command>,
    /// By timely's number of the dataflow.
    installed: BTreeMap<usize, Installed>,
    /// Counts pipelines that came through or failed, so that the loop looks for them only then.
    changes: Arc<AtomicU64>,
    seen: u64,
    closed: bool,
}

impl Pipelines {
    fn new(commands: Receiver<Command>) -> Pipelines {
        let allocator = Allocator::Thread(timely::communication::allocator::thread::Thread::default());
        // Without a start time the worker would never park.
        let worker = Worker::new(WorkerConfig::default(), allocator, Some(Instant::now()));
        let changes = Arc::default();
        Pipelines { worker, commands, installed: BTreeMap::new(), changes, seen: 0, closed: false }
    }

    fn run(mut self) {
        loop {
            self.take_commands();
            if self.installed.is_empty() {
                if self.closed {
                    return;
                }
                // Dataflows that drained after their pipeline's end are stepped out of the worker.
                while self.worker.has_dataflows() && self.worker.step() {}
                self.wait_for_command();
                continue;
            }
            let stepped = catch_unwind(AssertUnwindSafe(|| self.worker.step_or_park(None)));
            if stepped.is_err() {
                self.fail_all();
            }
            self.reap();
        }
    }

    fn take_commands(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn wait_for_command(&mut self) {
        match self.commands.recv() {
            Ok(command) => self.obey(command),
            Err(_) => self.closed = true,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Install(job, end) => self.install(job, end),
            Command::Leave => self.closed = true,
            Command::Drop(end) => {
                let number = self.installed.iter().find(|(_, it)| Arc::ptr_eq(&it.end, &end)).map(|(id, _)| *id);
                if let Some(number) = number {
                    self.remove(number, Err(RunError::Dropped));
                }
            }
        }
    }

    fn install(&mut self, job: Job, end: Arc<End>) {
        let (intake, clockwork) = (job.intake.clone(), job.clockwork);
        let shared = Arc::new(Shared::new(job, self.changes.clone()));
        let number = self.worker.next_dataflow_index();
        let built = self.worker.dataflow::<Tick, _, _>(|scope| render(scope, &shared, &intake, clockwork));
        if let Err(reason) = built {
            shared.fail(reason);
        }
        self.installed.insert(number, Installed { shared, end });
    }

    /// Takes out what has come through or failed.
    fn reap(&mut self) {
        let changes = self.changes.load(Ordering::Acquire);
        if changes == self.seen {
            return;
        }
        self.seen = changes;
        let over = |it: &Installed| it.shared.failed() || it.shared.is_through();
        let numbers: Vec<usize> = self.installed.iter().filter(|(_, it)| over(it)).map(|(id, _)| *id).collect();
        for number in numbers {
            let failure = self.installed.get(&number).and_then(|it| it.shared.failure());
            self.remove(number, failure.map_or(Ok(()), |reason| Err(RunError::Failed(reason))));
        }
    }

    fn remove(&mut self, number: usize, result: Result<(), RunError>) {
        if self.worker.installed_dataflows().contains(&number) {
            self.worker.drop_dataflow(number);
        }
        if let Some(installed) = self.installed.remove(&number) {
            installed.end.set(result);
        }
    }

    /// Something panicked outside of the operators, which catch their own panics: nobody knows which pipeline it was.
    fn fail_all(&mut self) {
        for installed in self.installed.values() {
            installed.shared.fail("the worker thread failed outside of an operator".into());
        }
    }
}
