//! One socket of our own protocol, from its first frame to its end.
//!
//! Invariants: a worker gets nothing before it was admitted and registered; what it is ordered follows from the replicated state
//! alone; whatever it sends, only its own socket ends.

use super::admission::{Rejection, admit};
use super::desk::Desk;
use super::outbox::{Full, Outbox, outbox, text};
use super::sockets::Presence;
use super::sync::{Book, Step};
use super::{Hub, QUORUM_MS};
use crate::coordinator::fleet::Line;
use crate::model::ids::{PipelineKey, Uuid, WorkerId};
use crate::model::state::{Phase, Placement, State};
use crate::wire::{Hello, ToAgent, ToCoordinator};
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Time for the first frame, s.
const HELLO_S: u64 = 5;

/// Time for what is queued to go out when a socket is closed, s.
const CLOSE_S: u64 = 2;

/// Silence after which a socket is closed, s. Its worker is known to be silent long before.
const SILENCE_S: u64 = 30;

/// Looks at a silence for each of these parts of the deadline.
const LOOKS_PER_DEADLINE: u32 = 20;

/// Serves a socket to its end.
pub(super) async fn serve(hub: Arc<Hub>, mut socket: WebSocket) {
    let Some(hello) = first_frame(&mut socket).await else {
        let refusal = refused("invalid", "the first frame is to be a hello".into());
        end(socket, Some(refusal)).await;
        return;
    };
    let worker = hello.worker.clone();
    let state = match admit(&hub, &hello).await {
        Ok(state) => state,
        Err(Rejection::Refused(code, message)) => {
            tracing::warn!(%worker, code, "a worker was refused: {message}");
            end(socket, Some(refused(code, message))).await;
            return;
        }
        Err(Rejection::NotNow(reason)) => {
            tracing::info!(%worker, "a worker cannot be registered now: {reason}");
            end(socket, None).await;
            return;
        }
    };
    let now = Instant::now();
    let deadline = hub.config.deadlines.ping;
    let presence = hub.sockets.open(worker.clone(), Some(hello.instance), Line::Agent, deadline, now);
    hub.flush().await;
    tracing::info!(%worker, instance = %hello.instance, "WebSocket connected: {worker}");
    let (sink, stream) = socket.split();
    let (outbox, outgoing) = outbox();
    let session = Session::new(&hub, &hello, presence, outbox);
    let reason = {
        let mut sending = std::pin::pin!(outgoing.send(sink));
        let ended = tokio::select! {
            biased;
            reason = &mut sending => return closed(&worker, &reason),
            reason = session.run(stream, state) => reason,
        };
        // What was queued goes out before the socket is closed: a refusal says why.
        let _ = timeout(Duration::from_secs(CLOSE_S), sending).await;
        ended
    };
    closed(&worker, &reason);
}

fn closed(worker: &WorkerId, reason: &str) {
    tracing::info!(%worker, "WebSocket disconnected: {worker} ({reason})");
}

fn refused(code: &str, message: String) -> ToAgent {
    ToAgent::Refused { code: code.into(), message }
}

async fn first_frame(socket: &mut WebSocket) -> Option<Hello> {
    let frame = timeout(Duration::from_secs(HELLO_S), socket.recv()).await.ok()??.ok()?;
    match serde_json::from_str(frame.to_text().ok()?).ok()? {
        ToCoordinator::Hello(hello) => Some(hello),
        _ => None,
    }
}

/// Closes a socket that is not a session.
async fn end(mut socket: WebSocket, last: Option<ToAgent>) {
    let closing = async {
        if let Some(last) = last {
            socket.send(text(&last)).await?;
        }
        SinkExt::close(&mut socket).await
    };
    // It is gone either way.
    let _ = timeout(Duration::from_secs(1), closing).await;
}

/// A worker that was admitted.
struct Session<'a> {
    hub: &'a Hub,
    worker: WorkerId,
    instance: Uuid,
    presence: Presence,
    outbox: Outbox,
    desk: Desk,
    book: Book,
    steps: VecDeque<Step>,
    state: Arc<State>,
    pings: u64,
    farewell: Option<String>,
    /// What it holds, as it said when it called.
    held: Vec<(PipelineKey, u64, Phase)>,
}

