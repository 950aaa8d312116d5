//! Streams: from their text to the plan's graph.
//!
//! ```text
//! sources (event, stream, merge, timer) ─► chain of operators ─► Known (what readers of the stream read)
//!                                              │ names are asked of scopes: RecordScope, AggregateScope
//!                                              └─► Graph: nodes, layouts with the columns that are read
//! ```

mod aggregate;
mod chain;
mod composite;
mod conjuncts;
mod elements;
mod ends;
mod graph;
mod items;
mod join;
mod kleene;
mod matched;
mod matched_scope;
mod mentions;
mod modes;
mod partition;
mod record;
mod routing;
mod sequence;
mod shape;
mod simple;
mod sources;
mod steps;
mod windows;

use super::declared::{Declared, Named};
use super::expression::Expressions;
use super::suggestion::did_you_mean;
use crate::ast::{Item, Op as AstOp, Source, StepTarget, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::plan::{self, ClockTerm, NodeId, PLAN_VERSION, Plan};
use crate::value::{Type, Value};
use chain::{Chain, Lateness};
use graph::Graph;
use record::Record;
use shape::Shape;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What readers of a stream read.
#[derive(Clone, Debug)]
struct Known {
    stream: plan::StreamId,
    node: NodeId,
    shape: Shape,
    /// Its own name, and below a chain of mere filters that of the event type.
    names: Vec<Arc<str>>,
    clock: Vec<ClockTerm>,
    /// Have its records its own name as event type already?
    typed: bool,
    /// Its event-time operator, which knows late records.
    late: Option<Lateness>,
    /// The node of its late records, if somebody reads them.
    late_node: Option<NodeId>,
    /// Are its records late ones?
    of_late: bool,
    /// Have they a `_revision`?
    revised: bool,
    /// Is something in it not understood?
    vague: bool,
}

/// All streams of a program on their way into a plan.
struct Streams<'s, 'a> {
    expressions: Expressions<'a>,
    graph: Graph,
    known: HashMap<Arc<str>, Known>,
    /// Of the event types that are read, by their node.
    shapes: HashMap<NodeId, Shape>,
    undeclared: HashSet<Arc<str>>,
    subscriptions: Vec<plan::Subscription>,
    topics: HashMap<Arc<str>, Vec<(u32, Option<Value>)>>,
    asts: Vec<&'s AstStream>,
    streams: Vec<plan::Stream>,
}

/// Checks all streams; the plan is worth something if no error was reported.
pub(super) fn check<'a>(expressions: Expressions<'a>) -> (Plan, super::problems::Problems) {
    let declared = expressions.declared();
    let asts = streams_of(declared);
    let mut streams = Streams {
        expressions,
        graph: Graph::default(),
        known: HashMap::new(),
        shapes: HashMap::new(),
        undeclared: HashSet::new(),
        subscriptions: Vec::new(),
        topics: HashMap::new(),
        streams: asts.iter().map(|ast| fresh(ast)).collect(),
        asts,
    };
    let order = streams.order();
    for index in order {
        streams.stream(index);
    }
    streams.patterns();
    streams.finish()
}

/// The streams that are declared, each once.
fn streams_of<'a>(declared: &Declared<'a>) -> Vec<&'a AstStream> {
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    let mut streams = Vec::new();
    for item in declared.items() {
        if let Item::Stream(stream) = item {
            seen.insert(stream.name.name.clone());
            streams.push(stream);
        }
    }
    streams
}

fn fresh(ast: &AstStream) -> plan::Stream {
    plan::Stream { name: ast.name.name.clone(), node: 0, clock: Vec::new(), used: false, span: ast.name.span }
}

