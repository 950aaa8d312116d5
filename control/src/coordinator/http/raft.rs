//! Who decides, for people and for scripts.

use super::{Context, Rest};
use crate::coordinator::parts::{Member, Quorum, Role};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/raft", get(view))
}

/// Outside of the cluster's base path, and without a key.
pub(super) fn open_routes() -> Router<Arc<Rest>> {
    Router::new().route("/raft/metrics", get(metrics))
}

async fn view(State(rest): Context) -> Json<Value> {
    let quorum = rest.ledger.quorum();
    let role = |member: &Member| match quorum.leader {
        Some(leader) if leader == member.node => "leader",
        Some(_) => "follower",
        None => "unknown",
    };
    let node = |member: &Member| {
        let is_current = member.node == quorum.node;
        json!({
            "id": member.node, "address": member.address, "role": role(member), "is_current": is_current,
            "votes": member.votes, "lag": member.lag,
        })
    };
    Json(json!({
        "enabled": true,
        "this_node_id": quorum.node,
        "leader_id": quorum.leader,
        "term": quorum.term,
        "commit_index": quorum.committed,
        "nodes": quorum.members.iter().map(node).collect::<Vec<_>>(),
    }))
}

async fn metrics(State(rest): Context) -> Json<Value> {
    let quorum = rest.ledger.quorum();
    let Quorum { node, term, leader, last_log_index, committed, applied, .. } = &quorum;
    let votes = quorum.members.iter().filter(|member| member.votes).map(|member| member.node);
    let learners = quorum.members.iter().filter(|member| !member.votes).map(|member| member.node);
    let addresses = quorum.members.iter().map(|member| (member.node.to_string(), json!(member.address)));
    let lag = quorum.members.iter().filter_map(|member| Some((member.node.to_string(), json!(member.lag?))));
    Json(json!({
        "id": node,
        "state": role_name(quorum.role),
        "current_term": term,
        "current_leader": leader,
        "last_log_index": last_log_index,
        "committed": committed,
        "last_applied": applied,
        "membership": {
            "voters": votes.collect::<Vec<_>>(),
            "learners": learners.collect::<Vec<_>>(),
            "nodes": addresses.collect::<serde_json::Map<_, _>>(),
        },
        "lag": lag.collect::<serde_json::Map<_, _>>(),
    }))
}

/// The name that scripts look for.
fn role_name(role: Role) -> &'static str {
    match role {
        Role::Leader => "Leader",
        Role::Follower => "Follower",
        Role::Candidate => "Candidate",
        Role::Learner => "Learner",
    }
}