impl<'a> Session<'a> {
    fn new(hub: &'a Hub, hello: &Hello, presence: Presence, outbox: Outbox) -> Session<'a> {
        Session {
            hub,
            worker: hello.worker.clone(),
            instance: hello.instance,
            presence,
            outbox,
            desk: Desk::new(hub.parts.agreement.clone(), hello.worker.clone(), hello.instance),
            book: Book::new(&hello.held),
            steps: VecDeque::new(),
            state: Arc::default(),
            pings: 0,
            farewell: None,
            held: hello.held.iter().map(|held| (held.pipeline.clone(), held.epoch, held.phase.clone())).collect(),
        }
    }

    /// Until the socket ends; gives the reason. Frames come first, so that a silence is found only when nothing waits to be read.
    async fn run(mut self, mut stream: SplitStream<WebSocket>, state: Arc<State>) -> String {
        let mut states = self.hub.parts.agreement.watch();
        states.mark_changed();
        let mut looks = interval(self.hub.config.deadlines.ping / LOOKS_PER_DEADLINE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pinged: Option<Instant> = None;
        if let Err(reason) = self.welcome(state) {
            return reason;
        }
        loop {
            let step = tokio::select! {
                biased;
                frame = stream.next() => match frame {
                    Some(Ok(frame)) => self.frame(frame),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err("the connection ended".into()),
                },
                answers = self.desk.next(), if self.desk.is_busy() => self.answer_all(answers),
                () = self.presence.replaced() => Err("a newer socket of the same worker is here".into()),
                () = self.hub.closed() => Err("this coordinator is stopping".into()),
                changed = states.changed() => match changed {
                    Ok(()) => {
                        let state = states.borrow_and_update().clone();
                        self.adopt(state)
                    }
                    Err(_) => Err("this coordinator has stopped".into()),
                },
                _ = looks.tick() => self.look(&mut pinged),
                room = self.outbox.room(), if !self.steps.is_empty() => match room {
                    Some(room) => {
                        if let Some(frame) = self.next_order() {
                            room.send(text(&frame));
                        }
                        Ok(())
                    }
                    None => Err("nothing can be sent any more".into()),
                },
            };
            if let Err(reason) = step {
                return match self.farewell {
                    Some(farewell) => format!("{reason}; it said: {farewell}"),
                    None => reason,
                };
            }
        }
    }

    fn welcome(&mut self, state: Arc<State>) -> Result<(), String> {
        let cluster = state.cluster.ok_or("the cluster is not formed")?;
        self.answer(ToAgent::Welcome {
            cluster,
            node: self.hub.config.node,
            coordinators: state.coordinators.values().cloned().collect(),
            ping_interval_ms: self.hub.config.ping_interval.as_millis() as u64,
        })?;
        self.adopt(state)?;
        for (pipeline, epoch, phase) in std::mem::take(&mut self.held) {
            let is_news = |placement: &Placement| placement.epoch == epoch && placement.phase != phase;
            if self.placement(&pipeline).is_some_and(is_news) {
                self.desk.report(pipeline, epoch, phase);
            }
        }
        Ok(())
    }

    /// The state has changed.
    fn adopt(&mut self, state: Arc<State>) -> Result<(), String> {
        if state.version < self.state.version {
            return Ok(());
        }
        self.state = state;
        if let Some(worker) = self.state.workers.get(&self.worker)
            && worker.instance != self.instance
        {
            let message = format!("a newer process, {}, runs as {}", worker.instance, self.worker);
            self.answer(refused("superseded", message.clone()))?;
            return Err(message);
        }
        self.steps.extend(self.book.steps(&self.state, &self.worker, self.instance));
        self.bury()
    }

    fn bury(&mut self) -> Result<(), String> {
        let sessions = self.book.graves(&self.state, &self.worker, self.hub.parts.clock.now_ms());
        if sessions.is_empty() { Ok(()) } else { self.answer(ToAgent::Bury { sessions }) }
    }

    fn frame(&mut self, frame: Message) -> Result<(), String> {
        let now = Instant::now();
        self.presence.heard(now);
        let text = match &frame {
            Message::Text(text) => text.as_str(),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err("the worker closed it".into()),
            Message::Binary(_) => return self.invalid("frames are to be texts"),
        };
        let frame = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(error) => return self.invalid(&error.to_string()),
        };
        match frame {
            ToCoordinator::Hello(_) => return self.invalid("a hello comes once"),
            ToCoordinator::Pong { metrics, .. } => self.presence.does(metrics),
            ToCoordinator::Ping { number } => {
                let has_quorum = self.hub.parts.agreement.has_quorum_within(Duration::from_millis(QUORUM_MS));
                self.answer(ToAgent::Pong { number, has_quorum })?;
            }
            ToCoordinator::Report { pipeline, epoch, phase } => self.desk.report(pipeline, epoch, phase),
            ToCoordinator::Clients { request, pipeline, epoch, clients } => {
                let answer = self.desk.clients(request, pipeline, epoch, clients);
                self.answer_all(answer)?;
            }
            ToCoordinator::Owner { request, pipeline, epoch } => {
                let answer = self.desk.owner(request, pipeline, epoch);
                self.answer_all(answer)?;
            }
            ToCoordinator::Buried { clients } => self.desk.buried(clients),
            ToCoordinator::Farewell { reason } => self.farewell = Some(reason),
        }
        Ok(())
    }

    fn invalid(&self, why: &str) -> Result<(), String> {
        self.answer(refused("invalid", why.into()))?;
        Err(format!("it sent what cannot be understood: {why}"))
    }

    /// Looks at the silence, and pings when it is time.
    fn look(&mut self, pinged: &mut Option<Instant>) -> Result<(), String> {
        let now = Instant::now();
        self.presence.tick(now);
        if self.presence.age(now) > Duration::from_secs(SILENCE_S) {
            return Err(format!("nothing was heard for {SILENCE_S} s"));
        }
        let is_due = pinged.is_none_or(|at| now.saturating_duration_since(at) >= self.hub.config.ping_interval);
        if is_due {
            *pinged = Some(now);
            self.pings += 1;
            self.answer(ToAgent::Ping { number: self.pings })?;
            self.bury()?;
        }
        Ok(())
    }

    /// The frame for the next step, as the state is now; `None` if the step is overtaken.
    fn next_order(&mut self) -> Option<ToAgent> {
        match self.steps.pop_front()? {
            Step::Remove { pipeline, epoch } => Some(ToAgent::Remove { pipeline, epoch }),
            Step::Install(pipeline) => {
                let epoch = self.placement(&pipeline)?.epoch;
                match self.hub.parts.compiler.order(&self.state, &pipeline) {
                    Ok(order) => Some(ToAgent::Install(Box::new(order))),
                    Err(reason) => {
                        tracing::error!(worker = %self.worker, %pipeline, "a placement cannot be ordered: {reason}");
                        self.desk.report(pipeline, epoch, Phase::Failed { reason });
                        None
                    }
                }
            }
            Step::Release { pipeline, migration } => {
                let migration = self.state.migrations.get(&migration)?;
                let target = self.state.workers.get(&migration.target)?;
                Some(ToAgent::Release {
                    epoch: self.placement(&pipeline)?.epoch,
                    pipeline,
                    successor: target.address.clone(),
                    api_key: target.api_key.clone(),
                    successor_epoch: migration.epoch,
                })
            }
        }
    }

    /// The placement of a pipeline, if it is this worker's.
    fn placement(&self, pipeline: &PipelineKey) -> Option<&Placement> {
        let is_mine = |p: &&Placement| p.worker == self.worker && p.instance == self.instance;
        placement_of(&self.state, pipeline).filter(is_mine)
    }

    fn answer(&self, frame: ToAgent) -> Result<(), String> {
        self.outbox.answer(&frame).map_err(|Full| "it does not read what it is sent".into())
    }

    fn answer_all(&self, frames: impl IntoIterator<Item = ToAgent>) -> Result<(), String> {
        frames.into_iter().try_for_each(|frame| self.answer(frame))
    }
}

fn placement_of<'a>(state: &'a State, pipeline: &PipelineKey) -> Option<&'a Placement> {
    state.groups.get(&pipeline.group)?.pipelines.get(pipeline)?.placement.as_ref()
}
