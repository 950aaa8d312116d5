//! `rarog coordinator`: one of those who decide.

use super::{logging, signals};
use crate::args::CoordinatorArgs;
use crate::run::Failure;
use rarog_control::coordinator::auth::Keys;
use rarog_control::coordinator::{Coordinator, CoordinatorConfig};
use rarog_control::model::ids::NodeId;
use rarog_control::raft::Timings;
use rarog_control::seams::real;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// How long ending may take.
const GRACE: Duration = Duration::from_secs(8);
/// Threads: what others wait for must not wait for a compilation.
const THREADS: usize = 4;

/// Runs a coordinator until it is stopped.
pub fn run(args: &CoordinatorArgs) -> Result<(), Failure> {
    if let Some(option) = args.unsupported.given() {
        return Err(Failure::usage(format!("{option} is not supported by this build; leave it out")));
    }
    logging::start(args.log_format).map_err(Failure::usage)?;
    let config = config(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(until_stopped(args, config));
    runtime.shutdown_background();
    result
}

async fn until_stopped(args: &CoordinatorArgs, config: CoordinatorConfig) -> Result<(), Failure> {
    let stop = signals::first().map_err(Failure::failed)?;
    let default = || PathBuf::from(format!("rarog-data/coordinator-{}", config.node));
    let folder = args.raft_data_dir.clone().unwrap_or_else(default);
    let seams = real::seams(&folder).map_err(|error| Failure::usage(error.to_string()))?;
    if config.keys.is_open() {
        tracing::warn!(
            "no key is configured: everybody who reaches this coordinator may change everything; see --api-key"
        );
    }
    let coordinator = Coordinator::start(config, seams).await.map_err(|error| Failure::usage(error.to_string()))?;
    stop.notified().await;
    if timeout(GRACE, coordinator.shutdown()).await.is_err() {
        tracing::warn!("not everything ended in time");
    }
    Ok(())
}

fn config(args: &CoordinatorArgs) -> Result<CoordinatorConfig, Failure> {
    let shortest = args.election_timeout.as_millis() as u64;
    Ok(CoordinatorConfig {
        node: if args.raft { args.raft_node_id } else { 1 },
        peers: peers(args)?,
        keys: keys(args)?,
        rate_limit: args.rate_limit,
        cors_origins: args.cors_origins.clone(),
        ping_interval: args.ping_interval,
        ping_deadline: args.ping_deadline,
        heartbeat_interval: Duration::from_secs(args.heartbeat_interval),
        heartbeat_timeout: Duration::from_secs(args.heartbeat_timeout),
        timings: Timings {
            heartbeat_ms: (shortest / 3).max(1),
            election_min_ms: shortest,
            election_max_ms: shortest * 2,
            ..Timings::default()
        },
        ..CoordinatorConfig::alone(&format!("{}:{}", args.bind, args.port))
    })
}

/// By node id, the coordinators of `--raft-peers`: their place in the list, unless each says `ID=URL`.
fn peers(args: &CoordinatorArgs) -> Result<BTreeMap<NodeId, String>, Failure> {
    if !args.raft {
        if !args.raft_peers.is_empty() {
            return Err(Failure::usage("--raft-peers needs --raft; without it this coordinator is a cluster of one"));
        }
        return Ok(BTreeMap::new());
    }
    let mut peers = BTreeMap::new();
    for (place, text) in (1..).zip(&args.raft_peers) {
        let (node, url) = match text.split_once('=') {
            Some((node, url)) => match node.parse() {
                Ok(node) => (node, url),
                Err(_) => return Err(Failure::usage(format!("--raft-peers {text}: {node} is no node id"))),
            },
            None => (place, text.as_str()),
        };
        let url = url.trim().trim_end_matches('/');
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        peers.insert(node, url);
    }
    if !peers.is_empty() && !peers.contains_key(&args.raft_node_id) {
        let count = peers.len();
        let node = args.raft_node_id;
        return Err(Failure::usage(format!(
            "--raft-node-id {node}: --raft-peers names {count} coordinators, not this one"
        )));
    }
    Ok(peers)
}

fn keys(args: &CoordinatorArgs) -> Result<Keys, Failure> {
    let mut keys = Keys::none();
    if let Some(key) = &args.api_key {
        keys = keys.with_admin(key);
    }
    if let Some(path) = &args.api_keys {
        keys = keys.with_json(&read(path)?).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    }
    Ok(if args.allow_anonymous { keys.with_anonymous_viewers() } else { keys })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::usage(crate::files::cannot_read(path, &error)))
}
