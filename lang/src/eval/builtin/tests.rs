//! The table of section 12, row by row.

use super::call;
use crate::plan::Builtin::{self, *};
use crate::value::Value;
use std::sync::Arc;

fn int(int: i64) -> Value {
    Value::Int(int)
}

fn float(float: f64) -> Value {
    Value::Float(float)
}

fn text(text: &str) -> Value {
    Value::Str(text.into())
}

fn list(items: &[Value]) -> Value {
    Value::Array(Arc::new(items.to_vec()))
}

fn ints(items: &[i64]) -> Value {
    list(&items.iter().copied().map(int).collect::<Vec<_>>())
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(Arc::new(entries.iter().map(|(key, value)| (Arc::from(*key), value.clone())).collect()))
}

const NULL: Value = Value::Null;
const YES: Value = Value::Bool(true);
const NO: Value = Value::Bool(false);

#[track_caller]
fn check(function: Builtin, args: &[Value], expected: Value) {
    assert_eq!(call(function, &mut args.to_vec()), expected, "{function:?} {args:?}");
}

#[test]
fn numbers() {
    check(Abs, &[int(-3)], int(3));
    check(Abs, &[int(i64::MIN)], NULL);
    check(Abs, &[float(-2.5)], float(2.5));
    check(Abs, &[Value::Duration(-5)], Value::Duration(5));
    check(Abs, &[Value::Time(-5)], NULL);
    check(Abs, &[text("3")], NULL);
    check(Sqrt, &[int(16)], float(4.0));
    check(Sqrt, &[int(-1)], NULL);
    check(Ln, &[float(1.0)], float(0.0));
    check(Ln, &[int(0)], NULL);
    check(Ln, &[int(-1)], NULL);
    check(Log10, &[int(1000)], float(3.0));
    check(Exp, &[int(0)], float(1.0));
    check(Exp, &[int(1000)], NULL);
    check(Sin, &[int(0)], float(0.0));
    check(Cos, &[int(0)], float(1.0));
    check(Tan, &[int(0)], float(0.0));
    check(Tan, &[YES], NULL);
    check(Pow, &[int(2), int(10)], int(1024));
    check(Pow, &[int(2), int(-1)], NULL);
    check(Pow, &[int(4), float(0.5)], float(2.0));
}

#[test]
fn rounding_goes_half_away_from_zero() {
    for (x, down, up, near) in [(2.5, 2, 3, 3), (-2.5, -3, -2, -3), (0.49999999999999994, 0, 1, 0), (-0.5, -1, 0, -1)] {
        check(Floor, &[float(x)], int(down));
        check(Ceil, &[float(x)], int(up));
        check(Round, &[float(x)], int(near));
    }
    for function in [Floor, Ceil, Round] {
        check(function, &[int(i64::MAX)], int(i64::MAX));
        check(function, &[float(1e19)], NULL);
        check(function, &[float(-9_223_372_036_854_775_808.0)], int(i64::MIN));
        check(function, &[float(9_223_372_036_854_775_808.0)], NULL);
        check(function, &[text("1")], NULL);
    }
    check(Round, &[float(2.345), int(1)], float(2.3));
    check(Round, &[float(-0.05), int(1)], float(-0.1));
    check(Round, &[int(5), int(2)], float(5.0));
    check(Round, &[float(2.5), int(0)], float(3.0));
    check(Round, &[float(0.123_456_789_012_345_67), int(15)], float(0.123_456_789_012_346));
    check(Round, &[float(1.5), int(16)], NULL);
    check(Round, &[float(1.5), int(-1)], NULL);
    check(Round, &[float(1.5), float(1.0)], NULL);
    check(Round, &[float(1e300), int(15)], NULL);
}

#[test]
fn extremes_are_of_one_kind() {
    check(Min, &[int(3), float(2.5), int(7)], float(2.5));
    check(Max, &[int(1), float(2.5)], float(2.5));
    for args in [[int(2), float(2.0)], [float(2.0), int(2)]] {
        check(Min, &args, int(2));
        check(Max, &args, int(2));
    }
    check(Min, &[text("b"), text("a")], text("a"));
    check(Max, &[Value::Time(1), Value::Time(2)], Value::Time(2));
    check(Max, &[Value::Duration(1), Value::Duration(2)], Value::Duration(2));
    check(Max, &[Value::Duration(1), Value::Time(2)], NULL);
    check(Max, &[int(1), text("2")], NULL);
    check(Min, &[YES, NO], NULL);
    check(Min, &[ints(&[1]), ints(&[2])], NULL);
    check(Min, &[int(1), NULL], NULL);
    check(Clamp, &[int(5), int(0), int(3)], int(3));
    check(Clamp, &[int(-5), float(0.5), int(3)], float(0.5));
    check(Clamp, &[int(2), int(0), int(3)], int(2));
    check(Clamp, &[text("b"), text("a"), text("c")], text("b"));
    check(Clamp, &[int(1), text("a"), text("c")], NULL);
    check(Clamp, &[int(1), int(0), NULL], NULL);
}

