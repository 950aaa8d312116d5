//! Built-in functions over columns: loops for those of numbers and times, text by text for those of texts, and value by
//! value for all others.

use super::arithmetic::{checked, finite, map};
use super::eval::each;
use super::operand::{Operand, Side, View};
use super::texts;
use crate::column::{Column, Prim};
use rarog_lang::eval::builtin;
use rarog_lang::eval::ops::truncated;
use rarog_lang::plan::Builtin;
use rarog_lang::value::Value;
use std::sync::Arc;

const NS_PER_MS: i64 = 1_000_000;

/// Does the function have a loop that is cheaper than picking rows?
pub fn is_light(function: Builtin) -> bool {
    use Builtin::*;
    matches!(
        function,
        Abs | Floor
            | Ceil
            | Round
            | Min
            | Max
            | ToInt
            | ToFloat
            | Seconds
            | Millis
            | IsInt
            | IsFloat
            | IsString
            | IsBool
            | IsArray
            | IsMap
            | IsNull
    )
}

/// Calls a function.
pub fn call(function: Builtin, args: Vec<Operand>, rows: usize) -> Operand {
    let constants = args.iter().map(|arg| if let Operand::Const(value) = arg { Some(value.clone()) } else { None });
    if let Some(mut values) = constants.collect::<Option<Vec<Value>>>() {
        return Operand::Const(builtin::call(function, &mut values));
    }
    let null = |arg: &Operand| matches!(arg, Operand::Const(Value::Null) | Operand::Column(Column::Null(_)));
    if !builtin::sees_null(function) && args.iter().any(null) {
        return Operand::Const(Value::Null);
    }
    let column = match &args[..] {
        [a] => of_one(function, a, rows),
        [a, Operand::Const(Value::Int(places))] if function == Builtin::Round => round_to(a, *places, rows),
        _ if matches!(function, Builtin::Min | Builtin::Max) => extreme(function, &args, rows),
        _ => None,
    };
    Operand::Column(
        column.or_else(|| texts::call(function, &args, rows)).unwrap_or_else(|| value_by_value(function, &args, rows)),
    )
}

fn value_by_value(function: Builtin, args: &[Operand], rows: usize) -> Column {
    let mut values = Vec::with_capacity(args.len());
    each(rows, |row, scratch| {
        values.clear();
        for arg in args {
            values.push(arg.at(row, scratch).clone());
        }
        builtin::call(function, &mut values)
    })
}

fn of_one(function: Builtin, a: &Operand, rows: usize) -> Option<Column> {
    Some(match (function, a.view()) {
        (Builtin::Floor | Builtin::Ceil | Builtin::Round, View::Int(_)) => same(a),
        (Builtin::Floor, View::Float(floats)) => to_ints(&floats, rows, f64::floor),
        (Builtin::Ceil, View::Float(floats)) => to_ints(&floats, rows, f64::ceil),
        (Builtin::Round, View::Float(floats)) => to_ints(&floats, rows, f64::round),
        (Builtin::ToInt, View::Float(floats)) => to_ints(&floats, rows, |float| float),
        (Builtin::ToInt, View::Int(_)) | (Builtin::ToFloat, View::Float(_)) => same(a),
        (Builtin::ToInt, View::Bool(bools)) => Column::Int(plain(&bools, rows, i64::from)),
        (Builtin::ToInt | Builtin::Millis, View::Time(ns)) | (Builtin::Millis, View::Duration(ns)) => {
            Column::Int(plain(&ns, rows, |ns| ns / NS_PER_MS))
        }
        (Builtin::ToFloat, View::Int(ints)) => Column::Float(plain(&ints, rows, |int| int as f64)),
        (Builtin::ToFloat, View::Bool(bools)) => Column::Float(plain(&bools, rows, f64::from)),
        (Builtin::Seconds, View::Duration(ns)) => Column::Float(plain(&ns, rows, |ns| ns as f64 / 1e9)),
        (Builtin::Abs, View::Float(floats)) => Column::Float(plain(&floats, rows, f64::abs)),
        (Builtin::Abs, View::Int(ints)) => Column::Int(checked_one(&ints, rows, i64::checked_abs)),
        (Builtin::Abs, View::Duration(ns)) => Column::Duration(checked_one(&ns, rows, i64::checked_abs)),
        (_, View::Float(floats)) => of_real(function, &floats, rows, |float| float)?,
        (_, View::Int(ints)) => of_real(function, &ints, rows, |int| int as f64)?,
        _ => return None,
    })
}

