//! The definition: what a program puts out for an input, as docs/language.md says it, record by record and with everything kept.
//!
//! ```text
//! record ─► its direct results, breadth first, streams in the order of the text
//!        ─► w moves ─► what that fires, producers before readers, each stream by result time
//! ```
//! Nothing here is fast, and nothing is forgotten: a window is what the list of all records says about its bounds, whenever
//! it is asked. It shares no code with the engine.

pub mod aggregate;
pub mod chain;
pub mod join;
pub mod key;
pub mod sequence;
pub mod window;

use crate::events::Event;
use crate::program::{FieldType, Program, Source, Stream};
use crate::record::{Output, Rec};
use crate::value::V;
use chain::Chain;
use std::collections::{BTreeMap, VecDeque};

/// A watermark before the first record.
pub const BEFORE: i128 = i128::MIN / 4;
/// The watermark behind the last record.
pub const END: i128 = i128::MAX / 4;

/// What comes of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Outputs, those of one stream in order.
    pub outputs: Vec<Output>,
    /// Late records that no stream reads.
    pub late: usize,
}

/// A record on its way to the streams that read a type.
struct Sent {
    /// Type, stream, or `late(S)`.
    from: String,
    record: Rec,
}

/// The name under which late records of a stream are read.
fn late_of(stream: &str) -> String {
    format!("late({stream})")
}

fn reads(stream: &Stream) -> Vec<String> {
    match &stream.source {
        Source::Late(of) => vec![late_of(of)],
        _ => stream.reads().into_iter().map(String::from).collect(),
    }
}

/// A program on its way through an input.
struct Run<'p> {
    program: &'p Program,
    chains: Vec<Chain<'p>>,
    outcome: Outcome,
    /// Clock of the source: the largest time so far.
    clock: i128,
}

/// Runs a program; `None`: it takes too long.
pub fn run(program: &Program, events: &[Event]) -> Option<Outcome> {
    let chains = program.streams.iter().map(Chain::new).collect();
    let mut run = Run { program, chains, outcome: Outcome::default(), clock: BEFORE };
    for event in events {
        run.direct(&event.of, declared(program, event));
        run.clock = run.clock.max(event.time.into());
        run.fire();
        if run.chains.iter().any(Chain::is_lost) {
            return None;
        }
    }
    run.clock = END;
    run.fire();
    (!run.chains.iter().any(Chain::is_lost)).then_some(run.outcome)
}

/// The record with its fields as the event declares them. The generator makes no misfits.
fn declared(program: &Program, event: &Event) -> Rec {
    let mut fields = event.fields.clone();
    if let Some((_, types)) = program.events.iter().find(|(name, _)| *name == event.of) {
        for (name, value) in &mut fields {
            let ty = types.iter().find(|(field, _)| field == name).map(|(_, ty)| *ty);
            if let (Some(FieldType::Float), V::Int(int)) = (ty, &value) {
                *value = V::Float(*int as f64);
            }
        }
    }
    Rec { time: event.time, fields, ..Rec::default() }
}

impl Run<'_> {
    /// A stream's watermark for a clock of the source.
    fn watermark(&self, stream: &Stream, clock: i128) -> i128 {
        let of = |name: &str| match self.program.streams.iter().find(|other| other.name == name) {
            Some(producer) => self.watermark(producer, clock),
            None => clock,
        };
        let least = stream.reads().into_iter().map(of).min().unwrap_or(clock);
        if least == BEFORE || least == END { least } else { least - i128::from(stream.out_of_order()) }
    }

    /// Direct results, breadth first.
    fn direct(&mut self, from: &str, record: Rec) {
        let mut queue = VecDeque::from([Sent { from: from.into(), record }]);
        while let Some(sent) = queue.pop_front() {
            for index in 0..self.program.streams.len() {
                let stream = &self.program.streams[index];
                if reads(stream).contains(&sent.from) {
                    let results = self.chains[index].take(&sent.from, sent.record.clone());
                    self.collect(index, results).into_iter().for_each(|sent| queue.push_back(sent));
                }
            }
        }
    }

    /// What a chain has put out goes to the outcome; what it passes on and what was late goes to readers.
    fn collect(&mut self, index: usize, results: Vec<Rec>) -> Vec<Sent> {
        let (chain, name) = (&mut self.chains[index], &self.program.streams[index].name);
        self.outcome.outputs.append(&mut chain.outputs);
        let late = std::mem::take(&mut chain.late);
        let is_read =
            self.program.streams.iter().any(|stream| matches!(&stream.source, Source::Late(of) if of == name));
        if !is_read {
            self.outcome.late += late.len();
        }
        let results = results.into_iter().map(|record| Sent { from: name.clone(), record });
        results.chain(late.into_iter().map(|record| Sent { from: late_of(name), record })).collect()
    }

    /// The clock has moved: what it fires, stream by stream.
    fn fire(&mut self) {
        let mut fired: BTreeMap<String, Vec<Rec>> = BTreeMap::new();
        for index in self.program.in_order() {
            let stream = &self.program.streams[index];
            let earlier = self.outcome.outputs.len();
            let mut sent: Vec<Sent> = Vec::new();
            for from in in_order_of_text(self.program, reads(stream)) {
                let records = fired.get(&from).cloned().unwrap_or_default();
                sent.extend(records.into_iter().map(|record| Sent { from: from.clone(), record }));
            }
            // What one record fires enters by result time; at one time in the order of the producers in the text.
            sent.sort_by_key(|sent| sent.record.time);
            let mut results = Vec::new();
            for Sent { from, record } in sent {
                let taken = self.chains[index].take(&from, record);
                results.extend(self.collect(index, taken));
            }
            let w = self.watermark(stream, self.clock);
            let of_time = self.chains[index].fire(w);
            results.extend(self.collect(index, of_time));
            // By result time; a count window's may be behind those that are completed after it.
            self.outcome.outputs[earlier..].sort_by_key(|output| output.record.time);
            let (mut results, late): (Vec<Sent>, Vec<Sent>) =
                results.into_iter().partition(|sent| sent.from == stream.name);
            results.sort_by_key(|sent| sent.record.time);
            results.extend(late);
            for Sent { from, record } in results {
                fired.entry(from).or_default().push(record);
            }
        }
    }
}

fn in_order_of_text(program: &Program, names: Vec<String>) -> Vec<String> {
    let place = |name: &String| program.streams.iter().position(|stream| stream.name == *name);
    let mut names = names;
    names.sort_by_key(place);
    names
}
