//! Count windows: each n records of a key in order of arrival, or the last n every k.

use super::key::{KeyTable, Keys};
use super::result::{Calls, Group, Results};
use super::state::State;
use super::window_rows::{Held, Releases};
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows};
use rarog_lang::plan::{Aggregate, Key};
use std::collections::VecDeque;
use std::sync::Arc;

/// A run of consecutive records of a key, as long as the greatest common divisor of size and slide.
struct Pane {
    count: u64,
    min: i64,
    max: i64,
    states: Vec<State>,
    records: Vec<Held>,
}

#[derive(Default)]
struct Content {
    panes: VecDeque<Pane>,
    seen: u64,
}

/// The operator.
pub struct CountWindow {
    size: u64,
    slide: u64,
    pane: u64,
    keys: Keys,
    calls: Option<Calls>,
    table: KeyTable,
    contents: Vec<Content>,
    instances: u64,
}

impl CountWindow {
    /// `0 < slide <= size` records.
    pub fn new(size: u64, slide: u64, key: &[Key], aggregate: Option<&Aggregate>, context: &Context) -> CountWindow {
        let (mut pane, mut rest) = (size, slide);
        while rest != 0 {
            (pane, rest) = (rest, pane % rest);
        }
        CountWindow {
            size,
            slide,
            pane,
            keys: Keys::new(key, context),
            calls: aggregate.map(|aggregate| Calls::new(aggregate, context)),
            table: KeyTable::default(),
            contents: Vec::new(),
            instances: 0,
        }
    }

    fn content(&mut self, columns: &super::key::KeyColumns, row: usize) -> usize {
        let (slot, new) = self.table.slot(columns, row);
        if new {
            self.contents.push(Content::default());
        }
        slot
    }

    /// Panes of the window that the last record completed, if it completed one.
    fn full(&self, slot: usize) -> bool {
        let seen = self.contents[slot].seen;
        seen >= self.size && (seen - self.size).is_multiple_of(self.slide)
    }

    /// Forgets panes that no later window of the key will cover.
    fn forget(&mut self, slot: usize) {
        let content = &mut self.contents[slot];
        for _ in 0..self.slide / self.pane {
            content.panes.pop_front();
        }
    }
}

impl Content {
    fn pane(&mut self, width: u64, time: i64, calls: Option<&Calls>) -> &mut Pane {
        if self.panes.back().is_none_or(|pane| pane.count == width) {
            let states = calls.map(|calls| calls.fresh().collect()).unwrap_or_default();
            self.panes.push_back(Pane { count: 0, min: time, max: time, states, records: Vec::new() });
        }
        self.seen += 1;
        let pane = self.panes.back_mut().expect("a pane was pushed if there was none");
        pane.count += 1;
        pane.min = pane.min.min(time);
        pane.max = pane.max.max(time);
        pane
    }

    fn bounds(&self) -> (i64, i64) {
        let min = self.panes.iter().map(|pane| pane.min).min().unwrap_or(0);
        (min, self.panes.iter().map(|pane| pane.max).max().unwrap_or(0))
    }

    fn states(&self) -> Vec<State> {
        let mut panes = self.panes.iter();
        let mut states = panes.next().map(|pane| pane.states.clone()).unwrap_or_default();
        for pane in panes {
            for (state, more) in states.iter_mut().zip(&pane.states) {
                state.merge(more);
            }
        }
        states
    }
}

impl Operator for CountWindow {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.as_mut().map(|calls| calls.arguments(chunk, &rows, context));
        let mut results = Results::new(context);
        let mut releases = Releases::new(context);
        let mut limits = Vec::new();
        for row in 0..rows.len() {
            let (pos, time) = (rows.pos[row], rows.time[row]);
            let rank = (0, chunk.seq, pos);
            let slot = self.content(&columns, row);
            let pane = self.contents[slot].pane(self.pane, time, self.calls.as_ref());
            match &arguments {
                Some(arguments) => Calls::add(&mut pane.states, arguments, row, rank),
                None => pane.records.push(Held::of(&rows, row, rank)),
            }
            if !self.full(slot) {
                continue;
            }
            let content = &self.contents[slot];
            let (start, end) = content.bounds();
            match &self.calls {
                Some(calls) => {
                    let key = &self.table.keys()[slot].1;
                    let group = Group { key, states: &content.states(), window: Some((start, end)), time: end };
                    let (values, limit) = calls.result(&group);
                    limits.extend(limit.then_some(pos >> crate::batch::phase::BITS));
                    results.push(pos, end, values);
                }
                None => {
                    self.instances += 1;
                    let released = Released { instance: self.instances, start, end };
                    releases.push(pos, end, released, content.panes.iter().flat_map(|pane| &pane.records));
                }
            }
            self.forget(slot);
        }
        context.result_limits(chunk, &limits);
        results.rows().or_else(|| releases.rows())
    }

    fn open(&self) -> u64 {
        self.contents.iter().filter(|content| !content.panes.is_empty()).count() as u64
    }
}
