//! Time per event of decoding JSON lines, beside serde_json on the same bytes in the same run:
//! `cargo bench -p rarog-dataflow --bench decode`.
//!
//! The lines are those of the benchmark's set `sensors` (132 bytes), the columns those of its first program.

use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay};
use rarog_lang::plan::{ColumnDef, Input, Layout, Node, Op, Plan};
use rarog_lang::span::Span;
use rarog_lang::value::Type;
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes per chunk, as the intake cuts them.
const CHUNK_BYTES: usize = 256 * 1024;
const EVENTS: usize = 100_000;
const PASSES: usize = 8;
const ROUNDS: usize = 5;

#[derive(serde::Deserialize)]
#[allow(dead_code)]
struct Reading<'t> {
    r#type: &'t str,
    #[serde(rename = "@timestamp")]
    at: &'t str,
    ts: i64,
    sensor_id: &'t str,
    temperature: f64,
    seq: i64,
}

fn random(seed: &mut u64, end: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % end
}

/// Chunks of lines.
fn chunks() -> Vec<String> {
    let mut seed = 1;
    let mut chunks = vec![String::new()];
    for seq in 0..EVENTS {
        let (sensor, hundredths) = (random(&mut seed, 1000), random(&mut seed, 10_000));
        let (second, milli) = (seq / 1000, seq % 1000);
        let chunk = chunks.last_mut().expect("there is one from the start");
        writeln!(
            chunk,
            r#"{{"type":"SensorReading","@timestamp":"2026-01-01T00:{:02}:{:02}.{milli:03}Z","ts":{},"sensor_id":"s{sensor:04}","temperature":{},"seq":{seq}}}"#,
            second / 60,
            second % 60,
            1_767_225_600_000 + seq,
            hundredths as f64 / 100.0,
        )
        .expect("a String takes everything");
        if chunk.len() >= CHUNK_BYTES {
            chunks.push(String::new());
        }
    }
    chunks
}

fn plan(declared: bool, columns: &[&str]) -> Plan {
    let fields = [("ts", Type::Time), ("sensor_id", Type::Str), ("temperature", Type::Float), ("seq", Type::Int)];
    let column = |name: &&str| ColumnDef { name: (*name).into(), ty: Type::Any, keep_null: false, hidden: false };
    let input = Input {
        event: "SensorReading".into(),
        declared: declared.then(|| fields.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect()),
        time_field: declared.then(|| "ts".into()),
        layout: 0,
        whole: false,
        subscriptions: vec![],
    };
    let node = Node { op: Op::Input(0), inputs: vec![], layout: 0, stream: 0, span: Span::default() };
    let layout = Layout { columns: columns.iter().map(column).collect(), open: true };
    Plan { inputs: vec![input], layouts: vec![layout], nodes: vec![node], ..Plan::default() }
}

/// Time that this thread has had a processor for, where the system tells it; else the time of day.
fn used(started: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| started.elapsed(), Duration::from_nanos)
}

/// Least time per pass over all chunks, of rounds of several passes.
fn least(chunks: &[String], mut decode: impl FnMut(&str) -> u64) -> Duration {
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            let before = used(started);
            for _ in 0..PASSES {
                let events: u64 = chunks.iter().map(|chunk| decode(chunk)).sum();
                assert_eq!(events, EVENTS as u64);
            }
            (used(started) - before) / PASSES as u32
        })
        .min()
        .unwrap_or_default()
}

fn ours(plan: Plan) -> impl FnMut(&str) -> u64 {
    let decoder = Decoder::new(&plan);
    let mut relay = Relay::default();
    move |chunk| black_box(decoder.lines(Chunk::default(), chunk.as_bytes(), &relay.baton())).records
}

/// Not much work, for a profiler that counts instructions.
fn profile(chunks: &[String]) {
    let mut decode = ours(plan(true, &["temperature", "sensor_id", "seq"]));
    chunks.iter().for_each(|chunk| _ = decode(chunk));
}

fn main() {
    let chunks = chunks();
    if std::env::args().any(|arg| arg == "profile") {
        return profile(&chunks);
    }
    let bytes: usize = chunks.iter().map(String::len).sum();
    println!("{} bytes per line", bytes / EVENTS);
    let read = ["temperature", "sensor_id", "seq"];
    let rows = [
        ("line breaks alone", least(&chunks, |chunk| memchr::memchr_iter(b'\n', chunk.as_bytes()).count() as u64)),
        ("rarog, 3 declared fields", least(&chunks, ours(plan(true, &read)))),
        ("rarog, 3 undeclared fields", least(&chunks, ours(plan(false, &read)))),
        ("rarog, no fields", least(&chunks, ours(plan(true, &[])))),
        (
            "serde_json, typed struct",
            least(&chunks, |chunk| {
                let readings = chunk.lines().map(|line| serde_json::from_str::<Reading>(line).expect("it is JSON"));
                readings.map(black_box).count() as u64
            }),
        ),
        (
            "serde_json, Value",
            least(&chunks, |chunk| {
                let values =
                    chunk.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is JSON"));
                values.map(black_box).count() as u64
            }),
        ),
    ];
    for (what, took) in rows {
        println!("{what:28} {:7.1} ns per event", took.as_nanos() as f64 / EVENTS as f64);
    }
}
