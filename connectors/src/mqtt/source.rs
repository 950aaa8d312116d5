//! The MQTT source: messages out of a persistent session, acknowledged when the caller says so.
//!
//! One thread polls the connection and fills the inbox; a task beside it sends acknowledgements
//! in the order in which the messages came. When the inbox is full, the connection is read no
//! further, and TCP holds the broker back. Only when a ping is due it is read on until the ping is
//! written, since a broker cuts a connection that is silent; what comes meanwhile goes into a
//! reserve. Beyond that, messages of QoS 1 are passed over: they stay with the broker and are
//! fetched by a new connection when there is room. Those of QoS 0 are lost, counted and reported.
//!
//! Invariant: a message of QoS 1 is in the inbox, or with the caller and open in the [`Ledger`], or
//! due to be acknowledged, or passed over; the broker keeps it until the acknowledgement has reached
//! it. After one that was passed over none is taken in before the next connection: order holds.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, RetainForwardRule, SubAck, SubscribeReasonCode};
use rumqttc::v5::mqttbytes::{QoS, valid_filter};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::Notify;

use super::config::{Qos, SourceConfig};
use super::ledger::{Ledger, Receipt, fingerprint};
use super::link::{Link, Loss, Session, SessionEnd, SessionTerms, broker_text};
use super::permit::Gate;
use super::status::{LinkState, MqttError, SourceCounters, Status, StatusHook};

/// Requests on their way to the connection (acknowledgements, mostly).
const REQUEST_QUEUE: usize = 256;
/// Packet ids for our own requests: a source sends one SUBSCRIBE per connection and publishes nothing.
const PACKET_IDS: u16 = 16;
/// Part of the inbox's limit that may be taken in beyond it while a ping is written.
const RESERVE_DIVISOR: usize = 4;
/// The shortest time between two reports of lost messages.
const LOSS_REPORT_PAUSE: Duration = Duration::from_secs(10);
/// What a waiting message costs beside its payload, for the bound in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Content.
    pub payload: Bytes,
    /// The topic it was published to.
    pub topic: Arc<str>,
    /// Packet id; 0 for QoS 0.
    pub packet_id: u16,
    /// Whether the broker marked it as sent before.
    pub dup: bool,
    /// Whether it is a retained message.
    pub retain: bool,
    /// The number of the connection it came over.
    pub generation: u64,
    /// Quality of service it was delivered with.
    pub qos: Qos,
    /// What to acknowledge it by.
    pub receipt: Receipt,
}

/// A running MQTT source. Dropping it cuts the connection; un-acknowledged messages come back.
pub struct MqttSource {
    shared: Arc<Shared>,
    link: Link,
    broker: String,
}

