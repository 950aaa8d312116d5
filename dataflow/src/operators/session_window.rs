//! Session windows: maximal chains of a key's records with gaps of at most `gap`; out of order records may join two.

use super::key::{self, KeyColumns, KeyTable, Keys, SavedKey};
use super::result::{Arguments, Calls, Group, Groups, Results};
use super::sparse::{Moved, Sparse};
use super::state::{Rank, SavedState};
use super::window_rows::{Held, Realign, Releases, held_columns};
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows, phase};
use crate::clock::{Progress, Watermark};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Aggregate, Key};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

/// An open session. Its aggregate's states are in the slot of its id.
struct Session {
    first: i64,
    last: i64,
    /// Unique among open sessions.
    id: u32,
    /// Where its first record stood.
    began: u64,
    /// The key as its earliest record has it.
    key: Arc<[Value]>,
    records: Vec<Held>,
}

/// The operator.
pub struct SessionWindow {
    gap: i64,
    keys: Keys,
    watermark: Watermark,
    /// Keys with open sessions.
    table: KeyTable,
    /// Open sessions by the key's slot, in order of time: they lie further apart than the gap.
    open: Vec<VecDeque<Session>>,
    ends: Ends,
    states: Option<SessionStates>,
    free: Vec<u32>,
    ids: u32,
    sparse: Sparse,
    instances: u64,
}

/// An end of each open session and the key's slot, earliest first. Ends move with every record, so they are kept by lower
/// bound: an entry whose session has moved on is put back when it is met. As a key's sessions end in order, what is met stands
/// for the first of them.
type Ends = BinaryHeap<Reverse<(i64, usize)>>;

struct SessionStates {
    calls: Calls,
    groups: Groups,
}

struct Fired {
    results: Option<Results>,
    releases: Releases,
}

impl SessionWindow {
    /// `gap` in ns.
    pub fn new(gap: i64, key: &[Key], aggregate: Option<&Aggregate>, context: &Context) -> SessionWindow {
        let states = aggregate.map(|aggregate| {
            let calls = Calls::new(aggregate, key.len(), context);
            SessionStates { groups: calls.groups(), calls }
        });
        SessionWindow {
            gap,
            keys: Keys::new(key, context),
            watermark: context.watermark(),
            table: KeyTable::default(),
            open: Vec::new(),
            ends: Ends::new(),
            states,
            free: Vec::new(),
            ids: 0,
            sparse: Sparse::default(),
            instances: 0,
        }
    }

    /// Fires every session whose end lies before w.
    fn fire(&mut self, w: i128, progress: &Progress, fired: &mut Fired) {
        while let Some(bound) = self.ends.peek().map(|Reverse((end, _))| *end).filter(|end| i128::from(*end) < w) {
            let mut over: Vec<(Session, usize)> = Vec::new();
            let mut met = None;
            while self.ends.peek().is_some_and(|Reverse((end, _))| *end == bound) {
                let Some(Reverse((_, slot))) = self.ends.pop() else { break };
                let end = self.open[slot].front().map(|session| session.last.saturating_add(self.gap));
                match end {
                    // A session that another one joined has two entries, which meet sooner or later.
                    Some(end) if end > bound && met != Some(slot) => self.ends.push(Reverse((end, slot))),
                    Some(end) if end == bound => {
                        over.extend(self.open[slot].pop_front().map(|session| (session, slot)));
                    }
                    _ => {}
                }
                met = Some(slot);
            }
            over.sort_by_key(|(session, slot)| (session.began, self.table.hash(*slot)));
            let pos = (progress.reaches(i128::from(bound) + 1) as u64) << phase::BITS | phase::FIRED;
            for (session, slot) in over {
                self.report(session, slot, bound, pos, fired);
            }
        }
    }

