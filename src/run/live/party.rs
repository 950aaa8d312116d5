//! Who a program is towards brokers, and what it may do there.
//!
//! A run is known by its name alone; somebody who runs programs for others says more. Invariant: client ids depend on what
//! the program is, never on the process that runs it.

use rarog_connectors::client_id::{self, End};
use rarog_connectors::mqtt::Permit;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long brokers keep the sessions of a run while it is away.
const SESSION_EXPIRY: Duration = Duration::from_secs(3600);

/// Gives the client id of an end of a connector; the first text stands before it.
pub type ClientIds = Box<dyn Fn(&str, &str, End) -> String + Send + Sync>;

/// Of what comes in, what is for this one among several that share the work.
#[derive(Clone)]
pub enum Share {
    /// Messages with these payloads: each of the others gets all messages, too, and leaves these out.
    Payloads(Payloads),
    /// Whatever the broker gives to this one of the group of this name, as a shared subscription.
    OfGroup(String),
}

/// Says whether a payload is meant.
type Predicate = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Which messages are for this one, by their payloads.
#[derive(Clone)]
pub struct Payloads(Arc<Predicate>);

impl Payloads {
    /// Those for which this says so.
    pub fn new(takes: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Payloads {
        Payloads(Arc::new(takes))
    }

    /// Is this one among them?
    pub fn take(&self, payload: &[u8]) -> bool {
        (self.0)(payload)
    }
}

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payloads")
    }
}

/// See the module's head.
pub struct Party {
    /// Its client ids.
    pub client_id: ClientIds,
    /// How long brokers keep its sessions while it is away, unless the program says otherwise.
    pub session_expiry: Duration,
    /// Asked before connections are made and used.
    pub permit: Option<Arc<dyn Permit>>,
    /// By client id, topic filters that its sessions have from earlier.
    pub subscribed: BTreeMap<String, Vec<String>>,
    /// What is for this one, if it is one of several.
    pub share: Option<Share>,
}

impl Party {
    /// A run of this name.
    pub fn run(name: &str) -> Party {
        let name = name.to_owned();
        Party {
            client_id: Box::new(move |prefix, connector, end| client_id::for_run(prefix, &name, connector, end)),
            session_expiry: SESSION_EXPIRY,
            permit: None,
            subscribed: BTreeMap::new(),
            share: None,
        }
    }
}
