//! How a node without a log gets into a cluster: it founds one with its peers, or is taken in by one that exists.
//!
//! ```text
//!   ask all peers ──┬── one is in a cluster ──> ask its leader to be taken in: it drops this node from those who vote, adds it
//!                   │                           as a learner, and gives it a vote when it has caught up
//!                   └── all are empty, or a majority is and the rest was not reached for 5 s
//!                         └── this node has the lowest number of them
//!                               1. draw the cluster's identity, ask the others to be bound to it
//!                               2. with a majority of all listed bound: write the first members (all listed) into the log
//!                               3. stand for election; from here on it is Raft
//! ```
//! Two clusters cannot come out of one list of peers: a leader needs votes of a majority of all that are listed, a node that
//! has voted in one cluster is never bound to another, and one that has lost its vote is asked to found anything only if a
//! majority seems to have lost theirs. Nodes bound to a cluster that came to nothing are bound anew; a founder whose cluster
//! came to nothing while another one formed gives it up and joins that.

use super::consensus::{Inner, StartError};
use super::members::CHANGE_MS;
use super::message::{Found, Inquiry, Lineage, MemberAnswer, MemberChange, Standing, StandingKind};
use super::snapshot::SNAPSHOT;
use super::standing::Role;
use crate::model::ids::{NodeId, Uuid};
use futures_util::future::join_all;
use openraft::BasicNode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time between two rounds of questions, ms.
const ROUND_MS: u64 = 100;

/// Time that a peer has for an answer, ms.
const ANSWER_MS: u64 = 500;

/// Time after which a node that was taken in and has heard nothing asks again, ms.
const ADMITTED_MS: u64 = 10_000;

/// Makes a cluster of this node alone.
pub(super) async fn found_alone(inner: &Inner) -> Result<(), StartError> {
    let cluster = draw(inner);
    let failed = |reason: &dyn std::fmt::Display| StartError::Raft(reason.to_string());
    let found = Found { cluster, initiator: inner.config.node, boot: inner.boot };
    inner.membership.bind(&found).map_err(|error| failed(&error))?;
    initialize(inner, cluster).await.map_err(|reason| failed(&reason))
}

/// Sees to it that this node gets into a cluster; ends when it is in one that has formed.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    let mut round = Round { heard: BTreeMap::new(), began: Instant::now(), admitted: None };
    while !round.is_settled(&inner) {
        round.take(&inner).await;
        // Nodes that were started together do not stay in step.
        let jitter = inner.seams.entropy.next_u64() % (ROUND_MS / 2);
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            () = sleep(Duration::from_millis(ROUND_MS + jitter)) => {}
        }
    }
    inner.caller.set_problem(None);
}

/// What is known from earlier rounds.
struct Round {
    /// When each peer answered last.
    heard: BTreeMap<NodeId, Instant>,
    began: Instant,
    /// When a leader has taken this node in.
    admitted: Option<Instant>,
}

impl Round {
    fn is_settled(&self, inner: &Inner) -> bool {
        let is_formed = inner.published.state.borrow().cluster.is_some();
        inner.membership.is_member() && (is_formed || inner.log.has_led())
    }

    async fn take(&mut self, inner: &Inner) {
        if inner.is_alone() {
            return;
        }
        let answers = ask(inner).await;
        for node in answers.keys() {
            self.heard.insert(*node, Instant::now());
        }
        let clusters = formed(&answers);
        if clusters.len() > 1 {
            let names: Vec<String> = clusters.iter().map(|(node, of)| format!("{node} to {}", of.cluster)).collect();
            let problem = format!("the peers belong to different clusters: node {}", names.join(", node "));
            inner.caller.set_problem(Some(problem));
            return;
        }
        let own = inner.membership.lineage();
        match clusters.into_iter().next() {
            Some((_, cluster)) if own == Some(cluster) && inner.membership.role() != Role::Admitted => {}
            Some((_, cluster)) if inner.membership.is_member() && own != Some(cluster) => give_up(inner, cluster).await,
            Some((_, cluster)) if self.may_join() => self.join(inner, cluster, &answers).await,
            Some(_) => {}
            // Nobody but this node can have been elected in its cluster, so whoever has forgotten that it was bound may be again.
            None if is_unelected_founder(inner) => {
                if let Some(own) = own {
                    bind(inner, own.cluster, &answers).await;
                }
            }
            None if inner.membership.is_member() || answers.values().any(Standing::is_member) => {}
            None => self.found(inner, &answers).await,
        }
    }

