//! Functions and globals.

use super::{Record, declared_errors, outcome};
use crate::plan::{Expr, Stmt};
use crate::value::{Type, Value};

#[test]
fn statements_are_lowered_to_slots() {
    let text = "fn f(n: int) -> float:\n    var acc: float = 0\n    for i in 0..n:\n        acc := acc + i\n    acc\n";
    let outcome = outcome(text, "", &mut Record::closed());
    assert_eq!(outcome.errors(), []);
    let function = &outcome.functions[0];
    assert_eq!((function.slots, &function.ret), (3, &Type::Float));
    assert_eq!(function.params, [("n".into(), Type::Int)]);
    assert!(matches!(&function.body[0], Stmt::Set(1, Type::Float, Expr::Const(Value::Int(0)))));
    let Stmt::For(2, Expr::Range(false, _, _), body) = &function.body[1] else { panic!("{:?}", function.body[1]) };
    assert!(matches!(&body[0], Stmt::Set(1, Type::Float, Expr::Binary(..))));
    assert_eq!(function.body[2], Stmt::Expr(Expr::Local(1)));
}

#[test]
fn a_range_that_is_run_over_stays_a_range() {
    let outcome = outcome("fn f(): \n    for i in 0..1000000:\n        i\n", "", &mut Record::closed());
    assert!(matches!(&outcome.functions[0].body[0], Stmt::For(0, Expr::Range(..), _)));
}

#[test]
fn assignments_need_a_variable() {
    let body = |statement: &str| {
        format!(
            "let g = 1\nvar v = 2\nfn f(p, q: int):\n    let a = 1\n    const b = 2\n    var c = 3\n    {statement}\n"
        )
    };
    for (statement, expected) in [
        ("c := 'text'", None),
        ("p := p + 1", None),
        ("q := 2.0", None),
        ("a := 2", Some(("E0216", "a"))),
        ("b := 2", Some(("E0216", "b"))),
        ("g := 2", Some(("E0216", "g"))),
        ("v := 2", Some(("E0903", "v"))),
        ("nope := 2", Some(("E0207", "nope"))),
        ("for i in xs(): i := 2", Some(("E0216", "i"))),
        ("q := 'text'", Some(("E0301", "q"))),
    ] {
        let text = body(statement) + "fn xs(): [1]\n";
        declared_errors(&text, expected.as_slice());
    }
}

#[test]
fn locals_have_block_scope() {
    declared_errors(
        "fn f(n):\n    if n > 1:\n        let a = 1\n        a\n    else:\n        let b = a\n        b\n    a + b\n",
        &[("E0207", "a"), ("E0207", "a"), ("E0207", "b")],
    );
    declared_errors("fn f(n):\n    let a = n\n    if a > 1:\n        let a = 'x'\n        a + 'y'\n    a\n", &[]);
    declared_errors("fn f(n):\n    for i in n: i\n    i\n", &[("E0207", "i")]);
}

#[test]
fn functions_see_parameters_and_globals_only() {
    declared_errors("let limit = 5\nfn f(a): a > limit\n", &[]);
    declared_errors("fn f(a): a > temperature\n", &[("E0207", "temperature")]);
    declared_errors("fn f(): event_time()\n", &[("E0207", "event_time")]);
    declared_errors("fn f(): g\nfn g(): 1\n", &[("E0306", "g")]);
}

#[test]
fn loops_and_conditions() {
    declared_errors(
        "fn f(n: int):\n    break\n    while n:\n        break\n    if 'a': continue\n    n\n",
        &[("E0111", "break"), ("E0302", "n"), ("E0302", "'a'"), ("E0111", "continue")],
    );
    declared_errors("fn f(n):\n    while true:\n        any(n, v => { break; v })\n", &[("E0111", "break")]);
}

#[test]
fn declared_types_are_kept_to() {
    declared_errors("let n: int = 'a'\n", &[("E0301", "n")]);
    declared_errors("fn f(): \n    let n: bool = 1\n    n\n", &[("E0301", "n")]);
    declared_errors("fn f() -> int: 'a'\n", &[("E0301", "f")]);
    declared_errors("fn f(x) -> int:\n    if x:\n        return 'a'\n    1\n", &[("E0301", "f")]);
    declared_errors("fn f(x) -> int:\n    if x: 'a'\n    else: 1\n", &[("E0301", "f")]);
    declared_errors("fn f(x) -> int:\n    'evaluated for nothing'\n    1\n", &[]);
    declared_errors("let t: timestamp = '2024-01-01T00:00:00Z'\nlet d: duration = \"5s\"\nlet f: float = 1\n", &[]);
    declared_errors("fn f(a: int, b: nope, a: str): a\n", &[("E0209", "nope"), ("E0217", "a")]);
    declared_errors("fn f(a: (int, str)): a\n", &[("E0902", "(int, str)")]);
    let outcome =
        outcome("let a: float = 1\nlet b: int = 2.5\nlet c: timestamp = 1000", "[a, b, c]", &mut Record::closed());
    let third = Value::Time(1_000_000_000);
    let items = vec![Value::Float(1.0), Value::Null, third];
    assert_eq!(outcome.typed().expr, Expr::Const(Value::Array(items.into())));
}