    fn report(&mut self, mut session: Session, slot: usize, end: i64, pos: u64, fired: &mut Fired) {
        let rank = (0, session.began, self.table.hash(slot));
        match (&mut self.states, &mut fired.results) {
            (Some(states), Some(results)) => {
                let window = Some(Released::first(session.first, end));
                let of = session.id as usize;
                let group = Group { key: &session.key, groups: &states.groups, slot: of, window, time: end, rank };
                results.push(&states.calls, pos, &group);
                states.groups.reset(of);
            }
            _ => {
                self.instances += 1;
                session.records.sort_by_key(|held| held.rank);
                let released = Released { instance: self.instances, ..Released::first(session.first, end) };
                fired.releases.push(pos, end, rank, released, session.records.iter());
            }
        }
        self.free.push(session.id);
        if self.open[slot].is_empty() {
            self.table.remove(slot);
        }
    }

    /// Where the session is that a record at `time` belongs to: those of its key that it touches, joined. `None`: it is late.
    fn session(&mut self, passage: &Passage, row: usize, time: i64, w: i64) -> Option<(usize, usize)> {
        let began = key::began(passage.chunk.seq, passage.rows.pos[row]);
        let (low, high) = (time.saturating_sub(self.gap), time.saturating_add(self.gap));
        let (slot, new) = self.table.slot(&passage.columns, row);
        if slot == self.open.len() {
            self.open.push(VecDeque::new());
        }
        let index = self.open[slot].partition_point(|session| session.last < low);
        let touches = |session: &Session| session.first <= high;
        if !self.open[slot].get(index).is_some_and(touches) {
            if high < w {
                if new {
                    self.table.remove(slot);
                }
                return None;
            }
            let key = passage.columns.like(row, self.table.key(slot));
            self.begin(slot, index, time, began, key);
        }
        while self.open[slot].get(index + 1).is_some_and(touches) {
            if let Some(other) = self.open[slot].remove(index + 1) {
                self.join(slot, index, other);
            }
        }
        let session = &mut self.open[slot][index];
        if time < session.first {
            session.first = time;
            session.key = passage.columns.like(row, &session.key);
        }
        session.last = session.last.max(time);
        Some((slot, index))
    }

    /// Opens a session before the one at `index`.
    fn begin(&mut self, slot: usize, index: usize, time: i64, began: u64, key: Arc<[Value]>) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.ids += 1;
            self.ids - 1
        });
        if let Some(states) = &mut self.states {
            states.groups.grow(self.ids as usize);
        }
        self.ends.push(Reverse((time.saturating_add(self.gap), slot)));
        self.open[slot].insert(index, Session { first: time, last: time, id, began, key, records: Vec::new() });
    }

    /// Gives back what a flood of keys or sessions has left, behind a chunk of so many records.
    fn give_back(&mut self, records: usize) {
        if let Some(moved) = self.table.give_back(records) {
            moved.keep(&mut self.open);
            let end = |Reverse((end, slot)): Reverse<(i64, usize)>| Some(Reverse((end, moved.to(slot)?)));
            self.ends =
                std::mem::take(&mut self.ends).into_vec().into_iter().filter_map(end).collect::<Vec<_>>().into();
        }
        let ids = self.ids as usize;
        if self.sparse.is_due(ids - self.free.len(), ids, records) {
            let moved = Moved::without(ids, std::mem::take(&mut self.free).into_iter().map(|id| id as usize));
            for session in self.open.iter_mut().flatten() {
                session.id = moved.to(session.id as usize).expect("an open session has its id") as u32;
            }
            self.ids = moved.len() as u32;
            if let Some(states) = &mut self.states {
                states.groups.give_back(&moved);
            }
        }
    }

    fn join(&mut self, slot: usize, into: usize, other: Session) {
        let session = &mut self.open[slot][into];
        if other.first < session.first {
            session.first = other.first;
            session.key = other.key;
        }
        session.last = session.last.max(other.last);
        session.began = session.began.min(other.began);
        session.records.extend(other.records);
        if let Some(states) = &mut self.states {
            states.groups.take_over(session.id as usize, other.id as usize, &states.calls);
        }
        self.free.push(other.id);
    }

    fn add(&mut self, passage: &Passage, row: usize, context: &Context) {
        let rows = passage.rows;
        let (time, pos) = (rows.time[row], rows.pos[row]);
        let rank: Rank = (time, passage.chunk.seq, pos);
        let w = passage.progress.before((pos >> phase::BITS) as usize);
        let Some((slot, index)) = self.session(passage, row, time, w) else {
            context.late(0, rows, row);
            return;
        };
        let session = &mut self.open[slot][index];
        match (&passage.arguments, &mut self.states) {
            (Some(arguments), Some(states)) => states.groups.add(session.id as usize, arguments, row, rank),
            _ => session.records.push(Held::of(rows, row, rank)),
        }
    }
}

