//! What sliding windows, and windows that are corrected, hold: for each key its panes, which windows are still to fire, and
//! how often those that fired have been corrected.
//!
//! A pane is as wide as the greatest common divisor of size and slide, so a record lies in one pane however many windows
//! cover it. Invariant: a pane goes when the last window that covers it is closed for good, its end and the allowed lateness
//! behind w, and a key goes with its last pane, whether or not it ever comes again.

use super::grid::Grid;
use super::key::{KeyColumns, KeyTable, SavedKey};
use super::sparse::Moved;
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The records of a key in a stretch of time.
#[derive(Serialize, Deserialize)]
pub struct Pane<P> {
    /// Its first moment, ns.
    pub start: i128,
    /// The key as the earliest record of the pane has it.
    pub key: Arc<[Value]>,
    /// When and as which record that one came.
    pub earliest: (i64, u64),
    /// Where the record stood that came first.
    pub began: u64,
    /// What is kept of the records.
    pub state: P,
}

/// What is held of one key.
pub struct Content<P> {
    /// In order of time, those with records.
    pub panes: VecDeque<Pane<P>>,
    /// Is a window still to fire that has a record of the key?
    waits: bool,
    /// When its last pane goes, as far as that is noted in [`Panes::leaving`].
    leaves: i128,
    /// By end, for windows that were corrected: how often they have fired.
    fired: Vec<(i128, u64)>,
}

/// What is held of one key, to be written down: the key, its panes, how often corrected windows have fired.
pub type Saved<S> = (Arc<[Value]>, Vec<Pane<S>>, Vec<(i128, u64)>);

/// A record on its way into a pane.
pub struct Arrived {
    /// Event time, ns.
    pub time: i64,
    /// Where it stands ([`super::key::began`]).
    pub began: u64,
}

/// All keys.
pub struct Panes<P> {
    grid: Grid,
    lateness: i128,
    pub keys: KeyTable,
    contents: Vec<Content<P>>,
    /// Keys for which a window is still to fire.
    waiting: Vec<u32>,
    /// End of the next window that fires.
    next: Option<i128>,
    /// Keys for which none is, by when their last pane goes. A key that has moved on meanwhile is left alone.
    leaving: BTreeMap<i128, Vec<u32>>,
}

impl<P> Content<P> {
    fn new() -> Content<P> {
        Content { panes: VecDeque::new(), waits: false, leaves: i128::MIN, fired: Vec::new() }
    }

    /// Indices of the panes from `start` until before `end`.
    pub fn between(&self, start: i128, end: i128) -> std::ops::Range<usize> {
        let at = |time: i128| self.panes.partition_point(|pane| pane.start < time);
        at(start)..at(end)
    }
}

impl<P> Panes<P> {
    /// No keys. `lateness` in ns.
    pub fn new(grid: Grid, lateness: i64) -> Panes<P> {
        Panes {
            grid,
            lateness: lateness.into(),
            keys: KeyTable::default(),
            contents: Vec::new(),
            waiting: Vec::new(),
            next: None,
            leaving: BTreeMap::new(),
        }
    }

    /// What is held of a key.
    pub fn content(&self, slot: usize) -> &Content<P> {
        &self.contents[slot]
    }

    /// What is held of a key.
    pub fn content_mut(&mut self, slot: usize) -> &mut Content<P> {
        &mut self.contents[slot]
    }

    /// End of the next window that fires.
    pub fn next(&self) -> Option<i128> {
        self.next
    }

    /// Are all windows of a pane closed for good at w?
    pub fn is_late(&self, start: i128, w: i128) -> bool {
        self.grid.last_end(start) + self.lateness <= w
    }

    /// Has a window of a pane fired at w?
    pub fn has_fired(&self, start: i128, w: i128) -> bool {
        self.grid.first_end(start) <= w
    }