fn id(index: usize) -> u32 {
    u32::try_from(index).expect("a program of limited size has fewer than 2^32 streams")
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// The order in which streams are built; circles are reported.
    fn order(&mut self) -> Vec<usize> {
        let mut places: HashMap<&Arc<str>, usize> = HashMap::new();
        for (index, ast) in self.asts.iter().enumerate().filter(|(_, ast)| self.is_meant(ast)) {
            places.insert(&ast.name.name, index);
        }
        let patterns = patterns_of(self.expressions.declared());
        let uses: Vec<Vec<usize>> = self
            .asts
            .iter()
            .map(|ast| {
                let mut names = routing::reads(ast);
                let through: Vec<&Arc<str>> =
                    names.iter().filter_map(|name| patterns.get(*name)).flatten().copied().collect();
                names.extend(through);
                let mut used: Vec<usize> = names.iter().filter_map(|name| places.get(*name).copied()).collect();
                used.sort_unstable();
                used.dedup();
                used
            })
            .collect();
        let order = routing::order(&uses);
        for circle in &order.circles {
            let names: Vec<&str> =
                circle.iter().chain(circle.first()).map(|index| &*self.asts[*index].name.name).collect();
            let message = format!("streams read in a circle: {}", names.join(" -> "));
            let problem = Diagnostic::new("E0203", self.asts[circle[0]].name.span, message);
            self.expressions.report(problem.help("let one of them read an event type instead"));
        }
        order.streams
    }

    /// Checks the patterns by themselves. What they would read is not read.
    fn patterns(&mut self) {
        let mut patterns = self.expressions.declared().items().iter().filter_map(|item| match item {
            Item::Pattern(pattern) => Some(pattern),
            _ => None,
        });
        let Some(first) = patterns.next() else { return };
        let graph = self.graph.clone();
        for pattern in std::iter::once(first).chain(patterns) {
            self.pattern(pattern);
        }
        self.graph = graph;
    }

    fn stream(&mut self, index: usize) {
        let (ast, stream) = (self.asts[index], id(index));
        if let Some(ty) = &ast.ty {
            let problem = Diagnostic::new("W0102", ty.span, "a stream's type is not checked");
            self.expressions.report(problem.help("leave it out"));
        }
        let (record, clock, event) = self.begin(ast, stream);
        let of_late = self.reads_late(ast);
        let source_names = record.names.clone();
        let mut chain = Chain::new(&mut self.expressions, &mut self.graph, stream, ast, record, clock);
        chain.event = event;
        if let Source::Step(step) = &ast.source {
            let own = if chain.record.matched.is_none() { step.conditions.as_slice() } else { &[] };
            for condition in own {
                chain.keep(condition, condition.span);
            }
        }
        if let Source::Join(_, _, inputs) = &ast.source {
            chain.input_conditions(inputs);
        }
        chain.of_late = of_late;
        if chain.record.matched.is_some() {
            for input in chain.graph.nodes[chain.record.node as usize].inputs.clone() {
                chain.graph.need_late(input);
            }
            chain.late = Some(Lateness {
                operator: chain.record.node,
                record: Record::new(chain.record.node, Shape::unknown()),
            });
        }
        chain.walk();
        let Chain { record, out_of_order, idle, subscriptions, clock, has_output, late, vague, .. } = chain;
        for (word, mut subscription) in subscriptions {
            subscription.idle = idle;
            self.subscribe(&word, subscription);
        }
        let mere_filters = record.replaced.is_empty() && !matches!(ast.source, Source::Merge(..) | Source::Timer(..));
        let mut names = vec![ast.name.name.clone()];
        if mere_filters {
            let alias = match &ast.source {
                Source::Step(step) => step.alias.as_ref().map(|alias| alias.name.clone()),
                _ => None,
            };
            let declared = self.expressions.declared();
            let is_event = |name: &Arc<str>| declared.named(name).is_none_or(|named| named == Named::Event);
            names.extend(source_names.into_iter().filter(|name| Some(name) != alias.as_ref() && is_event(name)));
        }
        let clock: Vec<ClockTerm> = clock
            .into_iter()
            .map(|term| ClockTerm { delay: term.delay.saturating_add(out_of_order), ..term })
            .collect();
        let stream = &mut self.streams[index];
        stream.node = record.node;
        stream.clock = clock.clone();
        stream.used = has_output;
        let affordable = record.matched.as_ref().is_none_or(|matched| self.graph.afford(matched));
        if !affordable || std::mem::take(&mut self.graph.overfull) {
            let problem = Diagnostic::new("E0900", ast.name.span, "a record of so many fields is not supported yet");
            self.expressions.report(problem.help("emit what is needed: .emit(x: a.x)"));
        }
        let typed = record.event.as_ref() == Some(&ast.name.name);
        let (node, of_late, revised) = (record.node, of_late.is_some(), record.revised);
        let shape = if affordable { record.into_shape() } else { Shape::unknown() };
        let stream = id(index);
        let known = Known { stream, node, shape, names, clock, typed, late, late_node: None, of_late, revised, vague };
        if self.is_meant(ast) {
            self.known.insert(ast.name.name.clone(), known);
        }
    }

    /// Is this what its name stands for? A second declaration of a name is checked, but nobody reads it.
    fn is_meant(&self, ast: &AstStream) -> bool {
        self.expressions.declared().is_first(&ast.name)
    }

    fn subscribe(&mut self, word: &crate::ast::Ident, subscription: plan::Subscription) {
        let topic = subscription.params.iter().find(|(name, _)| &**name == "topic").map(|(_, value)| value.clone());
        let topics = self.topics.entry(subscription.event.clone()).or_default();
        let this = (subscription.connector, topic);
        if !topics.is_empty() && !topics.contains(&this) {
            let message =
                format!("events {} come from several topics, and every reader of it sees them all", subscription.event);
            let problem = Diagnostic::new("W0204", word.span, message);
            self.expressions.report(problem.help("give each topic an event type of its own, or filter by a field"));
        }
        topics.push(this);
        self.subscriptions.push(subscription);
    }

    /// W0202, W0203
    fn warn_of_unused(&mut self) {
        let read: HashSet<Arc<str>> = self.asts.iter().flat_map(|ast| routing::reads(ast)).cloned().collect();
        let declared = self.expressions.declared();
        let patterns = patterns_of(declared);
        let through: HashSet<&Arc<str>> = patterns
            .iter()
            .filter(|(name, _)| read.contains(**name))
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        for (index, ast) in self.asts.iter().enumerate() {
            let is_read = read.contains(&ast.name.name) || through.contains(&ast.name.name);
            if is_read {
                self.streams[index].used = true;
            } else if !self.streams[index].used {
                let message = format!("stream {} has no output and no reader", ast.name.name);
                let problem = Diagnostic::new("W0202", ast.name.span, message);
                self.expressions.report(problem.help("add .emit(…) or .to(…)"));
            }
        }
        let within: HashSet<&Arc<str>> = patterns.values().flatten().copied().collect();
        for item in declared.items() {
            if let Item::Pattern(pattern) = item
                && !read.contains(&pattern.name.name)
                && !within.contains(&pattern.name.name)
            {
                let message = format!("pattern {} is never used", pattern.name.name);
                let problem = Diagnostic::new("W0203", pattern.name.span, message);
                self.expressions.report(problem.help(format!("use it: stream S = {}", pattern.name.name)));
            }
        }
    }

    fn finish(mut self) -> (Plan, super::problems::Problems) {
        self.warn_of_unused();
        self.graph.finish();
        let declared = self.expressions.declared();
        declared.event_names().for_each(|event| self.graph.declared_input(event));
        for input in &mut self.graph.inputs {
            let event = declared.event(&input.event);
            input.declared = event.map(|event| event.fields.to_vec());
            let own = |subscription: &&plan::Subscription| subscription.event == input.event;
            let named = self.subscriptions.iter().filter(own).find_map(|subscription| subscription.time_field.clone());
            let typed = || {
                let fields = event.map(|event| event.fields.as_slice()).unwrap_or_default();
                fields.iter().find(|(_, ty)| *ty == Type::Time).map(|(name, _)| name.clone())
            };
            input.time_field = named.or_else(typed);
            let places =
                self.subscriptions.iter().enumerate().filter(|(_, subscription)| subscription.event == input.event);
            input.subscriptions = places.map(|(place, _)| id(place)).collect();
        }
        let checked = self.expressions.finish();
        let plan = Plan {
            version: PLAN_VERSION,
            connectors: checked.connectors,
            subscriptions: self.subscriptions,
            inputs: self.graph.inputs,
            layouts: self.graph.layouts,
            nodes: self.graph.nodes,
            streams: self.streams,
            functions: checked.functions,
        };
        (plan, checked.problems)
    }

    /// Is a name known to stand for a pattern?
    fn is_pattern(&self, step: &crate::ast::Step) -> bool {
        match &step.target {
            StepTarget::Name(name) => self.expressions.declared().named(&name.name) == Some(Named::Pattern),
            StepTarget::Group(_) => false,
        }
    }
}

/// Names that patterns read, by the pattern.
fn patterns_of<'a>(declared: &Declared<'a>) -> HashMap<&'a Arc<str>, Vec<&'a Arc<str>>> {
    let mut patterns = HashMap::new();
    for item in declared.items() {
        if let Item::Pattern(pattern) = item {
            let mut names = Vec::new();
            routing::of_pattern(&pattern.expr, &mut names);
            patterns.insert(&pattern.name.name, names);
        }
    }
    patterns
}

/// Has the chain an arrow?
fn has_arrow(ast: &AstStream) -> bool {
    ast.ops.iter().any(|op| matches!(op, AstOp::Then(..)))
}

/// Names near to an unknown one.
fn near(name: &str, known: &[Arc<str>]) -> Option<String> {
    did_you_mean(name, known.iter().map(|name| &**name))
}
