//! A stream's watermark, record by record.
//!
//! w = min over the stream's active sources of (clock - delay), never falling. An operator that takes chunks in order asks
//! for w before and behind each record of a chunk, and for the record at which w reached a time.

use crate::batch::{Chunk, IdleClock};
use rarog_lang::plan::{ClockTerm, Plan};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// w before anything has come.
pub const NEVER: i64 = i64::MIN;
/// w at the end of input.
pub const FOREVER: i64 = i64::MAX;

/// Which sources a term reads.
#[derive(Clone, Debug)]
struct Term {
    /// By source; a source beyond the end counts if `all`.
    sources: Vec<u32>,
    all: bool,
    delay: i64,
}

impl Term {
    fn reads(&self, source: u32) -> bool {
        self.all || self.sources.contains(&source)
    }
}

/// The watermark of one stream, as of the chunks that were taken so far.
#[derive(Clone, Debug)]
pub struct Watermark {
    terms: Vec<Term>,
    /// Clock of each source behind the last chunk.
    clocks: Vec<i64>,
    floor: i64,
    /// For each source the one that it is in states that are restored; `None`: the same.
    were: Option<Arc<Vec<Option<u32>>>>,
}

/// Where a watermark stands: the clock of each source, and w.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedWatermark {
    clocks: Vec<i64>,
    floor: i64,
}

impl Watermark {
    /// The watermark of a stream with these clock terms. In a replay there is one source, whatever `.from` says.
    pub fn new(plan: &Plan, terms: &[ClockTerm], sources: usize, replay: bool) -> Watermark {
        let terms = terms
            .iter()
            .map(|term| {
                let named = match term.input {
                    Some(input) if !replay => plan.inputs[input as usize].subscriptions.clone(),
                    _ => Vec::new(),
                };
                Term { all: named.is_empty(), sources: named, delay: term.delay }
            })
            .collect();
        Watermark { terms, clocks: vec![NEVER; sources.max(1)], floor: NEVER, were: None }
    }

    /// Where it stands, to be written down.
    pub fn saved(&self) -> SavedWatermark {
        SavedWatermark { clocks: self.clocks.clone(), floor: self.floor }
    }

    /// States that are restored number their sources in this way.
    pub fn restored_from(self, were: Option<Arc<Vec<Option<u32>>>>) -> Watermark {
        Watermark { were, ..self }
    }

    /// Goes on from where another one stood. A source that it did not have has no clock.
    pub fn restore(&mut self, saved: SavedWatermark) {
        for (source, clock) in self.clocks.iter_mut().enumerate() {
            let was = match &self.were {
                Some(were) => were.get(source).copied().flatten().map(|was| was as usize),
                None => Some(source),
            };
            *clock = was.and_then(|was| saved.clocks.get(was).copied()).unwrap_or(NEVER);
        }
        self.floor = saved.floor;
    }

    /// w behind the chunks taken so far.
    pub fn now(&self) -> i64 {
        self.floor
    }

    /// A view on w over the records of the next chunk.
    pub fn over<'c>(&self, chunk: &'c Chunk) -> Progress<'c> {
        let own = chunk.source;
        let mut bound = FOREVER;
        let mut delay = None::<i64>;
        let mut runs_on = None;
        for term in &self.terms {
            for source in 0..self.clocks.len() as u32 {
                if !term.reads(source) {
                    continue;
                }
                match chunk.idle.as_deref().and_then(|idle| idle.get(source as usize)) {
                    Some(IdleClock::Idle) if source != own => continue,
                    Some(IdleClock::RunsOn(time)) if source != own => {
                        runs_on = Some(runs_on.unwrap_or(FOREVER).min(time.saturating_sub(term.delay)));
                        continue;
                    }
                    _ => {}
                }
                if source == own {
                    delay = Some(delay.unwrap_or(0).max(term.delay));
                } else {
                    bound = bound.min(sub(self.clocks[source as usize], term.delay));
                }
            }
        }
        if let (None, FOREVER) = (delay, bound) {
            bound = runs_on.unwrap_or(NEVER);
        }
        let run_on = match chunk.idle.as_deref().and_then(|idle| idle.get(own as usize)) {
            Some(IdleClock::RunsOn(time)) => *time,
            _ => NEVER,
        };
        Progress {
            clocks: &chunk.clocks,
            base: self.clocks[own as usize],
            run_on,
            delay,
            bound,
            floor: self.floor,
            end: chunk.end,
        }
    }

    /// Takes a chunk as done.
    pub fn pass(&mut self, chunk: &Chunk) {
        self.floor = self.over(chunk).last();
        if let (Some(clock), Some(slot)) = (chunk.clocks.last(), self.clocks.get_mut(chunk.source as usize)) {
            *slot = (*slot).max(*clock);
        }
    }
}

