//! The load generator: publishes with a window of unconfirmed messages, and publishes again what a broken connection lost.
//!
//! Invariant: [`Publisher::finish`] returns once the broker has confirmed every message, or panics.

use crate::relay::Relay;
use paho_mqtt as mqtt;
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// Unconfirmed messages at a time.
const WINDOW: usize = 2000;
/// How long one confirmation may take, broker restarts included.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that publishes.
pub struct Publisher {
    client: mqtt::AsyncClient,
    unconfirmed: VecDeque<mqtt::DeliveryToken>,
    again: u64,
    /// After the client, which goes first.
    _relay: Option<Relay>,
}

impl Publisher {
    /// Connects to a broker, which may go away and come back.
    pub fn connect(uri: &str, client_id: &str) -> Publisher {
        let relay = Relay::to(uri);
        Publisher::over(&relay.uri(), client_id, Some(relay))
    }

    /// Connects to a broker that stays: nothing stands between, which a benchmark would measure too.
    pub fn direct(uri: &str, client_id: &str) -> Publisher {
        Publisher::over(uri, client_id, None)
    }

    fn over(uri: &str, client_id: &str, relay: Option<Relay>) -> Publisher {
        let create = mqtt::CreateOptionsBuilder::new()
            .server_uri(uri)
            .client_id(client_id)
            .persistence(mqtt::PersistenceType::None)
            .max_buffered_messages(1_000_000)
            .finalize();
        let client = mqtt::AsyncClient::new(create).expect("the options are valid");
        let connect = mqtt::ConnectOptionsBuilder::new_v5()
            .clean_start(true)
            .max_inflight(WINDOW as i32)
            .automatic_reconnect(Duration::from_secs(1), Duration::from_secs(1))
            .finalize();
        client.connect(connect).wait_for(PATIENCE).unwrap_or_else(|error| panic!("cannot connect to {uri}: {error}"));
        Publisher { client, unconfirmed: VecDeque::new(), again: 0, _relay: relay }
    }

    /// Publishes a message; waits while the window is full.
    pub fn publish(&mut self, topic: &str, qos: i32, payload: impl Into<Vec<u8>>) {
        let message = mqtt::Message::new(topic, payload, qos);
        self.send(message);
        while self.unconfirmed.len() >= WINDOW {
            self.confirm_oldest();
        }
    }

    /// Publishes a message with the broker to keep it for later subscribers.
    pub fn publish_retained(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.send(mqtt::Message::new_retained(topic, payload, 1));
    }

    /// Publishes `messages` evenly at `rate` per second.
    pub fn publish_paced(&mut self, topic: &str, qos: i32, rate: f64, messages: impl Iterator<Item = Vec<u8>>) {
        let began = Instant::now();
        for (number, payload) in messages.enumerate() {
            let due = began + Duration::from_secs_f64(number as f64 / rate);
            if let Some(ahead) = due.checked_duration_since(Instant::now()) {
                thread::sleep(ahead);
            }
            self.publish(topic, qos, payload);
        }
    }

    /// Waits until everything is confirmed; how many messages had to be published again.
    pub fn finish(&mut self) -> u64 {
        while !self.unconfirmed.is_empty() {
            self.confirm_oldest();
        }
        self.again
    }

    fn send(&mut self, message: mqtt::Message) {
        self.unconfirmed.push_back(self.client.publish(message));
    }

    fn confirm_oldest(&mut self) {
        let Some(token) = self.unconfirmed.pop_front() else { return };
        let message = token.message().clone();
        if token.wait_for(PATIENCE).is_err() {
            let deadline = Instant::now() + PATIENCE;
            while !self.client.is_connected() {
                assert!(Instant::now() < deadline, "the publisher cannot reach its broker any more");
                thread::sleep(Duration::from_millis(20));
            }
            self.again += 1;
            self.send(message);
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(self.client.disconnect(None).wait_for(Duration::from_secs(1)));
    }
}
