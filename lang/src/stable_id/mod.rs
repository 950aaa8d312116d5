//! Stable ids: which operators of an edited program are the same as before.
//!
//! ```text
//!  id of a node   = hash(what it does, ids of the nodes it reads)
//!  id of a column = hash(the expression that makes it, ids of the columns that it reads)
//! ```
//! An operator is the same if it does the same to the same records. So an id depends neither on the text's form, nor on the
//! names of streams, nor on what else the program does: other streams may make an input carry more columns and move those
//! of this one, so columns go by where they come from and not by their numbers, and a projection, which makes a record out of
//! a record, leaves its mark on columns only. Of two operators that are the same in everything, the second in the text has
//! a mark of its own.
//!
//! Invariant: equal ids mean that the state of one is right for the other. What is hashed is text in which variants go by
//! their names: a new kind of operator changes no id.

use crate::hash::hash128;
use crate::plan::{Aggregate, Element, Event, Expr, Join, Key, NodeId, Op, Plan, Sequence, Window};
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StableId(pub u64, pub u64);

impl std::fmt::Display for StableId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

/// The id of each node of a plan.
pub fn stable_ids(plan: &Plan) -> Vec<StableId> {
    let mut known = Known { plan, nodes: Vec::new(), columns: Vec::new() };
    let mut seen: HashMap<StableId, u32> = HashMap::new();
    for node in 0..plan.nodes.len() as NodeId {
        let content = known.content(node);
        let count = seen.entry(content).or_insert(0);
        *count += 1;
        let id = if *count == 1 { content } else { of_text(&format!("{content} again {count}")) };
        known.nodes.push(id);
        let columns = known.columns_of(node);
        known.columns.push(columns);
    }
    known.nodes
}

fn of_text(text: &str) -> StableId {
    let (high, low) = hash128(text.as_bytes());
    StableId(high, low)
}

/// What is known of the nodes before one.
struct Known<'p> {
    plan: &'p Plan,
    nodes: Vec<StableId>,
    /// By node, the id of each column of its layout.
    columns: Vec<Vec<StableId>>,
}

/// Text that is being put together; the functions that it calls follow at its end.
struct Content<'k> {
    known: &'k Known<'k>,
    inputs: &'k [NodeId],
    text: String,
    /// Functions that were met: index and, once it was written, nothing left to do.
    called: RefCell<BTreeMap<u32, bool>>,
}

impl Known<'_> {
    fn content(&self, node: NodeId) -> StableId {
        let of = &self.plan.nodes[node as usize];
        let mut content = self.begin(&of.inputs);
        content.op(&of.op, node);
        if goes_by_time(&of.op) {
            for term in &self.plan.streams[of.stream as usize].clock {
                let event = term.input.map(|input| &self.plan.inputs[input as usize].event);
                content.add(&("clock", event, term.delay));
            }
        }
        content.finish()
    }

    fn begin<'k>(&'k self, inputs: &'k [NodeId]) -> Content<'k> {
        Content { known: self, inputs, text: String::new(), called: RefCell::default() }
    }

    fn columns_of(&self, node: NodeId) -> Vec<StableId> {
        let of = &self.plan.nodes[node as usize];
        let layout = &self.plan.layouts[of.layout as usize];
        let own = |index: usize| {
            let column = &layout.columns[index];
            of_text(&format!("{} {:?} {:?}", self.nodes[node as usize], column.name, column.ty))
        };
        let by_item = |items: &[Expr], keys: Option<(&[Key], &Aggregate)>| -> Vec<StableId> {
            let item = |index: usize| {
                let mut content = self.begin(&of.inputs);
                if let Some((keys, aggregate)) = keys {
                    content.aggregate(keys, aggregate);
                }
                match items.get(index) {
                    Some(item) => content.expr(item, 0),
                    None => content.add(&own(index)),
                }
                content.finish()
            };
            (0..layout.columns.len()).map(item).collect()
        };
        let passed = || {
            let before = &self.columns[of.inputs[0] as usize];
            (0..layout.columns.len()).map(|index| before.get(index).copied().unwrap_or_else(|| own(index))).collect()
        };
        match &of.op {
            Op::Project { items, .. } => by_item(items, None),
            Op::Window { aggregate: Some(aggregate), key, .. }
            | Op::AggregateReleased { aggregate, key }
            | Op::AggregateRunning { aggregate, key } => by_item(&aggregate.items, Some((key, aggregate))),
            Op::Input(_) | Op::Timer { .. } | Op::Merge(_) | Op::Process { .. } => {
                (0..layout.columns.len()).map(own).collect()
            }
            Op::Join(_) | Op::Sequence(_) | Op::Late { .. } => (0..layout.columns.len()).map(own).collect(),
            Op::Filter(_) | Op::Retype(_) | Op::Window { .. } | Op::Distinct { .. } | Op::Limit(_) => passed(),
            Op::Print(_) | Op::Log { .. } | Op::Alert { .. } | Op::Send { .. } | Op::Emit => passed(),
        }
    }

    /// Names and ids of all columns of a node: its records.
    fn record(&self, node: NodeId) -> Vec<String> {
        let layout = &self.plan.layouts[self.plan.nodes[node as usize].layout as usize];
        let columns = layout.columns.iter().zip(&self.columns[node as usize]);
        columns.filter(|(column, _)| !column.hidden).map(|(column, id)| format!("{} {id}", column.name)).collect()
    }
}

