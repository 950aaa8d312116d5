//! Who belongs to the cluster, and changes of that.
//!
//! Invariant: a node that comes without a log under a number that has a vote loses the vote before it gets anything, and gets it
//! back when it knows what the others know.

use super::consensus::{Consensus, Inner};
use super::message::{Lineage, MemberAnswer, MemberChange};
use super::types::{Raft, StoredMembership};
use crate::model::ids::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{BasicNode, ChangeMembers};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Time that a change of the members may take, ms.
pub(super) const CHANGE_MS: u64 = 10_000;

/// Time between two looks at whether a new node has caught up, ms.
const LOOK_MS: u64 = 50;

/// A coordinator of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Where it is.
    pub url: String,
    /// Does it vote? One that does not is catching up, or is on its way in or out.
    pub votes: bool,
}

/// Why the members were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// Nobody leads.
    #[error(
        "there is no leader, so no majority of the coordinators can be reached: try again, or see `members recover`"
    )]
    NoLeader,
    /// It cannot be.
    #[error("{0}")]
    Refused(String),
}

/// All members, by number.
pub(super) fn list(inner: &Inner, membership: &StoredMembership) -> Vec<Member> {
    // While the voters change, the old and the new ones have to agree.
    let configs = membership.get_joint_config();
    let member = |(node, known): (&NodeId, &BasicNode)| Member {
        node: *node,
        url: inner.caller.url(*node, Some(known)).unwrap_or_default(),
        votes: configs.iter().all(|voters| voters.contains(node)),
    };
    membership.nodes().map(member).collect()
}

impl Consensus {
    /// All members, as this node knows.
    pub fn members(&self) -> Vec<Member> {
        self.inner.metrics().membership
    }

    /// Adds a coordinator, which catches up before it votes. It has to be started with this number.
    pub async fn add_member(&self, node: NodeId, url: &str) -> Result<(), MemberError> {
        change(&self.inner, MemberChange::Add { node, url: url.into() }).await
    }

    /// Removes a coordinator.
    pub async fn remove_member(&self, node: NodeId) -> Result<(), MemberError> {
        change(&self.inner, MemberChange::Remove { node }).await
    }
}

/// Has the leader change the members, wherever it is.
pub(super) async fn change(inner: &Inner, change: MemberChange) -> Result<(), MemberError> {
    let deadline = Instant::now() + Duration::from_millis(super::DEFAULT_PATIENCE_MS);
    loop {
        let leadership = inner.leadership.borrow().clone();
        let answer = match (leadership.leader, leadership.url) {
            (Some(leader), _) if leader == inner.config.node => Some(carry_out(inner, change.clone()).await),
            (Some(leader), Some(url)) => {
                let wait = Duration::from_millis(CHANGE_MS + CHANGE_MS);
                let call = inner.caller.call(leader, &url, "/raft/members", change.clone(), wait).await;
                if let Err(error) = &call
                    && error.may_have_been_taken()
                {
                    return Err(MemberError::Refused(format!("what became of it is unknown: {error}")));
                }
                call.ok()
            }
            _ => None,
        };
        match answer {
            Some(MemberAnswer::Done(_)) => return Ok(()),
            Some(MemberAnswer::Refused(reason)) => return Err(MemberError::Refused(reason)),
            Some(MemberAnswer::NotLeader) | None if Instant::now() < deadline => {
                sleep(Duration::from_millis(LOOK_MS)).await;
            }
            Some(MemberAnswer::NotLeader) | None => return Err(MemberError::NoLeader),
        }
    }
}

/// Changes the members, if this node leads.
pub(super) async fn carry_out(inner: &Inner, change: MemberChange) -> MemberAnswer {
    let (Some(raft), Some(lineage)) = (inner.raft(), inner.membership.lineage()) else {
        return MemberAnswer::NotLeader;
    };
    let carrying = timeout(Duration::from_millis(CHANGE_MS), steps(inner, &raft, lineage, change));
    carrying.await.unwrap_or_else(|_| MemberAnswer::Refused("it takes too long: is a majority reachable?".into()))
}

