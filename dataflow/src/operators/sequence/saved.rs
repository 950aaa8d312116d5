//! Runs and waiting records as they are written down: by key, each run with all that it captured.
//!
//! Invariant: what is read names its columns, so that a program that reads more or fewer fields elsewhere goes on with it.
//! Places of runs and nodes, the index and deadlines follow from the rest and are made anew.

use super::buffer::{Captured, NONE};
use super::engine::Engine;
use super::intake::{EventBatch, Intake};
use super::matches::Reported;
use super::runs::NewRun;
use crate::batch::{EventTypes, Released, Rows};
use crate::column::from_values;
use crate::operators::Context;
use crate::operators::key::hash_values;
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use crate::whole::Whole;
use rarog_lang::plan::{ColumnDef, Op};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

type Names = Vec<Arc<str>>;

/// Names of the columns of each input port, and of each slot.
pub type SavedColumns = (Vec<Names>, Vec<Names>);

#[derive(Serialize, Deserialize)]
enum Saved {
    Partition { key: Arc<[Value]>, runs: Vec<SavedRun>, reported: Vec<Reported> },
    Waiting(SavedRecord),
}

#[derive(Serialize, Deserialize)]
struct SavedRun {
    creation: u64,
    began: u64,
    start: i64,
    last: i64,
    filled: u64,
    state: u32,
    key: Option<Arc<[Value]>>,
    /// By slot.
    captured: Vec<Vec<SavedCapture>>,
}

#[derive(Serialize, Deserialize)]
struct SavedCapture {
    event: u64,
    time: i64,
    values: Vec<Value>,
    whole: Value,
}

#[derive(Serialize, Deserialize)]
struct SavedRecord {
    port: u32,
    seq: u64,
    pos: u64,
    time: i64,
    event: Arc<str>,
    values: Vec<Value>,
    whole: Option<Value>,
    released: Option<Released>,
}

