//! A column of records that are held: it grows at the end, is trimmed at the front, and gives any of its rows as a column
//! of a batch. Texts are copied, so that a few held records do not keep the whole input in memory.

use crate::column::{Column, Prim, StrColumn, from_values};
use rarog_lang::eval::order::same_key;
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Values of one machine type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Typed<T> {
    values: Vec<T>,
    /// One per row: false is null. Empty as long as no row is.
    valid: Vec<bool>,
}

impl<T: Copy + Default> Typed<T> {
    fn append(&mut self, prim: &Prim<T>, rows: &[u32]) {
        let before = self.values.len();
        self.values.extend(rows.iter().map(|&row| prim.values[row as usize]));
        match &prim.valid {
            Some(valid) => {
                self.valid.resize(before, true);
                self.valid.extend(rows.iter().map(|&row| valid[row as usize]));
            }
            None if self.valid.is_empty() => {}
            None => self.valid.resize(self.values.len(), true),
        }
    }

    fn append_nulls(&mut self, count: usize) {
        self.valid.resize(self.values.len(), true);
        self.values.resize(self.values.len() + count, T::default());
        self.valid.resize(self.values.len(), false);
    }

    #[inline]
    fn get(&self, row: usize) -> Option<T> {
        self.valid.get(row).is_none_or(|valid| *valid).then(|| self.values[row])
    }

    fn gather(&self, rows: &[u32]) -> Prim<T> {
        let valid = (!self.valid.is_empty()).then(|| rows.iter().map(|&row| self.valid[row as usize]).collect());
        Prim {
            values: Arc::new(rows.iter().map(|&row| self.values[row as usize]).collect()),
            valid: valid.map(Arc::new),
        }
    }

    fn trim(&mut self, count: usize) {
        self.values.drain(..count);
        self.valid.drain(..count.min(self.valid.len()));
    }
}

/// Length of a text that is null.
const NULL: u32 = u32::MAX;

/// Texts in one buffer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Texts {
    buffer: String,
    /// Bytes that were trimmed from the front of the buffer.
    trimmed: u64,
    /// Start, trimmed bytes counted, and length.
    spans: Vec<(u64, u32)>,
}

impl Texts {
    fn append(&mut self, texts: &StrColumn, rows: &[u32]) {
        for &row in rows {
            self.push(texts.get(row as usize));
        }
    }

    #[inline]
    fn push(&mut self, text: Option<&str>) {
        let start = self.trimmed + self.buffer.len() as u64;
        self.spans.push((start, text.map_or(NULL, |text| text.len() as u32)));
        self.buffer.push_str(text.unwrap_or_default());
    }

    #[inline]
    fn get(&self, row: usize) -> Option<&str> {
        let (start, len) = self.spans[row];
        let start = (start - self.trimmed) as usize;
        (len != NULL).then(|| &self.buffer[start..start + len as usize])
    }

    fn trim(&mut self, count: usize) {
        let kept = self.spans.get(count).map_or(self.buffer.len(), |(start, _)| (start - self.trimmed) as usize);
        self.buffer.drain(..kept);
        self.trimmed += kept as u64;
        self.spans.drain(..count);
    }
}

/// A column of held records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Cells {
    /// All rows are null.
    Null(usize),
    /// bool
    Bool(Typed<bool>),
    /// int
    Int(Typed<i64>),
    /// float
    Float(Typed<f64>),
    /// timestamp
    Time(Typed<i64>),
    /// duration
    Duration(Typed<i64>),
    /// str
    Str(Texts),
    /// Mixed or nested values.
    Any(Vec<Value>),
}

impl Default for Cells {
    fn default() -> Cells {
        Cells::Null(0)
    }
}

