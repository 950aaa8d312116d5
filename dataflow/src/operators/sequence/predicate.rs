//! Conditions over a record that is tried and what a run has captured. Comparisons of columns, captured columns and
//! constants are made in place; everything else is left to the interpreter, which is the definition of both.

use super::tried::Tried;
use crate::column::Column;
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::eval::ops;
use rarog_lang::eval::order::compare_int_float;
use rarog_lang::plan::{BinOp, Capture, Expr, Function};
use rarog_lang::value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// The interpreter of a sequence.
pub type Interpreter = Evaluator<Arc<[Function]>>;

/// A condition; it passes only on true.
pub enum Predicate {
    /// All of them.
    All(Vec<Predicate>),
    /// A comparison.
    Compare(BinOp, Operand, Operand),
    /// Anything.
    Other(Expr),
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// The same for all.
    Const(Value),
    /// Of the record that is tried.
    Column(u32),
    /// Of the last record of a slot.
    Last(u32, u32),
}

impl Operand {
    fn of(expr: &Expr) -> Option<Operand> {
        Some(match expr {
            Expr::Const(value) => Operand::Const(value.clone()),
            Expr::Column(column) => Operand::Column(*column),
            Expr::Of(slot, column)
            | Expr::Captured(slot, Capture::Last(column))
            | Expr::Captured(slot, Capture::Previous(column)) => Operand::Last(*slot, *column),
            _ => return None,
        })
    }
}

/// A value where it lies.
enum Cell<'c> {
    Int(i64),
    Float(f64),
    Str(&'c [u8]),
    Value(&'c Value),
    Owned(Value),
}

impl Cell<'_> {
    fn of(value: &Value) -> Cell<'_> {
        match value {
            Value::Int(int) => Cell::Int(*int),
            Value::Float(float) => Cell::Float(*float),
            Value::Str(text) => Cell::Str(text.as_bytes()),
            other => Cell::Value(other),
        }
    }

    #[inline]
    fn at(column: &Column, row: usize) -> Cell<'_> {
        let cell = match column {
            Column::Int(prim) => prim.get(row).map(Cell::Int),
            Column::Float(prim) => prim.get(row).map(Cell::Float),
            Column::Str(texts) => texts.bytes(row).map(Cell::Str),
            Column::Any(values) => Some(Cell::of(&values[row])),
            column => Some(Cell::Owned(column.get(row))),
        };
        cell.unwrap_or(Cell::Value(&Value::Null))
    }

    /// As a value; a text, which numbers, times and nested values differ from whatever it says, stays away.
    fn value(&self) -> Value {
        match self {
            Cell::Int(int) => Value::Int(*int),
            Cell::Float(float) => Value::Float(*float),
            Cell::Str(text) => Value::Str(String::from_utf8_lossy(text).into()),
            Cell::Value(value) => (*value).clone(),
            Cell::Owned(value) => value.clone(),
        }
    }
}

fn holds(op: BinOp, order: Ordering) -> bool {
    match op {
        BinOp::Eq => order.is_eq(),
        BinOp::Ne => order.is_ne(),
        BinOp::Lt => order.is_lt(),
        BinOp::Le => order.is_le(),
        BinOp::Gt => order.is_gt(),
        BinOp::Ge => order.is_ge(),
        _ => false,
    }
}

/// Is the comparison true? As [`ops::binary`] has it.
fn compare(op: BinOp, a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => holds(op, a.cmp(b)),
        (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(b).is_some_and(|order| holds(op, order)),
        (Cell::Int(a), Cell::Float(b)) => holds(op, compare_int_float(*a, *b)),
        (Cell::Float(a), Cell::Int(b)) => holds(op, compare_int_float(*b, *a).reverse()),
        (Cell::Str(a), Cell::Str(b)) => holds(op, a.cmp(b)),
        (a, b) => ops::binary(op, &a.value(), &b.value()) == Value::Bool(true),
    }
}

impl Predicate {
    /// What the equalities and the rest of a condition ask.
    pub fn of(equalities: &[(Expr, Expr)], condition: Option<&Expr>) -> Predicate {
        let equal = |(a, b): &(Expr, Expr)| Expr::Binary(BinOp::Eq, Box::new(a.clone()), Box::new(b.clone()));
        let mut parts = Vec::new();
        equalities.iter().for_each(|pair| Predicate::collect(&equal(pair), &mut parts));
        condition.into_iter().for_each(|condition| Predicate::collect(condition, &mut parts));
        Predicate::All(parts)
    }

    fn collect(expr: &Expr, parts: &mut Vec<Predicate>) {
        let comparison =
            |op: &BinOp| matches!(op, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge);
        match expr {
            // `a and b` passes if both do, and a false `a` spares `b` in the interpreter, too.
            Expr::And(a, b) => {
                Predicate::collect(a, parts);
                Predicate::collect(b, parts);
            }
            Expr::Binary(op, a, b) if comparison(op) => match (Operand::of(a), Operand::of(b)) {
                (Some(a), Some(b)) => parts.push(Predicate::Compare(*op, a, b)),
                _ => parts.push(Predicate::Other(expr.clone())),
            },
            _ => parts.push(Predicate::Other(expr.clone())),
        }
    }

    /// Does it pass?
    pub fn holds(&self, tried: &Tried, interpreter: &mut Interpreter) -> bool {
        match self {
            Predicate::All(parts) => parts.iter().all(|part| part.holds(tried, interpreter)),
            Predicate::Compare(op, a, b) => compare(*op, &cell(a, tried), &cell(b, tried)),
            Predicate::Other(expr) => interpreter.holds(expr, tried),
        }
    }
}

#[inline]
fn cell<'t>(operand: &'t Operand, tried: &'t Tried) -> Cell<'t> {
    match operand {
        Operand::Const(value) => Cell::of(value),
        Operand::Column(column) => match tried.event {
            Some(event) => Cell::at(&event.rows.columns[*column as usize], event.row),
            None => Cell::Value(&Value::Null),
        },
        Operand::Last(slot, column) => Cell::of(tried.last(*slot as usize, *column as usize)),
    }
}

/// Is the record's value strictly beyond the last captured one?
pub fn is_beyond(rises: bool, column: Option<u32>, last: &Value, tried: &Tried) -> bool {
    let (Some(column), Some(event)) = (column, tried.event) else { return false };
    let value = Cell::at(&event.rows.columns[column as usize], event.row);
    compare(if rises { BinOp::Gt } else { BinOp::Lt }, &value, &Cell::of(last))
}

/// Slots that expressions over captured records read.
pub fn slots_of(exprs: &[Expr]) -> Vec<usize> {
    let slots = std::cell::RefCell::new(Vec::new());
    for expr in exprs {
        visit_captures(expr, &|slot| slots.borrow_mut().push(slot as usize));
    }
    let mut slots = slots.into_inner();
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn visit_captures(expr: &Expr, visit: &dyn Fn(u32)) {
    // The copy that `map` makes is not needed; this runs once per sequence.
    _ = expr.map(&|part| {
        match part {
            Expr::Of(slot, _) => visit(*slot),
            Expr::Captured(slot, capture) => {
                visit(*slot);
                match capture {
                    Capture::At(_, index) => visit_captures(index, visit),
                    Capture::Aggregate(call) => {
                        call.argument.iter().for_each(|argument| visit_captures(argument, visit));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        None
    });
}
