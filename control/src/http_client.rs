//! A small HTTP/1.1 client over [`Net`]: requests with whole bodies, connections that are used again.
//!
//! It follows no redirects and repeats nothing by itself, but for requests that a connection closed by the other side had not
//! taken. Invariant: an error says [`HttpError::NotSent`] only when the other side cannot have seen the request.

use crate::seams::{BoxStream, Net};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of an answer's body at the most, unless [`HttpClient::with_body_limit`] says otherwise.
pub const BODY_LIMIT_BYTES: usize = 64 << 20;

/// Time for connecting at the most, ms.
const CONNECT_MS: u64 = 1_000;

/// Idle connections that are kept for one server.
const IDLE_PER_SERVER: usize = 8;

/// Servers for which idle connections are kept.
const IDLE_SERVERS: usize = 256;

/// Time after which an idle connection is not used any more, s.
const IDLE_S: u64 = 20;

type Sender = SendRequest<Full<Bytes>>;

/// See the module's head. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    net: Arc<dyn Net>,
    idle: Arc<Mutex<BTreeMap<String, Vec<Idle>>>>,
    body_limit_bytes: usize,
}

/// A connection that waits for its next request.
struct Idle {
    sender: Sender,
    since: Instant,
}

/// What a server answered, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server has not seen the request: it may be sent again.
    #[error("{url}: {reason}; the request was not sent")]
    NotSent {
        /// Where it was to go.
        url: String,
        /// Why it did not.
        reason: String,
    },
    /// The request was sent, or part of it; nobody knows what became of it.
    #[error("{url}: {reason}; what became of the request is unknown")]
    Unknown {
        /// Where it went.
        url: String,
        /// What happened instead of an answer.
        reason: String,
    },
}

impl HttpError {
    /// May the server have seen the request?
    pub fn may_have_been_sent(&self) -> bool {
        matches!(self, HttpError::Unknown { .. })
    }
}

/// Where a connection goes, taken from a URL.
struct Target {
    /// `host:port`.
    authority: String,
    /// What stands before every path; empty or without a slash at its end.
    prefix: String,
}

impl HttpClient {
    /// A client without connections.
    pub fn new(net: Arc<dyn Net>) -> HttpClient {
        HttpClient { net, idle: Arc::default(), body_limit_bytes: BODY_LIMIT_BYTES }
    }

    /// The same with another limit for bodies of answers.
    pub fn with_body_limit(mut self, bytes: usize) -> HttpClient {
        self.body_limit_bytes = bytes;
        self
    }

    /// Sends a request and waits for the whole answer. `base_url` is `http://host[:port][/prefix]`; `timeout` covers
    /// connecting, sending and the answer.
    pub async fn request(
        &self,
        base_url: &str,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let url = format!("{}{path_and_query}", base_url.trim_end_matches('/'));
        let not_sent = |reason: String| HttpError::NotSent { url: url.clone(), reason };
        let target = Target::parse(base_url).map_err(&not_sent)?;
        let mut request = build(&target, method, path_and_query, headers, body).map_err(&not_sent)?;
        let deadline = Instant::now() + timeout;
        loop {
            let (mut sender, is_fresh) = match self.take(&target.authority) {
                Some(sender) => (sender, false),
                None => {
                    let patience = deadline.min(Instant::now() + Duration::from_millis(CONNECT_MS));
                    let connecting = timeout_at(patience, self.connect(&target.authority));
                    let sender = connecting.await.unwrap_or_else(|_| Err("no connection in time".into()));
                    (sender.map_err(&not_sent)?, true)
                }
            };
            // A connection that has just been closed gives the request back.
            let sending = timeout_at(deadline, exchange(&mut sender, request, self.body_limit_bytes));
            match sending.await {
                Ok(Ok(answer)) => {
                    self.give_back(target.authority, sender);
                    return Ok(answer);
                }
                Ok(Err(Failure::GivenBack(_, reason))) if is_fresh => return Err(not_sent(reason)),
                Ok(Err(Failure::GivenBack(again, _))) => request = *again,
                Ok(Err(Failure::Lost(reason))) => return Err(HttpError::Unknown { url, reason }),
                Err(_) => return Err(HttpError::Unknown { url, reason: "no answer in time".into() }),
            }
        }
    }

    /// A bare connection to where a URL leads.
    pub async fn open(&self, base_url: &str) -> Result<BoxStream, String> {
        self.stream(&Target::parse(base_url)?.authority).await
    }

    async fn stream(&self, authority: &str) -> Result<BoxStream, String> {
        self.net.connect(authority).await.map_err(|error| error.to_string())
    }

    async fn connect(&self, authority: &str) -> Result<Sender, String> {
        let stream = self.stream(authority).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // Ends with its sender, or when the server closes.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        sender.ready().await.map_err(|error| error.to_string())?;
        Ok(sender)
    }

    /// An idle connection that is not known to be closed.
    fn take(&self, authority: &str) -> Option<Sender> {
        let mut idle = self.idle();
        let connections = idle.get_mut(authority)?;
        while let Some(Idle { sender, since }) = connections.pop() {
            if sender.is_ready() && since.elapsed() < Duration::from_secs(IDLE_S) {
                return Some(sender);
            }
        }
        None
    }

    fn give_back(&self, authority: String, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle();
        if idle.len() >= IDLE_SERVERS && !idle.contains_key(&authority) {
            idle.clear();
        }
        let connections = idle.entry(authority).or_default();
        if connections.len() < IDLE_PER_SERVER {
            connections.push(Idle { sender, since: Instant::now() });
        }
    }

