//! Calls to other members, for openraft and for ourselves.
//!
//! Invariant: every call goes out with this node's cluster on it; an answer of a node of another cluster is an error that
//! names both, once.

use super::message::{self, Append, Envelope, Install, Lineage, Reply};
use super::standing::Membership;
use super::types::{Snapshot, TypeConfig, Vote};
use crate::http_client::{HttpClient, HttpError};
use crate::model::ids::NodeId;
use crate::model::secret::Secret;
use crate::seams::BoxStream;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode, OptionalSend};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The header with the key of the cluster.
pub(super) const KEY_HEADER: &str = "x-api-key";

/// Time that entries may take to be stored by another node, ms.
const APPEND_MS: u64 = 2_000;

/// Time that a snapshot may take to be stored by another node, ms.
const SNAPSHOT_MS: u64 = 60_000;

/// Time after which a node that was not reached is tried again, ms.
const BACKOFF_MS: u64 = 100;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// No answer that helps.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The node has seen the call and did not act on it.
    #[error("{0}")]
    Refused(String),
    /// The node may have acted on it; its answer says nothing.
    #[error("{0}")]
    Garbled(String),
}

impl CallError {
    /// Can the other node have acted on it?
    pub(super) fn may_have_been_taken(&self) -> bool {
        match self {
            CallError::Http(error) => error.may_have_been_sent(),
            CallError::Refused(_) => false,
            CallError::Garbled(_) => true,
        }
    }
}

/// Calls other members. Clones are the same.
#[derive(Clone)]
pub(super) struct Caller {
    shared: Arc<Shared>,
}

struct Shared {
    node: NodeId,
    client: HttpClient,
    key: Option<Secret>,
    /// Where the peers are that this node was given.
    peers: BTreeMap<NodeId, String>,
    membership: Arc<Membership>,
    /// When this node, as leader, last heard from a majority.
    quorum_heard: Mutex<Option<Instant>>,
    /// What stands in the way of taking part, for people, by the node with which it is so.
    problems: Mutex<BTreeMap<NodeId, String>>,
}

impl Caller {
    pub(super) fn new(
        node: NodeId,
        client: HttpClient,
        key: Option<Secret>,
        peers: BTreeMap<NodeId, String>,
        membership: Arc<Membership>,
    ) -> Caller {
        let (quorum_heard, problems) = (Mutex::default(), Mutex::default());
        Caller { shared: Arc::new(Shared { node, client, key, peers, membership, quorum_heard, problems }) }
    }

    /// Where a node is: as this node was told, or as the members know.
    pub(super) fn url(&self, node: NodeId, known: Option<&BasicNode>) -> Option<String> {
        self.shared.peers.get(&node).cloned().or_else(|| known.map(|known| known.addr.clone()))
    }

    /// Notes when a majority was heard; `None`: this node does not lead.
    pub(super) fn set_quorum_heard(&self, heard: Option<Instant>) {
        *self.shared.quorum_heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    /// Since this node, as leader, last heard from a majority.
    pub(super) fn quorum_age(&self) -> Option<Duration> {
        let heard = self.shared.quorum_heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|heard| heard.elapsed())
    }

    /// What stands in the way of taking part.
    pub(super) fn problem(&self) -> Option<String> {
        let problems = self.shared.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.values().next().cloned()
    }

    /// Notes what stands in the way of this node itself, and logs it if it is new.
    pub(super) fn set_problem(&self, problem: Option<String>) {
        self.set_problem_with(self.shared.node, problem);
    }

    /// Notes what stands in the way with a node, and logs it if it is new.
    pub(super) fn set_problem_with(&self, with: NodeId, problem: Option<String>) {
        let mut problems = self.shared.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.get(&with) == problem.as_ref() {
            return;
        }
        match problem {
            Some(problem) => {
                tracing::error!(node = self.shared.node, "{problem}");
                problems.insert(with, problem);
            }
            None => {
                problems.remove(&with);
                tracing::info!(node = self.shared.node, with, "nothing stands in the way any more");
            }
        }
    }

    /// A bare connection to a node.
    pub(super) async fn open(&self, url: &str) -> Result<BoxStream, String> {
        self.shared.client.open(url).await
    }

    /// A call without a cluster on it.
    pub(super) async fn post<T: Serialize, R: DeserializeOwned>(
        &self,
        url: &str,
        path: &str,
        message: &T,
        timeout: Duration,
    ) -> Result<R, CallError> {
        self.post_bytes(url, path, message::encode(message), timeout).await
    }

