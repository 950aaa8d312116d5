//! Programs for the interpreter, built as plans.

mod limits;
mod random;
mod reference;
mod statements;

use super::{Evaluator, NoRecord, Record};
use crate::plan::{BinOp, Body, Builtin, Capture, Expr, Function, Stmt, UnOp};
use crate::value::{Type, Value};
use std::sync::Arc;

fn int(int: i64) -> Expr {
    Expr::Const(Value::Int(int))
}

fn null() -> Expr {
    Expr::Const(Value::Null)
}

fn bool(bool: bool) -> Expr {
    Expr::Const(Value::Bool(bool))
}

fn text(text: &str) -> Expr {
    Expr::Const(Value::Str(text.into()))
}

fn local(slot: u32) -> Expr {
    Expr::Local(slot)
}

fn binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, a.into(), b.into())
}

fn add(a: Expr, b: Expr) -> Expr {
    binary(BinOp::Add, a, b)
}

fn lambda(slot: u32, body: Expr) -> Expr {
    Expr::Lambda(vec![slot], Body::Expr(body).into())
}

fn set(slot: u32, value: Expr) -> Stmt {
    Stmt::Set(slot, Type::Any, value)
}

fn ret(value: Expr) -> Stmt {
    Stmt::Return(Some(value))
}

fn function(params: u32, slots: u32, body: Vec<Stmt>) -> Function {
    let params = (0..params).map(|param| (format!("p{param}").into(), Type::Any)).collect();
    Function { name: "f".into(), params, ret: Type::Any, slots, body }
}

fn eval(expr: Expr) -> Value {
    Evaluator::new([]).eval(&expr, &NoRecord)
}

fn call(function: Function, args: &[Value]) -> Value {
    Evaluator::new([function]).call(0, args.to_vec())
}

fn list(items: &[i64]) -> Value {
    Value::Array(Arc::new(items.iter().copied().map(Value::Int).collect()))
}

struct Sample;

impl Record for Sample {
    fn column(&self, column: u32) -> Value {
        Value::Int(column.into())
    }
    fn of(&self, input: u32, column: u32) -> Value {
        Value::Int((input * 10 + column).into())
    }
    fn record(&self) -> Value {
        Value::Str("record".into())
    }
    fn time(&self) -> i64 {
        7
    }
    fn event_type(&self) -> Arc<str> {
        "T".into()
    }
    fn revision(&self) -> u64 {
        4
    }
    fn window(&self) -> Option<(i64, i64)> {
        Some((1, 2))
    }
    fn aggregate(&self, call: u32) -> Value {
        Value::Int(i64::from(call) + 100)
    }
    fn key(&self, key: u32) -> Value {
        Value::Int(i64::from(key) + 200)
    }
    fn partition(&self) -> Value {
        Value::Str("k".into())
    }
    fn captured(&self, element: u32, capture: &Capture) -> Value {
        match capture {
            Capture::Count => Value::Int(3),
            _ => Value::Int(element.into()),
        }
    }
    fn captured_at(&self, element: u32, column: u32, at: usize) -> Value {
        Value::Int(i64::from(element * 100 + column * 10) + at as i64)
    }
}

#[test]
fn leaves_read_the_record() {
    let at = |index: Expr| Expr::Captured(1, Capture::At(2, index.into()));
    for (expr, expected) in [
        (Expr::Column(3), Value::Int(3)),
        (Expr::Of(2, 1), Value::Int(21)),
        (Expr::Record, Value::Str("record".into())),
        (Expr::EventTime, Value::Time(7)),
        (Expr::EventType, Value::Str("T".into())),
        (Expr::WindowStart, Value::Time(1)),
        (Expr::WindowEnd, Value::Time(2)),
        (Expr::Revision, Value::Int(4)),
        (Expr::Aggregate(1), Value::Int(101)),
        (Expr::Key(1), Value::Int(201)),
        (Expr::Partition, Value::Str("k".into())),
        (Expr::Captured(5, Capture::Last(0)), Value::Int(5)),
        (at(int(0)), Value::Int(120)),
        (at(int(-1)), Value::Int(122)),
        (at(int(3)), Value::Null),
        (at(add(int(1), int(1))), Value::Int(122)),
        (at(null()), Value::Null),
    ] {
        let mut evaluator = Evaluator::new([]);
        assert_eq!(evaluator.eval(&expr, &Sample), expected, "{expr:?}");
        let other = evaluator.eval(&expr, &NoRecord);
        assert!(matches!(other, Value::Null | Value::Time(0)) || other == Value::Str("".into()), "{expr:?}");
    }
}