    /// Slot of the key of a row.
    pub fn slot(&mut self, columns: &KeyColumns, row: usize) -> usize {
        let (slot, _) = self.keys.slot(columns, row);
        if slot == self.contents.len() {
            self.contents.push(Content::new());
        }
        slot
    }

    /// The pane of a key that begins at `start`, with a record more, at w; `state` makes what a new one keeps.
    pub fn pane(
        &mut self,
        (slot, start, w): (usize, i128, i128),
        record: &Arrived,
        (columns, row): (&KeyColumns, usize),
        state: impl FnOnce() -> P,
    ) -> &mut P {
        let panes = &mut self.contents[slot].panes;
        let found = match panes.back() {
            Some(last) if last.start == start => Ok(panes.len() - 1),
            Some(last) if last.start < start => Err(panes.len()),
            _ => panes.binary_search_by_key(&start, |pane| pane.start),
        };
        let came = (record.time, record.began);
        let place = match found {
            Ok(place) => {
                let pane = &mut panes[place];
                pane.began = pane.began.min(record.began);
                if came < pane.earliest {
                    pane.earliest = came;
                    pane.key = columns.like(row, &pane.key);
                }
                place
            }
            Err(place) => {
                let key = columns.like(row, self.keys.key(slot));
                panes.insert(place, Pane { start, key, earliest: came, began: record.began, state: state() });
                self.expect(slot, start, w);
                place
            }
        };
        &mut self.contents[slot].panes[place].state
    }

    /// Notes that a key has a pane at w: which window fires next, and when the key goes.
    fn expect(&mut self, slot: usize, start: i128, w: i128) {
        let content = &mut self.contents[slot];
        match self.grid.next_end(start, w) {
            Some(end) => {
                self.next = Some(self.next.map_or(end, |next| next.min(end)));
                if !content.waits {
                    content.waits = true;
                    self.waiting.push(slot as u32);
                }
            }
            None if !content.waits => self.leave(slot),
            None => {}
        }
    }

    /// Notes when a key goes that waits for nothing.
    fn leave(&mut self, slot: usize) {
        let content = &mut self.contents[slot];
        let Some(last) = content.panes.back() else { return };
        let leaves = self.grid.last_end(last.start) + self.lateness;
        if leaves > content.leaves {
            content.leaves = leaves;
            self.leaving.entry(leaves).or_default().push(slot as u32);
        }
    }

    /// Slots of the keys that have a record in the window with this end, in the order in which they are reported: by where
    /// the first record of their first pane in it stood.
    pub fn reported(&self, end: i128) -> Vec<u32> {
        let start = self.grid.start(end);
        let mut reported: Vec<(u64, u64, u32)> = Vec::with_capacity(self.waiting.len());
        for &slot in &self.waiting {
            let content = &self.contents[slot as usize];
            if let Some(pane) = content.panes.range(content.between(start, end)).next() {
                reported.push((pane.began, self.keys.hash(slot as usize), slot));
            }
        }
        reported.sort_unstable();
        reported.into_iter().map(|(_, _, slot)| slot).collect()
    }

    /// Takes the window with this end as fired at w. Panes that no window needs any more go through `gone`.
    pub fn fired(&mut self, end: i128, mut gone: impl FnMut(usize, P)) {
        let mut next: Option<i128> = None;
        let waiting = std::mem::take(&mut self.waiting);
        for slot in waiting {
            let content = &mut self.contents[slot as usize];
            let (grid, lateness) = (self.grid, self.lateness);
            let closed = |pane: &Pane<P>, at: i128| grid.last_end(pane.start) <= at;
            let done = content.panes.partition_point(|pane| closed(pane, end - lateness));
            content.panes.drain(..done).for_each(|pane| gone(slot as usize, pane.state));
            content.fired.retain(|(fired, _)| fired + lateness > end);
            let first = content.panes.get(content.panes.partition_point(|pane| closed(pane, end)));
            match first.and_then(|pane| grid.next_end(pane.start, end)) {
                Some(fires) => {
                    next = Some(next.map_or(fires, |next| next.min(fires)));
                    self.waiting.push(slot);
                }
                None => {
                    content.waits = false;
                    self.leaving.entry(end).or_default().push(slot);
                }
            }
        }
        self.next = next;
    }

