//! The ordered list of unconfirmed outputs of a sink.
//!
//! ```text
//!   base                         cursor
//!    │ confirmed │ requested ... │ waiting ...      tickets rise by one; index = ticket - base
//! ```
//!
//! A slot leaves the front once it is confirmed or failed. A new connection starts with all
//! others waiting again, in their order and with the same ids.
//!
//! Pure: no I/O; time is an argument. Invariant: the list holds every output that was taken and
//! neither confirmed nor reported as failed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::config::Qos;
use super::{ID_PROPERTY, MAX_PACKET_BYTES};

/// How long an output that the broker refused waits before it is published again.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// What a slot costs beside its payload and topic, for the bound in bytes.
const SLOT_OVERHEAD_BYTES: usize = 256;
/// Most bytes of a PUBLISH beside topic, payload and id: header, lengths, packet id, property key.
const PACKET_OVERHEAD_BYTES: usize = 32 + ID_PROPERTY.len();

/// One message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic without wildcards.
    pub topic: Arc<str>,
    /// Content.
    pub payload: Bytes,
    /// Value of the user property `rarog-id`; empty leaves the property out.
    pub rarog_id: Arc<str>,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// The sender's own mark; comes back with the outcome.
    pub tag: u64,
}

impl Output {
    fn cost(&self) -> usize {
        self.payload.len() + self.topic.len() + self.rarog_id.len() + SLOT_OVERHEAD_BYTES
    }

    /// An upper bound of the packet's size.
    fn packet_bytes(&self) -> usize {
        self.payload.len() + self.topic.len() + self.rarog_id.len() + PACKET_OVERHEAD_BYTES
    }

    fn check(&self) -> Result<(), SendError> {
        let topic = &*self.topic;
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > 65_535 {
            return Err(SendError::InvalidTopic(topic.chars().take(80).collect()));
        }
        if self.packet_bytes() > MAX_PACKET_BYTES as usize {
            return Err(SendError::TooLarge { bytes: self.payload.len() });
        }
        Ok(())
    }
}

/// Names one output between [`super::MqttSink::send`] and its [`Outcome`]; tickets rise by one.
///
/// The outcome may be reported before `send` has returned: [`Output::tag`] is known earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What became of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it (QoS 1), or it was handed to the network (QoS 0).
    Confirmed {
        /// The ticket it was sent under.
        ticket: Ticket,
        /// [`Output::tag`].
        tag: u64,
    },
    /// The broker refuses it; it is in nobody's hands any more but the receiver's of this.
    Failed(Box<Failure>),
}

/// An output that the broker refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The ticket it was sent under.
    pub ticket: Ticket,
    /// The output, for the dead letters.
    pub output: Output,
    /// Why.
    pub reason: String,
}

/// Why an output was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The list of unconfirmed outputs is full.
    #[error("the list of unconfirmed outputs is full; wait for the broker to confirm some")]
    Full,
    /// The topic cannot be published to.
    #[error("topic `{0}` cannot be published to: it must be non-empty, without `+`, `#`, NUL")]
    InvalidTopic(String),
    /// Over the packet limit.
    #[error("message of {bytes} bytes is over the packet limit of {MAX_PACKET_BYTES} bytes")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
    },
    /// The sink was closed.
    #[error("the sink is closed")]
    Closed,
    /// The sink has ended for good.
    #[error("the sink has ended: {0}")]
    Ended(#[from] super::MqttError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Requested,
    /// Confirmed or reported as failed.
    Finished,
}

#[derive(Debug)]
struct Slot {
    output: Option<Output>,
    state: State,
    refusals: u32,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Window {
    slots: VecDeque<Slot>,
    base: u64,
    cursor: u64,
    bytes: usize,
    retries: VecDeque<(Instant, u64)>,
    /// Handed to the client, in order; the event that it was written comes in the same order.
    requested: VecDeque<u64>,
    in_flight: HashMap<u16, u64>,
    /// The broker's Maximum Packet Size.
    packet_limit: usize,
    limit: usize,
    limit_bytes: usize,
    attempts: u32,
}

impl Window {
    pub(crate) fn new(limit: usize, limit_bytes: usize, attempts: u32) -> Self {
        Self {
            slots: VecDeque::new(),
            base: 1,
            cursor: 1,
            bytes: 0,
            retries: VecDeque::new(),
            requested: VecDeque::new(),
            in_flight: HashMap::new(),
            packet_limit: MAX_PACKET_BYTES as usize,
            limit: limit.max(1),
            limit_bytes,
            attempts: attempts.max(1),
        }
    }