#[test]
fn recursion_is_for_functions_only() {
    declared_errors(
        "fn even(n): if n == 0 then true else odd(n - 1)\nfn odd(n): if n == 0 then false else even(n - 1)\n",
        &[],
    );
    declared_errors("let a = b + 1\nlet b = c\nconst c = a\n", &[("E0215", "a")]);
    declared_errors(
        "let a = f(1)\nfn f(x): h(x)\nfn h(x): if x > 9 then f(x) else g + 1\nlet g = h(10)\n",
        &[("E0215", "g")],
    );
    declared_errors("let a = x => a(x)\n", &[("E0215", "a")]);
    declared_errors("let a = a\nlet b = a + 1\n", &[("E0215", "a")]);
    declared_errors("let a = map([1], a => a)\n", &[]);
}

#[test]
fn emitting_functions_stand_in_process_only() {
    let text = "fn out(n):\n    emit Alert(n: n, n2: n + 1, n)\nfn both(n):\n    out(n)\n    out(n)\nlet g = both(1)\n";
    let outcome = outcome(text, "both(i) == 1", &mut Record::closed());
    assert_eq!(outcome.errors(), [("E0217", "n"), ("E0308", "both"), ("E0308", "both")]);
}

#[test]
fn emitted_items_have_names_and_keep_only_the_literal_null() {
    let outcome =
        outcome("fn f(n, m):\n    emit X(n, m.k, a: null, b: 1 / 0)\n    emit X(n + 1)\n", "", &mut Record::closed());
    assert_eq!(outcome.errors(), [("E0304", "n + 1")]);
    let Stmt::Emit(_, items) = &outcome.functions[0].body[0] else { panic!("no emit") };
    let names: Vec<&str> = items.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["n", "k", "a", "b"]);
    assert_eq!(items[2].1, Expr::Const(Value::Null));
    assert_ne!(items[3].1, Expr::Const(Value::Null));
}

#[test]
fn bound_lambdas_are_called_and_counted() {
    declared_errors("fn f(n):\n    let add = (a, b) => a + b + n\n    add(1, add(2, 3))\n", &[]);
    declared_errors("fn f(n):\n    let add = (a, b) => a + b\n    add(1)\n", &[("E0303", "add")]);
    declared_errors("fn f(n):\n    let add = (a, b) => a + b\n    add\n", &[("E0306", "add")]);
    declared_errors("fn f(n):\n    let again = a => again(a)\n    n\n", &[("E0205", "again")]);
    declared_errors("let add = (a, b) => a + nope\n", &[("E0207", "nope")]);
    let mut text = String::from("fn f(n):\n    let g0 = a => a + 1\n");
    for i in 1..60 {
        text += &format!("    let g{i} = a => g{0}(a) + g{0}(a)\n", i - 1);
    }
    let outcome = outcome(&(text + "    g59(n)\n"), "", &mut Record::closed());
    assert!(outcome.errors().iter().all(|(code, _)| *code == "E0108"));
    assert!(!outcome.errors().is_empty());
}

#[test]
fn a_global_has_a_limit() {
    let mut text = String::from("let a0 = 'abcdefgh'\n");
    for i in 1..60 {
        text += &format!("let a{i} = a{0} + a{0}\n", i - 1);
    }
    let outcome = outcome(&text, "", &mut Record::closed());
    assert_eq!(outcome.errors(), [("E0109", "a17")]);
}

#[test]
fn a_map_may_lack_fields_of_a_struct() {
    let text = "type P: x: int, name: str\nfn f(p: P) -> str: p.name ?? 'none'\n";
    assert_eq!(outcome(text, "f({x: 1}) + f({})", &mut Record::closed()).errors(), []);
    let wrong = outcome(text, "f([1])", &mut Record::closed());
    assert_eq!(wrong.errors(), [("E0301", "f")]);
}
