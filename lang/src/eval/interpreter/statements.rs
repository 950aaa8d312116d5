//! Statements: loops, `return`, `break`, `continue`, `emit`.

use super::machine::{Machine, Task};
use crate::eval::access::range;
use crate::eval::builtin;
use crate::eval::convert::convert;
use crate::plan::{Builtin, Expr, Stmt};
use crate::value::{Map, Type, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The turns of a `for` that are left.
pub(super) enum Turns {
    Range(RangeInclusive<i64>),
    Array(Arc<Vec<Value>>, usize),
    Map(Arc<Map>, usize),
}

impl Turns {
    /// Over arrays, maps (`[key, value]`), ints (0..n); anything else has no turns.
    fn over(value: Value) -> Turns {
        match value {
            Value::Array(items) => Turns::Array(items, 0),
            Value::Map(map) => Turns::Map(map, 0),
            int => Turns::over_range(range(&Value::Int(0), &int, false)),
        }
    }

    fn over_range(range: Option<RangeInclusive<i64>>) -> Turns {
        // An empty range in place of bounds that are no ints.
        Turns::Range(range.unwrap_or(RangeInclusive::new(1, 0)))
    }

    fn next(&mut self) -> Option<Value> {
        match self {
            Turns::Range(range) => range.next().map(Value::Int),
            Turns::Array(items, at) => {
                *at += 1;
                items.get(*at - 1).cloned()
            }
            Turns::Map(map, at) => {
                *at += 1;
                let (key, value) = map.get_index(*at - 1)?;
                Some(Value::Array(Arc::new(vec![Value::Str(key.clone()), value.clone()])))
            }
        }
    }
}

impl<'p> Machine<'p> {
    pub(super) fn step_statement(&mut self, task: Task<'p>) {
        match task {
            Task::Stmts(stmts) => self.stmts(stmts),
            Task::Then(rest) => {
                self.pop();
                self.stmts(rest);
            }
            Task::Set(slot, ty) => {
                let value = self.pop();
                *self.slot(slot) = convert(ty, value).unwrap_or_default();
                self.push(Value::Null);
            }
            Task::Update(slot, ty, function, count) => self.update(slot, ty, function, count),
            Task::Arms(arms, otherwise) => self.arms(arms, otherwise),
            Task::StartFor(slot, body) => {
                let value = self.pop();
                self.start_for(slot, body, Turns::over(value));
            }
            Task::StartForRange(slot, body, included) => {
                let (to, from) = (self.pop(), self.pop());
                self.start_for(slot, body, Turns::over_range(range(&from, &to, included)));
            }
            Task::NextFor(slot, body) => self.next_for(slot, body),
            Task::While(condition, body) => {
                self.tasks.extend([Task::WhileBody(condition, body), Task::Eval(condition)]);
            }
            Task::WhileBody(condition, body) => {
                if self.pop() != Value::Bool(true) {
                    self.push(Value::Null);
                } else if self.turn() {
                    self.tasks.extend([Task::While(condition, body), Task::Drop, Task::Stmts(body)]);
                }
            }
            Task::Drop => drop(self.pop()),
            Task::Return => {
                self.unwind(|task| matches!(task, Task::EndCall(_) | Task::EndApply | Task::NextEach(..)));
            }
            Task::Emit(event, items) => self.emit(event, items),
            _ => unreachable!("the other tasks are those of expressions"),
        }
    }

    fn stmts(&mut self, stmts: &'p [Stmt]) {
        let Some((stmt, rest)) = stmts.split_first() else { return self.push(Value::Null) };
        if !rest.is_empty() {
            self.tasks.push(Task::Then(rest));
        }
        self.stmt(stmt);
    }

    fn stmt(&mut self, stmt: &'p Stmt) {
        match stmt {
            Stmt::Set(slot, ty, value) => self.set(*slot, ty, value),
            Stmt::If(arms, otherwise) => self.arms_from(arms, otherwise),
            Stmt::For(slot, Expr::Range(included, from, to), body) => {
                self.with_operands(Task::StartForRange(*slot, body, *included), [&**from, &**to]);
            }
            Stmt::For(slot, Expr::Call(Builtin::RangeFn, args), body) if args.len() == 2 => {
                self.with_operands(Task::StartForRange(*slot, body, false), args);
            }
            // range(n) has the turns of n.
            Stmt::For(slot, Expr::Call(Builtin::RangeFn, args), body) if args.len() == 1 => {
                self.push(Value::Int(0));
                self.with_operands(Task::StartForRange(*slot, body, false), args);
            }
            Stmt::For(slot, over, body) => self.tasks.extend([Task::StartFor(*slot, body), Task::Eval(over)]),
            Stmt::While(condition, body) => self.tasks.push(Task::While(condition, body)),
            Stmt::Return(Some(value)) => self.tasks.extend([Task::Return, Task::Eval(value)]),
            Stmt::Return(None) => {
                self.push(Value::Null);
                self.tasks.push(Task::Return);
            }
            Stmt::Break => self.leave_loop(),
            Stmt::Continue => self.unwind(|task| matches!(task, Task::NextFor(..) | Task::While(..))),
            Stmt::Emit(event, items) => {
                self.with_operands(Task::Emit(event, items), items.iter().map(|(_, item)| item));
            }
            Stmt::Expr(expr) => self.tasks.push(Task::Eval(expr)),
        }
    }

    /// For `x := push(x, …)` the slot lets go of its value before the call, so that it is changed in place.
    fn set(&mut self, slot: u32, ty: &'p Type, value: &'p Expr) {
        match value {
            Expr::Call(function @ (Builtin::Push | Builtin::Pop | Builtin::Set), args)
                if args.first() == Some(&Expr::Local(slot)) =>
            {
                self.with_operands(Task::Update(slot, ty, *function, args.len()), args);
            }
            _ => self.tasks.extend([Task::Set(slot, ty), Task::Eval(value)]),
        }
    }

    fn update(&mut self, slot: u32, ty: &Type, function: Builtin, count: usize) {
        *self.slot(slot) = Value::Null;
        let first = self.values.len() - count;
        let result = builtin::call(function, &mut self.values[first..]);
        self.values.truncate(first);
        *self.slot(slot) = convert(ty, result).unwrap_or_default();
        self.push(Value::Null);
    }

    fn arms_from(&mut self, arms: &'p [(Expr, Vec<Stmt>)], otherwise: &'p [Stmt]) {
        match arms.first() {
            Some((condition, _)) => self.tasks.extend([Task::Arms(arms, otherwise), Task::Eval(condition)]),
            None => self.tasks.push(Task::Stmts(otherwise)),
        }
    }

    /// The first arm's condition waits.
    fn arms(&mut self, arms: &'p [(Expr, Vec<Stmt>)], otherwise: &'p [Stmt]) {
        if self.pop() == Value::Bool(true) {
            self.tasks.push(Task::Stmts(&arms[0].1));
        } else {
            self.arms_from(&arms[1..], otherwise);
        }
    }

    fn start_for(&mut self, slot: u32, body: &'p [Stmt], turns: Turns) {
        self.loops.push(turns);
        self.next_for(slot, body);
    }

    fn next_for(&mut self, slot: u32, body: &'p [Stmt]) {
        let next = self.loops.last_mut().expect("a loop that goes on has started").next();
        let Some(value) = next else {
            self.loops.pop();
            return self.push(Value::Null);
        };
        if self.turn() {
            *self.slot(slot) = value;
            self.tasks.extend([Task::NextFor(slot, body), Task::Drop, Task::Stmts(body)]);
        }
    }

    fn leave_loop(&mut self) {
        self.unwind(|task| matches!(task, Task::NextFor(..) | Task::While(..)));
        if let Some(Task::NextFor(..)) = self.tasks.pop() {
            self.loops.pop();
        }
        self.push(Value::Null);
    }

    /// Takes tasks away until the next one is such a one; loops among them end.
    fn unwind(&mut self, is_end: impl Fn(&Task) -> bool) {
        while let Some(task) = self.tasks.last() {
            if is_end(task) {
                return;
            }
            if matches!(task, Task::NextFor(..)) {
                self.loops.pop();
            }
            self.tasks.pop();
        }
    }

    fn emit(&mut self, event: &Arc<str>, items: &[(Arc<str>, Expr)]) {
        let values = self.values.drain(self.values.len() - items.len()..);
        let shown = items
            .iter()
            .zip(values)
            .filter(|((_, item), value)| *value != Value::Null || *item == Expr::Const(Value::Null));
        let fields = shown.map(|((name, _), value)| (name.clone(), value)).collect();
        self.emitted.push((event.clone(), fields));
        self.push(Value::Null);
    }
}
