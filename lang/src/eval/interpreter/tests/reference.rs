//! The plainest evaluator that there can be: recursion on the program. It knows no limits.

use super::*;
use crate::eval::{access, builtin, convert::convert, ops};
use crate::value::Map;

/// How a statement ends that is not its own last one.
pub(super) enum Leave {
    Return(Value),
    Break,
    Continue,
}

pub(super) struct Reference<'p> {
    pub functions: &'p [Function],
    pub record: &'p dyn Record,
    pub frame: Vec<Value>,
    pub emitted: Vec<(Arc<str>, Map)>,
}

impl Reference<'_> {
    fn store(&mut self, slot: u32, value: Value) {
        let slot = slot as usize;
        if self.frame.len() <= slot {
            self.frame.resize(slot + 1, Value::Null);
        }
        self.frame[slot] = value;
    }

    pub fn eval(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::Const(value) => value.clone(),
            Expr::Local(slot) => self.frame.get(*slot as usize).cloned().unwrap_or_default(),
            Expr::Column(column) => self.record.column(*column),
            Expr::Unary(op, a) => ops::unary(*op, &self.eval(a)),
            Expr::Binary(op, a, b) => ops::binary(*op, &self.eval(a), &self.eval(b)),
            Expr::And(a, b) => match self.eval(a) {
                Value::Bool(false) => Value::Bool(false),
                a => ops::and(&a, &self.eval(b)),
            },
            Expr::Or(a, b) => match self.eval(a) {
                Value::Bool(true) => Value::Bool(true),
                a => ops::or(&a, &self.eval(b)),
            },
            Expr::Coalesce(a, b) => match self.eval(a) {
                Value::Null => self.eval(b),
                value => value,
            },
            Expr::In(a, b) => ops::contains(&self.eval(a), &self.eval(b)),
            Expr::IsNull(a) => Value::Bool(self.eval(a) == Value::Null),
            Expr::Range(included, a, b) => access::range_array(access::range(&self.eval(a), &self.eval(b), *included)),
            Expr::If(c, a, b) => {
                if self.eval(c) == Value::Bool(true) {
                    self.eval(a)
                } else {
                    self.eval(b)
                }
            }
            Expr::Array(items) => access::array(items.iter().map(|item| self.eval(item)).collect()),
            Expr::Map(entries) => {
                access::map(entries.iter().map(|(key, value)| (key.clone(), self.eval(value))).collect())
            }
            Expr::Index(a, at) => access::index(&self.eval(a), &self.eval(at)),
            Expr::Slice(a, from, to) => {
                let (a, from) = (self.eval(a), from.as_ref().map(|from| self.eval(from)));
                let to = to.as_ref().map(|to| self.eval(to));
                access::slice(&a, from.as_ref(), to.as_ref())
            }
            Expr::Member(a, key) => access::member(&self.eval(a), key),
            Expr::Convert(ty, a) => convert(ty, self.eval(a)).unwrap_or_default(),
            Expr::Call(function, args) => self.builtin(*function, args),
            Expr::CallFn(function, args) => {
                let args = args.iter().map(|arg| self.eval(arg)).collect();
                self.call(*function, args)
            }
            Expr::Apply(slots, body, args) => {
                let args: Vec<Value> = args.iter().map(|arg| self.eval(arg)).collect();
                slots.iter().zip(args).for_each(|(slot, arg)| self.store(*slot, arg));
                self.body(body)
            }
            other => panic!("not generated: {other:?}"),
        }
    }

    fn builtin(&mut self, function: Builtin, args: &[Expr]) -> Value {
        if matches!(function, Builtin::Coalesce | Builtin::IfNull) {
            return args.iter().map(|arg| self.eval(arg)).find(|value| *value != Value::Null).unwrap_or_default();
        }
        let [first, Expr::Lambda(slots, body)] = args else {
            let mut args: Vec<Value> = args.iter().map(|arg| self.eval(arg)).collect();
            return builtin::call(function, &mut args);
        };
        let Value::Array(items) = self.eval(first) else { return Value::Null };
        let mut values = Vec::new();
        for item in items.iter() {
            self.store(slots[0], item.clone());
            values.push(self.body(body));
            match (function, values.last()) {
                (Builtin::AnyFn, Some(Value::Bool(true))) | (Builtin::AllFn, Some(Value::Bool(false))) => break,
                _ => {}
            }
        }
        let has = |value| values.contains(&value);
        match function {
            Builtin::MapFn => access::array(values),
            Builtin::FilterFn => {
                let kept = items.iter().zip(&values).filter(|(_, value)| **value == Value::Bool(true));
                Value::Array(Arc::new(kept.map(|(item, _)| item.clone()).collect()))
            }
            Builtin::AnyFn if has(Value::Bool(true)) => Value::Bool(true),
            Builtin::AllFn if has(Value::Bool(false)) => Value::Bool(false),
            _ if values.iter().all(|value| matches!(value, Value::Bool(_))) => Value::Bool(function == Builtin::AllFn),
            _ => Value::Null,
        }
    }

    fn body(&mut self, body: &Body) -> Value {
        match body {
            Body::Expr(expr) => self.eval(expr),
            Body::Block(stmts) => self.function_body(stmts),
        }
    }

    fn function_body(&mut self, stmts: &[Stmt]) -> Value {
        match self.block(stmts) {
            Ok(value) | Err(Leave::Return(value)) => value,
            Err(_) => panic!("break outside of a loop is not generated"),
        }
    }

    pub fn call(&mut self, function: u32, args: Vec<Value>) -> Value {
        let callee = &self.functions[function as usize];
        let args = args.into_iter().zip(&callee.params).map(|(arg, (_, ty))| convert(ty, arg).unwrap_or_default());
        let frame = std::mem::replace(&mut self.frame, args.collect());
        let value = self.function_body(&callee.body);
        self.frame = frame;
        convert(&callee.ret, value).unwrap_or_default()
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result<Value, Leave> {
        stmts.iter().try_fold(Value::Null, |_, stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<Value, Leave> {
        match stmt {
            Stmt::Expr(expr) => return Ok(self.eval(expr)),
            Stmt::Set(slot, ty, value) => {
                let value = self.eval(value);
                self.store(*slot, convert(ty, value).unwrap_or_default());
            }
            Stmt::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.eval(condition) == Value::Bool(true) {
                        return self.block(body);
                    }
                }
                return self.block(otherwise);
            }
            Stmt::For(slot, over, body) => {
                for value in turns(self.eval(over)) {
                    self.store(*slot, value);
                    if !self.turn(body)? {
                        break;
                    }
                }
            }
            Stmt::While(condition, body) => while self.eval(condition) == Value::Bool(true) && self.turn(body)? {},
            Stmt::Return(value) => {
                return Err(Leave::Return(value.as_ref().map_or(Value::Null, |value| self.eval(value))));
            }
            Stmt::Break => return Err(Leave::Break),
            Stmt::Continue => return Err(Leave::Continue),
            Stmt::Emit(event, items) => {
                let mut fields = Map::new();
                for (name, item) in items {
                    let value = self.eval(item);
                    if value != Value::Null || *item == null() {
                        fields.insert(name.clone(), value);
                    }
                }
                self.emitted.push((event.clone(), fields));
            }
        }
        Ok(Value::Null)
    }

    /// One turn of a loop; false after `break`.
    fn turn(&mut self, body: &[Stmt]) -> Result<bool, Leave> {
        match self.block(body) {
            Ok(_) | Err(Leave::Continue) => Ok(true),
            Err(Leave::Break) => Ok(false),
            Err(leave) => Err(leave),
        }
    }
}

fn turns(over: Value) -> Vec<Value> {
    match over {
        Value::Array(items) => items.to_vec(),
        Value::Map(map) => {
            let pair = |(key, value): (&Arc<str>, &Value)| vec![Value::Str(key.clone()), value.clone()];
            map.iter().map(|entry| Value::Array(Arc::new(pair(entry)))).collect()
        }
        Value::Int(n) => (0..n).map(Value::Int).collect(),
        _ => Vec::new(),
    }
}