    fn may_join(&self) -> bool {
        self.admitted.is_none_or(|admitted| admitted.elapsed() > Duration::from_millis(ADMITTED_MS))
    }

    /// Asks to be taken in.
    async fn join(&mut self, inner: &Inner, cluster: Lineage, answers: &BTreeMap<NodeId, Standing>) {
        let change = MemberChange::Join { node: inner.config.node, url: inner.own_url() };
        let wait = Duration::from_millis(CHANGE_MS + ANSWER_MS);
        for node in answers.iter().filter(|(_, peer)| peer.is_member()).map(|(node, _)| *node) {
            let Some(url) = inner.caller.url(node, None) else { continue };
            let call = inner.caller.call_in(cluster, node, &url, "/raft/members", change.clone(), wait);
            match call.await {
                Ok(MemberAnswer::Done(lineage)) => match inner.membership.admit(lineage) {
                    Ok(_) => {
                        tracing::info!(node = inner.config.node, cluster = %lineage.cluster, "taken in by a cluster");
                        self.admitted = Some(Instant::now());
                        return;
                    }
                    Err(error) => inner.caller.set_problem(Some(format!("the disk fails: {error}"))),
                },
                Ok(MemberAnswer::NotLeader) => {}
                Ok(MemberAnswer::Refused(reason)) => inner.caller.set_problem(Some(reason)),
                Err(error) => tracing::debug!(node = inner.config.node, %error, "a peer did not answer"),
            }
        }
    }

    /// Founds a cluster if it is time and this node's turn.
    async fn found(&mut self, inner: &Inner, answers: &BTreeMap<NodeId, Standing>) {
        let listed: BTreeSet<NodeId> = inner.config.peers.keys().copied().collect();
        for peer in answers.values() {
            if !peer.peers.iter().eq(&listed) {
                let problem = format!(
                    "the lists of peers differ: node {} has {:?} and this one {:?}; no cluster forms",
                    peer.node, peer.peers, listed
                );
                inner.caller.set_problem(Some(problem));
                return;
            }
        }
        let is_absent = |node: &NodeId| {
            let silent_since = self.heard.get(node).copied().unwrap_or(self.began);
            silent_since.elapsed() >= Duration::from_millis(inner.config.timings.absent_ms)
        };
        let is_here = |node: &NodeId| *node == inner.config.node || answers.contains_key(node);
        let is_time = listed.iter().all(|node| is_here(node) || is_absent(node));
        let here: Vec<NodeId> = listed.iter().copied().filter(is_here).collect();
        if !is_time || here.len() < majority(inner) || here.first() != Some(&inner.config.node) {
            return;
        }
        if let Err(reason) = try_found(inner, answers).await {
            tracing::warn!(node = inner.config.node, reason, "no cluster was founded yet");
        }
    }
}

/// Founds a cluster with those that answered.
async fn try_found(inner: &Inner, answers: &BTreeMap<NodeId, Standing>) -> Result<(), String> {
    let (cluster, initiator) = (draw(inner), inner.config.node);
    let own = Found { cluster, initiator, boot: inner.boot };
    if !inner.membership.bind(&own).map_err(|error| error.to_string())? {
        return Err("this node has become a member of another cluster".into());
    }
    let bound = 1 + bind(inner, cluster, answers).await;
    if bound < majority(inner) {
        return Err(format!("{bound} of {} nodes are bound to it", inner.config.peers.len()));
    }
    initialize(inner, cluster).await
}

/// Asks all peers without a cluster to be bound to one; says how many are.
async fn bind(inner: &Inner, cluster: Uuid, answers: &BTreeMap<NodeId, Standing>) -> usize {
    let blank = answers.values().filter(|peer| !peer.is_member());
    let asking = blank.map(async |peer| {
        let Some(url) = inner.caller.url(peer.node, None) else { return false };
        let found = Found { cluster, initiator: inner.config.node, boot: peer.boot };
        let wait = Duration::from_millis(ANSWER_MS);
        inner.caller.post(&url, "/raft/found", &found, wait).await.unwrap_or(false)
    });
    join_all(asking).await.into_iter().filter(|bound| *bound).count()
}

