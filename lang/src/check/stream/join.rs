//! Joins: their inputs, conditions and window.

use super::Streams;
use super::chain::Chain;
use super::conjuncts;
use super::matched::{Matched, Of, Part};
use super::matched_scope::MatchedScope;
use super::record::Record;
use super::shape::Shape;
use super::sources::{Reading, conditions, join_clocks};
use crate::ast::{Arg, Expr as AstExpr, Ident, Input, JoinKind, Op as AstOp, Source, Stream as AstStream};
use crate::diagnostic::Diagnostic;
use crate::plan::{ClockTerm, Expr, Join, Op, StreamId};
use crate::span::Span;
use std::collections::HashSet;
use std::sync::Arc;

/// Records wait so long for each other if nothing is said, in ns.
const WINDOW_NS: i64 = 60_000_000_000;

/// Most inputs of a join: a bare field may be one of each of them.
const JOIN_INPUTS: usize = 128;

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
        if inputs.len() > JOIN_INPUTS {
            let message = format!("a join of more than {JOIN_INPUTS} inputs is not supported yet");
            self.expressions.report(Diagnostic::new("E0900", word, message).help("join some of them, and the result"));
        }
        let inputs = &inputs[..inputs.len().min(JOIN_INPUTS)];
        self.ask_for_condition(ast, word, inputs);
        let event = ast.name.name.clone();
        let mut matched = Matched::new(self.graph.composite(), Of::Join, event.clone());
        let mut clock = Vec::new();
        let mut by_type: Vec<Vec<Arc<str>>> = Vec::new();
        let mut join = Join {
            kind,
            names: Vec::new(),
            conditions: Vec::new(),
            equalities: Vec::new(),
            residual: None,
            window: WINDOW_NS,
            items: Vec::new(),
            whole: false,
        };
        for (place, input) in (0..).zip(inputs) {
            let reading = self.reading(&input.source, stream);
            self.refuse_late(&reading, input.source.span);
            clock = join_clocks(clock, &reading.clock);
            let own = input.name.as_ref().or(input.alias.as_ref()).unwrap_or(&input.source);
            let given = input.name.iter().chain(&input.alias).map(|name| name.name.clone());
            let record = reading.record(given.clone());
            join.conditions.push(conditions(&mut self.expressions, &mut self.graph, &record, &input.conditions));
            join.names.push(own.name.clone());
            let mut names: Vec<Arc<str>> = given.collect();
            let alone = inputs.iter().filter(|other| other.source.name == input.source.name).count() == 1;
            names.extend(Some(input.source.name.clone()).filter(|_| alone || names.is_empty()));
            by_type.push(reading.names.clone());
            let Reading { node, shape, .. } = reading;
            let prefix = own.name.clone();
            matched.push(Part { names, prefix, node, place, shape, repeats: false, shown: true });
        }
        // By type, below mere filters too, if one input alone has it.
        for (part, names) in by_type.iter().enumerate() {
            let alone = |name: &&Arc<str>| by_type.iter().filter(|names| names.contains(name)).count() == 1;
            for name in names.iter().filter(alone) {
                if !matched.parts[part].names.contains(name) {
                    matched.name(part, name.clone());
                }
            }
        }
        let nodes = matched.parts.iter().map(|part| part.node).collect();
        let matched = Arc::new(matched);
        let node = self.graph.add_composite(&matched, Op::Join(join), nodes, stream, word);
        let record = Record { event: Some(event), matched: Some(matched), ..Record::new(node, Shape::default()) };
        (record, clock)
    }

    /// E0507, W0502
    fn ask_for_condition(&mut self, ast: &AstStream, word: Span, inputs: &[Input]) {
        let is = |op: &AstOp, name: &str| matches!(op, AstOp::Call(word, _) if &*word.name == name);
        if super::chain::is_vague(ast) {
            return;
        }
        if !ast.ops.iter().any(|op| is(op, "on")) && inputs.iter().all(|input| input.on.is_empty()) {
            let problem = Diagnostic::new("E0507", word, "join needs .on(condition)");
            self.expressions.report(problem.help("say which records belong together: .on(A.id == B.id)"));
        }
        if !ast.ops.iter().any(|op| is(op, "window")) {
            let problem = Diagnostic::new("W0502", word, "join without window: records wait one minute for each other");
            self.expressions.report(problem.help("add .window(1m)"));
        }
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
            self.join_condition(condition);
        }
    }

    /// `.on(c)`
    pub(super) fn on(&mut self, word: &Ident, args: &[Arg]) {
        if !self.is_join() {
            let (message, help) = match &self.ast.source {
                Source::Join(..) => {
                    (".on belongs to a join, and here its row has been replaced", "move it in front of that")
                }
                _ => (".on belongs to a join", "use .where(…) for a condition"),
            };
            self.expressions.report(Diagnostic::new("E0507", word.span, message).help(help));
            return;
        }
        let bound = self.bind(word, &["condition"], 1, args);
        if let Some(condition) = bound.args[0] {
            self.join_condition(&condition.value);
        }
    }

    /// A condition that belongs to the join: its equalities between inputs are keys, the rest is asked of each row.
    fn join_condition(&mut self, condition: &AstExpr) {
        let Some(matched) = self.record.matched.clone() else { return };
        let mut scope = MatchedScope::new(self.graph, &matched);
        let condition = self.expressions.condition(condition, &mut scope).expr;
        let mut conjuncts = Vec::new();
        conjuncts::split(condition, &mut conjuncts);
        let Some(join) = self.own_join() else { return };
        for conjunct in conjuncts {
            match conjuncts::equality(&conjunct).and_then(|(left, right)| Some((of_input(left)?, of_input(right)?))) {
                Some((left, right)) if left.0 != right.0 => add_equality(&mut join.equalities, left, right),
                _ => join.residual = conjuncts::all(join.residual.take().into_iter().chain([conjunct])),
            }
        }
    }

    /// The join that the chain begins with.
    fn own_join(&mut self) -> Option<&mut Join> {
        let matched = self.record.matched.as_ref().filter(|matched| matched.of == Of::Join)?;
        match &mut self.graph.composite_node(matched.composite).op {
            Op::Join(join) => Some(join),
            _ => None,
        }
    }

    /// The join's own window.
    pub(super) fn join_window(&mut self, word: &Ident, args: &[Arg]) {
        self.joined = true;
        match args {
            [Arg { name: None, value }] => {
                if let Some(window) = self.expressions.positive_duration("window", value)
                    && let Some(join) = self.own_join()
                {
                    join.window = window;
                }
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

/// The input that a value is made of alone, and the value over the columns of that input.
fn of_input(value: &Expr) -> Option<(u32, Expr)> {
    let reads = conjuncts::reads(value);
    let [input] = reads.parts[..] else { return None };
    let over_columns = |part: &Expr| match part {
        Expr::Of(_, column) => Some(Expr::Column(*column)),
        Expr::Captured(..) => Some(Expr::Record),
        _ => None,
    };
    (!reads.other && !reads.record).then(|| (input, value.map(&over_columns)))
}

/// Adds an equality of two values. What is equal to the same value is one equality: `A.k == B.k and B.k == C.k`.
fn add_equality(equalities: &mut Vec<Vec<(u32, Expr)>>, left: (u32, Expr), right: (u32, Expr)) {
    for (known, new) in [(&left, &right), (&right, &left)] {
        let group = equalities.iter_mut().find(|group| group.contains(known));
        if let Some(group) = group.filter(|group| group.iter().all(|(input, _)| *input != new.0)) {
            group.push(new.clone());
            return;
        }
    }
    equalities.push(vec![left, right]);
}
