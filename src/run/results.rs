//! Results on stdout: written whole line by whole line, in the order in which records caused them, and counted.

use super::stop::Stop;
use crate::args::Output;
use rarog_dataflow::batch::{EventTypes, Rows};
use rarog_dataflow::encode::Encoder;
use rarog_dataflow::rt::{Completed, OutputRows};
use rarog_lang::eval::text::write_time;
use rarog_lang::plan::{NodeId, Op, Plan};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

/// Bytes of results that are written at once.
const WRITE_BYTES: usize = 64 * 1024;

/// The results of one pipeline.
pub struct Results {
    format: Output,
    /// By node; the nodes whose rows are outputs of the run.
    encoders: Vec<Option<Encoder>>,
    buffer: Vec<u8>,
    written: BTreeMap<Arc<str>, u64>,
    stop: Arc<Stop>,
    failure: Option<String>,
}

impl Results {
    /// None so far. A reader that goes away, or a full disk, asks the run to stop.
    pub fn new(plan: &Plan, format: Output, stop: Arc<Stop>) -> Results {
        let encoders = plan.nodes.iter().map(|node| {
            let is_output = matches!(node.op, Op::Emit | Op::Send { output: true, .. });
            is_output.then(|| Encoder::new(&plan.layouts[node.layout as usize]))
        });
        let encoders: Vec<Option<Encoder>> = encoders.collect();
        let outputs = (0..).zip(&encoders).filter(|(_, encoder)| encoder.is_some());
        // Outputs that never come are counted, too.
        let written = outputs.filter_map(|(node, _)| Some((event_of(plan, node)?, 0))).collect();
        Results { format, encoders, buffer: Vec::new(), written, stop, failure: None }
    }

    /// Takes what a chunk has caused.
    pub fn take(&mut self, completed: &Completed) {
        let is_output = |output: &&OutputRows| self.encoders[output.node as usize].is_some();
        let outputs: Vec<&OutputRows> = completed.outputs.iter().filter(is_output).collect();
        for output in &outputs {
            count(&mut self.written, &output.rows);
        }
        if self.format == Output::None {
            return;
        }
        match outputs[..] {
            [] => return,
            [output] => (0..output.rows.len()).for_each(|row| self.write(output, row)),
            _ => {
                for (_, index, row) in in_order(&outputs) {
                    self.write(outputs[index], row);
                }
            }
        }
        self.flush();
    }

    fn write(&mut self, output: &OutputRows, row: usize) {
        let Some(encoder) = &self.encoders[output.node as usize] else { return };
        match self.format {
            Output::None => {}
            Output::Jsonl => encoder.jsonl(&mut self.buffer, &output.rows, row),
            Output::Pretty => pretty(&mut self.buffer, encoder, &output.rows, row),
        }
        if self.buffer.len() >= WRITE_BYTES {
            self.flush();
        }
    }

    /// Writes what is left.
    pub fn flush(&mut self) {
        let mut out = io::stdout().lock();
        let written = out.write_all(&self.buffer).and_then(|()| out.flush());
        self.buffer.clear();
        let Err(error) = written else { return };
        self.format = Output::None;
        // Whoever read it has enough: that ends the run and is no failure.
        if error.kind() == ErrorKind::BrokenPipe {
            self.stop.reader_has_gone();
        } else {
            self.failure.get_or_insert(format!("cannot write results to standard output: {error}"));
            self.stop.request();
        }
    }

    /// Why results could not be written.
    pub fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    /// How many, by type.
    pub fn written(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.written
    }
}

/// The type that the records of a node have, if all have one.
fn event_of(plan: &Plan, node: NodeId) -> Option<Arc<str>> {
    let node = &plan.nodes[node as usize];
    match &node.op {
        Op::Input(input) => Some(plan.inputs[*input as usize].event.clone()),
        Op::Retype(event) | Op::Project { event: Some(event), .. } => Some(event.clone()),
        Op::Merge(_) | Op::Timer { .. } | Op::Join(_) | Op::Sequence(_) | Op::Late { .. } => None,
        Op::Window { aggregate: Some(_), .. } | Op::AggregateReleased { .. } | Op::AggregateRunning { .. } => None,
        Op::Process { .. } => None,
        _ => event_of(plan, *node.inputs.first()?),
    }
}

fn count(written: &mut BTreeMap<Arc<str>, u64>, rows: &Rows) {
    let mut add = |event: &Arc<str>, count: usize| match written.get_mut(event) {
        Some(sum) => *sum += count as u64,
        None => _ = written.insert(event.clone(), count as u64),
    };
    match &rows.event {
        EventTypes::One(event) => add(event, rows.len()),
        EventTypes::Each(events) => events.iter().for_each(|event| add(event, 1)),
    }
}

/// Rows of several outputs by the records that caused them: position, which output, which row.
fn in_order(outputs: &[&OutputRows]) -> Vec<(u64, usize, usize)> {
    let rows_of = |(index, output): (usize, &&OutputRows)| {
        output.rows.pos.iter().enumerate().map(|(row, pos)| (*pos, index, row)).collect::<Vec<_>>()
    };
    let mut order: Vec<(u64, usize, usize)> = outputs.iter().enumerate().flat_map(rows_of).collect();
    // Stable, and rows of one output stand in order already.
    order.sort_by_key(|(pos, index, _)| (*pos, *index));
    order
}

/// `2026-01-01T08:00:35Z  Hot  sensor: "s1", fahrenheit: 142.7`
fn pretty(out: &mut Vec<u8>, encoder: &Encoder, rows: &Rows, row: usize) {
    let mut time = String::new();
    write_time(&mut time, rows.time[row]);
    out.extend_from_slice(format!("{time}  {}  ", rows.event.get(row)).as_bytes());
    encoder.record(out, rows, row);
    out.push(b'\n');
}
