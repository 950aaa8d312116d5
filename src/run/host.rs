//! Where the results of a run go: stdout, the file of dead letters, counters, and talk on stderr.

use crate::args::Output;
use rarog_dataflow::batch::Rows;
use rarog_dataflow::encode;
use rarog_dataflow::rt::{Completed, Counters, DeadRecord, Host, OutputRows};
use rarog_lang::plan::{Layout, Op, Plan};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

/// Samples of dead letters that are shown per reason when there is no file for them.
const SAMPLES_PER_REASON: u64 = 3;
/// Bytes of a sample.
const SAMPLE_BYTES: usize = 200;
/// Bytes of output that are written at once.
const WRITE_BYTES: usize = 64 * 1024;

/// Open outputs.
pub struct Sinks {
    format: Output,
    results: Box<dyn Write + Send>,
    dead: Option<BufWriter<File>>,
}

impl Sinks {
    /// Opens the file of dead letters, if there is one.
    pub fn open(format: Output, dead: Option<&Path>) -> Result<Sinks, String> {
        let dead = dead
            .map(|path| File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display())))
            .transpose()?
            .map(BufWriter::new);
        Ok(Sinks { format, results: Box::new(std::io::stdout()), dead })
    }
}

struct State {
    sinks: Sinks,
    buffer: Vec<u8>,
    written: BTreeMap<Arc<str>, u64>,
    dead: BTreeMap<&'static str, u64>,
    failure: Option<String>,
}

/// The host of a run from the command line.
pub struct RunHost {
    plan: Arc<Plan>,
    state: Mutex<State>,
}

impl RunHost {
    /// Outputs of a plan go to these sinks.
    pub fn new(plan: Arc<Plan>, sinks: Sinks) -> RunHost {
        let state =
            State { sinks, buffer: Vec::new(), written: BTreeMap::new(), dead: BTreeMap::new(), failure: None };
        RunHost { plan, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes out what is left; the first error of the run, if there was one.
    pub fn close(&self) -> Result<(), String> {
        let mut state = self.state();
        state.flush();
        if let Some(Err(error)) = state.sinks.dead.as_mut().map(|dead| dead.flush()) {
            state.failure.get_or_insert(format!("cannot write dead letters: {error}"));
        }
        state.failure.take().map_or(Ok(()), Err)
    }

    /// Says on stderr what came in and what became of it.
    pub fn summary(&self, counters: &Counters, records: u64, seconds: f64) {
        let state = self.state();
        let out: u64 = state.written.values().sum();
        let dead: u64 = state.dead.values().sum();
        let late = counters.late.load(Ordering::Relaxed);
        let rate = records as f64 / seconds.max(1e-9);
        eprintln!("in {records}, out {out}, late {late}, dead {dead}, {seconds:.3} s, {rate:.0} events/s");
        if state.sinks.format == Output::None {
            for (stream, count) in &state.written {
                eprintln!("  {stream}: {count}");
            }
        }
        let unread = counters.no_reader.load(Ordering::Relaxed);
        if unread > 0 {
            eprintln!("  {unread} of types that no stream reads");
        }
        for (stream, counts) in self.plan.streams.iter().zip(&counters.streams) {
            let alerts = counts.alerts.load(Ordering::Relaxed);
            if alerts > 0 {
                eprintln!("  {}: {alerts} alerts, none posted (there is an --input)", stream.name);
            }
        }
        for (reason, count) in &state.dead {
            eprintln!("  dead letters {reason}: {count}");
        }
    }

    fn layout(&self, node: u32) -> &Layout {
        &self.plan.layouts[self.plan.nodes[node as usize].layout as usize]
    }

    fn is_output(&self, output: &OutputRows) -> bool {
        match &self.plan.nodes[output.node as usize].op {
            Op::Send { output, .. } => *output,
            _ => true,
        }
    }

    fn write(&self, state: &mut State, rows: &Rows, node: u32, row: usize) {
        let layout = self.layout(node);
        match state.sinks.format {
            Output::None => {}
            Output::Jsonl => encode::encode_jsonl(&mut state.buffer, rows, layout, row),
            Output::Pretty => {
                state.buffer.extend_from_slice(rows.event.get(row).as_bytes());
                state.buffer.push(b' ');
                state.buffer.extend(encode::record_json(rows, layout, row));
                state.buffer.push(b'\n');
            }
        }
        if state.buffer.len() >= WRITE_BYTES {
            state.flush();
        }
    }
}

impl State {
    fn flush(&mut self) {
        let written = self.sinks.results.write_all(&self.buffer).and_then(|()| self.sinks.results.flush());
        self.buffer.clear();
        if let Err(error) = written {
            self.failure.get_or_insert(format!("cannot write results: {error}"));
        }
    }

    fn count(&mut self, rows: &Rows) {
        for row in 0..rows.len() {
            let event = rows.event.get(row);
            match self.written.get_mut(event) {
                Some(count) => *count += 1,
                None => _ = self.written.insert(event.clone(), 1),
            }
        }
    }
}

impl Host for RunHost {
    fn completed(&self, completed: Completed) {
        let outputs: Vec<OutputRows> = completed.outputs.into_iter().filter(|o| self.is_output(o)).collect();
        if outputs.is_empty() {
            return;
        }
        let mut state = self.state();
        for output in &outputs {
            state.count(&output.rows);
        }
        if state.sinks.format == Output::None {
            return;
        }
        let mut order: Vec<(u64, usize, usize)> = Vec::new();
        for (index, output) in outputs.iter().enumerate() {
            order.extend(output.rows.pos.iter().enumerate().map(|(row, pos)| (*pos, index, row)));
        }
        if outputs.len() > 1 {
            order.sort_by_key(|(pos, index, _)| (*pos, *index));
        }
        for (_, index, row) in order {
            self.write(&mut state, &outputs[index].rows, outputs[index].node, row);
        }
    }

    fn dead(&self, record: DeadRecord) {
        let mut state = self.state();
        let count = state.dead.entry(record.reason).or_insert(0);
        *count += 1;
        let sample = *count <= SAMPLES_PER_REASON;
        let text = String::from_utf8_lossy(&record.raw);
        match &mut state.sinks.dead {
            Some(dead) => {
                let entry = serde_json::json!({
                    "reason": record.reason,
                    "stream": record.stream,
                    "chunk": record.chunk,
                    "index": record.index,
                    "detail": record.detail,
                    "raw": text,
                });
                if let Err(error) = writeln!(dead, "{entry}") {
                    state.failure.get_or_insert(format!("cannot write dead letters: {error}"));
                }
            }
            None if sample => {
                let shown: String = text.chars().take(SAMPLE_BYTES).collect();
                eprintln!("dead letter {}: {}: {shown}", record.reason, record.detail);
            }
            None => {}
        }
    }

    fn print(&self, line: String) {
        eprintln!("{line}");
    }

    fn log(&self, level: &str, line: String) {
        eprintln!("{level}: {line}");
    }
}
