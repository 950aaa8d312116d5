//! Count windows: each n records of a key in order of arrival, or the last n every k.
//!
//! Where states merge at a constant price, a window that overlaps others costs a few merges however many panes it has: panes
//! are cut into blocks as long as a window, and a window is the rest of one block and the beginning of the next, as in
//! [`super::sliding_window`].

use super::key::{KeyTable, Keys, SavedKey};
use super::result::{Calls, Group, Groups, Results};
use super::state::SavedState;
use super::window_rows::{Held, Realign, Releases, held_columns};
use super::{Context, MAX_KEYS, Operator};
use crate::batch::{Chunk, Released, Rows};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// With so few panes, merging them all is as cheap.
const MERGED_AT_ONCE: u64 = 4;

/// A run of consecutive records of a key, as long as the greatest common divisor of size and slide.
struct Pane {
    count: u64,
    /// The key as its first record has it.
    key: Arc<[Value]>,
    min: i64,
    max: i64,
    /// One group in slot 0.
    groups: Option<Groups>,
    /// What the rest of the block from this pane on holds, once a window begins with it.
    rest: Option<Part>,
    records: Vec<Held>,
}

#[derive(Default)]
struct Content {
    panes: VecDeque<Pane>,
    seen: u64,
    /// Of the newest block, as far as it is needed.
    beginning: Option<Beginning>,
}

/// The beginning of a block.
struct Beginning {
    /// Number of the first pane; panes are counted from the first one of the key.
    block: u64,
    /// Panes before this one are in it.
    until: u64,
    part: Part,
}

/// What some panes hold together.
struct Part {
    min: i64,
    max: i64,
    groups: Groups,
}

impl Part {
    fn nothing(calls: &Calls) -> Part {
        Part { min: i64::MAX, max: i64::MIN, groups: group(calls) }
    }

    fn add(&mut self, pane: &Pane) {
        (self.min, self.max) = (self.min.min(pane.min), self.max.max(pane.max));
        self.groups.merge(0, pane.groups.as_ref().expect("a window with an aggregate keeps groups"), 0);
    }

    fn merge(&mut self, part: &Part) {
        (self.min, self.max) = (self.min.min(part.min), self.max.max(part.max));
        self.groups.merge(0, &part.groups, 0);
    }
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
            calls: aggregate.map(|aggregate| Calls::new(aggregate, key.len(), context)),
            table: KeyTable::default(),
            contents: Vec::new(),
            instances: 0,
        }
    }

    fn content(&mut self, columns: &super::key::KeyColumns, row: usize) -> usize {
        let (slot, new) = self.table.slot(columns, row);
        if new && slot == self.contents.len() {
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
        // Nothing is left of the key: its next record begins anew.
        if content.panes.is_empty() {
            self.contents[slot] = Content::default();
            self.table.remove(slot);
        }
    }
}

impl Content {
    fn pane(&mut self, width: u64, time: i64, key: impl FnOnce() -> Arc<[Value]>, calls: Option<&Calls>) -> &mut Pane {
        if self.panes.back().is_none_or(|pane| pane.count == width) {
            self.panes.push_back(Pane {
                count: 0,
                key: key(),
                min: time,
                max: time,
                groups: calls.map(group),
                rest: None,
                records: Vec::new(),
            });
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

    /// What its panes hold, which are full and make a window.
    fn merged(&mut self, calls: &Calls, width: u64) -> Part {
        let mut merged = Part::nothing(calls);
        let panes = self.panes.len() as u64;
        if panes <= MERGED_AT_ONCE || !calls.merge_cheaply() {
            self.panes.iter().for_each(|pane| merged.add(pane));
            return merged;
        }
        let end = self.seen / width;
        let block = (end - panes).next_multiple_of(panes);
        let before = (block + panes - end) as usize;
        self.make_rests(calls, before);
        self.begin(calls, block, end);
        if let Some(rest) = self.panes.front().and_then(|pane| pane.rest.as_ref()).filter(|_| before > 0) {
            merged.merge(rest);
        }
        if let Some(beginning) = &self.beginning {
            merged.merge(&beginning.part);
        }
        merged
    }

    /// Makes the rests of a block that ends behind so many panes, unless that was done when the first of them came to stand in
    /// front.
    fn make_rests(&mut self, calls: &Calls, panes: usize) {
        if panes == 0 || self.panes[0].rest.is_some() {
            return;
        }
        for index in (0..panes).rev() {
            let mut rest = Part::nothing(calls);
            rest.add(&self.panes[index]);
            if let Some(behind) = self.panes.get(index + 1).and_then(|pane| pane.rest.as_ref()) {
                rest.merge(behind);
            }
            self.panes[index].rest = Some(rest);
        }
    }

    /// Lets the beginning of a block grow until `end`.
    fn begin(&mut self, calls: &Calls, block: u64, end: u64) {
        let known = self.beginning.take().filter(|beginning| beginning.block == block);
        let mut beginning = known.unwrap_or_else(|| Beginning { block, until: block, part: Part::nothing(calls) });
        let new = (end - beginning.until) as usize;
        self.panes.range(self.panes.len() - new..).for_each(|pane| beginning.part.add(pane));
        beginning.until = end;
        self.beginning = Some(beginning);
    }
}

fn group(calls: &Calls) -> Groups {
    let mut groups = calls.groups();
    groups.grow(1);
    groups
}

/// A pane as it is written down.
#[derive(Serialize, Deserialize)]
struct SavedPane<'s> {
    count: u64,
    key: Arc<[Value]>,
    min: i64,
    max: i64,
    states: Option<Vec<SavedState<'s>>>,
    records: Cow<'s, [Held]>,
}

impl Pane {
    fn saved(&self) -> SavedPane<'_> {
        SavedPane {
            count: self.count,
            key: self.key.clone(),
            min: self.min,
            max: self.max,
            states: self.groups.as_ref().map(|groups| groups.saved(0)),
            records: Cow::Borrowed(&self.records),
        }
    }
}

