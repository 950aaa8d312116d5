//! Sockets of heartbeat frames: liveness and lists for workers that do not speak our own protocol.
//!
//! ```text
//!   {"type":"Identify","worker_id","api_key"}          -> {"type":"IdentifyAck","heartbeat_interval_secs"}
//!   {"type":"Heartbeat","events_processed", …}         -> {"type":"HeartbeatAck"}
//!   anything else                                      -> {"type":"Error","message"}
//! ```
//! Invariants: nothing is ordered here; a frame that cannot be understood is answered and the socket stays; a wrong key ends it.

use super::Hub;
use super::outbox::text;
use super::sockets::Presence;
use crate::coordinator::fleet::Line;
use crate::model::ids::{Uuid, WorkerId};
use crate::model::state::State;
use crate::wire::{ConnectorHealth, Metrics};
use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Bytes of one frame at the most.
pub const FRAME_LIMIT_BYTES: usize = 1 << 20;

/// Time in which a worker that is not known here may turn up in the state, ms.
const READ_MS: u64 = 1_000;

/// Time in which the network has to take one frame, s.
const SEND_S: u64 = 10;

/// Time for a worker to say who it is, s.
const IDENTIFY_S: u64 = 30;

/// Looks at a silence for each of these parts of the deadline.
const LOOKS_PER_DEADLINE: u32 = 20;

/// What a heartbeat carries, over a socket or REST.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Heartbeat {
    /// Records taken in since the process started.
    #[serde(default)]
    pub events_processed: u64,
    /// Pipelines that run.
    #[serde(default)]
    pub pipelines_running: u32,
    /// What they do.
    #[serde(default)]
    pub pipeline_metrics: Vec<PipelineBeat>,
}

/// What a pipeline does, as workers with heartbeats say it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PipelineBeat {
    /// Its name.
    pub pipeline_name: String,
    /// Records taken in.
    #[serde(default)]
    pub events_in: u64,
    /// Records put out.
    #[serde(default)]
    pub events_out: u64,
    /// Its connections.
    #[serde(default)]
    pub connector_health: Vec<ConnectorHealth>,
}

impl Heartbeat {
    /// What is kept of it. Its pipelines are not ours and have no keys, so they are not.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            events_processed: self.events_processed,
            pipelines_running: self.pipelines_running,
            pipelines: Vec::new(),
        }
    }
}

/// From a worker.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum FromWorker {
    Identify {
        worker_id: String,
        #[serde(default)]
        api_key: Option<String>,
        #[serde(default)]
        instance: Option<Uuid>,
    },
    Heartbeat(Heartbeat),
}

/// To a worker.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum ToWorker {
    IdentifyAck { heartbeat_interval_secs: u64 },
    HeartbeatAck,
    Error { message: String },
}

/// A worker that has said who it is.
struct Identified {
    worker: WorkerId,
    /// The process that it named.
    named: Option<Uuid>,
    /// The process that it is taken for.
    instance: Uuid,
    presence: Presence,
}

/// What is done after a frame.
enum Then {
    Stay(ToWorker),
    Leave(ToWorker),
}

/// Serves a socket to its end.
pub(super) async fn serve(hub: Arc<Hub>, mut socket: WebSocket) {
    let mut identified = None;
    let reason = run(&hub, &mut socket, &mut identified).await;
    if let Some(Identified { worker, presence, .. }) = identified {
        drop(presence);
        tracing::info!(%worker, "WebSocket disconnected: {worker} ({reason})");
    }
    // It is gone either way.
    let _ = timeout(Duration::from_secs(1), SinkExt::close(&mut socket)).await;
}