    /// Forgets the keys whose windows are all closed for good at w.
    pub fn free(&mut self, w: i128, mut gone: impl FnMut(usize, P)) {
        while let Some(entry) = self.leaving.first_entry().filter(|entry| *entry.key() <= w) {
            for slot in entry.remove() {
                let content = &mut self.contents[slot as usize];
                let last = content.panes.back().map(|pane| self.grid.last_end(pane.start) + self.lateness);
                if content.waits {
                    continue;
                }
                if last.is_some_and(|last| last > w) {
                    self.leave(slot as usize);
                    continue;
                }
                for pane in content.panes.drain(..) {
                    gone(slot as usize, pane.state);
                }
                *content = Content::new();
                self.keys.remove(slot as usize);
            }
        }
    }

    /// Gives slots of keys back behind a chunk of so many records, if few have been used for long; where they have gone then.
    pub fn give_back(&mut self, records: usize) -> Option<Moved> {
        let moved = self.keys.give_back(records)?;
        moved.keep(&mut self.contents);
        let to = |slots: &[u32]| slots.iter().filter_map(|slot| Some(moved.to(*slot as usize)? as u32)).collect();
        self.waiting = to(&self.waiting);
        self.leaving.values_mut().for_each(|slots| *slots = to(slots));
        Some(moved)
    }

