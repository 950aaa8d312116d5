//! What a connection reports: its state, the end of it, counters.
//!
//! The state has one writer (the connection's thread) and any number of readers, who may wait for
//! it to change. Invariant: `Closed` and `Failed` are final.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::takeover::Evidence;

/// Why a connection has ended for good, or never began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MqttError {
    /// Another client uses the client id.
    #[error(
        "client id `{client_id}` is used by another client, which took the session over{}; \
         stop the other one or choose another name",
        match evidence {
            Evidence::Told => "",
            Evidence::Inferred => " (the broker closed four connections within 5 s without a reason)",
        }
    )]
    TakenOver {
        /// The client id.
        client_id: String,
        /// What says so.
        evidence: Evidence,
    },
    /// The permit for the client id was denied: another has it now.
    #[error("client id `{client_id}` belongs to a newer owner now")]
    Superseded {
        /// The client id.
        client_id: String,
    },
    /// The first connection took longer than allowed.
    #[error("no connection to {broker} within {} ms: {reason}", after.as_millis())]
    ConnectTimeout {
        /// The brokers tried.
        broker: String,
        /// The time allowed.
        after: Duration,
        /// How the last attempt failed.
        reason: String,
    },
    /// The configuration cannot work.
    #[error("invalid MQTT configuration: {0}")]
    Config(String),
    /// The connection's thread could not be started or did not end well.
    #[error("the connection's thread failed: {0}")]
    Thread(String),
    /// It was closed before.
    #[error("the connection is closed")]
    Closed,
}

/// The state of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The first attempt is under way.
    Connecting,
    /// Connected, and subscribed if it is a source.
    Connected {
        /// Whether the broker had kept the session.
        session_present: bool,
    },
    /// Not connected; it will be tried again.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// Closed as asked.
    Closed,
    /// Ended for good.
    Failed(MqttError),
}

impl LinkState {
    /// True for `Closed` and `Failed`.
    pub fn is_final(&self) -> bool {
        matches!(self, LinkState::Closed | LinkState::Failed(_))
    }
}

/// Called on the connection's thread with every new state; must not block.
pub type StatusHook = Box<dyn Fn(&LinkState) + Send + Sync>;

/// What a source has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceCounters {
    /// Connections made.
    pub connections: u64,
    /// Messages delivered or waiting to be.
    pub received: u64,
    /// Their payload bytes.
    pub received_bytes: u64,
    /// Redelivered messages that were here already and not delivered again.
    pub recognised: u64,
    /// Messages of QoS 1 that were left with the broker for lack of room, each time that it sent them.
    pub passed_over: u64,
    /// Messages of QoS 0 that were lost for lack of room.
    pub lost: u64,
    /// Acknowledgements sent.
    pub acknowledged: u64,
    /// Messages that the caller has acknowledged and the present connection has not sent so far.
    pub due: u64,
    /// Messages delivered and not acknowledged by the caller.
    pub open: u64,
    /// Messages that wait in the inbox.
    pub waiting: u64,
}

/// What a sink has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SinkCounters {
    /// Connections made.
    pub connections: u64,
    /// Outputs taken.
    pub taken: u64,
    /// Outputs confirmed.
    pub confirmed: u64,
    /// Outputs reported as failed.
    pub failed: u64,
    /// Outputs neither confirmed nor failed.
    pub unconfirmed: u64,
}

/// The state, for one writer and many readers.
pub(crate) struct Status {
    state: Mutex<Inner>,
    changed: Condvar,
    hook: Option<StatusHook>,
}

struct Inner {
    state: LinkState,
    connections: u64,
}

impl Status {
    pub(crate) fn new(hook: Option<StatusHook>) -> Self {
        let inner = Inner { state: LinkState::Connecting, connections: 0 };
        Self { state: Mutex::new(inner), changed: Condvar::new(), hook }
    }

    pub(crate) fn get(&self) -> LinkState {
        self.lock().state.clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// Sets the state, unless the present one is final or the same.
    pub(crate) fn set(&self, state: LinkState) {
        let mut inner = self.lock();
        if inner.state.is_final() || inner.state == state {
            return;
        }
        if matches!(state, LinkState::Connected { .. }) {
            inner.connections += 1;
        }
        inner.state = state.clone();
        drop(inner);
        self.changed.notify_all();
        if let Some(hook) = &self.hook {
            hook(&state);
        }
    }

    /// Waits until `done` accepts the state or the deadline passes; the state then.
    pub(crate) fn wait(&self, deadline: Instant, done: impl Fn(&LinkState) -> bool) -> LinkState {
        let mut inner = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if done(&inner.state) || left.is_zero() {
                return inner.state.clone();
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until connected; the error says why not.
    pub(crate) fn wait_connected(&self, timeout: Duration, broker: &str) -> Result<(), MqttError> {
        let connected = |state: &LinkState| matches!(state, LinkState::Connected { .. });
        let state = self.wait(Instant::now() + timeout, |s| connected(s) || s.is_final());
        let timed_out =
            |reason: String| Err(MqttError::ConnectTimeout { broker: broker.to_owned(), after: timeout, reason });
        match state {
            LinkState::Connected { .. } => Ok(()),
            LinkState::Failed(error) => Err(error),
            LinkState::Closed => Err(MqttError::Closed),
            LinkState::Connecting => timed_out("no answer so far".into()),
            LinkState::Disconnected { reason } => timed_out(reason),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
