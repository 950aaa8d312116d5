//! `+ - * / % **`, bits and signs over columns: what overflows, divides by zero or leaves the finite is null.
//!
//! The common loops compute every row, valid or not, and notice beside it whether any row went wrong; only then are the
//! rows looked at one by one.

use super::operand::{Operand, Side, Texts, Valid, View, both, flags, zip};
use crate::column::{Column, Prim, StrColumn, from_values};
use rarog_lang::eval::ops;
use rarog_lang::plan::{BinOp, UnOp};
use rarog_lang::value::Value;
use std::sync::Arc;

/// Applies an operator to two operands of which one at least is a column.
pub fn arithmetic(op: BinOp, a: &Operand, b: &Operand, rows: usize) -> Column {
    let done = match (a.view(), b.view()) {
        (View::Null, _) | (_, View::Null) => Some(Column::Null(rows)),
        (View::Int(a), View::Int(b)) => Some(ints(op, &a, &b, rows)),
        (View::Float(a), View::Float(b)) => floats(op, &a, &b, rows, |a| a, |b| b),
        (View::Int(a), View::Float(b)) => floats(op, &a, &b, rows, |a| a as f64, |b| b),
        (View::Float(a), View::Int(b)) => floats(op, &a, &b, rows, |a| a, |b| b as f64),
        (View::Str(a), View::Str(b)) if op == BinOp::Add => joined(&a, &b, rows),
        (a, b) => times(op, &a, &b, rows),
    };
    done.unwrap_or_else(|| {
        let (mut left, mut right) = (Value::Null, Value::Null);
        from_values((0..rows).map(|row| ops::binary(op, a.at(row, &mut left), b.at(row, &mut right))).collect())
    })
}

/// `- ~ not`
pub fn unary(op: UnOp, a: &Operand, rows: usize) -> Column {
    match (op, a.view()) {
        (_, View::Null) => Column::Null(rows),
        (UnOp::Neg, View::Float(a)) => {
            Column::Float(Prim { values: Arc::new(map(&a, rows, |a| -a)), valid: a.valid().clone() })
        }
        (UnOp::Neg, View::Int(a)) => Column::Int(ints_or_null(&Side::One(0), &a, rows, i64::overflowing_sub)),
        (UnOp::Neg, View::Duration(a)) => Column::Duration(ints_or_null(&Side::One(0), &a, rows, i64::overflowing_sub)),
        (UnOp::BitNot, View::Int(a)) => {
            Column::Int(Prim { values: Arc::new(map(&a, rows, |a: i64| !a)), valid: a.valid().clone() })
        }
        (UnOp::Not, View::Bool(a)) => {
            Column::Bool(Prim { values: Arc::new(map(&a, rows, |a: bool| !a)), valid: a.valid().clone() })
        }
        (_, View::Any) => {
            let mut scratch = Value::Null;
            from_values((0..rows).map(|row| ops::unary(op, a.at(row, &mut scratch))).collect())
        }
        _ => Column::Null(rows),
    }
}

/// Applies `f` to each value, null rows included.
pub fn map<T: Copy, R: Clone>(a: &Side<T>, rows: usize, mut f: impl FnMut(T) -> R) -> Vec<R> {
    match a {
        Side::Each(a) => a.values.iter().map(|&a| f(a)).collect(),
        Side::One(a) => vec![f(*a); rows],
    }
}

fn ints(op: BinOp, a: &Side<i64>, b: &Side<i64>, rows: usize) -> Column {
    let shift = |b: i64| u32::try_from(b).ok().filter(|shift| *shift < 64);
    let valid = || both(a.valid(), b.valid());
    let plain = |values| Prim { values: Arc::new(values), valid: valid() };
    Column::Int(match op {
        BinOp::Add => ints_or_null(a, b, rows, i64::overflowing_add),
        BinOp::Sub => ints_or_null(a, b, rows, i64::overflowing_sub),
        BinOp::Mul => ints_or_null(a, b, rows, i64::overflowing_mul),
        BinOp::Div => checked(a, b, rows, i64::checked_div),
        BinOp::Rem => checked(a, b, rows, |a, b| if b == -1 { Some(0) } else { a.checked_rem(b) }),
        BinOp::BitOr => plain(zip(a, b, rows, |a, b| a | b)),
        BinOp::BitXor => plain(zip(a, b, rows, |a, b| a ^ b)),
        BinOp::BitAnd => plain(zip(a, b, rows, |a, b| a & b)),
        BinOp::Shl => checked(a, b, rows, |a, b| shift(b).map(|b| a << b)),
        BinOp::Shr => checked(a, b, rows, |a, b| shift(b).map(|b| a >> b)),
        _ => checked(a, b, rows, |a, b| match ops::binary(op, &Value::Int(a), &Value::Int(b)) {
            Value::Int(value) => Some(value),
            _ => None,
        }),
    })
}

