//! `map`, `filter`, `any`, `all`: a lambda applied to the elements of an array, one after the other.

use super::machine::{Machine, Task};
use crate::eval::access::array;
use crate::eval::ops;
use crate::plan::{Body, Builtin};
use crate::value::Value;
use std::sync::Arc;

/// How far one of them has come.
pub(super) struct Each {
    function: Builtin,
    items: Arc<Vec<Value>>,
    /// Elements that the lambda has been applied to, the one whose value is awaited included.
    begun: usize,
    kept: Vec<Value>,
    /// What `any` and `all` know so far.
    verdict: Value,
}

impl Each {
    /// Takes the lambda's value for the last element; false if nothing more has to be known.
    fn take(&mut self, value: Value) -> bool {
        match self.function {
            Builtin::MapFn => self.kept.push(value),
            Builtin::FilterFn if value == Value::Bool(true) => self.kept.push(self.items[self.begun - 1].clone()),
            Builtin::FilterFn => {}
            Builtin::AnyFn => self.verdict = ops::or(&self.verdict, &value),
            _ => self.verdict = ops::and(&self.verdict, &value),
        }
        let decided = self.function == Builtin::AnyFn;
        !matches!(self.function, Builtin::AnyFn | Builtin::AllFn) || self.verdict != Value::Bool(decided)
    }

    fn result(self) -> Value {
        match self.function {
            Builtin::MapFn => array(self.kept),
            Builtin::FilterFn => Value::Array(Arc::new(self.kept)),
            _ => self.verdict,
        }
    }
}

impl<'p> Machine<'p> {
    pub(super) fn start_each(&mut self, function: Builtin, slots: &'p [u32], body: &'p Body) {
        let Value::Array(items) = self.pop() else { return self.push(Value::Null) };
        let verdict = Value::Bool(function == Builtin::AllFn);
        self.each.push(Each { function, items, begun: 0, kept: Vec::new(), verdict });
        self.begin_element(slots, body);
    }

    pub(super) fn next_each(&mut self, slots: &'p [u32], body: &'p Body) {
        let value = self.pop();
        let each = self.each.last_mut().expect("an element's value is awaited");
        if each.take(value) { self.begin_element(slots, body) } else { self.end_each() }
    }

    fn begin_element(&mut self, slots: &'p [u32], body: &'p Body) {
        let each = self.each.last_mut().expect("one of them has started");
        let Some(item) = each.items.get(each.begun).cloned() else { return self.end_each() };
        each.begun += 1;
        if !self.turn() {
            return;
        }
        if let Some(slot) = slots.first() {
            *self.slot(*slot) = item;
        }
        self.tasks.push(Task::NextEach(slots, body));
        self.body(body);
    }

    fn end_each(&mut self) {
        let each = self.each.pop().expect("one of them has started");
        self.push(each.result());
    }
}
