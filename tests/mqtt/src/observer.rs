//! The observer: a persistent session that keeps everything it is sent, in order, with its time of arrival.
//!
//! Invariant: nothing that its client received is missing in [`Observer::seen`].

use paho_mqtt as mqtt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Topic.
    pub topic: Arc<str>,
    /// Payload.
    pub payload: Vec<u8>,
    /// User property `rarog-id`.
    pub id: Option<String>,
}

impl Seen {
    /// The payload as JSON.
    pub fn json(&self) -> serde_json::Value {
        let text = || String::from_utf8_lossy(&self.payload).into_owned();
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| panic!("{error}: {}", text()))
    }
}

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    arrived: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that subscribes.
pub struct Observer {
    client: mqtt::AsyncClient,
    log: Arc<Log>,
}

impl Observer {
    /// Connects and subscribes with this quality of service.
    pub fn subscribe(uri: &str, client_id: &str, filter: &str, qos: i32) -> Observer {
        let log = Arc::new(Log::default());
        let of_callback = log.clone();
        let client = subscribe(uri, client_id, filter, qos, move |message| take(&of_callback, message));
        Observer { client, log }
    }

    /// How many messages have arrived.
    pub fn count(&self) -> usize {
        self.log.lock().len()
    }

    /// What has arrived, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.log.lock().clone()
    }

    /// Waits until `done` accepts what has arrived; false if it does not in time.
    ///
    /// `done` is asked again for every message, and none can arrive meanwhile: one that looks at all of them each time
    /// makes the wait quadratic.
    pub fn wait_until(&self, timeout: Duration, mut done: impl FnMut(&[Seen]) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut seen = self.log.lock();
        loop {
            if done(&seen) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self.log.arrived.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until that many messages have arrived; panics if they do not in time.
    pub fn wait_for(&self, count: usize, timeout: Duration) {
        let arrived = self.wait_until(timeout, |seen| seen.len() >= count);
        assert!(arrived, "{} of {count} messages arrived within {timeout:?}", self.count());
    }

    /// Waits until nothing has arrived for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        let mut before = self.count();
        while self.wait_until(quiet, |seen| seen.len() > before) {
            before = self.count();
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        drop(self.client.disconnect(None).wait_for(Duration::from_secs(1)));
    }
}

/// A client that only counts what it is sent, at QoS 0.
pub struct Counter {
    client: mqtt::AsyncClient,
    counts: Arc<(Mutex<Counts>, Condvar)>,
}

#[derive(Default)]
struct Counts {
    wanted: usize,
    count: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Counter {
    /// Connects and subscribes.
    pub fn subscribe(uri: &str, client_id: &str, filter: &str) -> Counter {
        let counts = Arc::new((Mutex::new(Counts::default()), Condvar::new()));
        let of_callback = counts.clone();
        let client = subscribe(uri, client_id, filter, 0, move |_| {
            let mut counts = of_callback.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            counts.first.get_or_insert(now);
            counts.last = Some(now);
            counts.count += 1;
            if counts.count == counts.wanted {
                of_callback.1.notify_all();
            }
        });
        Counter { client, counts }
    }

    /// Waits for that many messages: when the first and the last arrived. Panics if they do not in time.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> (Instant, Instant) {
        let lock = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = lock;
        counts.wanted = count;
        let missing = |counts: &mut Counts| counts.count < count;
        let waited = self.counts.1.wait_timeout_while(counts, timeout, missing);
        let counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        match (counts.first, counts.last) {
            (Some(first), Some(last)) if counts.count >= count => (first, last),
            _ => panic!("{} of {count} messages arrived within {timeout:?}", counts.count),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        drop(self.client.disconnect(None).wait_for(Duration::from_secs(1)));
    }
}

/// A connected client with a persistent session and a subscription.
fn subscribe(
    uri: &str,
    client_id: &str,
    filter: &str,
    qos: i32,
    mut on_message: impl FnMut(&mqtt::Message) + Send + 'static,
) -> mqtt::AsyncClient {
    let create = mqtt::CreateOptionsBuilder::new()
        .server_uri(uri)
        .client_id(client_id)
        .persistence(mqtt::PersistenceType::None)
        .finalize();
    let client = mqtt::AsyncClient::new(create).expect("the options are valid");
    client.set_message_callback(move |_, message| {
        if let Some(message) = message {
            on_message(&message);
        }
    });
    let mut properties = mqtt::Properties::new();
    for (code, value) in
        [(mqtt::PropertyCode::SessionExpiryInterval, 3600), (mqtt::PropertyCode::ReceiveMaximum, 65_535)]
    {
        properties.push_int(code, value).expect("the property takes an integer");
    }
    let connect = mqtt::ConnectOptionsBuilder::new_v5()
        .clean_start(false)
        .properties(properties)
        .automatic_reconnect(Duration::from_secs(1), Duration::from_secs(1))
        .finalize();
    client.connect(connect).wait_for(PATIENCE).unwrap_or_else(|error| panic!("cannot connect to {uri}: {error}"));
    client.subscribe(filter, qos).wait_for(PATIENCE).expect("the broker takes subscriptions");
    client
}

fn take(log: &Log, message: &mqtt::Message) {
    let seen = Seen {
        at: Instant::now(),
        topic: message.topic().into(),
        payload: message.payload().to_vec(),
        id: message.properties().find_user_property("rarog-id"),
    };
    log.lock().push(seen);
    log.arrived.notify_all();
}