async fn steps(inner: &Inner, raft: &Raft, lineage: Lineage, change: MemberChange) -> MemberAnswer {
    if !raft.metrics().borrow_watched().state.is_leader() {
        return MemberAnswer::NotLeader;
    }
    let result = match change {
        MemberChange::Join { node, url } => join(inner, raft, node, url).await,
        MemberChange::Add { node, url } => add(raft, node, url).await,
        MemberChange::AddLearner { node, url } => add_learner(raft, node, url).await,
        MemberChange::Remove { node } => remove(raft, node).await,
        MemberChange::Voters { nodes } => {
            let voters: BTreeSet<NodeId> = nodes.into_iter().collect();
            changed(raft.change_membership(voters, false).await)
        }
    };
    match result {
        Ok(()) => MemberAnswer::Done(lineage),
        Err(answer) => answer,
    }
}

/// Takes in a node that has no log.
async fn join(inner: &Inner, raft: &Raft, node: NodeId, url: String) -> Result<(), MemberAnswer> {
    let is_known = raft.metrics().borrow_watched().membership_config.get_node(&node).is_some();
    if !is_known && !inner.config.peers.contains_key(&node) {
        let reason = format!("coordinator {node} is no member of cluster {}: add it first", lineage_text(inner));
        return Err(MemberAnswer::Refused(reason));
    }
    if is_known {
        tracing::warn!(
            node = inner.config.node,
            joins = node,
            "a member has come back without its log: it starts anew"
        );
        remove(raft, node).await?;
    }
    add_learner(raft, node, url).await
}

async fn add(raft: &Raft, node: NodeId, url: String) -> Result<(), MemberAnswer> {
    let metrics = raft.metrics();
    let votes = || metrics.borrow_watched().membership_config.voter_ids().any(|voter| voter == node);
    if votes() {
        return Ok(());
    }
    // It may have been added by whoever leads with this node among its peers.
    if metrics.borrow_watched().membership_config.get_node(&node).is_none() {
        add_learner(raft, node, url).await?;
    }
    loop {
        let (matched, last) = {
            let metrics = metrics.borrow_watched();
            let matched = metrics.replication.as_ref().and_then(|all| all.get(&node).copied().flatten());
            (matched.map(|matched| matched.index), metrics.last_log_index)
        };
        if matched.is_some() && matched >= last {
            break;
        }
        sleep(Duration::from_millis(LOOK_MS)).await;
    }
    if votes() {
        return Ok(());
    }
    changed(raft.change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([node])), false).await)
}

async fn add_learner(raft: &Raft, node: NodeId, url: String) -> Result<(), MemberAnswer> {
    changed(raft.add_learner(node, BasicNode { addr: url }, false).await)
}

async fn remove(raft: &Raft, node: NodeId) -> Result<(), MemberAnswer> {
    let (votes, is_known, voters) = {
        let receiver = raft.metrics();
        let metrics = receiver.borrow_watched();
        let voters: BTreeSet<NodeId> = metrics.membership_config.voter_ids().collect();
        (voters.contains(&node), metrics.membership_config.get_node(&node).is_some(), voters)
    };
    let nodes = BTreeSet::from([node]);
    if votes && voters.len() == 1 {
        return Err(MemberAnswer::Refused(format!("coordinator {node} is the only one that votes")));
    }
    if votes {
        changed(raft.change_membership(ChangeMembers::RemoveVoters(nodes), false).await)
    } else if is_known {
        changed(raft.change_membership(ChangeMembers::RemoveNodes(nodes), false).await)
    } else {
        Ok(())
    }
}

fn lineage_text(inner: &Inner) -> String {
    inner.membership.lineage().map_or_else(String::new, |lineage| lineage.cluster.to_string())
}

fn changed<T>(
    result: Result<T, RaftError<super::types::TypeConfig, ClientWriteError<super::types::TypeConfig>>>,
) -> Result<(), MemberAnswer> {
    match result {
        Ok(_) => Ok(()),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Err(MemberAnswer::NotLeader),
        Err(error) => Err(MemberAnswer::Refused(error.to_string())),
    }
}
