//! What a source or a sink needs to know: broker addresses, identity, limits.
//!
//! Plain data with the documented defaults; nothing here opens a connection.

use super::permit::Permit;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The port of plain MQTT.
const DEFAULT_PORT: u16 = 1883;

/// Host and port of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// An address from its parts.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Parses a comma-separated list of addresses, with `port` where none is given.
    pub fn parse_list(text: &str, port: u16) -> Result<Vec<Address>, AddressError> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let addresses: Vec<_> = items.map(|item| Self::parse(item, port)).collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(AddressError::new(text, "no address in it"));
        }
        Ok(addresses)
    }

    /// Parses `host`, `host:port`, `[v6]:port`, each with an optional `mqtt://` or `tcp://`.
    pub fn parse(text: &str, default_port: u16) -> Result<Address, AddressError> {
        let fail = |why: &'static str| Err(AddressError::new(text, why));
        let rest = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => rest,
            Some(("mqtts" | "ssl" | "tls", _)) => {
                return fail("TLS is not supported; use mqtt://host:port");
            }
            Some(_) => return fail("unknown scheme; use mqtt://host:port"),
            None => text,
        };
        let rest = rest.trim_end_matches('/');
        if rest.contains(['/', '@', ' ']) {
            return fail("expected host:port; give user and password as parameters");
        }
        let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return fail("expected a colon and a port after the bracket"),
            },
            None if rest.matches(':').count() > 1 => (rest, None),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if host.is_empty() {
            return fail("the host is missing");
        }
        match port.map(u16::from_str).unwrap_or(Ok(default_port)) {
            Ok(port) if port > 0 => Ok(Address::new(host, port)),
            _ => fail("the port is not a number from 1 to 65535"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, DEFAULT_PORT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A broker address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broker address `{text}`: {why}")]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl AddressError {
    fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.to_owned(), why }
    }
}

/// Quality of service of a subscription or a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Qos {
    /// QoS 0: nothing is acknowledged; what is on its way when a connection ends is lost.
    AtMostOnce,
    /// QoS 1: acknowledged; may come more than once.
    #[default]
    AtLeastOnce,
}

impl Qos {
    pub(crate) fn wire(self) -> rumqttc::v5::mqttbytes::QoS {
        match self {
            Qos::AtMostOnce => rumqttc::v5::mqttbytes::QoS::AtMostOnce,
            Qos::AtLeastOnce => rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
        }
    }
}

/// What both ends need.
#[derive(Clone)]
pub struct MqttConfig {
    /// Brokers that share one set of sessions; tried in turn. Must not be empty.
    pub addresses: Vec<Address>,
    /// Client id, unique at the broker (see [`crate::client_id`]).
    pub client_id: String,
    /// User name, if the broker asks for one.
    pub username: Option<String>,
    /// Password that goes with the user name.
    pub password: Option<String>,
    /// Time between pings; at least 5 s.
    pub keep_alive: Duration,
    /// How long the first connection may take; `None` tries for ever.
    pub connect_timeout: Option<Duration>,
    /// Asked before each connection is made, and before it is used; `None`: the client id is nobody else's.
    pub permit: Option<Arc<dyn Permit>>,
}

impl MqttConfig {
    /// A configuration with the defaults: keep-alive 30 s, first connection tried for ever.
    pub fn new(address: Address, client_id: impl Into<String>) -> Self {
        Self {
            addresses: vec![address],
            client_id: client_id.into(),
            username: None,
            password: None,
            keep_alive: Duration::from_secs(30),
            connect_timeout: None,
            permit: None,
        }
    }
}

impl fmt::Debug for MqttConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttConfig")
            .field("addresses", &self.addresses)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("keep_alive", &self.keep_alive)
            .field("connect_timeout", &self.connect_timeout)
            .field("permit", &self.permit.is_some())
            .finish()
    }
}

/// What a source needs.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The connection.
    pub mqtt: MqttConfig,
    /// Topic filters to subscribe, with the quality of service asked for.
    pub topics: Vec<(String, Qos)>,
    /// Topic filters that the session may have from an earlier connection and is to lose.
    pub unwanted: Vec<String>,
    /// How long the broker keeps the session while nobody is connected.
    pub session_expiry: Duration,
    /// How many un-acknowledged messages the broker may send.
    pub receive_maximum: u16,
    /// Bytes of received messages that may wait for [`super::MqttSource::receive`]; when they are
    /// reached the connection is read no further than pings need.
    pub inbox_limit_bytes: usize,
    /// Messages that an earlier process has taken in ([`super::MqttSource::seen`]): when the session sends them again they
    /// are acknowledged and not received.
    pub seen: Vec<(u16, u64)>,
}

impl SourceConfig {
    /// A source with the defaults: QoS 1, session expiry 1 h, receive maximum 65 535, 64 MiB inbox.
    pub fn new(mqtt: MqttConfig, topics: impl IntoIterator<Item = String>) -> Self {
        Self {
            mqtt,
            topics: topics.into_iter().map(|topic| (topic, Qos::AtLeastOnce)).collect(),
            unwanted: Vec::new(),
            session_expiry: Duration::from_secs(3600),
            receive_maximum: u16::MAX,
            inbox_limit_bytes: 64 * 1024 * 1024,
            seen: Vec::new(),
        }
    }
}

/// What a sink needs.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// The connection.
    pub mqtt: MqttConfig,
    /// How many outputs may be unconfirmed before [`super::MqttSink::send`] blocks.
    pub unconfirmed_limit: usize,
    /// Bytes of unconfirmed outputs before [`super::MqttSink::send`] blocks.
    pub unconfirmed_limit_bytes: usize,
    /// How often an output that the broker refuses is published before it counts as failed.
    pub attempts: u32,
}

impl SinkConfig {
    /// A sink with the defaults: 20 000 outputs or 64 MiB unconfirmed, three attempts.
    pub fn new(mqtt: MqttConfig) -> Self {
        Self { mqtt, unconfirmed_limit: 20_000, unconfirmed_limit_bytes: 64 * 1024 * 1024, attempts: 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_in_their_usual_forms() {
        for (text, host, port) in [
            ("broker", "broker", 1883),
            ("broker:1884", "broker", 1884),
            ("mqtt://10.0.0.1:1999/", "10.0.0.1", 1999),
            ("tcp://broker", "broker", 1883),
            ("[::1]:1885", "::1", 1885),
            ("::1", "::1", 1883),
        ] {
            assert_eq!(text.parse::<Address>(), Ok(Address::new(host, port)), "{text}");
        }
        assert_eq!(Address::parse_list("a, b:1", 9).map(|l| l.len()), Ok(2));
    }

    #[test]
    fn bad_addresses_are_refused_with_a_reason() {
        for text in ["", "mqtts://b", "http://b", "b:0", "b:x", "b:70000", "u@b", "[::1]x", ":1883"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!(Address::parse_list(" , ", 1).is_err());
    }
}
