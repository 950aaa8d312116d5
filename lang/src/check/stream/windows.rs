//! `.window` and `.aggregate`.

use super::aggregate::AggregateScope;
use super::chain::{Chain, Lateness, OpenWindow, Stage};
use super::graph::column;
use super::items::Item;
use super::shape::Shape;
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::expression::Constant;
use crate::diagnostic::Diagnostic;
use crate::plan::{Aggregate, AggregateCall, AggregateFn, ColumnDef, Expr, Key, Op, Window};
use crate::span::Span;
use crate::value::{Type, Value};

/// Windows of one record at the most.
const WINDOW_OVERLAP: i128 = 10_000;

impl Chain<'_, '_> {
    pub(super) fn window(&mut self, word: &Ident, args: &[Arg]) {
        if self.stage != Stage::Before {
            let problem =
                Diagnostic::new("E0501", word.span, "a stream has one window, and its aggregate comes behind it");
            self.expressions.report(problem.help("make a second stream that reads this one"));
            return;
        }
        let bounds = self.bounds(word, args);
        let keys = self.partition.as_mut().map(|partition| {
            partition.used = true;
            partition.keys.clone()
        });
        let keys = keys.unwrap_or_default();
        let op = Op::Window {
            window: bounds.clone().unwrap_or(Window::Count { size: 1, slide: 1 }),
            key: keys.iter().map(|(key, _)| key.clone()).collect(),
            aggregate: None,
            allowed_lateness: 0,
            releases_again: false,
        };
        let before = self.record.clone();
        self.pass(op, word.span);
        let window = self.record.node;
        if !matches!(bounds, Some(Window::Count { .. })) {
            self.warn_of_arrival(word);
            if let Some(span) = self.of_late {
                super::sources::refuse_late(self.expressions, span);
            }
            self.graph.need_late(before.node);
            // A stream that has a sequence or join already loses no record here: what those give is never behind w.
            self.late.get_or_insert(Lateness { operator: window, record: before });
        }
        self.record.revised = self.corrects;
        self.window = Some(OpenWindow { node: self.record.node, bounds, keys });
        self.stage = Stage::Windowed;
        self.record.windowed = true;
    }

    /// W0504: an event-time operator over a declared event without a time field.
    fn warn_of_arrival(&mut self, word: &Ident) {
        let Some(event) = self.event.clone() else { return };
        let Some(declared) = self.expressions.declared().event(&event) else { return };
        let timed = declared
            .fields
            .iter()
            .any(|(name, ty)| *ty == Type::Time || matches!(&**name, "@timestamp" | "timestamp" | "ts"));
        let named = self.subscriptions.iter().any(|(_, subscription)| subscription.time_field.is_some());
        if !timed && !named {
            let message = format!("arrival times decide here: {event} has no time field, so a replay can differ");
            let problem = Diagnostic::new("W0504", word.span, message);
            self.expressions.report(problem.help("declare a field of type timestamp, or send @timestamp"));
        }
    }

    /// The bounds; `None`: refused.
    fn bounds(&mut self, word: &Ident, args: &[Arg]) -> Option<Window> {
        if let Some(policy) = args.iter().find_map(|arg| arg.name.as_ref().filter(|name| &*name.name == "policy")) {
            let problem = Diagnostic::new("E0906", policy.span, "window policy: is not supported yet");
            self.expressions.report(problem);
            return None;
        }
        let names = ["size", "sliding", "session"];
        let parameters = crate::check::expression::Parameters { names: &names, positional: 1, required: 0, given: 0 };
        let bound = self.expressions.bind(word, parameters, args);
        if !bound.ok {
            return None;
        }
        match (bound.args[0], bound.args[1], bound.args[2]) {
            (None, None, Some(gap)) => self.duration("session", &gap.value).map(|gap| Window::Session { gap }),
            (Some(size), slide, None) => self.sized(&size.value, slide.map(|slide| &slide.value)),
            _ => {
                let problem = Diagnostic::new("E0303", word.span, "window takes a size, or session: and nothing else");
                self.expressions.report(
                    problem.help(".window(10s), .window(10s, sliding: 5s), .window(100), .window(session: 30s)"),
                );
                None
            }
        }
    }

