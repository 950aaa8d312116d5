//! What an id depends on, and what it does not.

use super::*;
use crate::compile::compile;

/// Ids of the nodes that have this operator's name, with the stream in whose text they stand.
fn ids(text: &str) -> Vec<(String, StableId)> {
    let compiled = compile(text, &Default::default());
    let plan = compiled.plan.or(compiled.draft).unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let kind = |op: &Op| format!("{op:?}").chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    let name = |node: &crate::plan::Node| format!("{} {}", plan.streams[node.stream as usize].name, kind(&node.op));
    plan.nodes.iter().map(name).zip(stable_ids(&plan)).collect()
}

fn id(text: &str, name: &str) -> StableId {
    let all = ids(text);
    all.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("{name} in {all:?}")).1
}

const SUMS: &str =
    "stream S = A.where(v > 3).partition_by(k).window(10s).aggregate(n: count(), t: sum(v)).emit(k: k, t: t)";

#[test]
fn form_and_neighbours_do_not_matter() {
    let wanted = id(SUMS, "S Window");
    let forms = [
        format!("# a comment\n{}", SUMS.replace('.', "\n    .")),
        SUMS.replace("v > 3", "(v) > 3"),
        format!("stream R = A.where(a < 1 and z == k).emit(x: b, y: zz)\n{SUMS}"),
        format!("{SUMS}\nstream Q = S.where(t > 5).emit(t: t)\nstream R = A.distinct(b).emit(b: b)"),
        SUMS.replace(".emit(", ".where(n > 2).emit("),
    ];
    for form in &forms {
        assert_eq!(id(form, "S Window"), wanted, "{form}");
    }
    let renamed = SUMS.replace("stream S", "stream T");
    assert_eq!(id(&renamed, "T Window"), wanted);
}

#[test]
fn everything_that_the_state_depends_on_matters() {
    let mut seen = vec![id(SUMS, "S Window")];
    for (from, to) in [
        ("v > 3", "v > 4"),
        ("where(v", "where(w"),
        ("= A.", "= B."),
        ("10s", "11s"),
        ("10s", "10s, sliding: 5s"),
        ("partition_by(k)", "partition_by(j)"),
        ("partition_by(k)", "partition_by(k, j)"),
        ("sum(v)", "sum(w)"),
        ("sum(v)", "max(v)"),
        ("= A.", "= A.watermark(out_of_order: 2s)."),
    ] {
        let other = id(&SUMS.replace(from, to).replace("k: k, t: t", "t: t"), "S Window");
        assert!(!seen.contains(&other), "{from} -> {to}");
        seen.push(other);
    }
}

#[test]
fn columns_go_by_what_makes_them() {
    let text =
        |select: &str| format!("stream P = A.select({select})\nstream S = P.window(5).aggregate(n: sum(x)).emit(n: n)");
    let wanted = id(&text("x: a + 1"), "S Window");
    assert_eq!(id(&text("y: b, x: a + 1"), "S Window"), wanted, "a column beside it");
    assert_ne!(id(&text("x: a + 2"), "S Window"), wanted);
    assert_ne!(id(&text("y: a + 1, x: b"), "S Window"), wanted);
}

#[test]
fn functions_count_by_what_they_do() {
    let text = |body: &str, other: &str| {
        format!(
            "fn f(x: int) -> int:\n    return {body}\nfn g(x: int) -> int:\n    return {other}\nstream S = A.where(f(v) > 3).limit(4).emit(v: v, w: g(v))"
        )
    };
    let wanted = id(&text("x + 1", "x"), "S Limit");
    assert_eq!(id(&text("x + 1", "x * 2"), "S Limit"), wanted, "a function that is called behind it");
    assert_ne!(id(&text("x + 2", "x"), "S Limit"), wanted);
    let nested = |other: &str| id(&text("g(x)", other), "S Limit");
    assert_ne!(nested("x"), nested("x * 2"), "a function that a function calls");
}

#[test]
fn equal_operators_are_told_apart() {
    let twice = ids("stream S = A.limit(4).emit(v: v)\nstream T = A.limit(4).emit(v: v)");
    let mut all: Vec<StableId> = twice.iter().map(|(_, id)| *id).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), twice.len());
}

#[test]
fn ids_stay_what_they_are_from_version_to_version() {
    assert_eq!(id(SUMS, "S Window").to_string(), "d87607e1fb000476b4ae26d1061385e4");
}
