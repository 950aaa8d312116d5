//! Messages of a broker: gathered into one buffer, decoded together.

use super::decoder::Refused;
use super::gather::Gather;
use super::lines::{follow, invalid, take};
use super::scan::Scanner;
use super::tables::Tables;
use std::sync::Arc;

/// Stands behind each message: JSON has it nowhere, so that no message runs into the next.
const BEHIND: u8 = 0;

/// Messages that will be one chunk.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: Vec<Message>,
}

/// A message in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub span: (usize, usize),
    /// The type that its topic tells.
    pub topic: Option<Arc<str>>,
}

impl Messages {
    /// Adds a message. `topic`: the type it has unless it says so itself ([`topic_type`] of an MQTT topic).
    pub fn push(&mut self, payload: &[u8], topic: Option<Arc<str>>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.messages.push(Message { span: (start, self.bytes.len()), topic });
        self.bytes.push(BEHIND);
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Forgets them, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The event type that an MQTT topic tells: its last segment.
pub fn topic_type(topic: &str) -> &str {
    topic.rsplit('/').next().unwrap_or_default()
}

/// Decodes every message; gives back what cannot be used.
pub(super) fn each_message(
    scanner: &mut Scanner,
    text: &str,
    messages: &[Message],
    tables: &Tables,
    gather: &mut Gather<'_>,
) -> Vec<Refused> {
    let mut refused = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let (start, end) = message.span;
        let topic = message.topic.as_deref().filter(|topic| !topic.is_empty()).map(|topic| tables.input(topic));
        if follow::<false>(scanner, (start, Some(end)), text.as_bytes(), None, topic, gather).is_some() {
            continue;
        }
        let scanned = scanner.record::<false>(&text.as_bytes()[start..], text.len(), tables);
        let taken = match scanned.filter(|record| record.after == end) {
            Some(record) => take(scanner, text, (start, record), tables, message.topic.as_deref(), None, gather),
            None => Err(invalid::<false>(text.as_bytes(), (start, end))),
        };
        if let Err(refusal) = taken {
            refused.push(Refused { index, span: message.span, refusal });
        }
    }
    refused
}
