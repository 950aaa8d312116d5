//! Limits of an evaluation, and that none of them is the thread's stack.

use super::super::machine::{Machine, Stacks};
use super::super::{CALL_DEPTH, LOOP_TURNS};
use super::*;
use crate::limits::{CHAIN_LINKS, NESTING_LEVELS};
use std::thread;

/// `fn f(n): return if n <= 1 then 1 else f(n - 1) + 1`, whose value is the number of nested calls.
fn nested_calls() -> Function {
    let next = Expr::CallFn(0, vec![binary(BinOp::Sub, local(0), int(1))]);
    let last = binary(BinOp::Le, local(0), int(1));
    function(1, 1, vec![ret(Expr::If(last.into(), int(1).into(), add(next, int(1)).into()))])
}

#[test]
fn calls_nest_as_deep_as_the_limit() {
    let mut evaluator = Evaluator::new([nested_calls()]);
    let depth = i64::from(CALL_DEPTH);
    assert_eq!(evaluator.call(0, vec![Value::Int(depth)]), Value::Int(depth));
    assert!(!evaluator.limit_hit());
    let beyond = Expr::Array(vec![int(1), Expr::CallFn(0, vec![int(depth + 1)])]);
    assert_eq!(evaluator.eval(&beyond, &NoRecord), Value::Null);
    assert!(evaluator.limit_hit());
    // It stays known until the next record, and the evaluator is as good as new.
    assert_eq!(evaluator.eval(&Expr::CallFn(0, vec![int(depth)]), &NoRecord), Value::Int(depth));
    assert!(evaluator.limit_hit());
    evaluator.reset();
    assert!(!evaluator.limit_hit());
}

/// Runs with only so many turns left.
fn run_with(left: u32, expr: &Expr) -> (Value, bool) {
    let mut machine = Machine::new(&[], &NoRecord, &mut Stacks::default());
    machine.turns = LOOP_TURNS - left;
    let value = machine.run(expr);
    (value, machine.limit_hit)
}

#[test]
fn loops_turn_as_often_as_the_limit() {
    let block = |stmt: Stmt| Expr::Apply(vec![], Body::Block(vec![set(0, int(0)), stmt, ret(local(0))]).into(), vec![]);
    let count = || set(0, add(local(0), int(1)));
    let loops = [
        block(Stmt::For(1, int(5), vec![count()])),
        block(Stmt::While(binary(BinOp::Lt, local(0), int(5)), vec![count()])),
        block(Stmt::For(1, int(1), vec![Stmt::For(1, int(4), vec![count(), Stmt::Continue]), count()])),
    ];
    for (expr, turns) in loops.iter().zip([5, 5, 5]) {
        assert_eq!(run_with(turns, expr), (Value::Int(5), false));
        assert_eq!(run_with(turns - 1, expr), (Value::Null, true));
    }
    let mapped = Expr::Call(Builtin::MapFn, vec![Expr::Const(list(&[1, 2, 3])), lambda(0, local(0))]);
    assert_eq!(run_with(3, &mapped), (list(&[1, 2, 3]), false));
    assert_eq!(run_with(2, &mapped), (Value::Null, true));
}

#[test]
fn what_was_emitted_before_a_limit_stays() {
    let body = vec![Stmt::Emit("X".into(), vec![]), ret(Expr::CallFn(0, vec![]))];
    let mut evaluator = Evaluator::new([function(0, 0, body)]);
    assert_eq!(evaluator.process(0, vec![]).len(), CALL_DEPTH as usize);
    assert!(evaluator.limit_hit());
}

#[test]
fn the_deepest_program_needs_little_stack() {
    // Calls as deep as they may be, each inside expressions and blocks as deep as they may be, on a long chain.
    let mut body = Expr::CallFn(0, vec![binary(BinOp::Sub, local(0), int(1))]);
    for _ in 0..CHAIN_LINKS {
        body = add(body, int(1));
    }
    for level in 0..NESTING_LEVELS {
        body = match level % 4 {
            0 => Expr::Coalesce(null().into(), body.into()),
            1 => Expr::If(bool(true).into(), body.into(), null().into()),
            2 => Expr::Index(Expr::Array(vec![body]).into(), int(0).into()),
            _ => Expr::Apply(vec![1], Body::Expr(local(1)).into(), vec![body]),
        };
    }
    let mut stmts = vec![ret(body)];
    for level in 0..NESTING_LEVELS {
        let inner = if level == 0 {
            vec![Stmt::If(vec![(binary(BinOp::Le, local(0), int(1)), vec![ret(int(0))])], stmts)]
        } else {
            stmts
        };
        stmts = vec![match level % 3 {
            0 => Stmt::For(1, int(2), inner),
            1 => Stmt::While(bool(true), inner),
            _ => Stmt::If(vec![(bool(true), inner)], vec![]),
        }];
    }
    let functions = [function(1, 2, stmts)];
    let expected = Value::Int(i64::from(CHAIN_LINKS) * i64::from(CALL_DEPTH - 1));
    let run = || Evaluator::new(&functions).call(0, vec![Value::Int(CALL_DEPTH.into())]);
    let small = thread::Builder::new().stack_size(64 << 10);
    let value = thread::scope(|scope| small.spawn_scoped(scope, run).expect("a thread can start").join());
    assert_eq!(value.expect("64 KiB of stack are enough"), expected);
}

#[test]
fn values_cannot_nest_or_grow_without_end() {
    let once = vec![Stmt::For(1, int(1000), vec![set(0, Expr::Array(vec![local(0)]))]), ret(local(0))];
    let shown = crate::eval::text::to_text(&call(function(1, 2, once), &[Value::Int(1)]));
    assert!(shown.len() < 2000, "{shown}");
    let text = vec![Stmt::For(1, int(70), vec![set(0, add(local(0), local(0)))]), ret(local(0))];
    assert_eq!(call(function(1, 2, text), &[Value::Str("x".into())]), Value::Null);
}
