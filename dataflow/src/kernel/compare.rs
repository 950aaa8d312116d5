//! `== != < <= > >=` over columns.
//!
//! Numbers compare by exact value: a float constant beside an int column becomes the int bound that decides alike, an int
//! constant that a float holds exactly becomes that float; only what is left compares row by row. Kinds that differ are
//! unequal, and have no order (null).

use super::operand::{Operand, Side, Texts, Valid, View, both, zip};
use crate::column::{Column, EXTRA_BIT, NULL_SPAN, Prim, StrColumn};
use rarog_lang::eval::ops;
use rarog_lang::eval::order::compare_int_float;
use rarog_lang::plan::BinOp;
use rarog_lang::value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// 2^63: the first float that no i64 reaches.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// Is it one of the operators of this file?
pub fn is_comparison(op: BinOp) -> bool {
    matches!(op, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge)
}

/// The operator that holds exactly where this one does not, both operands being comparable.
pub fn negated(op: BinOp) -> BinOp {
    match op {
        BinOp::Eq => BinOp::Ne,
        BinOp::Ne => BinOp::Eq,
        BinOp::Lt => BinOp::Ge,
        BinOp::Ge => BinOp::Lt,
        BinOp::Gt => BinOp::Le,
        _ => BinOp::Gt,
    }
}

/// The operator with its operands exchanged.
fn mirrored(op: BinOp) -> BinOp {
    match op {
        BinOp::Lt => BinOp::Gt,
        BinOp::Gt => BinOp::Lt,
        BinOp::Le => BinOp::Ge,
        BinOp::Ge => BinOp::Le,
        other => other,
    }
}

/// What a comparison gives.
pub enum Answer {
    /// Null in every row.
    Null,
    /// One flag per row that is valid.
    Rows(Vec<bool>, Valid),
}

impl Answer {
    /// As an operand.
    pub fn into_operand(self, rows: usize) -> Operand {
        match self {
            Answer::Null => Operand::Column(Column::Null(rows)),
            Answer::Rows(values, valid) => Operand::Column(Column::Bool(Prim { values: Arc::new(values), valid })),
        }
    }
}

/// Compares two operands of which one at least is a column.
pub fn compare(op: BinOp, a: &Operand, b: &Operand, rows: usize) -> Answer {
    let valid = |a: &Valid, b: &Valid| both(a, b);
    match (a.view(), b.view()) {
        (View::Null, _) | (_, View::Null) => Answer::Null,
        (View::Int(a), View::Int(b)) | (View::Time(a), View::Time(b)) | (View::Duration(a), View::Duration(b)) => {
            Answer::Rows(holds(op, &a, &b, rows), valid(a.valid(), b.valid()))
        }
        (View::Float(a), View::Float(b)) => Answer::Rows(holds(op, &a, &b, rows), valid(a.valid(), b.valid())),
        (View::Int(a), View::Float(b)) => Answer::Rows(int_float(op, &a, &b, rows), valid(a.valid(), b.valid())),
        (View::Float(a), View::Int(b)) => {
            Answer::Rows(int_float(mirrored(op), &b, &a, rows), valid(a.valid(), b.valid()))
        }
        (View::Bool(a), View::Bool(b)) if matches!(op, BinOp::Eq | BinOp::Ne) => {
            Answer::Rows(holds(op, &a, &b, rows), valid(a.valid(), b.valid()))
        }
        (View::Str(a), View::Str(b)) => texts(op, &a, &b, rows),
        (View::Any, _) | (_, View::Any) => values(op, a, b, rows),
        _ => match op {
            BinOp::Eq => Answer::Rows(vec![false; rows], both(&a.valid(rows), &b.valid(rows))),
            BinOp::Ne => Answer::Rows(vec![true; rows], both(&a.valid(rows), &b.valid(rows))),
            _ => Answer::Null,
        },
    }
}

/// Values of one machine type, whose order is the language's.
fn holds<T: Copy + PartialOrd>(op: BinOp, a: &Side<T>, b: &Side<T>, rows: usize) -> Vec<bool> {
    match op {
        BinOp::Eq => zip(a, b, rows, |a, b| a == b),
        BinOp::Ne => zip(a, b, rows, |a, b| a != b),
        BinOp::Lt => zip(a, b, rows, |a, b| a < b),
        BinOp::Le => zip(a, b, rows, |a, b| a <= b),
        BinOp::Gt => zip(a, b, rows, |a, b| a > b),
        _ => zip(a, b, rows, |a, b| a >= b),
    }
}

