//! Keeps one placement: opens it, watches it, ends it; on a thread of its own, so it may wait.
//!
//! ```text
//!  predecessor gone ──> open ──> watch ──> close or cut ──> Stopped
//!                         └── fails ──> Failed, until it is told to stop
//! ```
//! Invariant: [`Event::Stopped`] is told once, when all connections are gone.

use super::Shared;
use super::inject::{self, Answer};
use super::links;
use super::open::{Meter, Open, open};
use crate::run::live::link::Link;
use crate::run::live::pipeline::LivePipeline;
use rarog_control::agent::engine::{Assignment, Ending, Event, Injected, Refused};
use rarog_control::model::ids::{EpochNumber, PipelineKey};
use rarog_control::model::state::Phase;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a pipeline may take to finish what is under way before it is cut.
const GRACE: Duration = Duration::from_secs(6);
/// How often a pipeline is looked at without a reason.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is looked whether an end that is awaited has come.
const LOOK_AT_END: Duration = Duration::from_millis(5);

/// What a keeper is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// End it.
    Stop(Ending),
    /// End it gracefully, and keep its state.
    Release,
}

/// See the module's head.
pub struct Keeper {
    /// The pipeline.
    pub pipeline: PipelineKey,
    /// The placement.
    pub epoch: EpochNumber,
    mail: Mutex<Mail>,
    changed: Condvar,
    live: OnceLock<(Arc<LivePipeline>, Arc<Meter>)>,
}

struct Mail {
    task: Option<Task>,
    /// A connection has changed.
    noticed: bool,
    phase: Phase,
    gone: bool,
}

/// Starts to keep a placement, once its predecessor is gone.
pub(super) fn start(
    shared: Arc<Shared>,
    assignment: Assignment,
    before: Option<Arc<Keeper>>,
) -> Result<Arc<Keeper>, String> {
    let keeper = Arc::new(Keeper {
        pipeline: assignment.order.pipeline.clone(),
        epoch: assignment.order.epoch,
        mail: Mutex::new(Mail { task: None, noticed: false, phase: Phase::Deploying, gone: false }),
        changed: Condvar::new(),
        live: OnceLock::new(),
    });
    let of_thread = keeper.clone();
    let body = move || {
        if let Some(before) = before {
            before.wait_until_gone();
        }
        of_thread.keep(&shared, &assignment);
    };
    let started = thread::Builder::new().name("keeper".into()).spawn(body);
    started.map(|_| keeper).map_err(|error| format!("cannot start a thread: {error}"))
}

impl Keeper {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it something to do. What is more urgent wins.
    pub fn order(&self, task: Task) {
        let mut mail = self.lock();
        let is_less = task == Task::Release && mail.task.is_some();
        if mail.task != Some(Task::Stop(Ending::Now)) && !is_less {
            mail.task = Some(task);
        }
        drop(mail);
        self.changed.notify_all();
        if let (Task::Stop(Ending::Now), Some((pipeline, _))) = (task, self.live.get()) {
            // It may be waiting for brokers.
            pipeline.give_up();
        }
    }

    /// A connection has changed.
    pub fn notice(&self) {
        self.lock().noticed = true;
        self.changed.notify_all();
    }

    /// The phase that was told last.
    pub fn phase(&self) -> Phase {
        self.lock().phase.clone()
    }

    /// What has passed, and its connections; `None`: it is not open.
    pub fn live(&self) -> Option<(Arc<Meter>, Vec<Link>)> {
        self.live.get().map(|(pipeline, meter)| (meter.clone(), pipeline.links()))
    }

    /// Lets events in.
    pub fn inject(&self, events: Vec<Injected>) -> Result<Answer, Refused> {
        let Some((pipeline, meter)) = self.live.get() else {
            return Err(Refused::Cannot("it is not open so far".into()));
        };
        inject::inject(meter.plan(), &pipeline.intake(), meter.tap(), events)
    }