    /// How many outputs the list holds.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The tickets of all unconfirmed outputs.
    pub(crate) fn unconfirmed(&self) -> Vec<Ticket> {
        let open = self.slots.iter().zip(self.base..);
        open.filter(|(slot, _)| slot.state != State::Finished).map(|(_, t)| Ticket(t)).collect()
    }

    /// Is the list below its limits?
    pub(crate) fn has_room(&self) -> bool {
        self.slots.len() < self.limit && self.bytes < self.limit_bytes
    }

    /// Takes an output, or refuses it. One output is always taken by an empty list.
    pub(crate) fn push(&mut self, output: &Output) -> Result<Ticket, SendError> {
        output.check()?;
        let full = self.slots.len() >= self.limit || self.bytes + output.cost() > self.limit_bytes;
        if full && !self.slots.is_empty() {
            return Err(SendError::Full);
        }
        self.push_over(output)
    }

    /// Takes an output whether there is room or not.
    pub(crate) fn push_over(&mut self, output: &Output) -> Result<Ticket, SendError> {
        output.check()?;
        self.bytes += output.cost();
        let ticket = self.base + self.slots.len() as u64;
        self.slots.push_back(Slot { output: Some(output.clone()), state: State::Waiting, refusals: 0 });
        Ok(Ticket(ticket))
    }

    /// A new connection: all unconfirmed outputs wait again.
    pub(crate) fn restart(&mut self, packet_limit: Option<u32>) {
        self.requested.clear();
        self.in_flight.clear();
        self.retries.clear();
        self.cursor = self.base;
        self.packet_limit = packet_limit.unwrap_or(MAX_PACKET_BYTES) as usize;
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Requested) {
            slot.state = State::Waiting;
        }
    }

