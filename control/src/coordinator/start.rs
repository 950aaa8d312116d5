//! Puts a coordinator together, and takes it apart.
//!
//! Invariant: its address is listened on before it takes part in consensus, because the others answer there.

use super::auth::{Keys, Role};
use super::compile::Compiler;
use super::detector::FailureDetector;
use super::digest::Digests;
use super::driver::Driver;
use super::http::{Counters, Rest, router};
use super::hub::{Hub, HubConfig, HubParts};
use super::limits::{RateLimit, SHUTDOWN_GRACE};
use super::liveness::Deadlines;
use super::server;
use crate::http_client::HttpClient;
use crate::model::ids::NodeId;
use crate::raft::{self, Consensus, Flush, RaftConfig, Timings};
use crate::seams::Seams;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a coordinator is to be.
#[derive(Clone, Debug)]
pub struct CoordinatorConfig {
    /// Where it listens, `host:port`.
    pub listen: String,
    /// Its number.
    pub node: NodeId,
    /// By number, where all coordinators are (`http://host:port`), this one included; none: a cluster of one.
    pub peers: BTreeMap<NodeId, String>,
    /// Who may do what.
    pub keys: Keys,
    /// Changes per second from one address; 0: no limit.
    pub rate_limit: u32,
    /// Whose pages may call: origins, or `*`.
    pub cors_origins: Vec<String>,
    /// Between pings to workers.
    pub ping_interval: Duration,
    /// Silence after which a worker that answers pings is gone.
    pub ping_deadline: Duration,
    /// Between heartbeats of workers that send some.
    pub heartbeat_interval: Duration,
    /// Silence after which such a worker is gone.
    pub heartbeat_timeout: Duration,
    /// When consensus acts.
    pub timings: Timings,
    /// How it writes to its disk.
    pub flush: Flush,
}

impl CoordinatorConfig {
    /// A cluster of one with the usual times, open to everybody.
    pub fn alone(listen: &str) -> CoordinatorConfig {
        CoordinatorConfig {
            listen: listen.into(),
            node: 1,
            peers: BTreeMap::new(),
            keys: Keys::none(),
            rate_limit: 0,
            cors_origins: Vec::new(),
            ping_interval: Duration::from_millis(250),
            ping_deadline: Duration::from_secs(1),
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(15),
            timings: Timings::default(),
            flush: Flush::Thread,
        }
    }
}

/// Why a coordinator cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// There are keys and none of them has the role admin.
    #[error("no key has the role admin, which coordinators show each other: add one")]
    NoAdminKey,
    /// A time is zero, or a silence shorter than what it is to be broken by.
    #[error("{deadline} is to be longer than {interval}")]
    Times {
        /// The silence.
        deadline: &'static str,
        /// What breaks it.
        interval: &'static str,
    },
    /// Consensus cannot start.
    #[error(transparent)]
    Consensus(#[from] raft::StartError),
}

/// A running coordinator.
pub struct Coordinator {
    consensus: Consensus,
    hub: Arc<Hub>,
    address: String,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// Loops that end with it.
    loops: Vec<JoinHandle<()>>,
}

