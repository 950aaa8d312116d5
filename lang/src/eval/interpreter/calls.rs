//! Calls of user functions, with their frames, and of lambdas, which live in the frame around them.

use super::CALL_DEPTH;
use super::machine::{Machine, Task};
use crate::eval::access::position;
use crate::eval::convert::convert;
use crate::plan::{Body, Capture};
use crate::value::{Type, Value};

impl<'p> Machine<'p> {
    /// Opens a frame with the arguments that wait, converted to the parameters' types.
    pub(super) fn call(&mut self, function: u32) {
        let Some(callee) = self.functions.get(function as usize) else {
            return self.push(Value::Null);
        };
        if self.bases.len() as u32 >= CALL_DEPTH {
            self.limit_hit = true;
            return;
        }
        self.bases.push(self.base);
        self.base = self.locals.len();
        let args = self.values.drain(self.values.len() - callee.params.len()..);
        self.locals.extend(args.zip(&callee.params).map(|(arg, (_, ty))| convert(ty, arg).unwrap_or_default()));
        self.locals.resize(self.base + callee.slots as usize, Value::Null);
        self.tasks.extend([Task::EndCall(function), Task::Stmts(&callee.body)]);
    }

    pub(super) fn end_call(&mut self, function: u32) {
        self.locals.truncate(self.base);
        self.base = self.bases.pop().expect("a call that ends was opened");
        let ret = &self.functions[function as usize].ret;
        if *ret != Type::Any {
            self.replace(|value| convert(ret, value).unwrap_or_default());
        }
    }

    pub(super) fn captured_at(&mut self, element: u32, column: u32) {
        let Value::Int(at) = self.pop() else { return self.push(Value::Null) };
        let at = match self.record.captured(element, &Capture::Count) {
            Value::Int(count) => position(at, count as usize),
            _ => None,
        };
        self.push(at.map_or(Value::Null, |at| self.record.captured_at(element, column, at)));
    }

    pub(super) fn apply(&mut self, slots: &'p [u32], body: &'p Body) {
        for slot in slots.iter().rev() {
            *self.slot(*slot) = self.pop();
        }
        self.tasks.push(Task::EndApply);
        self.body(body);
    }

    /// Evaluates a lambda's body; its parameters are in their slots.
    pub(super) fn body(&mut self, body: &'p Body) {
        self.tasks.push(match body {
            Body::Expr(expr) => Task::Eval(expr),
            Body::Block(stmts) => Task::Stmts(stmts),
        });
    }
}
