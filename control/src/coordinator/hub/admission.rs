//! Who is let in, and as what.
//!
//! Invariant: a worker is let in only if it is registered, as the process that calls, in the state that is given back.

use super::Hub;
use crate::model::command::{Change, Outcome, Refusal};
use crate::model::state::{State, Worker, WorkerStatus};
use crate::wire::{Hello, PROTOCOL};
use std::sync::Arc;
use std::time::Duration;

/// Time for a registration to be decided, ms.
const REGISTER_MS: u64 = 2_000;

/// Characters of a worker's name at the most.
const NAME_LIMIT: usize = 128;

/// Why a worker is not let in.
pub(super) enum Rejection {
    /// It may not come: code and reason.
    Refused(&'static str, String),
    /// It may come later, or elsewhere.
    NotNow(String),
}

/// Registers a worker; gives a state in which it is.
pub(super) async fn admit(hub: &Hub, hello: &Hello) -> Result<Arc<State>, Rejection> {
    check(hub, hello)?;
    let agreement = &hub.parts.agreement;
    let patience = Duration::from_millis(REGISTER_MS);
    let no_leader = || Rejection::NotNow("no leader, or no majority".into());
    let mut state = agreement.watch().borrow().clone();
    if state.workers.get(&hello.worker).is_some_and(|worker| is_registered(worker, hello)) {
        return check_cluster(&state, hello).map(|()| state);
    }
    if hello.welcomed {
        // It was registered before: if another one is known now, that is the newer one.
        state = agreement.read(patience).await.ok_or_else(no_leader)?;
        check_cluster(&state, hello)?;
        check_instance(&state, hello)?;
    }
    check_cluster(&state, hello)?;
    let change = Change::Register {
        worker: hello.worker.clone(),
        address: hello.address.clone(),
        api_key: hello.api_key.clone(),
        instance: hello.instance,
        protocol: hello.protocol,
        capacity: hello.capacity,
    };
    match agreement.submit(change, patience).await {
        Err(error) => return Err(Rejection::NotNow(error.to_string())),
        Ok(Outcome::Refused(why @ Refusal::OtherInstance { .. })) => return Err(superseded(&format!("{why:?}"))),
        Ok(Outcome::Refused(why)) => return Err(Rejection::Refused("invalid", format!("{why:?}"))),
        Ok(_) => {}
    }
    let state = agreement.read(patience).await.ok_or_else(no_leader)?;
    check_cluster(&state, hello)?;
    check_instance(&state, hello)?;
    Ok(state)
}

/// Nothing would change by registering it again.
fn is_registered(worker: &Worker, hello: &Hello) -> bool {
    matches!(worker.status, WorkerStatus::Ready | WorkerStatus::Draining)
        && (worker.instance, worker.protocol, worker.capacity) == (hello.instance, hello.protocol, hello.capacity)
        && (&worker.address, &worker.api_key) == (&hello.address, &hello.api_key)
}

fn check(hub: &Hub, hello: &Hello) -> Result<(), Rejection> {
    if hub.is_closed() {
        return Err(Rejection::NotNow("this coordinator is stopping".into()));
    }
    if hello.protocol != PROTOCOL {
        let message =
            format!("the worker speaks version {} of the protocol, this coordinator {PROTOCOL}", hello.protocol);
        return Err(Rejection::Refused("protocol", message));
    }
    if !(hub.config.may_register)(hello.api_key.as_ref().map(|key| key.expose())) {
        return Err(Rejection::Refused("unauthorized", "the key is not one that may register workers".into()));
    }
    let name = hello.worker.as_str();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(is_fit) {
        let message = format!("a worker's id is to have 1 to {NAME_LIMIT} of the characters A-Z a-z 0-9 _ . -");
        return Err(Rejection::Refused("invalid", message));
    }
    Ok(())
}

fn check_cluster(state: &State, hello: &Hello) -> Result<(), Rejection> {
    match (state.cluster, hello.cluster) {
        (None, _) => Err(Rejection::NotNow("the cluster is not formed so far".into())),
        (Some(ours), Some(theirs)) if ours != theirs => {
            let message = format!(
                "the worker holds pipelines of cluster {theirs}, and this is {ours}: `rarog workers adopt` or \
                 `rarog workers reset` is the way out"
            );
            Err(Rejection::Refused("foreign_cluster", message))
        }
        _ => Ok(()),
    }
}

fn check_instance(state: &State, hello: &Hello) -> Result<(), Rejection> {
    match state.workers.get(&hello.worker) {
        Some(worker) if worker.instance != hello.instance => {
            Err(superseded(&format!("a newer process, {}, runs as {}", worker.instance, hello.worker)))
        }
        _ => Ok(()),
    }
}

fn superseded(message: &str) -> Rejection {
    Rejection::Refused("superseded", message.into())
}