/// A column as it is.
fn same(a: &Operand) -> Column {
    match a {
        Operand::Column(column) => column.clone(),
        Operand::Const(_) => Column::Null(0),
    }
}

fn plain<T: Copy, R: Clone>(a: &Side<T>, rows: usize, f: impl Fn(T) -> R) -> Prim<R> {
    Prim { values: Arc::new(map(a, rows, f)), valid: a.valid().clone() }
}

fn checked_one(a: &Side<i64>, rows: usize, f: impl Fn(i64) -> Option<i64>) -> Prim<i64> {
    checked(a, &Side::One(()), rows, |a, ()| f(a))
}

fn to_ints(floats: &Side<f64>, rows: usize, f: impl Fn(f64) -> f64) -> Column {
    Column::Int(checked(floats, &Side::One(()), rows, |float, ()| truncated(f(float))))
}

#[inline(always)]
fn of_real<T: Copy>(function: Builtin, a: &Side<T>, rows: usize, float: impl Fn(T) -> f64) -> Option<Column> {
    let f = match function {
        Builtin::Sqrt => f64::sqrt,
        Builtin::Ln => f64::ln,
        Builtin::Log10 => f64::log10,
        Builtin::Exp => f64::exp,
        Builtin::Sin => f64::sin,
        Builtin::Cos => f64::cos,
        Builtin::Tan => f64::tan,
        _ => return None,
    };
    Some(Column::Float(finite(map(a, rows, |a| f(float(a))), a.valid().clone())))
}

fn round_to(a: &Operand, places: i64, rows: usize) -> Option<Column> {
    let power = 10f64.powi(i32::try_from(places).ok().filter(|places| (0..=15).contains(places))?);
    let round = |float: f64| (float * power).round() / power;
    Some(Column::Float(match a.view() {
        View::Float(floats) => finite(map(&floats, rows, round), floats.valid().clone()),
        View::Int(ints) => finite(map(&ints, rows, |int| round(int as f64)), ints.valid().clone()),
        _ => return None,
    }))
}

/// Least or greatest of columns of one type: the first of equal ones.
fn extreme(function: Builtin, args: &[Operand], rows: usize) -> Option<Column> {
    let greatest = function == Builtin::Max;
    let (first, rest) = args.split_first()?;
    let mut best = first.clone();
    for arg in rest {
        let column = match (best.view(), arg.view()) {
            (View::Float(a), View::Float(b)) => Column::Float(better(&a, &b, rows, greatest)),
            (View::Int(a), View::Int(b)) => Column::Int(better(&a, &b, rows, greatest)),
            (View::Time(a), View::Time(b)) => Column::Time(better(&a, &b, rows, greatest)),
            (View::Duration(a), View::Duration(b)) => Column::Duration(better(&a, &b, rows, greatest)),
            _ => return None,
        };
        best = Operand::Column(column);
    }
    let ordered = matches!(best.view(), View::Float(_) | View::Int(_) | View::Time(_) | View::Duration(_));
    match best {
        Operand::Column(column) if ordered => Some(column),
        _ => None,
    }
}

fn better<T: Copy + PartialOrd>(a: &Side<T>, b: &Side<T>, rows: usize, greatest: bool) -> Prim<T> {
    let values = match greatest {
        true => super::operand::zip(a, b, rows, |a, b| if b > a { b } else { a }),
        false => super::operand::zip(a, b, rows, |a, b| if b < a { b } else { a }),
    };
    Prim { values: Arc::new(values), valid: super::operand::both(a.valid(), b.valid()) }
}
