//! Conditions that are made in place against the interpreter, on values of every kind.

use super::super::buffer::{Buffer, Captured, NONE, SlotShape};
use super::super::predicate::{Interpreter, Predicate};
use super::super::tried::{EventRow, Tried};
use crate::batch::{EventTypes, Rows};
use crate::column::from_values;
use proptest::prelude::*;
use rarog_lang::plan::{BinOp, Capture, Expr, Layout};
use rarog_lang::value::Value;
use std::cell::RefCell;
use std::sync::Arc;

fn values() -> BoxedStrategy<Value> {
    let text = |text: &str| Value::Str(text.into());
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-2..3_i64).prop_map(Value::Int),
        Just(Value::Int(i64::MAX)),
        Just(Value::Float(i64::MAX as f64)),
        (-4..5_i64).prop_map(|half| Value::Float(half as f64 / 2.0)),
        Just(Value::Float(-0.0)),
        prop_oneof![Just(text("")), Just(text("a")), Just(text("é"))],
        (0..2_i64).prop_map(Value::Time),
        (0..2_i64).prop_map(Value::Duration),
        (0..2_i64).prop_map(|int| Value::Array(Arc::new(vec![Value::Int(int)]))),
    ]
    .boxed()
}

fn sides() -> BoxedStrategy<Expr> {
    prop_oneof![
        values().prop_map(Expr::Const),
        (0..2_u32).prop_map(Expr::Column),
        (0..2_u32, 0..2_u32).prop_map(|(slot, column)| Expr::Of(slot, column)),
        (0..2_u32, 0..2_u32).prop_map(|(slot, column)| Expr::Captured(slot, Capture::Previous(column))),
    ]
    .boxed()
}

fn comparisons() -> BoxedStrategy<Expr> {
    let op = prop_oneof![
        Just(BinOp::Eq),
        Just(BinOp::Ne),
        Just(BinOp::Lt),
        Just(BinOp::Le),
        Just(BinOp::Gt),
        Just(BinOp::Ge),
        Just(BinOp::Add),
    ];
    (op, sides(), sides()).prop_map(|(op, a, b)| Expr::Binary(op, Box::new(a), Box::new(b))).boxed()
}

fn conditions() -> BoxedStrategy<Expr> {
    let or = || (comparisons(), comparisons()).prop_map(|(a, b)| Expr::Or(Box::new(a), Box::new(b)));
    let part = || prop_oneof![3 => comparisons(), 1 => or()];
    prop_oneof![part(), (part(), part()).prop_map(|(a, b)| Expr::And(Box::new(a), Box::new(b))),].boxed()
}

/// Holds a condition on one of the rows against the interpreter; slot 1 has captured nothing.
fn agrees(condition: &Expr, columns: Vec<Vec<Value>>, captured: &[Value]) -> Result<(), TestCaseError> {
    let rows = Rows {
        pos: Arc::new(vec![1; 2]),
        time: Arc::new(vec![0; 2]),
        event: EventTypes::One("A".into()),
        columns: columns.into_iter().map(from_values).collect(),
        whole: None,
        released: None,
        rank: None,
    };
    let shape = || SlotShape { columns: 2, whole: false, summed: vec![] };
    let mut buffer = Buffer::new(&[shape(), shape()]);
    let record = Captured { event: 1, time: 0, whole: Value::Null };
    let node = buffer.push(0, NONE, record, |column| captured[column].clone());
    let layout = Layout::default();
    let inner = RefCell::new(Interpreter::new(Arc::from([])));
    let mut interpreter = Interpreter::new(Arc::from([]));
    let predicate = Predicate::of(&[], Some(condition));
    for row in 0..2 {
        let tried = Tried {
            event: Some(EventRow { rows: &rows, row, layout: &layout }),
            slots: &[node, NONE],
            buffer: &buffer,
            key: &[],
            start: 0,
            end: 0,
            inner: &inner,
        };
        let expected = interpreter.holds(condition, &tried);
        prop_assert_eq!(predicate.holds(&tried, &mut interpreter), expected, "row {}", row);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conditions_in_place_say_what_the_interpreter_says(
        condition in conditions(),
        columns in proptest::collection::vec(proptest::collection::vec(values(), 2), 2),
        captured in proptest::collection::vec(values(), 2),
    ) {
        agrees(&condition, columns, &captured)?;
    }
}