    async fn post_bytes<R: DeserializeOwned>(
        &self,
        url: &str,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let key = self.shared.key.as_ref().map(|key| (KEY_HEADER, key.expose()));
        let headers: Vec<(&str, &str)> = key.into_iter().collect();
        let answer = self.shared.client.request(url, Method::POST, path, &headers, body, timeout).await?;
        if answer.status != StatusCode::OK {
            let text = String::from_utf8_lossy(&answer.body);
            let reason = format!("{url}{path} answered {}: {}", answer.status, text.trim());
            let is_refused = answer.status.is_client_error();
            return Err(if is_refused { CallError::Refused(reason) } else { CallError::Garbled(reason) });
        }
        message::decode(&answer.body).map_err(|reason| CallError::Garbled(format!("{url}{path}: {reason}")))
    }

    /// A call of a member.
    pub(super) async fn call<T: Serialize, R: DeserializeOwned>(
        &self,
        to: NodeId,
        url: &str,
        path: &str,
        message: T,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let Some(lineage) = self.shared.membership.lineage() else {
            return Err(CallError::Refused("this node has no cluster yet".into()));
        };
        self.call_in(lineage, to, url, path, message, timeout).await
    }

    /// A call to a member of a cluster, whether or not this node belongs to it.
    pub(super) async fn call_in<T: Serialize, R: DeserializeOwned>(
        &self,
        lineage: Lineage,
        to: NodeId,
        url: &str,
        path: &str,
        message: T,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let envelope = Envelope { lineage, from: self.shared.node, to, message };
        match self.post(url, path, &envelope, timeout).await? {
            Reply::Done(answer) => {
                self.set_problem_with(to, None);
                Ok(answer)
            }
            Reply::NotReady => Err(CallError::Refused(format!("node {to} at {url} does not take part yet"))),
            Reply::OtherNode(other) => {
                Err(CallError::Refused(format!("{url} is node {other}, and not {to}: the lists of peers differ")))
            }
            Reply::Foreign(theirs) => {
                let problem = if theirs.cluster == lineage.cluster {
                    format!(
                        "node {to} at {url} was left behind when cluster {} was recovered by force: it can come back \
                         without its old folder only",
                        lineage.cluster
                    )
                } else {
                    format!(
                        "node {to} at {url} belongs to cluster {}, and this one to {}: one of them has a wrong list of \
                         peers or a wrong folder",
                        theirs.cluster, lineage.cluster
                    )
                };
                self.set_problem_with(to, Some(problem.clone()));
                Err(CallError::Refused(problem))
            }
        }
    }
}

/// Makes clients for openraft.
#[derive(Clone)]
pub(super) struct Network(pub(super) Caller);

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: NodeId, node: &BasicNode) -> Peer {
        Peer { caller: self.0.clone(), node: target, url: self.0.url(target, Some(node)).unwrap_or_default() }
    }
}

/// Another member.
pub(super) struct Peer {
    caller: Caller,
    node: NodeId,
    url: String,
}

impl Peer {
    async fn call<T: Serialize, R: DeserializeOwned>(
        &self,
        path: &str,
        message: T,
        timeout: Duration,
    ) -> Result<R, RPCError<TypeConfig>> {
        self.caller.call(self.node, &self.url, path, message, timeout).await.map_err(|error| match error {
            CallError::Http(HttpError::Unknown { .. }) => RPCError::Network(NetworkError::new(&AnyError::new(&error))),
            _ => RPCError::Unreachable(Unreachable::new(&AnyError::new(&error))),
        })
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        // openraft's own limit is that of a heartbeat, which it enforces itself; entries may take longer.
        let quorum_age = self.caller.quorum_age().unwrap_or(Duration::ZERO);
        let append = Append { rpc, quorum_age_ms: u64::try_from(quorum_age.as_millis()).unwrap_or(u64::MAX) };
        self.call("/raft/append", append, Duration::from_millis(APPEND_MS)).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call("/raft/vote", rpc, option.hard_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call("/raft/pre-vote", rpc, option.hard_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let install = Install { vote, meta: snapshot.meta, state: snapshot.snapshot };
        let sending = self.call("/raft/snapshot", install, Duration::from_millis(SNAPSHOT_MS));
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            answer = sending => answer.map_err(StreamingError::from),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call("/raft/transfer", request, option.hard_ttl().max(Duration::from_millis(APPEND_MS))).await
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(Duration::from_millis(BACKOFF_MS))))
    }
}
