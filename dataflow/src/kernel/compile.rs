//! From expressions of the plan to nodes.
//!
//! Limits belong to one evaluation of the whole expression, so what can hit one is never split: if two operands of an
//! operator can, the operator as a whole is left to the interpreter. What cannot hit a limit may be evaluated in any
//! order, and for rows that do not need it. Collections are built row by row, and used up there if they are not the
//! result: a batch of them would not fit into memory.

use super::contains::Set;

use super::node::{Node, Second};
use super::traits::{Traits, operands, takes_lambda};
use rarog_lang::plan::{BinOp, Builtin, Expr, Function};
use rarog_lang::value::{Type, Value};
use std::cell::Cell;
use std::sync::Arc;

/// Nodes are evaluated by recursion, so deeper operands are left to the interpreter, which has none.
pub(super) const NODE_DEPTH: u32 = 200;
/// Most arguments of `coalesce` that become nested nodes.
const COALESCE_ARGS: usize = 16;
/// Most calls of functions that one expression has in their place.
const INLINED_CALLS: u32 = 64;

/// Compiles expressions that may call these functions.
pub struct Compiler<'p> {
    pub(super) functions: &'p [Function],
    pub(super) traits: Traits,
    /// Calls that may still be put in place.
    pub(super) calls_left: Cell<u32>,
    /// Has the function whose body is compiled an expression without a loop? The interpreter cannot be called in the
    /// middle of one, as it would not have its locals.
    pub(super) unfit: Cell<bool>,
}

impl<'p> Compiler<'p> {
    /// Looks at the functions.
    pub fn new(functions: &'p [Function]) -> Compiler<'p> {
        let traits = Traits::new(functions);
        Compiler { functions, traits, calls_left: Cell::new(INLINED_CALLS), unfit: Cell::new(false) }
    }

    /// The node of an expression.
    pub fn node(&self, expr: &Expr) -> Node {
        self.node_at(expr, NODE_DEPTH)
    }

    /// An expression that is left to the interpreter.
    fn row(&self, expr: &Expr) -> Node {
        self.unfit.set(true);
        Node::Row(Box::new(expr.clone()))
    }

    pub(super) fn node_at(&self, expr: &Expr, depth: u32) -> Node {
        if depth == 0 || self.several_can_hit(expr) || self.uses_built(expr) {
            return self.row(expr);
        }
        let node = |expr: &Expr| self.node_at(expr, depth - 1);
        let one = |a: &Expr| Box::new(node(a));
        let two = |a: &Expr, b: &Expr| Box::new([node(a), node(b)]);
        match expr {
            Expr::Const(value) => Node::Const(value.clone()),
            Expr::Column(column) => Node::Column(*column),
            Expr::Local(slot) => Node::Local(*slot),
            Expr::EventTime => Node::Time,
            Expr::EventType => Node::EventType,
            Expr::WindowStart => Node::Window(false),
            Expr::WindowEnd => Node::Window(true),
            Expr::Revision => Node::Revision,
            Expr::Unary(op, a) => Node::Unary(*op, one(a)),
            Expr::Binary(op, a, b) => Node::Binary(*op, two(a, b)),
            Expr::And(a, b) | Expr::Or(a, b) => {
                let sides = two(a, b);
                let second = self.second(&[b], &sides[1..]);
                Node::Connect(matches!(expr, Expr::Or(..)), sides, second)
            }
            Expr::Coalesce(a, b) => {
                let sides = two(a, b);
                let second = self.second(&[b], &sides[1..]);
                Node::Coalesce(sides, second)
            }
            Expr::IsNull(a) => Node::IsNull(one(a)),
            Expr::If(c, a, b) => {
                let parts = Box::new([node(c), node(a), node(b)]);
                let second = self.second(&[a, b], &parts[1..]);
                Node::If(parts, second)
            }
            Expr::In(a, b) => match &**b {
                Expr::Const(Value::Array(items)) => Node::Among(one(a), Arc::new(Set::new(items.clone()))),
                Expr::Range(included, from, to) if !self.traits.can_hit(b) => {
                    Node::Within(*included, Box::new([node(a), node(from), node(to)]))
                }
                _ => Node::In(two(a, b)),
            },
            Expr::Call(function, args) => self.call(*function, args, expr, depth - 1),
            Expr::Member(a, key) => Node::Member(one(a), key.clone()),
            Expr::Index(a, b) => Node::Index(two(a, b)),
            Expr::Convert(Type::Any, a) => node(a),
            Expr::Convert(ty, a) => Node::Convert(ty.clone(), one(a)),
            Expr::CallFn(function, args) => self.inlined(*function, args, depth - 1).unwrap_or_else(|| self.row(expr)),
            _ => self.row(expr),
        }
    }

    fn call(&self, function: Builtin, args: &[Expr], expr: &Expr, depth: u32) -> Node {
        let node = |expr: &Expr| self.node_at(expr, depth);
        match (function, args) {
            (Builtin::Coalesce | Builtin::IfNull, [first, rest @ ..]) if args.len() <= COALESCE_ARGS => {
                let mut nodes = rest.iter().rev().map(|arg| (arg, node(arg)));
                let Some((arg, mut last)) = nodes.next() else { return node(first) };
                let mut later = vec![arg];
                for (arg, node) in nodes.chain([(first, node(first))]) {
                    let sides = Box::new([node, last]);
                    let second = self.second(&later, &sides[1..]);
                    last = Node::Coalesce(sides, second);
                    later.push(arg);
                }
                last
            }
            _ if takes_lambda(function)
                || self.traits.can_hit(expr) && matches!(function, Builtin::Coalesce | Builtin::IfNull) =>
            {
                self.row(expr)
            }
            (Builtin::Pow, [a, b]) => Node::Binary(BinOp::Pow, Box::new([node(a), node(b)])),
            (Builtin::IsNull, [a]) => Node::IsNull(Box::new(node(a))),
            (Builtin::Contains, [a, b]) => Node::In(Box::new([node(b), node(a)])),
            _ => Node::Call(function, args.iter().map(node).collect()),
        }
    }

    /// Can two operands hit a limit?
    fn several_can_hit(&self, expr: &Expr) -> bool {
        let mut all = Vec::new();
        operands(expr, &mut all);
        all.into_iter().filter(|operand| self.traits.can_hit(operand)).count() > 1
    }

    /// Does it use up a collection that one of its operands builds? A column of such would be large for nothing.
    fn uses_built(&self, expr: &Expr) -> bool {
        if matches!(expr, Expr::If(..) | Expr::Coalesce(..) | Expr::Call(Builtin::Coalesce | Builtin::IfNull, _)) {
            return false;
        }
        let mut all = Vec::new();
        operands(expr, &mut all);
        all.into_iter().any(|operand| self.traits.builds(operand))
    }

    /// On which rows operands that may not be needed are evaluated.
    pub(super) fn second(&self, operands: &[&Expr], nodes: &[Node]) -> Second {
        if operands.iter().any(|operand| self.traits.can_hit(operand)) {
            Second::Needed
        } else if nodes.iter().any(Node::costly) {
            Second::Useful
        } else {
            Second::All
        }
    }
}