#[test]
fn operators_take_their_operands_in_order() {
    let minus = |a, b| binary(BinOp::Sub, a, b);
    assert_eq!(eval(minus(minus(int(10), int(3)), minus(int(5), int(1)))), Value::Int(3));
    assert_eq!(eval(Expr::Unary(UnOp::Neg, minus(int(1), int(3)).into())), Value::Int(2));
    assert_eq!(eval(Expr::Array(vec![int(1), add(int(1), int(1)), int(3)])), list(&[1, 2, 3]));
    let items = || Expr::Const(list(&[1, 2, 3, 4])).into();
    assert_eq!(eval(Expr::Slice(items(), Some(int(1).into()), Some(int(-1).into()))), list(&[2, 3]));
    assert_eq!(eval(Expr::Slice(items(), None, Some(add(int(1), int(1)).into()))), list(&[1, 2]));
    assert_eq!(eval(Expr::Slice(items(), Some(int(3).into()), None)), list(&[4]));
    assert_eq!(eval(Expr::Index(items(), int(-1).into())), Value::Int(4));
    assert_eq!(eval(Expr::Range(true, int(1).into(), add(int(1), int(1)).into())), list(&[1, 2]));
    assert_eq!(eval(Expr::Convert(Type::Float, int(1).into())), Value::Float(1.0));
    assert_eq!(eval(Expr::Convert(Type::Int, text("1").into())), Value::Null);
    let entries = vec![("b".into(), int(1)), ("a".into(), add(int(1), int(1))), ("b".into(), null())];
    let map = eval(Expr::Map(entries));
    assert_eq!(crate::eval::text::to_text(&map), r#"{"b":null,"a":2}"#);
    assert_eq!(eval(Expr::Member(Expr::Const(map).into(), "a".into())), Value::Int(2));
}

#[test]
fn null_is_decided_where_the_text_says_so() {
    let or_else = |a: Expr, b: Expr| Expr::Coalesce(a.into(), b.into());
    assert_eq!(eval(or_else(null(), or_else(null(), int(3)))), Value::Int(3));
    assert_eq!(eval(or_else(bool(false), int(3))), Value::Bool(false));
    assert_eq!(eval(Expr::IsNull(null().into())), Value::Bool(true));
    assert_eq!(eval(Expr::IsNull(int(0).into())), Value::Bool(false));
    let choose = |condition: Expr| eval(Expr::If(condition.into(), int(1).into(), int(2).into()));
    assert_eq!([bool(true), bool(false), null(), int(1)].map(choose), [1, 2, 2, 2].map(Value::Int));
    let coalesce = |args| eval(Expr::Call(Builtin::Coalesce, args));
    assert_eq!(coalesce(vec![null(), int(1), int(2)]), Value::Int(1));
    assert_eq!(coalesce(vec![null(), null()]), Value::Null);
}

#[test]
fn logic_is_that_of_the_operators_and_stops_early() {
    let values = [Value::Bool(true), Value::Bool(false), Value::Null, Value::Int(1)];
    for a in &values {
        for b in &values {
            let sides = || (Expr::Const(a.clone()).into(), Expr::Const(b.clone()).into());
            let ((l, r), (x, y)) = (sides(), sides());
            assert_eq!(eval(Expr::And(l, r)), crate::eval::ops::and(a, b));
            assert_eq!(eval(Expr::Or(x, y)), crate::eval::ops::or(a, b));
        }
    }
    // The right side would run into the limit of calls.
    let endless = function(0, 0, vec![ret(Expr::CallFn(0, vec![]))]);
    let mut evaluator = Evaluator::new([endless]);
    let endless = || Expr::CallFn(0, vec![]);
    for (expr, expected) in [
        (Expr::And(bool(false).into(), endless().into()), Value::Bool(false)),
        (Expr::Or(bool(true).into(), endless().into()), Value::Bool(true)),
        (Expr::Coalesce(int(1).into(), endless().into()), Value::Int(1)),
        (Expr::If(bool(true).into(), int(1).into(), endless().into()), Value::Int(1)),
        (Expr::Call(Builtin::IfNull, vec![int(1), endless()]), Value::Int(1)),
    ] {
        assert_eq!(evaluator.eval(&expr, &NoRecord), expected);
        assert!(!evaluator.limit_hit());
    }
}

#[test]
fn membership_in_a_range_makes_no_array() {
    let within =
        |value: Expr, to: i64| eval(Expr::In(value.into(), Expr::Range(false, int(0).into(), int(to).into()).into()));
    assert_eq!(within(int(5), 100), Value::Bool(true));
    assert_eq!(within(int(100), 100), Value::Bool(false));
    assert_eq!(within(text("5"), 100), Value::Bool(false));
    assert_eq!(within(null(), 100), Value::Null);
    assert_eq!(within(int(5), 100_001), Value::Null);
    assert_eq!(eval(Expr::In(int(2).into(), Expr::Const(list(&[1, 2])).into())), Value::Bool(true));
}

#[test]
fn lambdas_are_applied_to_elements() {
    let each =
        |function, items: &[i64], body| eval(Expr::Call(function, vec![Expr::Const(list(items)), lambda(0, body)]));
    let above = |limit| binary(BinOp::Gt, local(0), int(limit));
    assert_eq!(each(Builtin::MapFn, &[1, 2], add(local(0), int(1))), list(&[2, 3]));
    assert_eq!(each(Builtin::FilterFn, &[1, 2, 3], above(1)), list(&[2, 3]));
    assert_eq!(each(Builtin::FilterFn, &[1, 2], null()), list(&[]));
    assert_eq!(each(Builtin::AnyFn, &[1, 2], above(1)), Value::Bool(true));
    assert_eq!(each(Builtin::AnyFn, &[], above(1)), Value::Bool(false));
    assert_eq!(each(Builtin::AllFn, &[], above(1)), Value::Bool(true));
    assert_eq!(each(Builtin::AllFn, &[2, 1], above(1)), Value::Bool(false));
    assert_eq!(eval(Expr::Call(Builtin::MapFn, vec![null(), lambda(0, local(0))])), Value::Null);
    assert_eq!(eval(Expr::Call(Builtin::MapFn, vec![int(1), lambda(0, local(0))])), Value::Null);
    // Three-valued: 1 > null is unknown.
    let unknown = || Expr::If(above(1).into(), bool(true).into(), null().into());
    assert_eq!(each(Builtin::AnyFn, &[1, 2], unknown()), Value::Bool(true));
    assert_eq!(each(Builtin::AnyFn, &[1, 1], unknown()), Value::Null);
    assert_eq!(each(Builtin::AllFn, &[2, 1], unknown()), Value::Null);
}

#[test]
fn lambdas_nest_and_are_called() {
    // map([1, 2], x => map([10, 20], y => x + y))
    let inner = Expr::Call(Builtin::MapFn, vec![Expr::Const(list(&[10, 20])), lambda(1, add(local(0), local(1)))]);
    let outer = eval(Expr::Call(Builtin::MapFn, vec![Expr::Const(list(&[1, 2])), lambda(0, inner)]));
    assert_eq!(crate::eval::text::to_text(&outer), "[[11,21],[12,22]]");
    // let f = (a, b) => a - b, called inside its own argument.
    let apply = |a: Expr, b: Expr| {
        Expr::Apply(vec![0, 1], Body::Expr(binary(BinOp::Sub, local(0), local(1))).into(), vec![a, b])
    };
    assert_eq!(eval(apply(apply(int(10), int(3)), apply(int(5), int(1)))), Value::Int(3));
    // `return` in a block ends the lambda, not what surrounds it.
    let block = Body::Block(vec![Stmt::If(vec![(bool(true), vec![ret(int(5))])], vec![]), ret(int(6))]);
    assert_eq!(eval(add(int(1), Expr::Apply(vec![], block.clone().into(), vec![]))), Value::Int(6));
    let mapped = Expr::Call(Builtin::MapFn, vec![Expr::Const(list(&[1, 2])), Expr::Lambda(vec![0], block.into())]);
    assert_eq!(eval(mapped), list(&[5, 5]));
}
