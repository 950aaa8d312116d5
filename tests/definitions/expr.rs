//! The expressions that programs are made of: their meaning and their text.

use crate::value::{V, finite};
use std::fmt;

/// An expression.
#[derive(Clone, Debug)]
pub enum Ex {
    /// A literal.
    Lit(V),
    /// A bare name.
    Name(String),
    /// `a.f`: of an alias, a join's input, a step.
    Of(String, String),
    /// `not e`
    Not(Box<Ex>),
    /// `-e`
    Neg(Box<Ex>),
    /// `e is null`
    IsNull(Box<Ex>),
    /// A binary operator.
    Bin(Op, Box<Ex>, Box<Ex>),
    /// `if c then a else b`
    If(Box<Ex>, Box<Ex>, Box<Ex>),
    /// An aggregate function: over a window's content, over what a Kleene step has captured.
    Agg(Agg, Option<Box<Ex>>),
    /// `b.first.f`
    First(String, String),
    /// `b.len`
    Len(String),
    /// `b[i].f`
    At(String, i64, String),
    /// `prev(b).f`
    Prev(String, String),
    /// A few functions.
    Call(Func, Vec<Ex>),
    /// `event_time()`, `event_time(a)`
    EventTime(Option<String>),
}

/// Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Func {
    /// `type_of`
    TypeOf,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    And,
    Or,
    Coalesce,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Agg {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Variance,
    Stddev,
    First,
    Last,
    Ema(Option<i64>),
    CountDistinct,
    DistinctCount,
    CountOfDistinct,
    Collect,
    TopK(i64),
    Percentile(f64),
    Median,
    P50,
    P95,
    P99,
}

/// What names mean where an expression stands.
pub trait Scope {
    /// A bare name.
    fn name(&self, name: &str) -> V;
    /// `alias.field`
    fn of(&self, _alias: &str, _field: &str) -> V {
        V::Null
    }
    /// The records of an alias: fields by name.
    fn elements(&self, _alias: &str) -> Vec<&dyn Scope> {
        Vec::new()
    }
    /// Time of the record, or of the (last) record of an alias.
    fn time(&self, _alias: Option<&str>) -> V {
        V::Null
    }
    /// An aggregate function.
    fn aggregate(&self, _agg: Agg, _argument: Option<&Ex>) -> V {
        V::Null
    }
}

/// Is it true? Nothing else passes.
pub fn holds(condition: &Ex, scope: &dyn Scope) -> bool {
    matches!(condition.eval(scope), V::Bool(true))
}

impl Ex {
    /// Its value.
    pub fn eval(&self, scope: &dyn Scope) -> V {
        match self {
            Ex::Lit(value) => value.clone(),
            Ex::Name(name) => scope.name(name),
            Ex::Of(alias, field) => scope.of(alias, field),
            Ex::Not(inner) => match inner.eval(scope) {
                V::Bool(value) => V::Bool(!value),
                _ => V::Null,
            },
            Ex::Neg(inner) => match inner.eval(scope) {
                V::Int(int) => int.checked_neg().map_or(V::Null, V::Int),
                V::Float(float) => V::Float(-float),
                _ => V::Null,
            },
            Ex::IsNull(inner) => V::Bool(inner.eval(scope).is_null()),
            Ex::Bin(op, left, right) => binary(*op, left.eval(scope), right.eval(scope)),
            Ex::If(condition, yes, no) => if holds(condition, scope) { yes } else { no }.eval(scope),
            Ex::Agg(agg, argument) => scope.aggregate(*agg, argument.as_deref()),
            Ex::First(alias, field) => scope.elements(alias).first().map_or(V::Null, |first| first.name(field)),
            Ex::Len(alias) => V::Int(scope.elements(alias).len() as i64),
            Ex::At(alias, index, field) => {
                let elements = scope.elements(alias);
                let index = if *index < 0 { index + elements.len() as i64 } else { *index };
                usize::try_from(index).ok().and_then(|at| elements.get(at)).map_or(V::Null, |at| at.name(field))
            }
            Ex::Prev(alias, field) => scope.elements(alias).last().map_or(V::Null, |last| last.name(field)),
            Ex::Call(func, arguments) => call(*func, &arguments[0].eval(scope)),
            Ex::EventTime(alias) => scope.time(alias.as_deref()),
        }
    }

    /// A bare name.
    pub fn name(name: &str) -> Ex {
        Ex::Name(name.into())
    }

    /// An int.
    pub fn int(int: i64) -> Ex {
        Ex::Lit(V::Int(int))
    }

    /// `left op right`
    pub fn bin(op: Op, left: Ex, right: Ex) -> Ex {
        Ex::Bin(op, Box::new(left), Box::new(right))
    }
}

fn call(func: Func, argument: &V) -> V {
    match (func, argument) {
        (Func::TypeOf, value) => V::Str(
            match value {
                V::Null => "null",
                V::Bool(_) => "bool",
                V::Int(_) => "int",
                V::Float(_) => "float",
                V::Str(_) => "string",
                V::Time(_) => "timestamp",
                V::Array(_) => "array",
            }
            .into(),
        ),
    }
}

