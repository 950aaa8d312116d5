//! The handle that the rest of a coordinator has on consensus.
//!
//! Invariant: clones are the same node; after [`Consensus::shutdown`] it takes part in nothing any more.

use super::formation;
use super::journal::{Flush, JournalError};
use super::lifeline;
use super::log::Log;
use super::machine::{Machine, Published};
use super::net::{Caller, Network};
use super::standing::{Membership, MetaError};
use super::steward;
use super::types::{LogId, Raft, Runtime};
use crate::http_client::HttpClient;
use crate::model::ids::{NodeId, Uuid};
use crate::model::secret::Secret;
use crate::model::state::State;
use crate::seams::Seams;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Time that handing the lead over may take at shutdown, ms.
const TRANSFER_MS: u64 = 1_000;

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// Its number.
    pub node: NodeId,
    /// By number, where all coordinators are (`http://host:port`), this one included. Only this one, or none: a cluster of one.
    pub peers: BTreeMap<NodeId, String>,
    /// What other coordinators have to show, and this one shows to them.
    pub key: Option<Secret>,
    /// When it acts.
    pub timings: Timings,
    /// How it writes to its disk.
    pub flush: Flush,
}

/// When a node acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Between signs of life of a leader, ms.
    pub heartbeat_ms: u64,
    /// Silence after which another leader is looked for: at least, ms.
    pub election_min_ms: u64,
    /// The same: less than this, ms.
    pub election_max_ms: u64,
    /// Silence of a peer after which a new cluster forms without it, ms.
    pub absent_ms: u64,
    /// Commands after which the log is replaced by a snapshot.
    pub snapshot_every: u64,
    /// Entries before a snapshot that are kept for nodes that are slightly behind.
    pub keep_entries: u64,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings {
            heartbeat_ms: 50,
            election_min_ms: 150,
            election_max_ms: 300,
            absent_ms: 5_000,
            snapshot_every: 5_000,
            keep_entries: 1_000,
        }
    }
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The peers do not include the node.
    #[error(
        "coordinator {node} is not among its peers {peers:?}: list it, with the address at which the others reach it"
    )]
    NotListed {
        /// The node.
        node: NodeId,
        /// The peers.
        peers: Vec<NodeId>,
    },
    /// The timings make no sense.
    #[error("these timings cannot work: {0}")]
    Timings(String),
    /// The log or the snapshot.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file that says whose folder it is.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// There is nothing that could be recovered.
    #[error("there is no state in {0}: a cluster can be recovered only where its state is")]
    NothingToRecover(String),
    /// Anything else in Raft.
    #[error("raft cannot start: {0}")]
    Raft(String),
}

/// Who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The term.
    pub term: u64,
    /// The leader, if one is known and was heard lately.
    pub leader: Option<NodeId>,
    /// Where it is.
    pub url: Option<String>,
    /// Does this node lead, and has its state everything that earlier leaders have decided?
    pub is_self: bool,
}

/// How Raft is doing, as `GET /raft/metrics` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    /// This node.
    pub id: NodeId,
    /// `Leader`, `Follower`, `Candidate`, `Learner` or `Shutdown`.
    pub state: String,
    /// The term.
    pub current_term: u64,
    /// See [`Leadership::leader`].
    pub current_leader: Option<NodeId>,
    /// Index of the last applied entry.
    pub last_applied: Option<u64>,
    /// Index of the last entry.
    pub last_log_index: Option<u64>,
    /// Index of the last committed entry.
    pub committed: Option<u64>,
    /// Index of the last entry in the snapshot.
    pub snapshot: Option<u64>,
    /// All members, as was decided.
    pub membership: Vec<super::Member>,
    /// At the leader: how far each other member is.
    pub peers: BTreeMap<NodeId, PeerLag>,
    /// The cluster.
    pub cluster: Option<Uuid>,
    /// What stands in the way of taking part, for people.
    pub problem: Option<String>,
}

/// How far a member is, as its leader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PeerLag {
    /// Index of the last entry that it has.
    pub matched: Option<u64>,
    /// Entries that it lacks.
    pub lag: u64,
}

/// See the module's head.
#[derive(Clone)]
pub struct Consensus {
    pub(super) inner: Arc<Inner>,
}