fn sub(clock: i64, delay: i64) -> i64 {
    if clock == NEVER || clock == FOREVER { clock } else { clock.saturating_sub(delay) }
}

/// w over the records of one chunk.
#[derive(Clone, Debug)]
pub struct Progress<'c> {
    clocks: &'c [i64],
    base: i64,
    run_on: i64,
    delay: Option<i64>,
    bound: i64,
    floor: i64,
    end: bool,
}

impl Progress<'_> {
    #[inline]
    fn at_clock(&self, clock: i64) -> i64 {
        match self.delay {
            Some(delay) => self.floor.max(sub(clock.max(self.base), delay).min(self.bound)),
            None => self.floor.max(if self.bound == FOREVER { NEVER } else { self.bound }),
        }
    }

    /// w before record `index`.
    #[inline]
    pub fn before(&self, index: usize) -> i64 {
        match index {
            0 => self.at_clock(NEVER),
            _ => self.at_clock(self.clocks[(index - 1).min(self.clocks.len().saturating_sub(1))]),
        }
    }

    /// w behind the whole chunk; at the end of input ∞.
    pub fn last(&self) -> i64 {
        if self.end {
            return FOREVER;
        }
        let clock = self.clocks.last().copied().unwrap_or(NEVER);
        self.at_clock(clock.max(self.run_on))
    }

    /// w behind the whole chunk; at the end of input beyond every time, those included that i64 cannot tell.
    pub fn reached(&self) -> i128 {
        if self.end { i128::MAX } else { self.last().into() }
    }

    /// Index of the record behind which w has reached `time`; the number of records if only the chunk's end reaches it.
    pub fn reaches(&self, time: impl Into<i128>) -> usize {
        let time = time.into();
        match i64::try_from(time) {
            Ok(time) => self.clocks.partition_point(|clock| self.at_clock(*clock) < time),
            Err(_) if time < 0 => 0,
            Err(_) => self.clocks.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seq: u64, source: u32, clocks: Vec<i64>) -> Chunk {
        Chunk { seq, source, clocks, ..Chunk::default() }
    }

    fn watermark(delay: i64) -> Watermark {
        Watermark::new(&Plan::default(), &[ClockTerm { input: None, delay }], 1, true)
    }

    #[test]
    fn it_moves_behind_each_record_and_never_falls() {
        let mut w = watermark(2);
        let first = chunk(0, 0, vec![5, 5, 9]);
        let over = w.over(&first);
        assert_eq!([over.before(0), over.before(1), over.before(2), over.last()], [NEVER, 3, 3, 7]);
        assert_eq!([over.reaches(3), over.reaches(4), over.reaches(8)], [0, 2, 3]);
        w.pass(&first);
        assert_eq!(w.over(&chunk(1, 0, vec![1])).last(), 7);
    }

    #[test]
    fn the_end_of_input_is_beyond_all_times() {
        let w = watermark(2);
        let over = Chunk { end: true, ..chunk(0, 0, vec![]) };
        assert_eq!(w.over(&over).last(), FOREVER);
    }

    #[test]
    fn an_empty_chunk_moves_nothing() {
        let mut w = watermark(0);
        w.pass(&chunk(0, 0, vec![4]));
        w.pass(&chunk(1, 0, vec![]));
        assert_eq!(w.now(), 4);
    }
}