/// Has this node founded a cluster in which it was never elected?
fn is_unelected_founder(inner: &Inner) -> bool {
    inner.membership.is_member() && inner.membership.role() == Role::Founder(inner.config.node) && !inner.log.has_led()
}

/// Writes the first members into the log, after which nothing can take this node's part in the cluster from it.
async fn initialize(inner: &Inner, cluster: Uuid) -> Result<(), String> {
    if !inner.membership.seal(cluster) {
        return Err("another node was faster".into());
    }
    let raft = inner.raft().ok_or("raft does not run")?;
    let mut members: BTreeMap<NodeId, BasicNode> =
        inner.config.peers.iter().map(|(node, url)| (*node, BasicNode { addr: url.clone() })).collect();
    members.entry(inner.config.node).or_insert_with(|| BasicNode { addr: inner.own_url() });
    tracing::info!(node = inner.config.node, %cluster, members = ?members.keys(), "founding a cluster");
    raft.initialize(members).await.map_err(|error| error.to_string())
}

/// Gives up a cluster that never came to anything, because another one of the same nodes has formed.
async fn give_up(inner: &Inner, formed: Lineage) {
    let own = inner.membership.lineage().map(|own| own.cluster.to_string()).unwrap_or_default();
    if inner.log.has_led() || inner.membership.role() == Role::Admitted {
        let problem = format!(
            "this node belongs to cluster {own}, and its peers to {}: one of them has a wrong list of peers or a wrong folder",
            formed.cluster
        );
        inner.caller.set_problem(Some(problem));
        return;
    }
    tracing::warn!(node = inner.config.node, %own, formed = %formed.cluster, "giving up a cluster that has not formed");
    inner.halt().await;
    let result = async {
        inner.log.clear().await?;
        inner.seams.disk.remove(SNAPSHOT)?;
        inner.membership.forget()
    };
    match result.await {
        Ok(()) => {
            if let Err(error) = inner.launch().await {
                inner.caller.set_problem(Some(error.to_string()));
            }
        }
        Err(error) => inner.caller.set_problem(Some(format!("the disk fails: {error}"))),
    }
}

/// What all peers answer that do.
async fn ask(inner: &Inner) -> BTreeMap<NodeId, Standing> {
    let inquiry = Inquiry { from: inner.config.node, peers: inner.config.peers.keys().copied().collect() };
    let others = inner.config.peers.iter().filter(|(node, _)| **node != inner.config.node);
    let asking = others.map(async |(node, url)| {
        let wait = Duration::from_millis(ANSWER_MS);
        let answer: Result<Standing, _> = inner.caller.post(url, "/raft/status", &inquiry, wait).await;
        match answer {
            Ok(standing) if standing.node == *node => {
                inner.caller.set_problem_with(*node, None);
                Some((*node, standing))
            }
            Ok(standing) => {
                let problem = format!("{url} is node {}, and not {node}: the lists of peers differ", standing.node);
                inner.caller.set_problem_with(*node, Some(problem));
                None
            }
            Err(error) => {
                if matches!(error, super::net::CallError::Refused(_)) {
                    inner.caller.set_problem_with(*node, Some(error.to_string()));
                }
                None
            }
        }
    });
    join_all(asking).await.into_iter().flatten().collect()
}

/// The clusters that have formed, each with one of its nodes.
fn formed(answers: &BTreeMap<NodeId, Standing>) -> Vec<(NodeId, Lineage)> {
    let mut clusters: Vec<(NodeId, Lineage)> = Vec::new();
    for (node, peer) in answers {
        if let StandingKind::Member { lineage, is_formed: true } = peer.kind
            && !clusters.iter().any(|(_, known)| known.cluster == lineage.cluster)
        {
            clusters.push((*node, lineage));
        }
    }
    clusters
}

impl Standing {
    fn is_member(&self) -> bool {
        matches!(self.kind, StandingKind::Member { .. })
    }
}

fn majority(inner: &Inner) -> usize {
    inner.config.peers.len() / 2 + 1
}

fn draw(inner: &Inner) -> Uuid {
    let (high, low) = (inner.seams.entropy.next_u64(), inner.seams.entropy.next_u64());
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid()
}
