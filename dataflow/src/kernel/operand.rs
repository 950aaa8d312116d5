//! What an expression gives over the rows of a scope: one value for all of them, or a column.
//!
//! Constants stay scalars until the top of the expression. The physical type of a column is known only here, batch by
//! batch, so operators look at [`View`]s of their operands and pick the loop that fits.

use crate::column::{Column, NULL_SPAN, Prim, StrColumn};
use rarog_lang::value::Value;
use std::sync::Arc;

/// Which rows are not null; `None`: all.
pub type Valid = Option<Arc<Vec<bool>>>;

/// Values of an expression.
#[derive(Clone, Debug)]
pub enum Operand {
    /// The same for every row.
    Const(Value),
    /// One per row.
    Column(Column),
}

/// Values of one machine type: one for all rows, or one per row. Null rows hold anything.
#[derive(Clone, Copy, Debug)]
pub enum Side<'a, T> {
    /// The same for every row, not null.
    One(T),
    /// One per row.
    Each(&'a Prim<T>),
}

/// Texts: one for all rows, or one per row.
#[derive(Clone, Copy, Debug)]
pub enum Texts<'a> {
    /// The same for every row.
    One(&'a str),
    /// One per row.
    Each(&'a StrColumn),
}

/// An operand by its physical type.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Null in every row.
    Null,
    /// bool
    Bool(Side<'a, bool>),
    /// int
    Int(Side<'a, i64>),
    /// float
    Float(Side<'a, f64>),
    /// timestamp
    Time(Side<'a, i64>),
    /// duration
    Duration(Side<'a, i64>),
    /// str
    Str(Texts<'a>),
    /// Mixed or nested.
    Any,
}

impl Operand {
    /// The operand by its physical type.
    pub fn view(&self) -> View<'_> {
        match self {
            Operand::Const(value) => match value {
                Value::Null => View::Null,
                Value::Bool(value) => View::Bool(Side::One(*value)),
                Value::Int(value) => View::Int(Side::One(*value)),
                Value::Float(value) => View::Float(Side::One(*value)),
                Value::Time(value) => View::Time(Side::One(*value)),
                Value::Duration(value) => View::Duration(Side::One(*value)),
                Value::Str(text) => View::Str(Texts::One(text)),
                Value::Array(_) | Value::Map(_) => View::Any,
            },
            Operand::Column(column) => match column {
                Column::Null(_) => View::Null,
                Column::Bool(prim) => View::Bool(Side::Each(prim)),
                Column::Int(prim) => View::Int(Side::Each(prim)),
                Column::Float(prim) => View::Float(Side::Each(prim)),
                Column::Time(prim) => View::Time(Side::Each(prim)),
                Column::Duration(prim) => View::Duration(Side::Each(prim)),
                Column::Str(texts) => View::Str(Texts::Each(texts)),
                Column::Any(_) => View::Any,
            },
        }
    }

    /// Value of a row, borrowed if it exists as a value, else made in `scratch`.
    #[inline]
    pub fn at<'a>(&'a self, row: usize, scratch: &'a mut Value) -> &'a Value {
        match self {
            Operand::Const(value) => value,
            Operand::Column(Column::Any(values)) => &values[row],
            Operand::Column(column) => {
                *scratch = column.get(row);
                scratch
            }
        }
    }

    /// Which rows are not null.
    pub fn valid(&self, rows: usize) -> Valid {
        match self {
            Operand::Const(Value::Null) | Operand::Column(Column::Null(_)) => Some(Arc::new(vec![false; rows])),
            Operand::Const(_) => None,
            Operand::Column(column) => match column {
                Column::Null(_) => Some(Arc::new(vec![false; rows])),
                Column::Bool(prim) => prim.valid.clone(),
                Column::Int(prim) | Column::Time(prim) | Column::Duration(prim) => prim.valid.clone(),
                Column::Float(prim) => prim.valid.clone(),
                Column::Str(texts) => flags(texts.spans.iter().map(|span| span.0 != NULL_SPAN)),
                Column::Any(values) => flags(values.iter().map(|value| *value != Value::Null)),
            },
        }
    }

    /// As a column of its own.
    pub fn into_column(self, rows: usize) -> Column {
        match self {
            Operand::Column(column) => column,
            Operand::Const(value) => repeat(&value, rows),
        }
    }
}

/// A column of one value.
pub fn repeat(value: &Value, rows: usize) -> Column {
    match value {
        Value::Null => Column::Null(rows),
        Value::Bool(value) => Column::Bool(all(vec![*value; rows])),
        Value::Int(value) => Column::Int(all(vec![*value; rows])),
        Value::Float(value) => Column::Float(all(vec![*value; rows])),
        Value::Time(value) => Column::Time(all(vec![*value; rows])),
        Value::Duration(value) => Column::Duration(all(vec![*value; rows])),
        Value::Str(text) if text.len() < NULL_SPAN as usize / 2 => Column::Str(StrColumn {
            text: text.clone(),
            extra: "".into(),
            spans: Arc::new(vec![(0, text.len() as u32); rows]),
        }),
        other => Column::Any(Arc::new(vec![other.clone(); rows])),
    }
}

/// Values without nulls.
fn all<T>(values: Vec<T>) -> Prim<T> {
    Prim { values: Arc::new(values), valid: None }
}

/// Flags as validity: `None` if all hold.
pub fn flags(flags: impl Iterator<Item = bool>) -> Valid {
    let flags: Vec<bool> = flags.collect();
    (!flags.iter().all(|flag| *flag)).then(|| Arc::new(flags))
}

/// Rows that are valid in both.
pub fn both(a: &Valid, b: &Valid) -> Valid {
    match (a, b) {
        (None, other) | (other, None) => other.clone(),
        (Some(a), Some(b)) if Arc::ptr_eq(a, b) => Some(a.clone()),
        (Some(a), Some(b)) => Some(Arc::new(a.iter().zip(b.iter()).map(|(a, b)| a & b).collect())),
    }
}

impl<'a, T: Copy> Side<'a, T> {
    /// Which rows are not null.
    pub fn valid(&self) -> &'a Valid {
        match self {
            Side::One(_) => &None,
            Side::Each(prim) => &prim.valid,
        }
    }
}

impl<'a> Texts<'a> {
    /// Bytes of a row's text.
    #[inline]
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Texts::One(text) => Some(text.as_bytes()),
            Texts::Each(texts) => texts.bytes(row),
        }
    }

    /// Text of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::One(text) => Some(text),
            Texts::Each(texts) => texts.get(row),
        }
    }
}

/// Applies `f` to each pair of values, null rows included.
#[inline(always)]
pub fn zip<A: Copy, B: Copy, R: Clone>(a: &Side<A>, b: &Side<B>, rows: usize, mut f: impl FnMut(A, B) -> R) -> Vec<R> {
    match (a, b) {
        (Side::Each(a), Side::Each(b)) => a.values.iter().zip(b.values.iter()).map(|(&a, &b)| f(a, b)).collect(),
        (Side::Each(a), Side::One(b)) => a.values.iter().map(|&a| f(a, *b)).collect(),
        (Side::One(a), Side::Each(b)) => b.values.iter().map(|&b| f(*a, b)).collect(),
        (Side::One(a), Side::One(b)) => vec![f(*a, *b); rows],
    }
}