impl Cells {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Cells::Null(rows) => *rows,
            Cells::Bool(cells) => cells.values.len(),
            Cells::Int(cells) | Cells::Time(cells) | Cells::Duration(cells) => cells.values.len(),
            Cells::Float(cells) => cells.values.len(),
            Cells::Str(texts) => texts.spans.len(),
            Cells::Any(values) => values.len(),
        }
    }

    /// Appends rows of a column.
    pub fn append(&mut self, column: &Column, rows: &[u32]) {
        match (&mut *self, column) {
            (Cells::Bool(cells), Column::Bool(prim)) => cells.append(prim, rows),
            (Cells::Int(cells), Column::Int(prim))
            | (Cells::Time(cells), Column::Time(prim))
            | (Cells::Duration(cells), Column::Duration(prim)) => cells.append(prim, rows),
            (Cells::Float(cells), Column::Float(prim)) => cells.append(prim, rows),
            (Cells::Str(cells), Column::Str(texts)) => cells.append(texts, rows),
            (Cells::Any(values), column) => values.extend(rows.iter().map(|&row| column.get(row as usize))),
            (cells, Column::Null(_)) => cells.append_nulls(rows.len()),
            (Cells::Null(nulls), column) => {
                let nulls = *nulls;
                *self = Cells::like(column);
                self.append_nulls(nulls);
                self.append(column, rows);
            }
            (cells, column) => {
                *self = Cells::Any((0..cells.len()).map(|row| cells.get(row)).collect());
                self.append(column, rows);
            }
        }
    }

    /// No rows, of the physical type of a column.
    fn like(column: &Column) -> Cells {
        match column {
            Column::Null(_) => Cells::Null(0),
            Column::Bool(_) => Cells::Bool(Typed::default()),
            Column::Int(_) => Cells::Int(Typed::default()),
            Column::Float(_) => Cells::Float(Typed::default()),
            Column::Time(_) => Cells::Time(Typed::default()),
            Column::Duration(_) => Cells::Duration(Typed::default()),
            Column::Str(_) => Cells::Str(Texts::default()),
            Column::Any(_) => Cells::Any(Vec::new()),
        }
    }

    fn append_nulls(&mut self, count: usize) {
        match self {
            _ if count == 0 => {}
            Cells::Null(rows) => *rows += count,
            Cells::Bool(cells) => cells.append_nulls(count),
            Cells::Int(cells) | Cells::Time(cells) | Cells::Duration(cells) => cells.append_nulls(count),
            Cells::Float(cells) => cells.append_nulls(count),
            Cells::Str(texts) => (0..count).for_each(|_| texts.push(None)),
            Cells::Any(values) => values.resize(values.len() + count, Value::Null),
        }
    }

    /// Value of a row.
    pub fn get(&self, row: usize) -> Value {
        let value = match self {
            Cells::Null(_) => None,
            Cells::Bool(cells) => cells.get(row).map(Value::Bool),
            Cells::Int(cells) => cells.get(row).map(Value::Int),
            Cells::Float(cells) => cells.get(row).map(Value::Float),
            Cells::Time(cells) => cells.get(row).map(Value::Time),
            Cells::Duration(cells) => cells.get(row).map(Value::Duration),
            Cells::Str(texts) => texts.get(row).map(|text| Value::Str(text.into())),
            Cells::Any(values) => Some(values[row].clone()),
        };
        value.unwrap_or_default()
    }

    /// Is it null there?
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Str(texts) => texts.spans[row].1 == NULL,
            Cells::Any(values) => values[row] == Value::Null,
            cells => cells.get(row) == Value::Null,
        }
    }

    /// The rows with these indices, in this order, as a column.
    pub fn gather(&self, rows: &[u32]) -> Column {
        match self {
            Cells::Null(_) => Column::Null(rows.len()),
            Cells::Bool(cells) => Column::Bool(cells.gather(rows)),
            Cells::Int(cells) => Column::Int(cells.gather(rows)),
            Cells::Float(cells) => Column::Float(cells.gather(rows)),
            Cells::Time(cells) => Column::Time(cells.gather(rows)),
            Cells::Duration(cells) => Column::Duration(cells.gather(rows)),
            Cells::Str(texts) => StrColumn::from_texts(rows.iter().map(|&row| texts.get(row as usize))),
            Cells::Any(values) => from_values(rows.iter().map(|&row| values[row as usize].clone()).collect()),
        }
    }

    /// Is the value of a row the same key as that of a row of another column? Both are not null.
    #[inline]
    pub fn same(&self, row: usize, other: &Cells, of: usize) -> bool {
        match (self, other) {
            (Cells::Str(a), Cells::Str(b)) => a.get(row).map(str::as_bytes) == b.get(of).map(str::as_bytes),
            (Cells::Int(a), Cells::Int(b)) => a.values[row] == b.values[of],
            (a, b) => same_key(&a.get(row), &b.get(of)),
        }
    }

    /// Forgets the first rows.
    pub fn trim(&mut self, count: usize) {
        if count == self.len() {
            *self = Cells::default();
            return;
        }
        match self {
            Cells::Null(rows) => *rows -= count,
            Cells::Bool(cells) => cells.trim(count),
            Cells::Int(cells) | Cells::Time(cells) | Cells::Duration(cells) => cells.trim(count),
            Cells::Float(cells) => cells.trim(count),
            Cells::Str(texts) => texts.trim(count),
            Cells::Any(values) => _ = values.drain(..count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(cells: &Cells) -> Vec<Value> {
        (0..cells.len()).map(|row| cells.get(row)).collect()
    }

    /// Parts of all types in all orders give back their values, also after rows were trimmed.
    #[test]
    fn cells_hold_what_was_appended() {
        let text = |text: &str| Value::Str(text.into());
        let parts = [
            vec![Value::Int(1), Value::Null, Value::Int(3)],
            vec![Value::Null; 2],
            vec![text("a"), Value::Null, text("bcd")],
            vec![Value::Float(2.0)],
            vec![Value::Bool(true), Value::Null],
            vec![Value::Time(5)],
            vec![Value::Int(4)],
            vec![text(""), text("é")],
        ];
        for first in &parts {
            for second in &parts {
                for trimmed in 0..=first.len() {
                    let mut cells = Cells::default();
                    let mut expected = Vec::new();
                    for part in [first, second] {
                        let column = from_values(part.clone());
                        cells.append(&column, &(0..part.len() as u32).collect::<Vec<_>>());
                        cells.append(&column, &[0]);
                        expected.extend(part.clone());
                        expected.push(part[0].clone());
                    }
                    cells.trim(trimmed);
                    cells.append(&from_values(first.clone()), &[0]);
                    expected.drain(..trimmed);
                    expected.push(first[0].clone());
                    assert_eq!(values(&cells), expected);
                    let back: Vec<u32> = (0..expected.len() as u32).rev().collect();
                    let gathered = cells.gather(&back);
                    expected.reverse();
                    assert_eq!((0..gathered.len()).map(|row| gathered.get(row)).collect::<Vec<_>>(), expected);
                }
            }
        }
    }

    #[test]
    fn keys_are_the_same_across_types() {
        let cells = |values: Vec<Value>| {
            let mut cells = Cells::default();
            cells.append(&from_values(values.clone()), &(0..values.len() as u32).collect::<Vec<_>>());
            cells
        };
        let (ints, floats) = (cells(vec![Value::Int(1), Value::Int(2)]), cells(vec![Value::Float(2.0)]));
        assert!(ints.same(1, &floats, 0) && !ints.same(0, &floats, 0));
        assert!(!cells(vec![Value::Str("2".into())]).same(0, &floats, 0));
    }
}
