//! Keeps a socket to some coordinator: calls one after the other, goes back home when home is ready again.
//!
//! Invariants: at any time at most one socket carries frames for the keeper; when the worker moves of its own will the new socket
//! is up before it takes leave of the old one; whatever other coordinators do or do not answer, the present socket is served.

use super::beats::Beats;
use super::engine::Engine;
use super::home::Homes;
use super::keeper::{ToKeeper, is_some, is_true};
use super::socket::{NoSocket, Reader, Socket, Writer, connect};
use super::warrant::Desk;
use super::{AgentConfig, Board, Ended, uptime};
use crate::http_client::HttpClient;
use crate::seams::{Pending, Seams};
use crate::wire::{ToAgent, ToCoordinator};
use hyper::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Frames that may wait to be written.
const OUTGOING: usize = 4096;
/// A coordinator that is silent for this long is given up.
const DEADLINE: Duration = Duration::from_millis(700);
/// Time between our pings, unless the coordinator says otherwise.
const PING: Duration = Duration::from_millis(250);
/// How often home is asked whether it is ready.
const ASK_HOME: Duration = Duration::from_millis(500);
/// How long its answer may take.
const HOME_PATIENCE: Duration = Duration::from_millis(400);
/// Waits between attempts: from here, doubling, to there.
const BACKOFF_MS: (u64, u64) = (50, 500);
/// The wait between two calls of a coordinator that has said that it does not want this worker.
const REFUSED: Duration = Duration::from_secs(30);
/// The least wait after that before another one is called.
const REFUSED_LEAST: Duration = Duration::from_secs(5);
/// So many answers in a row have to say that there is no WebSocket before heartbeats are sent over REST instead.
const NO_WEBSOCKETS: u32 = 3;
/// For so long a coordinator without a majority is put up with when the worker has only just come to it: all may be like it.
const SETTLE: Duration = Duration::from_secs(1);

pub struct Line {
    pub config: AgentConfig,
    pub seams: Seams,
    pub board: Arc<Board>,
    pub keeper: mpsc::Sender<ToKeeper>,
    pub desk: Desk,
    pub engine: Arc<dyn Engine>,
    pub http: HttpClient,
    pub stop: watch::Receiver<bool>,
    pub end: watch::Sender<Option<Ended>>,
}

/// Why a socket is not used any more.
enum Over {
    /// It ended, or is as good as ended.
    Lost(String),
    /// Another one is up instead.
    Moved(Box<Move>),
    /// The coordinator does not want this worker any more; how long to wait then.
    Refused(Duration),
    /// The agent ends, by itself or as asked.
    Ends,
}

/// A socket to another coordinator.
struct Move {
    url: String,
    reason: String,
    socket: Socket,
}

/// What goes on beside the present socket, without holding it up.
#[derive(Default)]
struct Beside {
    /// Home is asked whether it is ready.
    asking: Option<Pending<'static, bool>>,
    /// Another coordinator is called.
    calling: Option<Pending<'static, Result<Move, NoSocket>>>,
}

impl Line {
    pub async fn run(mut self) {
        let mut homes = Homes::new(self.config.coordinators.clone());
        let (mut attempts, mut without): (u32, u32) = (0, 0);
        loop {
            if self.ends() {
                return;
            }
            let Some(url) = homes.current().map(String::from) else { return };
            let hello = self.config.hello(&self.board);
            let wait = match connect(&*self.seams.net, &url, hello).await {
                Ok(socket) => {
                    (attempts, without) = (0, 0);
                    match self.serve_from(url, socket, &mut homes).await {
                        Some(wait) => wait,
                        None => return,
                    }
                }
                Err(NoSocket::Refused { code, message }) => match self.refused(&url, &code, message) {
                    Some(wait) => (wait / homes.count()).max(REFUSED_LEAST),
                    None => return,
                },
                Err(NoSocket::NoWebSocket(why)) => {
                    tracing::warn!(why, "the coordinator has no WebSocket for workers");
                    without += 1;
                    if without >= NO_WEBSOCKETS {
                        self.beat(&url).await;
                    }
                    self.backoff(attempts)
                }
                Err(NoSocket::Unreachable(why)) => {
                    without = 0;
                    if attempts.is_power_of_two() || attempts == 0 {
                        tracing::warn!(why, "no coordinator there");
                    }
                    self.backoff(attempts)
                }
            };
            attempts = attempts.saturating_add(1);
            homes.move_on();
            tokio::select! {
                () = sleep(wait) => {}
                () = is_true(&mut self.stop) => {}
            }
        }
    }

