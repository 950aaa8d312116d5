//! The control plane's half of a worker: keeps a socket to a coordinator and has done what it orders.
//!
//! ```text
//!   coordinator <── socket ──> line ──frames──> keeper (Duties) ──> Engine
//!                               │                  ^   │
//!                             Homes              events└──> Store (orders over restarts)
//! ```
//! A worker is autonomous: without any coordinator what it runs goes on. Invariant: everything that is decided about pipelines is
//! decided in one task, the keeper.

mod beats;
pub mod bookkeeping;
mod burials;
mod depot;
mod duties;
pub mod engine;
mod handover;
mod home;
mod keeper;
mod line;
mod socket;
pub mod store;
mod warrant;

use crate::http_client::HttpClient;
use crate::model::ids::{Uuid, WorkerId};
use crate::model::secret::Secret;
use crate::model::state::{Capacity, Phase};
use crate::seams::Seams;
use crate::wire::{Held, Hello, Order, PROTOCOL};
use engine::Engine;
use handover::Arrivals;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How a worker joins a cluster.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Its name.
    pub worker: WorkerId,
    /// Its process, drawn at its start.
    pub instance: Uuid,
    /// Coordinators, `http://host:port`; the first is home.
    pub coordinators: Vec<String>,
    /// Shown to coordinators, and asked for by its own interface.
    pub api_key: Option<Secret>,
    /// Where its own interface is reached.
    pub address: String,
    /// What it can carry.
    pub capacity: Capacity,
}

/// Why an agent has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// A newer process of the same name has joined.
    #[error(
        "worker {0} was superseded by a newer process of the same name: stop one of them, or give it another --worker-id"
    )]
    Superseded(WorkerId),
    /// The coordinators are of another cluster than the placements held here.
    #[error("{0}; `rarog workers adopt` keeps what this worker holds and joins, `rarog workers reset` forgets it")]
    ForeignCluster(String),
}

/// A pipeline that the cluster has placed here.
#[derive(Clone)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// What became of it.
    pub phase: Phase,
    /// Since when, Unix time.
    pub since_ms: u64,
}

/// A running agent.
pub struct Agent {
    board: Arc<Board>,
    arrivals: Arc<Arrivals>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<Option<Ended>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What others may look at, kept up to date by the keeper.
#[derive(Default)]
struct Board {
    inner: Mutex<Posted>,
}

#[derive(Default)]
struct Posted {
    cluster: Option<Uuid>,
    held: Vec<Held>,
    placed: Vec<Placed>,
    connected_to: Option<String>,
    /// Has a coordinator welcomed this process?
    welcomed: bool,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// Starts to call coordinators.
    pub fn start(config: AgentConfig, engine: Arc<dyn Engine>, seams: Seams) -> io::Result<Agent> {
        let store = Store::new(seams.disk.clone());
        let kept = store.load()?;
        let board = Arc::new(Board::default());
        board.lock().cluster = kept.cluster;
        let (stop, stopping) = watch::channel(false);
        let (end, ended) = watch::channel(None);
        let (to_keeper, inbox) = mpsc::channel(keeper::INBOX);
        let (events, engine_events) = mpsc::unbounded_channel();
        engine.listen(Box::new(move |event| {
            // The keeper outlives the engine's pipelines, but for the process's end.
            _ = events.send(event);
        }));
        let http = HttpClient::new(seams.net.clone());
        let arrivals = Arc::new(Arrivals::new(to_keeper.clone(), config.api_key.clone()));
        let desk = warrant::Desk::default();
        let line = line::Line {
            config: config.clone(),
            seams: seams.clone(),
            board: board.clone(),
            keeper: to_keeper,
            desk: desk.clone(),
            engine: engine.clone(),
            http: http.clone(),
            stop: stopping.clone(),
            end: end.clone(),
        };
        let keeper = keeper::Keeper::new(keeper::Parts {
            engine,
            desk,
            store,
            kept,
            board: board.clone(),
            clock: seams.clock.clone(),
            http,
            inbox,
            events: engine_events,
            stop: stopping,
            end,
        });
        let tasks = Mutex::new(vec![tokio::spawn(keeper.run()), tokio::spawn(line.run())]);
        Ok(Agent { board, arrivals, stop, ended, tasks })
    }

    /// Where other workers bring the states of pipelines that move here.
    pub fn routes(&self) -> axum::Router {
        handover::routes(self.arrivals.clone())
    }

    /// What the cluster has placed here.
    pub fn placed(&self) -> Vec<Placed> {
        self.board.lock().placed.clone()
    }

    /// The coordinator that it has a socket to.
    pub fn connected_to(&self) -> Option<String> {
        self.board.lock().connected_to.clone()
    }

    /// Waits until the agent ends by itself.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(ended)) => ended,
            // It ends with the process.
            _ => std::future::pending().await,
        }
    }

    /// Ends all pipelines gracefully, takes leave and closes the socket; cuts what is left at the deadline.
    pub async fn shutdown(&self, deadline: Instant) {
        // The tasks may have ended already.
        _ = self.stop.send(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl AgentConfig {
    fn hello(&self, board: &Board) -> Hello {
        let posted = board.lock();
        Hello {
            protocol: PROTOCOL,
            worker: self.worker.clone(),
            instance: self.instance,
            cluster: posted.cluster.filter(|_| !posted.held.is_empty()),
            api_key: self.api_key.clone(),
            address: self.address.clone(),
            capacity: self.capacity,
            held: posted.held.clone(),
            welcomed: posted.welcomed,
        }
    }
}

/// Time since the first call, for what only measures spans.
fn uptime(began: Instant) -> Duration {
    began.elapsed()
}

#[cfg(test)]
mod tests;
