//! Session windows: maximal chains of a key's records with gaps of at most `gap`; out of order records may join two.

use super::key::Keys;
use super::result::{Calls, Group, Results};
use super::state::State;
use super::window_rows::{Held, Releases};
use super::{Context, Operator};
use crate::batch::{Chunk, Released, Rows, phase};
use crate::clock::Watermark;
use rarog_lang::eval::order::KeyValue;
use rarog_lang::plan::{Aggregate, Key};
use rarog_lang::value::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type SessionKey = Arc<[KeyValue]>;

struct Session {
    first: i64,
    last: i64,
    /// Unique: tells sessions of one end apart.
    id: u64,
    key: Arc<[Value]>,
    states: Vec<State>,
    records: Vec<Held>,
}

/// The operator.
pub struct SessionWindow {
    gap: i64,
    keys: Keys,
    calls: Option<Calls>,
    watermark: Watermark,
    /// Open sessions of each key; a key without sessions is not there.
    open: HashMap<SessionKey, Vec<Session>>,
    /// Open sessions by (end, id).
    ends: BTreeMap<(i64, u64), SessionKey>,
    ids: u64,
}

struct Fired {
    results: Results,
    releases: Releases,
    limits: Vec<u64>,
}

impl SessionWindow {
    /// `gap` in ns.
    pub fn new(gap: i64, key: &[Key], aggregate: Option<&Aggregate>, context: &Context) -> SessionWindow {
        SessionWindow {
            gap,
            keys: Keys::new(key, context),
            calls: aggregate.map(|aggregate| Calls::new(aggregate, context)),
            watermark: context.watermark(),
            open: HashMap::new(),
            ends: BTreeMap::new(),
            ids: 0,
        }
    }

    fn end(&self, session: &Session) -> (i64, u64) {
        (session.last.saturating_add(self.gap), session.id)
    }

    /// Fires every session whose end lies before w.
    fn fire(&mut self, w: i64, position: &dyn Fn(i64) -> usize, fired: &mut Fired) {
        while let Some(entry) = self.ends.first_entry() {
            let (end, id) = *entry.key();
            if end >= w {
                break;
            }
            let key = entry.remove();
            let Some(sessions) = self.open.get_mut(&key) else { continue };
            let Some(index) = sessions.iter().position(|session| session.id == id) else { continue };
            let session = sessions.swap_remove(index);
            if sessions.is_empty() {
                self.open.remove(&key);
            }
            let pos = (position(end.saturating_add(1)) as u64) << phase::BITS | phase::FIRED;
            self.report(session, end, pos, fired);
        }
    }

    fn report(&self, mut session: Session, end: i64, pos: u64, fired: &mut Fired) {
        let window = (session.first, end);
        match &self.calls {
            Some(calls) => {
                let group = Group { key: &session.key, states: &session.states, window: Some(window), time: end };
                let (values, limit) = calls.result(&group);
                fired.limits.extend(limit.then_some(pos >> phase::BITS));
                fired.results.push(pos, end, values);
            }
            None => {
                session.records.sort_by_key(|held| held.rank);
                let released = Released { instance: session.id, start: window.0, end };
                fired.releases.push(pos, end, released, session.records.iter());
            }
        }
    }

    /// The session that a record at `time` belongs to: those it touches, joined; `None` if the record is late.
    fn session(&mut self, key: &SessionKey, values: &[Value], time: i64, w: i64) -> Option<&mut Session> {
        let (low, high) = (time.saturating_sub(self.gap), time.saturating_add(self.gap));
        let sessions = self.open.remove(key).unwrap_or_default();
        let (touched, mut apart): (Vec<Session>, Vec<Session>) =
            sessions.into_iter().partition(|session| session.last >= low && session.first <= high);
        if touched.is_empty() && high < w {
            if !apart.is_empty() {
                self.open.insert(key.clone(), apart);
            }
            return None;
        }
        for session in &touched {
            let end = self.end(session);
            self.ends.remove(&end);
        }
        self.ids += 1;
        let id = self.ids;
        let mut touched = touched.into_iter();
        let mut joined = touched.next().unwrap_or_else(|| Session {
            first: time,
            last: time,
            id,
            key: values.into(),
            states: self.calls.as_ref().map(|calls| calls.fresh().collect()).unwrap_or_default(),
            records: Vec::new(),
        });
        for other in touched {
            joined.join(other);
        }
        joined.first = joined.first.min(time);
        joined.last = joined.last.max(time);
        self.ends.insert(self.end(&joined), key.clone());
        apart.push(joined);
        self.open.entry(key.clone()).or_insert(apart).last_mut()
    }
}

impl Session {
    fn join(&mut self, other: Session) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (state, more) in self.states.iter_mut().zip(&other.states) {
            state.merge(more);
        }
        self.records.extend(other.records);
    }
}

impl Operator for SessionWindow {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let watermark = self.watermark.clone();
        let progress = watermark.over(chunk);
        let position = |time: i64| progress.reaches(time);
        let mut fired =
            Fired { results: Results::new(context), releases: Releases::new(context), limits: Vec::new() };
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            let arguments = self.calls.as_mut().map(|calls| calls.arguments(chunk, rows, context));
            for row in 0..rows.len() {
                let w = progress.before((rows.pos[row] >> phase::BITS) as usize);
                self.fire(w, &position, &mut fired);
                let time = rows.time[row];
                let rank = (time, chunk.seq, rows.pos[row]);
                let values = columns.values(row);
                let key: SessionKey = values.iter().cloned().map(KeyValue).collect();
                match self.session(&key, &values, time, w) {
                    None => context.late(chunk, rows, row),
                    Some(session) => match &arguments {
                        Some(arguments) => Calls::add(&mut session.states, arguments, row, rank),
                        None => session.records.push(Held::of(rows, row, rank)),
                    },
                }
            }
        }
        self.fire(progress.last(), &position, &mut fired);
        context.result_limits(chunk, &fired.limits);
        self.watermark.pass(chunk);
        fired.results.rows().or_else(|| fired.releases.rows())
    }

    fn open(&self) -> u64 {
        self.ends.len() as u64
    }
}
