//! Keeps a socket to some coordinator: calls one after the other, goes back home when home is ready again.
//!
//! Invariant: at any time at most one socket carries frames for the keeper; when the worker goes home the new one is up before it
//! takes leave of the old one.

use super::engine::Engine;
use super::home::Homes;
use super::keeper::{ToKeeper, is_some, is_true};
use super::socket::{NoSocket, Reader, Socket, Writer, connect};
use super::warrant::Desk;
use super::{AgentConfig, Board, Ended, uptime};
use crate::http_client::HttpClient;
use crate::seams::Seams;
use crate::wire::{ToAgent, ToCoordinator};
use hyper::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

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
/// The wait after a coordinator has said that it does not want this worker.
const REFUSED: Duration = Duration::from_secs(5);

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
    /// The coordinator has no majority.
    NoQuorum,
    /// Home is ready.
    GoHome,
    /// The agent ends, by itself or as asked.
    Ends,
}

impl Line {
    pub async fn run(mut self) {
        let mut homes = Homes::new(self.config.coordinators.clone());
        let mut attempts: u32 = 0;
        loop {
            if self.ends() {
                return;
            }
            let Some(url) = homes.current().map(String::from) else { return };
            let hello = self.config.hello(&self.board);
            let wait = match connect(&*self.seams.net, &url, hello).await {
                Ok(socket) => {
                    attempts = 0;
                    match self.serve_from(url, socket, &mut homes).await {
                        Some(wait) => wait,
                        None => return,
                    }
                }
                Err(NoSocket::Refused { code, message }) => match self.refused(&url, &code, message) {
                    Some(wait) => wait,
                    None => return,
                },
                Err(NoSocket::Unreachable(why)) => {
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

    fn ends(&self) -> bool {
        *self.stop.borrow() || self.end.borrow().is_some()
    }

    fn backoff(&self, attempts: u32) -> Duration {
        let (least, most) = BACKOFF_MS;
        let longest = (least << attempts.min(10)).min(most);
        Duration::from_millis(longest / 2 + self.seams.entropy.next_u64() % (longest / 2 + 1))
    }

    /// How long to wait before the next one is called; `None`: the agent ends.
    fn refused(&self, url: &str, code: &str, message: String) -> Option<Duration> {
        let ended = match code {
            "superseded" => Ended::Superseded(self.config.worker.clone()),
            "foreign_cluster" => Ended::ForeignCluster(message),
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
            let up = ToKeeper::Up { cluster: *cluster, frames: frames.clone() };
            if self.keeper.send(up).await.is_err() {
                return None;
            }
            let Socket { mut writer, mut reader, .. } = socket;
            let over = self.hold((&mut writer, &mut reader), outgoing, frames, ping, homes).await;
            if let Over::GoHome = over {
                let home = homes.away_from().unwrap_or_default().to_owned();
                match connect(&*self.seams.net, &home, self.config.hello(&self.board)).await {
                    Ok(at_home) => {
                        homes.is_home();
                        let reason = format!("back home to {home}");
                        // The old coordinator sees the other socket either way.
                        _ = writer.send(&ToCoordinator::Farewell { reason }).await;
                        tokio::spawn(writer.close());
                        (url, socket) = (home, at_home);
                        continue;
                    }
                    Err(why) => tracing::warn!(%why, "home is ready and does not take this worker in"),
                }
            }
            self.desk.connect(None);
            self.board.lock().connected_to = None;
            _ = self.keeper.send(ToKeeper::Down).await;
            return match over {
                Over::Lost(why) => {
                    tracing::warn!(url, why, "the socket to the coordinator is lost");
                    Some(Duration::ZERO)
                }
                Over::NoQuorum => {
                    tracing::warn!(url, "the coordinator has no majority: another one is called");
                    tokio::spawn(writer.close());
                    Some(Duration::ZERO)
                }
                Over::GoHome => Some(self.backoff(0)),
                Over::Ends => {
                    let reason = "the worker stops".to_owned();
                    _ = writer.send(&ToCoordinator::Farewell { reason }).await;
                    writer.close().await;
                    None
                }
            };
        }
    }

    /// Carries frames both ways until the socket is over.
    async fn hold(
        &mut self,
        (writer, reader): (&mut Writer, &mut Reader),
        mut outgoing: mpsc::Receiver<ToCoordinator>,
        frames: mpsc::Sender<ToCoordinator>,
        ping: Duration,
        homes: &mut Homes,
    ) -> Over {
        let began = Instant::now();
        let (mut pings, mut ask_home) = (interval(ping), interval(ASK_HOME));
        let (mut heard, mut looked, mut number) = (Instant::now(), Instant::now(), 0_u64);
        let mut end = self.end.subscribe();
        // The keeper drops its end when it has stopped all pipelines, or when too much waits to be written.
        drop(frames);
        loop {
            tokio::select! {
                frame = reader.next() => match frame {
                    Ok(frame) => {
                        heard = Instant::now();
                        if let Some(over) = self.frame(frame, writer).await {
                            return over;
                        }
                    }
                    Err(why) => return Over::Lost(why),
                },
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
                _ = ask_home.tick(), if homes.away_from().is_some() => {
                    let home = homes.away_from().unwrap_or_default().to_owned();
                    let ready = self.is_ready(&home).await;
                    if homes.home_is_ready(ready, uptime(began)) {
                        return Over::GoHome;
                    }
                }
                () = is_some(&mut end) => return Over::Ends,
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
            ToAgent::Pong { has_quorum: false, .. } => Some(Over::NoQuorum),
            ToAgent::Pong { .. } => None,
            ToAgent::Owned { request, verdict } => {
                self.desk.answer(request, verdict);
                None
            }
            ToAgent::Refused { code, message } => {
                self.refused("", &code, message).map_or(Some(Over::Ends), |_| Some(Over::Lost("refused".into())))
            }
            other => self.keeper.send(ToKeeper::Frame(other)).await.err().map(|_| Over::Ends),
        }
    }

    async fn is_ready(&self, home: &str) -> bool {
        let asked = self.http.request(home, Method::GET, "/ready", &[], bytes::Bytes::new(), HOME_PATIENCE).await;
        asked.is_ok_and(|answer| answer.status.is_success())
    }
}
