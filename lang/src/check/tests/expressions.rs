//! Names, members, lambdas, constants, and what expressions are lowered to.

use super::{Record, expression_errors, outcome};
use crate::eval::text::to_text;
use crate::plan::{BinOp, Body, Builtin, Expr, UnOp};
use crate::value::{Type, Value};

#[test]
fn unknown_names_and_members_are_reported_at_themselves() {
    expression_errors("nope > 1 and ok", &[("E0206", "nope")]);
    expression_errors("p.agee + 1", &[("E0206", "agee")]);
    expression_errors("s.length > 1", &[("E0206", "length")]);
    expression_errors("upper", &[("E0206", "upper")]);
    expression_errors(
        "a1 + a2 * sqroot(a3)",
        &[("E0206", "a1"), ("E0206", "a2"), ("E0205", "sqroot"), ("E0206", "a3")],
    );
}

#[test]
fn nothing_follows_from_what_was_refused() {
    for expr in ["not nope", "nope.a.b[1] + 2 < 's'", "len(nope) > 1 and nope", "nope.upper() + 'x'"] {
        let outcome = outcome("", expr, &mut Record::closed());
        assert_eq!(outcome.errors().iter().filter(|(code, _)| *code != "E0206").count(), 0, "{expr}");
    }
    expression_errors("(i + s) * 2 > d", &[("E0301", "+")]);
    expression_errors("now() > 5 and sqroot(1) + 2 > 1", &[("E0902", "now"), ("E0205", "sqroot")]);
}

#[test]
fn functions_are_no_values() {
    let declarations = "fn twice(n: int) -> int: n * 2\nlet half = n => n / 2";
    for (expr, place) in [
        ("twice > 1", "twice"),
        ("half", "half"),
        ("map(xs, twice)", "twice"),
        ("map(xs, half)", "half"),
        ("(v => v) == 1", "(v => v)"),
        ("len(v => v)", "v => v"),
    ] {
        let outcome = outcome(declarations, expr, &mut Record::closed());
        assert_eq!(outcome.errors(), [("E0306", place)], "{expr}");
    }
    let outcome = outcome(declarations, "twice(half(i)) + i.half()", &mut Record::closed());
    assert_eq!(outcome.errors(), []);
}

#[test]
fn globals_come_after_fields_and_before_fields_of_undeclared_events() {
    let (i, limit) = (Expr::Column(0), Expr::Const(Value::Int(5)));
    for (open, expr, expected) in [(false, "i", &i), (true, "limit", &limit), (true, "other", &Expr::Column(99))] {
        let mut record = Record { open, ..Record::closed() };
        let outcome = outcome("let limit = 5\nlet i = 7", expr, &mut record);
        assert_eq!(outcome.typed().expr, *expected, "{expr}");
    }
}

