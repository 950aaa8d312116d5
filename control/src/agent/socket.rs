//! The socket to a coordinator: connect, say who calls, then frames both ways until it ends.
//!
//! Invariant: a socket that is silent for longer than the worker's deadline is given up, whatever TCP says of it.

use crate::seams::{BoxStream, Net};
use crate::wire::{AGENT_PATH, FRAME_LIMIT_BYTES, Held, Hello, ToAgent, ToCoordinator};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long connecting may take: longer than a coordinator that is there needs, and little beside the time in which its
/// workers are given up.
const CONNECT: Duration = Duration::from_millis(700);
/// How long being let in may take, for which a coordinator may have to wait for a leader.
const LET_IN: Duration = Duration::from_secs(5);
/// How long a frame may take to be written.
const WRITE: Duration = Duration::from_secs(2);

/// Answers of something that will not open a WebSocket later either.
const NO_WEBSOCKET: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::UPGRADE_REQUIRED,
    StatusCode::NOT_IMPLEMENTED,
];

/// Why there is no socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSocket {
    /// The coordinator does not want this worker.
    #[error("{message} ({code})")]
    Refused {
        /// See [`ToAgent::Refused`].
        code: String,
        /// For people.
        message: String,
    },
    /// It was not reached, or did not answer as one.
    #[error("{0}")]
    Unreachable(String),
    /// It, or something before it, speaks HTTP and has no WebSocket there.
    #[error("{0}")]
    NoWebSocket(String),
}

/// The writing half.
pub struct Writer(SplitSink<WebSocketStream<BoxStream>, Message>);

/// The reading half.
pub struct Reader(SplitStream<WebSocketStream<BoxStream>>);

/// A socket on which the worker is registered.
pub struct Socket {
    /// The first frame.
    pub welcome: ToAgent,
    /// To the coordinator.
    pub writer: Writer,
    /// From it.
    pub reader: Reader,
    /// What it was told of the placements held.
    pub said: Vec<Held>,
}

/// Connects to a coordinator (`http://host:port`) and is let in.
pub async fn connect(net: &dyn Net, url: &str, hello: Hello) -> Result<Socket, NoSocket> {
    let late = |_| Err(NoSocket::Unreachable("no answer in time".into()));
    let opened = timeout(CONNECT, open(net, url)).await.unwrap_or_else(late);
    let let_in = match opened {
        Ok(socket) => timeout(LET_IN, let_in(socket, hello))
            .await
            .unwrap_or_else(|_| Err(NoSocket::Unreachable("it does not let this worker in".into()))),
        Err(error) => Err(error),
    };
    let_in.map_err(|error| match error {
        NoSocket::Unreachable(why) => NoSocket::Unreachable(format!("{url}: {why}")),
        NoSocket::NoWebSocket(why) => NoSocket::NoWebSocket(format!("{url}: {why}")),
        refused => refused,
    })
}

async fn open(net: &dyn Net, url: &str) -> Result<WebSocketStream<BoxStream>, NoSocket> {
    let unreachable = NoSocket::Unreachable;
    let authority = authority(url).ok_or_else(|| unreachable("a coordinator's URL is http://host:port".into()))?;
    let stream = net.connect(&authority).await.map_err(|error| unreachable(error.to_string()))?;
    let request = format!("ws://{authority}{AGENT_PATH}").into_client_request();
    let request = request.map_err(|error| unreachable(error.to_string()))?;
    let config =
        WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT_BYTES)).max_frame_size(Some(FRAME_LIMIT_BYTES));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) if NO_WEBSOCKET.contains(&answer.status()) => {
            Err(NoSocket::NoWebSocket(format!("it answered {} to a WebSocket", answer.status())))
        }
        Err(error) => Err(unreachable(error.to_string())),
    }
}

async fn let_in(socket: WebSocketStream<BoxStream>, hello: Hello) -> Result<Socket, NoSocket> {
    let unreachable = NoSocket::Unreachable;
    let said = hello.held.clone();
    let (writer, reader) = socket.split();
    let (mut writer, mut reader) = (Writer(writer), Reader(reader));
    writer.send(&ToCoordinator::Hello(hello)).await.map_err(unreachable)?;
    match reader.next().await.map_err(unreachable)? {
        ToAgent::Refused { code, message } => Err(NoSocket::Refused { code, message }),
        welcome @ ToAgent::Welcome { .. } => Ok(Socket { welcome, writer, reader, said }),
        other => Err(unreachable(format!("expected a welcome, got {other:?}"))),
    }
}

/// `host:port` of an `http` URL.
fn authority(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { host.to_owned() } else { format!("{host}:80") })
}

impl Writer {
    /// Sends a frame.
    pub async fn send(&mut self, frame: &ToCoordinator) -> Result<(), String> {
        let text = serde_json::to_string(frame).map_err(|error| error.to_string())?;
        let sent = timeout(WRITE, self.0.send(Message::text(text))).await;
        sent.map_err(|_| "it takes no more".to_owned())?.map_err(|error| error.to_string())
    }

    /// Takes leave and closes the socket, as far as that can be done at once.
    pub async fn leave(mut self, reason: String) {
        _ = self.send(&ToCoordinator::Farewell { reason }).await;
        // It is gone either way.
        _ = timeout(WRITE, self.0.close()).await;
    }
}

impl Reader {
    /// The next frame; control frames and frames that cannot be read are passed over, the latter with a line in the log.
    pub async fn next(&mut self) -> Result<ToAgent, String> {
        loop {
            match self.0.next().await {
                None | Some(Err(Error::ConnectionClosed)) => return Err("the coordinator closed the socket".into()),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(frame) => return Ok(frame),
                    Err(error) => tracing::warn!(%error, "a frame of the coordinator is not understood"),
                },
                Some(Ok(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn urls_name_a_host_and_a_port() {
        assert_eq!(authority("http://a:1/"), Some("a:1".into()));
        assert_eq!(authority("http://[::1]:9"), Some("[::1]:9".into()));
        assert_eq!(authority("http://a"), Some("a:80".into()));
        assert_eq!(authority("ftp://a"), None);
        assert_eq!(authority("http://"), None);
    }
}
