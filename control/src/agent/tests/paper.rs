//! Coordinators of paper, and the pipes that lead to them.

use crate::seams::memory::MemoryDisk;
use crate::seams::{BoxStream, Clock, Entropy, Listener, Net, Pending, Seams};
use crate::wire::{AGENT_PATH, ToAgent, ToCoordinator, Verdict};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{StatusCode, Uri};
use axum::routing::{any, get};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep};
use uuid::Uuid;

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
pub async fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// By address, where the far ends of new connections go.
#[derive(Default)]
pub struct Pipes {
    ends: Mutex<BTreeMap<String, mpsc::UnboundedSender<DuplexStream>>>,
}

/// A coordinator.
#[derive(Clone)]
pub struct Paper(Arc<Mutex<Sheet>>);

#[derive(Default)]
struct Sheet {
    log: Vec<(Instant, ToCoordinator)>,
    opened: usize,
    open: Vec<mpsc::UnboundedSender<Step>>,
    no_quorum: bool,
    silent: bool,
    refuses: Option<String>,
    welcome_after: Duration,
}

enum Step {
    Say(ToAgent),
    Close,
}

impl Pipes {
    pub fn new() -> Arc<Pipes> {
        Arc::default()
    }

    pub fn seams(self: &Arc<Pipes>) -> Seams {
        let count = Arc::new(Count::default());
        Seams { net: self.clone(), disk: Arc::new(MemoryDisk::new()), clock: count.clone(), entropy: count }
    }

    /// A coordinator that works.
    pub fn coordinator(&self, address: &str) -> Paper {
        let paper = Paper(Arc::default());
        let at_socket = paper.clone();
        let router = Router::new()
            .route(
                AGENT_PATH,
                get(move |upgrade: WebSocketUpgrade| async move {
                    upgrade.on_upgrade(move |socket| at_socket.serve(socket))
                }),
            )
            .route("/ready", get(|| async { "ready" }));
        self.serve(address, router);
        paper
    }

    /// One that answers nothing, as long as what is given is kept.
    pub fn hanging(&self, address: &str) -> mpsc::UnboundedReceiver<DuplexStream> {
        self.open(address)
    }

    /// Something that has no WebSocket and takes what is posted; gives the paths.
    pub fn without_websockets(&self, address: &str) -> Arc<Mutex<Vec<String>>> {
        let paths: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = paths.clone();
        let post = move |uri: Uri| {
            noted.lock().expect("nobody panics with it").push(uri.path().to_owned());
            std::future::ready("{}")
        };
        let router = Router::new().route(AGENT_PATH, any(|| async { StatusCode::NOT_FOUND })).fallback(post);
        self.serve(address, router);
        paths
    }

    /// Nobody is there any more.
    pub fn remove(&self, address: &str) {
        self.ends.lock().expect("nobody panics with it").remove(address);
    }

    fn open(&self, address: &str) -> mpsc::UnboundedReceiver<DuplexStream> {
        let (end, connections) = mpsc::unbounded_channel();
        self.ends.lock().expect("nobody panics with it").insert(address.into(), end);
        connections
    }

    fn serve(&self, address: &str, router: Router) {
        let connections = self.open(address);
        tokio::spawn(async move { axum::serve(Door(connections), router).await });
    }
}

impl Net for Pipes {
    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<BoxStream>> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let ends = self.ends.lock().expect("nobody panics with it");
        let connected = match ends.get(address).map(|end| end.send(far)) {
            Some(Ok(())) => Ok(Box::new(near) as BoxStream),
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        };
        Box::pin(std::future::ready(connected))
    }

    fn listen<'a>(&'a self, _: &'a str) -> Pending<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
}

/// Takes connections for a server.
struct Door(mpsc::UnboundedReceiver<DuplexStream>);

impl axum::serve::Listener for Door {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lock(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().expect("nobody panics with it")
    }

