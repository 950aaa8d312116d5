//! Programs that the tests run, and the readings that they run on.

use std::path::{Path, PathBuf};

/// The program of the project that rarog replaces: hot readings from one topic to another, over one connector.
pub fn seed(connector: &str, port: u16, topic_in: &str, topic_out: &str) -> String {
    format!(
        r#"connector {connector} = mqtt(host: "127.0.0.1", port: {port})
event SensorReading:
    sensor_id: str
    temperature: float
    seq: int
stream Input = SensorReading
    .from({connector}, topic: "{topic_in}")
stream HighTemp = Input
    .where(temperature > 50.0)
stream Output = HighTemp
    .to({connector}, topic: "{topic_out}")
"#
    )
}

/// Writes a program into a directory; its path.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(format!("{name}.vpl"));
    std::fs::write(&path, text).expect("the temporary directory is writable");
    path
}

/// A reading; every second one is hot.
pub fn reading(seq: u64) -> String {
    let temperature = if is_hot(seq) { 60 } else { 40 };
    format!(r#"{{"event_type":"SensorReading","sensor_id":"s{}","temperature":{temperature},"seq":{seq}}}"#, seq % 100)
}

/// Does [`reading`] give a hot one?
pub fn is_hot(seq: u64) -> bool {
    // Not simply every other one: a run of both kinds in a row is to be seen as well.
    (seq / 3 + seq).is_multiple_of(2)
}

/// How many of the first `count` readings are hot.
pub fn hot(count: u64) -> usize {
    (0..count).filter(|seq| is_hot(*seq)).count()
}
