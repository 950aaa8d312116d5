//! Joins: their inputs, conditions and window.

use super::Streams;
use super::chain::Chain;
use super::matched::{Matched, Of, Part};
use super::record::Record;
use super::shape::Shape;
use super::sources::{conditions, join_clocks};
use crate::ast::{Arg, Ident, Input, JoinKind, Op as AstOp, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::plan::{ClockTerm, Op, StreamId};
use crate::span::Span;
use std::collections::HashSet;
use std::sync::Arc;

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// Checks the inputs of a join and gives its rows.
    pub(super) fn join(
        &mut self,
        ast: &AstStream,
        (kind, word): (JoinKind, Span),
        inputs: &[Input],
        stream: StreamId,
    ) -> (Record, Vec<ClockTerm>) {
        self.refuse_doubles(inputs);
        self.refuse_double_inputs(inputs);
        if kind != JoinKind::Inner && inputs.len() > 2 {
            let problem = Diagnostic::new("E0907", word, "outer joins of more than two inputs are not supported yet");
            self.expressions.report(problem.help("join two of them, and the result with the third"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut clock = Vec::new();
        let mut by_type: Vec<Vec<Arc<str>>> = Vec::new();
        for input in inputs {
            let reading = self.reading(&input.source, stream);
            self.refuse_late(&reading, input.source.span);
            clock = join_clocks(clock, &reading.clock);
            let own = input.name.as_ref().or(input.alias.as_ref()).unwrap_or(&input.source);
            let given = input.name.iter().chain(&input.alias).map(|name| name.name.clone());
            let record = reading.record(given.clone());
            conditions(&mut self.expressions, &mut self.graph, &record, &input.conditions);
            let mut names: Vec<Arc<str>> = given.collect();
            let alone = inputs.iter().filter(|other| other.source.name == input.source.name).count() == 1;
            names.extend(Some(input.source.name.clone()).filter(|_| alone || names.is_empty()));
            by_type.push(reading.names.clone());
            parts.push(Part {
                names,
                prefix: own.name.clone(),
                node: reading.node,
                shape: reading.shape,
                repeats: false,
            });
        }
        // By type, below mere filters too, if one input alone has it.
        for (part, names) in parts.iter_mut().zip(&by_type) {
            let alone = |name: &&Arc<str>| by_type.iter().filter(|names| names.contains(name)).count() == 1;
            let more: Vec<Arc<str>> =
                names.iter().filter(alone).filter(|name| !part.names.contains(name)).cloned().collect();
            part.names.extend(more);
        }
        let is = |op: &AstOp, name: &str| matches!(op, AstOp::Call(word, _) if &*word.name == name);
        let vague = super::chain::is_vague(ast);
        if !vague && !ast.ops.iter().any(|op| is(op, "on")) && inputs.iter().all(|input| input.on.is_empty()) {
            let problem = Diagnostic::new("E0507", word, "join needs .on(condition)");
            self.expressions.report(problem.help("say which records belong together: .on(A.id == B.id)"));
        }
        if !vague && !ast.ops.iter().any(|op| is(op, "window")) {
            let problem = Diagnostic::new("W0502", word, "join without window: records wait one minute for each other");
            self.expressions.report(problem.help("add .window(1m)"));
        }
        let layout = self.graph.open();
        let node = self.graph.add(Op::Emit, Vec::new(), layout, stream, word);
        let event = Some(ast.name.name.clone());
        let matched = Some(Arc::new(Matched { parts, of: Of::Join, keys: Vec::new() }));
        let record = Record { event, matched, ..Record::new(node, Shape::default()) };
        (record, clock)
    }
}

impl Streams<'_, '_> {
    /// E0213 for an input that goes by a name that another one has already.
    fn refuse_double_inputs(&mut self, inputs: &[Input]) {
        let mut seen: HashSet<&Arc<str>> = HashSet::new();
        for name in inputs.iter().map(|input| input.name.as_ref().or(input.alias.as_ref()).unwrap_or(&input.source)) {
            if !seen.insert(&name.name) {
                let problem = Diagnostic::new("E0213", name.span, format!("{} is used twice", name.name));
                self.expressions.report(problem.help(format!("give one of them another name: {} as x", name.name)));
            }
        }
    }
}

impl Chain<'_, '_> {
    /// Does the chain give rows of a join?
    pub(super) fn is_join(&self) -> bool {
        self.record.matched.as_ref().is_some_and(|matched| matched.of == Of::Join)
    }

    /// Conditions of the inputs that stand within the parentheses.
    pub(super) fn input_conditions(&mut self, inputs: &[Input]) {
        for (_, condition) in inputs.iter().flat_map(|input| &input.on) {
            self.condition(condition);
        }
    }

    /// `.on(c)`
    pub(super) fn on(&mut self, word: &Ident, args: &[Arg]) {
        if !self.is_join() {
            let problem = Diagnostic::new("E0507", word.span, ".on belongs to a join");
            self.expressions.report(problem.help("use .where(…) for a condition"));
            return;
        }
        let bound = self.bind(word, &["condition"], 1, args);
        if let Some(condition) = bound.args[0] {
            self.condition(&condition.value);
        }
    }

    /// The join's own window.
    pub(super) fn join_window(&mut self, word: &Ident, args: &[Arg]) {
        self.joined = true;
        match args {
            [Arg { name: None, value }] => {
                self.expressions.positive_duration("window", value);
            }
            args => {
                args.iter().for_each(|arg| {
                    self.check(&arg.value);
                });
                let (what, help) = ("one positive duration", "the first .window is that of the join: .window(1m)");
                self.expressions.misfit("window", what, help, word.span);
            }
        }
    }
}
