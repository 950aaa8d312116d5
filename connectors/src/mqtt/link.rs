//! The life of a connection: connect, hold, reconnect for ever, on a thread of its own.
//!
//! A [`Session`] does what its end is for during one connection; this file does the rest. Each
//! connection gets a fresh client: rumqttc's own reconnect would send its queue again in packet-id
//! order and forget it when the session is gone. A [`Gate`] stands before each connection, and before its use. Its `poll` is never cancelled while the
//! connection is to go on (requests would vanish), and never called again after an error.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnectProperties, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError};
use tokio::sync::Notify;

use super::MAX_PACKET_BYTES;
use super::config::{Address, MqttConfig};
use super::permit::{Gate, Permission, WAITING_FOR_OWNER};
use super::status::{LinkState, MqttError, Status};
use super::takeover::{EndKind, TakeoverWatch};
use crate::backoff::Backoff;
use crate::random::SplitMix64;

/// The shortest keep-alive; below it a busy machine looks like a dead broker.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The longest keep-alive that the protocol can name.
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(u16::MAX as u64);
/// A connection that held this long ends the series of attempts.
const HELD: Duration = Duration::from_secs(2);

/// What a connection asks of the broker's session.
pub(crate) struct SessionTerms {
    pub(crate) clean_start: bool,
    pub(crate) expiry: Duration,
    pub(crate) receive_maximum: u16,
    pub(crate) manual_acks: bool,
    /// How many QoS 1 publishes of ours may be in flight, if the broker allows as many. The client library keeps a table of
    /// this size for each connection.
    pub(crate) in_flight: u16,
}

/// How one connection ended.
pub(crate) enum SessionEnd {
    /// As asked for.
    Closed,
    /// It is to be made again at once: nothing is wrong.
    Again,
    /// The broker had accepted it, and the permit was denied.
    Superseded,
    /// The broker had accepted it, and nobody could tell whether it may be used.
    Unconfirmed,
    /// Otherwise.
    Lost(Loss),
}

/// Why a connection was lost or not made.
pub(crate) struct Loss {
    pub(crate) reason: String,
    pub(crate) kind: EndKind,
}

impl Loss {
    pub(crate) fn other(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: EndKind::Other }
    }

    /// `established`: whether the broker had accepted the connection.
    pub(crate) fn from_error(error: &ConnectionError, established: bool) -> Self {
        let closed = "the broker closed the connection";
        let (reason, kind) = match error {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                let text = reason_string.as_deref().unwrap_or_default();
                let kind = match reason_code {
                    DisconnectReasonCode::SessionTakenOver => EndKind::TakenOver,
                    _ => EndKind::Other,
                };
                (format!("{closed}: {reason_code:?} {text}").trim_end().to_owned(), kind)
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                (format!("{closed} without a reason"), EndKind::Silent)
            }
            ConnectionError::MqttState(StateError::Deserialization(error)) => {
                // Socket errors come wrapped as text: a reset is the peer's close as well.
                let text = error.to_string();
                let reset = text.contains("reset by peer") || text.contains("Broken pipe");
                (text, if reset { EndKind::Silent } else { EndKind::Other })
            }
            ConnectionError::ConnectionRefused(code) => {
                (format!("the broker refused the connection: {code:?}"), EndKind::Other)
            }
            other => (other.to_string(), EndKind::Other),
        };
        let kind = if established { kind } else { EndKind::Other };
        Self { reason, kind }
    }
}

/// What is done during one connection.
pub(crate) trait Session: Send + 'static {
    /// Connects with these options, passes the gate and holds the connection until it ends.
    fn run(&mut self, options: MqttOptions, gate: &Gate) -> impl Future<Output = SessionEnd> + Send;
    /// The terms to connect under.
    fn terms(&self) -> SessionTerms;
    /// The connection ended for good; wakes whoever waits.
    fn ended(&mut self);
}

