//! The scope of an aggregate's items: aggregate functions over the records, and outside of them keys, window bounds and
//! constants.

use super::record::{Record, RecordScope, window_bound};
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::expression::{Expressions, Parameters};
use crate::check::scope::{Found, Object, Scope, Typed};
use crate::check::suggestion::did_you_mean;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{AggregateCall, AggregateFn, Expr, Key};
use crate::span::Span;
use crate::value::{Type, Value};
use std::sync::Arc;

/// An aggregate function as it is written.
struct Spelling {
    name: &'static str,
    /// Parameters.
    params: &'static [&'static str],
    /// How many of them must be given.
    required: usize,
    /// Does it keep values?
    buffered: bool,
}

const fn spelling(name: &'static str, params: &'static [&'static str], required: usize, buffered: bool) -> Spelling {
    Spelling { name, params, required, buffered }
}

const SPELLINGS: [Spelling; 19] = [
    spelling("count", &["x"], 0, false),
    spelling("sum", &["x"], 1, false),
    spelling("avg", &["x"], 1, false),
    spelling("min", &["x"], 1, false),
    spelling("max", &["x"], 1, false),
    spelling("variance", &["x"], 1, false),
    spelling("stddev", &["x"], 1, false),
    spelling("first", &["x"], 1, false),
    spelling("last", &["x"], 1, false),
    spelling("ema", &["x", "n"], 1, false),
    spelling("count_distinct", &["x"], 1, false),
    spelling("distinct_count", &["x"], 1, false),
    spelling("collect", &["x"], 1, true),
    spelling("top_k", &["x", "k"], 2, true),
    spelling("percentile", &["x", "q"], 2, true),
    spelling("median", &["x"], 1, true),
    spelling("p50", &["x"], 1, true),
    spelling("p95", &["x"], 1, true),
    spelling("p99", &["x"], 1, true),
];

/// Names of all aggregate functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SPELLINGS.iter().map(|spelling| spelling.name)
}

/// The aggregate function that a call is, unless it is the function of that name (`min(a, b)`).
fn find(name: &str, args: usize) -> Option<&'static Spelling> {
    let function = matches!(name, "min" | "max") && args > 1;
    SPELLINGS.iter().find(|spelling| spelling.name == name && !function)
}

/// Is a call with so many arguments one of an aggregate function?
pub(super) fn is_aggregate(name: &str, args: usize) -> bool {
    find(name, args).is_some()
}

/// Is it also a function of single values?
pub(super) fn is_function(name: &str) -> bool {
    matches!(name, "sum" | "avg" | "first" | "last" | "min" | "max")
}

/// A call of an aggregate function outside of `.aggregate`, and its argument.
pub(super) fn call_of(
    name: &Ident,
    args: &[Arg],
    expressions: &mut Expressions,
) -> Option<(AggregateFn, Option<AstExpr>)> {
    let spelling = find(&name.name, args.len())?;
    let positional = spelling.params.len();
    let parameters = Parameters { names: spelling.params, positional, required: spelling.required, given: 0 };
    if !expressions.bind(name, parameters, args).ok {
        return None;
    }
    let argument = args.first().map(|arg| &arg.value);
    let distinct = argument.and_then(|value| distinct_argument(name, value));
    let function = function(spelling.name, distinct.is_some(), args, expressions)?;
    Some((function, distinct.or(argument).cloned()))
}

/// The scope of `.aggregate(items)`.
pub(super) struct AggregateScope<'s> {
    pub records: RecordScope<'s>,
    pub keys: &'s [(Key, Type)],
    pub calls: Vec<AggregateCall>,
    /// Is there a window?
    pub windowed: bool,
    /// Is the argument of an aggregate function being read?
    inside: bool,
}