fn ordered(op: BinOp) -> fn(Ordering) -> bool {
    match op {
        BinOp::Eq => Ordering::is_eq,
        BinOp::Ne => Ordering::is_ne,
        BinOp::Lt => Ordering::is_lt,
        BinOp::Le => Ordering::is_le,
        BinOp::Gt => Ordering::is_gt,
        _ => Ordering::is_ge,
    }
}

fn int_float(op: BinOp, ints: &Side<i64>, floats: &Side<f64>, rows: usize) -> Vec<bool> {
    match (ints, floats) {
        (ints, Side::One(float)) => match int_bound(op, *float) {
            Bound::Always(answer) => vec![answer; rows],
            Bound::Int(op, bound) => holds(op, ints, &Side::One(bound), rows),
        },
        (Side::One(int), floats) if exact(*int) => holds(op, &Side::One(*int as f64), floats, rows),
        _ => {
            let accept = ordered(op);
            zip(ints, floats, rows, |int, float| accept(compare_int_float(int, float)))
        }
    }
}

/// Does a float hold this int exactly?
fn exact(int: i64) -> bool {
    int.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS
}

/// A comparison with a float, as one with an int.
enum Bound {
    Always(bool),
    Int(BinOp, i64),
}

fn int_bound(op: BinOp, float: f64) -> Bound {
    if float >= TWO_POW_63 {
        return Bound::Always(matches!(op, BinOp::Lt | BinOp::Le | BinOp::Ne));
    }
    if float < -TWO_POW_63 {
        return Bound::Always(matches!(op, BinOp::Gt | BinOp::Ge | BinOp::Ne));
    }
    let floor = float.floor() as i64;
    let whole = float.floor() == float;
    match op {
        BinOp::Eq | BinOp::Ne if !whole => Bound::Always(op == BinOp::Ne),
        BinOp::Lt if !whole => Bound::Int(BinOp::Le, floor),
        BinOp::Ge if !whole => Bound::Int(BinOp::Gt, floor),
        op => Bound::Int(op, floor),
    }
}

fn texts(op: BinOp, a: &Texts, b: &Texts, rows: usize) -> Answer {
    let equality = matches!(op, BinOp::Eq | BinOp::Ne);
    match (a, b) {
        (Texts::Each(column), Texts::One(text)) | (Texts::One(text), Texts::Each(column)) if equality => {
            equals(column, text, op == BinOp::Eq)
        }
        _ => {
            let accept = ordered(op);
            answers(rows, |row| {
                let (a, b) = (a.get(row)?, b.get(row)?);
                Some(accept(a.as_bytes().cmp(b.as_bytes())))
            })
        }
    }
}

/// Rows whose text is (`want`) or is not this one. Most differ in length or in the first bytes already.
fn equals(column: &StrColumn, text: &str, want: bool) -> Answer {
    let (text, main, extra) = (text.as_bytes(), column.text.as_bytes(), column.extra.as_bytes());
    let mut nulls = false;
    let values = column
        .spans
        .iter()
        .map(|&(start, len)| {
            nulls |= start == NULL_SPAN;
            if len as usize != text.len() || start == NULL_SPAN {
                return !want;
            }
            let (buffer, start) = if start & EXTRA_BIT != 0 { (extra, start & !EXTRA_BIT) } else { (main, start) };
            (&buffer[start as usize..start as usize + text.len()] == text) == want
        })
        .collect();
    let valid = nulls.then(|| Arc::new(column.spans.iter().map(|span| span.0 != NULL_SPAN).collect()));
    Answer::Rows(values, valid)
}

/// Mixed values, one by one.
fn values(op: BinOp, a: &Operand, b: &Operand, rows: usize) -> Answer {
    let (mut left, mut right) = (Value::Null, Value::Null);
    answers(rows, |row| match ops::binary(op, a.at(row, &mut left), b.at(row, &mut right)) {
        Value::Bool(answer) => Some(answer),
        _ => None,
    })
}

/// Flags computed row by row; `None` is null.
pub fn answers(rows: usize, mut answer: impl FnMut(usize) -> Option<bool>) -> Answer {
    let mut values = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let answer = answer(row);
        values.push(answer.unwrap_or(false));
        valid.push(answer.is_some());
    }
    let valid = (!valid.iter().all(|valid| *valid)).then(|| Arc::new(valid));
    Answer::Rows(values, valid)
}
