//! Parts of a plan as text for people: expressions, operators, durations. Not VPL to be parsed again: what was folded or
//! renamed is shown as it is in the plan.

use crate::composed;
use crate::eval::text::to_text;
use crate::plan::{
    Aggregate, AggregateCall, AggregateFn, AlertPart, BinOp, Body, Capture, Expr, Key, Layout, Node, Op, Plan, UnOp,
    Window,
};
use crate::value::Value;
use std::fmt::Write;
use std::sync::Arc;

/// A duration in ns, such as `10s`.
pub fn duration(ns: i64) -> String {
    to_text(&Value::Duration(ns)).to_string()
}

/// A constant as it would be written in a program.
fn constant(value: &Value) -> String {
    match value {
        Value::Str(text) => format!("{text:?}"),
        Value::Time(_) => format!("@{}", to_text(value)),
        value => to_text(value).to_string(),
    }
}

/// Names that an expression's numbers stand for.
pub struct Names<'n> {
    /// The plan.
    pub plan: &'n Plan,
    /// Layout of the records that it reads.
    pub layout: Option<&'n Layout>,
    /// The aggregate whose items it is part of, with its keys.
    pub aggregate: Option<(&'n Aggregate, &'n [Key])>,
    /// The join or sequence whose parts it reads.
    pub parts: Option<&'n Node>,
}