    /// Waits until its connections are gone.
    pub fn wait_until_gone(&self) {
        let mut mail = self.lock();
        while !mail.gone {
            mail = self.changed.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn keep(self: &Arc<Keeper>, shared: &Arc<Shared>, assignment: &Assignment) {
        let kept = catch_unwind(AssertUnwindSafe(|| self.run(shared, assignment)));
        let failure = kept.unwrap_or_else(|_| Some("it has met an error of rarog itself".into()));
        if let Some(reason) = failure {
            self.cut();
            self.say(shared, Phase::Failed { reason });
            self.wait_for_stop();
        }
        if let Some((_, meter)) = self.live.get() {
            shared.retired.fetch_add(meter.events_in(), Ordering::Relaxed);
            meter.tap().close();
        }
        shared.forget(self);
        self.lock().gone = true;
        self.changed.notify_all();
        shared.tell(Event::Stopped { pipeline: self.pipeline.clone(), epoch: self.epoch });
    }

    /// Opens it and watches it until it is closed; why it has failed, if it has.
    fn run(self: &Arc<Keeper>, shared: &Arc<Shared>, assignment: &Assignment) -> Option<String> {
        if self.lock().task == Some(Task::Stop(Ending::Now)) {
            return None;
        }
        let open = match open(shared, assignment, self) {
            Ok(open) => open,
            Err(reason) => return Some(reason),
        };
        // Set once: a keeper opens once.
        _ = self.live.set((open.pipeline.clone(), open.meter.clone()));
        let (began, mut ended) = (Instant::now(), false);
        loop {
            match self.wait(LOOK, None) {
                Some(Task::Stop(Ending::Now)) => break self.end(&open),
                Some(Task::Stop(Ending::Graceful)) => break self.finish(&open),
                Some(Task::Release) => {
                    if let Released::Ended(failure) = self.release(shared, &open, ended) {
                        break failure;
                    }
                }
                None => {}
            }
            let links = open.pipeline.links();
            if links::are_superseded(&links) {
                break self.end(&open);
            }
            if let Some(result) = open.run.ended().filter(|_| !ended) {
                if let Some(failure) = failure(&open, result.err().map(|error| error.to_string())) {
                    _ = self.end(&open);
                    break Some(failure);
                }
                // All its inputs have ended: nothing more comes, until it is told to stop.
                open.pipeline.close(Some(Instant::now() + GRACE));
                ended = true;
            }
            if !ended {
                self.say(shared, links::phase(&links, &self.phase(), began.elapsed()));
            }
        }
    }

    /// Ends it at once, which is no failure.
    fn end(&self, open: &Open) -> Option<String> {
        open.pipeline.cut();
        open.run.drop_now();
        None
    }

    /// Ends it when everything under way is finished, or the time for that is over.
    fn finish(&self, open: &Open) -> Option<String> {
        let deadline = Instant::now() + GRACE;
        open.pipeline.stop.request();
        while open.run.ended().is_none() {
            let known = Some(Task::Stop(Ending::Graceful));
            let is_urgent = self.wait(LOOK_AT_END, known) == Some(Task::Stop(Ending::Now));
            if is_urgent || Instant::now() >= deadline || links::are_superseded(&open.pipeline.links()) {
                return self.end(open);
            }
        }
        open.pipeline.close(Some(deadline));
        None
    }

    /// Ends it when everything under way is finished, and tells its state. Without one it goes on: because a connection does not
    /// stand, so that what is under way cannot be finished, or because nothing comes in any more.
    ///
    /// Once it has begun it waits as long as it takes: who gives up has lost the state.
    fn release(&self, shared: &Shared, open: &Open, ended: bool) -> Released {
        if let Some(reason) = unfit(open, ended) {
            // An order to stop may have come meanwhile.
            self.lock().task.take_if(|task| *task == Task::Release);
            self.tell_released(shared, Err(reason));
            return Released::GoesOn;
        }
        open.pipeline.keep_state();
        open.pipeline.stop.request();
        let mut last = None;
        let state = loop {
            let told = matches!(self.wait(LOOK_AT_END, Some(Task::Release)), Some(Task::Stop(_)));
            let links = open.pipeline.links();
            if told || links::are_superseded(&links) {
                self.end(open);
                return Released::Ended(None);
            }
            self.say(shared, links::phase(&links, &Phase::Running, Duration::ZERO));
            if let Some(state) = open.pipeline.state() {
                break Ok(state);
            }
            let Some(result) = open.run.ended() else { continue };
            // The state comes a moment after the confirmation of the last output.
            let is_late = open.pipeline.unconfirmed() == 0 && last.get_or_insert_with(Instant::now).elapsed() > GRACE;
            if result.is_err() || is_late {
                let reason = failure(open, result.err().map(|error| error.to_string()));
                break Err(reason.unwrap_or_else(|| "its state was not kept".into()));
            }
        };
        open.pipeline.close(Some(Instant::now() + GRACE));
        let failure = state.as_ref().err().cloned();
        self.tell_released(shared, state);
        Released::Ended(failure)
    }

    fn tell_released(&self, shared: &Shared, state: Result<Arc<[u8]>, String>) {
        shared.tell(Event::Released { pipeline: self.pipeline.clone(), epoch: self.epoch, state });
    }

    /// Ends its connections whatever it was doing.
    fn cut(&self) {
        if let Some((pipeline, _)) = self.live.get() {
            pipeline.cut();
        }
    }

    /// Waits for something else to do than what is `known`, or a change, at most so long.
    fn wait(&self, limit: Duration, known: Option<Task>) -> Option<Task> {
        let mut mail = self.lock();
        if mail.task == known && !mail.noticed {
            mail = self.changed.wait_timeout(mail, limit).unwrap_or_else(PoisonError::into_inner).0;
        }
        mail.noticed = false;
        mail.task
    }

    fn wait_for_stop(&self) {
        let mut mail = self.lock();
        while mail.task.is_none() {
            mail = self.changed.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells its phase, if it is another one.
    fn say(&self, shared: &Shared, phase: Phase) {
        {
            let mut mail = self.lock();
            if mail.phase == phase {
                return;
            }
            mail.phase = phase.clone();
        }
        shared.tell(Event::Phase { pipeline: self.pipeline.clone(), epoch: self.epoch, phase });
    }
}

/// What became of a release.
enum Released {
    /// The pipeline runs as before.
    GoesOn,
    /// It is gone; why it has failed, if it has.
    Ended(Option<String>),
}

/// Why a pipeline cannot be released now. `ended`: all its inputs have.
fn unfit(open: &Open, ended: bool) -> Option<String> {
    match links::phase(&open.pipeline.links(), &Phase::Running, Duration::ZERO) {
        Phase::Degraded { reason } => Some(reason),
        _ if ended => Some("all its inputs have ended".into()),
        _ => None,
    }
}

/// Why a pipeline whose dataflow has ended has failed, if it has.
fn failure(open: &Open, of_run: Option<String>) -> Option<String> {
    open.pipeline.failure().map(|failure| failure.message).or(of_run)
}
