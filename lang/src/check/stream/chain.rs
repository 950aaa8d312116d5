//! A stream's operators, one after the other: what the records are at each place, and the nodes that they become.

use super::graph::{Graph, column};
use super::matched::{Of, REVISION};
use super::record::{Record, RecordScope};
use super::shape::Shape;
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident, Op as AstOp, Stream as AstStream};
use crate::check::expression::{Bound, Expressions, Parameters};
use crate::check::scope::Typed;
use crate::check::suggestion::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::plan::{ClockTerm, ColumnDef, Expr, Key, NodeId, Op, StreamId, Subscription, Window};
use crate::span::Span;
use crate::value::Type;
use std::collections::HashSet;
use std::sync::Arc;

/// Where a chain stands with its window and aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// No window yet.
    Before,
    /// Behind a window that releases its records.
    Windowed,
    /// Behind the aggregate.
    Aggregated,
}

/// A window of the chain.
#[derive(Clone, Debug)]
pub(super) struct OpenWindow {
    pub node: NodeId,
    pub bounds: Option<Window>,
    pub keys: Vec<(Key, Type)>,
}

/// The event-time operator of a stream, and the records that may come too late for it.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    pub operator: NodeId,
    pub record: Record,
}

/// What `.partition_by` gave last.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub keys: Vec<(Key, Type)>,
    pub word: Span,
    pub used: bool,
    /// Did it stand behind the window?
    pub behind_window: bool,
    /// As written: what a function emits has to be asked for its keys again.
    pub args: Vec<Arg>,
}

/// A stream on its way into the plan.
pub(super) struct Chain<'c, 'a> {
    pub expressions: &'c mut Expressions<'a>,
    pub graph: &'c mut Graph,
    pub stream: StreamId,
    pub ast: &'c AstStream,
    pub record: Record,
    pub stage: Stage,
    pub window: Option<OpenWindow>,
    pub partition: Option<Partition>,
    /// `.watermark(out_of_order:, idle:)`
    pub out_of_order: i64,
    pub idle: Option<i64>,
    /// `.allowed_lateness(d)`: where it stands, ns.
    pub allowed_lateness: Option<(Span, i64)>,
    /// Does the stream read an event type from outside directly?
    pub event: Option<Arc<str>>,
    pub subscriptions: Vec<(Ident, Subscription)>,
    pub has_emit: bool,
    pub has_output: bool,
    pub processed: bool,
    pub clock: Vec<ClockTerm>,
    /// Has the join had its window?
    pub joined: bool,
    /// Is an operator not understood, so that nothing may be said about what is missing?
    pub vague: bool,
    /// Its event-time operator, which knows late records.
    pub late: Option<Lateness>,
    /// Where it reads late records, if it does.
    pub of_late: Option<Span>,
    /// Does it correct results (`.allowed_lateness`)?
    pub corrects: bool,
    /// Which of [`MATCH_BOUNDS`] are read behind the operator that is being read: with the last one that reads them.
    bounds: Vec<(&'static str, usize)>,
    given: HashSet<Arc<str>>,
    /// Index of the operator that is being read.
    at: usize,
}

/// Operators of other systems that are known and refused.
const UNSUPPORTED: [&str; 14] = [
    "forecast",
    "trend_aggregate",
    "score",
    "enrich",
    "pattern",
    "map",
    "tap",
    "collect",
    "on_error",
    "order_by",
    "any",
    "all",
    "concurrent",
    "subsets",
];

const OPERATORS: [&str; 22] = [
    "from",
    "to",
    "where",
    "filter",
    "having",
    "select",
    "emit",
    "partition_by",
    "window",
    "aggregate",
    "distinct",
    "limit",
    "first",
    "process",
    "print",
    "log",
    "alert",
    "watermark",
    "allowed_lateness",
    "context",
    "within",
    "on",
];

/// Operators that act on sequences only.
pub(super) const OF_SEQUENCES: [&str; 10] =
    ["within", "not", "strict", "skip_till_next", "stnm", "skip_till_any", "stam", "each", "longest", "max_runs"];

/// What is known of a match also when its record has been replaced.
const MATCH_BOUNDS: [&str; 3] = ["match_start", "match_end", "match_duration_ms"];

/// Operators that may be given once.
const ONCE: [&str; 5] = ["context", "watermark", "allowed_lateness", "within", "max_runs"];

impl<'c, 'a> Chain<'c, 'a> {
    /// A chain that begins with these records.
    pub fn new(
        expressions: &'c mut Expressions<'a>,
        graph: &'c mut Graph,
        stream: StreamId,
        ast: &'c AstStream,
        record: Record,
        clock: Vec<ClockTerm>,
    ) -> Self {
        Chain {
            expressions,
            graph,
            stream,
            ast,
            record,
            stage: Stage::Before,
            window: None,
            partition: None,
            out_of_order: 0,
            idle: None,
            allowed_lateness: None,
            event: None,
            subscriptions: Vec::new(),
            has_emit: false,
            has_output: false,
            processed: false,
            clock,
            joined: false,
            vague: is_vague(ast),
            late: None,
            of_late: None,
            corrects: ast.ops.iter().any(|op| matches!(op, AstOp::Call(name, _) if &*name.name == "allowed_lateness")),
            bounds: super::mentions::last_mentions(&ast.ops, &MATCH_BOUNDS),
            given: HashSet::new(),
            at: 0,
        }
    }

