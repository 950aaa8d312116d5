//! Statements: what functions give and emit.

use super::*;
use crate::eval::text::to_text;

/// `acc := acc + x` with the accumulator in slot 1 of a function of one parameter.
fn accumulate(value: Expr) -> Stmt {
    set(1, add(local(1), value))
}

/// The sum of `value` (slot 2 is the loop's variable) over the turns of a loop over `over`.
fn sum_over(over: Expr, value: Expr) -> Value {
    let body = vec![set(1, int(0)), Stmt::For(2, over, vec![accumulate(value)]), ret(local(1))];
    call(function(1, 3, body), &[])
}

#[test]
fn a_function_gives_its_last_statement() {
    let value = |body| call(function(1, 2, body), &[Value::Int(5)]);
    let when =
        |condition: bool, otherwise| Stmt::If(vec![(super::bool(condition), vec![Stmt::Expr(int(1))])], otherwise);
    assert_eq!(value(vec![]), Value::Null);
    assert_eq!(value(vec![Stmt::Expr(int(9)), Stmt::Expr(add(local(0), int(1)))]), Value::Int(6));
    assert_eq!(value(vec![set(1, int(1))]), Value::Null);
    assert_eq!(value(vec![when(true, vec![])]), Value::Int(1));
    assert_eq!(value(vec![when(false, vec![])]), Value::Null);
    assert_eq!(value(vec![when(false, vec![Stmt::Expr(int(2))])]), Value::Int(2));
    assert_eq!(value(vec![Stmt::For(1, int(3), vec![Stmt::Expr(int(1))])]), Value::Null);
    assert_eq!(value(vec![Stmt::While(super::bool(false), vec![])]), Value::Null);
    assert_eq!(value(vec![Stmt::Return(None), Stmt::Expr(int(1))]), Value::Null);
    let nested = vec![Stmt::For(1, int(3), vec![Stmt::For(1, int(3), vec![ret(add(int(1), local(0)))])]), ret(int(0))];
    assert_eq!(value(nested), Value::Int(6));
}

#[test]
fn for_runs_over_arrays_maps_ranges_and_ints() {
    let map = Value::Map(Arc::new([("a".into(), Value::Int(1)), ("b".into(), Value::Int(2))].into_iter().collect()));
    let element = |at| Expr::Index(local(2).into(), int(at).into());
    let range = |from, to, included| Expr::Range(included, int(from).into(), int(to).into());
    assert_eq!(sum_over(Expr::Const(list(&[5, 6])), local(2)), Value::Int(11));
    assert_eq!(sum_over(Expr::Const(map), element(1)), Value::Int(3));
    assert_eq!(sum_over(int(4), local(2)), Value::Int(6));
    assert_eq!(sum_over(int(-4), int(1)), Value::Int(0));
    assert_eq!(sum_over(range(1, 4, false), local(2)), Value::Int(6));
    assert_eq!(sum_over(range(1, 4, true), local(2)), Value::Int(10));
    assert_eq!(sum_over(range(4, 1, true), local(2)), Value::Int(0));
    // Longer than any array that a range becomes.
    assert_eq!(sum_over(range(0, 100_005, false), int(1)), Value::Int(100_005));
    assert_eq!(sum_over(range(i64::MAX - 1, i64::MAX, true), int(1)), Value::Int(2));
    assert_eq!(sum_over(Expr::Call(Builtin::RangeFn, vec![int(3)]), local(2)), Value::Int(3));
    assert_eq!(sum_over(Expr::Call(Builtin::RangeFn, vec![int(2), int(4)]), local(2)), Value::Int(5));
    for none in [null(), text("abc"), super::bool(true), Expr::Const(Value::Float(3.0)), range(0, 3, false)] {
        let none =
            if matches!(none, Expr::Range(..)) { Expr::Range(false, null().into(), int(3).into()) } else { none };
        assert_eq!(sum_over(none, int(1)), Value::Int(0));
    }
}

#[test]
fn break_and_continue_mean_the_innermost_loop() {
    let equals = |a, b| binary(BinOp::Eq, a, b);
    // for i in 0..4: for j in 0..4: if j == 1: continue; if j == 3: break; acc += 10 * i + j
    let inner = vec![
        Stmt::If(vec![(equals(local(3), int(1)), vec![Stmt::Continue])], vec![]),
        Stmt::If(vec![(equals(local(3), int(3)), vec![Stmt::Break])], vec![]),
        accumulate(add(binary(BinOp::Mul, int(10), local(2)), local(3))),
    ];
    let body = vec![set(1, int(0)), Stmt::For(2, int(4), vec![Stmt::For(3, int(4), inner)]), ret(local(1))];
    assert_eq!(call(function(1, 4, body), &[]), Value::Int(2 * 60 + 4 * 2));
    // while true: acc += 1; if acc < 5: continue; break
    let body = vec![
        set(1, int(0)),
        Stmt::While(
            super::bool(true),
            vec![
                accumulate(int(1)),
                Stmt::If(vec![(binary(BinOp::Lt, local(1), int(5)), vec![Stmt::Continue])], vec![]),
                Stmt::Break,
            ],
        ),
        ret(local(1)),
    ];
    assert_eq!(call(function(1, 2, body), &[]), Value::Int(5));
}