impl MqttSource {
    /// Starts to connect and subscribe. `wake` is called, on the connection's thread, when
    /// messages arrive in an empty inbox and when the source ends; it must not block.
    pub fn start(
        mut config: SourceConfig,
        wake: impl Fn() + Send + Sync + 'static,
        on_state: Option<StatusHook>,
    ) -> Result<Self, MqttError> {
        if config.topics.is_empty() {
            return Err(MqttError::Config("a source needs at least one topic".into()));
        }
        let usable = |topic: &str| valid_filter(topic) && !topic.contains('\0');
        if let Some((bad, _)) = config.topics.iter().find(|(topic, _)| !usable(topic)) {
            return Err(MqttError::Config(format!("`{bad}` is not a topic filter")));
        }
        let status = Arc::new(Status::new(on_state));
        let ledger = Ledger::recognising(std::mem::take(&mut config.seen));
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner { intake: true, ledger, ..Inner::default() }),
            arrived: Condvar::new(),
            room: Notify::new(),
            acks: Notify::new(),
            wake: Box::new(wake),
            on_loss: OnceLock::new(),
            inbox_limit_bytes: config.inbox_limit_bytes.max(1),
        });
        let broker = broker_text(&config.mqtt.addresses);
        let mqtt = config.mqtt.clone();
        let session = SourceSession {
            shared: shared.clone(),
            status: status.clone(),
            receive_maximum: config.receive_maximum,
            config,
            last_topic: "".into(),
            ping_due: Instant::now(),
            stalled: false,
        };
        let link = Link::start("mqtt-source", mqtt, status, session)?;
        Ok(Self { shared, link, broker })
    }

    /// Calls this, on the connection's thread and not too often, when messages of QoS 0 were lost for lack of room, with
    /// their number so far. Set once.
    pub fn on_loss(&self, hook: impl Fn(u64) + Send + Sync + 'static) {
        // A second hook has no meaning: the first goes on.
        _ = self.shared.on_loss.set(Box::new(hook));
    }

    /// Waits until the source is subscribed.
    pub fn wait_connected(&self, timeout: Duration) -> Result<(), MqttError> {
        self.link.status.wait_connected(timeout, &self.broker)
    }

    /// Takes up to `limit` messages, waiting up to `timeout` for the first. An empty answer means
    /// that none came; an error that none will come any more.
    pub fn receive(&self, limit: usize, timeout: Duration) -> Result<Vec<Message>, MqttError> {
        let deadline = Instant::now() + timeout;
        let mut inner = self.shared.lock();
        while inner.inbox.is_empty() {
            match self.link.status.get() {
                LinkState::Failed(error) => return Err(error),
                LinkState::Closed => return Err(MqttError::Closed),
                _ => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            let waited = self.shared.arrived.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = limit.min(inner.inbox.len());
        let messages: Vec<_> = inner.inbox.drain(..count).collect();
        inner.inbox_bytes -= messages.iter().map(cost).sum::<usize>();
        let fetch = inner.passed_over && !inner.fetching && inner.inbox_bytes <= self.shared.inbox_limit_bytes / 2;
        inner.fetching |= fetch;
        drop(inner);
        self.shared.room.notify_one();
        if fetch {
            self.shared.acks.notify_one();
        }
        Ok(messages)
    }

    /// The effects of these messages are safe: acknowledges them, in the order in which they came
    /// however they are named here. Receipts that mean nothing any more are discarded.
    pub fn acknowledge(&self, receipts: impl IntoIterator<Item = Receipt>) {
        let mut inner = self.shared.lock();
        for receipt in receipts {
            inner.ledger.acknowledge(receipt);
        }
        let due = inner.ledger.is_due();
        drop(inner);
        if due {
            self.shared.acks.notify_one();
        }
    }

    /// The messages received up to this one whose acknowledgements the broker may not have got, as a later process
    /// recognises them: packet id and fingerprint.
    pub fn seen(&self, until: Receipt) -> Vec<(u16, u64)> {
        self.shared.lock().ledger.seen(until)
    }

    /// Takes no more messages in; what came before can still be received and acknowledged.
    pub fn stop_intake(&self) {
        self.shared.lock().intake = false;
        self.shared.room.notify_one();
    }

    /// The state of the connection.
    pub fn state(&self) -> LinkState {
        self.link.status.get()
    }

    /// What was counted so far.
    pub fn counters(&self) -> SourceCounters {
        let inner = self.shared.lock();
        SourceCounters {
            connections: self.link.status.connections(),
            open: inner.ledger.open() as u64,
            due: inner.taken + inner.ledger.done(),
            waiting: inner.inbox.len() as u64,
            ..inner.counters
        }
    }

    /// Sends the acknowledgements that are due and disconnects; cuts the connection at the
    /// deadline. The session stays at the broker.
    pub fn close(&self, timeout: Duration) -> LinkState {
        let connected = matches!(self.state(), LinkState::Connected { .. });
        {
            let mut inner = self.shared.lock();
            inner.intake = false;
            inner.closing = true;
        }
        self.shared.room.notify_one();
        self.shared.acks.notify_one();
        let timeout = if connected { timeout } else { Duration::ZERO };
        self.link.finish(Instant::now() + timeout)
    }
}

fn cost(message: &Message) -> usize {
    message.payload.len() + MESSAGE_OVERHEAD_BYTES
}

struct Shared {
    inner: Mutex<Inner>,
    arrived: Condvar,
    /// The inbox has room again, or intake has stopped.
    room: Notify,
    /// Acknowledgements are due, or the connection is to end.
    acks: Notify,
    wake: Box<dyn Fn() + Send + Sync>,
    on_loss: OnceLock<Box<dyn Fn(u64) + Send + Sync>>,
    inbox_limit_bytes: usize,
}

#[derive(Default)]
struct Inner {
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    ledger: Ledger,
    intake: bool,
    closing: bool,
    /// A message was left with the broker for lack of room: so are all that follow over this connection.
    passed_over: bool,
    /// This connection is to end, so that the next one fetches them.
    fetching: bool,
    loss_said: Option<Instant>,
    /// Acknowledgements that were taken to be sent over the present connection and are not written yet.
    taken: u64,
    counters: SourceCounters,
}

impl Inner {
    /// An acknowledgement was written.
    fn acknowledged(&mut self) {
        self.taken = self.taken.saturating_sub(1);
        self.counters.acknowledged += 1;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.inbox_bytes < self.inbox_limit_bytes || !inner.intake
    }

    /// Takes a message in; true if the connection may be read on.
    fn take_in(&self, publish: Publish, topic: Arc<str>) -> bool {
        let mut inner = self.lock();
        let fingerprint = match publish.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => fingerprint(&publish.topic, &publish.payload),
        };
        let acknowledged = publish.qos != QoS::AtMostOnce;
        if acknowledged && inner.ledger.recognise(publish.pkid, publish.dup, fingerprint) {
            inner.counters.recognised += 1;
            if inner.ledger.is_due() {
                self.acks.notify_one();
            }
            return true;
        }
        if !inner.intake {
            return true;
        }
        if acknowledged && inner.passed_over {
            inner.counters.passed_over += 1;
            return true;
        }
        if inner.inbox_bytes >= self.inbox_limit_bytes + self.inbox_limit_bytes / RESERVE_DIVISOR {
            self.leave(inner, acknowledged);
            return false;
        }
        let receipt = match acknowledged {
            true => inner.ledger.admit(publish.pkid, fingerprint),
            false => Receipt::NONE,
        };
        let message = Message {
            topic,
            packet_id: publish.pkid,
            dup: publish.dup,
            retain: publish.retain,
            generation: inner.ledger.generation(),
            qos: if acknowledged { Qos::AtLeastOnce } else { Qos::AtMostOnce },
            receipt,
            payload: publish.payload,
        };
        inner.counters.received += 1;
        inner.counters.received_bytes += message.payload.len() as u64;
        inner.inbox_bytes += cost(&message);
        inner.inbox.push_back(message);
        let first = inner.inbox.len() == 1;
        let room = inner.inbox_bytes < self.inbox_limit_bytes;
        drop(inner);
        if first {
            self.arrived.notify_all();
            (self.wake)();
        }
        room
    }
}

