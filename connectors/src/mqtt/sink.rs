//! The MQTT sink: publishes outputs in order and holds each until the broker has confirmed it.
//!
//! One thread polls the connection; a task beside it feeds the client from the [`Window`]. Each
//! connection starts with a clean session without expiry, which cuts off whatever a former owner
//! of the client id left, and publishes all unconfirmed outputs again with the same ids.
//!
//! Invariant: every taken output is reported exactly once by `on_outcomes`, unless the sink is
//! closed or ends before; then [`CloseReport::unconfirmed`] names it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::Notify;

use super::ID_PROPERTY;
use super::config::SinkConfig;
use super::link::{Link, Loss, Session, SessionEnd, SessionTerms, broker_text, packet_limit};
use super::permit::Gate;
use super::status::{LinkState, MqttError, SinkCounters, Status, StatusHook};
use super::window::{Outcome, Output, SendError, Ticket, Window};

/// Requests on their way to the connection; more would only wait there.
const REQUEST_QUEUE: usize = 64;
/// QoS 1 publishes in flight, if the broker's Receive Maximum allows as many. More do not raise the rate.
const IN_FLIGHT: u16 = 1024;
/// Outcomes reported in one call, at most.
const OUTCOME_BATCH: usize = 1024;

/// Called on the connection's thread with confirmed and failed outputs.
type OutcomeHook = Box<dyn FnMut(&[Outcome]) + Send>;

/// What a closed sink leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReport {
    /// How the connection ended.
    pub state: LinkState,
    /// Outputs that were neither confirmed nor failed; some may have reached the broker.
    pub unconfirmed: Vec<Ticket>,
}

/// A running MQTT sink. Dropping it cuts the connection; unconfirmed outputs are gone.
pub struct MqttSink {
    shared: Arc<Shared>,
    link: Link,
    broker: String,
}

impl MqttSink {
    /// Starts to connect. `on_outcomes` is called on the connection's thread, in the order of the
    /// broker's answers; it must not block and must not call the sink.
    pub fn start(
        config: SinkConfig,
        on_outcomes: impl FnMut(&[Outcome]) + Send + 'static,
        on_state: Option<StatusHook>,
    ) -> Result<Self, MqttError> {
        let status = Arc::new(Status::new(on_state));
        let window = Window::new(config.unconfirmed_limit, config.unconfirmed_limit_bytes, config.attempts);
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner { window, closing: false, disconnect: false, counters: SinkCounters::default() }),
            moved: Condvar::new(),
            feed: Notify::new(),
            on_outcomes: Mutex::new(Box::new(on_outcomes)),
        });
        let broker = broker_text(&config.mqtt.addresses);
        let session = SinkSession { shared: shared.clone(), status: status.clone() };
        let link = Link::start("mqtt-sink", config.mqtt, status, session)?;
        Ok(Self { shared, link, broker })
    }

    /// Waits until the sink is connected.
    pub fn wait_connected(&self, timeout: Duration) -> Result<(), MqttError> {
        self.link.status.wait_connected(timeout, &self.broker)
    }

    /// Takes an output, waiting while the list of unconfirmed ones is full.
    pub fn send(&self, output: &Output) -> Result<Ticket, SendError> {
        let mut inner = self.shared.lock();
        loop {
            match self.take(&mut inner, output) {
                Err(SendError::Full) => {
                    inner = self.shared.moved.wait(inner).unwrap_or_else(PoisonError::into_inner);
                }
                taken => {
                    drop(inner);
                    self.shared.feed.notify_one();
                    return taken;
                }
            }
        }
    }

    /// Takes outputs also over the limit: for callers who must not wait, and who take in nothing more themselves until
    /// [`MqttSink::has_room`] says so. Gives the outputs that cannot be published, with the reason.
    pub fn send_over<'o>(&self, outputs: &'o [Output]) -> Vec<(&'o Output, SendError)> {
        let mut inner = self.shared.lock();
        if let Err(error) = self.usable(&inner) {
            return outputs.iter().map(|output| (output, error.clone())).collect();
        }
        let refused = outputs.iter().filter_map(|output| match inner.window.push_over(output) {
            Ok(_) => {
                inner.counters.taken += 1;
                None
            }
            Err(error) => Some((output, error)),
        });
        let refused = refused.collect();
        drop(inner);
        self.shared.feed.notify_one();
        refused
    }

    /// Is the list of unconfirmed outputs below its limits?
    pub fn has_room(&self) -> bool {
        self.shared.lock().window.has_room()
    }

    fn take(&self, inner: &mut Inner, output: &Output) -> Result<Ticket, SendError> {
        self.usable(inner)?;
        let ticket = inner.window.push(output)?;
        inner.counters.taken += 1;
        Ok(ticket)
    }

    fn usable(&self, inner: &Inner) -> Result<(), SendError> {
        if inner.closing {
            return Err(SendError::Closed);
        }
        match self.link.status.get() {
            LinkState::Failed(error) => Err(SendError::Ended(error)),
            LinkState::Closed => Err(SendError::Closed),
            _ => Ok(()),
        }
    }

    /// Waits until every output taken so far is confirmed or failed; false at the deadline, or if
    /// the sink has ended before.
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut inner = self.shared.lock();
        while inner.window.len() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.link.status.get().is_final() {
                return false;
            }
            let waited = self.shared.moved.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The state of the connection.
    pub fn state(&self) -> LinkState {
        self.link.status.get()
    }

    /// What was counted so far.
    pub fn counters(&self) -> SinkCounters {
        let inner = self.shared.lock();
        let counters = inner.counters;
        SinkCounters {
            connections: self.link.status.connections(),
            unconfirmed: counters.taken - counters.confirmed - counters.failed,
            ..counters
        }
    }

    /// Takes no more, waits for the confirmation of what was taken, and disconnects; cuts the
    /// connection at the deadline.
    pub fn close(&self, timeout: Duration) -> CloseReport {
        let deadline = Instant::now() + timeout;
        self.shared.lock().closing = true;
        self.shared.moved.notify_all();
        self.flush(timeout);
        self.shared.lock().disconnect = true;
        self.shared.feed.notify_one();
        let connected = matches!(self.state(), LinkState::Connected { .. });
        let state = self.link.finish(if connected { deadline } else { Instant::now() });
        let unconfirmed = self.shared.lock().window.unconfirmed();
        CloseReport { state, unconfirmed }
    }
}