#[test]
fn assignments_convert_and_change_collections_in_place() {
    let body = |ty, value| vec![Stmt::Set(1, ty, value), ret(local(1))];
    assert_eq!(call(function(1, 2, body(Type::Float, int(1))), &[]), Value::Float(1.0));
    assert_eq!(call(function(1, 2, body(Type::Int, text("x"))), &[]), Value::Null);
    let grow = |slot: u32, value| Expr::Call(Builtin::Push, vec![local(slot), value]);
    // The parameter is shared with the caller's argument and stays as it is; `len` still sees the old value.
    let body = vec![
        set(1, local(0)),
        set(1, grow(1, Expr::Call(Builtin::Len, vec![local(1)]))),
        set(1, grow(1, add(Expr::Call(Builtin::Len, vec![local(1)]), int(0)))),
        set(1, Expr::Call(Builtin::Set, vec![local(1), int(0), local(1)])),
        set(1, Expr::Call(Builtin::Pop, vec![local(1)])),
        ret(Expr::Array(vec![local(0), local(1)])),
    ];
    let shown = call(function(1, 2, body), &[list(&[7])]);
    assert_eq!(to_text(&shown), "[[7],[[7,1,2],1]]");
    let pushes =
        vec![set(1, Expr::Array(vec![])), Stmt::For(2, int(100_000), vec![set(1, grow(1, local(2)))]), ret(local(1))];
    assert_eq!(call(function(1, 3, pushes), &[]), eval(Expr::Range(false, int(0).into(), int(100_000).into())));
}

#[test]
fn calls_have_frames_of_their_own() {
    // f(n) = if n <= 1: return 1; let m = n; return f(n - 1) * m
    let body = vec![
        Stmt::If(vec![(binary(BinOp::Le, local(0), int(1)), vec![ret(int(1))])], vec![]),
        set(1, local(0)),
        ret(binary(BinOp::Mul, Expr::CallFn(0, vec![binary(BinOp::Sub, local(0), int(1))]), local(1))),
    ];
    let factorial = function(1, 2, body);
    assert_eq!(call(factorial.clone(), &[Value::Int(10)]), Value::Int(3_628_800));
    // A lambda's parameter outside of functions survives a call.
    let mapped = Expr::Call(
        Builtin::MapFn,
        vec![Expr::Const(list(&[3, 4])), lambda(0, add(Expr::CallFn(0, vec![local(0)]), local(0)))],
    );
    assert_eq!(Evaluator::new([factorial]).eval(&mapped, &NoRecord), list(&[9, 28]));
}

#[test]
fn arguments_and_results_convert() {
    let mut identity = function(1, 1, vec![ret(local(0))]);
    identity.params[0].1 = Type::Float;
    assert_eq!(call(identity.clone(), &[Value::Int(1)]), Value::Float(1.0));
    assert_eq!(call(identity.clone(), &[Value::Str("1".into())]), Value::Null);
    identity.params[0].1 = Type::Any;
    identity.ret = Type::Int;
    assert_eq!(call(identity.clone(), &[Value::Float(2.0)]), Value::Int(2));
    assert_eq!(call(identity.clone(), &[Value::Float(2.5)]), Value::Null);
    // Absent and surplus arguments.
    assert_eq!(call(identity.clone(), &[]), Value::Null);
    assert_eq!(call(identity, &[Value::Int(1), Value::Int(2)]), Value::Int(1));
}

#[test]
fn process_collects_what_is_emitted() {
    let items =
        vec![("a".into(), local(0)), ("b".into(), null()), ("c".into(), Expr::Index(local(0).into(), int(0).into()))];
    let emit = |name: &str| Stmt::Emit(name.into(), items.clone());
    let inner = function(1, 1, vec![emit("Inner")]);
    let outer = function(
        1,
        2,
        vec![
            emit("Outer"),
            Stmt::For(1, int(2), vec![Stmt::Expr(Expr::CallFn(0, vec![local(1)])), Stmt::Continue]),
            emit("Last"),
        ],
    );
    let mut evaluator = Evaluator::new([inner, outer]);
    let emitted = evaluator.process(1, vec![Value::Str("x".into())]);
    let shown: Vec<String> = emitted
        .into_iter()
        .map(|(event, fields)| format!("{event}{}", to_text(&Value::Map(Arc::new(fields)))))
        .collect();
    let expected = [
        r#"Outer{"a":"x","b":null,"c":"x"}"#,
        r#"Inner{"a":0,"b":null}"#,
        r#"Inner{"a":1,"b":null}"#,
        r#"Last{"a":"x","b":null,"c":"x"}"#,
    ];
    assert_eq!(shown, expected);
    assert!(evaluator.process(1, vec![Value::Null])[0].1.contains_key("b"));
    assert_eq!(evaluator.call(1, vec![Value::Null]), Value::Null);
}