impl<'s> AggregateScope<'s> {
    /// Over these records, grouped by these keys.
    pub fn new(
        graph: &'s mut super::graph::Graph,
        record: &'s Record,
        keys: &'s [(Key, Type)],
        windowed: bool,
    ) -> AggregateScope<'s> {
        AggregateScope { records: RecordScope { graph, record }, keys, calls: Vec::new(), windowed, inside: false }
    }

    fn key(&self, matches: impl Fn(&Key) -> bool) -> Option<Typed> {
        let place = self.keys.iter().position(|(key, _)| matches(key))?;
        let expr = Expr::Key(u32::try_from(place).unwrap_or(u32::MAX));
        Some(Typed { expr, ty: self.keys[place].1.clone() })
    }

    /// What a field is outside of an aggregate function: a key, or wrong.
    fn outside(&mut self, found: Found, name: &Ident, expressions: &mut Expressions) -> Found {
        let Found::Value(field) = found else { return found };
        if let Some(key) = self.key(|key| key.value == field.expr) {
            return Found::Value(key);
        }
        let message = format!("{} is used outside an aggregate function", name.name);
        let help =
            format!("say which of the values: last({0}), max({0}), …; or make it a key: .partition_by({0})", name.name);
        expressions.report(Diagnostic::new("E0504", name.span, message).help(help));
        Found::Refused
    }

    fn aggregate(
        &mut self,
        spelling: &'static Spelling,
        name: &Ident,
        args: &[Arg],
        expressions: &mut Expressions,
    ) -> Found {
        if let Some(named) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let problem = Diagnostic::new("E0304", name.span, format!("{} takes positional arguments", name.name));
            expressions.report(problem.help(format!("leave out `{}:`", named.name)));
            return Found::Refused;
        }
        let positional = spelling.params.len();
        let parameters = Parameters { names: spelling.params, positional, required: spelling.required, given: 0 };
        if !expressions.bind(name, parameters, args).ok {
            return Found::Refused;
        }
        if spelling.buffered && !self.windowed {
            let problem = Diagnostic::new("E0505", name.span, format!("{} needs a window", name.name));
            expressions.report(problem.help("it keeps every value; put .window(…) before .aggregate"));
            return Found::Refused;
        }
        let refusals = expressions.refusals();
        let (argument, distinct) = match args.first() {
            Some(arg) => {
                let distinct = distinct_argument(name, &arg.value);
                (Some(self.argument(distinct.unwrap_or(&arg.value), expressions)), distinct.is_some())
            }
            None => (None, false),
        };
        let function = function(spelling.name, distinct, args, expressions);
        let (Some(function), true) = (function, expressions.refusals() == refusals) else { return Found::Refused };
        let ty = result_type(function, argument.as_ref().map_or(&Type::Any, |argument| &argument.ty));
        let call = AggregateCall { function, argument: argument.map(|argument| argument.expr) };
        let place = self.calls.iter().position(|known| *known == call).unwrap_or_else(|| {
            self.calls.push(call);
            self.calls.len() - 1
        });
        Found::Value(Typed { expr: Expr::Aggregate(u32::try_from(place).unwrap_or(u32::MAX)), ty })
    }

    fn argument(&mut self, value: &AstExpr, expressions: &mut Expressions) -> Typed {
        self.inside = true;
        let argument = expressions.check(value, self);
        self.inside = false;
        argument
    }

    /// A call inside of an aggregate's argument that looks like an aggregate: E0509, unless it is the function on arrays.
    fn nested(&mut self, name: &Ident, args: &[Arg], expressions: &mut Expressions) -> Option<Found> {
        if matches!(&*name.name, "sum" | "avg" | "first" | "last")
            && let [arg] = args
        {
            let refusals = expressions.refusals();
            let argument = expressions.check(&arg.value, self);
            if expressions.refusals() != refusals {
                return Some(Found::Refused);
            }
            if matches!(argument.ty, Type::Array(_)) {
                return None;
            }
        }
        let problem = Diagnostic::new("E0509", name.span, format!("aggregate {} inside an aggregate", name.name));
        expressions.report(problem.help("aggregate in one stream, and aggregate its results in a second one"));
        Some(Found::Refused)
    }
}

/// `x` of `count(distinct(x))`
fn distinct_argument<'e>(name: &Ident, value: &'e AstExpr) -> Option<&'e AstExpr> {
    match &value.kind {
        ExprKind::Call(inner, args) if &*name.name == "count" && &*inner.name == "distinct" && args.len() == 1 => {
            Some(&args[0].value)
        }
        _ => None,
    }
}

fn function(name: &str, distinct: bool, args: &[Arg], expressions: &mut Expressions) -> Option<AggregateFn> {
    Some(match name {
        "count" if distinct => AggregateFn::CountDistinct,
        "count" if args.is_empty() => AggregateFn::Count,
        "count" => AggregateFn::CountValues,
        "sum" => AggregateFn::Sum,
        "avg" => AggregateFn::Avg,
        "min" => AggregateFn::Min,
        "max" => AggregateFn::Max,
        "variance" => AggregateFn::Variance,
        "stddev" => AggregateFn::Stddev,
        "first" => AggregateFn::First,
        "last" => AggregateFn::Last,
        "count_distinct" | "distinct_count" => AggregateFn::CountDistinct,
        "collect" => AggregateFn::Collect,
        "median" | "p50" => AggregateFn::Percentile(0.5),
        "p95" => AggregateFn::Percentile(0.95),
        "p99" => AggregateFn::Percentile(0.99),
        "top_k" => AggregateFn::TopK(expressions.positive_integer("k", &args[1].value)?),
        "ema" => match args.get(1) {
            Some(n) => AggregateFn::Ema(expressions.positive_integer("n", &n.value)? as f64),
            None => AggregateFn::Ema(12.0),
        },
        _ => AggregateFn::Percentile(quantile(&args[1].value, expressions)?),
    })
}