struct Shared {
    inner: Mutex<Inner>,
    /// Outputs left the list, or the sink has ended.
    moved: Condvar,
    /// Outputs wait to be published, or the sink is to disconnect.
    feed: Notify,
    on_outcomes: Mutex<OutcomeHook>,
}

struct Inner {
    window: Window,
    closing: bool,
    disconnect: bool,
    counters: SinkCounters,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, outcomes: &mut Vec<Outcome>) {
        if outcomes.is_empty() {
            return;
        }
        let confirmed = outcomes.iter().filter(|o| matches!(o, Outcome::Confirmed { .. })).count();
        {
            let mut inner = self.lock();
            inner.counters.confirmed += confirmed as u64;
            inner.counters.failed += (outcomes.len() - confirmed) as u64;
        }
        (self.on_outcomes.lock().unwrap_or_else(PoisonError::into_inner))(outcomes);
        outcomes.clear();
        self.moved.notify_all();
    }

    /// What an event of the connection means for the outputs.
    fn outcome_of(&self, event: &Event) -> Option<Outcome> {
        match event {
            Event::Outgoing(Outgoing::Publish(pkid)) => self.lock().window.written(*pkid),
            Event::Incoming(Packet::PubAck(ack)) => {
                let refusal = match ack.reason {
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
                    reason => Some(format!("the broker refused the publish: {reason:?}")),
                };
                if refusal.is_some() {
                    // The feeding task is to look at when the next attempt is due.
                    self.feed.notify_one();
                }
                self.lock().window.answered(ack.pkid, refusal, Instant::now())
            }
            _ => None,
        }
    }
}

struct SinkSession {
    shared: Arc<Shared>,
    status: Arc<Status>,
}

impl Session for SinkSession {
    fn terms(&self) -> SessionTerms {
        SessionTerms {
            clean_start: true,
            expiry: Duration::ZERO,
            receive_maximum: u16::MAX,
            manual_acks: false,
            in_flight: IN_FLIGHT,
        }
    }

