//! Which rows of a batch are evaluated, and at which of them something holds.

use super::operand::{Operand, Valid};
use crate::batch::{EventTypes, Rows};
use crate::column::{Column, Prim, StrColumn, from_values};
use rarog_lang::eval::interpreter::revision;
use rarog_lang::value::Value;
use std::sync::Arc;

/// The rows that are evaluated.
#[derive(Clone, Copy)]
pub struct Scope<'r> {
    pub(super) rows: &'r Rows,
    /// Indices of rows; `None`: all.
    pub(super) picked: Option<&'r [u32]>,
}

impl<'r> Scope<'r> {
    /// All rows of a batch.
    pub fn all(rows: &'r Rows) -> Scope<'r> {
        Scope { rows, picked: None }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.picked.map_or(self.rows.len(), <[u32]>::len)
    }

    /// Index in the batch of a row of the scope.
    #[inline]
    pub fn row(&self, index: usize) -> u32 {
        self.picked.map_or(index as u32, |picked| picked[index])
    }

    /// A column of the batch.
    pub fn column(&self, column: u32) -> Column {
        self.of(&self.rows.columns[column as usize])
    }

    /// Event times.
    pub fn time(&self) -> Column {
        self.of(&Column::Time(Prim { values: self.rows.time.clone(), valid: None }))
    }

    /// Event types.
    pub fn event_type(&self) -> Operand {
        match &self.rows.event {
            EventTypes::One(event) => Operand::Const(Value::Str(event.clone())),
            EventTypes::Each(events) => {
                let texts = (0..self.len()).map(|index| Some(&*events[self.row(index) as usize]));
                Operand::Column(StrColumn::from_texts(texts))
            }
        }
    }

    /// Starts (or ends) of the windows that released the rows.
    pub fn window(&self, end: bool) -> Column {
        let Some(released) = &self.rows.released else { return Column::Null(self.len()) };
        let bound = |index| {
            let window = &released[self.row(index) as usize];
            if end { window.end } else { window.start }
        };
        Column::Time(Prim { values: Arc::new((0..self.len()).map(bound).collect()), valid: None })
    }

    /// How often the windows that released the rows had fired before.
    pub fn revision(&self) -> Column {
        match &self.rows.released {
            Some(released) if released.iter().any(|window| window.revision > 0) => {
                let revision = |index| revision(released[self.row(index) as usize].revision);
                from_values((0..self.len()).map(revision).collect())
            }
            _ => Column::Null(self.len()),
        }
    }

    /// A column of the scope's rows, of one of the whole batch.
    fn of(&self, column: &Column) -> Column {
        self.picked.map_or_else(|| column.clone(), |picked| column.take(picked))
    }
}

/// Rows at which something holds.
pub enum Mask {
    /// The same for every row.
    All(bool),
    /// One flag per row.
    Rows(Vec<bool>),
}

impl Mask {
    /// One flag per row.
    pub fn into_flags(self, rows: usize) -> Vec<bool> {
        match self {
            Mask::All(flag) => vec![flag; rows],
            Mask::Rows(flags) => flags,
        }
    }
}

/// Where valid values are as wanted.
pub fn matching(values: &[bool], valid: &Valid, want: bool) -> Vec<bool> {
    match valid {
        None => values.iter().map(|value| *value == want).collect(),
        Some(valid) => values.iter().zip(valid.iter()).map(|(value, valid)| (*value == want) & valid).collect(),
    }
}
