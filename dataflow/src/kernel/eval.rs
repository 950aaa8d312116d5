//! Evaluation of nodes over the rows of a batch, or over some of them.

use super::arithmetic::{arithmetic, unary};
use super::call::call;
use super::compare::{Answer, compare, is_comparison, negated};
use super::contains;
use super::logic::{blend, connect, truth};
use super::node::{Node, Second};
use super::operand::Operand;
use super::row;
use super::scope::{Mask, Scope, matching};
use super::select::indices;
use crate::column::{Column, Prim, from_values};
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::eval::{access, convert::convert, ops};
use rarog_lang::plan::{BinOp, Function, Layout, UnOp};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// One evaluation over one batch.
pub struct Run<'k> {
    pub(super) evaluator: &'k mut Evaluator<Arc<[Function]>>,
    pub(super) layout: &'k Layout,
    /// Slots of the function whose body is evaluated, over the rows of the scope.
    pub(super) frame: Vec<Operand>,
    /// Rows that ran into a limit.
    pub(super) hits: &'k mut Vec<u32>,
}

impl Run<'_> {
    /// Values of a node over the rows of a scope.
    pub fn eval(&mut self, node: &Node, scope: &Scope) -> Operand {
        let rows = scope.len();
        let column = match node {
            Node::Const(value) => return Operand::Const(value.clone()),
            Node::Column(column) => scope.column(*column),
            Node::Time => scope.time(),
            Node::EventType => return scope.event_type(),
            Node::Window(end) => scope.window(*end),
            Node::Revision => scope.revision(),
            Node::Local(slot) => return self.frame.get(*slot as usize).cloned().unwrap_or(Operand::Const(Value::Null)),
            Node::Let(slot, parts) => return self.bind(*slot, parts, scope),
            Node::Inlined(args, body) => return self.inlined(args, body, scope),
            Node::Unary(op, a) => match self.eval(a, scope) {
                Operand::Const(a) => return Operand::Const(ops::unary(*op, &a)),
                a => unary(*op, &a, rows),
            },
            Node::Binary(op, sides) => return self.binary(*op, sides, scope),
            Node::Connect(absorbing, sides, second) => Column::Bool(self.connect(*absorbing, sides, *second, scope)),
            Node::Coalesce(sides, second) => return self.coalesce(sides, *second, scope),
            Node::If(parts, second) => return self.choose(parts, *second, scope),
            Node::IsNull(a) => return is_null(&self.eval(a, scope), rows),
            Node::In(sides) => {
                let [a, b] = &**sides;
                let (a, b) = (self.eval(a, scope), self.eval(b, scope));
                return contains::contains(&a, &b, rows);
            }
            Node::Among(a, set) => {
                let a = self.eval(a, scope);
                return contains::among(&a, set, rows);
            }
            Node::Within(included, parts) => {
                let [x, from, to] = &**parts;
                let operands = [self.eval(x, scope), self.eval(from, scope), self.eval(to, scope)];
                return contains::within(&operands, *included, rows);
            }
            Node::Call(function, args) => {
                let args: Vec<Operand> = args.iter().map(|arg| self.eval(arg, scope)).collect();
                return call(*function, args, rows);
            }
            Node::Member(a, key) => {
                let a = self.eval(a, scope);
                each(rows, |row, scratch| access::member(a.at(row, scratch), key))
            }
            Node::Index(sides) => {
                let [a, b] = &**sides;
                let (a, b) = (self.eval(a, scope), self.eval(b, scope));
                let mut index = Value::Null;
                each(rows, |row, scratch| access::index(a.at(row, scratch), b.at(row, &mut index)))
            }
            Node::Convert(ty, a) => {
                let a = self.eval(a, scope);
                return converted(ty, a, rows);
            }
            Node::Row(expr) => row::eval(expr, scope, self),
        };
        Operand::Column(column)
    }

    /// Rows at which a node is true (or false, as wanted).
    pub fn holds(&mut self, node: &Node, want: bool, scope: &Scope) -> Mask {
        match node {
            Node::Unary(UnOp::Not, a) => self.holds(a, !want, scope),
            Node::Binary(op, sides) if is_comparison(*op) => {
                let [a, b] = &**sides;
                let (a, b) = (self.eval(a, scope), self.eval(b, scope));
                if let (Operand::Const(a), Operand::Const(b)) = (&a, &b) {
                    return Mask::All(ops::binary(*op, a, b) == Value::Bool(want));
                }
                match compare(if want { *op } else { negated(*op) }, &a, &b, scope.len()) {
                    Answer::Null => Mask::All(false),
                    Answer::Rows(values, None) => Mask::Rows(values),
                    Answer::Rows(values, valid) => Mask::Rows(matching(&values, &valid, true)),
                }
            }
            Node::Connect(absorbing, sides, second) => self.connect_holds(*absorbing, sides, *second, want, scope),
            node => match self.eval(node, scope) {
                Operand::Const(value) => Mask::All(value == Value::Bool(want)),
                Operand::Column(Column::Bool(prim)) => Mask::Rows(matching(&prim.values, &prim.valid, want)),
                Operand::Column(Column::Any(values)) => {
                    Mask::Rows(values.iter().map(|value| *value == Value::Bool(want)).collect())
                }
                _ => Mask::All(false),
            },
        }
    }

    fn connect_holds(&mut self, absorbing: bool, sides: &[Node; 2], second: Second, want: bool, scope: &Scope) -> Mask {
        let [a, b] = sides;
        if second == Second::Needed && want != absorbing {
            let prim = self.connect(absorbing, sides, second, scope);
            return Mask::Rows(matching(&prim.values, &prim.valid, want));
        }
        // Where the first operand is the wanted absorbing value the second cannot change that; where the first is not
        // the wanted other value it cannot help.
        let either = want == absorbing;
        let mut flags = match self.holds(a, want, scope) {
            Mask::All(flag) if flag == either => return Mask::All(flag),
            Mask::All(_) => return self.holds(b, want, scope),
            Mask::Rows(flags) => flags,
        };
        if second == Second::All {
            match self.holds(b, want, scope) {
                Mask::All(flag) if flag == either => return Mask::All(flag),
                Mask::All(_) => {}
                Mask::Rows(others) if either => flags.iter_mut().zip(others).for_each(|(flag, other)| *flag |= other),
                Mask::Rows(others) => flags.iter_mut().zip(others).for_each(|(flag, other)| *flag &= other),
            }
            return Mask::Rows(flags);
        }
        let picked: Vec<bool> = flags.iter().map(|flag| *flag != either).collect();
        self.picking(&picked, scope, |run, inner, places| {
            let mask = run.holds(b, want, inner).into_flags(inner.len());
            places.iter().zip(mask).for_each(|(&place, flag)| flags[place as usize] = flag);
        });
        Mask::Rows(flags)
    }

    /// Runs over the flagged rows of a scope, if there are any. `places` are their indices in the scope.
    fn picking(&mut self, flags: &[bool], scope: &Scope, inner: impl FnOnce(&mut Self, &Scope, &[u32])) {
        let places = indices(flags);
        if places.is_empty() {
            return;
        }
        if places.len() == flags.len() {
            return inner(self, scope, &places);
        }
        let part = |operand: &Operand| match operand {
            Operand::Column(column) => Operand::Column(column.take(&places)),
            constant => constant.clone(),
        };
        let part = self.frame.iter().map(part).collect();
        let frame = std::mem::replace(&mut self.frame, part);
        match scope.picked {
            None => inner(self, &Scope { rows: scope.rows, picked: Some(&places) }, &places),
            Some(picked) => {
                let rows: Vec<u32> = places.iter().map(|&place| picked[place as usize]).collect();
                inner(self, &Scope { rows: scope.rows, picked: Some(&rows) }, &places);
            }
        }
        self.frame = frame;
    }

    /// Values of a node at the flagged rows of a scope; elsewhere they are unspecified.
    fn eval_where(&mut self, node: &Node, flags: &[bool], scope: &Scope) -> Operand {
        let mut operand = Operand::Const(Value::Null);
        self.picking(flags, scope, |run, inner, places| {
            operand = match run.eval(node, inner) {
                Operand::Column(column) if places.len() < flags.len() => {
                    let mut from = vec![0; flags.len()];
                    places.iter().enumerate().for_each(|(index, &place)| from[place as usize] = index as u32);
                    Operand::Column(column.take(&from))
                }
                operand => operand,
            };
        });
        operand
    }

    /// Evaluates a function's body with its arguments as the first slots.
    fn inlined(&mut self, args: &[Node], body: &Node, scope: &Scope) -> Operand {
        let args = args.iter().map(|arg| self.eval(arg, scope)).collect();
        let outer = std::mem::replace(&mut self.frame, args);
        let result = self.eval(body, scope);
        self.frame = outer;
        result
    }

    /// Evaluates the second part with a slot set to the first; the slot is as before behind it.
    fn bind(&mut self, slot: u32, [value, body]: &[Node; 2], scope: &Scope) -> Operand {
        let slot = slot as usize;
        let value = self.eval(value, scope);
        if slot >= self.frame.len() {
            self.frame.resize(slot + 1, Operand::Const(Value::Null));
        }
        let before = std::mem::replace(&mut self.frame[slot], value);
        let result = self.eval(body, scope);
        self.frame[slot] = before;
        result
    }

    fn binary(&mut self, op: BinOp, sides: &[Node; 2], scope: &Scope) -> Operand {
        let [a, b] = sides;
        let (a, b) = (self.eval(a, scope), self.eval(b, scope));
        if let (Operand::Const(a), Operand::Const(b)) = (&a, &b) {
            return Operand::Const(ops::binary(op, a, b));
        }
        match is_comparison(op) {
            true => compare(op, &a, &b, scope.len()).into_operand(scope.len()),
            false => Operand::Column(arithmetic(op, &a, &b, scope.len())),
        }
    }

    fn connect(&mut self, absorbing: bool, sides: &[Node; 2], second: Second, scope: &Scope) -> Prim<bool> {
        let [a, b] = sides;
        let rows = scope.len();
        let a = self.eval(a, scope);
        let a = truth(&a, rows);
        if second == Second::All {
            let b = self.eval(b, scope);
            return connect(absorbing, &a, &truth(&b, rows));
        }
        let mut open = matching(&a.values, &a.valid, absorbing);
        open.iter_mut().for_each(|flag| *flag = !*flag);
        let b = self.eval_where(b, &open, scope);
        connect(absorbing, &a, &truth(&b, rows))
    }

    fn coalesce(&mut self, sides: &[Node; 2], second: Second, scope: &Scope) -> Operand {
        let [a, b] = sides;
        let rows = scope.len();
        let a = self.eval(a, scope);
        match &a {
            Operand::Const(Value::Null) | Operand::Column(Column::Null(_)) => return self.eval(b, scope),
            Operand::Const(_) => return a,
            Operand::Column(_) => {}
        }
        let Some(valid) = a.valid(rows) else { return a };
        let b = match second {
            Second::All => self.eval(b, scope),
            _ => {
                let open: Vec<bool> = valid.iter().map(|valid| !valid).collect();
                self.eval_where(b, &open, scope)
            }
        };
        Operand::Column(blend(&valid, &a, &b))
    }

    fn choose(&mut self, parts: &[Node; 3], second: Second, scope: &Scope) -> Operand {
        let [condition, a, b] = parts;
        let mask = match self.holds(condition, true, scope) {
            Mask::All(true) => return self.eval(a, scope),
            Mask::All(false) => return self.eval(b, scope),
            Mask::Rows(mask) => mask,
        };
        let (a, b) = match second {
            Second::All => (self.eval(a, scope), self.eval(b, scope)),
            _ => {
                let others: Vec<bool> = mask.iter().map(|flag| !flag).collect();
                (self.eval_where(a, &mask, scope), self.eval_where(b, &others, scope))
            }
        };
        Operand::Column(blend(&mask, &a, &b))
    }
}