    /// What is kept of all panes.
    pub fn states_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.contents.iter_mut().flat_map(|content| &mut content.panes).map(|pane| &mut pane.state)
    }

    /// Ends of the windows that a record in the pane at `start` corrects at w.
    pub fn corrected(&self, start: i128, w: i128) -> impl Iterator<Item = i128> + use<P> {
        let (grid, lateness) = (self.grid, self.lateness);
        grid.ends(start).filter(move |end| *end <= w && w < end + lateness)
    }

    /// How often the window with this end has fired for a key; `held`: does it have records of the key?
    pub fn times_fired(&self, slot: usize, end: i128, held: bool) -> u64 {
        let fired = self.contents[slot].fired.iter().find(|(fired, _)| *fired == end);
        fired.map_or(u64::from(held), |(_, times)| *times)
    }

    /// Notes that it has fired so often.
    pub fn note_fired(&mut self, slot: usize, end: i128, times: u64) {
        let fired = &mut self.contents[slot].fired;
        match fired.iter_mut().find(|(fired, _)| *fired == end) {
            Some((_, known)) => *known = times,
            None => fired.push((end, times)),
        }
    }

    /// Writes down every key: its hash, its slot and what is held of it, of each pane what `state` says.
    pub fn saved<S>(&self, state: impl Fn(&P) -> S) -> impl Iterator<Item = (u64, usize, Saved<S>)> {
        self.keys.used().into_iter().map(move |slot| {
            let content = &self.contents[slot];
            let pane = |pane: &Pane<P>| Pane {
                start: pane.start,
                key: pane.key.clone(),
                earliest: pane.earliest,
                began: pane.began,
                state: state(&pane.state),
            };
            let panes = content.panes.iter().map(pane).collect();
            (self.keys.hash(slot), slot, (self.keys.key(slot).clone(), panes, content.fired.clone()))
        })
    }

    /// Takes over a key that was written down when the watermark was w; its slot.
    pub fn restore(&mut self, (key, panes, fired): Saved<P>, w: i128) -> usize {
        let slot = self.keys.restore(SavedKey::of(key));
        if slot == self.contents.len() {
            self.contents.push(Content::new());
        }
        let open = panes.iter().find(|pane| self.grid.last_end(pane.start) > w).or(panes.last()).map(|pane| pane.start);
        self.contents[slot] = Content { panes: panes.into(), fired, ..Content::new() };
        if let Some(start) = open {
            self.expect(slot, start, w);
        }
        slot
    }

    /// Windows that are open, or keys that wait: what a stopped run loses.
    pub fn open(&self) -> u64 {
        self.waiting.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;

    fn add(panes: &mut Panes<u32>, key: i64, time: i64, w: i128) {
        let columns = KeyColumns::new(vec![from_values(vec![Value::Int(key)])], 1);
        let slot = panes.slot(&columns, 0);
        let start = Grid::new(10, 5).pane(time);
        *panes.pane((slot, start, w), &Arrived { time, began: 0 }, (&columns, 0), || 0) += 1;
    }

    /// Fires and frees everything up to w; the ends that fired, with how many keys were reported.
    fn advance(panes: &mut Panes<u32>, w: i128, gone: &mut u32) -> Vec<(i128, usize)> {
        let mut ends = Vec::new();
        while let Some(end) = panes.next().filter(|end| *end <= w) {
            ends.push((end, panes.reported(end).len()));
            panes.fired(end, |_, records| *gone += records);
        }
        panes.free(w, |_, records| *gone += records);
        ends
    }

    #[test]
    fn a_key_that_never_comes_again_is_freed_when_its_last_window_is_closed() {
        for (lateness, freed) in [(0, 20), (7, 27)] {
            let mut panes = Panes::new(Grid::new(10, 5), lateness);
            let mut gone = 0;
            (0..100).for_each(|key| add(&mut panes, key, 12, 0));
            assert_eq!(advance(&mut panes, 19, &mut gone), [(15, 100)]);
            add(&mut panes, 7, 31, 19);
            assert_eq!(advance(&mut panes, freed - 1, &mut gone).len(), usize::from(lateness > 0));
            assert_eq!((panes.keys.len(), gone), (100, 0), "{lateness}");
            advance(&mut panes, freed, &mut gone);
            // The one that has come again waits for its next window.
            assert_eq!(panes.keys.len(), 1, "{lateness}");
            advance(&mut panes, i128::MAX, &mut gone);
            assert_eq!((panes.keys.len(), gone, panes.open()), (0, 101, 0), "{lateness}");
        }
    }

    #[test]
    fn slots_of_a_flood_of_keys_are_given_back() {
        let mut panes = Panes::new(Grid::new(10, 5), 0);
        let mut gone = 0;
        (0..9_000).for_each(|key| add(&mut panes, key, 2, 0));
        advance(&mut panes, 10, &mut gone);
        (8_990..9_002).for_each(|key| add(&mut panes, key, 12, 10));
        assert!((0..9).all(|_| panes.give_back(0).is_none()), "records pay for it");
        assert_eq!(panes.keys.slots(), 9_000);
        let moved = (0..9_000).find_map(|_| panes.give_back(100)).expect("few slots are used");
        assert_eq!((moved.len(), panes.keys.slots(), panes.contents.len()), (12, 12, 12));
        (8_980..8_992).for_each(|key| add(&mut panes, key, 13, 10));
        assert_eq!(panes.keys.len(), 22, "two of them are known");
        assert_eq!(advance(&mut panes, i128::MAX, &mut gone), [(15, 22), (20, 22)]);
        assert_eq!((panes.keys.len(), gone), (0, 9_024));
    }

    #[test]
    fn a_record_behind_w_is_kept_for_the_corrections_that_are_still_allowed() {
        let mut panes = Panes::new(Grid::new(10, 5), 4);
        let mut gone = 0;
        add(&mut panes, 1, 2, 11);
        assert_eq!(panes.corrected(0, 11).collect::<Vec<_>>(), [10]);
        assert!(!panes.is_late(0, 13) && panes.is_late(0, 14));
        assert!(advance(&mut panes, 13, &mut gone).is_empty());
        assert_eq!(panes.keys.len(), 1);
        advance(&mut panes, 14, &mut gone);
        assert_eq!((panes.keys.len(), gone), (0, 1));
    }
}