/// What all parts of a node share.
pub(super) struct Inner {
    pub(super) config: RaftConfig,
    pub(super) seams: Seams,
    /// Drawn for this process.
    pub(super) boot: u64,
    pub(super) caller: Caller,
    pub(super) membership: Arc<Membership>,
    pub(super) log: Log,
    pub(super) published: Arc<Published>,
    pub(super) leadership: watch::Sender<Leadership>,
    /// Has the node been told to stop?
    pub(super) closing: watch::Sender<bool>,
    raft: Mutex<Option<Raft>>,
    /// When a leader was last heard, and how long before it had heard from a majority.
    contact: Mutex<Option<(Instant, Duration)>>,
}

impl Consensus {
    /// Starts a node with what is on its disk. Returns before the node is in a cluster, unless it is one by itself. Its
    /// [`Consensus::routes`] have to be served where its peers look for them.
    pub async fn start(config: RaftConfig, seams: Seams) -> Result<Consensus, StartError> {
        if !config.peers.is_empty() && !config.peers.contains_key(&config.node) {
            let peers = config.peers.keys().copied().collect();
            return Err(StartError::NotListed { node: config.node, peers });
        }
        let log = Log::open(seams.disk.clone(), config.flush)?;
        let membership = Arc::new(Membership::open(seams.disk.clone(), log.clone(), config.node)?);
        let client = HttpClient::new(seams.net.clone());
        let caller = Caller::new(config.node, client, config.key.clone(), config.peers.clone(), membership.clone());
        let inner = Arc::new(Inner {
            boot: seams.entropy.next_u64(),
            config,
            seams,
            caller,
            membership,
            log,
            published: Arc::default(),
            leadership: watch::Sender::new(Leadership::default()),
            closing: watch::Sender::new(false),
            raft: Mutex::default(),
            contact: Mutex::default(),
        });
        inner.launch().await?;
        if inner.is_alone() && !inner.membership.is_member() {
            formation::found_alone(&inner).await?;
        }
        tokio::spawn(steward::watch_leadership(inner.clone()));
        tokio::spawn(steward::lead(inner.clone()));
        tokio::spawn(lifeline::watch(inner.clone()));
        tokio::spawn(formation::run(inner.clone()));
        Ok(Consensus { inner })
    }

    /// This node's number.
    pub fn node(&self) -> NodeId {
        self.inner.config.node
    }

    /// The cluster, once this node is in one.
    pub fn cluster(&self) -> Option<Uuid> {
        Some(self.inner.membership.lineage()?.cluster)
    }

    /// The state as this node knows it; it may be behind.
    pub fn state(&self) -> Arc<State> {
        self.inner.published.state.borrow().clone()
    }

    /// Shows every new state.
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.inner.published.state.subscribe()
    }

    /// Who leads, as this node knows.
    pub fn leadership(&self) -> Leadership {
        self.inner.leadership.borrow().clone()
    }

    /// Shows every change of the lead.
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.subscribe()
    }

    /// Has this node been in touch with a majority lately: as leader by itself, else over its leader?
    pub fn has_quorum_within(&self, limit: Duration) -> bool {
        if let Some(age) = self.inner.caller.quorum_age() {
            return age <= limit;
        }
        self.inner.contact().is_some_and(|(heard, before)| heard.elapsed() + before <= limit)
    }

    /// How Raft is doing.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// Hands the lead over if this node has it, and stops taking part.
    pub async fn shutdown(&self) {
        if let Some(raft) = self.inner.raft() {
            self.hand_over(&raft).await;
        }
        self.inner.closing.send_replace(true);
        self.inner.halt().await;
    }

    /// Gives the lead to the voter that is the furthest, and waits until it has it.
    async fn hand_over(&self, raft: &Raft) {
        let metrics = raft.metrics().borrow_watched().clone();
        let voters: Vec<NodeId> = metrics.membership_config.voter_ids().filter(|id| *id != metrics.id).collect();
        let matched = metrics.replication.unwrap_or_default();
        let Some(target) = voters.into_iter().max_by_key(|id| matched.get(id).copied().flatten()) else { return };
        if !metrics.state.is_leader() || raft.trigger().transfer_leader(target).await.is_err() {
            return;
        }
        let mut leadership = self.inner.leadership.subscribe();
        let is_done = leadership.wait_for(|now| now.leader.is_some_and(|leader| leader != metrics.id));
        if tokio::time::timeout(Duration::from_millis(TRANSFER_MS), is_done).await.is_err() {
            tracing::warn!(node = metrics.id, target, "the lead was not taken over in time");
        }
    }
}