/// A share of 0 to 1, or a percentage above that.
fn quantile(value: &AstExpr, expressions: &mut Expressions) -> Option<f64> {
    expressions.asked("q", value, "a number from 0 to 100", "0.95 and 95 are the same", |value| {
        let q = match value {
            Value::Int(int) => *int as f64,
            Value::Float(float) => *float,
            _ => return None,
        };
        let share = if q > 1.0 { q / 100.0 } else { q };
        (0.0..=1.0).contains(&share).then_some(share)
    })
}

pub(super) fn result_type(function: AggregateFn, argument: &Type) -> Type {
    match function {
        AggregateFn::Count | AggregateFn::CountValues | AggregateFn::CountDistinct => Type::Int,
        AggregateFn::Sum => match argument {
            Type::Int => Type::Int,
            _ => Type::Any,
        },
        AggregateFn::Avg
        | AggregateFn::Variance
        | AggregateFn::Stddev
        | AggregateFn::Ema(_)
        | AggregateFn::Percentile(_) => Type::Float,
        AggregateFn::Min | AggregateFn::Max | AggregateFn::First | AggregateFn::Last => argument.clone(),
        AggregateFn::Collect | AggregateFn::TopK(_) => Type::Array(Box::new(argument.clone())),
    }
}

impl Scope for AggregateScope<'_> {
    fn name(&mut self, name: &Ident, expressions: &mut Expressions) -> Found {
        if self.inside {
            return self.records.name(name, expressions);
        }
        if let Some(key) = self.key(|key| key.name == name.name) {
            return Found::Value(key);
        }
        if let Some(bound) = window_bound(&name.name).filter(|_| self.windowed) {
            return Found::Value(bound);
        }
        if &*name.name == "_partition" {
            return Found::Value(Typed { expr: Expr::Partition, ty: Type::Str });
        }
        let found = self.records.name(name, expressions);
        self.outside(found, name, expressions)
    }

    fn open_field(&mut self, name: &Ident, expressions: &mut Expressions) -> Found {
        let found = self.records.open_field(name, expressions);
        if self.inside { found } else { self.outside(found, name, expressions) }
    }

    fn object(&mut self, object: Object, span: Span, expressions: &mut Expressions) -> Typed {
        if self.inside {
            return self.records.object(object, span, expressions);
        }
        let name = self.records.name_of(object);
        let message = format!("{name} is used outside an aggregate function");
        expressions
            .report(Diagnostic::new("E0504", span, message).help(format!("say which of the records: last({name})")));
        expressions.refused()
    }

    fn member(&mut self, object: Object, name: &Ident, expressions: &mut Expressions) -> Found {
        let found = self.records.member(object, name, expressions);
        if self.inside { found } else { self.outside(found, name, expressions) }
    }

    fn index(&mut self, object: Object, index: &AstExpr, expressions: &mut Expressions) -> Found {
        if self.inside { self.records.index(object, index, expressions) } else { Found::Unknown }
    }

    fn call(&mut self, name: &Ident, args: &[Arg], span: Span, expressions: &mut Expressions) -> Option<Found> {
        if expressions.declared().function(&name.name).is_some() {
            return None;
        }
        if let Some(spelling) = find(&name.name, args.len()) {
            return match self.inside {
                true => self.nested(name, args, expressions),
                false => Some(self.aggregate(spelling, name, args, expressions)),
            };
        }
        if self.inside {
            return self.records.call(name, args, span, expressions);
        }
        if expressions.knows_function(&name.name) {
            return None;
        }
        let problem = Diagnostic::new("E0503", name.span, format!("unknown aggregate function {}", name.name));
        let all = || format!("there are {}", names().collect::<Vec<_>>().join(", "));
        expressions.report(problem.help(did_you_mean(&name.name, names()).unwrap_or_else(all)));
        Some(Found::Refused)
    }

    fn has_record(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<Arc<str>> {
        let keys = self.keys.iter().map(|(key, _)| key.name.clone());
        if self.inside { self.records.names() } else { keys.collect() }
    }
}

/// Is the static type of a key known? What a key shows is the first record's value.
pub(super) fn key_type(ty: &Type) -> Type {
    if types::is_unknown(ty) { Type::Any } else { ty.clone() }
}
