//! One request after the other over a connection that is kept while both sides want it.
//!
//! Invariant: a request is answered, or the connection it went over is not used again.

use super::config::HttpTarget;
use super::tls;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Bytes of an answer that are read; a longer one costs the connection.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;
/// Characters of an answer that are shown.
const SHOWN_CHARS: usize = 200;
/// The header that carries an output's id.
pub(crate) const ID_HEADER: &str = crate::mqtt::ID_PROPERTY;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The server has answered.
    Answered {
        status: u16,
        /// Header Retry-After, if it gives seconds.
        retry_after: Option<Duration>,
        /// The beginning of the answer.
        text: String,
    },
    /// No connection could be made: the server has seen nothing.
    Unreachable(String),
    /// The server may have seen it.
    Broken(String),
}

/// A connection to one target, made when it is needed.
pub(crate) struct Client {
    target: Arc<HttpTarget>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(target: Arc<HttpTarget>) -> Client {
        Client { target, connection: None }
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn send(&mut self, body: &Bytes, id: &str) -> Reply {
        let timeout = self.target.timeout;
        let attempt = self.attempt(body, id);
        let late = || Reply::Broken(format!("no answer within {} ms", timeout.as_millis()));
        tokio::time::timeout(timeout, attempt).await.unwrap_or_else(|_| late())
    }

    async fn attempt(&mut self, body: &Bytes, id: &str) -> Reply {
        if let Some(kept) = self.connection.take() {
            let reply = self.exchange(kept, body, id).await;
            if !matches!(reply, Reply::Broken(_)) {
                return reply;
            }
            // A server may close an idle connection just when it is used again: that is nobody's failure.
        }
        match self.connect().await {
            Ok(connection) => self.exchange(connection, body, id).await,
            Err(reason) => Reply::Unreachable(reason),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(self.target.url.address()).await.map_err(|error| error.to_string())?;
        // Without it small requests wait for the acknowledgement of the one before; nothing is lost if it fails.
        _ = stream.set_nodelay(true);
        if !self.target.url.is_secure() {
            return begin(TokioIo::new(stream)).await;
        }
        begin(TokioIo::new(tls::connect(self.target.url.address().0, stream).await?)).await
    }

    async fn exchange(&mut self, mut connection: SendRequest<Full<Bytes>>, body: &Bytes, id: &str) -> Reply {
        if let Err(error) = connection.ready().await {
            return Reply::Broken(error.to_string());
        }
        let request = match self.request(body, id) {
            Ok(request) => request,
            Err(error) => return Reply::Broken(error.to_string()),
        };
        let response = match connection.send_request(request).await {
            Ok(response) => response,
            Err(error) => return Reply::Broken(with_cause(&error)),
        };
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let text = match Limited::new(response.into_body(), ANSWER_LIMIT_BYTES).collect().await {
            Ok(answer) => {
                self.connection = Some(connection);
                String::from_utf8_lossy(&answer.to_bytes()).chars().take(SHOWN_CHARS).collect()
            }
            // The status was the answer; what follows it does not matter.
            Err(_) => String::new(),
        };
        Reply::Answered { status, retry_after, text }
    }

    fn request(&self, body: &Bytes, id: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let target = &self.target;
        let mut request = Request::builder()
            .method(&*target.method)
            .uri(target.url.target())
            .header(HOST, target.url.authority())
            .header(USER_AGENT, concat!("rarog/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        if !id.is_empty() {
            request = request.header(ID_HEADER, id);
        }
        if let Some(token) = &target.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut request = request.body(Full::new(body.clone()))?;
        for (name, value) in &target.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(request)
    }
}

/// Speaks HTTP over a connection that stands.
async fn begin(stream: impl Read + Write + Unpin + Send + 'static) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) = handshake(stream).await.map_err(|error| error.to_string())?;
    // Ends with the connection; what goes wrong is reported to the request as well.
    tokio::spawn(async move { _ = connection.await });
    Ok(sender)
}

/// An error of the HTTP library with what is behind it, which its own text leaves out.
fn with_cause(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