    fn sized(&mut self, size: &AstExpr, slide: Option<&AstExpr>) -> Option<Window> {
        let help = "for example `10s`, or `100` records";
        match self.constant(size, "window", "a positive duration or a positive integer", help)? {
            Value::Duration(ns) => {
                let ns = self.positive(ns, size.span)?;
                let slide = match slide {
                    Some(slide) => {
                        let ns = self.duration("sliding", slide)?;
                        (ns, slide.span)
                    }
                    None => (ns, size.span),
                };
                self.slide_fits(ns, slide.0, slide.1)?;
                self.overlap_fits(ns, slide.0, slide.1)?;
                Some(Window::Time { size: ns, slide: slide.0 })
            }
            Value::Int(records) => {
                let records = self.positive(records, size.span)?;
                let slide = match slide {
                    Some(slide) => (self.records("sliding", slide)?, slide.span),
                    None => (records, size.span),
                };
                self.slide_fits(records, slide.0, slide.1)?;
                self.overlap_fits(records, slide.0, slide.1)?;
                Some(Window::Count { size: records.unsigned_abs(), slide: slide.0.unsigned_abs() })
            }
            _ => {
                let problem = Diagnostic::new("E0502", size.span, "the window size must be a duration or an integer");
                self.expressions.report(problem.help(help));
                None
            }
        }
    }

    fn slide_fits(&mut self, size: i64, slide: i64, span: Span) -> Option<()> {
        if slide > size {
            self.bad_slide(span, "must not be larger than the size");
            return None;
        }
        Some(())
    }

    fn overlap_fits(&mut self, size: i64, slide: i64, span: Span) -> Option<()> {
        if i128::from(size) > i128::from(slide) * WINDOW_OVERLAP {
            self.bad_slide(span, "must be at least a 10000th of the size");
            return None;
        }
        Some(())
    }

    fn bad_slide(&mut self, span: Span, rule: &str) {
        let problem = Diagnostic::new("E0502", span, format!("sliding {rule}"));
        self.expressions.report(problem.help("for example .window(30s, sliding: 10s)"));
    }

    fn positive(&mut self, value: i64, span: Span) -> Option<i64> {
        if value > 0 {
            return Some(value);
        }
        let problem = Diagnostic::new("E0502", span, "the window size must be positive");
        self.expressions.report(problem.help("for example .window(10s) or .window(100)"));
        None
    }

    fn duration(&mut self, name: &str, value: &AstExpr) -> Option<i64> {
        let (what, help) = ("a positive duration", "for example `10s`");
        match self.constant(value, name, what, help)? {
            Value::Duration(ns) if name == "sliding" && ns <= 0 => {
                self.bad_slide(value.span, "must be positive");
                None
            }
            Value::Duration(ns) => self.positive(ns, value.span),
            _ if name == "sliding" => {
                self.bad_slide(value.span, "must be a duration, as the size is");
                None
            }
            _ => {
                let problem = Diagnostic::new("E0502", value.span, format!("{name} must be a duration"));
                self.expressions.report(problem.help(help));
                None
            }
        }
    }

    fn records(&mut self, name: &str, value: &AstExpr) -> Option<i64> {
        let (what, help) = ("a positive integer", "for example `10`");
        match self.constant(value, name, what, help)? {
            Value::Int(records) if records <= 0 => {
                self.bad_slide(value.span, "must be positive");
                None
            }
            Value::Int(records) => Some(records),
            _ => {
                self.bad_slide(value.span, "must be a number of records, as the size is");
                None
            }
        }
    }

    fn constant(&mut self, value: &AstExpr, name: &str, what: &str, help: &str) -> Option<Value> {
        match self.expressions.constant(value) {
            Constant::Value(value, _) => Some(value),
            Constant::Refused => None,
            Constant::Other => {
                self.expressions.misfit(name, what, help, value.span);
                None
            }
        }
    }