#[test]
fn lengths_and_ends() {
    check(Len, &[text("bébé🙂")], int(5));
    check(Len, &[ints(&[1, 2])], int(2));
    check(Len, &[map(&[("a", NULL)])], int(1));
    check(Len, &[int(5)], NULL);
    check(Reverse, &[text("abé")], text("éba"));
    check(Reverse, &[ints(&[1, 2, 3])], ints(&[3, 2, 1]));
    check(Reverse, &[map(&[])], NULL);
    check(First, &[ints(&[1, 2])], int(1));
    check(Last, &[ints(&[1, 2])], int(2));
    check(First, &[ints(&[])], NULL);
    check(Last, &[text("ab")], NULL);
    check(Push, &[ints(&[1]), NULL], list(&[int(1), NULL]));
    check(Push, &[NULL, int(1)], NULL);
    check(Pop, &[ints(&[1, 2])], ints(&[1]));
    check(Pop, &[ints(&[])], ints(&[]));
    check(Pop, &[NULL], NULL);
}

#[test]
fn sorting_and_uniqueness() {
    check(Sort, &[list(&[int(3), NULL, float(1.5), int(2)])], list(&[float(1.5), int(2), int(3), NULL]));
    check(Sort, &[list(&[text("b"), text("a")])], list(&[text("a"), text("b")]));
    check(Sort, &[list(&[Value::Time(2), Value::Time(1)])], list(&[Value::Time(1), Value::Time(2)]));
    check(
        Sort,
        &[list(&[Value::Duration(2), NULL, Value::Duration(1)])],
        list(&[Value::Duration(1), Value::Duration(2), NULL]),
    );
    check(Sort, &[list(&[int(1), text("a")])], NULL);
    check(Sort, &[list(&[YES, NO])], NULL);
    check(Sort, &[list(&[NULL, NULL])], list(&[NULL, NULL]));
    check(Sort, &[list(&[])], list(&[]));
    // Stable: equal numbers keep their order.
    check(Sort, &[list(&[float(1.0), int(1), int(0)])], list(&[int(0), float(1.0), int(1)]));
    let mixed = [int(1), text("1"), float(1.0), NULL, int(2), NULL, int(1)];
    check(Unique, &[list(&mixed)], list(&[int(1), text("1"), NULL, int(2)]));
    check(Unique, &[list(&[float(2.0), int(2)])], list(&[float(2.0)]));
    check(Unique, &[text("aa")], NULL);
}

#[test]
fn sums_skip_what_is_no_number() {
    check(Sum, &[list(&[int(1), NULL, text("5"), int(2)])], int(3));
    check(Sum, &[list(&[int(1), float(0.5)])], float(1.5));
    check(Sum, &[list(&[])], int(0));
    check(Sum, &[ints(&[i64::MAX, 1])], NULL);
    check(Sum, &[ints(&[i64::MAX, 1, -1])], int(i64::MAX));
    check(Avg, &[ints(&[1, 2])], float(1.5));
    check(Avg, &[list(&[NULL, YES])], NULL);
    check(Sum, &[int(1)], NULL);
}

#[test]
fn elements_and_entries() {
    let entries = map(&[("b", int(1)), ("a", NULL)]);
    check(Contains, &[ints(&[1, 2]), float(2.0)], YES);
    check(Contains, &[list(&[int(1), NULL]), int(2)], NULL);
    check(Contains, &[entries.clone(), text("a")], YES);
    check(Contains, &[text("hello"), text("ell")], YES);
    check(Contains, &[text("hello"), text("")], YES);
    check(Contains, &[text("hello"), int(1)], NULL);
    check(Get, &[ints(&[1, 2]), int(-1)], int(2));
    check(Get, &[ints(&[1, 2]), int(2)], NULL);
    check(Get, &[entries.clone(), text("b")], int(1));
    check(Get, &[entries.clone(), text("c")], NULL);
    check(Get, &[text("abc"), int(0)], NULL);
    check(Set, &[ints(&[1, 2]), int(-1), NULL], list(&[int(1), NULL]));
    check(Set, &[ints(&[1, 2]), int(2), int(3)], NULL);
    check(Set, &[entries.clone(), text("a"), int(5)], map(&[("b", int(1)), ("a", int(5))]));
    check(Set, &[entries.clone(), text("c"), int(5)], map(&[("b", int(1)), ("a", NULL), ("c", int(5))]));
    check(Set, &[entries.clone(), NULL, int(5)], NULL);
    check(Set, &[NULL, text("a"), int(5)], NULL);
    check(Keys, std::slice::from_ref(&entries), list(&[text("b"), text("a")]));
    check(Values, &[entries], list(&[int(1), NULL]));
    check(Keys, &[ints(&[1])], NULL);
    check(RangeFn, &[int(3)], ints(&[0, 1, 2]));
    check(RangeFn, &[int(-3)], ints(&[]));
    check(RangeFn, &[int(2), int(4)], ints(&[2, 3]));
    check(RangeFn, &[int(100_001)], NULL);
    check(RangeFn, &[float(2.0)], NULL);
}