/// One chunk on its way through the operator.
struct Passage<'p> {
    chunk: &'p Chunk,
    progress: &'p Progress<'p>,
    rows: &'p Rows,
    columns: KeyColumns,
    arguments: Option<Arguments>,
}

/// An open session as it is written down; its id is this run's own.
#[derive(Serialize, Deserialize)]
struct SavedSession<'s> {
    first: i64,
    last: i64,
    began: u64,
    key: Arc<[Value]>,
    records: Cow<'s, [Held]>,
    states: Option<Vec<SavedState<'s>>>,
}

impl SessionWindow {
    fn saved<'s>(&'s self, session: &'s Session) -> SavedSession<'s> {
        SavedSession {
            first: session.first,
            last: session.last,
            began: session.began,
            key: session.key.clone(),
            records: Cow::Borrowed(&session.records),
            states: self.states.as_ref().map(|states| states.groups.saved(session.id as usize)),
        }
    }

    fn restore_session(
        &mut self,
        slot: usize,
        saved: SavedSession<'_>,
        realign: &Realign,
    ) -> Result<(), SnapshotError> {
        let index = self.open[slot].partition_point(|session| session.last < saved.last);
        self.begin(slot, index, saved.last, saved.began, saved.key);
        let session = &mut self.open[slot][index];
        session.first = saved.first;
        session.records = saved.records.into_owned().into_iter().map(|held| realign.held(held)).collect();
        match (&mut self.states, saved.states) {
            (Some(states), Some(saved)) => states.groups.restore(session.id as usize, saved),
            _ => Ok(()),
        }
    }
}

impl Operator for SessionWindow {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, context: &Context) {
        into.common(&(self.watermark.saved(), held_columns(context.input_layout(0))));
        for slot in self.table.used() {
            let sessions: Vec<_> = self.open[slot].iter().map(|session| self.saved(session)).collect();
            into.keyed(self.table.hash(slot), &(self.table.saved(slot), sessions));
        }
    }

    fn restore(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let (watermark, columns) = from.common()?;
        self.watermark.restore(watermark);
        let realign = Realign::new(&columns, context.input_layout(0));
        from.each(|(key, sessions): (SavedKey, Vec<SavedSession<'_>>)| {
            let slot = self.table.restore(key);
            self.open.resize_with(self.table.slots(), VecDeque::new);
            sessions.into_iter().try_for_each(|session| self.restore_session(slot, session, &realign))
        })
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let results = self.states.as_ref().map(|states| Results::new(&states.calls));
        let mut fired = Fired { results, releases: Releases::new(context) };
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            let arguments = self.states.as_mut().map(|states| states.calls.arguments(chunk, rows, context));
            let passage = Passage { chunk, progress: &progress, rows, columns, arguments };
            for row in 0..rows.len() {
                self.fire(progress.before((rows.pos[row] >> phase::BITS) as usize).into(), &progress, &mut fired);
                self.add(&passage, row, context);
            }
        }
        self.fire(progress.reached(), &progress, &mut fired);
        self.watermark.pass(chunk);
        self.give_back(rows.as_ref().map_or(0, Rows::len));
        match (&mut self.states, fired.results) {
            (Some(states), Some(results)) => results.rows(&mut states.calls, chunk, context),
            _ => fired.releases.rows(),
        }
    }

    fn open(&self) -> u64 {
        self.open.iter().map(|sessions| sessions.len() as u64).sum()
    }
}