impl Coordinator {
    /// Starts one with what is on its disk. It serves when this returns; whether it is ready says `/ready`.
    pub async fn start(config: CoordinatorConfig, seams: Seams) -> Result<Coordinator, StartError> {
        check(&config)?;
        let failed = |source| StartError::Listen { address: config.listen.clone(), source };
        let listener = seams.net.listen(&config.listen).await.map_err(failed)?;
        let address = listener.address().map_err(failed)?;
        let consensus = Consensus::start(raft_config(&config, &address), seams.clone()).await?;
        let coordinator_key = config.keys.admin().cloned();
        let deadlines = Deadlines { ping: config.ping_deadline, heartbeat: config.heartbeat_timeout };
        let (compiler, http) = (Arc::new(Compiler::new()), HttpClient::new(seams.net.clone()));
        let hub = hub(&config, &seams, &consensus, compiler.clone(), deadlines);
        let detector = Arc::new(FailureDetector::new(config.node, deadlines, Instant::now()));
        let peer_keys = config.keys.clone();
        let digests = Digests {
            node: config.node,
            hub: hub.clone(),
            detector: detector.clone(),
            agreement: Arc::new(consensus.clone()),
            http: http.clone(),
            key: coordinator_key,
            is_peer: Arc::new(move |given| peer_keys.role_of(given) == Some(Role::Admin)),
        };
        let driver = Driver {
            agreement: Arc::new(consensus.clone()),
            detector,
            clock: seams.clock.clone(),
            entropy: seams.entropy.clone(),
        };
        let (counters, is_open) = (Arc::new(Counters::default()), config.keys.is_open());
        let others = consensus.routes().merge(hub.router()).merge(digests.router());
        let rest = Arc::new(Rest {
            ledger: Arc::new(consensus.clone()),
            observer: hub.clone(),
            compiler,
            keys: config.keys,
            rate: RateLimit::new(config.rate_limit),
            cors_origins: config.cors_origins,
            heartbeat_interval_s: config.heartbeat_interval.as_secs().max(1),
            http,
            clock: seams.clock,
            entropy: seams.entropy,
            counters: counters.clone(),
            last_read: Mutex::new(Instant::now()),
            turn: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(server::serve(listener, router(rest, others), stopped, SHUTDOWN_GRACE));
        let mut states = consensus.watch();
        let loops = vec![
            tokio::spawn(async move { digests.post_all().await }),
            tokio::spawn(async move { driver.run().await }),
            tokio::spawn(async move {
                while states.changed().await.is_ok() {
                    let state = states.borrow_and_update().clone();
                    counters.observe(&state);
                }
            }),
        ];
        if is_open {
            tracing::warn!("no key is configured: whoever reaches {address} may register workers and deploy");
        }
        tracing::info!(node = config.node, address, "coordinator listens on {address}");
        Ok(Coordinator { consensus, hub, address, stop, serving, loops })
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its part in what all agree on.
    pub fn consensus(&self) -> &Consensus {
        &self.consensus
    }

    /// Sends its workers elsewhere, hands the lead over, answers what was asked already, and ends.
    pub async fn shutdown(self) {
        self.hub.close();
        // The others answer over its own address while the lead goes to one of them.
        self.consensus.shutdown().await;
        self.stop.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::warn!(%error, "the server did not end in order");
        }
        for task in self.loops {
            task.abort();
            // Its part of the disk is given back before this returns.
            _ = task.await;
        }
    }
}

fn check(config: &CoordinatorConfig) -> Result<(), StartError> {
    if !config.keys.is_open() && config.keys.admin().is_none() {
        return Err(StartError::NoAdminKey);
    }
    if config.ping_interval.is_zero() || config.ping_deadline <= config.ping_interval {
        return Err(StartError::Times { deadline: "--ping-deadline", interval: "--ping-interval" });
    }
    if config.heartbeat_interval.is_zero() || config.heartbeat_timeout <= config.heartbeat_interval {
        return Err(StartError::Times { deadline: "--heartbeat-timeout", interval: "--heartbeat-interval" });
    }
    Ok(())
}

fn raft_config(config: &CoordinatorConfig, address: &str) -> RaftConfig {
    let mut peers = config.peers.clone();
    let is_reachable = !["0.0.0.0:", "[::]:"].iter().any(|any| address.starts_with(any));
    if peers.is_empty() && is_reachable {
        peers.insert(config.node, format!("http://{address}"));
    }
    let key = config.keys.admin().cloned();
    RaftConfig { node: config.node, peers, key, timings: config.timings, flush: config.flush }
}

fn hub(
    config: &CoordinatorConfig,
    seams: &Seams,
    consensus: &Consensus,
    compiler: Arc<Compiler>,
    deadlines: Deadlines,
) -> Arc<Hub> {
    let keys = config.keys.clone();
    let hub_config = HubConfig {
        node: config.node,
        ping_interval: config.ping_interval,
        heartbeat_interval: config.heartbeat_interval,
        deadlines,
        may_register: Arc::new(move |given| keys.role_of(given) >= Some(Role::Operator)),
    };
    let parts = HubParts {
        agreement: Arc::new(consensus.clone()),
        compiler,
        clock: seams.clock.clone(),
        entropy: seams.entropy.clone(),
    };
    Hub::new(hub_config, parts)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
