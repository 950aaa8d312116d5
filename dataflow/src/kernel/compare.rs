//! `== != < <= > >=` over columns.
//!
//! Numbers compare by exact value: a float constant beside an int column becomes the int bound that decides alike, an int
//! constant that a float holds exactly becomes that float; only what is left compares row by row. Kinds that differ are
//! unequal, and have no order (null).

use super::operand::{Operand, Side, Texts, Valid, View, both, zip};
use crate::column::{Column, Prim};
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

/// The orders that an operator takes: bit 0 less, 1 equal, 2 greater.
#[derive(Clone, Copy)]
struct Accept(u8);

impl Accept {
    #[inline]
    fn take(self, order: Ordering) -> bool {
        self.0 >> (order as i8 + 1) & 1 == 1
    }
}

fn ordered(op: BinOp) -> Accept {
    Accept(match op {
        BinOp::Lt => 0b001,
        BinOp::Le => 0b011,
        BinOp::Eq => 0b010,
        BinOp::Ge => 0b110,
        BinOp::Gt => 0b100,
        _ => 0b101,
    })
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
            zip(ints, floats, rows, |int, float| accept.take(compare_int_float(int, float)))
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
            let (text, want) = (text.as_bytes(), op == BinOp::Eq);
            answers(rows, |row| Some((column.bytes(row)? == text) == want))
        }
        _ => {
            let accept = ordered(op);
            answers(rows, |row| Some(accept.take(a.bytes(row)?.cmp(b.bytes(row)?))))
        }
    }
}

/// Mixed values, one by one. Mostly they are numbers of both kinds beside a constant.
fn values(op: BinOp, a: &Operand, b: &Operand, rows: usize) -> Answer {
    match (a, b) {
        (Operand::Column(Column::Any(values)), Operand::Const(Value::Int(number))) => {
            return numbers(op, values, b, |int| int.cmp(number), |float| compare_int_float(*number, float).reverse());
        }
        (Operand::Column(Column::Any(values)), Operand::Const(Value::Float(number))) => {
            let floats = |float: f64| float.partial_cmp(number).unwrap_or(Ordering::Equal);
            return numbers(op, values, b, |int| compare_int_float(int, *number), floats);
        }
        _ => {}
    }
    let (mut left, mut right) = (Value::Null, Value::Null);
    answers(rows, |row| match ops::binary(op, a.at(row, &mut left), b.at(row, &mut right)) {
        Value::Bool(answer) => Some(answer),
        _ => None,
    })
}

#[inline(always)]
fn numbers(
    op: BinOp,
    values: &[Value],
    number: &Operand,
    ints: impl Fn(i64) -> Ordering,
    floats: impl Fn(f64) -> Ordering,
) -> Answer {
    let accept = ordered(op);
    let mut scratch = Value::Null;
    let number = number.at(0, &mut scratch);
    answers(values.len(), |row| match &values[row] {
        Value::Int(int) => Some(accept.take(ints(*int))),
        Value::Float(float) => Some(accept.take(floats(*float))),
        other => match ops::binary(op, other, number) {
            Value::Bool(answer) => Some(answer),
            _ => None,
        },
    })
}

/// Flags computed row by row; `None` is null.
pub fn answers(rows: usize, answer: impl FnMut(usize) -> Option<bool>) -> Answer {
    let answers: Vec<Option<bool>> = (0..rows).map(answer).collect();
    let values = answers.iter().map(|answer| *answer == Some(true)).collect();
    Answer::Rows(values, super::operand::flags(answers.iter().map(Option::is_some)))
}