#[test]
fn texts() {
    check(Trim, &[text(" \t\u{a0}x y\u{2003}\n")], text("x y"));
    check(Lower, &[text("ÀBÇ")], text("àbç"));
    check(Upper, &[text("straße")], text("STRASSE"));
    check(StartsWith, &[text("hello"), text("he")], YES);
    check(EndsWith, &[text("hello"), text("he")], NO);
    check(EndsWith, &[text("hello"), text("")], YES);
    check(Split, &[text("a,b,,"), text(",")], list(&[text("a"), text("b"), text(""), text("")]));
    check(Split, &[text("aé"), text("")], list(&[text("a"), text("é")]));
    check(Split, &[text(""), text("")], list(&[]));
    check(Split, &[text(""), text(",")], list(&[text("")]));
    check(Replace, &[text("aXbX"), text("X"), text("YY")], text("aYYbYY"));
    check(Replace, &[text("ab"), text(""), text("-")], text("ab"));
    check(Substring, &[text("bébé"), int(1), int(3)], text("éb"));
    check(Substring, &[text("bébé"), int(2)], text("bé"));
    check(Substring, &[text("bébé"), int(-2), int(1)], text("b"));
    check(Substring, &[text("bébé"), int(3), int(1)], text(""));
    check(Substring, &[text("bébé"), int(9), int(99)], text(""));
    check(Substring, &[text("bébé"), int(i64::MIN), int(i64::MAX)], text("bébé"));
    check(Substring, &[text("abc"), float(1.0)], NULL);
    check(Join, &[list(&[int(1), text("a"), float(2.0)]), text("-")], text("1-a-2.0"));
    check(Join, &[list(&[NULL, YES, ints(&[1, 2])]), text(" ")], text("null true [1,2]"));
    check(Join, &[list(&[]), text("-")], text(""));
    check(Join, &[ints(&[1]), int(1)], NULL);
    check(Concat, &[text("x"), int(1), YES, float(2.5)], text("x1true2.5"));
    check(Concat, &[text("x"), NULL], NULL);
    check(ToString, &[float(10.0)], text("10.0"));
    check(ToString, &[NULL], NULL);
    check(ToString, &[Value::Time(5_000_000_000)], text("1970-01-01T00:00:05Z"));
    check(ToString, &[Value::Duration(90_000_000_000)], text("90s"));
    check(ToString, &[list(&[text("a"), Value::Duration(0)])], text("[\"a\",\"0s\"]"));
    for function in [Trim, Lower, Upper] {
        check(function, &[int(1)], NULL);
    }
}

#[test]
fn conversions() {
    for (value, expected) in [
        (int(5), int(5)),
        (float(-2.9), int(-2)),
        (float(9e18), int(9_000_000_000_000_000_000)),
        (float(1e19), NULL),
        (YES, int(1)),
        (Value::Time(1_500_000_000), int(1500)),
        (Value::Time(-1), int(0)),
        (text("42"), int(42)),
        (text("+42"), int(42)),
        (text("-007"), int(-7)),
        (text("9223372036854775808"), NULL),
        (text("4.0"), NULL),
        (text(" 4"), NULL),
        (text(""), NULL),
        (text("-"), NULL),
        (text("٣"), NULL),
        (Value::Duration(5), NULL),
        (ints(&[1]), NULL),
    ] {
        check(ToInt, &[value], expected);
    }
    for (value, expected) in [
        (int(5), float(5.0)),
        (float(0.5), float(0.5)),
        (NO, float(0.0)),
        (text("1.5"), float(1.5)),
        (text("-3"), float(-3.0)),
        (text("+2.5e-3"), float(0.0025)),
        (text("1E3"), float(1000.0)),
        (text("1e400"), NULL),
        (text("nan"), NULL),
        (text("inf"), NULL),
        (text("-infinity"), NULL),
        (text(".5"), NULL),
        (text("5."), NULL),
        (text("1e"), NULL),
        (text("1e5.0"), NULL),
        (text("--1"), NULL),
        (text("+-1"), NULL),
        (text(" 1"), NULL),
        (text("1_000"), NULL),
        (text(""), NULL),
        (Value::Time(5), NULL),
    ] {
        check(ToFloat, &[value], expected);
    }
    check(ToTimestamp, &[text("1970-01-01T01:00:00+01:00")], Value::Time(0));
    check(ToTimestamp, &[text("1970-01-01")], NULL);
    check(ToTimestamp, &[int(1500)], Value::Time(1_500_000_000));
    check(ToTimestamp, &[int(-1)], NULL);
    check(ToTimestamp, &[float(1.0)], NULL);
    check(Seconds, &[Value::Duration(1_500_000_000)], float(1.5));
    check(Seconds, &[Value::Time(0)], NULL);
    check(Millis, &[Value::Duration(-1_999_999)], int(-1));
    check(Millis, &[Value::Time(1_999_999)], int(1));
    check(Millis, &[int(1)], NULL);
}