impl Names<'_> {
    fn column(&self, column: u32) -> String {
        let known = self.layout.and_then(|layout| layout.columns.get(column as usize));
        known.map_or_else(|| format!("column {column}"), |column| column.name.to_string())
    }

    /// What an input of the join or a slot of the sequence is called, and a column of it.
    fn part(&self, place: u32) -> String {
        let known = match self.parts.map(|node| &node.op) {
            Some(Op::Join(join)) => join.names.get(place as usize),
            Some(Op::Sequence(sequence)) => sequence.slots.get(place as usize).map(|slot| &slot.name),
            _ => None,
        };
        known.map_or_else(|| format!("part {place}"), |name| name.to_string())
    }

    fn part_column(&self, place: u32, column: u32) -> String {
        let columns = match self.parts.map(|node| (&node.op, node)) {
            Some((Op::Sequence(sequence), _)) => sequence.slots.get(place as usize).map(|slot| slot.columns.as_slice()),
            Some((_, node)) => {
                let input = node.inputs.get(place as usize).and_then(|input| self.plan.nodes.get(*input as usize));
                let layout = input.and_then(|input| self.plan.layouts.get(input.layout as usize));
                layout.map(|layout| layout.columns.as_slice())
            }
            None => None,
        };
        let known = columns.and_then(|columns| columns.get(column as usize));
        known.map_or_else(|| format!("column {column}"), |column| column.name.to_string())
    }

    fn captured(&self, place: u32, capture: &Capture) -> String {
        let of = self.part(place);
        let field = |column: &u32| self.part_column(place, *column);
        match capture {
            Capture::Count => format!("{of}.len"),
            Capture::Records | Capture::Record => of,
            Capture::First(column) => format!("{of}.first.{}", field(column)),
            Capture::Last(column) => format!("{of}.last.{}", field(column)),
            Capture::Previous(column) => format!("prev({of}).{}", field(column)),
            Capture::At(column, index) => format!("{of}[{}].{}", self.expr(index), field(column)),
            Capture::Time => format!("event_time({of})"),
            Capture::Aggregate(call) => self.aggregate_call(call),
        }
    }

    fn call(&self, call: u32) -> String {
        let known = self.aggregate.and_then(|(aggregate, _)| aggregate.calls.get(call as usize));
        known.map_or_else(|| format!("aggregate {call}"), |call| self.aggregate_call(call))
    }

    fn key(&self, key: u32) -> String {
        let known = self.aggregate.and_then(|(_, keys)| keys.get(key as usize));
        known.map_or_else(|| format!("key {key}"), |key| key.name.to_string())
    }

    fn list(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|expr| self.expr(expr)).collect::<Vec<_>>().join(", ")
    }

    fn operand(&self, expr: &Expr) -> String {
        let text = self.expr(expr);
        let compound = matches!(
            expr,
            Expr::Binary(..)
                | Expr::And(..)
                | Expr::Or(..)
                | Expr::Coalesce(..)
                | Expr::In(..)
                | Expr::If(..)
                | Expr::Range(..)
        );
        if compound { format!("({text})") } else { text }
    }

    /// An expression.
    pub fn expr(&self, expr: &Expr) -> String {
        let two = |a: &Expr, op: &str, b: &Expr| format!("{} {op} {}", self.operand(a), self.operand(b));
        match expr {
            Expr::Const(value) => constant(value),
            Expr::Column(column) => self.column(*column),
            Expr::Of(place, column) => format!("{}.{}", self.part(*place), self.part_column(*place, *column)),
            Expr::Local(slot) => format!("local {slot}"),
            Expr::Record => "the record".into(),
            Expr::EventTime => "event_time()".into(),
            Expr::MatchStart => "match_start".into(),
            Expr::EventType => "event_type()".into(),
            Expr::WindowStart => "window_start".into(),
            Expr::WindowEnd => "window_end".into(),
            Expr::Revision => "_revision".into(),
            Expr::Aggregate(call) => self.call(*call),
            Expr::Key(key) => self.key(*key),
            Expr::Partition => "_partition".into(),
            Expr::Unary(UnOp::Not, a) => format!("not {}", self.operand(a)),
            Expr::Unary(UnOp::Neg, a) => format!("-{}", self.operand(a)),
            Expr::Unary(UnOp::BitNot, a) => format!("~{}", self.operand(a)),
            Expr::Binary(op, a, b) => two(a, symbol(*op), b),
            Expr::And(a, b) => two(a, "and", b),
            Expr::Or(a, b) => two(a, "or", b),
            Expr::Coalesce(a, b) => two(a, "??", b),
            Expr::In(a, b) => two(a, "in", b),
            Expr::IsNull(a) => format!("{} is null", self.operand(a)),
            Expr::Range(closed, a, b) => two(a, if *closed { "..=" } else { ".." }, b),
            Expr::If(c, a, b) => format!("if {} then {} else {}", self.expr(c), self.expr(a), self.expr(b)),
            Expr::Array(items) => format!("[{}]", self.list(items)),
            Expr::Map(items) => {
                let items: Vec<String> =
                    items.iter().map(|(key, value)| format!("{key}: {}", self.expr(value))).collect();
                format!("{{{}}}", items.join(", "))
            }
            Expr::Index(a, i) => format!("{}[{}]", self.operand(a), self.expr(i)),
            Expr::Slice(a, i, j) => {
                let bound = |expr: &Option<Box<Expr>>| expr.as_ref().map_or(String::new(), |expr| self.expr(expr));
                format!("{}[{}:{}]", self.operand(a), bound(i), bound(j))
            }
            Expr::Member(a, name) => format!("{}.{name}", self.operand(a)),
            Expr::Call(function, args) => format!("{}({})", format!("{function:?}").to_lowercase(), self.list(args)),
            Expr::CallFn(function, args) => {
                let name = self.plan.functions.get(*function as usize).map_or("fn", |function| &function.name);
                format!("{name}({})", self.list(args))
            }
            Expr::Lambda(_, body) | Expr::Apply(_, body, _) => match &**body {
                Body::Expr(expr) => format!("… => {}", self.expr(expr)),
                Body::Block(_) => "… => {…}".into(),
            },
            Expr::Convert(_, a) => self.expr(a),
            Expr::Captured(place, capture) => self.captured(*place, capture),
        }
    }

    /// A call of an aggregate function.
    pub fn aggregate_call(&self, call: &AggregateCall) -> String {
        let argument = call.argument.as_ref().map_or(String::new(), |argument| self.expr(argument));
        match call.function {
            AggregateFn::Count | AggregateFn::CountValues => format!("count({argument})"),
            AggregateFn::Ema(n) => format!("ema({argument}, {n})"),
            AggregateFn::TopK(k) => format!("top_k({argument}, {k})"),
            AggregateFn::Percentile(q) => format!("percentile({argument}, {q})"),
            AggregateFn::CountDistinct => format!("count_distinct({argument})"),
            function => format!("{}({argument})", format!("{function:?}").to_lowercase()),
        }
    }
}

fn symbol(op: BinOp) -> &'static str {
    match op {
        BinOp::Eq => "==",
        BinOp::Ne => "!=",
        BinOp::Lt => "<",
        BinOp::Le => "<=",
        BinOp::Gt => ">",
        BinOp::Ge => ">=",
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Rem => "%",
        BinOp::Pow => "**",
        BinOp::BitOr => "|",
        BinOp::BitXor => "^",
        BinOp::BitAnd => "&",
        BinOp::Shl => "<<",
        BinOp::Shr => ">>",
    }
}

/// A window's bounds.
pub fn window(window: &Window) -> String {
    match window {
        Window::Time { size, slide } if size == slide => duration(*size),
        Window::Time { size, slide } => format!("{}, sliding: {}", duration(*size), duration(*slide)),
        Window::Session { gap } => format!("session: {}", duration(*gap)),
        Window::Count { size, slide } if size == slide => size.to_string(),
        Window::Count { size, slide } => format!("{size}, sliding: {slide}"),
    }
}

