//! Calls of user functions put in place, so that their bodies become loops over columns, too.
//!
//! This takes functions without loops whose statements are `let`s, `if`s and values: then a slot is set before it is read
//! on every way, and never again beside a way on which it is not. Everything else is called row by row.

use super::compile::Compiler;
use super::node::Node;
use rarog_lang::plan::{Expr, Stmt};
use rarog_lang::value::{Type, Value};

impl Compiler<'_> {
    /// A call in place; `None` if it cannot be.
    pub(super) fn inlined(&self, function: u32, args: &[Expr], depth: u32) -> Option<Node> {
        let callee = self.functions.get(function as usize)?;
        let left = self.calls_left.get().checked_sub(1)?;
        if args.len() != callee.params.len() || self.traits.limited(function) {
            return None;
        }
        self.calls_left.set(left);
        let args = args.iter().zip(&callee.params).map(|(arg, (_, ty))| converted(ty, self.node_at(arg, depth)));
        let args = args.collect();
        let outer = self.unfit.replace(false);
        let body = self.statements(&callee.body, depth);
        let unfit = self.unfit.replace(outer);
        let body = body.filter(|_| !unfit)?;
        Some(Node::Inlined(args, Box::new(converted(&callee.ret, body))))
    }

    /// The value of statements that end a function.
    fn statements(&self, statements: &[Stmt], depth: u32) -> Option<Node> {
        let Some((first, rest)) = statements.split_first() else { return Some(Node::Const(Value::Null)) };
        let depth = depth.checked_sub(1)?;
        match first {
            Stmt::Return(Some(value)) => Some(self.node_at(value, depth)),
            Stmt::Return(None) => Some(Node::Const(Value::Null)),
            Stmt::Expr(value) if rest.is_empty() => Some(self.node_at(value, depth)),
            // Evaluated for nothing, and nothing comes of it.
            Stmt::Expr(_) => self.statements(rest, depth),
            Stmt::Set(slot, ty, value) => {
                let value = converted(ty, self.node_at(value, depth));
                Some(Node::Let(*slot, Box::new([value, self.statements(rest, depth)?])))
            }
            Stmt::If(arms, otherwise) => self.arms(arms, otherwise, rest, depth),
            Stmt::For(..) | Stmt::While(..) | Stmt::Break | Stmt::Continue | Stmt::Emit(..) => None,
        }
    }

    /// Arms that end the function, or after which nothing stands.
    fn arms(&self, arms: &[(Expr, Vec<Stmt>)], otherwise: &[Stmt], rest: &[Stmt], depth: u32) -> Option<Node> {
        let depth = depth.checked_sub(1)?;
        let Some(((condition, body), arms)) = arms.split_first() else {
            return match (otherwise, rest) {
                ([], rest) => self.statements(rest, depth),
                (otherwise, []) => self.statements(otherwise, depth),
                (otherwise, _) if matches!(otherwise.last(), Some(Stmt::Return(_))) => {
                    self.statements(otherwise, depth)
                }
                _ => None,
            };
        };
        if !rest.is_empty() && !matches!(body.last(), Some(Stmt::Return(_))) {
            return None;
        }
        let parts =
            [self.node_at(condition, depth), self.statements(body, depth)?, self.arms(arms, otherwise, rest, depth)?];
        let second = self.second(&[], &parts[1..]);
        Some(Node::If(Box::new(parts), second))
    }
}

fn converted(ty: &Type, node: Node) -> Node {
    if *ty == Type::Any { node } else { Node::Convert(ty.clone(), Box::new(node)) }
}