    /// The next output to hand to the client, or the failure of one that the broker cannot take.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Result<Output, Failure>> {
        let ticket = self.next_ticket(now)?;
        let packet_limit = self.packet_limit;
        let slot = self.slot(ticket).expect("next_ticket gives tickets of the list");
        let output = slot.output.clone().expect("only finished slots have no output");
        if output.packet_bytes() > packet_limit {
            let reason = format!("the broker takes packets of at most {packet_limit} bytes");
            self.finish(ticket);
            return Some(Err(Failure { ticket: Ticket(ticket), output, reason }));
        }
        slot.state = State::Requested;
        self.requested.push_back(ticket);
        Some(Ok(output))
    }

    /// When the next retry is due, if nothing else is waiting.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.retries.front().map(|(due, _)| *due)
    }

    /// The oldest requested output was written under this packet id (0 for QoS 0).
    pub(crate) fn written(&mut self, pkid: u16) -> Option<Outcome> {
        let ticket = self.requested.pop_front()?;
        if pkid == 0 {
            return self.confirm(ticket);
        }
        self.in_flight.insert(pkid, ticket);
        None
    }

    /// The broker answered a publish; `refusal` is the reason of a negative answer.
    pub(crate) fn answered(&mut self, pkid: u16, refusal: Option<String>, now: Instant) -> Option<Outcome> {
        let ticket = self.in_flight.remove(&pkid)?;
        let Some(reason) = refusal else {
            return self.confirm(ticket);
        };
        let attempts = self.attempts;
        let slot = self.slot(ticket).expect("outputs in flight are in the list");
        slot.refusals += 1;
        if slot.refusals < attempts {
            slot.state = State::Waiting;
            self.retries.push_back((now + RETRY_DELAY, ticket));
            return None;
        }
        let output = self.finish(ticket)?;
        Some(Outcome::Failed(Box::new(Failure { ticket: Ticket(ticket), output, reason })))
    }

    fn next_ticket(&mut self, now: Instant) -> Option<u64> {
        if let Some((due, ticket)) = self.retries.front().copied()
            && due <= now
        {
            self.retries.pop_front();
            return Some(ticket);
        }
        while self.cursor < self.base + self.slots.len() as u64 {
            let ticket = self.cursor;
            self.cursor += 1;
            if self.slot(ticket).is_some_and(|slot| slot.state == State::Waiting) {
                return Some(ticket);
            }
        }
        None
    }

    fn slot(&mut self, ticket: u64) -> Option<&mut Slot> {
        self.slots.get_mut(ticket.checked_sub(self.base)? as usize)
    }

    fn confirm(&mut self, ticket: u64) -> Option<Outcome> {
        let tag = self.finish(ticket)?.tag;
        Some(Outcome::Confirmed { ticket: Ticket(ticket), tag })
    }

    /// Takes the output out of its slot, and finished slots off the front.
    fn finish(&mut self, ticket: u64) -> Option<Output> {
        let slot = self.slot(ticket)?;
        slot.state = State::Finished;
        let output = slot.output.take();
        self.bytes -= output.as_ref().map_or(0, Output::cost);
        while self.slots.front().is_some_and(|slot| slot.state == State::Finished) {
            self.slots.pop_front();
            self.base += 1;
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Output {
        Output {
            topic: "t".into(),
            payload: Bytes::copy_from_slice(text.as_bytes()),
            rarog_id: text.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            tag: 7,
        }
    }

    fn confirmed(ticket: u64) -> Option<Outcome> {
        Some(Outcome::Confirmed { ticket: Ticket(ticket), tag: 7 })
    }

    fn window(texts: &[&str]) -> Window {
        let mut window = Window::new(10, 1 << 20, 2);
        for text in texts {
            window.push(&output(text)).expect("there is room");
        }
        window
    }

    fn ids(window: &mut Window, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| window.next(now)).map(|o| o.expect("fits").rarog_id.to_string()).collect()
    }

    #[test]
    fn unconfirmed_outputs_come_again_in_order() {
        let (mut window, now) = (window(&["a", "b", "c"]), Instant::now());
        assert_eq!(ids(&mut window, now), ["a", "b", "c"]);
        for pkid in 1..=3 {
            assert_eq!(window.written(pkid), None);
        }
        assert_eq!(window.answered(2, None, now), confirmed(2));
        window.push(&output("d")).expect("there is room");
        window.restart(None);
        assert_eq!(window.answered(1, None, now), None, "of the former connection");
        assert_eq!(ids(&mut window, now), ["a", "c", "d"]);
        assert_eq!(window.unconfirmed(), [Ticket(1), Ticket(3), Ticket(4)]);
    }

    #[test]
    fn a_refused_output_is_tried_again_and_then_fails() {
        let (mut window, now) = (window(&["a"]), Instant::now());
        assert_eq!(ids(&mut window, now), ["a"]);
        window.written(1);
        assert_eq!(window.answered(1, Some("no".into()), now), None);
        assert!(window.next(now).is_none());
        let later = window.next_retry().expect("a retry is planned");
        assert_eq!(ids(&mut window, later), ["a"]);
        window.written(2);
        let Some(Outcome::Failed(failure)) = window.answered(2, Some("no".into()), later) else {
            panic!("it fails");
        };
        assert_eq!((failure.ticket, failure.output), (Ticket(1), output("a")));
        assert_eq!((window.len(), window.bytes), (0, 0));
    }

    #[test]
    fn the_list_is_bounded_by_count_and_bytes() {
        let mut window = Window::new(2, 1000, 1);
        assert!(window.push(&output(&"x".repeat(2000))).is_ok(), "an empty list takes one");
        assert_eq!(window.push(&output("y")), Err(SendError::Full));
        let mut window = self::window(&["a"; 10]);
        assert_eq!(window.push(&output("y")), Err(SendError::Full));
        let now = Instant::now();
        ids(&mut window, now);
        window.written(0);
        assert!(window.push(&output("y")).is_ok());
    }

    #[test]
    fn what_cannot_be_published_is_refused() {
        let mut window = window(&[]);
        for topic in ["", "a/+", "#", "a\0b"] {
            let bad = Output { topic: topic.into(), ..output("a") };
            assert!(matches!(window.push(&bad), Err(SendError::InvalidTopic(_))), "{topic}");
        }
        let huge = Output { payload: vec![0; MAX_PACKET_BYTES as usize].into(), ..output("a") };
        assert!(matches!(window.push(&huge), Err(SendError::TooLarge { .. })));
    }

    #[test]
    fn an_output_over_the_brokers_limit_fails_without_being_sent() {
        let mut window = window(&["a", &"b".repeat(500), "c"]);
        window.restart(Some(200));
        let now = Instant::now();
        assert!(matches!(window.next(now), Some(Ok(_))));
        assert!(matches!(window.next(now), Some(Err(Failure { ticket: Ticket(2), .. }))));
        assert!(matches!(window.next(now), Some(Ok(_))));
        window.written(1);
        window.written(2);
        assert_eq!(window.answered(2, None, now), confirmed(3));
    }
}