    pub(super) fn aggregate(&mut self, word: &Ident, args: &[Arg]) {
        if self.stage == Stage::Aggregated {
            let problem = Diagnostic::new("E0501", word.span, "a stream has one aggregate");
            self.expressions.report(problem.help("make a second stream that reads this one"));
            return;
        }
        let windowed = self.stage == Stage::Windowed;
        if !windowed && !self.vague {
            let problem = Diagnostic::new("W0501", word.span, "aggregate without window: a running result per record");
            self.expressions.report(problem.help("put .window(…) before it for one result per window"));
        }
        let keys = self.aggregate_keys();
        let items = self.named_items(args, counted);
        let mut scope = AggregateScope::new(self.graph, &self.record, &keys, windowed || self.vague);
        let mut shape = Shape::default();
        let mut columns: Vec<(ColumnDef, Expr)> = Vec::new();
        for (place, (key, ty)) in (0..).zip(&keys) {
            shape.fields.insert(key.name.clone(), ty.clone());
            columns.push((column(key.name.clone(), ty.clone()), Expr::Key(place)));
        }
        for Item { name, arg } in items {
            let typed = self.expressions.check(&arg.value, &mut scope);
            shape.fields.insert(name.name.clone(), typed.ty.clone());
            let keep_null = arg.value.kind == ExprKind::Null;
            let def = ColumnDef { keep_null, ..column(name.name.clone(), typed.ty) };
            match columns.iter_mut().find(|(def, _)| def.name == name.name) {
                Some(replaced) => *replaced = (def, typed.expr),
                None => columns.push((def, typed.expr)),
            }
        }
        let mut calls = scope.calls;
        if !shape.fields.contains_key("_partition") {
            shape.fields.insert("_partition".into(), Type::Str);
            columns.push((column("_partition".into(), Type::Str), Expr::Partition));
        }
        let defs: Vec<ColumnDef> = columns.iter().map(|(def, _)| def.clone()).collect();
        for (def, bound) in self.carried_bounds(&defs) {
            // Of the last match that came in.
            let call = Expr::Aggregate(u32::try_from(calls.len()).unwrap_or(u32::MAX));
            calls.push(AggregateCall { function: AggregateFn::Last, argument: Some(bound) });
            columns.push((def, call));
        }
        columns.extend(self.revision(&shape));
        let (columns, items): (Vec<ColumnDef>, Vec<Expr>) = columns.into_iter().unzip();
        self.add_aggregate(word, Aggregate { calls, items }, keys.into_iter().map(|(key, _)| key).collect(), columns);
        let node = self.record.node;
        self.replace(node, shape, Some(self.ast.name.name.clone()));
        self.stage = Stage::Aggregated;
    }

    /// The keys of the last `partition_by`, else the window's.
    fn aggregate_keys(&mut self) -> Vec<(Key, Type)> {
        let windowed = self.stage == Stage::Windowed;
        if let Some(partition) = self.partition.as_mut().filter(|partition| !windowed || partition.behind_window) {
            partition.used = true;
            return partition.keys.clone();
        }
        self.window.as_ref().map(|window| window.keys.clone()).unwrap_or_default()
    }

    fn add_aggregate(&mut self, word: &Ident, aggregate: Aggregate, key: Vec<Key>, columns: Vec<ColumnDef>) {
        let layout = self.graph.closed(columns);
        let own_keys = self.partition.as_ref().is_some_and(|partition| partition.behind_window);
        let op = match &self.window {
            Some(window) if window.node == self.record.node && !own_keys && !reads_window(&aggregate) => {
                let node = &mut self.graph.nodes[window.node as usize];
                if let Op::Window { aggregate: fused, .. } = &mut node.op {
                    *fused = Some(aggregate);
                }
                node.layout = layout;
                return;
            }
            Some(window) => {
                if let Op::Window { releases_again, .. } = &mut self.graph.nodes[window.node as usize].op {
                    *releases_again = true;
                }
                Op::AggregateReleased { key, aggregate }
            }
            None => Op::AggregateRunning { key, aggregate },
        };
        self.record.node = self.graph.add(op, vec![self.record.node], layout, self.stream, word.span);
    }
}

/// Does an argument read the window's bounds or revision? Only records that a window has released have them.
fn reads_window(aggregate: &Aggregate) -> bool {
    let found = std::cell::Cell::new(false);
    let note = |expr: &Expr| {
        found.set(found.get() || matches!(expr, Expr::WindowStart | Expr::WindowEnd | Expr::Revision));
        None
    };
    for argument in aggregate.calls.iter().filter_map(|call| call.argument.as_ref()) {
        argument.map(&note);
    }
    found.get()
}

/// `count()` is named count.
fn counted(arg: &Arg) -> Option<Ident> {
    match &arg.value.kind {
        ExprKind::Call(name, args) if &*name.name == "count" && args.is_empty() => Some(name.clone()),
        _ => None,
    }
}
