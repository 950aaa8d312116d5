//! Records that a window holds and releases, for windows without a fused aggregate.

use super::Context;
use super::state::Rank;
use crate::batch::{EventTypes, FiredRank, Released, Rows};
use crate::column::{Column, from_values};
use crate::whole::Whole;
use rarog_lang::plan::{ColumnDef, Layout};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A record that a window holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// The columns of held records, which are written down with them: name, hidden.
pub type HeldColumns = Vec<(Arc<str>, bool)>;

/// The columns that records of a layout are held with.
pub fn held_columns(layout: &Layout) -> HeldColumns {
    layout.columns.iter().map(|column| (column.name.clone(), column.hidden)).collect()
}

/// Puts the values of records that were written down into the columns of today's layout: another part of the program may
/// read more or fewer fields than it did then.
pub struct Realign(Vec<Option<usize>>);

impl Realign {
    /// From these columns to a layout.
    pub fn new(saved: &HeldColumns, layout: &Layout) -> Realign {
        let place = |column: &ColumnDef| {
            saved.iter().position(|(name, hidden)| *name == column.name && *hidden == column.hidden)
        };
        Realign(layout.columns.iter().map(place).collect())
    }

    /// A record of the layout. What was not read then is null.
    pub fn held(&self, held: Held) -> Held {
        let value = |place: &Option<usize>| place.and_then(|place| held.values.get(place).cloned()).unwrap_or_default();
        Held { values: self.0.iter().map(value).collect(), ..held }
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
    rank: Vec<FiredRank>,
}

impl Releases {
    /// For records with the layout of the node.
    pub fn new(context: &Context) -> Releases {
        let names: Vec<Arc<str>> = context.layout().columns.iter().map(|column| column.name.clone()).collect();
        let columns = vec![Vec::new(); names.len()];
        Releases {
            names,
            columns,
            pos: vec![],
            time: vec![],
            event: vec![],
            whole: vec![],
            released: vec![],
            rank: vec![],
        }
    }

    /// Releases the content of a window, in its order, at a result time.
    pub fn push<'h>(
        &mut self,
        pos: u64,
        time: i64,
        rank: FiredRank,
        released: Released,
        content: impl Iterator<Item = &'h Held>,
    ) {
        for held in content {
            self.pos.push(pos);
            self.time.push(time);
            self.event.push(held.event.clone());
            self.released.push(released);
            self.rank.push(rank);
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
            rank: Some(Arc::new(self.rank)),
        })
    }
}
