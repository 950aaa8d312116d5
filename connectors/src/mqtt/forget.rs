//! Removes a client id's session from the broker, with the messages that it kept.
//!
//! Connects once with clean start and no expiry and leaves again. Invariant: the answer is `Ok`
//! only after the broker has accepted that connection, so the session is gone.

use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event};

use super::config::MqttConfig;
use super::link::{Loss, SessionTerms, broker_text, options};
use super::status::MqttError;
use crate::backoff::Backoff;
use crate::random::SplitMix64;

/// Removes the session of `config.client_id`, trying again until `timeout`. Blocks.
pub fn forget(config: &MqttConfig, timeout: Duration) -> Result<(), MqttError> {
    if config.addresses.is_empty() {
        return Err(MqttError::Config("no broker address; give host or url".into()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| MqttError::Thread(error.to_string()))?;
    let result = runtime.block_on(try_until(config, timeout));
    runtime.shutdown_background();
    result.map_err(|reason| MqttError::ConnectTimeout {
        broker: broker_text(&config.addresses),
        after: timeout,
        reason,
    })
}

async fn try_until(config: &MqttConfig, timeout: Duration) -> Result<(), String> {
    let (deadline, mut random) = (Instant::now() + timeout, SplitMix64::from_process());
    let (mut backoff, mut reason) = (Backoff::default(), "no answer".to_owned());
    for address in config.addresses.iter().cycle() {
        let left = deadline.saturating_duration_since(Instant::now());
        let terms = SessionTerms {
            clean_start: true,
            expiry: Duration::ZERO,
            receive_maximum: 1,
            manual_acks: true,
            in_flight: 1,
        };
        match tokio::time::timeout(left, visit(options(config, address, &terms))).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => reason = format!("{address}: {why}"),
            Err(_) => break,
        }
        let delay = backoff.next_delay(random.next_u64());
        if Instant::now() + delay >= deadline {
            break;
        }
        tokio::time::sleep(delay).await;
    }
    Err(reason)
}

/// One connection: in, accepted, out.
async fn visit(options: rumqttc::v5::MqttOptions) -> Result<(), String> {
    let (client, mut events) = AsyncClient::new(options, 1);
    match events.poll().await {
        Ok(Event::Incoming(Packet::ConnAck(_))) => {}
        Ok(other) => return Err(format!("expected CONNACK, got {other:?}")),
        Err(error) => return Err(Loss::from_error(&error, false).reason),
    }
    // The session went with the CONNACK; a failure from here on changes nothing.
    if client.disconnect().await.is_ok() {
        while let Ok(event) = events.poll().await {
            if event == Event::Outgoing(Outgoing::Disconnect) {
                break;
            }
        }
    }
    Ok(())
}