    /// Sends heartbeats over REST for a while, so that this worker is at least seen, until a WebSocket is tried again.
    async fn beat(&mut self, url: &str) {
        let beats = Beats { config: &self.config, http: &self.http, url };
        tokio::select! {
            result = beats.run(&*self.engine) => match result {
                Ok(()) => {}
                Err(why) => tracing::warn!(url, why, "no heartbeats over REST either"),
            },
            () = is_true(&mut self.stop) => {}
        }
    }

    fn ends(&self) -> bool {
        *self.stop.borrow() || self.end.borrow().is_some()
    }

    fn backoff(&self, attempts: u32) -> Duration {
        let (least, most) = BACKOFF_MS;
        let longest = (least << attempts.min(10)).min(most);
        Duration::from_millis(longest / 2 + self.seams.entropy.next_u64() % (longest / 2 + 1))
    }

    /// How long to wait before it is called again; `None`: the agent ends.
    fn refused(&self, url: &str, code: &str, message: String) -> Option<Duration> {
        let ended = match code {
            "superseded" => Ended::Superseded(self.config.worker.clone()),
            // What runs goes on: the coordinators may be the ones that are wrong.
            "foreign_cluster" if self.engine.metrics().pipelines_running == 0 => Ended::ForeignCluster(message),
            _ => {
                tracing::error!(url, code, message, "the coordinator does not take this worker in");
                return Some(REFUSED);
            }
        };
        tracing::error!("{ended}");
        self.end.send_replace(Some(ended));
        None
    }

    /// Uses sockets, the first of which is given, until there is none; how long to wait then. `None`: the agent ends.
    async fn serve_from(&mut self, mut url: String, mut socket: Socket, homes: &mut Homes) -> Option<Duration> {
        loop {
            let ToAgent::Welcome { cluster, coordinators, ping_interval_ms, node } = &socket.welcome else {
                return Some(REFUSED);
            };
            tracing::info!(url, node, worker = %self.config.worker, "joined the cluster");
            homes.learn(coordinators);
            let ping = Duration::from_millis((*ping_interval_ms).max(1)).min(PING);
            let (frames, outgoing) = mpsc::channel(OUTGOING);
            self.desk.connect(Some(frames.clone()));
            {
                let mut posted = self.board.lock();
                posted.connected_to = Some(url.clone());
                posted.welcomed = true;
            }
            let Socket { mut writer, mut reader, said, .. } = socket;
            let up = ToKeeper::Up { cluster: *cluster, frames, said };
            if self.keeper.send(up).await.is_err() {
                return None;
            }
            let over = self.hold((&mut writer, &mut reader), outgoing, ping, homes).await;
            if let Over::Moved(to) = over {
                homes.is_at(&to.url);
                tracing::info!(from = url, to = to.url, reason = to.reason, "the worker moves");
                // The old coordinator sees the other socket either way.
                tokio::spawn(writer.leave(to.reason));
                (url, socket) = (to.url, to.socket);
                continue;
            }
            self.desk.connect(None);
            self.board.lock().connected_to = None;
            _ = self.keeper.send(ToKeeper::Down).await;
            return match over {
                Over::Moved(_) => Some(Duration::ZERO),
                Over::Refused(wait) => Some((wait / homes.count()).max(REFUSED_LEAST)),
                Over::Lost(why) => {
                    tracing::warn!(url, why, "the socket to the coordinator is lost");
                    Some(Duration::ZERO)
                }
                Over::Ends => {
                    writer.leave("the worker stops".into()).await;
                    None
                }
            };
        }
    }

