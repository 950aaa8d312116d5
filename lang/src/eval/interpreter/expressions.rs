//! Expressions: what has to be done before an expression has its value, as tasks.

use super::machine::{Machine, Task};
use crate::ast::BinOp;
use crate::eval::ops;
use crate::plan::{Builtin, Capture, Expr};
use crate::value::Value;
use std::borrow::Cow;

impl<'p> Machine<'p> {
    /// Takes an expression apart, or leaves its value if nothing has to be done before.
    pub(super) fn eval(&mut self, expr: &'p Expr) {
        if let Some(value) = self.leaf(expr).map(Cow::into_owned) {
            return self.push(value);
        }
        match expr {
            Expr::Unary(op, value) => self.tasks.extend([Task::Unary(*op), Task::Eval(value)]),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::And(left, right) => self.tasks.extend([Task::AndRight(right), Task::Eval(left)]),
            Expr::Or(left, right) => self.tasks.extend([Task::OrRight(right), Task::Eval(left)]),
            Expr::Coalesce(left, right) => self.tasks.extend([Task::OtherwiseOne(right), Task::Eval(left)]),
            Expr::In(value, collection) => match &**collection {
                Expr::Range(included, from, to) => {
                    self.tasks.extend([Task::InRange(*included), Task::Eval(to), Task::Eval(from), Task::Eval(value)]);
                }
                _ => self.tasks.extend([Task::In, Task::Eval(collection), Task::Eval(value)]),
            },
            Expr::IsNull(value) => self.tasks.extend([Task::IsNull, Task::Eval(value)]),
            Expr::Range(included, from, to) => {
                self.tasks.extend([Task::Range(*included), Task::Eval(to), Task::Eval(from)]);
            }
            Expr::If(condition, then, otherwise) => {
                self.tasks.extend([Task::Choose(then, otherwise), Task::Eval(condition)]);
            }
            Expr::Array(items) => self.with_operands(Task::Array(items.len()), items),
            Expr::Map(entries) => self.with_operands(Task::Map(entries), entries.iter().map(|(_, value)| value)),
            Expr::Index(value, at) => self.tasks.extend([Task::Index, Task::Eval(at), Task::Eval(value)]),
            Expr::Slice(value, from, to) => {
                let operands = [Some(value), from.as_ref(), to.as_ref()].into_iter().flatten().map(|expr| &**expr);
                self.with_operands(Task::Slice(from.is_some(), to.is_some()), operands.collect::<Vec<_>>());
            }
            Expr::Member(value, key) => self.tasks.extend([Task::Member(key), Task::Eval(value)]),
            Expr::Call(function, args) => self.builtin(*function, args),
            Expr::CallFn(function, args) => self.with_operands(Task::Call(*function), args),
            Expr::Apply(slots, body, args) => self.with_operands(Task::Apply(slots, body), args),
            Expr::Convert(ty, value) => self.tasks.extend([Task::Convert(ty), Task::Eval(value)]),
            Expr::Captured(element, Capture::At(column, at)) => {
                self.tasks.extend([Task::CapturedAt(*element, *column), Task::Eval(at)]);
            }
            // All others are leaves.
            _ => self.push(Value::Null),
        }
    }

    fn binary(&mut self, op: BinOp, left: &'p Expr, right: &'p Expr) {
        let result = match (self.leaf(left), self.leaf(right)) {
            (Some(left), Some(right)) => Some(ops::binary(op, &left, &right)),
            _ => None,
        };
        match result {
            Some(result) => self.push(result),
            None => self.tasks.extend([Task::Right(op, right), Task::Eval(left)]),
        }
    }

    fn builtin(&mut self, function: Builtin, args: &'p [Expr]) {
        match (function, args) {
            (Builtin::Coalesce | Builtin::IfNull, [first, rest @ ..]) => {
                self.tasks.extend([Task::Otherwise(rest), Task::Eval(first)]);
            }
            (
                Builtin::MapFn | Builtin::FilterFn | Builtin::AnyFn | Builtin::AllFn,
                [items, Expr::Lambda(slots, body)],
            ) => {
                self.tasks.extend([Task::StartEach(function, slots, body), Task::Eval(items)]);
            }
            _ => self.with_operands(Task::Builtin(function, args.len()), args),
        }
    }

    /// Evaluates the operands in order, then does the task.
    pub(super) fn with_operands<O>(&mut self, task: Task<'p>, operands: O)
    where
        O: IntoIterator<Item = &'p Expr, IntoIter: DoubleEndedIterator>,
    {
        self.tasks.push(task);
        let mut operands = operands.into_iter();
        // Leading leaves are done at once.
        while let Some(operand) = operands.next() {
            match self.leaf(operand).map(Cow::into_owned) {
                Some(value) => self.push(value),
                None => {
                    self.tasks.extend(operands.rev().map(Task::Eval));
                    self.tasks.push(Task::Eval(operand));
                    return;
                }
            }
        }
    }
}