impl Shared {
    /// The reserve is used up: a message is left with the broker, or lost.
    fn leave(&self, mut inner: MutexGuard<'_, Inner>, acknowledged: bool) {
        if acknowledged {
            inner.passed_over = true;
            inner.counters.passed_over += 1;
            return;
        }
        inner.counters.lost += 1;
        let (lost, now) = (inner.counters.lost, Instant::now());
        if inner.loss_said.is_some_and(|said| now.duration_since(said) < LOSS_REPORT_PAUSE) {
            return;
        }
        inner.loss_said = Some(now);
        drop(inner);
        if let Some(hook) = self.on_loss.get() {
            hook(lost);
        }
    }

    /// Has the connection ended so that the next one fetches what was passed over?
    fn is_fetching(&self) -> bool {
        let inner = self.lock();
        inner.fetching && !inner.closing
    }

    /// How many messages of the average size so far fit into the inbox.
    fn fitting(&self) -> u16 {
        let counters = self.lock().counters;
        let average = counters.received_bytes / counters.received.max(1) + MESSAGE_OVERHEAD_BYTES as u64;
        u16::try_from(self.inbox_limit_bytes as u64 / average).unwrap_or(u16::MAX).max(1)
    }
}

struct SourceSession {
    shared: Arc<Shared>,
    status: Arc<Status>,
    config: SourceConfig,
    /// What the next connection announces: less than configured once messages were passed over for lack of room.
    receive_maximum: u16,
    /// Most messages have the topic of their predecessor.
    last_topic: Arc<str>,
    /// When the client library writes its next ping, if it is polled then.
    ping_due: Instant,
    /// The inbox is full, and the connection is read all the same until that ping is written.
    stalled: bool,
}

impl Session for SourceSession {
    fn terms(&self) -> SessionTerms {
        SessionTerms {
            clean_start: false,
            expiry: self.config.session_expiry,
            receive_maximum: self.receive_maximum,
            manual_acks: true,
            in_flight: PACKET_IDS,
        }
    }

    async fn run(&mut self, options: MqttOptions, gate: &Gate) -> SessionEnd {
        let (client, mut events) = AsyncClient::new(options, REQUEST_QUEUE);
        let session_present = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => connack.session_present,
            Ok(other) => return SessionEnd::Lost(Loss::other(format!("expected CONNACK, got {other:?}"))),
            Err(error) => return SessionEnd::Lost(Loss::from_error(&error, false)),
        };
        {
            let mut inner = self.shared.lock();
            inner.ledger.begin(session_present);
            (inner.taken, inner.passed_over, inner.fetching) = (0, false, false);
        }
        if let Some(end) = gate.bars().await {
            return end;
        }
        let acks = tokio::spawn(send_acks(self.shared.clone(), client.clone()));
        let unwanted = if session_present { self.config.unwanted.clone() } else { Vec::new() };
        let subscriber = tokio::spawn(subscribe(client, unwanted, self.filters()));
        let end = self.hold(&mut events, session_present).await;
        acks.abort();
        subscriber.abort();
        end
    }

    fn ended(&mut self) {
        // Under the lock, so that a receiver between its check and its wait is not missed.
        drop(self.shared.lock());
        self.shared.arrived.notify_all();
        (self.shared.wake)();
    }
}

