//! What a command does to the state. The only place where the state changes.
//!
//! ```text
//!   Command ──┬── workers      register, status, deregister
//!             ├── groups       deploy, retire, delete        ┐
//!             ├── connectors   put, remove                   ├──> placements: epochs, migrations
//!             ├── placements   place, release, fail, forget  ┘
//!             └── reports      report, clients, buried
//! ```
//! Invariants: same state and command, same result; a refused command changes nothing but [`State::version`]; every function
//! below refuses before it changes anything.

mod connectors;
mod groups;
mod placements;
mod reports;
#[cfg(test)]
mod tests;
mod workers;

use super::command::{Change, Command, Outcome, Refusal};
use super::ids::{NodeId, Uuid};
use super::state::State;

/// Changes the state as a command says, if it fits.
pub fn apply(state: &mut State, command: &Command) -> Outcome {
    state.version += 1;
    change(state, command.at_ms, &command.change).unwrap_or_else(Outcome::Refused)
}

fn change(state: &mut State, now_ms: u64, change: &Change) -> Result<Outcome, Refusal> {
    match change {
        Change::Form { cluster } => form(state, *cluster),
        Change::Coordinator { node, address } => Ok(coordinator(state, *node, address.as_deref())),
        Change::Register { worker, address, api_key, instance, protocol, capacity } => {
            let call =
                workers::Call { address, api_key, instance: *instance, protocol: *protocol, capacity: *capacity };
            workers::register(state, now_ms, worker, call)
        }
        Change::WorkerStatus { worker, instance, status, reason, moves } => {
            workers::status(state, now_ms, (worker, *instance), (*status, reason), moves)
        }
        Change::Deregister { worker } => workers::deregister(state, now_ms, worker),
        Change::PutConnector { spec, replace } => connectors::put(state, now_ms, spec, *replace),
        Change::RemoveConnector { name } => connectors::remove(state, name),
        Change::Deploy { id, spec, replace, facts } => groups::deploy(state, now_ms, *id, spec, *replace, facts),
        Change::Retire { pipelines } => groups::retire(state, now_ms, pipelines),
        Change::Delete { group } => groups::delete(state, now_ms, *group),
        Change::Place { moves } => placements::place(state, now_ms, moves),
        Change::Release { pipeline, seen, to, migration, reason } => {
            placements::release(state, now_ms, (pipeline, *seen), to, (*migration, *reason))
        }
        Change::FailMigration { migration, reason } => placements::fail(state, now_ms, *migration, reason),
        Change::Report { pipeline, epoch, worker, phase } => {
            reports::report(state, now_ms, (pipeline, *epoch), worker, phase)
        }
        Change::Clients { pipeline, epoch, clients } => reports::clients(state, now_ms, (pipeline, *epoch), clients),
        Change::Buried { clients } => Ok(reports::buried(state, clients)),
        Change::ForgetMigrations { before_ms } => Ok(placements::forget(state, *before_ms)),
        Change::Rebalanced => Ok(applied_if(state.rebalance_since_ms.take().is_some())),
    }
}

fn form(state: &mut State, cluster: Uuid) -> Result<Outcome, Refusal> {
    match state.cluster {
        Some(known) if known != cluster => Err(Refusal::Formed(known)),
        known => {
            state.cluster = Some(cluster);
            Ok(applied_if(known.is_none()))
        }
    }
}

fn coordinator(state: &mut State, node: NodeId, address: Option<&str>) -> Outcome {
    if state.coordinators.get(&node).map(String::as_str) == address {
        return Outcome::Unchanged;
    }
    match address {
        Some(address) => state.coordinators.insert(node, address.into()),
        None => state.coordinators.remove(&node),
    };
    Outcome::Applied
}

fn applied_if(changed: bool) -> Outcome {
    if changed { Outcome::Applied } else { Outcome::Unchanged }
}
