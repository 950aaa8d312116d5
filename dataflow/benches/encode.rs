//! Time per row of writing results: `cargo bench -p rarog-dataflow --bench encode`.
//!
//! The rows are those of the benchmark's first program: a text, a float and an int; and the same records whole.

use rarog_dataflow::batch::{Chunk, Rows};
use rarog_dataflow::decode::{Decoder, Relay};
use rarog_dataflow::encode::Encoder;
use rarog_lang::plan::{ColumnDef, Input, Layout, Node, Op, Plan};
use rarog_lang::span::Span;
use rarog_lang::value::Type;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROWS: usize = 4096;
const PASSES: usize = 60;
const ROUNDS: usize = 7;

fn rows(whole: bool) -> (Rows, Layout) {
    let column = |name: &str| ColumnDef { name: name.into(), ty: Type::Any, keep_null: false, hidden: false };
    let layout = Layout { columns: ["sensor_id", "temperature", "seq"].map(column).to_vec(), open: true };
    let input = Input {
        event: "SensorReading".into(),
        declared: Some(vec![("temperature".into(), Type::Float), ("seq".into(), Type::Int)]),
        time_field: None,
        layout: 0,
        whole,
        subscriptions: vec![],
    };
    let node = Node { op: Op::Input(0), inputs: vec![], layout: 0, stream: 0, span: Span::default() };
    let plan = Plan { inputs: vec![input], layouts: vec![layout.clone()], nodes: vec![node], ..Plan::default() };
    let lines: String = (0..ROWS)
        .map(|seq| {
            let (ts, sensor, hundredths) = (1_767_225_600_000 + seq, seq * 7919 % 1000, seq * 7907 % 10_000);
            let temperature = hundredths as f64 / 100.0;
            format!("{{\"type\":\"SensorReading\",\"ts\":{ts},\"sensor_id\":\"s{sensor:04}\",\"temperature\":{temperature},\"seq\":{seq}}}\n")
        })
        .collect();
    let decoded = Decoder::new(&plan).lines(Chunk::default(), lines.as_bytes(), &Relay::default().baton());
    let rows = decoded.inputs.into_iter().flatten().next().expect("all lines are records of the input");
    (rows, layout)
}

/// Time that this thread has had a processor for, where the system tells it; else the time of day.
fn used(started: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| started.elapsed(), Duration::from_nanos)
}

/// Least time for all rows.
fn least(rows: &Rows, mut write: impl FnMut(&mut Vec<u8>, usize)) -> Duration {
    let mut out = Vec::new();
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            let before = used(started);
            for _ in 0..PASSES {
                out.clear();
                (0..rows.len()).for_each(|row| write(&mut out, row));
                black_box(&out);
            }
            (used(started) - before) / PASSES as u32
        })
        .min()
        .unwrap_or_default()
}

fn main() {
    for (what, whole) in [("columns", false), ("whole records", true)] {
        let (rows, layout) = rows(whole);
        let encoder = Encoder::new(&layout);
        for (form, took) in [
            ("jsonl", least(&rows, |out, row| encoder.jsonl(out, &rows, row))),
            ("flat", least(&rows, |out, row| encoder.flat(out, &rows, row))),
        ] {
            println!("{what:14} {form:6} {:7.1} ns per row", took.as_nanos() as f64 / ROWS as f64);
        }
    }
}
