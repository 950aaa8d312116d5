//! The anchors: what a careful programmer writes by hand for one job on one thread. 1 MiB reads, newline search, unchecked
//! decoding of all declared fields, interned keys, dense state.

use crate::rows::Rows;
use hashbrown::HashMap;
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const READ_BYTES: usize = 1 << 20;
const WINDOW_MS: i64 = 10_000;

#[derive(Deserialize)]
struct Reading<'a> {
    #[serde(rename = "type")]
    event: &'a str,
    ts: i64,
    sensor_id: &'a str,
    temperature: f64,
    seq: i64,
}

/// Runs a workload and gives its rows. With `RAROG_BENCH_COUNT` set rows are counted and not formatted.
pub fn run(workload: &str, file: &Path) -> Result<Rows, String> {
    let count_only = std::env::var_os("RAROG_BENCH_COUNT").is_some();
    let out = Out { rows: Rows::default(), text: String::new(), count_only };
    match workload {
        "w1" => filter(file, out, 50.0, |text, reading| write!(text, "{}", reading.seq)),
        "w2" => filter(file, out, 90.0, |text, reading| {
            let fahrenheit = reading.temperature * 1.8 + 32.0;
            write!(text, "{},{},{}", reading.seq, reading.sensor_id, (fahrenheit * 1000.0).round() as i64)
        }),
        "w3" => window(file, out),
        _ => Err(format!("there is no anchor for {workload}")),
    }
}

struct Out {
    rows: Rows,
    text: String,
    count_only: bool,
}

impl Out {
    fn row(&mut self, format: impl FnOnce(&mut String) -> std::fmt::Result) {
        if self.count_only {
            self.rows.count += 1;
            return;
        }
        self.text.clear();
        // Writing to a string cannot fail.
        _ = format(&mut self.text);
        self.rows.add(&self.text);
    }
}

fn filter(
    file: &Path,
    mut out: Out,
    above: f64,
    format: impl Fn(&mut String, &Reading) -> std::fmt::Result,
) -> Result<Rows, String> {
    each(file, |reading| {
        if reading.event == "SensorReading" && reading.temperature > above {
            out.row(|text| format(text, &reading));
        }
    })?;
    Ok(out.rows)
}

fn window(file: &Path, mut out: Out) -> Result<Rows, String> {
    let mut keys: HashMap<String, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut names: Vec<String> = Vec::new();
    let mut sums: Vec<(u64, f64)> = Vec::new();
    let mut start = i64::MIN;
    let mut close = |start: i64, names: &[String], sums: &mut [(u64, f64)]| {
        for (name, sum) in names.iter().zip(sums) {
            let (n, total) = std::mem::take(sum);
            if n > 0 {
                out.row(|text| write!(text, "{name},{start},{n},{}", (total * 100.0).round() as i64));
            }
        }
    };
    each(file, |reading| {
        if reading.event != "SensorReading" {
            return;
        }
        let own = reading.ts.div_euclid(WINDOW_MS) * WINDOW_MS;
        if own != start {
            close(start, &names, &mut sums);
            start = own;
        }
        let key = match keys.get(reading.sensor_id) {
            Some(key) => *key,
            None => {
                names.push(reading.sensor_id.to_string());
                sums.push((0, 0.0));
                keys.insert(reading.sensor_id.to_string(), names.len() - 1);
                names.len() - 1
            }
        };
        sums[key].0 += 1;
        sums[key].1 += reading.temperature;
    })?;
    close(start, &names, &mut sums);
    Ok(out.rows)
}

/// Calls `take` with every reading of a file.
fn each(file: &Path, mut take: impl FnMut(Reading)) -> Result<(), String> {
    let failure = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut input = File::open(file).map_err(failure)?;
    let mut buffer = vec![0u8; 2 * READ_BYTES];
    let mut kept = 0;
    loop {
        let read = input.read(&mut buffer[kept..]).map_err(failure)?;
        let filled = kept + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            take(decode(&buffer[start..end])?);
            start = end + 1;
        }
        if read == 0 {
            return Ok(());
        }
        buffer.copy_within(start..filled, 0);
        kept = filled - start;
    }
}

#[allow(unsafe_code)]
fn decode(line: &[u8]) -> Result<Reading<'_>, String> {
    // SAFETY: the lines are the generator's own, which are ASCII; this is the fastest decoder that a program could use
    // for input that it trusts, and that is what an anchor is for.
    unsafe { sonic_rs::from_slice_unchecked(line) }.map_err(|error| error.to_string())
}