#[test]
fn kinds() {
    let values = [NULL, YES, int(1), float(1.0), text(""), Value::Time(0), Value::Duration(0), ints(&[]), map(&[])];
    let names = ["null", "bool", "int", "float", "string", "timestamp", "duration", "array", "map"];
    let questions = [(IsNull, 0), (IsBool, 1), (IsInt, 2), (IsFloat, 3), (IsString, 4), (IsArray, 7), (IsMap, 8)];
    for (at, (value, name)) in values.iter().zip(names).enumerate() {
        check(TypeOf, std::slice::from_ref(value), text(name));
        for (question, kind) in questions {
            check(question, std::slice::from_ref(value), Value::Bool(kind == at));
        }
    }
    check(Coalesce, &[NULL, NULL, int(1), int(2)], int(1));
    check(Coalesce, &[NULL], NULL);
    check(IfNull, &[NULL, int(2)], int(2));
    check(IfNull, &[NO, int(2)], NO);
}

/// The functions that are null if any argument is, and how many arguments they take here.
#[rustfmt::skip]
const STRICT: &[(Builtin, usize)] = &[
    (Abs, 1), (Sqrt, 1), (Ln, 1), (Log10, 1), (Exp, 1), (Sin, 1), (Cos, 1), (Tan, 1), (Floor, 1), (Ceil, 1), (Round, 2),
    (Pow, 2), (Min, 2), (Max, 2), (Clamp, 3), (Len, 1), (Reverse, 1), (First, 1), (Last, 1), (Pop, 1), (Sort, 1), (Unique, 1),
    (Sum, 1), (Avg, 1), (Contains, 2), (Get, 2), (Keys, 1), (Values, 1), (RangeFn, 2), (Trim, 1), (Lower, 1), (Upper, 1),
    (StartsWith, 2), (EndsWith, 2), (Split, 2), (Replace, 3), (Substring, 3), (Join, 2), (Concat, 2), (ToString, 1), (ToInt, 1),
    (ToFloat, 1), (ToTimestamp, 1), (Seconds, 1), (Millis, 1), (MapFn, 2), (FilterFn, 2), (AnyFn, 2), (AllFn, 2),
];
const SEEING: &[Builtin] =
    &[Push, Set, TypeOf, IsNull, IsInt, IsFloat, IsString, IsBool, IsArray, IsMap, Coalesce, IfNull];

#[test]
fn a_null_argument_gives_null_except_where_it_is_asked_for() {
    let samples = [int(1), text("a"), ints(&[1]), Value::Duration(1)];
    for &(function, count) in STRICT {
        for at in 0..count {
            for sample in &samples {
                let mut args = vec![sample.clone(); count];
                args[at] = NULL;
                check(function, &args, NULL);
            }
        }
    }
}

fn odd_values() -> Vec<Value> {
    let numbers = [int(i64::MIN), int(-1), int(3), int(i64::MAX), float(-1e308), float(0.5)];
    let times = [Value::Time(i64::MIN), Value::Duration(i64::MIN)];
    let collections = [list(&[]), list(&[NULL, int(1), text("a")]), map(&[("k", int(1))])];
    let scalars = [NULL, YES, text(""), text("é🙂")];
    [&scalars[..], &numbers, &times, &collections].concat()
}

#[test]
fn no_function_fails_on_any_kinds() {
    let values = odd_values();
    let mut known = 0;
    let mut run = |function, args: &[Value]| known += usize::from(call(function, &mut args.to_vec()) != NULL);
    for function in STRICT.iter().map(|(function, _)| *function).chain(SEEING.iter().copied()) {
        run(function, &[]);
        for a in &values {
            run(function, std::slice::from_ref(a));
            for b in &values {
                run(function, &[a.clone(), b.clone()]);
                for c in &values {
                    run(function, &[a.clone(), b.clone(), c.clone()]);
                }
            }
        }
    }
    assert!(known > 1000);
}
