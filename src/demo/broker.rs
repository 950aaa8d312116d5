//! An MQTT broker inside the process, on a free port of the loopback interface.
//!
//! It keeps messages in memory only, in a few small segments per topic: enough for a demonstration, not for anything that
//! must not be lost.

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

/// Connections that are accepted.
const CONNECTIONS: usize = 16;
/// Bytes of a segment of a topic's log.
const SEGMENT_BYTES: usize = 1024 * 1024;
/// Segments that a topic's log has before the oldest is forgotten.
const SEGMENTS: usize = 8;
/// Largest message.
const PAYLOAD_BYTES: usize = 1024 * 1024;
/// Unacknowledged messages that a connection may have.
const INFLIGHT: usize = 1000;

/// Starts a broker, which lives as long as the process; its port.
pub fn start() -> Result<u16, String> {
    let port = free_port().map_err(|error| format!("there is no free port for the broker: {error}"))?;
    let mut broker = Broker::new(config(port));
    let body = move || {
        if let Err(error) = broker.start() {
            say_line!("rarog demo: the broker has ended: {error}");
        }
    };
    thread::Builder::new()
        .name("broker".into())
        .spawn(body)
        .map_err(|error| format!("cannot start the broker: {error}"))?;
    Ok(port)
}

/// A port that was free a moment ago. The broker opens it itself, so somebody else may be faster; then it says so.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn config(port: u16) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: PAYLOAD_BYTES,
        max_inflight_count: INFLIGHT,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "demo".into(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: CONNECTIONS,
        max_outgoing_packet_count: 200,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        ..RouterConfig::default()
    };
    Config { router, v5: Some(HashMap::from([("demo".into(), server)])), ..Config::default() }
}
