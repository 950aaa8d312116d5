//! Sees at once that the process of the leader is gone: its sockets end long before its silence is long enough.
//!
//! ```text
//!   follower ──connection──> leader      ends, and no new one comes about
//!      └─> the others stand for election, one after the other in the order of their numbers
//! ```
//! What hangs or is cut off ends no socket; there silence decides. Invariant: a node stands only for a leader whose process it
//! saw go, and while nobody else leads. An early election is as safe as any other, since nothing is read by lease.

use super::consensus::{Inner, Leadership};
use crate::model::ids::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::TransferLeaderRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

/// Time within which a process that is there takes a connection, ms.
const CONNECT_MS: u64 = 100;

/// Time that one candidate has before the next one stands, ms.
const STAGGER_MS: u64 = 50;

/// Time between two connections at least, ms.
const PAUSE_MS: u64 = 10;

/// How often a node stands; after that, silence decides.
const ATTEMPTS: u32 = 8;

/// Time after which the leader's process is looked for again when there was no telling, ms.
const AGAIN_MS: u64 = 500;

/// Watches the process of whoever leads.
pub(super) async fn watch(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    tokio::select! {
        biased;
        _ = closing.wait_for(|closing| *closing) => {}
        () = follow(&inner) => {}
    }
}

async fn follow(inner: &Inner) {
    let mut leadership = inner.leadership.subscribe();
    loop {
        let now = leadership.borrow_and_update().clone();
        let Some((leader, url)) = other(inner, now) else {
            if leadership.changed().await.is_err() {
                return;
            }
            continue;
        };
        let is_gone = tokio::select! {
            biased;
            changed = leadership.changed() => if changed.is_err() { return } else { continue },
            is_gone = is_gone(inner, &url) => is_gone,
        };
        if is_gone {
            stand(inner, leader).await;
        }
        sleep(Duration::from_millis(AGAIN_MS)).await;
    }
}

/// The leader, if it is another node, and where it is.
fn other(inner: &Inner, now: Leadership) -> Option<(NodeId, String)> {
    now.leader.filter(|leader| *leader != inner.config.node).zip(now.url)
}

/// Holds a connection as long as the process is there. False: it was never reached, and nothing is known of it.
async fn is_gone(inner: &Inner, url: &str) -> bool {
    let connect = || timeout(Duration::from_millis(CONNECT_MS), inner.caller.open(url));
    let Ok(Ok(mut connection)) = connect().await else { return false };
    loop {
        // Nothing is asked, so nothing comes but the end; a server that is tired of waiting takes a new connection.
        let mut nothing = [0; 1];
        drop(connection.read(&mut nothing).await);
        // So does one whose listener goes last; that connection will not last either.
        let Ok(Ok(next)) = connect().await else { return true };
        connection = next;
        sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}

/// Stands for election when those before it had time to, and again while nobody leads: one that lacks what others have is not
/// elected, and has to make room for them.
async fn stand(inner: &Inner, gone: NodeId) {
    let Some(raft) = inner.raft() else { return };
    let metrics = raft.metrics().borrow_watched().clone();
    let mut others = metrics.membership_config.voter_ids().filter(|voter| *voter != gone);
    let Some(place) = others.position(|voter| voter == metrics.id) else { return };
    sleep(Duration::from_millis(STAGGER_MS) * u32::try_from(place).unwrap_or(u32::MAX)).await;
    for attempt in 0..ATTEMPTS {
        let metrics = raft.metrics().borrow_watched().clone();
        let is_open = metrics.current_leader == Some(gone) || attempt > 0 && metrics.current_leader.is_none();
        if !is_open {
            return;
        }
        tracing::info!(
            node = metrics.id,
            leader = gone,
            attempt,
            "the leader's process is gone: this node stands for election"
        );
        // What a leader asks of its successor when it goes in order: others need not wait until its lease has run out.
        let request = TransferLeaderRequest::new(metrics.vote, metrics.id, None);
        if let Err(error) = raft.handle_transfer_leader(request).await {
            tracing::debug!(node = metrics.id, %error, "this coordinator cannot stand for election");
        }
        sleep(Duration::from_millis(STAGGER_MS + inner.seams.entropy.next_u64() % (2 * STAGGER_MS))).await;
    }
}
