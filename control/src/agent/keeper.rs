//! The task in which everything about pipelines is decided.

use super::duties::{Duties, Handover};
use super::engine::{Ending, Engine, Event};
use super::store::{Kept, Store};
use super::warrant::Desk;
use super::{Board, Ended, Placed, handover, uptime};
use crate::http_client::HttpClient;
use crate::model::ids::{EpochNumber, PipelineKey, Uuid};
use crate::seams::Clock;
use crate::wire::{Held, ToAgent, ToCoordinator};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval};

/// Messages that may wait for the keeper; who brings more waits.
pub const INBOX: usize = 1024;
/// How often it is looked what is due.
const TICK: Duration = Duration::from_millis(50);

/// What the keeper is told.
pub enum ToKeeper {
    /// There is a socket, frames go here, this is the cluster, and this is what the coordinator was told in the first frame.
    Up { cluster: Uuid, frames: mpsc::Sender<ToCoordinator>, said: Vec<Held> },
    /// A coordinator says this.
    Frame(ToAgent),
    /// There is no socket.
    Down,
    /// A state has come from another worker.
    State {
        pipeline: PipelineKey,
        epoch: EpochNumber,
        state: Arc<[u8]>,
        /// Says whether it is kept, or why not.
        kept: oneshot::Sender<Result<(), String>>,
    },
}

pub struct Parts {
    pub engine: Arc<dyn Engine>,
    pub desk: Desk,
    pub store: Store,
    pub kept: Kept,
    pub board: Arc<Board>,
    pub clock: Arc<dyn Clock>,
    pub http: HttpClient,
    pub inbox: mpsc::Receiver<ToKeeper>,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub stop: watch::Receiver<bool>,
    pub end: watch::Sender<Option<Ended>>,
}

pub struct Keeper {
    duties: Duties,
    desk: Desk,
    cluster: Option<Uuid>,
    store: Store,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    http: HttpClient,
    inbox: mpsc::Receiver<ToKeeper>,
    events: mpsc::UnboundedReceiver<Event>,
    stop: watch::Receiver<bool>,
    end: watch::Receiver<Option<Ended>>,
    /// Where frames go, while there is a socket.
    frames: Option<mpsc::Sender<ToCoordinator>>,
    began: Instant,
    delivered: (mpsc::Sender<Delivered>, mpsc::Receiver<Delivered>),
}

type Delivered = (Handover, Result<(), String>);

/// What the keeper does next.
enum Next {
    Leave(Ending),
    Event(Event),
    Message(ToKeeper),
    Delivered(Delivered),
    Tick,
}

impl Keeper {
    pub fn new(parts: Parts) -> Keeper {
        let Parts { engine, desk, store, kept, board, clock, http, inbox, events, stop, end } = parts;
        let duties = Duties::new(engine, Arc::new(desk.clone()), kept.books, clock.now_ms());
        let keeper = Keeper {
            duties,
            desk,
            cluster: kept.cluster,
            store,
            board,
            clock,
            http,
            inbox,
            events,
            stop,
            end: end.subscribe(),
            frames: None,
            began: Instant::now(),
            delivered: mpsc::channel(16),
        };
        keeper.post();
        keeper
    }

    pub async fn run(mut self) {
        let mut tick = interval(TICK);
        loop {
            let next = tokio::select! {
                biased;
                () = is_true(&mut self.stop) => Next::Leave(Ending::Graceful),
                () = is_some(&mut self.end) => Next::Leave(Ending::Now),
                Some(event) = self.events.recv() => Next::Event(event),
                Some(message) = self.inbox.recv() => Next::Message(message),
                Some(delivered) = self.delivered.1.recv() => Next::Delivered(delivered),
                _ = tick.tick() => Next::Tick,
            };
            let (now, now_ms) = self.now();
            match next {
                Next::Leave(ending) => return self.leave(ending).await,
                Next::Event(event) => self.duties.event(event, now, now_ms),
                Next::Message(message) => self.take(message),
                Next::Delivered((handover, result)) => self.duties.handed_over(&handover, result, now_ms),
                Next::Tick => self.duties.tick(now, now_ms),
            }
            self.settle();
        }
    }

