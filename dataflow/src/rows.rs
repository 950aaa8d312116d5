//! Row-wise operations on batches: selection, concatenation, and putting parts of a chunk back into order.

use crate::batch::{EventTypes, FiredRank, Rows, phase};
use crate::column::Column;
use crate::whole::Whole;
use std::sync::Arc;

impl EventTypes {
    /// Type of a row.
    pub fn get(&self, row: usize) -> &Arc<str> {
        match self {
            EventTypes::One(event) => event,
            EventTypes::Each(events) => &events[row],
        }
    }

    fn take(&self, rows: &[u32]) -> EventTypes {
        match self {
            EventTypes::One(event) => EventTypes::One(event.clone()),
            EventTypes::Each(events) => {
                EventTypes::Each(Arc::new(rows.iter().map(|&row| events[row as usize].clone()).collect()))
            }
        }
    }
}

impl Rows {
    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Rows {
        Rows {
            pos: Arc::new(rows.iter().map(|&row| self.pos[row as usize]).collect()),
            time: Arc::new(rows.iter().map(|&row| self.time[row as usize]).collect()),
            event: self.event.take(rows),
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            whole: self.whole.as_ref().map(|whole| whole.take(rows)),
            released: take_all(&self.released, rows),
            rank: take_all(&self.rank, rows),
        }
    }

    /// Keeps the rows with these indices; `None` if that is none, and the same rows again if it is all.
    pub fn select(self, rows: &[u32]) -> Option<Rows> {
        match rows.len() {
            0 => None,
            n if n == self.len() => Some(self),
            _ => Some(self.take(rows)),
        }
    }

    /// All rows of `parts`, one after the other. They must have one layout.
    pub fn concat(mut parts: Vec<Rows>) -> Option<Rows> {
        if parts.len() < 2 {
            return parts.pop();
        }
        let event = match &parts[0].event {
            EventTypes::One(first)
                if parts.iter().all(|part| matches!(&part.event, EventTypes::One(event) if event == first)) =>
            {
                EventTypes::One(first.clone())
            }
            _ => EventTypes::Each(Arc::new(
                parts.iter().flat_map(|part| (0..part.len()).map(|row| part.event.get(row).clone())).collect(),
            )),
        };
        let columns = (0..parts[0].columns.len())
            .map(|index| Column::concat(&parts.iter().map(|part| &part.columns[index]).collect::<Vec<_>>()))
            .collect();
        let wholes = parts.iter().map(|part| part.whole.as_ref()).collect::<Option<Vec<_>>>();
        let released = concat_all(parts.iter().map(|part| part.released.as_ref()));
        let rank = concat_ranks(&parts);
        Some(Rows {
            pos: Arc::new(parts.iter().flat_map(|part| part.pos.iter().copied()).collect()),
            time: Arc::new(parts.iter().flat_map(|part| part.time.iter().copied()).collect()),
            event,
            columns,
            whole: wholes.map(|wholes| Whole::concat(&wholes)),
            released,
            rank,
        })
    }

    /// Parts of one chunk of one stream in the stream's order: by position, what timers or one record fired by result time,
    /// and that by rank.
    pub fn in_order(parts: Vec<Rows>) -> Option<Rows> {
        let single = parts.len() < 2;
        let rows = Rows::concat(parts)?;
        Some(if single { rows } else { rows.sorted() })
    }

    /// The rows in their stream's order.
    pub fn sorted(self) -> Rows {
        let key = |row: u32| {
            let pos = self.pos[row as usize];
            let timed = pos & ((1 << phase::BITS) - 1) != phase::DIRECT;
            let rank = self.rank.as_ref().map_or((0, 0, 0), |rank| rank[row as usize]);
            (pos, if timed { self.time[row as usize] } else { 0 }, rank)
        };
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        if order.is_sorted_by_key(|&row| key(row)) {
            return self;
        }
        order.sort_by_key(|&row| key(row));
        self.take(&order)
    }
}

fn take_all<T: Copy>(all: &Option<Arc<Vec<T>>>, rows: &[u32]) -> Option<Arc<Vec<T>>> {
    all.as_ref().map(|all| Arc::new(rows.iter().map(|&row| all[row as usize]).collect()))
}

fn concat_all<'a, T: Copy + 'a>(parts: impl Iterator<Item = Option<&'a Arc<Vec<T>>>>) -> Option<Arc<Vec<T>>> {
    let parts = parts.collect::<Option<Vec<_>>>()?;
    Some(Arc::new(parts.into_iter().flat_map(|part| part.iter().copied()).collect()))
}

/// Ranks of all rows; those of parts without ranks, which nothing fired, come first.
fn concat_ranks(parts: &[Rows]) -> Option<Arc<Vec<FiredRank>>> {
    parts.iter().find(|part| part.rank.is_some())?;
    let ranks = parts.iter().flat_map(|part| {
        let own = part.rank.as_ref();
        (0..part.len()).map(move |row| own.map_or((0, 0, 0), |rank| rank[row]))
    });
    Some(Arc::new(ranks.collect()))
}
