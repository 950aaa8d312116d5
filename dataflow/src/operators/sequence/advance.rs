//! One record and the runs of its key: guards, candidates last to first, captures, and the alternatives that it opens.

use super::automaton::{Candidate, Next};
use super::buffer::NONE;
use super::engine::{Arrival, Engine, began};
use super::index::place;
use super::predicate::is_beyond;
use super::runs::NewRun;
use crate::operators::Context;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::{Expr, Mode, Note};
use std::sync::Arc;

impl Engine {
    /// Finds the runs of a partition that a record may advance or end, in order of creation.
    pub(super) fn touch(&mut self, partition: u32, arrival: &Arrival) {
        self.touched.clear();
        let (port, mask) = (arrival.batch.port, arrival.mask());
        let (automaton, runs) = (arrival.automaton, &self.store.runs);
        let strict = automaton.mode == Mode::Strict;
        let wanted = |run: u32| strict || automaton.states[runs.get(run).state as usize].wants[port] & mask != 0;
        if strict || automaton.by_partition[port] & mask != 0 {
            self.touched.extend(runs.of_partition(partition).filter(|&run| wanted(run)));
            return;
        }
        for (bit, lookup) in &automaton.by_lookup[port] {
            if bit & mask != 0 {
                let values = arrival.batch.probes[lookup.probe].hashes[arrival.row];
                self.store.index.find(place(values, lookup.signature, partition), &mut self.touched);
            }
        }
        self.touched.retain(|&run| runs.get(run).partition == partition && wanted(run));
        if self.touched.len() > 1 {
            self.touched.sort_unstable_by_key(|&run| runs.get(run).creation);
            self.touched.dedup();
        }
    }

    /// Does a taker take the record beside what a run has captured?
    fn takes(&mut self, taker: usize, run: Option<u32>, arrival: &Arrival) -> bool {
        let taker = &arrival.automaton.takers[taker];
        if taker.port != arrival.batch.port || taker.bit & arrival.mask() == 0 {
            return false;
        }
        if let (Some(within), Some(run)) = (taker.within, run)
            && arrival.time().saturating_sub(self.store.runs.get(run).last) > within
        {
            return false;
        }
        let tried = self.store.tried(run, arrival);
        let beyond = |&(rises, column, last): &(bool, Option<u32>, u32)| {
            tried.slots[taker.slot] == NONE || is_beyond(rises, column, tried.last(taker.slot, last as usize), &tried)
        };
        taker.monotone.iter().all(beyond)
            && taker.unsure.as_ref().is_none_or(|filter| self.interpreter.holds(filter, &tried))
            && taker.predicate.holds(&tried, &mut self.interpreter)
    }

    /// Steps 2a to 2d for one run.
    pub(super) fn advance(&mut self, run: u32, arrival: &Arrival, context: &Context) {
        let automaton = arrival.automaton;
        let at = self.store.runs.get(run);
        let (state, filled) = (&automaton.states[at.state as usize], at.filled);
        if state.guards.iter().any(|&guard| self.takes(guard, Some(run), arrival)) {
            self.store.end(run);
            return;
        }
        // Of an OR one member takes the record, in copies, too.
        let mut taken = None;
        for candidate in &state.candidates {
            if taken == Some(candidate.element)
                || candidate.member.is_some_and(|member| member.bit & filled != 0)
                || !self.takes(candidate.taker, Some(run), arrival)
            {
                continue;
            }
            taken = Some(candidate.element);
            self.captured_by_lead |= candidate.leads;
            if automaton.mode != Mode::Any {
                return self.go_on(run, candidate, arrival, context);
            }
            self.moment += 1;
            let copy = self.store.runs.copy(run, self.moment, &mut self.store.buffer);
            self.go_on(copy, candidate, arrival, context);
        }
        if automaton.mode == Mode::Strict {
            if state.may_end {
                self.report_end(run, arrival.time(), arrival.pos(), began(arrival));
            }
            self.store.end(run);
        }
    }

    /// A run captures the record.
    fn go_on(&mut self, run: u32, candidate: &Candidate, arrival: &Arrival, context: &Context) {
        let automaton = arrival.automaton;
        let taker = &automaton.takers[candidate.taker];
        for note in &taker.notes {
            self.say(note, run, arrival, context);
        }
        self.store.capture(run, taker, arrival, self.event);
        let at = self.store.runs.get_mut(run);
        let next = match candidate.member {
            Some(member) if at.filled | member.bit != member.all => {
                at.filled |= member.bit;
                Next::State(member.unfinished)
            }
            _ => {
                at.filled = 0;
                candidate.next
            }
        };
        match next {
            Next::Past => {
                self.complete(run, arrival.time(), arrival.pos(), began(arrival));
                self.store.end(run);
            }
            Next::State(state) => {
                at.state = state;
                if !automaton.signatures.is_empty() {
                    self.store.list(run, taker.slot, automaton, &mut self.interpreter);
                }
                let alternative = automaton.states[state as usize].alternative;
                let at_once = automaton.mode == Mode::Any || automaton.alternatives[alternative].each.is_some();
                if candidate.trailing && at_once {
                    self.report(run, arrival.time(), arrival.pos(), began(arrival));
                }
            }
        }
    }

    /// Step 3: each alternative whose first element takes the record opens a run. Gives the partition, if there is one now.
    pub(super) fn begin(&mut self, known: Option<u32>, arrival: &Arrival, context: &Context) -> Option<u32> {
        let automaton = arrival.automaton;
        let mut partition = known;
        for alternative in &automaton.alternatives {
            if alternative.leads_with_and && self.captured_by_lead {
                continue;
            }
            let opens = alternative.opens.iter().find(|candidate| self.takes(candidate.taker, None, arrival));
            let Some(candidate) = opens else { continue };
            let (keys, row, runs) = (&arrival.batch.keys, arrival.row, &mut self.store.runs);
            let partition = *partition.get_or_insert_with(|| runs.add_partition(keys.hashes[row], keys.values(row)));
            let shared = &runs.partition(partition).key;
            let own = keys.varies().then(|| keys.like(row, shared)).filter(|key| !Arc::ptr_eq(key, shared));
            self.moment += 1;
            let new = NewRun {
                creation: self.moment,
                began: began(arrival),
                time: arrival.time(),
                state: alternative.first,
                partition,
                key: own,
            };
            let run = runs.add(new.into());
            self.set_deadline(run);
            self.go_on(run, candidate, arrival, context);
        }
        partition
    }

    fn say(&mut self, note: &Note, run: u32, arrival: &Arrival, context: &Context) {
        let tried = self.store.tried(Some(run), arrival);
        let interpreter = &mut self.interpreter;
        let mut line = |parts: Vec<&Expr>| {
            if parts.is_empty() {
                return tried.event.map_or_else(String::new, |event| to_text(&event.record()).to_string());
            }
            let texts: Vec<_> = parts.into_iter().map(|part| to_text(&interpreter.eval(part, &tried))).collect();
            texts.join(" ")
        };
        match note {
            Note::Print(items) => context.shared.host.print(line(items.iter().collect())),
            Note::Log { level, message, data } => {
                context.shared.host.log(level, line(message.iter().chain(data).collect()));
            }
        }
    }
}
