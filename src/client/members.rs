//! Coordinators and workers of a cluster, and what is done when too many of them are lost.

use super::Client;
use super::list::{json, text};
use super::table::table;
use crate::args::{Format, MembersAction, MembersArgs, WorkersAction, WorkersArgs};
use crate::run::Failure;
use crate::{cluster, stdout};
use axum::http::Method;

/// Lists coordinators, or recovers the cluster.
pub fn members(args: &MembersArgs) -> Result<(), Failure> {
    if let Some(MembersAction::Recover { force, cluster }) = &args.action {
        if !force {
            return Err(Failure::usage(
                "this makes one coordinator the whole cluster, with what it knows; what only the lost ones knew is gone: \
                 say so with --force, and name the coordinator with --coordinator",
            ));
        }
        let [server] = cluster.coordinator.as_slice() else {
            return Err(Failure::usage("name the one coordinator that the cluster goes on from with --coordinator"));
        };
        Client::of(cluster)?.call(Method::POST, "/raft/recover", Some(&serde_json::json!({"force": true})))?;
        stdout::print(&format!("{server} is a cluster of one now; start the others with empty data folders\n"));
        return Ok(());
    }
    let raft = Client::of(&args.reading.cluster)?.get("/api/v1/cluster/raft")?;
    if args.reading.format == Format::Json {
        return json(&raft);
    }
    let nodes = raft["nodes"].as_array().cloned().unwrap_or_default();
    let row = |node: &serde_json::Value| [text(node, "id"), text(node, "address"), text(node, "role")];
    stdout::print(&table(["NODE", "ADDRESS", "ROLE"], &nodes.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

/// Lists workers, or frees a stopped one from the cluster that it was of.
pub fn workers(args: &WorkersArgs) -> Result<(), Failure> {
    match &args.action {
        Some(WorkersAction::Adopt { state_dir }) => return cluster::state::adopt(state_dir),
        Some(WorkersAction::Reset { state_dir }) => return cluster::state::reset(state_dir),
        None => {}
    }
    let list = Client::of(&args.reading.cluster)?.get("/api/v1/cluster/workers?limit=1000")?;
    if args.reading.format == Format::Json {
        return json(&list);
    }
    let workers = list["workers"].as_array().cloned().unwrap_or_default();
    let row = |worker: &serde_json::Value| {
        let names = ["id", "status", "address", "pipelines_running", "events_processed"];
        names.map(|name| text(worker, name))
    };
    let rows = workers.iter().map(row).collect::<Vec<_>>();
    stdout::print(&table(["WORKER", "STATUS", "ADDRESS", "PIPELINES", "EVENTS"], &rows));
    Ok(())
}
