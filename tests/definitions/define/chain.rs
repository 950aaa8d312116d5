//! A stream: its source, and its operators in the order of the text.

use super::aggregate;
use super::join::{Joined, MOST_LOOKED_AT};
use super::key;
use super::sequence::Matching;
use super::window::{Taken, Windowed};
use crate::expr::{Ex, holds};
use crate::program::{Input, Item, Op, Source, Stream};
use crate::record::{Output, Rec};
use crate::value::V;
use std::rc::Rc;

/// A stream that runs.
pub struct Chain<'p> {
    front: Front<'p>,
    stages: Vec<Stage<'p>>,
    /// What has been put out since it was last asked.
    pub outputs: Vec<Output>,
    /// What was late since it was last asked.
    pub late: Vec<Rec>,
    /// The watermark up to which it has fired.
    pub fired_up_to: i128,
}

enum Front<'p> {
    Pass,
    Merge(&'p [Input]),
    Join(Joined<'p>),
    Sequence(Box<Matching<'p>>),
}

enum Stage<'p> {
    Where(&'p Ex),
    /// New fields; put out under this type.
    Project(&'p [Item], Option<String>),
    /// Names and values of keys.
    Keys(&'p [Item]),
    Window(Windowed),
    /// Per release of the window before it, or running: all records so far.
    Aggregate {
        items: &'p [Item],
        running: Option<Vec<Rec>>,
    },
    Distinct {
        by: &'p [Ex],
        within: Option<i64>,
        per_release: bool,
        passed: Vec<Passed>,
    },
    Limit {
        count: usize,
        passed: usize,
    },
}

/// What `distinct` let through.
struct Passed {
    release: Option<u64>,
    values: Vec<V>,
    time: i64,
}

impl<'p> Chain<'p> {
    /// A stream that has seen nothing.
    pub fn new(stream: &'p Stream) -> Chain<'p> {
        let front = match &stream.source {
            Source::One(_) | Source::Late(_) => Front::Pass,
            Source::Merge(inputs) => Front::Merge(inputs),
            Source::Join(join) => Front::Join(Joined::new(join)),
            Source::Sequence(sequence) => Front::Sequence(Box::new(Matching::new(sequence))),
        };
        let (outputs, late) = (Vec::new(), Vec::new());
        Chain { front, stages: stages(stream), outputs, late, fired_up_to: super::BEFORE }
    }

    /// Has it looked at more than anybody would wait for? Then it has not found everything.
    pub fn is_lost(&self) -> bool {
        matches!(&self.front, Front::Join(join) if join.looked_at > MOST_LOOKED_AT)
    }

    /// Takes a record; gives what comes out at the end.
    pub fn take(&mut self, from: &str, record: Rec) -> Vec<Rec> {
        let w = self.fired_up_to;
        let passed = match &mut self.front {
            Front::Pass => Some(record),
            Front::Merge(inputs) => {
                let enters = |input: &&Input| {
                    input.of == from && input.condition.as_ref().is_none_or(|condition| holds(condition, &record))
                };
                inputs.iter().any(|input| enters(&input)).then_some(record)
            }
            // Late for the join, whatever an input's own condition says.
            Front::Join(_) | Front::Sequence(_) if i128::from(record.time) < w => {
                self.late.push(record);
                None
            }
            Front::Join(join) => {
                join.take(from, record);
                None
            }
            Front::Sequence(sequence) => {
                sequence.take(from, record);
                None
            }
        };
        let results = self.through(passed.into_iter().collect(), 0, w);
        passed_on(results)
    }

    /// The watermark is w: gives what that brings out at the end.
    pub fn fire(&mut self, w: i128) -> Vec<Rec> {
        let before = std::mem::replace(&mut self.fired_up_to, w);
        let matched = match &mut self.front {
            Front::Pass | Front::Merge(_) => Vec::new(),
            Front::Join(join) => join.fire(before, w),
            Front::Sequence(sequence) => sequence.fire(w),
        };
        // What a join or sequence gives now is judged before w moves past it.
        let mut results = self.through(matched, 0, before);
        for index in 0..self.stages.len() {
            if let Stage::Window(window) = &mut self.stages[index] {
                let released = window.fire(w);
                results.extend(self.through(released, index + 1, w));
            }
        }
        passed_on(results)
    }

    fn through(&mut self, mut records: Vec<Rec>, first: usize, w: i128) -> Vec<Rec> {
        for stage in &mut self.stages[first..] {
            records = match stage {
                Stage::Where(condition) => records.into_iter().filter(|record| holds(condition, record)).collect(),
                Stage::Project(items, event) => {
                    let made: Vec<Rec> = records.iter().map(|record| project(items, record)).collect();
                    if let Some(event) = event {
                        self.outputs.extend(made.iter().map(|record| output(event, record)));
                    }
                    made
                }
                Stage::Keys(items) => records.into_iter().map(|record| keyed(items, record)).collect(),
                Stage::Window(window) => {
                    let mut released = Vec::new();
                    for record in records {
                        match window.take(record, w) {
                            Taken::Late(record) => self.late.push(record),
                            Taken::Released(content) => released.extend(content),
                        }
                    }
                    released
                }
                Stage::Aggregate { items, running: None } => aggregate_releases(items, records),
                Stage::Aggregate { items, running: Some(all) } => {
                    records.into_iter().map(|record| aggregate_running(items, all, record)).collect()
                }
                Stage::Distinct { by, within, per_release, passed } => {
                    records.retain(|record| is_new(by, *within, *per_release, passed, record));
                    records
                }
                Stage::Limit { count, passed } => {
                    records.truncate(*count - *passed);
                    *passed += records.len();
                    records
                }
            };
        }
        records
    }
}

fn stages(stream: &Stream) -> Vec<Stage<'_>> {
    let (mut stages, mut windowed) = (Vec::new(), false);
    for op in &stream.ops {
        stages.push(match op {
            Op::Where(condition, _) => Stage::Where(condition),
            Op::Select(items) => Stage::Project(items, None),
            Op::Emit(event, items) => Stage::Project(items, Some(event.as_ref().unwrap_or(&stream.name).clone())),
            Op::PartitionBy(keys) => Stage::Keys(keys),
            Op::Window(window) => {
                windowed = true;
                let aggregated = stream.ops.iter().any(|op| matches!(op, Op::Aggregate(_)));
                Stage::Window(Windowed::new(*window, stream.allowed_lateness(), aggregated))
            }
            Op::Aggregate(items) => {
                let running = (!windowed).then(Vec::new);
                windowed = false;
                Stage::Aggregate { items, running }
            }
            Op::Distinct(by, within) => {
                Stage::Distinct { by, within: *within, per_release: windowed, passed: Vec::new() }
            }
            Op::Limit(count) => Stage::Limit { count: *count, passed: 0 },
            Op::OutOfOrder(_) | Op::AllowedLateness(_) => continue,
        });
    }
    stages
}

/// Readers see an ordinary record.
fn passed_on(results: Vec<Rec>) -> Vec<Rec> {
    results.into_iter().map(|record| Rec { time: record.time, fields: record.fields, ..Rec::default() }).collect()
}

fn output(event: &str, record: &Rec) -> Output {
    Output { event: event.into(), record: record.clone() }
}

fn project(items: &[Item], record: &Rec) -> Rec {
    let mut fields = Vec::new();
    aggregate::push_items(&mut fields, items, record);
    if record.revision > 0 {
        aggregate::set(&mut fields, "_revision", V::Int(record.revision));
    }
    Rec { fields, parts: Rc::default(), ..record.clone() }
}

fn keyed(items: &[Item], record: Rec) -> Rec {
    let keys = items.iter().map(|item| (item.name.clone(), item.value.eval(&record))).collect();
    Rec { keys, ..record }
}

/// One result per release and key.
fn aggregate_releases(items: &[Item], records: Vec<Rec>) -> Vec<Rec> {
    let releases = records.chunk_by(|a, b| a.release == b.release);
    let of_release = |release: &[Rec]| {
        let groups = key::group(release.to_vec(), key::of);
        groups.into_iter().map(|(_, group)| aggregate::result(items, &group, group[0].time)).collect::<Vec<_>>()
    };
    releases.flat_map(of_release).collect()
}

/// The result of all records of the key so far. The key shows the value that it had first.
fn aggregate_running(items: &[Item], all: &mut Vec<Rec>, record: Rec) -> Rec {
    let (key, time) = (key::of(&record), record.time);
    all.push(record);
    let of_key: Vec<Rec> = all.iter().filter(|other| key::same(&key::of(other), &key)).cloned().collect();
    aggregate::result(items, &of_key, time)
}

fn is_new(by: &[Ex], within: Option<i64>, per_release: bool, passed: &mut Vec<Passed>, record: &Rec) -> bool {
    let values = if by.is_empty() { whole(record) } else { by.iter().map(|ex| ex.eval(record)).collect() };
    let release = if per_release { record.release } else { None };
    let repeats = |before: &Passed| {
        before.release == release
            && before.values.len() == values.len()
            && key::same(&before.values, &values)
            // Until d after the record that passed.
            && within.is_none_or(|within| record.time < before.time + within)
    };
    if passed.iter().any(repeats) {
        return false;
    }
    passed.push(Passed { release, values, time: record.time });
    true
}

/// The record as values: its fields by name.
fn whole(record: &Rec) -> Vec<V> {
    let mut fields: Vec<&(String, V)> = record.fields.iter().collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().flat_map(|(name, value)| [V::Str(name.clone()), value.clone()]).collect()
}
