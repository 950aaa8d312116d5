//! The HTTP source: a server that takes objects in and answers when their effects are safe.
//!
//! ```text
//!   POST ──> checks ──> inbox (bounded) ──> HttpSource::receive
//!   200  <── all of the request's objects <── HttpSource::acknowledge
//! ```
//! Invariant: a request is answered with 200 only after every object in it was acknowledged; one that is answered otherwise
//! before its objects were taken in leaves none behind.

use super::body::{BodyError, split};
use crate::mqtt::{Message, Qos, Receipt};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, oneshot, watch};

/// The largest body of a request.
pub const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// How long a request may take to come in.
const INTAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request waits for the effects of its objects.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at a time; further ones wait to be accepted.
const CONNECTION_LIMIT: usize = 1024;
/// What a waiting message costs beside its payload, for the bound in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 128;
/// How long the last answers may take to leave.
const FAREWELL: Duration = Duration::from_millis(200);
/// How long nothing is accepted after that has failed, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a source needs.
#[derive(Clone)]
pub struct HttpSourceConfig {
    /// Name or address to listen on.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Paths that are served.
    pub paths: Vec<String>,
    /// What requests have to carry as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// Bytes of received objects that may wait for [`HttpSource::receive`].
    pub inbox_limit_bytes: usize,
}

impl HttpSourceConfig {
    /// A source with the defaults: no token, 64 MiB inbox.
    pub fn new(host: impl Into<String>, port: u16, paths: impl IntoIterator<Item = String>) -> HttpSourceConfig {
        let paths = paths.into_iter().collect();
        HttpSourceConfig { host: host.into(), port, paths, token: None, inbox_limit_bytes: 64 * 1024 * 1024 }
    }
}

impl std::fmt::Debug for HttpSourceConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSourceConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("paths", &self.paths)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("inbox_limit_bytes", &self.inbox_limit_bytes)
            .finish()
    }
}

/// What a source has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpSourceCounters {
    /// Objects taken in.
    pub received: u64,
    /// Requests answered with 200.
    pub answered: u64,
    /// Requests refused with 4xx.
    pub refused: u64,
    /// Requests turned away with 503: no room, stopping, or not safe in time.
    pub turned_away: u64,
}

/// A running HTTP source. Dropping it closes its connections.
pub struct HttpSource {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Mutex<Option<Serving>>,
}

/// The thread, and what tells that it has nothing more to do.
struct Serving {
    thread: JoinHandle<()>,
    done: Receiver<()>,
}