/// Does the state of an operator depend on its stream's watermark?
fn goes_by_time(op: &Op) -> bool {
    match op {
        Op::Window { window, .. } => !matches!(window, Window::Count { .. }),
        Op::Distinct { within, .. } => within.is_some(),
        Op::Join(_) | Op::Sequence(_) => true,
        _ => false,
    }
}

impl Content<'_> {
    fn add(&mut self, part: &impl std::fmt::Debug) {
        // Writing to memory does not fail.
        _ = writeln!(self.text, "{part:?}");
    }

    /// An expression over the layout of an input.
    fn expr(&mut self, expr: &Expr, port: usize) {
        let named = self.named(expr, Some(port));
        self.add(&named);
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>, port: usize) {
        exprs.into_iter().for_each(|expr| self.expr(expr, port));
    }

    /// The expression with columns by their ids and functions by their names.
    fn named(&self, expr: &Expr, port: Option<usize>) -> Expr {
        let column = |port: usize, column: u32| {
            let node = self.inputs.get(port)?;
            let id = self.known.columns[*node as usize].get(column as usize)?;
            Some(Expr::Const(Value::Str(format!("column {port} {id}").into())))
        };
        expr.map(&|part| match part {
            Expr::Column(index) => column(port?, *index),
            // Of a sequence these are slots, which are its own.
            Expr::Of(input, index) if port.is_none() => column(*input as usize, *index),
            Expr::CallFn(function, args) => {
                self.called.borrow_mut().entry(*function).or_insert(false);
                let name = &self.known.plan.functions[*function as usize].name;
                let args = args.iter().map(|arg| self.named(arg, port));
                Some(Expr::Map(vec![(name.clone(), Expr::Array(args.collect()))]))
            }
            Expr::Record => {
                let node = *self.inputs.get(port?)?;
                let fields = self.known.record(node);
                let open = self.known.plan.layouts[self.known.plan.nodes[node as usize].layout as usize].open;
                Some(Expr::Const(Value::Str(if open { "record".into() } else { fields.join(", ").into() })))
            }
            _ => None,
        })
    }

    fn finish(mut self) -> StableId {
        for node in self.inputs {
            let id = self.known.nodes[*node as usize];
            self.add(&id);
        }
        loop {
            let next = self.called.borrow().iter().find(|(_, written)| !**written).map(|(function, _)| *function);
            let Some(index) = next else { break };
            let function = &self.known.plan.functions[index as usize];
            self.called.borrow_mut().insert(index, true);
            self.add(&(&function.name, &function.params, &function.ret));
            for stmt in &function.body {
                // A statement is an expression for this: a lambda without parameters.
                let body = crate::plan::Body::Block(vec![stmt.clone()]);
                let named = self.named(&Expr::Lambda(vec![], Box::new(body)), None);
                self.add(&named);
            }
        }
        of_text(&self.text)
    }

    fn key(&mut self, key: &[Key]) {
        self.add(&("keys", key.len()));
        self.exprs(key.iter().map(|key| &key.value), 0);
    }

    fn aggregate(&mut self, key: &[Key], aggregate: &Aggregate) {
        self.key(key);
        for call in &aggregate.calls {
            self.add(&call.function);
            self.exprs(&call.argument, 0);
        }
    }

    fn op(&mut self, op: &Op, node: NodeId) {
        match op {
            Op::Input(input) => {
                let input = &self.known.plan.inputs[*input as usize];
                self.add(&("input", &input.event, &input.time_field));
            }
            Op::Timer { interval, initial_delay, .. } => self.add(&("timer", interval, initial_delay)),
            Op::Merge(branches) => {
                for branch in branches {
                    self.add(&("branch", branch.input));
                    self.exprs(&branch.condition, branch.input as usize);
                }
            }
            Op::Filter(condition) => {
                self.add(&"filter");
                self.expr(condition, 0);
            }
            Op::Project { .. } => self.add(&"project"),
            Op::Retype(_) => self.add(&"retype"),
            Op::Window { window, key, aggregate, allowed_lateness, releases_again: _ } => {
                self.add(&("window", window, allowed_lateness));
                match aggregate {
                    Some(aggregate) => self.aggregate(key, aggregate),
                    None => self.key(key),
                }
            }
            Op::AggregateReleased { key, aggregate } => {
                self.add(&"aggregate released");
                self.aggregate(key, aggregate);
            }
            Op::AggregateRunning { key, aggregate } => {
                self.add(&"aggregate running");
                self.aggregate(key, aggregate);
            }
            Op::Distinct { by, within, per_window } => {
                self.add(&("distinct", within, per_window));
                match by.is_empty() {
                    true => self.expr(&Expr::Record, 0),
                    false => self.exprs(by, 0),
                }
            }
            Op::Limit(n) => self.add(&("limit", n)),
            Op::Join(join) => self.join(join),
            Op::Sequence(sequence) => self.sequence(sequence),
            // Its input is the operator whose late records it has.
            Op::Late { .. } => self.add(&"late"),
            _ => self.effect(op, node),
        }
    }

    /// What says or sends something.
    fn effect(&mut self, op: &Op, node: NodeId) {
        match op {
            Op::Process { function, args } => {
                self.add(&"process");
                self.expr(&Expr::CallFn(*function, args.clone()), 0);
            }
            Op::Print(items) => {
                self.add(&"print");
                self.exprs(items, 0);
            }
            Op::Log { level, message, data } => {
                self.add(&("log", level));
                self.exprs(message.iter().chain(data), 0);
            }
            Op::Alert { webhook, .. } => self.add(&("alert", webhook)),
            Op::Send { connector, params, .. } => {
                self.add(&("send", &self.known.plan.connectors[*connector as usize].name, params));
                let record = self.known.record(self.inputs[0]);
                self.add(&record);
            }
            Op::Emit => {
                self.add(&"emit");
                let record = self.known.record(self.inputs[0]);
                self.add(&record);
            }
            other => self.add(&(node, other)),
        }
    }

    fn join(&mut self, join: &Join) {
        self.add(&("join", join.kind, &join.names, join.window));
        for (port, condition) in join.conditions.iter().enumerate() {
            self.exprs(condition, port);
        }
        for equality in &join.equalities {
            self.add(&"equality");
            equality.iter().for_each(|(input, side)| self.expr(side, *input as usize));
        }
        for expr in join.residual.iter() {
            let named = self.named(expr, None);
            self.add(&named);
        }
    }

    fn sequence(&mut self, sequence: &Sequence) {
        let Sequence { within, mode, each, max_runs, whole, .. } = sequence;
        self.add(&("sequence", within, mode, each, max_runs, whole, &sequence.slots));
        for elements in &sequence.alternatives {
            self.add(&"alternative");
            for element in elements {
                match element {
                    Element::Event(event) => self.event("event", event),
                    Element::Absence(event) => self.event("absence", event),
                    Element::And(events) => events.iter().for_each(|event| self.event("and", event)),
                    Element::Or(events) => events.iter().for_each(|event| self.event("or", event)),
                }
            }
        }
        sequence.nots.iter().for_each(|event| self.event("not", event));
        for key in &sequence.key {
            self.add(&"key");
            key.values.iter().enumerate().for_each(|(port, value)| self.expr(value, port));
        }
    }

    fn event(&mut self, role: &str, event: &Event) {
        let Event { input, slot, min, many, within, monotone, .. } = event;
        self.add(&(role, input, slot, min, many, within, monotone));
        let port = *input as usize;
        let pairs = event.equalities.iter().flat_map(|(a, b)| [a, b]);
        self.exprs(event.filter.iter().chain(pairs).chain(&event.condition), port);
    }
}

#[cfg(test)]
mod tests;
