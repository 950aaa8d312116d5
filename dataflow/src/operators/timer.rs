//! `timer(d, initial_delay: e)`: records at start + e + n·d, each before the record that reaches it.
//!
//! In a replay event time is the clock: the start is the first event time, and no record comes behind the last one of the
//! input. Live it is the wall clock, by which chunks are cut: the start is that of the first chunk.

use super::{Context, Operator};
use crate::batch::{Chunk, EventTypes, Rows, phase};
use crate::column::{Column, from_values};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::value::Value;
use std::sync::Arc;

/// A timer.
pub struct Timer {
    interval: i64,
    initial_delay: i64,
    event: Arc<str>,
    fields: Vec<Arc<str>>,
    /// Time of the next record; none before the first event.
    next: Option<i64>,
    ticks: i64,
    clock: i64,
}

impl Timer {
    /// Times in ns.
    pub fn new(interval: i64, initial_delay: i64, event: Arc<str>, context: &Context) -> Timer {
        let fields = context.layout().columns.iter().map(|column| column.name.clone()).collect();
        Timer { interval, initial_delay, event, fields, next: None, ticks: 0, clock: i64::MIN }
    }

    fn column(&self, name: &str, times: &[i64], first_tick: i64) -> Column {
        let value = |(i, time): (usize, &i64)| match name {
            "timestamp" => Value::Int(time.div_euclid(1_000_000)),
            "tick" => Value::Int(first_tick + i as i64),
            _ => Value::Null,
        };
        from_values(times.iter().enumerate().map(value).collect())
    }
}

impl Operator for Timer {
    fn state_version(&self) -> Option<u32> {
        Some(1)
    }

    fn snapshot(&self, into: &mut Snapshot, _: &Context) {
        into.common(&(self.next, self.ticks, self.clock));
    }

    fn restore(&mut self, from: &Restore<'_>, _: &Context) -> Result<(), SnapshotError> {
        (self.next, self.ticks, self.clock) = from.common()?;
        Ok(())
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, _: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        // A live chunk is cut at one time: all that is due comes before its first record.
        let cut = chunk.now.filter(|_| !context.clockwork.replay).map(|now| [now]);
        let clocks = cut.as_ref().map_or(&chunk.clocks[..], |cut| cut);
        let first = *clocks.first()?;
        let start = || first.saturating_add(self.initial_delay);
        let mut next = self.next.unwrap_or_else(start);
        let (mut pos, mut time) = (Vec::new(), Vec::new());
        let first_tick = self.ticks;
        let last = clocks.last().copied().unwrap_or(first).max(self.clock);
        while next <= last && next < i64::MAX {
            let index = clocks.partition_point(|clock| (*clock).max(self.clock) < next);
            pos.push((index as u64) << phase::BITS | phase::TIMER);
            time.push(next);
            next = next.saturating_add(self.interval);
            self.ticks += 1;
        }
        self.next = Some(next);
        self.clock = last;
        if time.is_empty() {
            return None;
        }
        let columns = self.fields.iter().map(|name| self.column(name, &time, first_tick)).collect();
        Some(Rows {
            pos: Arc::new(pos),
            time: Arc::new(time),
            event: EventTypes::One(self.event.clone()),
            columns,
            whole: None,
            released: None,
            rank: None,
        })
    }
}
