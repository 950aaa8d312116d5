//! What is said of a pipeline's connections, and what ends it when one of them cannot go on.

use super::inlet::Lost;
use super::intake::Wakers;
use super::link::Failing;
use super::terms::Notice;
use crate::exit;
use crate::run::Failure;
use crate::run::stop::Stop;
use crate::run::talk::Talk;
use rarog_connectors::http::{TroubleHook, TroubleReport};
use rarog_connectors::mqtt::{LinkState, MqttError, StatusHook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What has gone wrong with a pipeline.
pub struct Trouble {
    failure: Mutex<Option<Failure>>,
    /// Its brokers are not waited for any more.
    given_up: AtomicBool,
    stop: Arc<Stop>,
    /// Of the whole run.
    run: Arc<Stop>,
    /// Of the intake.
    pub wakers: Arc<Wakers>,
    /// Says it at once: the others go on.
    announce: Option<Talk>,
    label: String,
}

impl Trouble {
    /// None so far. `stop` is the pipeline's, `run` the whole run's.
    pub fn new(
        (stop, run): (Arc<Stop>, Arc<Stop>),
        wakers: Arc<Wakers>,
        announce: Option<Talk>,
        label: String,
    ) -> Trouble {
        Trouble { failure: Mutex::default(), given_up: AtomicBool::new(false), stop, run, wakers, announce, label }
    }

    /// The pipeline cannot go on.
    pub fn fail(&self, code: u8, message: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(talk)) = (&*failure, &self.announce) {
            talk.say(&format!("{}{message}", self.label));
        }
        failure.get_or_insert(Failure { code, message });
        drop(failure);
        self.give_up();
        self.stop.request();
        if code == exit::UNREACHABLE {
            self.run.request();
        }
    }

    /// What it was, to be asked for once.
    pub fn take(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Stops waiting for brokers.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.wakers.wake();
    }

    /// Are brokers not waited for any more?
    pub fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

/// Watches the connections of a pipeline.
pub struct Watch {
    /// Stands before every line.
    pub label: String,
    /// Where lines go.
    pub talk: Talk,
    /// What ends the pipeline.
    pub trouble: Arc<Trouble>,
    /// Who wants to know of changes.
    pub notice: Option<Notice>,
}

impl Watch {
    /// Says a line.
    pub fn say(&self, line: &str) {
        self.talk.say(&format!("{}{line}", self.label));
    }

    /// Says that messages are lost for lack of room.
    pub fn losses(&self, what: &str) -> Lost {
        let (label, talk, what) = (self.label.clone(), self.talk.clone(), what.to_owned());
        Box::new(move |lost| {
            talk.say(&format!(
                "{label}{what} (in): {lost} messages of qos 0 lost so far: they come faster than they are used"
            ));
        })
    }

    /// Says when requests to a server fail, and when they pass again.
    pub fn trouble(&self, what: String, failing: Failing) -> TroubleHook {
        let (label, talk, notice) = (self.label.clone(), self.talk.clone(), self.notice.clone());
        let say = move |report: TroubleReport| match report {
            TroubleReport::Failing { reason, attempts: 1 } => {
                talk.say(&format!("{label}{what}: trying again: {reason}"));
            }
            TroubleReport::Failing { reason, attempts } => {
                talk.say(&format!("{label}{what}: trying again, {attempts} more requests failed: {reason}"));
            }
            TroubleReport::Over => talk.say(&format!("{label}{what}: requests pass again")),
        };
        Box::new(move |report| {
            let reason = match &report {
                TroubleReport::Failing { reason, .. } => Some(reason.to_string()),
                TroubleReport::Over => None,
            };
            *failing.lock().unwrap_or_else(PoisonError::into_inner) = reason;
            say(report);
            if let Some(notice) = &notice {
                notice();
            }
        })
    }

    /// Says when a connection comes and goes, and ends the pipeline when it has ended for good.
    pub fn hook(&self, what: String) -> StatusHook {
        let (label, talk, trouble) = (self.label.clone(), self.talk.clone(), self.trouble.clone());
        let up = AtomicBool::new(false);
        let told = AtomicBool::new(false);
        let act = move |state: &LinkState| match state {
            LinkState::Connected { .. } => {
                told.store(false, Ordering::Release);
                // A source may have made a new connection by itself, to fetch what there was no room for.
                if !up.swap(true, Ordering::AcqRel) {
                    talk.say(&format!("{label}{what}: connected"));
                }
            }
            LinkState::Disconnected { reason } => {
                // Attempts that fail one after the other are one piece of news.
                if up.swap(false, Ordering::AcqRel) || !told.swap(true, Ordering::AcqRel) {
                    told.store(true, Ordering::Release);
                    talk.say(&format!("{label}{what}: not connected, trying again: {reason}"));
                }
            }
            LinkState::Failed(error) => trouble.fail(code(error), error.to_string()),
            LinkState::Connecting | LinkState::Closed => {}
        };
        let notice = self.notice.clone();
        Box::new(move |state| {
            act(state);
            if let Some(notice) = &notice {
                notice();
            }
        })
    }
}

fn code(error: &MqttError) -> u8 {
    match error {
        MqttError::TakenOver { .. } => exit::TAKEN_OVER,
        MqttError::ConnectTimeout { .. } => exit::UNREACHABLE,
        MqttError::Config(_) => exit::USAGE,
        _ => exit::FAILED,
    }
}
