//! MQTT version 5: a source that acknowledges late and a sink that forgets nothing.
//!
//! Each end has a connection, a client id and a thread of its own: acknowledgements would
//! otherwise queue behind publishes. Both reconnect for ever, except when another client takes
//! their client id away again and again ([`MqttError::TakenOver`]), or when a [`Permit`] says that
//! it is another's now ([`MqttError::Superseded`]).
//!
//! ```text
//!  broker ─PUBLISH─> poll ──> Ledger ──> inbox (bounded) ──> MqttSource::receive
//!         <─PUBACK── acks task <─ in order of receipt <───── MqttSource::acknowledge
//!
//!  MqttSink::send ──> Window (bounded) ──> feed task ─PUBLISH─> broker
//!  outcomes <──────── confirmed, failed <──── poll <──PUBACK───
//! ```
//!
//! Invariants: the broker's un-acknowledged messages are the source's position; an output leaves
//! the window only confirmed or reported as failed.

mod config;
mod forget;
mod ledger;
mod link;
mod permit;
mod sink;
mod source;
mod status;
mod takeover;
mod window;

pub use config::{Address, AddressError, MqttConfig, Qos, SinkConfig, SourceConfig};
pub use forget::forget;
pub use ledger::Receipt;
pub use permit::{Asked, Permission, Permit, WAITING_FOR_OWNER};
pub use sink::{CloseReport, MqttSink};
pub use source::{Message, MqttSource};
pub use status::{LinkState, MqttError, SinkCounters, SourceCounters, StatusHook};
pub use takeover::Evidence;
pub use window::{Failure, Outcome, Output, SendError, Ticket};

/// The user property that carries an output's id.
pub const ID_PROPERTY: &str = "rarog-id";

/// The largest MQTT packet taken or sent, in bytes.
pub const MAX_PACKET_BYTES: u32 = 16 * 1024 * 1024;