    /// Carries frames both ways until the socket is over. Frames come first, so that a silence is found only when nothing waits
    /// to be read.
    async fn hold(
        &mut self,
        (writer, reader): (&mut Writer, &mut Reader),
        mut outgoing: mpsc::Receiver<ToCoordinator>,
        ping: Duration,
        homes: &mut Homes,
    ) -> Over {
        let began = Instant::now();
        let (mut pings, mut ask_home) = (interval(ping), interval(ASK_HOME));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ask_home.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heard, mut looked, mut number) = (began, began, 0_u64);
        let mut end = self.end.subscribe();
        let mut beside = Beside::default();
        loop {
            tokio::select! {
                biased;
                frame = reader.next() => match frame {
                    Ok(frame) => {
                        heard = Instant::now();
                        if let ToAgent::Pong { has_quorum: false, .. } = frame {
                            if began.elapsed() > SETTLE && beside.calling.is_none() {
                                beside.calling = self.call(homes.another(), "the other one has no majority");
                            }
                        } else if let Some(over) = self.frame(frame, writer).await {
                            return over;
                        }
                    }
                    Err(why) => return Over::Lost(why),
                },
                () = is_some(&mut end) => return Over::Ends,
                frame = outgoing.recv() => {
                    let Some(frame) = frame else {
                        return if *self.stop.borrow() { Over::Ends } else { Over::Lost("too many frames wait".into()) };
                    };
                    if let Err(why) = writer.send(&frame).await {
                        return Over::Lost(why);
                    }
                }
                _ = pings.tick() => {
                    // A process that was paused has heard nothing because it did not listen.
                    let paused = looked.elapsed() > DEADLINE / 2;
                    looked = Instant::now();
                    if paused {
                        heard = looked;
                    } else if heard.elapsed() > DEADLINE {
                        return Over::Lost(format!("silent for {} ms", heard.elapsed().as_millis()));
                    }
                    number += 1;
                    if let Err(why) = writer.send(&ToCoordinator::Ping { number }).await {
                        return Over::Lost(why);
                    }
                }
                called = settled(&mut beside.calling) => match called {
                    Ok(to) => return Over::Moved(Box::new(to)),
                    Err(why) => tracing::warn!(%why, "the worker cannot move there"),
                },
                ready = settled(&mut beside.asking) => {
                    if homes.home_is_ready(ready, uptime(began)) && beside.calling.is_none() {
                        beside.calling = self.call(homes.away_from().map(String::from), "back home");
                    }
                }
                _ = ask_home.tick(), if homes.away_from().is_some() && beside.asking.is_none() => {
                    beside.asking = homes.away_from().map(|home| self.is_ready(home.to_owned()));
                }
            }
        }
    }

    /// Does what a frame asks for here, or hands it to the keeper.
    async fn frame(&self, frame: ToAgent, writer: &mut Writer) -> Option<Over> {
        match frame {
            ToAgent::Ping { number } => {
                let pong = ToCoordinator::Pong { number, metrics: self.engine.metrics() };
                writer.send(&pong).await.err().map(Over::Lost)
            }
            ToAgent::Pong { .. } => None,
            ToAgent::Owned { request, verdict } => {
                self.desk.answer(request, verdict);
                None
            }
            ToAgent::Refused { code, message } => {
                Some(self.refused("", &code, message).map_or(Over::Ends, Over::Refused))
            }
            other => self.keeper.send(ToKeeper::Frame(other)).await.err().map(|_| Over::Ends),
        }
    }

    /// Calls another coordinator, if there is one.
    fn call(&self, url: Option<String>, reason: &'static str) -> Option<Pending<'static, Result<Move, NoSocket>>> {
        let (net, hello, url) = (self.seams.net.clone(), self.config.hello(&self.board), url?);
        Some(Box::pin(async move {
            let socket = connect(&*net, &url, hello).await?;
            Ok(Move { reason: reason.into(), socket, url })
        }))
    }

    fn is_ready(&self, home: String) -> Pending<'static, bool> {
        let http = self.http.clone();
        Box::pin(async move {
            let asked = http.request(&home, Method::GET, "/ready", &[], bytes::Bytes::new(), HOME_PATIENCE).await;
            asked.is_ok_and(|answer| answer.status.is_success())
        })
    }
}

/// Waits for what goes on, and clears its place; for ever if nothing does.
async fn settled<T>(place: &mut Option<Pending<'static, T>>) -> T {
    let Some(pending) = place else { return std::future::pending().await };
    let outcome = pending.await;
    *place = None;
    outcome
}
