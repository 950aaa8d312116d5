//! Sensors that publish readings: each warms up and cools down in its own time.

use rarog_connectors::mqtt::{MqttConfig, MqttSink, Output, Qos, SinkConfig};
use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many sensors there are.
const SENSORS: u64 = 20;
/// Readings that are due are published so often.
const BEAT: Duration = Duration::from_millis(1);
/// The time that sensor 0 takes to warm up and cool down; the others take longer.
const SWING_SECONDS: f64 = 12.0;
/// How long the broker has to take what was published last.
const FLUSH: Duration = Duration::from_secs(5);

/// Publishes until it is told to stop; counts what it has published.
pub fn publish(
    mqtt: MqttConfig,
    topic: &str,
    rate: u64,
    stop: &AtomicBool,
    published: &AtomicU64,
) -> Result<(), String> {
    let sink = MqttSink::start(SinkConfig::new(mqtt), |_| {}, None).map_err(|error| error.to_string())?;
    let topic: Arc<str> = topic.into();
    let began = Instant::now();
    let mut seq = 0;
    while !stop.load(Ordering::Acquire) {
        let elapsed = began.elapsed();
        let due = (elapsed.as_secs_f64() * rate as f64) as u64;
        while seq < due {
            let output = Output {
                topic: topic.clone(),
                payload: reading(seq, elapsed).into(),
                rarog_id: "".into(),
                qos: Qos::AtLeastOnce,
                retain: false,
                tag: seq,
            };
            sink.send(&output).map_err(|error| error.to_string())?;
            seq += 1;
            published.store(seq, Ordering::Release);
        }
        thread::sleep(BEAT);
    }
    sink.flush(FLUSH);
    Ok(())
}

/// A reading: where its sensor is on its way up or down, and a little noise.
fn reading(seq: u64, elapsed: Duration) -> String {
    let sensor = seq % SENSORS;
    let period = SWING_SECONDS + sensor as f64;
    let swing = (elapsed.as_secs_f64() / period * TAU + sensor as f64).sin();
    let noise = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59;
    let tenths = 480.0 + 300.0 * swing + noise as f64;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!(
        r#"{{"event_type":"SensorReading","sensor_id":"s{sensor}","temperature":{:.1},"seq":{seq},"ts":{now}}}"#,
        tenths / 10.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_sensors_are_hot_and_some_are_not() {
        let temperatures = (0..2000).map(|seq| {
            let reading = reading(seq, Duration::from_millis(seq * 10));
            let reading: serde_json::Value = serde_json::from_str(&reading).expect("a reading is JSON");
            reading["temperature"].as_f64().expect("a number")
        });
        let temperatures: Vec<f64> = temperatures.collect();
        let hot = temperatures.iter().filter(|degrees| **degrees > 50.0).count();
        assert!((500..1500).contains(&hot), "{hot} of 2000");
        assert!(temperatures.iter().any(|degrees| *degrees > 75.0));
    }
}
