//! Where a stream's records come from: an event type, another stream, a merge, a timer.

use super::graph::Graph;
use super::record::{Record, RecordScope};
use super::shape::Shape;
use super::{Known, Streams, near};
use crate::ast::{Arg, Expr as AstExpr, Ident, Input, Source, Step, StepTarget, Stream as AstStream};
use crate::check::declared::Named;
use crate::check::expression::{Expressions, Parameters};
use crate::diagnostic::Diagnostic;
use crate::plan::{Branch, ClockTerm, Expr, NodeId, Op, StreamId};
use crate::span::Span;
use crate::value::Type;
use std::collections::HashSet;
use std::sync::Arc;

/// What a name gives to those who read it.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub node: NodeId,
    pub shape: Shape,
    /// Names that its records go by besides an alias.
    pub names: Vec<Arc<str>>,
    pub clock: Vec<ClockTerm>,
    /// Is it an event type from outside?
    pub event: Option<Arc<str>>,
    /// Are its records late ones?
    pub of_late: bool,
    /// Have they a `_revision`?
    pub revised: bool,
}

impl Reading {
    pub fn record(&self, more: impl IntoIterator<Item = Arc<str>>) -> Record {
        let mut names: Vec<Arc<str>> = more.into_iter().collect();
        names.extend(self.names.iter().cloned());
        Record { names, revised: self.revised, ..Record::new(self.node, self.shape.clone()) }
    }
}

/// The longest delay of each input on two ways.
pub(super) fn join_clocks(mut terms: Vec<ClockTerm>, more: &[ClockTerm]) -> Vec<ClockTerm> {
    for term in more {
        match terms.iter_mut().find(|known| known.input == term.input) {
            Some(known) => known.delay = known.delay.max(term.delay),
            None => terms.push(term.clone()),
        }
    }
    terms
}

