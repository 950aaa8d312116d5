//! From text to value: functions and globals as lowered here and run by the evaluator.

use super::{Record, outcome};
use crate::eval::interpreter::{Evaluator, NoRecord};
use crate::eval::text::to_text;

#[track_caller]
fn value(declarations: &str, expr: &str) -> String {
    let outcome = outcome(declarations, expr, &mut Record { fields: Vec::new(), open: false });
    assert_eq!(outcome.errors(), [], "{declarations}{expr}\n{:#?}", outcome.problems);
    to_text(&Evaluator::new(outcome.functions.as_slice()).eval(&outcome.typed().expr, &NoRecord))
}

#[test]
fn statements_do_what_the_text_says() {
    let loops = "fn f(n: int) -> int:
    var acc = 0
    for i in 0..n:
        if i % 2 == 0:
            acc := acc + i
        elif i == 3:
            continue
        else:
            acc := acc + 100
    while acc > 250:
        acc := acc - 1
        if acc == 260:
            break
    return acc
";
    for (program, call, expected) in [
        (loops, "f(7)", "212"),
        (loops, "f(11)", "260"),
        ("fn f(n): \n    let a = n\n", "f(1)", "null"),
        ("fn f(n):\n    if n > 1: 'big'\n    elif n == 1: 'one'\n", "[f(2), f(1), f(0)]", "[\"big\",\"one\",null]"),
        (
            "fn f(n):\n    let sq = x => x * x\n    let two = (a, b) => sq(a) + sq(b)\n    two(n, sq(two(1, 2)))\n",
            "f(3)",
            "634",
        ),
        (
            "fn f(n):\n    let y = 1\n    let add = x => x + y\n    if n > 0:\n        let y = 100\n        return add(y)\n    0\n",
            "f(1)",
            "101",
        ),
        (
            "fn f(xs):\n    var sum = 0\n    for pair in {a: 1, b: 2}:\n        sum := sum + pair[1]\n    for c in 3: sum := sum + c\n    for c in 'abc': sum := 99\n    sum\n",
            "f([])",
            "6",
        ),
        ("fn f(n): map(1..=n, x => { let y = x * 2; if y > 4: return 0; y })\n", "f(4)", "[2,4,0,0]"),
        ("fn fib(n: int) -> int: if n < 2 then n else fib(n - 1) + fib(n - 2)\n", "fib(15)", "610"),
        (
            "fn even(n): if n == 0 then true else odd(n - 1)\nfn odd(n): if n == 0 then false else even(n - 1)\n",
            "even(7)",
            "false",
        ),
        ("fn down(n): if n == 0 then 0 else down(n - 1)\n", "[down(100), down(1000)]", "null"),
        (
            "fn f(a: float, b: int, t: timestamp, d: duration): [a, b, t, d]\n",
            "f(1, 2.0, 5000, '90s')",
            "[1.0,2,\"1970-01-01T00:00:05Z\",\"90s\"]",
        ),
        ("fn f(a: int): a\n", "f(2.5)", "null"),
        ("fn f(a) -> float: a\n", "f(2)", "2.0"),
        ("fn f(a):\n    var b: int = a\n    b := a / 2\n    b\n", "[f(4.0), f(5.0)]", "[2,null]"),
        ("fn f(a, b): a - b\n", "3.f(b: 1) + f(b: 1, a: 2)", "3"),
        ("let sq = x => x * x\nlet sum = (a, b) => sq(a) + sq(b)\n", "sum(2, 3)", "13"),
        ("let t: timestamp = '2024-01-15T00:00:00Z'\nlet d: duration = '5s'\n", "t + d", "2024-01-15T00:00:05Z"),
        ("const A = B * 2\nlet B = f(3)\nfn f(x): x + C\nvar C = 1\n", "[A, B, C]", "[8,4,1]"),
        (
            "fn f():\n    var n = 0\n    for i in 0..3:\n        for j in i..=3:\n            if j == 2: break\n            n := n + 1\n    n\n",
            "f()",
            "3",
        ),
        ("fn f(n):\n    while true:\n        n := n - 1\n        if n < 0: return 'done'\n", "f(3)", "done"),
        ("type P: x: int, y: float\nfn f(p: P) -> float: p.x + p.y\n", "f({x: 1.0, y: 2})", "3.0"),
        ("fn f(n): return\n", "f(1) is null", "true"),
        ("fn f(m): m.a.b ?? m['c'] ?? 'none'\n", "[f({a: {b: 1}}), f({c: 2}), f(null)]", "[1,2,\"none\"]"),
    ] {
        assert_eq!(value(program, call), expected, "{program}{call}");
    }
}

#[test]
fn a_lambda_bound_twice_keeps_its_own_slots() {
    let program = "fn f(a, b):
    let one = x => x + a
    let y = 1000
    let two = x => one(x) * y
    let z = 7
    two(b) + one(z) + y + z
";
    assert_eq!(value(program, "f(1, 2)"), (3 * 1000 + 8 + 1000 + 7).to_string());
}
