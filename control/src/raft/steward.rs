//! What is done about the cluster itself: watching who leads, and, where this node leads, keeping the members in order.
//!
//! Invariant: every step can be repeated; a leader that is lost in the middle leaves the rest to the next one.

use super::consensus::{Inner, Leadership};
use super::members;
use super::types::{Proposal, Raft, TypeConfig};
use crate::model::command::{Change, Command};
use crate::model::ids::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use openraft::{ChangeMembers, Instant as _, RaftMetrics};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Time after which the leader is looked at again even if nothing has changed, ms.
const LOOK_MS: u64 = 50;

/// Time between two looks of a leader at its members, ms.
const TEND_MS: u64 = 200;

/// Time that one step of a leader may take, ms.
const STEP_MS: u64 = 5_000;

/// Entries that a node may lack when it is given a vote.
const PROMOTE_LAG: u64 = 100;

/// Bytes of entries after which the log is replaced by a snapshot, however few they are.
const LOG_LIMIT_BYTES: usize = 64 << 20;

/// Keeps [`Inner::leadership`] true.
pub(super) async fn watch_leadership(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    let mut applied = inner.published.applied.subscribe();
    loop {
        let Some(raft) = inner.raft() else {
            announce(&inner, Leadership::default());
            inner.caller.set_quorum_heard(None);
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = sleep(Duration::from_millis(LOOK_MS)) => continue,
            }
        };
        let mut metrics = raft.metrics();
        loop {
            look(&inner, &metrics.borrow_watched());
            let has_ended = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => {
                    announce(&inner, Leadership::default());
                    return;
                }
                changed = metrics.changed() => changed.is_err(),
                changed = applied.changed() => changed.is_err(),
                () = sleep(Duration::from_millis(LOOK_MS)) => inner.raft().is_none(),
            };
            if has_ended {
                sleep(Duration::from_millis(LOOK_MS)).await;
                break;
            }
        }
    }
}

/// Derives who leads.
fn look(inner: &Inner, metrics: &RaftMetrics<TypeConfig>) {
    if let Err(fatal) = &metrics.running_state {
        inner.caller.set_quorum_heard(None);
        announce(inner, Leadership { term: metrics.current_term, ..Leadership::default() });
        if !matches!(fatal, Fatal::Stopped) {
            inner
                .caller
                .set_problem(Some(format!("this coordinator takes part no more until it is restarted: {fatal}")));
        }
        return;
    }
    let leads = metrics.state.is_leader();
    let is_only_voter = metrics.membership_config.voter_ids().eq([metrics.id]);
    let heard = match metrics.last_quorum_acked {
        _ if !leads => None,
        _ if is_only_voter => Some(Instant::now()),
        Some(acked) => Some(Instant::now() - acked.elapsed()),
        // It was elected a moment ago, by a majority.
        None => Some(Instant::now() - inner.caller.quorum_age().unwrap_or_default()),
    };
    inner.caller.set_quorum_heard(heard);
    let stale = Duration::from_millis(inner.config.timings.election_max_ms * 2);
    let age = match inner.caller.quorum_age() {
        Some(age) => Some(age),
        None => inner.contact().map(|(contact, _)| contact.elapsed()),
    };
    let leader = metrics.current_leader.filter(|_| age.is_some_and(|age| age <= stale));
    let url = leader.and_then(|leader| inner.caller.url(leader, metrics.membership_config.get_node(&leader)));
    let applied = *inner.published.applied.borrow();
    let is_caught_up = applied.is_some_and(|applied| *applied.leader_id == metrics.current_term);
    let is_self = leads && leader.is_some() && is_caught_up;
    announce(inner, Leadership { term: metrics.current_term, leader, url, is_self });
}

fn announce(inner: &Inner, now: Leadership) {
    inner.leadership.send_if_modified(|known| {
        let is_new = *known != now;
        *known = now;
        is_new
    });
}

/// Keeps the members in order while this node leads.
pub(super) async fn lead(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    let mut leadership = inner.leadership.subscribe();
    loop {
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            leads = leadership.wait_for(|now| now.is_self) => if leads.is_err() { return },
        }
        if let Some(raft) = inner.raft() {
            let tending = timeout(Duration::from_millis(STEP_MS), tend(&inner, &raft));
            if tending.await.is_err() {
                tracing::warn!(node = inner.config.node, "the members cannot be brought in order: no majority answers");
            }
        }
        sleep(Duration::from_millis(TEND_MS)).await;
    }
}

/// One look at everything; one step where something is to be done.
async fn tend(inner: &Inner, raft: &Raft) {
    let metrics = raft.metrics().borrow_watched().clone();
    for change in overdue(inner, &metrics) {
        let command = Command { at_ms: inner.seams.clock.now_ms(), change };
        if let Err(error) = raft.client_write(Proposal(Arc::new(command))).await {
            tracing::debug!(node = metrics.id, %error, "a change of the cluster itself has to wait");
            return;
        }
    }
    let ready = ready_learners(inner, &metrics);
    if !ready.is_empty() {
        tracing::info!(node = metrics.id, ?ready, "these coordinators have caught up and get a vote");
        if let Err(error) = raft.change_membership(ChangeMembers::AddVoterIds(ready), false).await {
            tracing::warn!(node = metrics.id, %error, "a vote could not be given");
        }
    }
    if inner.log.bytes_after(metrics.snapshot.as_ref()) > LOG_LIMIT_BYTES
        && let Err(error) = raft.trigger().snapshot().await
    {
        tracing::warn!(node = metrics.id, %error, "no snapshot could be asked for");
    }
}

/// What the state does not say yet about the cluster itself.
fn overdue(inner: &Inner, metrics: &RaftMetrics<TypeConfig>) -> Vec<Change> {
    let state = inner.published.state.borrow().clone();
    let mut changes = Vec::new();
    if state.cluster.is_none()
        && let Some(lineage) = inner.membership.lineage()
    {
        changes.push(Change::Form { cluster: lineage.cluster });
    }
    let members = members::list(inner, &metrics.membership_config);
    for member in &members {
        if state.coordinators.get(&member.node) != Some(&member.url) {
            changes.push(Change::Coordinator { node: member.node, address: Some(member.url.clone()) });
        }
    }
    for node in state.coordinators.keys() {
        if !members.iter().any(|member| member.node == *node) {
            changes.push(Change::Coordinator { node: *node, address: None });
        }
    }
    changes
}

/// Learners that are to vote and know nearly everything.
fn ready_learners(inner: &Inner, metrics: &RaftMetrics<TypeConfig>) -> BTreeSet<NodeId> {
    let matched = metrics.replication.as_ref();
    let has_caught_up = |node: &NodeId| {
        let position = matched.and_then(|matched| matched.get(node).copied().flatten());
        position.is_some_and(|position| position.index + PROMOTE_LAG >= metrics.last_log_index.unwrap_or(0))
    };
    let learners = metrics.membership_config.membership().learner_ids();
    learners.filter(|node| inner.config.peers.contains_key(node) && has_caught_up(node)).collect()
}