/// Layout of the first input of a node.
pub fn input_layout<'p>(plan: &'p Plan, node: &Node) -> Option<&'p Layout> {
    let input = plan.nodes.get(*node.inputs.first()? as usize)?;
    plan.layouts.get(input.layout as usize)
}

/// Constant parameters, `, name: value` each.
fn params(params: &[(Arc<str>, Value)]) -> String {
    params.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        _ = write!(text, ", {name}: {}", constant(value));
        text
    })
}

fn keys(names: &Names, keys: &[Key]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let keys: Vec<String> = keys
        .iter()
        .map(|key| match names.expr(&key.value) {
            value if *value == *key.name => value,
            value => format!("{}: {value}", key.name),
        })
        .collect();
    format!(".partition_by({}) ", keys.join(", "))
}

/// What a node does, in one line.
pub fn operator(plan: &Plan, node: &Node) -> String {
    let names = Names { plan, layout: input_layout(plan, node), aggregate: None, parts: None };
    let items = |names: &Names, items: &[Expr]| {
        let columns =
            plan.layouts.get(node.layout as usize).map(|layout| layout.columns.as_slice()).unwrap_or_default();
        let item = |(column, expr): (&crate::plan::ColumnDef, &Expr)| match names.expr(expr) {
            text if *text == *column.name => text,
            text => format!("{}: {text}", column.name),
        };
        columns.iter().zip(items).map(item).collect::<Vec<_>>().join(", ")
    };
    let of_aggregate = |aggregate: &Aggregate, key: &[Key]| {
        let inner = Names { plan, layout: names.layout, aggregate: Some((aggregate, key)), parts: None };
        format!(".aggregate({})", items(&inner, &aggregate.items))
    };
    let connector =
        |index: u32| plan.connectors.get(index as usize).map_or("?", |connector| &connector.name).to_string();
    match &node.op {
        Op::Input(input) => plan.inputs.get(*input as usize).map_or(String::new(), |input| input.event.to_string()),
        Op::Timer { interval, initial_delay, event } => {
            format!("timer({}, initial_delay: {}) as {event}", duration(*interval), duration(*initial_delay))
        }
        Op::Merge(branches) => {
            let conditions = branches.iter().filter(|branch| branch.condition.is_some()).count();
            format!("merge of {} inputs, {conditions} with a condition", branches.len())
        }
        Op::Filter(condition) => format!(".where({})", names.expr(condition)),
        Op::Project { items: exprs, event } => {
            let event = event.as_ref().map_or(String::new(), |event| format!(" as {event}"));
            format!(".select({}){event}", items(&names, exprs))
        }
        Op::Retype(event) => format!("as {event}"),
        Op::Window { window: bounds, key, aggregate, .. } => {
            let aggregate = aggregate.as_ref().map_or(String::new(), |aggregate| of_aggregate(aggregate, key));
            format!("{}.window({}) {aggregate}", keys(&names, key), window(bounds)).trim_end().to_string()
        }
        Op::AggregateReleased { key, aggregate } | Op::AggregateRunning { key, aggregate } => {
            format!("{}{}", keys(&names, key), of_aggregate(aggregate, key))
        }
        Op::Distinct { by, within, .. } => {
            let within = within.map_or(String::new(), |within| format!("; within {}", duration(within)));
            format!(".distinct({}{within})", names.list(by))
        }
        Op::Limit(n) => format!(".limit({n})"),
        Op::Process { function, args } => {
            format!(".process({})", names.expr(&Expr::CallFn(*function, args.clone())))
        }
        Op::Print(exprs) => format!(".print({})", names.list(exprs)),
        Op::Log { level, .. } => format!(".log(level: {level})"),
        Op::Alert { webhook, message } => {
            let part = |part: &AlertPart| match part {
                AlertPart::Text(text) => text.to_string(),
                AlertPart::Field(expr) => format!("{{{}}}", names.expr(expr)),
            };
            let message: String = message.iter().map(part).collect();
            format!(".alert({}, {message:?})", webhook.as_deref().unwrap_or("no webhook"))
        }
        Op::Send { connector: index, params: all, .. } => format!(".to({}{})", connector(*index), params(all)),
        Op::Emit => ".emit".into(),
        Op::Join(join) => composed::join(plan, node, join),
        Op::Sequence(sequence) => composed::sequence(plan, node, sequence),
        Op::Late { of, .. } => format!("late({})", plan.streams.get(*of as usize).map_or("?", |stream| &stream.name)),
    }
}