    fn now(&self) -> (Duration, u64) {
        (uptime(self.began), self.clock.now_ms())
    }

    fn take(&mut self, message: ToKeeper) {
        let (now, now_ms) = self.now();
        match message {
            ToKeeper::Up { cluster, frames, said } => {
                self.frames = Some(frames);
                if self.cluster != Some(cluster) {
                    self.cluster = Some(cluster);
                    self.keep();
                    self.post();
                }
                self.duties.connected(&said, now, now_ms);
            }
            ToKeeper::Frame(frame) => self.duties.frame(frame, now, now_ms),
            ToKeeper::Down => self.frames = None,
            ToKeeper::State { pipeline, epoch, state, kept } => {
                // Who brought it may have given up.
                _ = kept.send(self.duties.state_arrived(pipeline, epoch, state, now, now_ms));
            }
        }
    }

    /// What has changed is kept, shown and sent, in this order.
    fn settle(&mut self) {
        self.keep_if_changed();
        if self.duties.take_shown_changed() {
            self.post();
        }
        for frame in self.duties.take_outbox() {
            // Without a socket, or when it takes no more, the next Hello says all that matters.
            let Some(frames) = &self.frames else { continue };
            match frames.try_send(frame) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => self.frames = None,
                Err(TrySendError::Full(_)) => {
                    tracing::warn!("the socket to the coordinator takes no more frames: it is given up");
                    // It ends when nobody can send over it any more.
                    self.desk.give_up(frames);
                    self.frames = None;
                }
            }
        }
        for handover in self.duties.take_handovers() {
            let (http, delivered) = (self.http.clone(), self.delivered.0.clone());
            tokio::spawn(async move {
                let result = handover::deliver(&http, &handover).await;
                // The keeper has gone with the process.
                _ = delivered.send((handover, result)).await;
            });
        }
    }

    fn keep_if_changed(&mut self) {
        if let Some(books) = self.duties.changed() {
            self.save(&Kept { cluster: self.cluster, books });
        }
    }

    fn keep(&mut self) {
        let books = self.duties.books();
        self.save(&Kept { cluster: self.cluster, books });
    }

    fn save(&self, kept: &Kept) {
        // What is not kept comes again from a coordinator; refusing to run it would be worse.
        if let Err(error) = self.store.save(kept) {
            tracing::error!(%error, "the worker's placements cannot be kept on disk");
        }
    }

    fn post(&self) {
        let placed = self.duties.orders();
        let placed =
            placed.map(|(order, phase, since_ms)| Placed { order: order.clone(), phase: phase.clone(), since_ms });
        let placed = placed.collect();
        let mut posted = self.board.lock();
        posted.cluster = self.cluster;
        posted.held = self.duties.held();
        posted.placed = placed;
    }

    /// Ends all pipelines.
    async fn leave(&mut self, ending: Ending) {
        let (now, now_ms) = self.now();
        self.duties.stop_all(ending, now);
        self.duties.tick(now, now_ms);
        let mut tick = interval(TICK);
        while !self.duties.is_still() {
            let event = tokio::select! {
                event = self.events.recv() => event,
                _ = tick.tick() => None,
            };
            let (now, now_ms) = self.now();
            match event {
                Some(event) => self.duties.event(event, now, now_ms),
                None => self.duties.tick(now, now_ms),
            }
        }
        self.frames = None;
        self.desk.connect(None);
    }
}

/// Waits for true; for ever if nobody can say so any more.
pub async fn is_true(watched: &mut watch::Receiver<bool>) {
    if watched.wait_for(|is| *is).await.is_err() {
        std::future::pending().await
    }
}

/// Waits for something; for ever if nobody can say so any more.
pub async fn is_some<T>(watched: &mut watch::Receiver<Option<T>>) {
    if watched.wait_for(Option::is_some).await.is_err() {
        std::future::pending().await
    }
}
