//! Sensor readings: one JSON object per line, one per millisecond, the same for every run.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// First event time, epoch ms: 2026-01-01T00:00:00Z.
pub const START_MS: u64 = 1_767_225_600_000;
const SENSORS: u64 = 1000;

/// Steele and Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Writes `lines` readings.
pub fn write(file: &Path, lines: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut random = Random(1);
    for seq in 0..lines {
        let ts = START_MS + seq;
        let (sensor, hundredths) = (random.below(SENSORS), random.below(10_000));
        let (day, ms) = (1 + seq / 86_400_000, seq % 86_400_000);
        writeln!(
            out,
            "{{\"type\":\"SensorReading\",\"@timestamp\":\"2026-01-{day:02}T{:02}:{:02}:{:02}.{:03}Z\",\"ts\":{ts},\
             \"sensor_id\":\"s{sensor:04}\",\"temperature\":{:?},\"seq\":{seq}}}",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000,
            hundredths as f64 / 100.0,
        )?;
    }
    out.flush()
}
