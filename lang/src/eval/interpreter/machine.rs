//! The machine: tasks that are to be done, values that wait for the tasks that use them, and frames of locals.
//!
//! ```text
//! a + f(b) * 2      tasks (next one last)                    values
//!                   Eval(a + …)
//!                   Add  Eval(f(b) * 2)                      a
//!                   Add  Right(*, 2)  Call(f, 1)             a  b
//!                   Add  Right(*, 2)  EndCall  Stmts(body)   a
//! ```
//! Every expression leaves exactly one value; every block of statements leaves the value of its last one. At the start of
//! a statement no value of its function waits, so `return`, `break` and `continue` only have to take tasks away.

use super::each::Each;
use super::statements::Turns;
use super::{LOOP_TURNS, Record};
use crate::ast::{BinOp, UnOp};
use crate::eval::access::{array, index, map, member, range, range_array, range_contains, slice};
use crate::eval::builtin;
use crate::eval::convert::convert;
use crate::eval::ops;
use crate::plan::{Body, Builtin, Capture, Expr, Function, Stmt};
use crate::value::{Map, Type, Value};
use std::borrow::Cow;
use std::mem::take;
use std::sync::Arc;

/// Something that is to be done, often with values that wait.
pub(super) enum Task<'p> {
    Eval(&'p Expr),
    Unary(UnOp),
    Binary(BinOp),
    /// The left operand waits.
    Right(BinOp, &'p Expr),
    AndRight(&'p Expr),
    And,
    OrRight(&'p Expr),
    Or,
    /// If the value that waits is null, one of these.
    Otherwise(&'p [Expr]),
    OtherwiseOne(&'p Expr),
    In,
    InRange(bool),
    IsNull,
    Range(bool),
    /// The condition waits.
    Choose(&'p Expr, &'p Expr),
    Array(usize),
    Map(&'p [(Arc<str>, Expr)]),
    Index,
    /// Are the lower and the upper bound there?
    Slice(bool, bool),
    Member(&'p str),
    Builtin(Builtin, usize),
    Call(u32),
    EndCall(u32),
    Convert(&'p Type),
    CapturedAt(u32, u32),
    /// Arguments of a lambda that is called wait.
    Apply(&'p [u32], &'p Body),
    /// Where `return` in the lambda's block ends.
    EndApply,
    /// The array that a lambda is applied to waits.
    StartEach(Builtin, &'p [u32], &'p Body),
    NextEach(&'p [u32], &'p Body),
    Stmts(&'p [Stmt]),
    /// The value of the statement before is dropped.
    Then(&'p [Stmt]),
    Set(u32, &'p Type),
    /// A call whose first argument is the slot's own value; the arguments wait.
    Update(u32, &'p Type, Builtin, usize),
    Arms(&'p [(Expr, Vec<Stmt>)], &'p [Stmt]),
    StartFor(u32, &'p [Stmt]),
    StartForRange(u32, &'p [Stmt], bool),
    NextFor(u32, &'p [Stmt]),
    While(&'p Expr, &'p [Stmt]),
    WhileBody(&'p Expr, &'p [Stmt]),
    Drop,
    Return,
    Emit(&'p Arc<str>, &'p [(Arc<str>, Expr)]),
}

/// What is kept between evaluations, empty.
#[derive(Default)]
pub(super) struct Stacks {
    tasks: Vec<Task<'static>>,
    values: Vec<Value>,
    locals: Vec<Value>,
    bases: Vec<usize>,
    loops: Vec<Turns>,
    each: Vec<Each>,
}

/// What an evaluation leaves besides its value.
pub(super) struct End {
    pub limit_hit: bool,
    pub emitted: Vec<(Arc<str>, Map)>,
}

/// The state of one evaluation.
pub(super) struct Machine<'p> {
    pub(super) functions: &'p [Function],
    pub(super) record: &'p dyn Record,
    pub(super) tasks: Vec<Task<'p>>,
    pub(super) values: Vec<Value>,
    /// Frames, the current one from `base` on.
    pub(super) locals: Vec<Value>,
    pub(super) base: usize,
    /// Bases of the frames below.
    pub(super) bases: Vec<usize>,
    pub(super) loops: Vec<Turns>,
    pub(super) each: Vec<Each>,
    pub(super) turns: u32,
    pub(super) emitted: Vec<(Arc<str>, Map)>,
    pub(super) limit_hit: bool,
}

/// A revision as the language shows it: a first result has none.
pub fn revision(fired: u64) -> Value {
    if fired == 0 { Value::Null } else { Value::Int(i64::try_from(fired).unwrap_or(i64::MAX)) }
}

/// The value of an expression that only reads the record.
pub(super) fn read(expr: &Expr, record: &dyn Record) -> Option<Value> {
    let time = |ns: Option<i64>| ns.map_or(Value::Null, Value::Time);
    Some(match expr {
        Expr::Const(value) => value.clone(),
        Expr::Column(column) => record.column(*column),
        Expr::Of(input, column) => record.of(*input, *column),
        Expr::Record => record.record(),
        Expr::EventTime => Value::Time(record.time()),
        Expr::MatchStart => Value::Time(record.match_start()),
        Expr::EventType => Value::Str(record.event_type()),
        Expr::WindowStart => time(record.window().map(|(start, _)| start)),
        Expr::WindowEnd => time(record.window().map(|(_, end)| end)),
        Expr::Revision => revision(record.revision()),
        Expr::Aggregate(call) => record.aggregate(*call),
        Expr::Key(key) => record.key(*key),
        Expr::Partition => record.partition(),
        Expr::Captured(_, Capture::At(..)) => return None,
        Expr::Captured(element, capture) => record.captured(*element, capture),
        // A lambda is no value; the functions that take one look at the expression.
        Expr::Lambda(..) => Value::Null,
        _ => return None,
    })
}

/// An empty stack for tasks of another lifetime; the allocation stays.
fn recycled<'b>(mut tasks: Vec<Task<'_>>) -> Vec<Task<'b>> {
    tasks.clear();
    tasks.into_iter().map(|_| unreachable!("the stack was cleared")).collect()
}

impl<'p> Machine<'p> {
    pub(super) fn new(functions: &'p [Function], record: &'p dyn Record, stacks: &mut Stacks) -> Machine<'p> {
        Machine {
            functions,
            record,
            tasks: recycled(take(&mut stacks.tasks)),
            values: take(&mut stacks.values),
            locals: take(&mut stacks.locals),
            base: 0,
            bases: take(&mut stacks.bases),
            loops: take(&mut stacks.loops),
            each: take(&mut stacks.each),
            turns: 0,
            emitted: Vec::new(),
            limit_hit: false,
        }
    }

    pub(super) fn finish(mut self, stacks: &mut Stacks) -> End {
        self.values.clear();
        self.locals.clear();
        self.bases.clear();
        self.loops.clear();
        self.each.clear();
        *stacks = Stacks {
            tasks: recycled(self.tasks),
            values: self.values,
            locals: self.locals,
            bases: self.bases,
            loops: self.loops,
            each: self.each,
        };
        End { limit_hit: self.limit_hit, emitted: self.emitted }
    }

    /// Evaluates an expression.
    pub(super) fn run(&mut self, expr: &'p Expr) -> Value {
        self.tasks.push(Task::Eval(expr));
        self.work()
    }

    /// Calls a function.
    pub(super) fn run_call(&mut self, function: u32, args: Vec<Value>) -> Value {
        let Some(callee) = self.functions.get(function as usize) else { return Value::Null };
        self.values.extend(args);
        self.values.resize(callee.params.len(), Value::Null);
        self.tasks.push(Task::Call(function));
        self.work()
    }

    fn work(&mut self) -> Value {
        while let Some(task) = self.tasks.pop() {
            self.step(task);
            if self.limit_hit {
                return Value::Null;
            }
        }
        self.pop()
    }

    pub(super) fn pop(&mut self) -> Value {
        self.values.pop().expect("every task finds the values that it was pushed for")
    }

    pub(super) fn push(&mut self, value: Value) {
        self.values.push(value);
    }

    pub(super) fn local(&self, slot: u32) -> &Value {
        self.locals.get(self.base + slot as usize).unwrap_or(&Value::Null)
    }

    /// The slot of the current frame; frames outside of functions grow as they are used.
    pub(super) fn slot(&mut self, slot: u32) -> &mut Value {
        let at = self.base + slot as usize;
        if at >= self.locals.len() {
            self.locals.resize(at + 1, Value::Null);
        }
        &mut self.locals[at]
    }

    /// Counts a turn of a loop; false at the limit.
    pub(super) fn turn(&mut self) -> bool {
        self.turns += 1;
        self.limit_hit |= self.turns > LOOP_TURNS;
        !self.limit_hit
    }

    /// The value of an expression without operands.
    pub(super) fn leaf<'a>(&'a self, expr: &'a Expr) -> Option<Cow<'a, Value>> {
        match expr {
            Expr::Const(value) => Some(Cow::Borrowed(value)),
            Expr::Local(slot) => Some(Cow::Borrowed(self.local(*slot))),
            expr => read(expr, self.record).map(Cow::Owned),
        }
    }

    fn step(&mut self, task: Task<'p>) {
        match task {
            Task::Eval(expr) => self.eval(expr),
            Task::Unary(op) => self.replace(|value| ops::unary(op, &value)),
            Task::Binary(op) => self.combine(|a, b| ops::binary(op, &a, &b)),
            Task::Right(op, right) => self.right(op, right),
            Task::AndRight(right) => match self.values.last() {
                Some(Value::Bool(false)) => {}
                _ => self.tasks.extend([Task::And, Task::Eval(right)]),
            },
            Task::And => self.combine(|a, b| ops::and(&a, &b)),
            Task::OrRight(right) => match self.values.last() {
                Some(Value::Bool(true)) => {}
                _ => self.tasks.extend([Task::Or, Task::Eval(right)]),
            },
            Task::Or => self.combine(|a, b| ops::or(&a, &b)),
            Task::Otherwise(rest) => self.otherwise(rest),
            Task::OtherwiseOne(right) => {
                if self.values.pop_if(|value| *value == Value::Null).is_some() {
                    self.tasks.push(Task::Eval(right));
                }
            }
            Task::In => self.combine(|a, b| ops::contains(&a, &b)),
            Task::InRange(included) => {
                let (to, from) = (self.pop(), self.pop());
                self.replace(|value| range_contains(&value, range(&from, &to, included)));
            }
            Task::IsNull => self.replace(|value| Value::Bool(value == Value::Null)),
            Task::Range(included) => self.combine(|from, to| range_array(range(&from, &to, included))),
            Task::Choose(then, otherwise) => {
                let chosen = if self.pop() == Value::Bool(true) { then } else { otherwise };
                self.tasks.push(Task::Eval(chosen));
            }
            Task::Index => self.combine(|value, at| index(&value, &at)),
            Task::Member(key) => self.replace(|value| member(&value, key)),
            Task::Convert(ty) => self.replace(|value| convert(ty, value).unwrap_or_default()),
            task => self.step_compound(task),
        }
    }

    fn step_compound(&mut self, task: Task<'p>) {
        match task {
            Task::Array(len) => {
                let items = self.values.split_off(self.values.len() - len);
                self.push(array(items));
            }
            Task::Map(entries) => {
                let values = self.values.drain(self.values.len() - entries.len()..);
                let map_value = map(entries.iter().map(|(key, _)| key.clone()).zip(values).collect());
                self.push(map_value);
            }
            Task::Slice(lower, upper) => {
                let to = if upper { Some(self.pop()) } else { None };
                let from = if lower { Some(self.pop()) } else { None };
                self.replace(|value| slice(&value, from.as_ref(), to.as_ref()));
            }
            Task::Builtin(function, count) => {
                let first = self.values.len() - count;
                let result = builtin::call(function, &mut self.values[first..]);
                self.values.truncate(first);
                self.push(result);
            }
            Task::Call(function) => self.call(function),
            Task::EndCall(function) => self.end_call(function),
            Task::CapturedAt(element, column) => self.captured_at(element, column),
            Task::Apply(slots, body) => self.apply(slots, body),
            Task::StartEach(function, slots, body) => self.start_each(function, slots, body),
            Task::NextEach(slots, body) => self.next_each(slots, body),
            Task::EndApply => {}
            task => self.step_statement(task),
        }
    }

    pub(super) fn replace(&mut self, change: impl FnOnce(Value) -> Value) {
        let value = self.pop();
        self.push(change(value));
    }

    fn combine(&mut self, change: impl FnOnce(Value, Value) -> Value) {
        let (b, a) = (self.pop(), self.pop());
        self.push(change(a, b));
    }

    fn right(&mut self, op: BinOp, right: &'p Expr) {
        let left = self.pop();
        let result = self.leaf(right).map(|right| ops::binary(op, &left, &right));
        match result {
            Some(result) => self.push(result),
            None => {
                self.push(left);
                self.tasks.extend([Task::Binary(op), Task::Eval(right)]);
            }
        }
    }

    fn otherwise(&mut self, rest: &'p [Expr]) {
        if let Some((next, rest)) = rest.split_first()
            && self.values.pop_if(|value| *value == Value::Null).is_some()
        {
            self.tasks.extend([Task::Otherwise(rest), Task::Eval(next)]);
        }
    }
}
