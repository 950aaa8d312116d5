//! The yardstick: rumqttc as its examples use it. Two connections, one task each, acknowledgement right after the forward.
//!
//! It does less than it should: a reading is acknowledged before the broker has confirmed what it was forwarded as.

use super::{TOPIC_IN, TOPIC_OUT, is_hot};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn options(id: &str, port: u16) -> MqttOptions {
    let mut options = MqttOptions::new(id, "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30));
    let mut properties = ConnectProperties::new();
    properties.receive_maximum = Some(u16::MAX);
    properties.max_packet_size = Some(1 << 20);
    properties.session_expiry_interval = Some(3600);
    options.set_connect_properties(properties);
    options
}

/// Forwards until told to stop.
pub fn run(port: u16, source_id: &str, stop: &Arc<AtomicBool>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads can be started").block_on(async {
        let mut from = options(source_id, port);
        from.set_clean_start(false).set_manual_acks(true);
        let (source, mut incoming) = AsyncClient::new(from, 1000);
        let (sink, mut outgoing) = AsyncClient::new(options("bare-out", port), 1000);
        let sender = tokio::spawn(async move { while outgoing.poll().await.is_ok() {} });
        // The broker's window bounds it. A bounded queue here would wait for the forwarder, which waits for this loop.
        let (to_forwarder, mut readings) = tokio::sync::mpsc::unbounded_channel::<Publish>();
        let acknowledger = source.clone();
        let forwarder = tokio::spawn(async move {
            while let Some(publish) = readings.recv().await {
                if is_hot(&publish.payload) {
                    let sent = sink.publish(TOPIC_OUT, QoS::AtLeastOnce, false, publish.payload.clone()).await;
                    sent.expect("the sink's task runs");
                }
                acknowledger.ack(&publish).await.expect("the source's loop runs");
            }
        });
        source.subscribe(TOPIC_IN, QoS::AtLeastOnce).await.expect("the source's loop runs");
        let reader = tokio::spawn(async move {
            while let Ok(event) = incoming.poll().await {
                if let Event::Incoming(Packet::Publish(publish)) = event {
                    to_forwarder.send(publish).expect("the forwarder runs");
                }
            }
        });
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for task in [reader, sender, forwarder] {
            task.abort();
        }
    });
}