async fn run(hub: &Arc<Hub>, socket: &mut WebSocket, identified: &mut Option<Identified>) -> String {
    let opened = Instant::now();
    let mut looks = interval(hub.config.deadlines.heartbeat / LOOKS_PER_DEADLINE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let replaced = async {
            match &*identified {
                Some(known) => known.presence.replaced().await,
                None => std::future::pending().await,
            }
        };
        let frame = tokio::select! {
            biased;
            frame = socket.recv() => frame,
            () = replaced => return "a newer socket of the same worker is here".into(),
            () = hub.closed() => return "this coordinator is stopping".into(),
            _ = looks.tick() => {
                let now = Instant::now();
                match identified {
                    Some(known) => known.presence.tick(now),
                    None if now.saturating_duration_since(opened) > Duration::from_secs(IDENTIFY_S) => {
                        return "it did not say who it is".into();
                    }
                    None => {}
                }
                continue;
            }
        };
        let then = match frame {
            None => return "the connection ended".into(),
            Some(Err(error)) => return error.to_string(),
            Some(Ok(Message::Close(_))) => return "the worker closed it".into(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(frame)) => match frame.to_text().ok().map(serde_json::from_str) {
                Some(Ok(FromWorker::Identify { worker_id, api_key, instance })) => {
                    identify(hub, &worker_id, api_key.as_deref(), instance, identified).await
                }
                Some(Ok(FromWorker::Heartbeat(heartbeat))) => beat(hub, &heartbeat, identified),
                Some(Err(error)) => Then::Stay(ToWorker::Error { message: error.to_string() }),
                None => Then::Stay(error("frames are to be texts")),
            },
        };
        let (answer, is_last) = match then {
            Then::Stay(answer) => (answer, false),
            Then::Leave(answer) => (answer, true),
        };
        match timeout(Duration::from_secs(SEND_S), socket.send(text(&answer))).await {
            Ok(Ok(())) if !is_last => {}
            Ok(Ok(())) => return "it was refused".into(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("it took nothing for {SEND_S} s"),
        }
    }
}

fn error(message: &str) -> ToWorker {
    ToWorker::Error { message: message.into() }
}

async fn identify(
    hub: &Arc<Hub>,
    name: &str,
    api_key: Option<&str>,
    named: Option<Uuid>,
    identified: &mut Option<Identified>,
) -> Then {
    if !(hub.config.may_register)(api_key) {
        return Then::Leave(error("the key is not one that may register workers"));
    }
    let worker = WorkerId::new(name);
    let agreement = &hub.parts.agreement;
    let mut state: Arc<State> = agreement.watch().borrow().clone();
    if !state.workers.contains_key(&worker)
        && let Some(newer) = agreement.read(Duration::from_millis(READ_MS)).await
    {
        state = newer;
    }
    let Some(known) = state.workers.get(&worker) else {
        return Then::Stay(error("there is no such worker: register it first"));
    };
    if named.is_some_and(|named| named != known.instance) {
        return Then::Leave(error("superseded: another process of this worker is registered"));
    }
    let instance = known.instance;
    let presence = open(hub, &worker, instance);
    if identified.replace(Identified { worker, named, instance, presence }).is_none() {
        tracing::info!(worker = name, "WebSocket connected: {name}");
    }
    let heartbeat_interval_secs = hub.config.heartbeat_interval.as_secs().max(1);
    Then::Stay(ToWorker::IdentifyAck { heartbeat_interval_secs })
}

fn open(hub: &Arc<Hub>, worker: &WorkerId, instance: Uuid) -> Presence {
    let deadline = hub.config.deadlines.heartbeat;
    hub.sockets.open(worker.clone(), Some(instance), Line::Frames, deadline, Instant::now())
}

fn beat(hub: &Arc<Hub>, heartbeat: &Heartbeat, identified: &mut Option<Identified>) -> Then {
    let Some(known) = identified else { return Then::Stay(error("Identify comes before Heartbeat")) };
    // One that names no process is taken for the one that is registered, also when it has registered anew.
    let registered = hub.parts.agreement.watch().borrow().workers.get(&known.worker).map(|worker| worker.instance);
    match registered {
        Some(instance) if instance != known.instance && known.named.is_some() => {
            return Then::Leave(error("superseded: another process of this worker is registered"));
        }
        Some(instance) if instance != known.instance => {
            known.instance = instance;
            known.presence = open(hub, &known.worker, instance);
        }
        Some(_) => {}
        None => return Then::Stay(error("there is no such worker: register it first")),
    }
    known.presence.heard(Instant::now());
    known.presence.does(heartbeat.metrics());
    Then::Stay(ToWorker::HeartbeatAck)
}
