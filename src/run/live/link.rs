//! What is known of a pipeline's connections to the outside.

use super::messages::MessageSource;
use super::outlet::OpenOutlet;
use rarog_connectors::mqtt::{LinkState, MqttError};
use std::sync::{Arc, Mutex, PoisonError};

/// Names one end of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkName {
    /// The connector.
    pub connector: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// Do records come in over it?
    pub comes_in: bool,
}

/// Whether records can pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// It waits for its first connection, or for others to be made first.
    Waiting,
    /// They can.
    Open,
    /// They cannot: why. It is tried again.
    Shut(String),
    /// They never will again: it is a newer owner's.
    Superseded,
    /// They never will again: why.
    Ended(String),
}

/// One end of a connector, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: LinkName,
    /// Whether records can pass.
    pub passage: Passage,
    /// Messages that have come in over it.
    pub received: u64,
}

/// Why requests to a server fail, while they do.
pub type Failing = Arc<Mutex<Option<String>>>;

impl From<LinkState> for Passage {
    fn from(state: LinkState) -> Passage {
        match state {
            LinkState::Connecting => Passage::Waiting,
            LinkState::Connected { .. } => Passage::Open,
            LinkState::Disconnected { reason } => Passage::Shut(reason),
            LinkState::Closed => Passage::Ended("it is closed".into()),
            LinkState::Failed(MqttError::Superseded { .. }) => Passage::Superseded,
            LinkState::Failed(error) => Passage::Ended(error.to_string()),
        }
    }
}

/// An outlet, and why its requests fail if it is one that makes some.
pub fn of_outlet(name: &LinkName, outlet: &OpenOutlet, failing: &Failing) -> Link {
    let passage = match outlet {
        OpenOutlet::Mqtt(sink) => sink.state().into(),
        OpenOutlet::Http(_) => {
            let failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
            failing.clone().map_or(Passage::Open, Passage::Shut)
        }
        OpenOutlet::File(_) | OpenOutlet::Stdout(_) => Passage::Open,
    };
    Link { name: name.clone(), passage, received: 0 }
}

/// An inlet that has been opened; `None`: it is none of messages.
pub fn of_inlet(name: &LinkName, source: Option<&MessageSource>) -> Link {
    let (passage, received) = match source {
        Some(MessageSource::Mqtt(source)) => (source.state().into(), source.counters().received),
        Some(MessageSource::Http(_)) | None => (Passage::Open, 0),
    };
    Link { name: name.clone(), passage, received }
}
