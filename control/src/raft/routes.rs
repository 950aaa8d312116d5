//! What other coordinators call, and what people ask of Raft.
//!
//! Invariant: a call between members is acted on only if it has the cluster's key, is meant for this node and its cluster,
//! and the node may take part in what it asks for.

use super::consensus::{Consensus, Inner};
use super::message::{
    self, Append, Envelope, Found, Inquiry, Install, MESSAGE_LIMIT_BYTES, MemberAnswer, MemberChange, Reply, Standing,
    StandingKind, Submit,
};
use super::net::KEY_HEADER;
use super::snapshot::SNAPSHOT_LIMIT_BYTES;
use super::standing::Call;
use super::types::{Raft, Snapshot, TypeConfig};
use crate::model::ids::NodeId;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use openraft::raft::{TransferLeaderRequest, VoteRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Bytes of a snapshot's message beside the state.
const SNAPSHOT_MARGIN_BYTES: usize = 1 << 20;

/// Bytes of what people send.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// Time that a command from another node may take, ms.
const SUBMIT_LIMIT_MS: u64 = 10_000;

type Node = State<Arc<Inner>>;

impl Consensus {
    /// What is to be served at this node's address.
    pub fn routes(&self) -> Router {
        let internal = Router::new()
            .route("/raft/append", post(append))
            .route("/raft/vote", post(vote))
            .route("/raft/pre-vote", post(pre_vote))
            .route("/raft/transfer", post(transfer))
            .route("/raft/submit", post(submit))
            .route("/raft/read-index", post(read_index))
            .route("/raft/members", post(members))
            .route("/raft/status", post(status))
            .route("/raft/found", post(found))
            .layer(DefaultBodyLimit::max(MESSAGE_LIMIT_BYTES));
        let snapshot = Router::new()
            .route("/raft/snapshot", post(snapshot))
            .layer(DefaultBodyLimit::max(SNAPSHOT_LIMIT_BYTES + SNAPSHOT_MARGIN_BYTES));
        let people = Router::new()
            .route("/raft/init", post(init))
            .route("/raft/add-learner", post(add_learner))
            .route("/raft/change-membership", post(change_membership))
            .route("/raft/recover", post(recover))
            .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES));
        let keyed = internal.merge(snapshot).merge(people);
        let keyed = keyed.layer(from_fn_with_state(self.inner.clone(), check_key));
        keyed.route("/raft/metrics", get(metrics)).with_state(self.inner.clone())
    }
}

async fn check_key(State(inner): Node, headers: HeaderMap, request: Request, next: Next) -> Response {
    if let Some(key) = &inner.config.key {
        let given = headers.get(KEY_HEADER).map_or(&b""[..], |given| given.as_bytes());
        if !bool::from(given.ct_eq(key.expose().as_bytes())) {
            let text = format!("the calls between coordinators need the cluster's key in {KEY_HEADER}");
            let body = Json(json!({ "error": text, "code": "401" }));
            return (StatusCode::UNAUTHORIZED, body).into_response();
        }
    }
    next.run(request).await
}

/// Answers a message that needs no cluster.
async fn answer<T, R, F>(body: Bytes, act: impl FnOnce(T) -> F) -> Response
where
    T: DeserializeOwned,
    R: Serialize,
    F: Future<Output = R>,
{
    match message::decode(&body) {
        Ok(message) => message::encode(&act(message).await).into_response(),
        Err(reason) => (StatusCode::BAD_REQUEST, Json(json!({ "error": reason, "code": "400" }))).into_response(),
    }
}

/// Answers a call of a member.
async fn member_call<T, R, F>(inner: &Inner, body: Bytes, call: Call, act: impl FnOnce(Raft, T) -> F) -> Response
where
    T: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Reply<R>>,
{
    answer(body, async |envelope: Envelope<T>| {
        let Some(raft) = inner.raft() else { return Reply::NotReady };
        if let Some(refused) = inner.membership.check(&envelope, call) {
            return refused;
        }
        act(raft, envelope.message).await
    })
    .await
}

/// The answer of openraft, if it still runs.
fn reply<T, E: std::fmt::Display>(result: Result<T, E>) -> Reply<T> {
    match result {
        Ok(answer) => Reply::Done(answer),
        Err(error) => {
            tracing::debug!(%error, "raft does not answer");
            Reply::NotReady
        }
    }
}

async fn append(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Lead, async |raft, append: Append| {
        let answer = raft.append_entries(append.rpc).await;
        if matches!(&answer, Ok(answer) if !matches!(answer, openraft::raft::AppendEntriesResponse::HigherVote(_))) {
            inner.heard_leader(Duration::from_millis(append.quorum_age_ms));
        }
        reply(answer)
    })
    .await
}

async fn vote(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Vote, async |raft, rpc: VoteRequest<TypeConfig>| reply(raft.vote(rpc).await)).await
}