/// An operation that may overflow, which is rare: rows are checked again only if one did.
fn ints_or_null(a: &Side<i64>, b: &Side<i64>, rows: usize, f: impl Fn(i64, i64) -> (i64, bool)) -> Prim<i64> {
    let mut overflow = false;
    let values = zip(a, b, rows, |a, b| {
        let (value, over) = f(a, b);
        overflow |= over;
        value
    });
    let mut valid = both(a.valid(), b.valid());
    if overflow {
        valid = both(&valid, &flags(zip(a, b, rows, |a, b| !f(a, b).1).into_iter()));
    }
    Prim { values: Arc::new(values), valid }
}

/// An operation that is undefined for some operands.
pub fn checked<A: Copy, B: Copy, R: Copy + Default>(
    a: &Side<A>,
    b: &Side<B>,
    rows: usize,
    f: impl Fn(A, B) -> Option<R>,
) -> Prim<R> {
    let mut defined = Vec::with_capacity(rows);
    let mut undefined = false;
    let values = zip(a, b, rows, |a, b| {
        let value = f(a, b);
        defined.push(value.is_some());
        undefined |= value.is_none();
        value.unwrap_or_default()
    });
    let mut valid = both(a.valid(), b.valid());
    if undefined {
        defined.resize(rows, false);
        valid = both(&valid, &Some(Arc::new(defined)));
    }
    Prim { values: Arc::new(values), valid }
}

#[inline(always)]
fn floats<A: Copy, B: Copy>(
    op: BinOp,
    a: &Side<A>,
    b: &Side<B>,
    rows: usize,
    left: impl Fn(A) -> f64,
    right: impl Fn(B) -> f64,
) -> Option<Column> {
    let values = match op {
        BinOp::Add => zip(a, b, rows, |a, b| left(a) + right(b)),
        BinOp::Sub => zip(a, b, rows, |a, b| left(a) - right(b)),
        BinOp::Mul => zip(a, b, rows, |a, b| left(a) * right(b)),
        BinOp::Div => zip(a, b, rows, |a, b| left(a) / right(b)),
        BinOp::Rem => zip(a, b, rows, |a, b| left(a) % right(b)),
        BinOp::Pow => zip(a, b, rows, |a, b| left(a).powf(right(b))),
        _ => return Some(Column::Null(rows)),
    };
    Some(Column::Float(finite(values, both(a.valid(), b.valid()))))
}

/// Floats of which some may be NaN or infinite: those become null.
pub fn finite(values: Vec<f64>, mut valid: Valid) -> Prim<f64> {
    // A float is not finite if all bits of its exponent are set: then adding one carries into bit 11.
    let carry = values.iter().fold(0, |carry, value| carry | ((value.to_bits() >> 52 & 0x7ff) + 1));
    if carry & 0x800 != 0 {
        valid = both(&valid, &flags(values.iter().map(|value| value.is_finite())));
    }
    Prim { values: Arc::new(values), valid }
}

/// Timestamps and durations; `None`: not operands of this kind of arithmetic.
fn times(op: BinOp, a: &View, b: &View, rows: usize) -> Option<Column> {
    let sum = |a: &Side<i64>, b: &Side<i64>| ints_or_null(a, b, rows, i64::overflowing_add);
    let difference = |a: &Side<i64>, b: &Side<i64>| ints_or_null(a, b, rows, i64::overflowing_sub);
    let product = |a: &Side<i64>, b: &Side<i64>| ints_or_null(a, b, rows, i64::overflowing_mul);
    Some(match (op, a, b) {
        (BinOp::Add, View::Time(a), View::Duration(b)) | (BinOp::Add, View::Duration(a), View::Time(b)) => {
            Column::Time(sum(a, b))
        }
        (BinOp::Sub, View::Time(a), View::Duration(b)) => Column::Time(difference(a, b)),
        (BinOp::Sub, View::Time(a), View::Time(b)) => Column::Duration(difference(a, b)),
        (BinOp::Add, View::Duration(a), View::Duration(b)) => Column::Duration(sum(a, b)),
        (BinOp::Sub, View::Duration(a), View::Duration(b)) => Column::Duration(difference(a, b)),
        (BinOp::Mul, View::Duration(a), View::Int(b)) | (BinOp::Mul, View::Int(a), View::Duration(b)) => {
            Column::Duration(product(a, b))
        }
        (BinOp::Div, View::Duration(a), View::Int(b)) => Column::Duration(checked(a, b, rows, i64::checked_div)),
        (BinOp::Rem, View::Duration(a), View::Duration(b)) => {
            Column::Duration(checked(a, b, rows, |a, b| if b == -1 { Some(0) } else { a.checked_rem(b) }))
        }
        (BinOp::Div, View::Duration(a), View::Duration(b)) => {
            Column::Float(finite(zip(a, b, rows, |a, b| a as f64 / b as f64), both(a.valid(), b.valid())))
        }
        _ => return None,
    })
}

/// Texts end to end.
fn joined(a: &Texts, b: &Texts, rows: usize) -> Option<Column> {
    let texts = || (0..rows).map(|row| Some((a.get(row)?, b.get(row)?)));
    let bytes: usize = texts().map(|pair| pair.map_or(0, |(a, b)| a.len() + b.len())).sum();
    StrColumn::build(bytes, texts(), |out, (a, b)| {
        out.push_str(a);
        out.push_str(b);
    })
}