impl CountWindow {
    fn restore_pane(&self, saved: SavedPane<'_>, realign: &Realign) -> Result<Pane, SnapshotError> {
        let SavedPane { count, key, min, max, states, records } = saved;
        let mut groups = self.calls.as_ref().map(group);
        if let (Some(groups), Some(states)) = (&mut groups, states) {
            groups.restore(0, states)?;
        }
        let records = records.into_owned().into_iter().map(|held| realign.held(held)).collect();
        Ok(Pane { count, key, min, max, groups, rest: None, records })
    }
}

impl Operator for CountWindow {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        into.common(&held_columns(context.input_layout(0)));
        for slot in self.table.used() {
            let content = &self.contents[slot];
            let panes: Vec<_> = content.panes.iter().map(Pane::saved).collect();
            into.keyed(self.table.hash(slot), &(self.table.saved(slot), content.seen, panes));
        }
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let realign = Realign::new(&from.common()?, context.input_layout(0));
        from.each(|(key, seen, panes): (SavedKey, u64, Vec<SavedPane<'_>>)| {
            let slot = self.table.restore(key);
            self.contents.resize_with(self.table.slots(), Content::default);
            let panes = panes.into_iter().map(|pane| self.restore_pane(pane, &realign));
            self.contents[slot] = Content { panes: panes.collect::<Result<_, _>>()?, seen, beginning: None };
            Ok(())
        })
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let columns = self.keys.of(&rows);
        let arguments = self.calls.as_mut().map(|calls| calls.arguments(chunk, &rows, context));
        let mut results = self.calls.as_ref().map(Results::new);
        let mut releases = Releases::new(context);
        for row in 0..rows.len() {
            let (pos, time) = (rows.pos[row], rows.time[row]);
            let arrival = (0, chunk.seq, pos);
            let rank = rows.rank.as_ref().map_or((0, 0, 0), |rank| rank[row]);
            let slot = self.content(&columns, row);
            let key = || columns.like(row, self.table.key(slot));
            let pane = self.contents[slot].pane(self.pane, time, key, self.calls.as_ref());
            match (&arguments, &mut pane.groups) {
                (Some(arguments), Some(groups)) => groups.add(0, arguments, row, arrival),
                _ => pane.records.push(Held::of(&rows, row, arrival)),
            }
            if !self.full(slot) {
                continue;
            }
            let content = &mut self.contents[slot];
            match (&self.calls, &mut results) {
                (Some(calls), Some(results)) => {
                    let Part { min, max, groups } = content.merged(calls, self.pane);
                    let key = content.panes.front().map_or(self.table.key(slot), |pane| &pane.key);
                    let window = Some(Released::first(min, max));
                    results.push(calls, pos, &Group { key, groups: &groups, slot: 0, window, time: max, rank });
                }
                _ => {
                    self.instances += 1;
                    let (start, end) = content.bounds();
                    let released = Released { instance: self.instances, ..Released::first(start, end) };
                    releases.push(pos, end, rank, released, content.panes.iter().flat_map(|pane| &pane.records));
                }
            }
            self.forget(slot);
        }
        if let Some(moved) = self.table.give_back(rows.len()) {
            moved.keep(&mut self.contents);
        }
        if self.table.len() > MAX_KEYS {
            context.too_many_keys(".window of a number of records", "give it a key with fewer values");
        }
        let rows = match (&mut self.calls, results) {
            (Some(calls), Some(results)) => results.rows(calls, chunk, context),
            _ => releases.rows(),
        };
        // A window may have a result time behind those that are completed after it.
        rows.map(Rows::sorted)
    }

    fn open(&self) -> u64 {
        self.contents.iter().filter(|content| !content.panes.is_empty()).count() as u64
    }
}