/// Is a step no more than a name, perhaps with an alias and conditions?
pub(super) fn is_plain(step: &Step) -> bool {
    let named = matches!(step.target, StepTarget::Name(_));
    named
        && !step.negated
        && !step.all
        && step.quantifier.is_none()
        && step.monotone.is_empty()
        && step.within.is_none()
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// What a name stands for as a source.
    pub(super) fn reading(&mut self, name: &Ident, stream: StreamId) -> Reading {
        if let Some(known) = self.known.get_mut(&name.name) {
            if !known.typed {
                let layout = self.graph.layout_of(known.node);
                let retype = Op::Retype(name.name.clone());
                known.node = self.graph.add(retype, vec![known.node], layout, known.stream, name.span);
                known.typed = true;
            }
            let Known { node, shape, names, clock, of_late, revised, .. } = known.clone();
            return Reading { node, shape, names, clock, event: None, of_late, revised };
        }
        if matches!(self.expressions.declared().named(&name.name), Some(Named::Stream | Named::Pattern)) {
            // A stream of a circle (reported), or a pattern in a wrong place: nothing follows from it.
            if self.expressions.declared().is_pattern(&name.name) {
                let message = format!("pattern {} is not supported here yet", name.name);
                let problem = Diagnostic::new("E0905", name.span, message);
                self.expressions.report(problem.help(format!("make it a stream: stream S = {}", name.name)));
            }
            let node = self.reading_of_nothing(stream, name);
            let names = vec![name.name.clone()];
            let (clock, of_late, revised) = (Vec::new(), false, false);
            return Reading { node, shape: Shape::unknown(), names, clock, event: None, of_late, revised };
        }
        if self.expressions.declared().event(&name.name).is_none() && self.undeclared.insert(name.name.clone()) {
            let message = format!("event {} is not declared; its fields are not checked", name.name);
            let problem = Diagnostic::new("W0201", name.span, message);
            self.expressions.report(problem.help(format!("declare it: event {}: …", name.name)));
        }
        let node = self.graph.input(&name.name, stream, name.span);
        let Op::Input(input) = self.graph.nodes[node as usize].op else { unreachable!("an event type is an input") };
        let declared = self.expressions.declared();
        let shape = self.shapes.entry(node).or_insert_with(|| Shape::of_event(&name.name, declared)).clone();
        Reading {
            node,
            shape,
            names: vec![name.name.clone()],
            clock: vec![ClockTerm { input: Some(input), delay: 0 }],
            event: Some(name.name.clone()),
            of_late: false,
            revised: false,
        }
    }

    /// A node of which nothing is known, for a name that was refused.
    pub(super) fn reading_of_nothing(&mut self, stream: StreamId, name: &Ident) -> NodeId {
        let layout = self.graph.open();
        self.graph.add(Op::Emit, Vec::new(), layout, stream, name.span)
    }

    /// The records that a plain stream begins with.
    pub(super) fn begin(&mut self, ast: &'s AstStream, stream: StreamId) -> (Record, Vec<ClockTerm>, Option<Arc<str>>) {
        if self.is_sequence(ast) {
            let (record, clock) = self.sequence(ast, stream);
            return (record, clock, None);
        }
        match &ast.source {
            Source::Join(kind, word, inputs) => {
                let (record, clock) = self.join(ast, (*kind, *word), inputs, stream);
                (record, clock, None)
            }
            Source::Step(step) => {
                let StepTarget::Name(name) = &step.target else { return self.nothing(stream, step.span) };
                let reading = self.reading(name, stream);
                let record = reading.record(step.alias.iter().map(|alias| alias.name.clone()));
                (record, reading.clock, reading.event)
            }
            Source::Merge(word, inputs) => {
                let (record, clock) = self.merge(*word, inputs, stream);
                (record, clock, None)
            }
            Source::Timer(word, args) => {
                let record = self.timer(ast, *word, args, stream);
                (record, vec![ClockTerm { input: None, delay: 0 }], None)
            }
            Source::Unsupported(word) => {
                let message = format!("source {} is not supported yet", word.name);
                self.expressions.report(Diagnostic::new("E0901", word.span, message));
                self.nothing(stream, word.span)
            }
            Source::Late(word, of) => {
                let (record, clock) = self.late_records(*word, of, stream);
                (record, clock, None)
            }
            _ => self.nothing(stream, ast.name.span),
        }
    }

    /// The late records of a stream, as they stand in front of the operator that they are late for.
    fn late_records(&mut self, word: Span, of: &Ident, stream: StreamId) -> (Record, Vec<ClockTerm>) {
        let Some(known) = self.known.get_mut(&of.name) else {
            if !self.expressions.declared().is_stream(&of.name) {
                let known = self.expressions.declared().names_of_streams();
                let problem = Diagnostic::new("E0202", of.span, format!("unknown stream {}", of.name));
                let help = near(&of.name, &known).unwrap_or_else(|| "name a stream with a window".into());
                self.expressions.report(problem.help(help));
            }
            let (record, clock, _) = self.nothing(stream, of.span);
            return (record, clock);
        };
        let clock = known.clock.clone();
        let Some(late) = &known.late else {
            if !known.vague {
                let message = format!("stream {} has no late records", of.name);
                let help = "only time windows, sessions, sequences and joins know late records";
                self.expressions.report(Diagnostic::new("E0510", of.span, message).help(help));
            }
            let (record, ..) = self.nothing(stream, of.span);
            return (record, clock);
        };
        let node = *known.late_node.get_or_insert_with(|| {
            let of = self.graph.nodes[late.operator as usize].stream;
            self.graph.late(late.operator, of, stream, word)
        });
        let Record { shape, names, revised, .. } = late.record.clone();
        let is_event = |name: &Arc<str>| {
            self.undeclared.contains(name) || self.expressions.declared().named(name) == Some(Named::Event)
        };
        let names = names.into_iter().filter(is_event).chain([of.name.clone()]).collect();
        (Record { names, revised, ..Record::new(node, shape) }, clock)
    }

    /// Where a stream reads late records, if it does.
    pub(super) fn reads_late(&self, ast: &AstStream) -> Option<Span> {
        let is_late = |name: &&Ident| self.known.get(&name.name).is_some_and(|known| known.of_late);
        match &ast.source {
            Source::Late(_, of) => Some(of.span),
            Source::Step(step) => match &step.target {
                StepTarget::Name(name) => Some(name).filter(is_late).map(|name| name.span),
                StepTarget::Group(_) => None,
            },
            Source::Merge(_, inputs) => inputs.iter().map(|input| &input.source).find(is_late).map(|name| name.span),
            _ => None,
        }
    }

    /// E0510 for a sequence or join over late records.
    pub(super) fn refuse_late(&mut self, reading: &Reading, span: Span) {
        if reading.of_late {
            refuse_late(&mut self.expressions, span);
        }
    }

    /// Records of which nothing is known, for what was refused.
    pub(super) fn nothing(&mut self, stream: StreamId, span: Span) -> (Record, Vec<ClockTerm>, Option<Arc<str>>) {
        let layout = self.graph.open();
        let node = self.graph.add(Op::Emit, Vec::new(), layout, stream, span);
        let record = Record { windowed: true, ..Record::new(node, Shape::unknown()) };
        (record, Vec::new(), None)
    }

    fn merge(&mut self, word: Span, inputs: &[Input], stream: StreamId) -> (Record, Vec<ClockTerm>) {
        self.refuse_doubles(inputs);
        let mut nodes: Vec<NodeId> = Vec::new();
        let mut branches = Vec::new();
        let mut shape: Option<Shape> = None;
        let (mut clock, mut names) = (Vec::new(), Vec::new());
        for input in inputs {
            for (word, _) in &input.on {
                let problem = Diagnostic::new("E0507", *word, ".on belongs to a join");
                self.expressions.report(problem.help("use .where(…) for a condition"));
            }
            let reading = self.reading(&input.source, stream);
            let own = input.name.iter().chain(&input.alias).map(|name| name.name.clone());
            let record = reading.record(own);
            names.extend(record.names.iter().cloned());
            let condition = conditions(&mut self.expressions, &mut self.graph, &record, &input.conditions);
            let port = nodes.iter().position(|node| *node == reading.node).unwrap_or_else(|| {
                nodes.push(reading.node);
                nodes.len() - 1
            });
            let input = u32::try_from(port).unwrap_or(u32::MAX);
            branches.push(Branch { input, condition, columns: Vec::new() });
            shape = Some(shape.map_or(reading.shape.clone(), |shape| shape.union(&reading.shape)));
            clock = join_clocks(clock, &reading.clock);
        }
        let shape = shape.unwrap_or_default();
        let node = self.graph.merge(Op::Merge(branches), nodes, &shape, stream, word);
        (Record { names, ..Record::new(node, shape) }, clock)
    }

    /// E0213
    pub(super) fn refuse_doubles(&mut self, inputs: &[Input]) {
        let mut seen: HashSet<&Arc<str>> = HashSet::new();
        for name in inputs.iter().flat_map(|input| input.name.iter().chain(&input.alias)) {
            if !seen.insert(&name.name) {
                let problem = Diagnostic::new("E0213", name.span, format!("{} is used twice", name.name));
                self.expressions.report(problem.help("give one of them another name"));
            }
        }
    }

    fn timer(&mut self, ast: &AstStream, word: Span, args: &[Arg], stream: StreamId) -> Record {
        let callee = Ident { name: "timer".into(), span: word };
        let names = ["interval", "initial_delay"];
        let parameters = Parameters { names: &names, positional: 1, required: 1, given: 0 };
        let bound = self.expressions.bind(&callee, parameters, args);
        let interval = bound.args[0].and_then(|arg| self.expressions.positive_duration("timer", &arg.value));
        let interval = interval.unwrap_or(1);
        let initial_delay = match bound.args[1] {
            Some(arg) => self.expressions.positive_duration("initial_delay", &arg.value).unwrap_or(interval),
            None => interval,
        };
        let fields: [(Arc<str>, Type); 2] = [("timestamp".into(), Type::Int), ("tick".into(), Type::Int)];
        let columns = fields.iter().map(|(name, ty)| super::graph::column(name.clone(), ty.clone())).collect();
        let layout = self.graph.closed(columns);
        let event = format!("Timer_{}", ast.name.name).into();
        let node = self.graph.add(Op::Timer { interval, initial_delay, event }, Vec::new(), layout, stream, word);
        Record::new(node, Shape::of(fields))
    }
}

/// E0510
pub(super) fn refuse_late(expressions: &mut Expressions, span: Span) {
    let problem = Diagnostic::new("E0510", span, "late() cannot feed event-time operators");
    expressions.report(problem.help("late records have missed their time: count them, or send them on"));
}

/// All conditions of an input, joined by `and`.
pub(super) fn conditions(
    expressions: &mut Expressions,
    graph: &mut Graph,
    record: &Record,
    conditions: &[AstExpr],
) -> Option<Expr> {
    let mut all: Option<Expr> = None;
    for condition in conditions {
        let next = expressions.condition(condition, &mut RecordScope { graph, record }).expr;
        all = Some(match all {
            Some(before) => Expr::And(Box::new(before), Box::new(next)),
            None => next,
        });
    }
    all
}
