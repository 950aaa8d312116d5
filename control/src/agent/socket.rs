//! The socket to a coordinator: connect, say who calls, then frames both ways until it ends.
//!
//! Invariant: a socket that is silent for longer than the worker's deadline is given up, whatever TCP says of it.

use crate::seams::{BoxStream, Net};
use crate::wire::{AGENT_PATH, FRAME_LIMIT_BYTES, Hello, ToAgent, ToCoordinator};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long connecting and being let in may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a frame may take to be written.
const WRITE: Duration = Duration::from_secs(5);

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
}

/// Connects to a coordinator (`http://host:port`) and is let in.
pub async fn connect(net: &dyn Net, url: &str, hello: Hello) -> Result<Socket, NoSocket> {
    let unreachable = |why: String| NoSocket::Unreachable(format!("{url}: {why}"));
    let connecting = timeout(CONNECT, let_in(net, url, hello)).await;
    connecting.unwrap_or_else(|_| Err(NoSocket::Unreachable("no answer in time".into()))).map_err(|error| match error {
        NoSocket::Unreachable(why) => unreachable(why),
        refused => refused,
    })
}

async fn let_in(net: &dyn Net, url: &str, hello: Hello) -> Result<Socket, NoSocket> {
    let unreachable = NoSocket::Unreachable;
    let authority = authority(url).ok_or_else(|| unreachable("a coordinator's URL is http://host:port".into()))?;
    let stream = net.connect(&authority).await.map_err(|error| unreachable(error.to_string()))?;
    let request = format!("ws://{authority}{AGENT_PATH}").into_client_request();
    let request = request.map_err(|error| unreachable(error.to_string()))?;
    let config =
        WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT_BYTES)).max_frame_size(Some(FRAME_LIMIT_BYTES));
    let opened = client_async_with_config(request, stream, Some(config)).await;
    let (socket, _) = opened.map_err(|error| unreachable(error.to_string()))?;
    let (writer, reader) = socket.split();
    let (mut writer, mut reader) = (Writer(writer), Reader(reader));
    writer.send(&ToCoordinator::Hello(hello)).await.map_err(unreachable)?;
    match reader.next().await.map_err(unreachable)? {
        ToAgent::Refused { code, message } => Err(NoSocket::Refused { code, message }),
        welcome @ ToAgent::Welcome { .. } => Ok(Socket { welcome, writer, reader }),
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

    /// Closes the socket, as far as that can be done at once.
    pub async fn close(mut self) {
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
