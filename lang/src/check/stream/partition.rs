//! Keys of sequences: of the pattern, in the chain of arrows, or first behind it unless an alias is read.

use super::Streams;
use super::mentions;
use super::record::{Record, RecordScope};
use super::sequence::{Draft, SequenceInput};
use crate::ast::{Arg, ExprKind, Ident, Op as AstOp, Pattern, Stream as AstStream};
use crate::check::suggestion::did_you_mean;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::plan::{Expr, SequenceKey};
use crate::value::{Type, Value};
use std::sync::Arc;

/// Most keys of a sequence: each has a value for every type involved.
const SEQUENCE_KEYS: usize = 64;

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// The keys of a sequence, whose inputs are all known.
    pub(super) fn sequence_keys(
        &mut self,
        ast: &AstStream,
        pattern: Option<&Pattern>,
        draft: &mut Draft,
    ) -> Vec<SequenceKey> {
        let mut keys: Vec<SequenceKey> = Vec::new();
        let of_pattern = pattern.iter().flat_map(|pattern| pattern.partition.iter().flat_map(|(_, keys)| keys));
        for key in of_pattern {
            let found = self.plain_key(key, draft);
            self.add_key(key, found, draft, &mut keys);
        }
        for index in own_partition(ast) {
            let AstOp::Call(word, args) = &ast.ops[index] else { continue };
            if args.is_empty() {
                let problem = Diagnostic::new("E0303", word.span, "partition_by takes at least 1 argument, found 0");
                self.expressions.report(problem.help("say by which field: .partition_by(sensor_id)"));
            }
            for arg in args {
                let found = match &arg.value.kind {
                    ExprKind::Name(name) if self.expressions.declared().global(name).is_none() => {
                        self.plain_key(&Ident { name: name.clone(), span: arg.value.span }, draft)
                    }
                    _ => self.computed_key(arg, draft),
                };
                let Some(name) = arg.name.clone().or_else(|| super::chain::own_name(&arg.value)) else {
                    let problem = Diagnostic::new("E0304", arg.value.span, "name this item");
                    self.expressions.report(problem.help("write `name: …`"));
                    continue;
                };
                self.add_key(&name, found, draft, &mut keys);
            }
        }
        keys
    }

    fn add_key(&mut self, name: &Ident, found: (Vec<Expr>, Type), draft: &mut Draft, keys: &mut Vec<SequenceKey>) {
        if keys.len() == SEQUENCE_KEYS {
            let message = format!("a sequence with more than {SEQUENCE_KEYS} keys is not supported yet");
            self.expressions.report(Diagnostic::new("E0900", name.span, message));
        }
        if keys.len() >= SEQUENCE_KEYS {
            return;
        }
        if keys.iter().any(|key| key.name == name.name) {
            let problem = Diagnostic::new("E0217", name.span, format!("field {} is given twice", name.name));
            self.expressions.report(problem.help("give one of them another name"));
        }
        let (values, ty) = found;
        draft.matched.keys.push((name.name.clone(), ty));
        keys.push(SequenceKey { name: name.name.clone(), values });
    }

    /// A plain key must be a field of every declared type involved.
    pub(super) fn plain_key(&mut self, key: &Ident, draft: &Draft) -> (Vec<Expr>, Type) {
        let mut values = Vec::with_capacity(draft.inputs.len());
        let mut ty = None;
        for input in &draft.inputs {
            let Some(own) = field_type(input, &key.name) else {
                self.lacks_key(key, input);
                break;
            };
            let column = self.graph.column(input.node, &key.name, &own);
            values.push(column.map_or(Expr::Const(Value::Null), Expr::Column));
            ty = Some(ty.map_or(own.clone(), |ty| types::join(ty, own)));
        }
        (values, super::aggregate::key_type(&ty.unwrap_or_default()))
    }

    fn lacks_key(&mut self, key: &Ident, input: &SequenceInput) {
        let of = input.names.first().cloned().unwrap_or_default();
        let problem = Diagnostic::new("E0206", key.span, format!("{of} has no field {}", key.name));
        let help = did_you_mean(&key.name, input.shape.fields.keys().map(|name| &**name));
        self.expressions.report(problem.help(help.unwrap_or_else(|| "declare it in the event".into())));
    }

    /// A computed key must have a meaning for every type involved.
    fn computed_key(&mut self, arg: &Arg, draft: &Draft) -> (Vec<Expr>, Type) {
        let mut values = Vec::with_capacity(draft.inputs.len());
        let mut ty = None;
        let refusals = self.expressions.refusals();
        for input in &draft.inputs {
            let record = Record { names: input.names.clone(), ..Record::new(input.node, input.shape.clone()) };
            let mut scope = RecordScope { graph: &mut self.graph, record: &record };
            let typed = self.expressions.check(&arg.value, &mut scope);
            if self.expressions.refusals() != refusals {
                break;
            }
            values.push(typed.expr);
            ty = Some(ty.map_or(typed.ty.clone(), |ty| types::join(ty, typed.ty)));
        }
        (values, super::aggregate::key_type(&ty.unwrap_or_default()))
    }
}

fn field_type(input: &SequenceInput, name: &Arc<str>) -> Option<Type> {
    input.shape.fields.get(name).cloned().or_else(|| input.shape.open.then_some(Type::Any))
}

/// The operators `.partition_by` that give the keys of the sequence itself: in the chain of arrows, or first behind it.
pub(super) fn own_partition(ast: &AstStream) -> Vec<usize> {
    let last_arrow = ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..)));
    let mut found = Vec::new();
    let mut replaced = false;
    for (index, op) in ast.ops.iter().enumerate() {
        let AstOp::Call(word, args) = op else {
            replaced |= matches!(op, AstOp::EmitAs { .. });
            continue;
        };
        replaced |= matches!(&*word.name, "emit" | "select" | "aggregate" | "process" | "window");
        if &*word.name != "partition_by" {
            continue;
        }
        let inside = last_arrow.is_some_and(|last| index < last);
        let first_behind = found.is_empty() && !replaced;
        if inside || (first_behind && args.iter().all(|arg| !mentions::reads_member(&arg.value))) {
            found.push(index);
        }
    }
    found
}