    /// Live sockets of workers that were let in.
    pub fn sockets(&self) -> usize {
        self.lock().open.iter().filter(|socket| !socket.is_closed()).count()
    }

    /// Calls so far.
    pub fn opened(&self) -> usize {
        self.lock().opened
    }

    /// Says something on all sockets.
    pub fn say(&self, frame: ToAgent) {
        self.lock().open.retain(|socket| socket.send(Step::Say(frame.clone())).is_ok());
    }

    /// Closes all sockets.
    pub fn close(&self) {
        for socket in self.lock().open.drain(..) {
            // It may be closed already.
            _ = socket.send(Step::Close);
        }
    }

    pub fn lose_quorum(&self) {
        self.lock().no_quorum = true;
    }

    /// Says nothing any more, and closes nothing.
    pub fn fall_silent(&self) {
        self.lock().silent = true;
    }

    pub fn refuse(&self, code: &str) {
        self.lock().refuses = Some(code.into());
    }

    pub fn welcome_after(&self, wait: Duration) {
        self.lock().welcome_after = wait;
    }

    pub fn heard(&self, is: impl Fn(&ToCoordinator) -> bool) -> bool {
        !self.times(is).is_empty()
    }

    /// When frames came.
    pub fn times(&self, is: impl Fn(&ToCoordinator) -> bool) -> Vec<Instant> {
        self.lock().log.iter().filter(|(_, frame)| is(frame)).map(|(at, _)| *at).collect()
    }

    async fn serve(self, mut socket: WebSocket) {
        let (steps, mut todo) = mpsc::unbounded_channel();
        let mut pings = interval(Duration::from_millis(250));
        let mut is_in = false;
        loop {
            let answer = tokio::select! {
                biased;
                Some(step) = todo.recv() => match step {
                    Step::Say(frame) => Some(frame),
                    Step::Close => return,
                },
                frame = socket.recv() => {
                    let Some(Ok(Message::Text(text))) = frame else { return };
                    let frame: ToCoordinator = serde_json::from_str(&text).expect("agents send frames");
                    let answer = self.answer(&frame).await;
                    if matches!(answer, Some(ToAgent::Welcome { .. })) {
                        is_in = true;
                        self.lock().open.push(steps.clone());
                    }
                    answer
                }
                _ = pings.tick() => is_in.then_some(ToAgent::Ping { number: 0 }),
            };
            if let Some(answer) = answer.filter(|_| !self.lock().silent) {
                let text = serde_json::to_string(&answer).expect("it is a frame");
                let is_refusal = matches!(answer, ToAgent::Refused { .. });
                if socket.send(Message::text(text)).await.is_err() || is_refusal {
                    return;
                }
            }
        }
    }

    async fn answer(&self, frame: &ToCoordinator) -> Option<ToAgent> {
        self.lock().log.push((Instant::now(), frame.clone()));
        match frame {
            ToCoordinator::Hello(_) => {
                self.lock().opened += 1;
                let (wait, refuses) = {
                    let sheet = self.lock();
                    (sheet.welcome_after, sheet.refuses.clone())
                };
                sleep(wait).await;
                Some(match refuses {
                    Some(code) => ToAgent::Refused { code, message: "no".into() },
                    None => ToAgent::Welcome {
                        cluster: Uuid::from_u128(3),
                        node: 1,
                        coordinators: Vec::new(),
                        ping_interval_ms: 250,
                    },
                })
            }
            ToCoordinator::Ping { number } => {
                Some(ToAgent::Pong { number: *number, has_quorum: !self.lock().no_quorum })
            }
            ToCoordinator::Owner { request, .. } => Some(ToAgent::Owned { request: *request, verdict: Verdict::Owner }),
            _ => None,
        }
    }
}

/// A clock and a source of numbers that count.
#[derive(Default)]
struct Count(AtomicU64);

impl Clock for Count {
    fn now_ms(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Entropy for Count {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}
