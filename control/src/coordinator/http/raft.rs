//! Who decides, for people.

use super::{Context, Rest};
use crate::raft::Member;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/raft", get(view))
}

async fn view(State(rest): Context) -> Json<Value> {
    let raft = rest.ledger.raft_metrics();
    let role = |member: &Member| match raft.current_leader {
        Some(leader) if leader == member.node => "leader",
        Some(_) => "follower",
        None => "unknown",
    };
    let node = |member: &Member| {
        let is_current = member.node == raft.id;
        let lag = raft.peers.get(&member.node).map(|peer| peer.lag);
        json!({
            "id": member.node, "address": member.url, "role": role(member), "is_current": is_current, "votes": member.votes,
            "lag": lag,
        })
    };
    Json(json!({
        "enabled": true,
        "this_node_id": raft.id,
        "leader_id": raft.current_leader,
        "term": raft.current_term,
        "commit_index": raft.committed,
        "nodes": raft.membership.iter().map(node).collect::<Vec<_>>(),
        "problem": raft.problem,
    }))
}