async fn pre_vote(State(inner): Node, body: Bytes) -> Response {
    let act = async |raft: Raft, rpc: VoteRequest<TypeConfig>| reply(raft.pre_vote(rpc).await);
    member_call(&inner, body, Call::PreVote, act).await
}

async fn snapshot(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Lead, async |raft, install: Install| {
        let snapshot = Snapshot { meta: install.meta, snapshot: install.state };
        reply(raft.install_full_snapshot(install.vote, snapshot).await)
    })
    .await
}

async fn transfer(State(inner): Node, body: Bytes) -> Response {
    let act = async |raft: Raft, rpc: TransferLeaderRequest<TypeConfig>| reply(raft.handle_transfer_leader(rpc).await);
    member_call(&inner, body, Call::Other, act).await
}

async fn submit(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Other, async |_, submit: Submit| {
        let wait = Duration::from_millis(submit.wait_ms.min(SUBMIT_LIMIT_MS));
        Reply::Done(inner.decide(submit.command, wait).await)
    })
    .await
}

async fn read_index(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Other, async |_, (): ()| Reply::Done(inner.confirm_lead().await)).await
}

async fn members(State(inner): Node, body: Bytes) -> Response {
    member_call(&inner, body, Call::Other, async |_, change: MemberChange| {
        let answer: MemberAnswer = super::members::carry_out(&inner, change).await;
        Reply::Done(answer)
    })
    .await
}

async fn status(State(inner): Node, body: Bytes) -> Response {
    answer(body, async |_: Inquiry| {
        let kind = match inner.membership.lineage() {
            Some(lineage) if inner.membership.is_member() => {
                let is_formed = inner.published.state.borrow().cluster.is_some();
                StandingKind::Member { lineage, is_formed }
            }
            _ => StandingKind::Empty,
        };
        let peers = inner.config.peers.keys().copied().collect();
        Standing { node: inner.config.node, boot: inner.boot, peers, kind }
    })
    .await
}

async fn found(State(inner): Node, body: Bytes) -> Response {
    answer(body, async |found: Found| {
        if found.boot != inner.boot {
            return false;
        }
        inner.membership.bind(&found).unwrap_or_else(|error| {
            tracing::error!(node = inner.config.node, %error, "the disk fails, so this node cannot found a cluster");
            false
        })
    })
    .await
}

async fn metrics(State(inner): Node) -> Response {
    Json(inner.metrics()).into_response()
}

/// `POST /raft/init`.
#[derive(Deserialize)]
struct Init {
    members: BTreeMap<NodeId, String>,
}

async fn init(State(inner): Node, Json(init): Json<Init>) -> Json<Value> {
    let known: Vec<NodeId> = inner.metrics().membership.iter().map(|member| member.node).collect();
    if known.iter().eq(init.members.keys()) {
        return Json(json!({ "status": "ok" }));
    }
    let text =
        "a cluster forms by itself as soon as its coordinators see each other; to change one, add or remove members";
    Json(json!({ "status": "error", "error": text, "members": known }))
}

/// `POST /raft/add-learner`.
#[derive(Deserialize)]
struct AddLearner {
    node_id: NodeId,
    addr: String,
}

async fn add_learner(State(inner): Node, Json(learner): Json<AddLearner>) -> Json<Value> {
    changed(&inner, MemberChange::AddLearner { node: learner.node_id, url: learner.addr }).await
}

/// `POST /raft/change-membership`.
#[derive(Deserialize)]
struct ChangeMembership {
    members: Vec<NodeId>,
}

async fn change_membership(State(inner): Node, Json(change): Json<ChangeMembership>) -> Json<Value> {
    changed(&inner, MemberChange::Voters { nodes: change.members }).await
}

#[derive(Deserialize)]
struct Recover {
    #[serde(default)]
    force: bool,
}

/// Makes this node a cluster of one: see [`Consensus::recover_force`].
async fn recover(State(inner): Node, Json(asked): Json<Recover>) -> Response {
    if !asked.force {
        let text = "this makes one coordinator the whole cluster, with what it knows: say so with {\"force\": true}";
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": text, "code": "invalid_operation" }))).into_response();
    }
    match (Consensus { inner }).recover_force().await {
        Ok(done) => {
            let body = json!({ "cluster": done.cluster, "last_log_index": done.index, "recoveries": done.recoveries });
            Json(body).into_response()
        }
        Err(error) => {
            let body = json!({ "error": error.to_string(), "code": "recovery_failed" });
            (StatusCode::CONFLICT, Json(body)).into_response()
        }
    }
}

async fn changed(inner: &Inner, change: MemberChange) -> Json<Value> {
    Json(match super::members::change(inner, change).await {
        Ok(()) => json!({ "status": "ok" }),
        Err(error) => json!({ "status": "error", "error": error.to_string() }),
    })
}