impl HttpSource {
    /// Listens. `wake` is called, on the source's thread, when objects arrive in an empty inbox; it must not block.
    pub fn start(config: HttpSourceConfig, wake: impl Fn() + Send + Sync + 'static) -> Result<HttpSource, String> {
        let place = format!("{}:{}", config.host, config.port);
        let failed = |error: std::io::Error| format!("cannot listen on {place}: {error}");
        let listener = TcpListener::bind((&*config.host, config.port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let inner = Inner { intake: true, ..Inner::default() };
        let shared = Arc::new(Shared {
            config,
            inner: Mutex::new(inner),
            wake: Box::new(wake),
            closing: watch::Sender::new(false),
            abort: Notify::new(),
        });
        let (of_thread, (sender, done)) = (shared.clone(), channel());
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(&of_thread, listener) => {}
                    () = of_thread.abort.notified() => {}
                }
            });
            runtime.shutdown_background();
            // Nobody may be waiting for it.
            _ = sender.send(());
        };
        let thread = thread::Builder::new().name("http-source".into()).spawn(run).map_err(failed)?;
        Ok(HttpSource { shared, address, thread: Mutex::new(Some(Serving { thread, done })) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes up to `limit` objects of those that have come; does not wait.
    pub fn receive(&self, limit: usize) -> Vec<Message> {
        let mut inner = self.shared.lock();
        let count = limit.min(inner.inbox.len());
        let messages: Vec<Message> = inner.inbox.drain(..count).collect();
        inner.inbox_bytes -= messages.iter().map(|message| cost(&message.payload)).sum::<usize>();
        messages
    }

    /// The effects of these objects are safe.
    pub fn acknowledge(&self, receipts: impl IntoIterator<Item = Receipt>) {
        let mut inner = self.shared.lock();
        for receipt in receipts {
            inner.acknowledge(receipt);
        }
    }

    /// Takes no more objects in: requests are answered with 503, also those whose objects nobody has received so far.
    pub fn stop_intake(&self) {
        let mut inner = self.shared.lock();
        inner.intake = false;
        for message in std::mem::take(&mut inner.inbox) {
            inner.turn_away(message.receipt);
        }
        inner.inbox_bytes = 0;
    }

    /// What was counted so far.
    pub fn counters(&self) -> HttpSourceCounters {
        self.shared.lock().counters
    }

    /// Takes no more in, waits until the deadline for the effects of what was received, answers the requests that are left
    /// with 503, and ends.
    pub fn close(&self, timeout: Duration) {
        self.stop_intake();
        self.shared.closing.send_replace(true);
        let Some(Serving { thread, done }) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        if done.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            self.shared.lock().waiting.clear();
            // The deadline is over: answers that do not leave by then are not waited for.
            _ = done.recv_timeout(FAREWELL);
        }
        self.shared.abort.notify_one();
        // A panic of the thread leaves nothing to clean up: its connections are gone.
        drop(thread.join());
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

fn cost(payload: &Bytes) -> usize {
    payload.len() + MESSAGE_OVERHEAD_BYTES
}

/// A request whose objects are on their way.
struct Waiting {
    count: u64,
    left: u64,
    answer: oneshot::Sender<()>,
}

#[derive(Default)]
struct Inner {
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    intake: bool,
    last_receipt: u64,
    /// By the receipt of its first object; the others follow it without gaps.
    waiting: BTreeMap<u64, Waiting>,
    counters: HttpSourceCounters,
}

impl Inner {
    /// The request of this object is answered as if there were no room.
    fn turn_away(&mut self, receipt: Receipt) {
        let first = self.waiting.range(..=receipt.0).next_back().map(|(first, _)| *first);
        if let Some(first) = first.filter(|first| receipt.0 < first + self.waiting[first].count) {
            self.waiting.remove(&first);
        }
    }

    fn acknowledge(&mut self, receipt: Receipt) {
        let Some((first, request)) = self.waiting.range_mut(..=receipt.0).next_back() else { return };
        let first = *first;
        if receipt.0 >= first + request.count {
            // It belongs to a request that was told to come again.
            return;
        }
        request.left -= 1;
        if request.left == 0
            && let Some(request) = self.waiting.remove(&first)
        {
            // Fails if the client has gone, or has been told to come again.
            _ = request.answer.send(());
        }
    }
}

struct Shared {
    config: HttpSourceConfig,
    inner: Mutex<Inner>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Connections are to end when what they are doing is done.
    closing: watch::Sender<bool>,
    abort: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the objects of a request in, all or none; what is told when their effects are safe.
    fn take_in(&self, path: &str, objects: Vec<Bytes>) -> Result<oneshot::Receiver<()>, Refusal> {
        let mut inner = self.lock();
        if !inner.intake {
            return Err(Refusal::unavailable("this run is stopping"));
        }
        let bytes: usize = objects.iter().map(cost).sum();
        // One request is always taken by an empty inbox.
        if inner.inbox_bytes + bytes > self.config.inbox_limit_bytes && !inner.inbox.is_empty() {
            return Err(Refusal::unavailable("the pipeline is behind; send it again later"));
        }
        let (answer, told) = oneshot::channel();
        let (first, empty) = (inner.last_receipt + 1, inner.inbox.is_empty());
        let count = objects.len() as u64;
        inner.waiting.insert(first, Waiting { count, left: count, answer });
        inner.inbox_bytes += bytes;
        inner.counters.received += objects.len() as u64;
        let topic: Arc<str> = path.into();
        for payload in objects {
            inner.last_receipt += 1;
            let receipt = Receipt(inner.last_receipt);
            inner.inbox.push_back(message(payload, topic.clone(), receipt));
        }
        drop(inner);
        if empty {
            (self.wake)();
        }
        Ok(told)
    }
}

/// Nothing tells whether an object comes again: it is named like a message that is delivered once.
fn message(payload: Bytes, topic: Arc<str>, receipt: Receipt) -> Message {
    Message { payload, topic, packet_id: 0, dup: false, retain: false, generation: 0, qos: Qos::AtMostOnce, receipt }
}

/// An answer other than 200.
struct Refusal {
    status: StatusCode,
    text: String,
    header: Option<(hyper::header::HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal { status, text: text.into(), header: None }
    }

    fn unavailable(text: &str) -> Refusal {
        Refusal { header: Some((RETRY_AFTER, "1")), ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }
}

/// Serves connections until the source is closed, then until all of them have ended.
async fn accept(shared: &Arc<Shared>, listener: TcpListener) {
    // Fails only outside of a runtime; without a listener nobody can connect.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let connections = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    let mut closing = shared.closing.subscribe();
    tokio::select! {
        () = serve_all(shared, &listener, &connections) => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    // Whoever connects from here on is refused by the machine.
    drop(listener);
    // Fails only for a closed semaphore.
    _ = connections.acquire_many(CONNECTION_LIMIT as u32).await;
}

async fn serve_all(shared: &Arc<Shared>, listener: &tokio::net::TcpListener, connections: &Arc<Semaphore>) {
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    serve(shared, stream).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Without it small answers wait for the acknowledgement of the one before; nothing is lost if it fails.
    _ = stream.set_nodelay(true);
    let mut closing = shared.closing.subscribe();
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(respond(&shared, request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(INTAKE_TIMEOUT);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    // It ends when the client leaves, or does not speak HTTP; neither is ours to report.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    _ = connection.await;
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let answer = answer(shared, request).await;
    {
        let counters = &mut shared.lock().counters;
        *match &answer {
            Ok(_) => &mut counters.answered,
            Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => &mut counters.turned_away,
            Err(_) => &mut counters.refused,
        } += 1;
    }
    let (status, body, header) = match answer {
        Ok(accepted) => (StatusCode::OK, serde_json::json!({ "accepted": accepted }), None),
        Err(Refusal { status, text, header }) => (status, serde_json::json!({ "error": text }), header),
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
    }
    response
}

/// Takes a request in and waits until its effects are safe: how many objects it had.
async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<usize, Refusal> {
    let path = request.uri().path().to_owned();
    check(&shared.config, &request, &path)?;
    let objects = split(&body(request).await?).map_err(|error| {
        let status = match &error {
            BodyError::Bad(_) => StatusCode::BAD_REQUEST,
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Refusal::new(status, error.to_string())
    })?;
    let count = objects.len();
    let told = shared.take_in(&path, objects)?;
    match tokio::time::timeout(ANSWER_TIMEOUT, told).await {
        Ok(Ok(())) => Ok(count),
        _ => Err(Refusal::unavailable("it was taken in, but its effects are not safe yet; it may be sent again")),
    }
}

/// Refuses what the body cannot change.
fn check(config: &HttpSourceConfig, request: &Request<Incoming>, path: &str) -> Result<(), Refusal> {
    if !config.paths.iter().any(|served| served == path) {
        let served = config.paths.join(", ");
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nothing is taken in at {path}; try {served}")));
    }
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "send events with POST");
        return Err(Refusal { header: Some((ALLOW, "POST, PUT")), ..refusal });
    }
    let given = request.headers().get(AUTHORIZATION).map(hyper::header::HeaderValue::as_bytes);
    if config.token.as_ref().is_some_and(|token| !given.is_some_and(|given| is_bearer(given, token.as_bytes()))) {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "send the token as Authorization: Bearer");
        return Err(Refusal { header: Some((WWW_AUTHENTICATE, "Bearer")), ..refusal });
    }
    let too_large = request.body().size_hint().lower() > BODY_LIMIT_BYTES as u64;
    if too_large { Err(body_too_large()) } else { Ok(()) }
}

/// Takes as long for a wrong token as for the right one.
fn is_bearer(given: &[u8], token: &[u8]) -> bool {
    let Some((scheme, given)) = given.split_at_checked("Bearer ".len()) else { return false };
    let different = given.iter().zip(token).fold(0, |different, (a, b)| different | (a ^ b));
    scheme.eq_ignore_ascii_case(b"Bearer ") && given.len() == token.len() && different == 0
}

fn body_too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {BODY_LIMIT_BYTES} bytes"))
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let collect = Limited::new(request.into_body(), BODY_LIMIT_BYTES).collect();
    match tokio::time::timeout(INTAKE_TIMEOUT, collect).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(body_too_large()),
        Ok(Err(error)) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}