impl Inner {
    /// Is this node to be a cluster of one when there is none yet?
    pub(super) fn is_alone(&self) -> bool {
        self.config.peers.len() <= 1
    }

    /// Where this node is reached.
    pub(super) fn own_url(&self) -> String {
        self.config.peers.get(&self.config.node).cloned().unwrap_or_default()
    }

    /// The running node.
    pub(super) fn raft(&self) -> Option<Raft> {
        self.slot().clone()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Raft>> {
        self.raft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts Raft with what is on the disk.
    pub(super) async fn launch(&self) -> Result<(), StartError> {
        let config = self.raft_config().map_err(StartError::Timings)?;
        let machine = Machine::new(self.seams.disk.clone(), self.config.flush, self.published.clone())?;
        let network = Network(self.caller.clone());
        let starting = Raft::new(self.config.node, Arc::new(config), network, self.log.clone(), machine);
        let raft = Runtime::scope(self.seams.entropy.next_u64(), starting).await;
        *self.slot() = Some(raft.map_err(|error| StartError::Raft(error.to_string()))?);
        Ok(())
    }

    /// Stops Raft; the files are as it left them.
    pub(super) async fn halt(&self) {
        let raft = self.slot().take();
        if let Some(raft) = raft
            && let Err(error) = raft.shutdown().await
        {
            tracing::warn!(node = self.config.node, %error, "raft did not stop in order");
        }
    }

    fn raft_config(&self) -> Result<Config, String> {
        let timings = self.config.timings;
        let config = Config {
            cluster_name: "rarog".into(),
            heartbeat_interval: timings.heartbeat_ms,
            election_timeout_min: timings.election_min_ms,
            election_timeout_max: timings.election_max_ms,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(timings.snapshot_every),
            max_in_snapshot_log_to_keep: timings.keep_entries,
            replication_lag_threshold: timings.snapshot_every,
            enable_pre_vote: Some(true),
            // A leader that restarts has to be elected again: its state is built anew from the log.
            enable_leader_restore: Some(false),
            ..Config::default()
        };
        config.validate().map_err(|error| error.to_string())
    }

    /// Notes that a leader was heard.
    pub(super) fn heard_leader(&self, quorum_age: Duration) {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), quorum_age));
    }

    /// When a leader was last heard, and how long before it had heard from a majority.
    pub(super) fn contact(&self) -> Option<(Instant, Duration)> {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics(&self) -> Metrics {
        let leadership = self.leadership.borrow().clone();
        let mut shown = Metrics {
            id: self.config.node,
            state: "Shutdown".into(),
            current_term: leadership.term,
            current_leader: leadership.leader,
            last_applied: None,
            last_log_index: None,
            committed: None,
            snapshot: None,
            membership: Vec::new(),
            peers: BTreeMap::new(),
            cluster: self.membership.lineage().map(|lineage| lineage.cluster),
            problem: self.caller.problem(),
        };
        let Some(raft) = self.raft() else { return shown };
        let receiver = raft.metrics();
        let metrics = receiver.borrow_watched();
        let index = |position: &Option<LogId>| position.as_ref().map(|position| position.index);
        shown.state = format!("{:?}", metrics.state);
        shown.current_term = metrics.current_term;
        shown.last_applied = index(&metrics.last_applied);
        shown.last_log_index = metrics.last_log_index;
        shown.committed = index(&metrics.local_committed);
        shown.snapshot = index(&metrics.snapshot);
        shown.membership = super::members::list(self, &metrics.committed_membership_config);
        let last = metrics.last_log_index.map_or(0, |last| last + 1);
        for (peer, matched) in metrics.replication.iter().flatten().filter(|(peer, _)| **peer != metrics.id) {
            let matched = index(matched);
            let lag = last.saturating_sub(matched.map_or(0, |matched| matched + 1));
            shown.peers.insert(*peer, PeerLag { matched, lag });
        }
        shown
    }
}
