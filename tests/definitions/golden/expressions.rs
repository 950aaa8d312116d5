//! Expressions of the language's tree in the form of the definition.

use crate::expr::{Agg, Ex, Func, Op};
use crate::value::V;
use rarog_lang::ast::{Arg, BinOp, Expr, ExprKind, UnOp};

/// The expression, if it can be said.
pub fn of(expr: &Expr) -> Option<Ex> {
    let boxed = |expr: &Expr| Some(Box::new(of(expr)?));
    let binary = |op, left: &Expr, right: &Expr| Some(Ex::Bin(op, boxed(left)?, boxed(right)?));
    Some(match &expr.kind {
        ExprKind::Int(int) => Ex::int(*int),
        ExprKind::Float(float) => Ex::Lit(V::Float(*float)),
        ExprKind::Str(text) => Ex::Lit(V::Str(text.to_string())),
        ExprKind::Time(time) => Ex::Lit(V::Time(*time)),
        ExprKind::Bool(value) => Ex::Lit(V::Bool(*value)),
        ExprKind::Null => Ex::Lit(V::Null),
        ExprKind::Name(name) => Ex::name(name),
        ExprKind::Unary(UnOp::Neg, _, inner) => Ex::Neg(boxed(inner)?),
        ExprKind::Unary(UnOp::Not, _, inner) => Ex::Not(boxed(inner)?),
        // Beside the literal null it is the null test.
        ExprKind::Binary(BinOp::Eq, _, left, right) if right.kind == ExprKind::Null => Ex::IsNull(boxed(left)?),
        ExprKind::Binary(BinOp::Ne, _, left, right) if right.kind == ExprKind::Null => {
            Ex::Not(Box::new(Ex::IsNull(boxed(left)?)))
        }
        ExprKind::Binary(op, _, left, right) => binary(operator(*op)?, left, right)?,
        ExprKind::And(_, left, right) => binary(Op::And, left, right)?,
        ExprKind::Or(_, left, right) => binary(Op::Or, left, right)?,
        ExprKind::Coalesce(_, left, right) => binary(Op::Coalesce, left, right)?,
        ExprKind::In(negated, _, value, list) => among(*negated, value, list)?,
        ExprKind::IsNull(false, _, inner) => Ex::IsNull(boxed(inner)?),
        ExprKind::IsNull(true, _, inner) => Ex::Not(Box::new(Ex::IsNull(boxed(inner)?))),
        ExprKind::If(condition, yes, no) => Ex::If(boxed(condition)?, boxed(yes)?, boxed(no)?),
        ExprKind::Member(of, field) => member(of, &field.name)?,
        ExprKind::Call(name, arguments) => call(&name.name, arguments)?,
        _ => return None,
    })
}

fn operator(op: BinOp) -> Option<Op> {
    Some(match op {
        BinOp::Eq => Op::Eq,
        BinOp::Ne => Op::Ne,
        BinOp::Lt => Op::Lt,
        BinOp::Le => Op::Le,
        BinOp::Gt => Op::Gt,
        BinOp::Ge => Op::Ge,
        BinOp::Add => Op::Add,
        BinOp::Sub => Op::Sub,
        BinOp::Mul => Op::Mul,
        BinOp::Div => Op::Div,
        BinOp::Rem => Op::Rem,
        _ => return None,
    })
}

/// `x in [a, b]`
fn among(negated: bool, value: &Expr, list: &Expr) -> Option<Ex> {
    let ExprKind::Array(items) = &list.kind else { return None };
    let value = of(value)?;
    let equal = items.iter().map(|item| Some(Ex::bin(Op::Eq, value.clone(), of(item)?)));
    let any = equal.collect::<Option<Vec<_>>>()?.into_iter().reduce(|any, one| Ex::bin(Op::Or, any, one))?;
    Some(if negated { Ex::Not(Box::new(any)) } else { any })
}

/// `a.f`, `b.first.f`, `b.len`, `b[i].f`, `prev(b).f`
fn member(of: &Expr, field: &str) -> Option<Ex> {
    let name = |expr: &Expr| match &expr.kind {
        ExprKind::Name(name) => Some(name.to_string()),
        _ => None,
    };
    match &of.kind {
        ExprKind::Name(alias) if matches!(field, "len" | "count") => Some(Ex::Len(alias.to_string())),
        ExprKind::Name(alias) => Some(Ex::Of(alias.to_string(), field.into())),
        ExprKind::Member(inner, edge) if &*edge.name == "first" => Some(Ex::First(name(inner)?, field.into())),
        ExprKind::Member(inner, edge) if &*edge.name == "last" => Some(Ex::Of(name(inner)?, field.into())),
        ExprKind::Index(inner, _, index) => match index.kind {
            ExprKind::Int(index) => Some(Ex::At(name(inner)?, index, field.into())),
            _ => None,
        },
        ExprKind::Call(function, arguments) if &*function.name == "prev" => match &arguments[..] {
            [alias] => Some(Ex::Prev(name(&alias.value)?, field.into())),
            _ => None,
        },
        _ => None,
    }
}

fn call(name: &str, arguments: &[Arg]) -> Option<Ex> {
    if arguments.iter().any(|argument| argument.name.is_some()) {
        return None;
    }
    let values: Vec<&Expr> = arguments.iter().map(|argument| &argument.value).collect();
    match (name, &values[..]) {
        ("type_of", [value]) => return Some(Ex::Call(Func::TypeOf, vec![of(value)?])),
        ("event_time", []) => return Some(Ex::EventTime(None)),
        ("count", []) => return Some(Ex::Agg(Agg::Count, None)),
        _ => {}
    }
    let (first, rest) = values.split_first()?;
    let number = match rest {
        [] => None,
        [Expr { kind: ExprKind::Int(int), .. }] => Some(*int as f64),
        [Expr { kind: ExprKind::Float(float), .. }] => Some(*float),
        _ => return None,
    };
    if let ("count", ExprKind::Call(inner, of_inner)) = (name, &first.kind) {
        let argument = of_inner.first().filter(|_| &*inner.name == "distinct")?;
        return Some(Ex::Agg(Agg::CountOfDistinct, Some(Box::new(of(&argument.value)?))));
    }
    Some(Ex::Agg(aggregate(name, number)?, Some(Box::new(of(first)?))))
}

fn aggregate(name: &str, number: Option<f64>) -> Option<Agg> {
    Some(match (name, number) {
        ("ema", span) => Agg::Ema(span.map(|span| span as i64)),
        ("top_k", Some(k)) => Agg::TopK(k as i64),
        ("percentile", Some(q)) => Agg::Percentile(q),
        (_, Some(_)) => return None,
        ("count", _) => Agg::Count,
        ("sum", _) => Agg::Sum,
        ("avg", _) => Agg::Avg,
        ("min", _) => Agg::Min,
        ("max", _) => Agg::Max,
        ("variance", _) => Agg::Variance,
        ("stddev", _) => Agg::Stddev,
        ("first", _) => Agg::First,
        ("last", _) => Agg::Last,
        ("count_distinct", _) => Agg::CountDistinct,
        ("distinct_count", _) => Agg::DistinctCount,
        ("collect", _) => Agg::Collect,
        ("median", _) => Agg::Median,
        ("p50", _) => Agg::P50,
        ("p95", _) => Agg::P95,
        ("p99", _) => Agg::P99,
        _ => return None,
    })
}
