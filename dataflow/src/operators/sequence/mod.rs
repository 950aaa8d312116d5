//! Sequences and patterns (docs/language.md).
//!
//! ```text
//! ports ──► Intake ──(one record after the other, by time)──► Engine ──► Items ──► rows
//!            filters, keys and lookups of whole batches        │ runs, captures, deadlines
//!                                                              └ Automaton: what a state waits for
//! ```
//! Invariant: records are taken in order of (t, arrival) and never before w has reached their time, so that the clock and
//! the position of a record alone decide what it does, whatever the batches and the number of peers.

mod advance;
mod aggregate;
mod automaton;
mod buffer;
mod engine;
mod index;
mod intake;
mod matches;
mod predicate;
mod runs;
mod saved;
mod store;
#[cfg(test)]
mod tests;
mod tried;

use super::sparse::Sparse;
use super::{Context, Operator};
use crate::batch::{Chunk, Rows, phase};
use crate::clock::{Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError, State};
use automaton::Automaton;
use engine::{Arrival, Engine};
use intake::{EventBatch, Intake};
use rarog_lang::plan::{Op, Sequence as Plan};
use std::sync::Arc;

/// The operator.
pub struct Sequence {
    intake: Intake,
    engine: Engine,
    watermark: Watermark,
    /// For each port the one that stands for it: the same node may be read twice, and its records come once.
    same: Vec<usize>,
    /// Nothing follows: what is open can never match.
    ended: bool,
    sparse: Sparse,
}

impl Sequence {
    /// Compiles a sequence.
    pub fn new(sequence: &Plan, context: &Context) -> Result<Sequence, String> {
        let inputs = &context.node().inputs;
        let first = |node: &u32| inputs.iter().position(|other| other == node).unwrap_or(0);
        let same: Vec<usize> = inputs.iter().map(first).collect();
        let automaton = Automaton::new(sequence, &same)?;
        Ok(Sequence {
            intake: Intake::new(sequence, &automaton, context),
            engine: Engine::new(sequence, automaton, context),
            watermark: context.watermark(),
            same,
            ended: false,
            sparse: Sparse::default(),
        })
    }

    /// Gives back what a flood of runs has left, behind a chunk of so many records: the runs that are open are written down and
    /// taken over again, as at a checkpoint.
    fn give_back(&mut self, records: usize, context: &Context) -> Result<(), SnapshotError> {
        let runs = &self.engine.store.runs;
        if !self.sparse.is_due(runs.open(), runs.places(), records) {
            return Ok(());
        }
        let Op::Sequence(plan) = &context.node().op else { return Ok(()) };
        let mut fresh = Sequence::new(plan, context).map_err(SnapshotError::Misfit)?;
        let mut written = Snapshot::new(0);
        saved::write(&self.engine, &self.intake, &mut written);
        let state = State::of(vec![written]);
        let columns = saved::columns(context);
        saved::read(&mut fresh.engine, &mut fresh.intake, &Restore::new(&state, 0, 1), &columns, context)?;
        (fresh.engine.moment, fresh.engine.event) = (self.engine.moment, self.engine.event);
        (self.engine, self.intake) = (fresh.engine, fresh.intake);
        Ok(())
    }

    /// Takes all records that w reaches in this chunk, in order.
    fn take(&mut self, batches: &[EventBatch], chunk: &Chunk, progress: &Progress, context: &Context) {
        let entries = self.intake.entries(batches);
        let automaton = &*self.engine.automaton.clone();
        let w = progress.last();
        let mut next = 0;
        loop {
            let entry = entries.get(next).filter(|entry| entry.time() <= w);
            if let Some(taken) = self.intake.next(w, entry) {
                if let Some(batch) = self.intake.kept(taken.batch) {
                    let arrival = Arrival { automaton, batch, row: taken.row, progress, own: 0 };
                    self.engine.take(&arrival, chunk, context);
                }
                self.intake.release(taken.batch);
                continue;
            }
            let Some(entry) = entry else { break };
            let (batch, row) = (&batches[entry.batch()], entry.row());
            let own = (batch.rows.pos[row] >> phase::BITS) as usize;
            let arrival = Arrival { automaton, batch, row, progress, own };
            self.engine.take(&arrival, chunk, context);
            next += 1;
        }
        if next < entries.len() {
            self.intake.keep(batches, &entries[next..]);
        }
    }
}

/// Position of what is fired when w has reached a time and the record `own` has come.
fn reached(progress: &Progress, time: i64, own: usize) -> u64 {
    (progress.reaches(time).max(own) as u64) << phase::BITS | phase::FIRED
}

impl Operator for Sequence {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        into.common(&(self.watermark.saved(), saved::columns(context)));
        saved::write(&self.engine, &self.intake, into);
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let (watermark, columns) = from.common()?;
        self.watermark.restore(watermark);
        saved::read(&mut self.engine, &mut self.intake, from, &columns, context)
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let mut batches = Vec::new();
        let records = ports.iter().flatten().map(Rows::len).sum();
        for (port, rows) in ports.into_iter().enumerate() {
            let Some(rows) = rows.filter(|_| self.same[port] == port) else { continue };
            batches.extend(self.intake.batch(port, rows, chunk, &progress, context));
        }
        self.intake.place(&mut batches);
        self.take(&batches, chunk, &progress, context);
        self.engine.expire(progress.last(), &progress);
        self.watermark.pass(chunk);
        self.ended |= chunk.end;
        let matches = self.engine.rows(chunk, context);
        if let Err(error) = self.give_back(records, context) {
            context.shared.fail(format!("stream {}: open runs cannot be moved: {error}", context.stream()));
        }
        matches
    }

    fn open(&self) -> u64 {
        if self.ended { 0 } else { self.engine.open() }
    }
}
