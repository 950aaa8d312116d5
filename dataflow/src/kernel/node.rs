//! The form in which a kernel keeps its expression: what has a loop over columns, and the rest as it is.

use super::contains::Set;
use rarog_lang::plan::{BinOp, Builtin, Expr, UnOp};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// On which rows an operand that may not be needed is evaluated. Values do not depend on it: expressions have no effects
/// but the limits that they may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// On all: a loop over them costs less than picking.
    All,
    /// Only where it can change the result: it is costly.
    Useful,
    /// Exactly where the interpreter evaluates it: it may hit a limit.
    Needed,
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Node {
    /// A constant.
    Const(Value),
    /// A column of the layout.
    Column(u32),
    /// Event time.
    Time,
    /// Event type.
    EventType,
    /// Start (true: end) of the window that released the record.
    Window(bool),
    /// How often its window had fired before.
    Revision,
    /// A slot of the function whose body this is.
    Local(u32),
    /// A slot's value, and what is evaluated with it there.
    Let(u32, Box<[Node; 2]>),
    /// A call: the arguments, which become the first slots, and the body.
    Inlined(Vec<Node>, Box<Node>),
    /// `- ~ not`
    Unary(UnOp, Box<Node>),
    /// Comparisons, arithmetic, bits.
    Binary(BinOp, Box<[Node; 2]>),
    /// `and` (absorbing false), `or` (absorbing true).
    Connect(bool, Box<[Node; 2]>, Second),
    /// `??`
    Coalesce(Box<[Node; 2]>, Second),
    /// `if c then a else b`
    If(Box<[Node; 3]>, Second),
    /// `is null`
    IsNull(Box<Node>),
    /// `in`
    In(Box<[Node; 2]>),
    /// `in` over a constant array.
    Among(Box<Node>, Arc<Set>),
    /// `x in a..b` (true: b included).
    Within(bool, Box<[Node; 3]>),
    /// A built-in function without a lambda.
    Call(Builtin, Vec<Node>),
    /// `m.k`
    Member(Box<Node>, Arc<str>),
    /// `a[i]`
    Index(Box<[Node; 2]>),
    /// Conversion to a declared type.
    Convert(Type, Box<Node>),
    /// Left to the interpreter, row by row.
    Row(Box<Expr>),
}

impl Node {
    /// Does a row of it cost more than picking the rows that need it?
    pub fn costly(&self) -> bool {
        match self {
            Node::Const(_) | Node::Column(_) | Node::Time | Node::Window(_) | Node::Revision | Node::Local(_) => false,
            Node::Let(_, parts) => parts.iter().any(Node::costly),
            Node::Inlined(args, body) => body.costly() || args.iter().any(Node::costly),
            Node::Unary(_, a) | Node::IsNull(a) | Node::Among(a, _) => a.costly(),
            Node::Binary(op, sides) => *op == BinOp::Pow || sides.iter().any(Node::costly),
            Node::Connect(_, sides, _) | Node::Coalesce(sides, _) => sides.iter().any(Node::costly),
            Node::If(parts, _) => parts.iter().any(Node::costly),
            Node::EventType | Node::In(_) | Node::Within(..) | Node::Member(..) | Node::Index(_) | Node::Row(_) => true,
            Node::Convert(ty, a) => !matches!(ty, Type::Int | Type::Float | Type::Bool | Type::Any) || a.costly(),
            Node::Call(function, args) => !super::call::is_light(*function) || args.iter().any(Node::costly),
        }
    }
}
