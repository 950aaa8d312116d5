//! The product's source and sink without its engine: what they cost by themselves.
//!
//! As in the product, a reading is acknowledged when the broker has confirmed what it was forwarded as.

use super::{TOPIC_IN, TOPIC_OUT, is_hot};
use rarog_connectors::mqtt::{
    Address, MqttConfig, MqttSink, MqttSource, Outcome, Output, Qos, Receipt, SinkConfig, SourceConfig,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Forwards until told to stop.
pub fn run(port: u16, source_id: &str, stop: &Arc<AtomicBool>) {
    let config = |id: &str| MqttConfig::new(Address::new("127.0.0.1", port), id);
    let source = SourceConfig::new(config(source_id), vec![TOPIC_IN.into()]);
    let source = Arc::new(MqttSource::start(source, || {}, None).expect("the configuration is valid"));
    let confirmed = Arc::new(Mutex::new((VecDeque::<Receipt>::new(), 0_u64)));
    let (waiting, acknowledger) = (confirmed.clone(), source.clone());
    let report = move |outcomes: &[Outcome]| {
        let mut waiting = waiting.lock().expect("nobody panics in it");
        waiting.1 += outcomes.len() as u64;
        let count = outcomes.len();
        acknowledger.acknowledge(waiting.0.drain(..count));
    };
    let sink = MqttSink::start(SinkConfig::new(config("connectors-out")), report, None).expect("it is valid");
    while !stop.load(Ordering::Relaxed) {
        let messages = source.receive(8192, Duration::from_millis(50)).expect("the source runs");
        let mut cold = Vec::new();
        for message in messages {
            if !is_hot(&message.payload) {
                cold.push(message.receipt);
                continue;
            }
            confirmed.lock().expect("nobody panics in it").0.push_back(message.receipt);
            let output = Output {
                topic: TOPIC_OUT.into(),
                payload: message.payload,
                rarog_id: "0123456789abcdef0123456789abcdef".into(),
                qos: Qos::AtLeastOnce,
                retain: false,
                tag: 0,
            };
            sink.send(&output).expect("the sink runs");
        }
        source.acknowledge(cold);
    }
}