    async fn run(&mut self, options: MqttOptions, gate: &Gate) -> SessionEnd {
        let (client, mut events) = AsyncClient::new(options, REQUEST_QUEUE);
        // Nothing is queued before the CONNACK: its limits apply to all that follows.
        let connack = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => connack,
            Ok(other) => return SessionEnd::Lost(Loss::other(format!("expected CONNACK, got {other:?}"))),
            Err(error) => return SessionEnd::Lost(Loss::from_error(&error, false)),
        };
        if let Some(end) = gate.bars().await {
            return end;
        }
        self.shared.lock().window.restart(packet_limit(&connack));
        self.status.set(LinkState::Connected { session_present: connack.session_present });
        let feeder = tokio::spawn(feed(self.shared.clone(), client));
        let end = self.hold(&mut events).await;
        feeder.abort();
        end
    }

    fn ended(&mut self) {
        // Under the lock, so that a sender between its check and its wait is not missed.
        drop(self.shared.lock());
        self.shared.moved.notify_all();
    }
}

impl SinkSession {
    async fn hold(&mut self, events: &mut EventLoop) -> SessionEnd {
        let mut outcomes = Vec::new();
        loop {
            let event = match events.poll().await {
                Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                    self.shared.report(&mut outcomes);
                    return SessionEnd::Closed;
                }
                Ok(event) => event,
                Err(error) => {
                    // Answers that were read together with what ended the connection count.
                    let read = std::mem::take(&mut events.state.events);
                    outcomes.extend(answers(read).filter_map(|event| self.shared.outcome_of(&event)));
                    self.shared.report(&mut outcomes);
                    return SessionEnd::Lost(Loss::from_error(&error, true));
                }
            };
            outcomes.extend(self.shared.outcome_of(&event));
            if blocks(events, &event) {
                self.shared.report(&mut outcomes);
                return SessionEnd::Lost(Loss::other(
                    "the broker refused a publish whose packet id the next one waits for",
                ));
            }
            if events.state.events.is_empty() || outcomes.len() >= OUTCOME_BATCH {
                self.shared.report(&mut outcomes);
            }
        }
    }
}

/// True if the client library would wait for ever: a publish waits for the packet id of one that was refused, and after a
/// refusal the library gives the id to nobody.
fn blocks(events: &EventLoop, event: &Event) -> bool {
    let Event::Incoming(Packet::PubAck(ack)) = event else { return false };
    let refused = !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
    refused && events.state.collision.as_ref().is_some_and(|waiting| waiting.pkid == ack.pkid)
}

/// The broker's answers among the events; what was only about to be written does not count.
fn answers(events: VecDeque<Event>) -> impl Iterator<Item = Event> {
    events.into_iter().filter(|event| matches!(event, Event::Incoming(Packet::PubAck(_))))
}

/// Hands waiting outputs to the client, in order, as fast as the broker's window lets it.
async fn feed(shared: Arc<Shared>, client: AsyncClient) {
    loop {
        let (next, retry, disconnect) = {
            let mut inner = shared.lock();
            let next = inner.window.next(Instant::now());
            (next, inner.window.next_retry(), inner.disconnect)
        };
        match next {
            Some(Ok(output)) => {
                if publish(&client, output).await.is_err() {
                    return;
                }
            }
            Some(Err(failure)) => shared.report(&mut vec![Outcome::Failed(Box::new(failure))]),
            None if disconnect => {
                // Fails only if the connection is gone, which ends it as well.
                drop(client.disconnect().await);
                return;
            }
            None => match retry {
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    // Elapsed or notified: either way the list is looked at again.
                    drop(tokio::time::timeout(wait, shared.feed.notified()).await);
                }
                None => shared.feed.notified().await,
            },
        }
    }
}

async fn publish(client: &AsyncClient, output: Output) -> Result<(), rumqttc::v5::ClientError> {
    let mut properties = PublishProperties::default();
    if !output.rarog_id.is_empty() {
        properties.user_properties = vec![(ID_PROPERTY.to_owned(), output.rarog_id.to_string())];
    }
    let Output { topic, payload, qos, retain, rarog_id: _, tag: _ } = output;
    client.publish_with_properties(&*topic, qos.wire(), retain, payload, properties).await
}