/// A column computed value by value.
pub fn each(rows: usize, mut value: impl FnMut(usize, &mut Value) -> Value) -> Column {
    let mut scratch = Value::Null;
    from_values((0..rows).map(|row| value(row, &mut scratch)).collect())
}

fn is_null(a: &Operand, rows: usize) -> Operand {
    if let Operand::Const(value) = a {
        return Operand::Const(Value::Bool(*value == Value::Null));
    }
    match a.valid(rows) {
        None => Operand::Const(Value::Bool(false)),
        Some(valid) => {
            let values = valid.iter().map(|valid| !valid).collect();
            Operand::Column(Column::Bool(Prim { values: Arc::new(values), valid: None }))
        }
    }
}

fn converted(ty: &Type, a: Operand, rows: usize) -> Operand {
    match (ty, &a) {
        (Type::Any, _)
        | (_, Operand::Column(Column::Null(_)))
        | (Type::Bool, Operand::Column(Column::Bool(_)))
        | (Type::Int, Operand::Column(Column::Int(_)))
        | (Type::Float, Operand::Column(Column::Float(_)))
        | (Type::Str, Operand::Column(Column::Str(_)))
        | (Type::Time, Operand::Column(Column::Time(_)))
        | (Type::Duration, Operand::Column(Column::Duration(_))) => a,
        (Type::Float, Operand::Column(Column::Int(ints))) => Operand::Column(Column::Float(Prim {
            values: Arc::new(ints.values.iter().map(|&int| int as f64).collect()),
            valid: ints.valid.clone(),
        })),
        (_, Operand::Const(value)) => Operand::Const(convert(ty, value.clone()).unwrap_or_default()),
        (_, Operand::Column(column)) => {
            Operand::Column(each(rows, |row, _| convert(ty, column.get(row)).unwrap_or_default()))
        }
    }
}
