//! The state of a sequence and what one record does to it: who ends, who goes on, who begins, and how many may stay.

use super::aggregate;
use super::automaton::Automaton;
use super::buffer::{Buffer, SlotShape};
use super::intake::EventBatch;
use super::matches::{Items, Place, Reported};
use super::predicate::Interpreter;
use super::reached;
use super::store::Store;
use crate::batch::{Chunk, Rows};
use crate::clock::{FOREVER, Progress};
use crate::operators::{Context, MAX_KEYS, key};
use rarog_lang::plan::{Mode, Sequence};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A record that is taken, and where what it completes stands.
pub struct Arrival<'a> {
    /// What is tried.
    pub automaton: &'a Automaton,
    /// Its batch.
    pub batch: &'a EventBatch,
    /// Its row.
    pub row: usize,
    /// How far w is.
    pub progress: &'a Progress<'a>,
    /// Index of the record in this chunk, if it came in it.
    pub own: usize,
}

impl Arrival<'_> {
    /// Its time.
    pub fn time(&self) -> i64 {
        self.batch.rows.time[self.row]
    }

    /// Position of its matches.
    pub fn pos(&self) -> u64 {
        reached(self.progress, self.time(), self.own)
    }

    /// Bits of the takers whose filter it passes.
    pub fn mask(&self) -> u64 {
        self.batch.masks[self.row]
    }
}

/// A run that ends at a time.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    time: i64,
    run: u32,
    generation: u32,
    partition: u32,
}

/// The state.
pub struct Engine {
    pub(super) automaton: Arc<Automaton>,
    pub(super) store: Store,
    items: Items,
    pub(super) interpreter: Interpreter,
    /// In order of creation, which is that of time.
    deadlines: VecDeque<Deadline>,
    /// Numbers runs as they are created, and matches as they are reported.
    pub(super) moment: u64,
    /// Number of the record that is being taken.
    pub(super) event: u64,
    /// Place of the last match: where what caused it began, and which match of that it was.
    ordinal: (u64, u64),
    /// Runs that the record may advance.
    pub(super) touched: Vec<u32>,
    /// Has a leading AND captured the record?
    pub(super) captured_by_lead: bool,
}

impl Engine {
    /// No runs.
    pub fn new(sequence: &Sequence, automaton: Automaton, context: &Context) -> Engine {
        let summed = aggregate::summed(sequence);
        let shapes = sequence.slots.iter().zip(summed).map(|(slot, summed)| SlotShape {
            columns: slot.columns.len(),
            whole: slot.whole,
            summed,
        });
        let buffer = Buffer::new(&shapes.collect::<Vec<_>>());
        let layouts = (0..context.node().inputs.len()).map(|port| context.input_layout(port).clone()).collect();
        let interpreter = || Interpreter::new(context.functions.clone());
        Engine {
            store: Store::new(buffer, automaton.signatures.len(), interpreter(), layouts),
            items: Items::new(sequence, context),
            interpreter: interpreter(),
            deadlines: VecDeque::new(),
            moment: 0,
            event: 0,
            ordinal: (0, 0),
            touched: Vec::new(),
            captured_by_lead: false,
            automaton: Arc::new(automaton),
        }
    }

    /// Number of open runs.
    pub fn open(&self) -> u64 {
        self.store.runs.open() as u64
    }

    /// The records of all matches since the last call.
    pub fn rows(&mut self, chunk: &Chunk, context: &Context) -> Option<Rows> {
        self.items.rows(chunk, context)
    }

    /// Takes the next record.
    pub fn take(&mut self, arrival: &Arrival, chunk: &Chunk, context: &Context) {
        self.expire(arrival.time(), arrival.progress);
        self.event += 1;
        self.captured_by_lead = false;
        let batch = arrival.batch;
        let mut partition = self.store.runs.find(&batch.keys, arrival.row);
        if let Some(partition) = partition {
            self.touch(partition, arrival);
            let touched = std::mem::take(&mut self.touched);
            for &run in &touched {
                self.advance(run, arrival, context);
            }
            self.touched = touched;
        }
        if arrival.mask() & self.automaton.opening[batch.port] != 0 {
            partition = self.begin(partition, arrival, context);
        }
        if let Some(partition) = partition {
            self.tidy(partition, context);
        }
        if self.interpreter.limit_hit() || self.store.inner.borrow().limit_hit() {
            self.interpreter.reset();
            self.store.inner.borrow_mut().reset();
            context.limit_hits_of(batch.port, chunk, &batch.rows, &[arrival.row as u32]);
        }
    }

