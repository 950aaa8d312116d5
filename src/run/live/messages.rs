//! A source of messages that are acknowledged one by one: a connection to a broker, or a server that others post to.

use super::topic;
use rarog_connectors::http::HttpSource;
use rarog_connectors::mqtt::{Message, MqttSource, Receipt, SourceCounters};
use rarog_dataflow::decode::topic_type;
use std::sync::Arc;
use std::time::Duration;

/// See the module's head.
#[derive(Clone)]
pub enum MessageSource {
    /// Topics of a broker.
    Mqtt(Arc<MqttSource>),
    /// Paths of a server of our own.
    Http(Arc<HttpSource>),
}

impl MessageSource {
    /// Takes up to `limit` messages that have come; does not wait.
    pub fn receive(&self, limit: usize) -> Vec<Message> {
        match self {
            // An error means that the connection has ended for good; its status hook has said so.
            MessageSource::Mqtt(source) => source.receive(limit, Duration::ZERO).unwrap_or_default(),
            MessageSource::Http(source) => source.receive(limit),
        }
    }

    /// The effects of these messages are safe.
    pub fn acknowledge(&self, receipts: impl IntoIterator<Item = Receipt>) {
        match self {
            MessageSource::Mqtt(source) => source.acknowledge(receipts),
            MessageSource::Http(source) => source.acknowledge(receipts),
        }
    }

    /// Takes in no more.
    pub fn stop(&self) {
        match self {
            MessageSource::Mqtt(source) => source.stop_intake(),
            MessageSource::Http(source) => source.stop_intake(),
        }
    }

    /// Ends it, with as much time for the last acknowledgements.
    pub fn close(&self, timeout: Duration) {
        match self {
            MessageSource::Mqtt(source) => _ = source.close(timeout),
            MessageSource::Http(source) => source.close(timeout),
        }
    }

    /// Does a message of this topic, or path, belong to a subscription?
    pub fn matches(&self, filter: &str, topic: &str) -> bool {
        match self {
            MessageSource::Mqtt(_) => topic::matches(filter, topic),
            MessageSource::Http(_) => filter == topic,
        }
    }

    /// The type that a topic tells; paths tell none.
    pub fn event_type(&self, topic: &str) -> Option<Arc<str>> {
        match self {
            MessageSource::Mqtt(_) => Some(topic_type(topic).into()),
            MessageSource::Http(_) => None,
        }
    }

    /// What a connection to a broker has counted.
    pub fn of_broker(&self) -> Option<SourceCounters> {
        match self {
            MessageSource::Mqtt(source) => Some(source.counters()),
            MessageSource::Http(_) => None,
        }
    }
}
