//! Sequences and patterns: from their spelling to the node of the plan.
//!
//! ```text
//! Elements (one form for all spellings) ─► steps ─► plan elements     ┐
//!                                            └─► parts of a match     ├─► Op::Sequence, Matched (what names stand for)
//! modes, .not(…), keys ───────────────────────────────────────────────┘
//! ```

use super::Streams;
use super::chain::Chain;
use super::composite::CompositeId;
use super::elements::Elements;
use super::graph::count;
use super::has_arrow;
use super::matched::{Matched, Of, Part};
use super::record::Record;
use super::shape::Shape;
use crate::ast::{Ident, Op as AstOp, Pattern, Source, StepTarget, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::plan::{ClockTerm, InputId, NodeId, Op, Sequence, StreamId};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Between two arrows only these may stand.
const BETWEEN: [&str; 5] = ["where", "filter", "print", "log", "partition_by"];

/// What a sequence reads.
#[derive(Debug)]
pub(super) struct SequenceInput {
    pub node: NodeId,
    pub shape: Shape,
    /// Type, and aliases of the steps that take it.
    pub names: Vec<Arc<str>>,
}

/// A sequence on its way into the plan.
#[derive(Debug)]
pub(super) struct Draft {
    pub composite: CompositeId,
    pub stream: StreamId,
    pub inputs: Vec<SequenceInput>,
    ports: HashMap<NodeId, u32>,
    slots: HashMap<Arc<str>, u32>,
    /// Patterns that stand as steps, which is refused.
    pub patterns: HashSet<Arc<str>>,
    /// The longest delay of each input.
    clock: IndexMap<Option<InputId>, i64>,
    /// The parts of a match.
    pub matched: Matched,
}

impl Draft {
    fn new(composite: CompositeId, stream: StreamId, event: Arc<str>) -> Draft {
        let (inputs, ports, slots, patterns) = (Vec::new(), HashMap::new(), HashMap::new(), HashSet::new());
        let matched = Matched::new(composite, Of::Sequence, event);
        Draft { composite, stream, inputs, ports, slots, patterns, clock: IndexMap::new(), matched }
    }

    /// The input that a node is.
    pub fn port(&mut self, node: NodeId, shape: &Shape, name: &Arc<str>, clock: &[ClockTerm]) -> u32 {
        if let Some(&port) = self.ports.get(&node) {
            return port;
        }
        for term in clock {
            let delay = self.clock.entry(term.input).or_insert(term.delay);
            *delay = term.delay.max(*delay);
        }
        let port = count(self.inputs.len());
        self.ports.insert(node, port);
        self.inputs.push(SequenceInput { node, shape: shape.clone(), names: vec![name.clone()] });
        port
    }

    /// Where the records of a step go; steps of one name share a slot.
    pub fn slot(&mut self, graph: &mut super::graph::Graph, part: &Part) -> u32 {
        let Some(name) = part.names.first() else {
            return graph.slot(self.composite, &part.prefix, part.node, part.repeats);
        };
        if let Some(&slot) = self.slots.get(name) {
            graph.share_slot(self.composite, slot, part.node, part.repeats);
            return slot;
        }
        let slot = graph.slot(self.composite, &part.prefix, part.node, part.repeats);
        self.slots.insert(name.clone(), slot);
        slot
    }

    /// Adds a part to those of a match, or to the one of its name.
    pub fn add(&mut self, part: Part) {
        match part.names.first().and_then(|name| self.matched.find(name)) {
            Some(known) => self.matched.widen(known, &part),
            None => self.matched.push(part),
        }
    }

    fn clock(&self) -> Vec<ClockTerm> {
        self.clock.iter().map(|(&input, &delay)| ClockTerm { input, delay }).collect()
    }
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// Is the stream a sequence or pattern?
    pub(super) fn is_sequence(&self, ast: &AstStream) -> bool {
        match &ast.source {
            Source::Sequence(..) | Source::Pattern(_) => true,
            Source::Step(step) => has_arrow(ast) || !super::sources::is_plain(step) || self.is_pattern(step),
            _ => false,
        }
    }

    /// The pattern that a stream uses.
    fn used_pattern(&mut self, ast: &AstStream) -> Option<&'a Pattern> {
        let Source::Step(step) = &ast.source else { return None };
        let StepTarget::Name(name) = &step.target else { return None };
        let pattern = self.expressions.declared().pattern(&name.name)?;
        if step.alias.is_some() || !step.conditions.is_empty() || step.quantifier.is_some() || has_arrow(ast) {
            self.named_as_step(name);
        }
        Some(pattern)
    }

    pub(super) fn named_as_step(&mut self, name: &Ident) {
        let problem =
            Diagnostic::new("E0905", name.span, format!("pattern {} as a step is not supported yet", name.name));
        self.expressions.report(problem.help("write its steps here"));
    }

    /// Checks a sequence and gives its matches.
    pub(super) fn sequence(&mut self, ast: &'s AstStream, stream: StreamId) -> (Record, Vec<ClockTerm>) {
        let pattern = self.used_pattern(ast);
        let modes = self.modes(ast, pattern);
        let elements = Elements::of_stream(ast, pattern.map(|pattern| &pattern.expr));
        self.between_arrows(ast);
        let event = ast.name.name.clone();
        let mut draft = Draft::new(self.graph.composite(), stream, event.clone());
        let alternatives = self.steps(&elements, &mut draft);
        self.check_modes(&elements.alternatives, &modes, ast);
        let nots = self.negations(ast, &elements, &mut draft);
        let key = self.sequence_keys(ast, pattern, &mut draft);
        let clock = draft.clock();
        let sequence = Sequence {
            alternatives,
            nots,
            slots: Vec::new(),
            key,
            within: modes.bound,
            mode: modes.mode(),
            each: modes.is_each(),
            max_runs: modes.max_runs(),
            items: Vec::new(),
            whole: false,
        };
        let inputs = draft.inputs.iter().map(|input| input.node).collect();
        let matched = Arc::new(draft.matched);
        let op = Op::Sequence(Box::new(sequence));
        let node = self.graph.add_composite(&matched, op, inputs, stream, ast.name.span);
        let record = Record { event: Some(event), matched: Some(matched), ..Record::new(node, Shape::default()) };
        (record, clock)
    }

    /// Checks a pattern by itself, whether or not a stream uses it.
    pub(super) fn pattern(&mut self, pattern: &'a Pattern) {
        let given_twice = pattern.within.iter().skip(1).map(|(span, _)| (span, "within"));
        for (span, word) in given_twice.chain(pattern.partition.iter().skip(1).map(|(span, _)| (span, "partition by")))
        {
            let problem = Diagnostic::new("E0404", *span, format!("{word} is given twice"));
            self.expressions.report(problem.help("leave one of them out"));
        }
        for (_, within) in &pattern.within {
            self.expressions.positive_duration("within", within);
        }
        let mut draft = Draft::new(self.graph.composite(), 0, pattern.name.name.clone());
        self.steps(&Elements::of_pattern(&pattern.expr), &mut draft);
        for (_, keys) in &pattern.partition {
            keys.iter().for_each(|key| {
                self.plain_key(key, &draft);
            });
        }
    }

    /// E0404 for operators between two arrows.
    fn between_arrows(&mut self, ast: &AstStream) {
        let last_arrow = ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..))).unwrap_or(0);
        for op in &ast.ops[..last_arrow] {
            let word = match op {
                AstOp::Call(word, _) => word.clone(),
                AstOp::EmitAs { word, .. } => Ident { name: "emit".into(), span: *word },
                AstOp::Not(word, _) => Ident { name: "not".into(), span: *word },
                AstOp::Then(..) => continue,
            };
            if !BETWEEN.contains(&&*word.name) && super::chain::is_operator(&word.name) {
                let problem = Diagnostic::new("E0404", word.span, format!(".{} is not allowed here", word.name));
                self.expressions
                    .report(problem.help("between two arrows may stand where, print, log and partition_by"));
            }
        }
    }
}

impl Chain<'_, '_> {
    /// Is this operator a part of the sequence and done with? `keys`: which ones give its keys.
    pub(super) fn belongs_to_sequence(&self, index: usize, last_arrow: Option<usize>, keys: &[usize]) -> bool {
        if last_arrow.is_some_and(|last| index < last) {
            return true;
        }
        match &self.ast.ops[index] {
            AstOp::Then(..) | AstOp::Not(..) => true,
            AstOp::EmitAs { .. } => false,
            AstOp::Call(word, _) => {
                super::chain::OF_SEQUENCES.contains(&&*word.name) || keys.binary_search(&index).is_ok()
            }
        }
    }
}