#[test]
fn constants_are_folded_to_what_they_are_at_run_time() {
    let declarations = "const N = 3\nlet W = 2 * N + 0.5\nlet NAME = 'a' + \"b\"\nfn twice(n): n * 2\nlet T = twice(N)";
    for (expr, text) in [
        ("1 + 2 * 3", "7"),
        ("-2 ** 2", "4"),
        ("2 ** 3 ** 2", "512"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807 + 1", "null"),
        ("1 / 0", "null"),
        ("-7 / 2", "-3"),
        ("10s * 1.5", "15s"),
        ("N", "3"),
        ("W", "6.5"),
        ("NAME[-1]", "b"),
        ("T", "6"),
        ("[1, N][1] in 1..5", "true"),
        ("if N > 2 then 'big' else 'small'", "big"),
        ("{a: {b: N}}.a.b", "3"),
        ("null ?? 1", "1"),
        ("null and false", "false"),
        ("len('äöü') == 3", "true"),
        ("'%'.concat(1.0)", "%1.0"),
        ("round(2.5)", "3"),
        ("min(1, 2.0, 0)", "0"),
        ("1 == null", "false"),
        ("not (null != null)", "true"),
        ("0 .. 3", "[0,1,2]"),
    ] {
        let outcome = outcome(declarations, expr, &mut Record::closed());
        assert_eq!(outcome.errors(), [], "{expr}");
        let Expr::Const(value) = &outcome.typed().expr else { panic!("{expr} is not folded: {:?}", outcome.typed()) };
        assert_eq!(to_text(value), text, "{expr}");
    }
}

#[test]
fn what_would_make_the_plan_large_is_not_folded() {
    let outcome = outcome("", "range(100000)", &mut Record::closed());
    assert!(matches!(outcome.typed().expr, Expr::Call(Builtin::RangeFn, _)));
}

#[test]
fn null_tests_and_negations_are_lowered_to_what_the_plan_has() {
    let x = || Box::new(Expr::Column(11));
    for (expr, expected) in [
        ("x is null", Expr::IsNull(x())),
        ("x == null", Expr::IsNull(x())),
        ("null != x", Expr::Unary(UnOp::Not, Box::new(Expr::IsNull(x())))),
        ("x not in xs", Expr::Unary(UnOp::Not, Box::new(Expr::In(x(), Box::new(Expr::Column(7)))))),
        ("x.a?.b", Expr::Member(Box::new(Expr::Member(x(), "a".into())), "b".into())),
        ("x.len()", Expr::Call(Builtin::Len, vec![*x()])),
        ("log(x)", Expr::Call(Builtin::Ln, vec![*x()])),
        ("event_time()", Expr::EventTime),
    ] {
        assert_eq!(outcome("", expr, &mut Record::closed()).typed().expr, expected, "{expr}");
    }
}

#[test]
fn lambdas_have_slots_of_their_own() {
    let outcome = outcome("", "map(xs, v => any(xs, w => w > v + i))", &mut Record::closed());
    let sum = Expr::Binary(BinOp::Add, Box::new(Expr::Local(0)), Box::new(Expr::Column(0)));
    let test = Expr::Binary(BinOp::Gt, Box::new(Expr::Local(1)), Box::new(sum));
    let inner = Expr::Lambda(vec![1], Box::new(Body::Expr(test)));
    let any = Expr::Call(Builtin::AnyFn, vec![Expr::Column(7), inner]);
    let outer = Expr::Lambda(vec![0], Box::new(Body::Expr(any)));
    assert_eq!(outcome.typed().expr, Expr::Call(Builtin::MapFn, vec![Expr::Column(7), outer]));
}

#[test]
fn arguments_are_sorted_by_parameter() {
    let declarations = "fn near(a: float, b: float, tol: float) -> bool: abs(a - b) <= tol";
    let call = |expr| outcome(declarations, expr, &mut Record::closed());
    let (i, f, half) = (Expr::Column(0), Expr::Column(2), Expr::Const(Value::Float(0.5)));
    let expected = Expr::CallFn(0, vec![i, f, half]);
    for expr in ["near(i, f, 0.5)", "near(b: f, tol: 0.5, a: i)", "i.near(f, tol: 0.5)", "near(i, tol: 0.5, f)"] {
        let outcome = call(expr);
        assert_eq!((outcome.errors(), &outcome.typed().expr), (vec![], &expected), "{expr}");
        assert_eq!(outcome.typed().ty, Type::Bool);
    }
    for (expr, code, place) in [
        ("near(1.0, 2.0)", "E0303", "near"),
        ("near(1.0, 2.0, 3.0, 4.0)", "E0303", "near"),
        ("1.0.near(b: 2.0)", "E0303", "near"),
        ("near(1.0, 2.0, tolerance: 1.0)", "E0304", "tolerance"),
        ("near(1.0, 2.0, a: 1.0)", "E0217", "a"),
        ("near(a: 1.0, b: 2.0, b: 1.0)", "E0217", "b"),
        ("1.0.near(2.0, a: 1.0)", "E0217", "a"),
        ("near(1.0, 's', 1.0)", "E0301", "near"),
    ] {
        assert_eq!(call(expr).errors(), [(code, place)], "{expr}");
    }
    assert_eq!(call("near(nope, 2.0, zip(nope2), more: s - 1)").errors().len(), 5);
}

#[test]
fn map_keys_and_lambda_parameters_are_given_once() {
    expression_errors("{a: 1, b: 2, a: 3}", &[("E0217", "a")]);
    expression_errors("map(xs, (v, v) => v)", &[("E0303", "map"), ("E0217", "v")]);
}

#[test]
fn a_user_function_replaces_a_builtin() {
    let outcome = outcome("fn now() -> int: 5\nfn upper(a, b): a", "now() + upper(1, 2)", &mut Record::closed());
    assert_eq!(outcome.errors(), []);
    assert!(matches!(&outcome.typed().expr, Expr::Binary(BinOp::Add, a, _) if **a == Expr::CallFn(0, vec![])));
}

#[test]
fn chains_may_be_as_long_as_the_parser_allows() {
    let sum = vec!["x"; 1000].join(" + ");
    let members = format!("x{}", ".a".repeat(990));
    let methods = format!("s{}", ".trim()".repeat(990));
    let tests = vec!["x > 1"; 1000].join(" and ");
    for expr in [sum, members, methods, tests] {
        assert_eq!(outcome("", &expr, &mut Record::closed()).errors(), []);
    }
}

#[test]
fn expressions_may_nest_as_deeply_as_the_parser_allows() {
    let nested = |open: &str, close: &str| format!("{}x{}", open.repeat(60), close.repeat(60));
    for expr in [
        nested("[", "]"),
        nested("abs(", ")"),
        nested("not (", ")"),
        nested("if x then x else (", ")"),
        nested("(1 + ", ")"),
        nested("x ?? (", ")"),
        nested("x[", "]"),
        nested("{a: ", "}"),
        nested("map(x, x => ", ")"),
    ] {
        assert_eq!(outcome("", &expr, &mut Record::closed()).errors(), [], "{expr}");
    }
}

#[test]
fn help_lines_say_what_to_do() {
    for (expr, help) in [
        ("temperature", "known here: i, j, f, s, ok, t, d, xs, …"),
        ("wrods", "did you mean `words`?"),
        ("p.agee", "did you mean `age`?"),
        ("uper(s)", "did you mean `upper`?"),
        ("now()", "use event_time(): results depend on event time only"),
        ("s + 1", "`+` joins strings: make the other operand a string with `to_string(…)`"),
        (
            "i > '5'",
            "a string becomes a number with `to_int(…)` or `to_float(…)`, a number a string with `to_string(…)`",
        ),
        ("d > 5", "a duration becomes a number with `seconds(…)` or `millis(…)`"),
        ("sqrt(1, 2)", "sqrt(n)"),
    ] {
        let outcome = outcome("", expr, &mut Record::closed());
        assert_eq!(outcome.problems[0].help.as_deref(), Some(help), "{expr}");
    }
}