/// A running connection.
pub(crate) struct Link {
    pub(crate) status: Arc<Status>,
    abort: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Link {
    /// Starts the thread.
    pub(crate) fn start(
        name: &str,
        config: MqttConfig,
        status: Arc<Status>,
        session: impl Session,
    ) -> Result<Self, MqttError> {
        if config.addresses.is_empty() {
            return Err(MqttError::Config("no broker address; give host or url".into()));
        }
        if config.client_id.is_empty() {
            return Err(MqttError::Config("the client id is empty".into()));
        }
        let abort = Arc::new(Notify::new());
        let failed = |error: std::io::Error| MqttError::Thread(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let keeper = Keeper {
            gate: Gate::new(config.permit.clone()),
            config,
            status: status.clone(),
            abort: abort.clone(),
            session,
            backoff: Backoff::default(),
            watch: TakeoverWatch::default(),
            random: SplitMix64::from_process(),
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(keeper.keep());
                // Name look-ups run on the runtime's blocking threads; none is worth waiting for.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { status, abort, thread: Mutex::new(Some(thread)) })
    }

    /// Waits for the end that was asked for, then cuts the connection and joins the thread.
    pub(crate) fn finish(&self, deadline: Instant) -> LinkState {
        self.status.wait(deadline, LinkState::is_final);
        self.abort.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of the thread leaves nothing to clean up: its connection is gone.
            drop(thread.join());
        }
        self.status.set(LinkState::Closed);
        self.status.get()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.finish(Instant::now());
    }
}

/// The addresses as one text.
pub(crate) fn broker_text(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

struct Keeper<S: Session> {
    gate: Gate,
    config: MqttConfig,
    status: Arc<Status>,
    abort: Arc<Notify>,
    session: S,
    backoff: Backoff,
    watch: TakeoverWatch,
    random: SplitMix64,
}

impl<S: Session> Keeper<S> {
    async fn keep(mut self) {
        let (status, abort) = (self.status.clone(), self.abort.clone());
        let timeout = self.config.connect_timeout;
        let end = tokio::select! {
            end = self.reconnect_for_ever() => end,
            () = first_connection_overdue(&status, timeout) => {
                LinkState::Failed(self.connect_timed_out())
            }
            // Cancels the poll, which is right here only: nothing of this connection goes on.
            () = abort.notified() => LinkState::Closed,
        };
        status.set(end);
    }

    async fn reconnect_for_ever(&mut self) -> LinkState {
        for attempt in 0_usize.. {
            if !self.is_permitted().await {
                return self.superseded();
            }
            let address = self.config.addresses[attempt % self.config.addresses.len()].clone();
            let options = options(&self.config, &address, &self.session.terms());
            let began = Instant::now();
            let loss = match self.session.run(options, &self.gate).await {
                SessionEnd::Closed => return LinkState::Closed,
                SessionEnd::Again => continue,
                SessionEnd::Superseded => return self.superseded(),
                SessionEnd::Unconfirmed => {
                    self.wait_for_owner().await;
                    continue;
                }
                SessionEnd::Lost(loss) => loss,
            };
            // Whether the id was taken over is the permit's to say, if there is one.
            let taken_over = if self.gate.has_permit() { None } else { self.watch.ended(loss.kind, Instant::now()) };
            if let Some(evidence) = taken_over {
                let client_id = self.config.client_id.clone();
                return LinkState::Failed(MqttError::TakenOver { client_id, evidence });
            }
            let reason = format!("{address}: {}", loss.reason);
            self.status.set(LinkState::Disconnected { reason });
            if began.elapsed() >= HELD {
                self.backoff.reset();
            }
            let delay = self.backoff.next_delay(self.random.next_u64());
            tokio::time::sleep(delay).await;
        }
        LinkState::Closed
    }

    /// Asks until there is an answer.
    async fn is_permitted(&mut self) -> bool {
        loop {
            match self.gate.ask().await {
                Permission::Granted => return true,
                Permission::Denied => return false,
                Permission::Unknown => self.wait_for_owner().await,
            }
        }
    }

    /// Nobody could tell whose the client id is: a while until the next question.
    async fn wait_for_owner(&mut self) {
        self.status.set(LinkState::Disconnected { reason: WAITING_FOR_OWNER.to_owned() });
        let delay = self.backoff.next_delay(self.random.next_u64());
        tokio::time::sleep(delay).await;
    }

    fn superseded(&self) -> LinkState {
        LinkState::Failed(MqttError::Superseded { client_id: self.config.client_id.clone() })
    }

    fn connect_timed_out(&self) -> MqttError {
        let reason = match self.status.get() {
            LinkState::Disconnected { reason } => reason,
            _ => "no answer".to_owned(),
        };
        MqttError::ConnectTimeout {
            broker: broker_text(&self.config.addresses),
            after: self.config.connect_timeout.unwrap_or_default(),
            reason,
        }
    }
}

impl<S: Session> Drop for Keeper<S> {
    fn drop(&mut self) {
        // Without effect if the end was set; a panic must not leave anybody waiting for ever.
        self.status.set(LinkState::Failed(MqttError::Thread("it ended by a panic".into())));
        self.session.ended();
    }
}

/// Completes when the first connection is overdue, never once there was one.
async fn first_connection_overdue(status: &Status, timeout: Option<Duration>) {
    if let Some(timeout) = timeout {
        tokio::time::sleep(timeout).await;
        if status.connections() == 0 {
            return;
        }
    }
    std::future::pending().await
}

/// The client library's options for one connection.
pub(crate) fn options(config: &MqttConfig, address: &Address, terms: &SessionTerms) -> MqttOptions {
    let host = match address.host.contains(':') {
        true => format!("[{}]", address.host),
        false => address.host.clone(),
    };
    let mut options = MqttOptions::new(config.client_id.as_str(), host, address.port);
    options.set_keep_alive(config.keep_alive.clamp(SHORTEST_KEEP_ALIVE, LONGEST_KEEP_ALIVE));
    options.set_outgoing_inflight_upper_limit(terms.in_flight.max(1));
    options.set_clean_start(terms.clean_start);
    options.set_manual_acks(terms.manual_acks);
    if let Some(username) = &config.username {
        options.set_credentials(username.as_str(), config.password.as_deref().unwrap_or_default());
    }
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(terms.expiry.as_secs().min(u64::from(u32::MAX)) as u32);
    properties.receive_maximum = Some(terms.receive_maximum.max(1));
    // One number for both directions: what the broker may send, and what is read at most.
    properties.max_packet_size = Some(MAX_PACKET_BYTES);
    options.set_connect_properties(properties);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

/// The broker's limit on packets, if it names one.
pub(crate) fn packet_limit(connack: &ConnAck) -> Option<u32> {
    connack.properties.as_ref().and_then(|properties| properties.max_packet_size)
}
