//! The sockets of workers at this coordinator, and what it tells them.
//!
//! ```text
//!   worker ── socket ──> admit (register) ──> session: pings, orders from the replicated state, answers
//!                                                │ heard, silent, ended
//!                                            Sockets ──> digest ──> leader
//! ```
//! Whether a worker lives is not decided here, only seen. Invariant: a socket is counted from before its worker is welcomed until
//! it ends, so a worker that moves to another coordinator is never without one.

mod admission;
mod desk;
pub mod frames;
mod outbox;
mod session;
pub mod sockets;
pub mod sync;

use super::agreement::Agreement;
use super::compile::Compiler;
use super::fleet::{Digest, Fleet};
use super::liveness::Deadlines;
use crate::model::ids::{NodeId, WorkerId};
use crate::seams::{Clock, Entropy};
use crate::wire::{AGENT_PATH, FRAME_LIMIT_BYTES, Metrics};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use axum::routing::get;
use sockets::Sockets;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Where workers that send heartbeat frames call.
pub const FRAMES_PATH: &str = "/api/v1/cluster/ws";

/// Time without a majority after which a coordinator says so to its workers, ms.
pub const QUORUM_MS: u64 = 1_500;

/// Time for which a socket waits until the leader knows of it, ms.
const FLUSH_MS: u64 = 300;

/// Says whether a key may register workers; without one, whether that is open.
pub type KeyCheck = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// What a hub is to know.
#[derive(Clone)]
pub struct HubConfig {
    /// This coordinator.
    pub node: NodeId,
    /// Time between pings.
    pub ping_interval: Duration,
    /// Time between heartbeats of those that send them.
    pub heartbeat_interval: Duration,
    /// When silence counts.
    pub deadlines: Deadlines,
    /// Who may register.
    pub may_register: KeyCheck,
}

/// What a hub works with.
#[derive(Clone)]
pub struct HubParts {
    /// The replicated state.
    pub agreement: Arc<dyn Agreement>,
    /// Makes orders.
    pub compiler: Arc<Compiler>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// See the module's head.
pub struct Hub {
    config: HubConfig,
    parts: HubParts,
    sockets: Arc<Sockets>,
    boot: u64,
    digests: AtomicU64,
    fleet: watch::Sender<Arc<Fleet>>,
    /// The revision of the sockets that the leader knows of.
    known: watch::Sender<u64>,
    is_closing: watch::Sender<bool>,
}

impl Hub {
    /// A hub without sockets.
    pub fn new(config: HubConfig, parts: HubParts) -> Arc<Hub> {
        let boot = parts.entropy.next_u64();
        Arc::new(Hub {
            config,
            parts,
            sockets: Arc::default(),
            boot,
            digests: AtomicU64::new(0),
            fleet: watch::Sender::new(Arc::default()),
            known: watch::Sender::new(0),
            is_closing: watch::Sender::new(false),
        })
    }

    /// The endpoints for workers' sockets.
    pub fn router(self: &Arc<Hub>) -> Router {
        Router::new().route(AGENT_PATH, get(agent)).route(FRAMES_PATH, get(frames_socket)).with_state(self.clone())
    }

    /// A heartbeat, or a registration, has come over REST.
    pub fn heartbeat(&self, worker: &WorkerId, metrics: Metrics) {
        self.sockets.beat(worker, metrics, self.config.deadlines.heartbeat, Instant::now());
    }

    /// Sockets here whose workers are heard.
    pub fn live_sockets(&self) -> usize {
        self.sockets.live()
    }

    /// All workers of the cluster, as the leader last told.
    pub fn fleet(&self) -> Arc<Fleet> {
        self.fleet.borrow().clone()
    }

    /// Ends all sockets, and lets nobody in. The leader is told nothing of it: they did not end, this coordinator did.
    pub fn close(&self) {
        self.is_closing.send_replace(true);
    }

    /// Has it been closed?
    pub fn is_closed(&self) -> bool {
        *self.is_closing.borrow()
    }

    /// What this coordinator sees, for the leader; and the revision that it covers.
    pub(super) fn digest(&self, now: Instant) -> (Digest, u64) {
        self.sockets.tick_beats(self.config.deadlines.heartbeat, now);
        let revision = *self.sockets.watch().borrow();
        let number = self.digests.fetch_add(1, Ordering::Relaxed) + 1;
        let sights = self.sockets.sights(now);
        (Digest { node: self.config.node, boot: self.boot, number, sights }, revision)
    }

    /// The leader has taken a digest and answered.
    pub(super) fn told(&self, fleet: Fleet, revision: u64) {
        self.fleet.send_replace(Arc::new(fleet));
        self.known.send_replace(revision);
    }

    /// A sign of everything that opens, closes, falls silent or comes back here.
    pub(super) fn watch_sockets(&self) -> watch::Receiver<u64> {
        self.sockets.watch()
    }

    /// Waits until this hub is closed.
    pub(super) async fn closed(&self) {
        let mut closing = self.is_closing.subscribe();
        // The sender lives as long as the hub, so this ends only when it is so.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Waits, for a short time, until the leader knows of what is here now.
    async fn flush(&self) {
        let revision = *self.sockets.watch().borrow();
        let mut known = self.known.subscribe();
        let waiting = known.wait_for(|known| *known >= revision);
        if timeout(Duration::from_millis(FLUSH_MS), waiting).await.is_err() {
            tracing::debug!("the leader does not know of a new socket so far");
        }
    }
}

async fn agent(State(hub): State<Arc<Hub>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(FRAME_LIMIT_BYTES)
        .max_frame_size(FRAME_LIMIT_BYTES)
        .on_upgrade(|socket| session::serve(hub, socket))
}

async fn frames_socket(State(hub): State<Arc<Hub>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(frames::FRAME_LIMIT_BYTES)
        .max_frame_size(frames::FRAME_LIMIT_BYTES)
        .on_upgrade(|socket| frames::serve(hub, socket))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
