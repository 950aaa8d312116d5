//! Removes sessions at their brokers, for pipelines that are gone.
//!
//! A few threads that exist while there is something to remove. Invariant: what is asked for is answered by one
//! [`Event::Buried`], however often it is asked for meanwhile.

use super::Shared;
use super::order;
use crate::run::live::wiring::session;
use rarog_connectors::mqtt;
use rarog_control::agent::engine::Event;
use rarog_control::model::spec::ConnectorSpec;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Sessions that may wait; more are refused, and asked for again.
const QUEUE_LIMIT: usize = 10_000;
/// Threads at the most: a broker that is gone holds each of its sessions up.
const THREADS_LIMIT: usize = 4;
/// How long one broker is tried.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module's head.
#[derive(Default)]
pub struct Burial(Mutex<Graves>);

#[derive(Default)]
struct Graves {
    waiting: VecDeque<(String, ConnectorSpec)>,
    /// Those that wait and those that are being removed.
    known: BTreeSet<String>,
    threads: usize,
}

impl Burial {
    fn lock(&self) -> MutexGuard<'_, Graves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one; without one the thread that asks ends.
    fn next(&self) -> Option<(String, ConnectorSpec)> {
        let mut graves = self.lock();
        let next = graves.waiting.pop_front();
        graves.threads -= usize::from(next.is_none());
        next
    }
}

/// Removes a session, some time.
pub(super) fn bury(shared: &Arc<Shared>, client: &str, connector: &ConnectorSpec) {
    let refused = {
        let mut graves = shared.burial.lock();
        if graves.known.contains(client) {
            return;
        }
        if graves.waiting.len() >= QUEUE_LIMIT {
            Some(format!("{QUEUE_LIMIT} sessions wait to be removed already"))
        } else {
            graves.known.insert(client.to_owned());
            graves.waiting.push_back((client.to_owned(), connector.clone()));
            start(shared, &mut graves);
            None
        }
    };
    if let Some(reason) = refused {
        shared.tell(Event::Buried { client: client.to_owned(), result: Err(reason) });
    }
}

/// One thread more, if there may be one. Without any the sessions wait for the next that is asked for.
fn start(shared: &Arc<Shared>, graves: &mut Graves) {
    if graves.threads >= THREADS_LIMIT {
        return;
    }
    let shared = shared.clone();
    let body = move || {
        while let Some((client, connector)) = shared.burial.next() {
            let result = remove(&client, &connector);
            shared.burial.lock().known.remove(&client);
            shared.tell(Event::Buried { client, result });
        }
    };
    graves.threads += usize::from(thread::Builder::new().name("burial".into()).spawn(body).is_ok());
}

fn remove(client: &str, connector: &ConnectorSpec) -> Result<(), String> {
    let config = session(client, &order::connector(connector)?)?;
    mqtt::forget(&config, PATIENCE).map_err(|error| error.to_string())
}