fn binary(op: Op, left: V, right: V) -> V {
    match op {
        Op::And | Op::Or => return logic(op == Op::And, &left, &right),
        Op::Coalesce => return if left.is_null() { right } else { left },
        _ if left.is_null() || right.is_null() => return V::Null,
        _ => {}
    }
    let order = left.order(&right);
    let ordered = |holds: bool| if left.comparable(&right) { V::Bool(holds) } else { V::Null };
    match op {
        Op::Eq => V::Bool(order.is_eq()),
        Op::Ne => V::Bool(order.is_ne()),
        Op::Lt => ordered(order.is_lt()),
        Op::Le => ordered(order.is_le()),
        Op::Gt => ordered(order.is_gt()),
        Op::Ge => ordered(order.is_ge()),
        _ => arithmetic(op, &left, &right),
    }
}

/// Three-valued: null unless the other side decides.
fn logic(and: bool, left: &V, right: &V) -> V {
    let bool_of = |value: &V| if let V::Bool(value) = value { Some(*value) } else { None };
    match (bool_of(left), bool_of(right)) {
        (Some(a), Some(b)) => V::Bool(if and { a && b } else { a || b }),
        (Some(a), None) | (None, Some(a)) if a != and => V::Bool(a),
        _ => V::Null,
    }
}

fn arithmetic(op: Op, left: &V, right: &V) -> V {
    if let (V::Int(a), V::Int(b)) = (left, right) {
        let result = match op {
            Op::Add => a.checked_add(*b),
            Op::Sub => a.checked_sub(*b),
            Op::Mul => a.checked_mul(*b),
            Op::Div => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        return result.map_or(V::Null, V::Int);
    }
    if let (Op::Add, V::Str(a), V::Str(b)) = (op, left, right) {
        return V::Str(format!("{a}{b}"));
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else { return V::Null };
    match op {
        Op::Add => finite(a + b),
        Op::Sub => finite(a - b),
        Op::Mul => finite(a * b),
        Op::Div if b != 0.0 => finite(a / b),
        Op::Rem if b != 0.0 => finite(a % b),
        _ => V::Null,
    }
}

impl fmt::Display for Ex {
    /// Every operator in brackets: the text is about meaning, not about precedence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ex::Lit(V::Str(text)) => write!(f, "{text:?}"),
            Ex::Lit(value) => f.write_str(&value.text()),
            Ex::Name(name) => f.write_str(name),
            Ex::Of(alias, field) => write!(f, "{alias}.{field}"),
            Ex::Not(inner) => write!(f, "(not {inner})"),
            Ex::Neg(inner) => write!(f, "(-{inner})"),
            Ex::IsNull(inner) => write!(f, "({inner} is null)"),
            Ex::Bin(op, left, right) => write!(f, "({left} {} {right})", op.text()),
            Ex::If(condition, yes, no) => write!(f, "(if {condition} then {yes} else {no})"),
            Ex::Agg(agg, argument) => agg.write(f, argument.as_deref()),
            Ex::First(alias, field) => write!(f, "{alias}.first.{field}"),
            Ex::Len(alias) => write!(f, "{alias}.len"),
            Ex::At(alias, index, field) => write!(f, "{alias}[{index}].{field}"),
            Ex::Prev(alias, field) => write!(f, "prev({alias}).{field}"),
            Ex::Call(func, arguments) => {
                let name = match func {
                    Func::TypeOf => "type_of",
                };
                write!(f, "{name}({})", arguments[0])
            }
            Ex::EventTime(alias) => write!(f, "event_time({})", alias.as_deref().unwrap_or_default()),
        }
    }
}

impl Op {
    fn text(self) -> &'static str {
        match self {
            Op::And => "and",
            Op::Or => "or",
            Op::Coalesce => "??",
            Op::Eq => "==",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Rem => "%",
        }
    }
}

impl Agg {
    fn write(self, f: &mut fmt::Formatter<'_>, argument: Option<&Ex>) -> fmt::Result {
        let name = match self {
            Agg::Count => "count",
            Agg::Sum => "sum",
            Agg::Avg => "avg",
            Agg::Min => "min",
            Agg::Max => "max",
            Agg::Variance => "variance",
            Agg::Stddev => "stddev",
            Agg::First => "first",
            Agg::Last => "last",
            Agg::Ema(_) => "ema",
            Agg::CountDistinct => "count_distinct",
            Agg::DistinctCount => "distinct_count",
            Agg::CountOfDistinct => "count(distinct",
            Agg::Collect => "collect",
            Agg::TopK(_) => "top_k",
            Agg::Percentile(_) => "percentile",
            Agg::Median => "median",
            Agg::P50 => "p50",
            Agg::P95 => "p95",
            Agg::P99 => "p99",
        };
        let argument = argument.map(ToString::to_string).unwrap_or_default();
        match self {
            Agg::Ema(Some(n)) => write!(f, "{name}({argument}, {n})"),
            Agg::TopK(k) => write!(f, "{name}({argument}, {k})"),
            Agg::Percentile(q) => write!(f, "{name}({argument}, {q:?})"),
            Agg::CountOfDistinct => write!(f, "{name}({argument}))"),
            _ => write!(f, "{name}({argument})"),
        }
    }
}
