//! Windows that release their records: the records they hold, and the time window without a fused aggregate.

use super::state::Rank;
use super::time_window::{Grid, clamp};
use super::{Context, Operator};
use crate::batch::{Chunk, EventTypes, Released, Rows, phase};
use crate::clock::{NEVER, Watermark};
use crate::column::{Column, from_values};
use crate::whole::Whole;
use rarog_lang::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record that a window holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its place in the content.
    pub rank: Rank,
    event: Arc<str>,
    values: Vec<Value>,
    whole: Option<Value>,
}

impl Held {
    /// Row `row` of a batch.
    pub fn of(rows: &Rows, row: usize, rank: Rank) -> Held {
        Held {
            rank,
            event: rows.event.get(row).clone(),
            values: rows.columns.iter().map(|column| column.get(row)).collect(),
            whole: rows.whole.as_ref().map(|whole| whole.get(row)),
        }
    }
}

/// Collects released records.
pub struct Releases {
    names: Vec<Arc<str>>,
    pos: Vec<u64>,
    time: Vec<i64>,
    event: Vec<Arc<str>>,
    columns: Vec<Vec<Value>>,
    whole: Vec<Value>,
    released: Vec<Released>,
}

impl Releases {
    /// For records with the layout of the node.
    pub fn new(context: &Context) -> Releases {
        let names: Vec<Arc<str>> = context.layout().columns.iter().map(|column| column.name.clone()).collect();
        let columns = vec![Vec::new(); names.len()];
        Releases { names, columns, pos: vec![], time: vec![], event: vec![], whole: vec![], released: vec![] }
    }

    /// Releases the content of a window, in its order, at a result time.
    pub fn push<'h>(&mut self, pos: u64, time: i64, released: Released, content: impl Iterator<Item = &'h Held>) {
        for held in content {
            self.pos.push(pos);
            self.time.push(time);
            self.event.push(held.event.clone());
            self.released.push(released);
            self.whole.extend(held.whole.clone());
            for (index, column) in self.columns.iter_mut().enumerate() {
                column.push(match held.values.get(index) {
                    Some(value) => value.clone(),
                    None if &*self.names[index] == "window_start" => Value::Time(released.start),
                    None if &*self.names[index] == "window_end" => Value::Time(released.end),
                    None => Value::Null,
                });
            }
        }
    }

    /// The rows, if there are any.
    pub fn rows(self) -> Option<Rows> {
        if self.pos.is_empty() {
            return None;
        }
        let whole = (self.whole.len() == self.pos.len()).then(|| Whole::Values(Arc::new(self.whole)));
        Some(Rows {
            pos: Arc::new(self.pos),
            time: Arc::new(self.time),
            event: EventTypes::Each(Arc::new(self.event)),
            columns: self.columns.into_iter().map(from_values).collect::<Vec<Column>>(),
            whole,
            released: Some(Arc::new(self.released)),
        })
    }
}

/// A time window without a fused aggregate; keys make no difference to what it releases but for the instances.
pub struct TimeRelease {
    grid: Grid,
    keys: super::key::Keys,
    watermark: Watermark,
    /// By end, then by key in order of appearance.
    windows: BTreeMap<i128, Vec<(Box<[Value]>, Vec<Held>)>>,
    slide: i128,
    closed: i128,
    instances: u64,
}

impl TimeRelease {
    /// Sizes in ns.
    pub fn new(size: i64, slide: i64, context: &Context) -> TimeRelease {
        let key = crate::rt::key_of(context.node());
        TimeRelease {
            grid: Grid::new(size, slide),
            keys: super::key::Keys::new(key, context),
            watermark: context.watermark(),
            windows: BTreeMap::new(),
            slide: slide.into(),
            closed: NEVER.into(),
            instances: 0,
        }
    }

    fn fire(&mut self, w: i64, position: &dyn Fn(i64) -> usize, releases: &mut Releases) {
        while let Some(entry) = self.windows.first_entry().filter(|entry| *entry.key() <= w.into()) {
            let (end, groups) = entry.remove_entry();
            let pos = (position(clamp(end)) as u64) << phase::BITS | phase::FIRED;
            for (_, mut content) in groups {
                content.sort_by_key(|held| held.rank);
                self.instances += 1;
                let released =
                    Released { instance: self.instances, start: clamp(self.grid.start(end)), end: clamp(end) };
                releases.push(pos, clamp(end), released, content.iter());
            }
        }
        self.closed = self.closed.max(w.into());
    }

    fn add(&mut self, time: i64, key: Box<[Value]>, held: Held) {
        let mut end = self.grid.last_end(time.into());
        while end > time.into() && end > self.closed {
            let groups = self.windows.entry(end).or_default();
            let same = |known: &[Value]| known.iter().zip(&key).all(|(a, b)| rarog_lang::eval::order::same_key(a, b));
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((_, content)) => content.push(held.clone()),
                None => groups.push((key.clone(), vec![held.clone()])),
            }
            end -= self.slide;
        }
    }
}

impl Operator for TimeRelease {
    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten();
        let progress = self.watermark.over(chunk);
        let position = |time: i64| progress.reaches(time);
        let mut releases = Releases::new(context);
        if let Some(rows) = &rows {
            let columns = self.keys.of(rows);
            for row in 0..rows.len() {
                self.fire(progress.before((rows.pos[row] >> phase::BITS) as usize), &position, &mut releases);
                let time = rows.time[row];
                if self.grid.last_end(time.into()) <= self.closed {
                    context.late(chunk, rows, row);
                } else {
                    let held = Held::of(rows, row, (time, chunk.seq, rows.pos[row]));
                    self.add(time, columns.values(row), held);
                }
            }
        }
        self.fire(progress.last(), &position, &mut releases);
        self.watermark.pass(chunk);
        releases.rows()
    }

    fn open(&self) -> u64 {
        self.windows.len() as u64
    }
}