    fn idle(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an exchange failed.
enum Failure {
    /// The connection did not take the request.
    GivenBack(Box<Request<Full<Bytes>>>, String),
    /// Nobody knows.
    Lost(String),
}

async fn exchange(sender: &mut Sender, request: Request<Full<Bytes>>, limit_bytes: usize) -> Result<Answer, Failure> {
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => {
            let reason = error.error().to_string();
            return Err(match error.take_message() {
                Some(request) => Failure::GivenBack(Box::new(request), reason),
                None => Failure::Lost(reason),
            });
        }
    };
    let (head, body) = response.into_parts();
    let body = Limited::new(body, limit_bytes).collect().await;
    let body = body.map_err(|error| Failure::Lost(format!("its answer cannot be read: {error}")))?.to_bytes();
    // The connection takes the next request only when it has seen the end of the body.
    if let Err(error) = sender.ready().await {
        tracing::trace!(%error, "a connection is not kept");
    }
    Ok(Answer { status: head.status, headers: head.headers, body })
}

fn build(
    target: &Target,
    method: Method,
    path_and_query: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::builder().method(method).uri(format!("{}{path_and_query}", target.prefix));
    request = request.header(HOST, &target.authority);
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).map_err(|_| format!("`{name}` is no name of a header"))?;
        let value = HeaderValue::try_from(*value).map_err(|_| format!("the value of {name} cannot be sent"))?;
        request = request.header(name, value);
    }
    request.body(Full::new(body)).map_err(|error| error.to_string())
}

impl Target {
    fn parse(base_url: &str) -> Result<Target, String> {
        if base_url.starts_with("https://") {
            return Err("https is not supported yet: use http, over a network that may be trusted".into());
        }
        let Some(rest) = base_url.strip_prefix("http://") else {
            return Err("a URL is to look like http://host:port".into());
        };
        let (authority, prefix) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        if authority.is_empty() || authority.contains(['@', '?', '#', ' ']) {
            return Err("a URL is to look like http://host:port".into());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Target { authority, prefix: prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::real::TcpNet;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A server that gives each connection to a function.
    async fn serve<F, T>(on_connection: F) -> String
    where
        F: Fn(usize, tokio::net::TcpStream) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(on_connection(number, stream));
                number += 1;
            }
        });
        format!("http://{address}")
    }

    /// Reads a request without a body; `None`: the client has closed.
    async fn read_head(stream: &mut tokio::net::TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        Some(String::from_utf8(head).expect("heads are ASCII"))
    }

    async fn get(client: &HttpClient, url: &str, path: &str) -> Result<Answer, HttpError> {
        client.request(url, Method::GET, path, &[("x-api-key", "k")], Bytes::new(), PATIENCE).await
    }

    #[tokio::test]
    async fn connections_are_used_again() {
        let url = serve(|number, mut stream| async move {
            while let Some(head) = read_head(&mut stream).await {
                assert!(head.starts_with("GET /p/x?y=1 HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("x-api-key: k\r\n"), "{head}");
                let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n{number}");
                stream.write_all(answer.as_bytes()).await.expect("the client reads");
            }
        })
        .await;
        let client = HttpClient::new(Arc::new(TcpNet));
        for _ in 0..3 {
            let answer = get(&client, &format!("{url}/p/"), "/x?y=1").await.expect("it answers");
            assert_eq!((answer.status, &answer.body[..]), (StatusCode::CREATED, &b"0"[..]));
        }
    }

    #[tokio::test]
    async fn a_connection_closed_in_the_meantime_is_replaced() {
        let url = serve(|_, mut stream| async move {
            if read_head(&mut stream).await.is_some() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the client reads");
            }
        })
        .await;
        let client = HttpClient::new(Arc::new(TcpNet));
        for _ in 0..3 {
            get(&client, &url, "/").await.expect("it answers");
            let deadline = Instant::now() + PATIENCE;
            let closed = || client.idle().values().flatten().all(|idle| idle.sender.is_closed());
            while !closed() {
                assert!(Instant::now() < deadline, "the close is not seen");
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn errors_say_whether_something_was_sent() {
        let client = HttpClient::new(Arc::new(TcpNet)).with_body_limit(4);
        let refused = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            format!("http://{}", listener.local_addr().expect("it is bound"))
        };
        assert!(!get(&client, &refused, "/").await.expect_err("nobody listens").may_have_been_sent());
        for wrong in ["https://127.0.0.1:1", "127.0.0.1:1", "http://", "http://a b", "http://u@h"] {
            assert!(!get(&client, wrong, "/").await.expect_err("it is no URL").may_have_been_sent(), "{wrong}");
        }
        let closes = serve(|_, mut stream| async move {
            read_head(&mut stream).await;
        })
        .await;
        assert!(get(&client, &closes, "/").await.expect_err("it closes").may_have_been_sent());
        let long = serve(|_, mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345").await.expect("the client reads");
        })
        .await;
        assert!(get(&client, &long, "/").await.expect_err("it is too long").may_have_been_sent());
        let hangs = serve(|_, stream| async move {
            tokio::time::sleep(PATIENCE).await;
            drop(stream);
        })
        .await;
        let wait = Duration::from_millis(50);
        let late = client.request(&hangs, Method::GET, "/", &[], Bytes::new(), wait).await;
        assert!(late.expect_err("it hangs").may_have_been_sent());
    }
}
