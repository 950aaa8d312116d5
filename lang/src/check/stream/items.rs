//! Operators that make new records or keys: select, emit, process, partition_by.

use super::chain::{Chain, Partition, Stage, own_name};
use super::graph::column;
use super::record::RecordScope;
use super::shape::Shape;
use crate::ast::{Arg, ExprKind, Ident};
use crate::diagnostic::Diagnostic;
use crate::plan::{ColumnDef, Expr, Key, Op};
use crate::value::Type;
use std::collections::HashSet;
use std::sync::Arc;

/// An item of a new record.
pub(super) struct Item<'i> {
    pub name: Ident,
    pub arg: &'i Arg,
}

impl Chain<'_, '_> {
    /// Items with their names: E0304 without one, E0217 for one that is there already.
    pub(super) fn named_items<'i>(
        &mut self,
        args: &'i [Arg],
        default: impl Fn(&Arg) -> Option<Ident>,
    ) -> Vec<Item<'i>> {
        let mut items: Vec<Item> = Vec::new();
        let mut names: HashSet<Arc<str>> = HashSet::new();
        for arg in args {
            let Some(name) = arg.name.clone().or_else(|| own_name(&arg.value)).or_else(|| default(arg)) else {
                let problem = Diagnostic::new("E0304", arg.value.span, "name this item");
                self.expressions.report(problem.help("write `name: …`"));
                items.push(Item { name: Ident { name: "".into(), span: arg.value.span }, arg });
                continue;
            };
            if !names.insert(name.name.clone()) {
                let message = format!("field {} is given twice", name.name);
                self.expressions
                    .report(Diagnostic::new("E0217", name.span, message).help("give one of them another name"));
            }
            items.push(Item { name, arg });
        }
        items
    }

    /// Adds a projection to these items. `event` is the new event type.
    fn project(&mut self, word: &Ident, args: &[Arg], event: Option<Arc<str>>) {
        let mut columns: Vec<ColumnDef> = Vec::new();
        let mut exprs: Vec<Expr> = Vec::new();
        let mut shape = Shape::default();
        for Item { name, arg } in self.named_items(args, |_| None) {
            let typed = self.check(&arg.value);
            shape.fields.insert(name.name.clone(), typed.ty.clone());
            let keep_null = arg.value.kind == ExprKind::Null;
            columns.push(ColumnDef { keep_null, ..column(name.name, typed.ty) });
            exprs.push(typed.expr);
        }
        if let Some((def, expr)) = self.revision(&shape) {
            columns.push(def);
            exprs.push(expr);
        }
        self.keep_keys(&mut columns, &mut exprs);
        for (column, expr) in self.carried_bounds(&columns) {
            columns.push(column);
            exprs.push(expr);
        }
        let layout = self.graph.closed(columns);
        let inputs = vec![self.record.node];
        let ty = event.clone().or_else(|| self.record.event.clone());
        let node = self.graph.add(Op::Project { items: exprs, event }, inputs, layout, self.stream, word.span);
        self.replace(node, shape, ty);
    }

    /// Keys go along, hidden, to the window that takes them and to the aggregate that will show them.
    fn keep_keys(&mut self, columns: &mut Vec<ColumnDef>, exprs: &mut Vec<Expr>) {
        if !self.follows("window") && !self.follows("aggregate") {
            return;
        }
        let windowed = self.stage == Stage::Windowed;
        let of_window = self.window.as_mut().filter(|_| windowed).map(|window| &mut window.keys);
        let pending = self.partition.as_mut().filter(|partition| partition.behind_window == windowed);
        let pending = pending.map(|partition| &mut partition.keys);
        for (key, ty) in of_window.into_iter().chain(pending).flatten() {
            let place = u32::try_from(columns.len()).unwrap_or(u32::MAX);
            // A hidden column has a name that no program can write.
            let name = format!("{} {place}", key.name).into();
            columns.push(ColumnDef { hidden: true, ..column(name, ty.clone()) });
            exprs.push(std::mem::replace(&mut key.value, Expr::Column(place)));
        }
    }

    pub(super) fn select(&mut self, word: &Ident, args: &[Arg]) {
        self.project(word, args, None);
    }

    pub(super) fn emit(&mut self, word: &Ident, ty: Option<&Ident>, args: &[Arg]) {
        let (hints, items): (Vec<Arg>, Vec<Arg>) = args.iter().cloned().partition(|arg| self.is_hint(arg));
        for hint in &hints {
            self.context_name(&hint.value);
        }
        let event = ty.map_or(&self.ast.name.name, |ty| &ty.name).clone();
        self.project(word, &items, Some(event));
        self.has_output = true;
        self.pass(Op::Emit, word.span);
    }

    /// Is this the scheduling hint `context: c`, and no item? A known field of that name is an item.
    fn is_hint(&self, arg: &Arg) -> bool {
        let ExprKind::Name(value) = &arg.value.kind else { return false };
        let is_field =
            self.record.shape.fields.contains_key(value) || self.expressions.declared().global(value).is_some();
        let known = self.expressions.declared().is_context(value) || !is_field;
        arg.name.as_ref().is_some_and(|name| &*name.name == "context") && known
    }

    pub(super) fn process(&mut self, word: &Ident, args: &[Arg]) {
        self.processed = true;
        for (column, _) in self.carried_bounds(&[]) {
            let message = format!("{} behind .process is not supported yet", column.name);
            self.expressions.report(Diagnostic::new("E0900", word.span, message));
        }
        let bound = self.bind(word, &["function"], 1, args);
        let call = bound.args[0].and_then(|arg| {
            let mut scope = RecordScope { graph: self.graph, record: &self.record };
            self.expressions.process_call(&arg.value, &mut scope)
        });
        let (function, args) = call.clone().unwrap_or_default();
        let layout = self.graph.open();
        let node =
            self.graph.add(Op::Process { function, args }, vec![self.record.node], layout, self.stream, word.span);
        self.replace(node, Shape::unknown(), Some(self.ast.name.name.clone()));
        if call.is_none() {
            self.forget();
        }
        // Keys are those of the records that were emitted.
        if let Some(mut partition) = self.partition.take() {
            partition.keys = self.keys(&partition.args);
            self.partition = Some(partition);
        }
    }

    pub(super) fn partition_by(&mut self, word: &Ident, args: &[Arg]) {
        if args.is_empty() {
            let problem = Diagnostic::new("E0303", word.span, "partition_by takes at least 1 argument, found 0");
            self.expressions.report(problem.help("say by which field: .partition_by(sensor_id)"));
        }
        self.drop_partition();
        let keys = self.keys(args);
        let behind_window = self.stage == Stage::Windowed;
        self.partition =
            Some(Partition { keys, word: word.span, used: args.is_empty(), behind_window, args: args.to_vec() });
    }

    fn keys(&mut self, args: &[Arg]) -> Vec<(Key, Type)> {
        let mut keys: Vec<(Key, Type)> = Vec::new();
        for Item { name, arg } in self.named_items(args, |_| None) {
            let typed = self.check(&arg.value);
            let ty = super::aggregate::key_type(&typed.ty);
            keys.push((Key { name: name.name, value: typed.expr }, ty));
        }
        keys
    }
}