    /// Drops what is too much, and what nobody needs any more.
    fn tidy(&mut self, partition: u32, context: &Context) {
        while self.store.runs.partition(partition).runs > self.automaton.max_runs {
            let Some(oldest) = self.store.runs.oldest(partition) else { break };
            self.store.end(oldest);
            context.shared.counters.run_dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.tidy_reported(partition);
        if self.store.runs.partition(partition).runs == 0 {
            self.store.runs.remove_partition(partition);
        } else if self.automaton.within.is_none() && self.store.runs.partitions() > MAX_KEYS {
            context.too_many_keys("a sequence without within", "give it .within(d)");
        }
    }

    /// Forgets reported matches that happened before every open run.
    fn tidy_reported(&mut self, partition: u32) {
        if self.store.runs.partition(partition).reported.is_empty() {
            return;
        }
        let oldest = self.store.runs.oldest(partition).filter(|_| self.automaton.ends_at_deadline);
        let since = oldest.map_or(u64::MAX, |run| self.store.runs.get(run).creation);
        self.store.runs.partition_mut(partition).reported.retain(|reported| reported.moment > since);
    }

    /// Puts deadlines of runs that were taken over into order.
    pub(super) fn sort_deadlines(&mut self) {
        let runs = &self.store.runs;
        let order = |deadline: &Deadline| (deadline.time, runs.get(deadline.run).began, deadline.run);
        self.deadlines.make_contiguous().sort_by_key(order);
    }

    /// A run that was created ends at this time at the latest.
    pub(super) fn set_deadline(&mut self, run: u32) {
        if let Some(within) = self.automaton.within {
            let at = self.store.runs.get(run);
            let time = at.start.saturating_add(within);
            let (generation, partition) = (at.generation, at.partition);
            self.deadlines.push_back(Deadline { time, run, generation, partition });
        }
    }

    /// Ends all runs whose deadline lies before a time; at the end of input, all.
    pub fn expire(&mut self, time: i64, progress: &Progress) {
        while let Some(&first) = self.deadlines.front() {
            if first.time >= time && time != FOREVER {
                return;
            }
            self.deadlines.pop_front();
            if self.automaton.mode == Mode::Any {
                self.expire_copies(first.partition, first.time);
            } else if self.store.runs.is(first.run, first.generation) {
                self.end_at_deadline(first.run, first.time, progress);
            }
        }
    }

    /// Copies began when their first run did; they and it end without a match.
    fn expire_copies(&mut self, partition: u32, time: i64) {
        let Some(within) = self.automaton.within else { return };
        let over = |run: &u32| self.store.runs.get(*run).start.saturating_add(within) <= time;
        let over: Vec<u32> = self.store.runs.of_partition(partition).filter(over).collect();
        over.iter().for_each(|&run| self.store.end(run));
        if !over.is_empty() && self.store.runs.partition(partition).runs == 0 {
            self.store.runs.remove_partition(partition);
        }
    }

    fn end_at_deadline(&mut self, run: u32, time: i64, progress: &Progress) {
        let at = self.store.runs.get(run);
        let partition = at.partition;
        if self.automaton.states[at.state as usize].may_end {
            let began = 1 << 63 | at.began;
            let pos = reached(progress, time.saturating_add(1), 0);
            self.report_end(run, time, pos, began);
        }
        self.store.end(run);
        self.tidy_reported(partition);
        if self.store.runs.partition(partition).runs == 0 {
            self.store.runs.remove_partition(partition);
        }
    }

    /// A run that may end does so, if it still has something to report: what a Kleene element that ends the list gave is
    /// reported already with `.each()`.
    pub(super) fn report_end(&mut self, run: u32, time: i64, pos: u64, began: u64) {
        let alternative = self.automaton.states[self.store.runs.get(run).state as usize].alternative;
        if !matches!(self.automaton.alternatives[alternative].each, Some((_, true))) {
            self.complete(run, time, pos, began);
        }
    }

    /// Reports a run that is complete: one match, or one for each element.
    pub(super) fn complete(&mut self, run: u32, time: i64, pos: u64, began: u64) {
        let alternative = self.automaton.states[self.store.runs.get(run).state as usize].alternative;
        let each = self.automaton.alternatives[alternative].each;
        let Some((slot, false)) = each else { return self.report(run, time, pos, began) };
        let last = self.store.runs.heads(run)[slot];
        let chain = self.store.buffer.chain(slot, last);
        if chain.is_empty() {
            return self.report(run, time, pos, began);
        }
        for node in chain {
            *self.store.runs.head_mut(run, slot) = node;
            self.report(run, time, pos, began);
        }
    }

    /// Reports what a run has captured, unless a reported match contains it.
    pub(super) fn report(&mut self, run: u32, time: i64, pos: u64, began: u64) {
        if self.automaton.contains && self.is_contained(run) {
            return;
        }
        let at = self.store.runs.get(run);
        let hash = self.store.runs.hash(at.partition);
        self.ordinal = if self.ordinal.0 == began { (began, self.ordinal.1 + 1) } else { (began, 0) };
        // The upper half of the hash keeps keys apart, the rest matches of one key, with room for what is made of each.
        let rank = (0, began, hash & !0xFFFF_FFFF | self.ordinal.1.min(0xF_FFFF) << 12);
        let tried = self.store.matched(run, time);
        self.items.push(Place { pos, time, rank }, &tried, &mut self.interpreter);
    }

    /// Does a match that happened while the run was open have all of its records? If not it is reported itself.
    fn is_contained(&mut self, run: u32) -> bool {
        let mut events = Vec::new();
        for (slot, &head) in self.store.runs.heads(run).iter().enumerate() {
            events.extend(
                self.store.buffer.chain(slot, head).into_iter().filter_map(|node| self.store.buffer.event(slot, node)),
            );
        }
        events.sort_unstable();
        let at = self.store.runs.get(run);
        let (partition, creation) = (at.partition, at.creation);
        let reported = &mut self.store.runs.partition_mut(partition).reported;
        let while_open = reported.iter().rev().take_while(|reported| reported.moment > creation);
        if while_open.into_iter().any(|reported| reported.contains(&events)) {
            return true;
        }
        self.moment += 1;
        reported.push(Reported { moment: self.moment, events });
        false
    }
}

/// Where a record stands among all of the run.
pub fn began(arrival: &Arrival) -> u64 {
    key::began(arrival.batch.seq, arrival.batch.rows.pos[arrival.row])
}