impl SourceSession {
    fn filters(&self) -> Vec<Filter> {
        let filter = |(topic, qos): &(String, Qos)| {
            let mut filter = Filter::new(topic.as_str(), qos.wire());
            // Retained messages come with a new subscription only, not with each reconnect.
            filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
            filter
        };
        self.config.topics.iter().map(filter).collect()
    }

    async fn hold(&mut self, events: &mut EventLoop, session_present: bool) -> SessionEnd {
        let mut disconnecting = false;
        // The broker may have asked for another keep-alive than ours.
        self.ping_due = Instant::now() + events.options.keep_alive();
        self.stalled = false;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    if !self.take_in(publish) && !self.stalled && !self.wait_for_room().await {
                        // The answer to the ping before may lie behind what is not read: the broker is not dead for that.
                        events.state.await_pingresp = false;
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(suback))) => match refused(&suback) {
                    Some(reason) => return SessionEnd::Lost(Loss::other(reason)),
                    None => self.status.set(LinkState::Connected { session_present }),
                },
                Ok(Event::Outgoing(Outgoing::PingReq)) => {
                    self.ping_due = Instant::now() + events.options.keep_alive();
                    self.stalled = false;
                }
                Ok(Event::Outgoing(Outgoing::PubAck(_))) => self.shared.lock().acknowledged(),
                // The broker closes now. To close first, with messages unread, would reset the connection and could cost
                // the acknowledgements that it has not read yet.
                Ok(Event::Outgoing(Outgoing::Disconnect)) => disconnecting = true,
                Ok(_) => {}
                Err(_) if disconnecting && self.shared.is_fetching() => {
                    self.receive_maximum = self.shared.fitting().min(self.config.receive_maximum);
                    return SessionEnd::Again;
                }
                Err(_) if disconnecting => return SessionEnd::Closed,
                Err(error) => {
                    // What was read together with the end: for QoS 0 nobody else has it any more.
                    for event in std::mem::take(&mut events.state.events) {
                        if let Event::Incoming(Packet::Publish(publish)) = event {
                            self.take_in(publish);
                        }
                    }
                    return SessionEnd::Lost(Loss::from_error(&error, true));
                }
            }
        }
    }

    /// Lets TCP hold the broker back until there is room, or a ping is due; false then.
    async fn wait_for_room(&mut self) -> bool {
        let room = async {
            while !self.shared.has_room() {
                self.shared.room.notified().await;
            }
        };
        self.stalled = tokio::time::timeout_at(self.ping_due.into(), room).await.is_err();
        !self.stalled
    }

    fn take_in(&mut self, publish: Publish) -> bool {
        let topic = self.topic(&publish.topic);
        self.shared.take_in(publish, topic)
    }

    fn topic(&mut self, bytes: &[u8]) -> Arc<str> {
        if self.last_topic.as_bytes() != bytes {
            self.last_topic = String::from_utf8_lossy(bytes).into();
        }
        self.last_topic.clone()
    }
}

/// Asks for the subscriptions. The connection is polled meanwhile: its queue of requests is short.
async fn subscribe(client: AsyncClient, unwanted: Vec<String>, wanted: Vec<Filter>) {
    for filter in unwanted {
        if client.unsubscribe(filter).await.is_err() {
            return;
        }
    }
    // Fails only if the connection is gone, which ends it as well.
    drop(client.subscribe_many(wanted).await);
}

/// Why a subscription was refused, if it was.
fn refused(suback: &SubAck) -> Option<String> {
    let bad = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
    suback.return_codes.iter().find(bad).map(|code| format!("the broker refused the subscription: {code:?}"))
}

/// Sends what is due, in order; disconnects when the source is closing, or when a new connection is to fetch what this one
/// has passed over.
async fn send_acks(shared: Arc<Shared>, client: AsyncClient) {
    let mut publish = Publish::new("", QoS::AtLeastOnce, Bytes::new(), None);
    let mut due = Vec::with_capacity(REQUEST_QUEUE);
    loop {
        let ending = {
            let mut inner = shared.lock();
            inner.ledger.take_due(REQUEST_QUEUE, &mut due);
            inner.taken += due.len() as u64;
            inner.closing || inner.fetching
        };
        if due.is_empty() {
            if ending {
                // Fails only if the connection is gone, which ends it as well.
                drop(client.disconnect().await);
                return;
            }
            shared.acks.notified().await;
        }
        for packet_id in due.drain(..) {
            publish.pkid = packet_id;
            if client.ack(&publish).await.is_err() {
                return;
            }
        }
    }
}