fn names(columns: &[ColumnDef]) -> Names {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// The columns that are written down.
pub fn columns(context: &Context) -> SavedColumns {
    let ports = (0..context.node().inputs.len()).map(|port| names(&context.input_layout(port).columns));
    let slots = match &context.node().op {
        Op::Sequence(sequence) => sequence.slots.iter().map(|slot| names(&slot.columns)).collect(),
        _ => Vec::new(),
    };
    (ports.collect(), slots)
}

/// For each column of today where it was then.
fn places(then: &[Names], now: &[Names]) -> Vec<Vec<Option<usize>>> {
    let place = |then: &Names, name: &Arc<str>| then.iter().position(|known| known == name);
    let empty = Names::new();
    let of = |(index, now): (usize, &Names)| {
        let then = then.get(index).unwrap_or(&empty);
        now.iter().map(|name| place(then, name)).collect()
    };
    now.iter().enumerate().map(of).collect()
}

fn value(values: &[Value], place: Option<usize>) -> Value {
    place.and_then(|place| values.get(place).cloned()).unwrap_or_default()
}

/// Writes all runs and waiting records.
pub fn write(engine: &Engine, intake: &Intake, into: &mut Snapshot) {
    let runs = &engine.store.runs;
    for partition in runs.all_partitions() {
        let at = runs.partition(partition);
        let saved = Saved::Partition {
            key: at.key.clone(),
            runs: runs.of_partition(partition).map(|run| saved_run(engine, run)).collect(),
            reported: at.reported.clone(),
        };
        into.keyed(runs.hash(partition), &saved);
    }
    for (batch, row) in intake.waiting() {
        into.keyed(batch.keys.hashes[row], &Saved::Waiting(saved_record(batch, row)));
    }
}

fn saved_run(engine: &Engine, run: u32) -> SavedRun {
    let (buffer, runs) = (&engine.store.buffer, &engine.store.runs);
    let capture = &|slot: usize, node: u32| SavedCapture {
        event: buffer.event(slot, node).unwrap_or_default(),
        time: buffer.time(slot, node).unwrap_or_default(),
        values: (0..buffer.columns(slot)).map(|column| buffer.value(slot, node, column).clone()).collect(),
        whole: buffer.whole(slot, node),
    };
    let slot = |(slot, &head): (usize, &u32)| buffer.chain(slot, head).into_iter().map(move |node| capture(slot, node));
    let at = runs.get(run);
    SavedRun {
        creation: at.creation,
        began: at.began,
        start: at.start,
        last: at.last,
        filled: at.filled,
        state: at.state,
        key: at.key.clone(),
        captured: runs.heads(run).iter().enumerate().map(|head| slot(head).collect()).collect(),
    }
}

fn saved_record(batch: &EventBatch, row: usize) -> SavedRecord {
    let rows = &batch.rows;
    SavedRecord {
        port: batch.port as u32,
        seq: batch.seq,
        pos: rows.pos[row],
        time: rows.time[row],
        event: rows.event.get(row).clone(),
        values: rows.columns.iter().map(|column| column.get(row)).collect(),
        whole: rows.whole.as_ref().map(|whole| whole.get(row)),
        released: rows.released.as_ref().map(|released| released[row]),
    }
}

/// Takes over what belongs to this peer.
pub fn read(
    engine: &mut Engine,
    intake: &mut Intake,
    from: &Restore<'_>,
    then: &SavedColumns,
    context: &Context,
) -> Result<(), SnapshotError> {
    let now = columns(context);
    let (ports, slots) = (places(&then.0, &now.0), places(&then.1, &now.1));
    let mut waiting: BTreeMap<(usize, u64), Vec<SavedRecord>> = BTreeMap::new();
    from.each(|saved: Saved| {
        match saved {
            Saved::Waiting(record) => waiting.entry((record.port as usize, record.seq)).or_default().push(record),
            Saved::Partition { key, runs, reported } => {
                if runs.iter().any(|run| run.state as usize >= engine.automaton.states.len()) {
                    return Err(SnapshotError::Damaged);
                }
                let partition = engine.store.runs.add_partition(hash_values(&key), key);
                for reported in &reported {
                    engine.moment = engine.moment.max(reported.moment);
                }
                engine.store.runs.partition_mut(partition).reported = reported;
                runs.into_iter().for_each(|run| add_run(engine, partition, run, &slots));
            }
        }
        Ok(())
    })?;
    engine.sort_deadlines();
    for ((port, seq), records) in waiting {
        let places = ports.get(port).ok_or(SnapshotError::Damaged)?;
        intake.restore(port, seq, rows(records, places));
    }
    Ok(())
}

fn add_run(engine: &mut Engine, partition: u32, saved: SavedRun, slots: &[Vec<Option<usize>>]) {
    engine.moment = engine.moment.max(saved.creation);
    let SavedRun { creation, began, start, last, filled, state, key, captured } = saved;
    let new = NewRun { creation, began, time: start, state, partition, key };
    let run = engine.store.runs.add(new.into());
    let at = engine.store.runs.get_mut(run);
    (at.last, at.filled) = (last, filled);
    for (slot, (records, places)) in captured.into_iter().zip(slots).enumerate() {
        let mut head = NONE;
        for record in records {
            engine.event = engine.event.max(record.event);
            let SavedCapture { event, time, values, whole } = record;
            let captured = Captured { event, time, whole };
            head = engine.store.buffer.push(slot, head, captured, |column| value(&values, places[column]));
        }
        *engine.store.runs.head_mut(run, slot) = head;
    }
    let automaton = engine.automaton.clone();
    engine.store.list(run, usize::MAX, &automaton, &mut engine.interpreter);
    engine.set_deadline(run);
}

/// Records of one port and chunk as rows.
fn rows(records: Vec<SavedRecord>, places: &[Option<usize>]) -> Rows {
    let column =
        |place: &Option<usize>| from_values(records.iter().map(|record| value(&record.values, *place)).collect());
    let wholes: Option<Vec<Value>> = records.iter().map(|record| record.whole.clone()).collect();
    let released: Option<Vec<Released>> = records.iter().map(|record| record.released).collect();
    Rows {
        pos: Arc::new(records.iter().map(|record| record.pos).collect()),
        time: Arc::new(records.iter().map(|record| record.time).collect()),
        event: EventTypes::Each(Arc::new(records.iter().map(|record| record.event.clone()).collect())),
        columns: places.iter().map(column).collect(),
        whole: wholes.map(|wholes| Whole::Values(Arc::new(wholes))),
        released: released.map(Arc::new),
        rank: None,
    }
}