    /// All operators. Those that belong to a sequence have been taken by it.
    pub fn walk(&mut self) {
        let sequence = self.record.matched.as_ref().is_some_and(|matched| matched.of == Of::Sequence);
        self.has_emit = self.ast.ops.iter().any(|op| match op {
            AstOp::EmitAs { .. } => true,
            AstOp::Call(name, _) => &*name.name == "emit",
            _ => false,
        });
        let last_arrow = self.ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..)));
        let keys = if sequence { super::partition::own_partition(self.ast) } else { Vec::new() };
        for (index, op) in self.ast.ops.iter().enumerate() {
            self.at = index;
            if sequence && self.belongs_to_sequence(index, last_arrow, &keys) {
                self.once(op);
                self.between_arrows(op);
                continue;
            }
            match op {
                AstOp::EmitAs { word, ty, args } => {
                    let word = Ident { name: "emit".into(), span: *word };
                    self.place(&word, index);
                    self.emit(&word, Some(ty), args);
                }
                AstOp::Call(name, args) => {
                    self.place(name, index);
                    self.operator(name, args);
                }
                AstOp::Not(word, _) => {
                    let word = Ident { name: "not".into(), span: *word };
                    self.sequence_only(&word);
                }
                AstOp::Then(..) => {}
            }
        }
        self.end();
    }

    fn end(&mut self) {
        if self.processed && !self.has_emit && !self.has_output {
            let word = self.ast.name.span;
            self.output(Op::Emit, word);
        }
        self.drop_partition();
        self.check_lateness();
    }

    fn check_lateness(&mut self) {
        let Some((word, lateness)) = self.allowed_lateness else { return };
        match self.window.as_ref().map(|window| (window.node, &window.bounds)) {
            Some((_, None)) => {}
            Some((node, Some(Window::Time { .. }))) => {
                if let Op::Window { allowed_lateness, .. } = &mut self.graph.nodes[node as usize].op {
                    *allowed_lateness = lateness;
                }
            }
            Some((_, Some(Window::Session { .. }))) => {
                let message = "allowed_lateness on sessions is not supported yet";
                self.expressions.report(Diagnostic::new("E0906", word, message).help("raise out_of_order instead"));
            }
            None if self.vague => {}
            _ => {
                let message = ".allowed_lateness needs a tumbling or sliding time window";
                self.expressions.report(Diagnostic::new("E0508", word, message).help("add .window(10s)"));
            }
        }
    }

    /// Columns that carry what is known of the match to where it is read, behind a new record with these columns.
    pub(super) fn carried_bounds(&mut self, columns: &[ColumnDef]) -> Vec<(ColumnDef, Expr)> {
        let mut carried = Vec::new();
        if !self.record.is_of_match() {
            return carried;
        }
        let behind = self.bounds.iter().filter(|(_, last)| *last > self.at).map(|(name, _)| *name);
        for name in behind.collect::<Vec<_>>() {
            if columns.iter().any(|column| *column.name == *name) {
                continue;
            }
            let name = Ident { name: name.into(), span: self.ast.name.span };
            let mut scope = RecordScope { graph: self.graph, record: &self.record };
            if let Some(bound) = scope.match_bound(&name, self.expressions) {
                carried.push((ColumnDef { hidden: true, ..column(name.name, bound.ty) }, bound.expr));
            }
        }
        carried
    }

    /// Does an operator of this name stand behind the one that is being read?
    pub(super) fn follows(&self, wanted: &str) -> bool {
        self.ast.ops[self.at + 1..].iter().any(|op| matches!(op, AstOp::Call(name, _) if &*name.name == wanted))
    }

    /// W0503, unless something has used the keys.
    pub(super) fn drop_partition(&mut self) {
        let Some(partition) = self.partition.take() else { return };
        if !partition.used && !self.vague {
            let problem = Diagnostic::new("W0503", partition.word, "partition_by has no effect");
            self.expressions.report(problem.help("it acts on a window, an aggregate or a sequence behind it"));
        }
    }

    /// What is wrong with an operator of a sequence wherever it stands: it is unknown, or a condition is not one.
    fn between_arrows(&mut self, op: &AstOp) {
        match op {
            AstOp::Call(word, args) if !is_operator(&word.name) => self.operator(word, args),
            AstOp::Call(word, args) if matches!(&*word.name, "where" | "filter") => {
                self.bind(word, &["condition"], 1, args);
            }
            _ => {}
        }
    }

    /// E0404 for what may be given once.
    fn once(&mut self, op: &AstOp) {
        if let AstOp::Call(word, _) = op
            && ONCE.contains(&&*word.name)
            && !self.given.insert(word.name.clone())
        {
            let message = format!(".{} is given twice", word.name);
            self.expressions.report(Diagnostic::new("E0404", word.span, message).help("leave one of them out"));
        }
    }

    /// E0404: between a window and its aggregate only some operators may stand.
    fn place(&mut self, word: &Ident, index: usize) {
        self.once(&self.ast.ops[index]);
        let between = ["where", "filter", "select", "distinct", "partition_by", "print", "log"];
        let anywhere = ["from", "context", "watermark", "allowed_lateness", "aggregate", "window", "having"];
        if self.stage != Stage::Windowed || between.contains(&&*word.name) || anywhere.contains(&&*word.name) {
            return;
        }
        let elsewhere = OF_SEQUENCES.contains(&&*word.name) || &*word.name == "on";
        if self.follows("aggregate") && OPERATORS.contains(&&*word.name) && !elsewhere {
            let message = format!(".{} is not allowed here", word.name);
            let help = "between .window and .aggregate may stand where, select, distinct, partition_by, print and log";
            self.expressions.report(Diagnostic::new("E0404", word.span, message).help(help));
        }
    }

    fn operator(&mut self, word: &Ident, args: &[Arg]) {
        match &*word.name {
            "where" | "filter" => self.filter(word, args),
            "having" => self.having(word, args),
            "select" => self.select(word, args),
            "emit" => self.emit(word, None, args),
            "partition_by" => self.partition_by(word, args),
            "window" if self.is_join() && !self.joined => self.join_window(word, args),
            "window" => self.window(word, args),
            "aggregate" => self.aggregate(word, args),
            "distinct" => self.distinct(word, args),
            "limit" => self.limit(word, args),
            "first" => self.first(word, args),
            "process" => self.process(word, args),
            "print" => self.print(word, args),
            "log" => self.log(word, args),
            "alert" => self.alert(word, args),
            "from" => self.from(word, args),
            "to" => self.to(word, args),
            "watermark" => self.watermark(word, args),
            "allowed_lateness" => self.allow_lateness(word, args),
            "context" => self.context(word, args),
            "on" => self.on(word, args),
            name if OF_SEQUENCES.contains(&name) => self.sequence_only(word),
            name if UNSUPPORTED.contains(&name) => {
                let message = format!("operator .{name} is not supported yet");
                self.expressions.report(Diagnostic::new("E0901", word.span, message));
                self.forget();
            }
            name => {
                let problem = Diagnostic::new("E0208", word.span, format!("unknown operator .{name}"));
                let all = || format!("the operators are {}", OPERATORS.join(", "));
                self.expressions.report(problem.help(did_you_mean(name, OPERATORS).unwrap_or_else(all)));
                self.forget();
            }
        }
    }

    /// E0401
    fn sequence_only(&mut self, word: &Ident) {
        let message = format!(".{} needs a sequence (->)", word.name);
        self.expressions.report(Diagnostic::new("E0401", word.span, message).help("write A -> B before it"));
    }

    /// Nothing is known of the records any more: an operator before this place was refused, and nothing follows from it.
    pub(super) fn forget(&mut self) {
        let layout = self.graph.open();
        let node = self.graph.add(Op::Emit, vec![self.record.node], layout, self.stream, self.ast.name.span);
        let replaced = Vec::new();
        let matched = None;
        self.record =
            Record { node, shape: Shape::unknown(), windowed: true, replaced, matched, ..self.record.clone() };
    }

    /// Adds a node behind the last one, with the same records.
    pub(super) fn pass(&mut self, op: Op, span: Span) {
        let layout = self.graph.layout_of(self.record.node);
        self.record.node = self.graph.add(op, vec![self.record.node], layout, self.stream, span);
    }

    /// Adds an output: what it puts out is the record as it is there.
    pub(super) fn output(&mut self, op: Op, span: Span) {
        self.has_output = true;
        self.graph.need_whole(self.record.node);
        self.pass(op, span);
    }

    /// `_revision`, which is appended to what is made of the results of windows that are corrected, unless the program has
    /// made a field of this name itself.
    pub(super) fn revision(&self, made: &Shape) -> Option<(ColumnDef, Expr)> {
        let appended = self.window.is_some() && self.corrects && !made.fields.contains_key(REVISION);
        appended.then(|| (column(REVISION.into(), Type::Int), Expr::Revision))
    }

    /// The names that the records go by are gone.
    pub(super) fn replace(&mut self, node: NodeId, mut shape: Shape, event: Option<Arc<str>>) {
        if self.window.is_some() && self.corrects && !shape.open {
            shape.fields.entry(REVISION.into()).or_insert(Type::Int);
        }
        let mut replaced = std::mem::take(&mut self.record.replaced);
        replaced.append(&mut self.record.names);
        replaced.extend(self.record.matched.iter().flat_map(|matched| matched.names()));
        let (windowed, revised) = (self.record.windowed, self.corrects && self.record.revised);
        let matches = self.record.is_of_match();
        self.record = Record { replaced, windowed, event, matches, revised, ..Record::new(node, shape) };
    }

    /// Checks an expression over the records.
    pub(super) fn check(&mut self, expr: &AstExpr) -> Typed {
        self.expressions.check(expr, &mut RecordScope { graph: self.graph, record: &self.record })
    }

    /// Checks a condition over the records.
    pub(super) fn condition(&mut self, expr: &AstExpr) -> Expr {
        self.expressions.condition(expr, &mut RecordScope { graph: self.graph, record: &self.record }).expr
    }

    /// Sorts the arguments of an operator all of whose parameters may be given by position.
    pub(super) fn bind<'e>(&mut self, word: &Ident, names: &[&str], required: usize, args: &'e [Arg]) -> Bound<'e> {
        let parameters = Parameters { names, positional: names.len(), required, given: 0 };
        self.expressions.bind(word, parameters, args)
    }

    /// Sorts the arguments of an operator whose parameters are given by name.
    pub(super) fn bind_named<'e>(&mut self, word: &Ident, names: &[&str], args: &'e [Arg]) -> Bound<'e> {
        self.expressions.bind(word, Parameters { names, positional: 0, required: 0, given: 0 }, args)
    }
}

/// Has the stream an operator that is not understood? Then nothing may be said about what it lacks.
pub(super) fn is_vague(ast: &AstStream) -> bool {
    ast.ops.iter().any(|op| matches!(op, AstOp::Call(name, _) if !is_known(&name.name)))
}

/// Is it an operator of this language?
fn is_known(name: &str) -> bool {
    OPERATORS.contains(&name) || OF_SEQUENCES.contains(&name)
}

/// The name that an item has if none is given: that of a field.
pub(super) fn own_name(value: &AstExpr) -> Option<Ident> {
    match &value.kind {
        ExprKind::Name(name) => Some(Ident { name: name.clone(), span: value.span }),
        ExprKind::Member(_, field) => Some(field.clone()),
        _ => None,
    }
}

/// Is it an operator of a stream, so that its place can be wrong?
pub(super) fn is_operator(name: &str) -> bool {
    OPERATORS.contains(&name) || OF_SEQUENCES.contains(&name)
}
