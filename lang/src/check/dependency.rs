//! Which functions and globals rest on which: the order in which they can be lowered and evaluated, the globals that rest on
//! themselves, and the functions that emit.
//!
//! Functions may call themselves and each other. A global may not rest on itself, not even through a function that it calls.

use crate::ast::{self, Arg, Expr, ExprKind, LambdaBody, Stmt, StmtKind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A function or global, by its index in the list that was given.
pub(super) type NodeId = usize;

/// A declaration with an inside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    Function(&'a ast::Fn),
    Global(&'a ast::Let),
}

impl<'a> Node<'a> {
    /// Its name.
    pub(super) fn name(self) -> &'a ast::Ident {
        match self {
            Node::Function(function) => &function.name,
            Node::Global(global) => &global.name,
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Dependencies {
    /// All nodes, those that others rest on first.
    pub(super) order: Vec<NodeId>,
    /// Groups of nodes that rest on each other (or one on itself), each in the order of the text.
    pub(super) cycles: Vec<Vec<NodeId>>,
    /// Nodes that emit, themselves or through what they call.
    pub(super) emitting: HashSet<NodeId>,
}

impl Dependencies {
    /// `named`: the node that a name of the name space of functions and globals stands for.
    pub(super) fn of(nodes: &[Node], named: &HashMap<Arc<str>, NodeId>) -> Dependencies {
        let mut uses: Vec<Vec<NodeId>> = Vec::new();
        let mut found = Dependencies::default();
        for (id, node) in nodes.iter().enumerate() {
            let mut walk = Walk::new(named);
            match node {
                Node::Function(function) => {
                    function.params.iter().for_each(|param| walk.declare(&param.name.name));
                    walk.block(&function.body);
                }
                Node::Global(global) => walk.expr(&global.value),
            }
            if walk.emits {
                found.emitting.insert(id);
            }
            let mut used: Vec<NodeId> = walk.uses.into_iter().collect();
            used.sort_unstable();
            uses.push(used);
        }
        for mut component in components(&uses) {
            component.sort_unstable();
            if component.iter().any(|id| uses[*id].iter().any(|used| found.emitting.contains(used)))
                || component.iter().any(|id| found.emitting.contains(id))
            {
                found.emitting.extend(&component);
            }
            found.order.extend(&component);
            if component.len() > 1 || uses[component[0]].contains(&component[0]) {
                found.cycles.push(component);
            }
        }
        found
    }
}

/// Strongly connected components, those that others rest on first (Tarjan's algorithm with a stack of its own).
pub(super) fn components(uses: &[Vec<NodeId>]) -> Vec<Vec<NodeId>> {
    const UNSEEN: usize = usize::MAX;
    let mut index = vec![UNSEEN; uses.len()];
    let mut low = vec![0; uses.len()];
    let mut open = vec![false; uses.len()];
    let (mut next, mut stack, mut components) = (0, Vec::new(), Vec::new());
    for root in 0..uses.len() {
        if index[root] != UNSEEN {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some((node, position)) = path.pop() {
            if position == 0 {
                (index[node], low[node], open[node]) = (next, next, true);
                next += 1;
                stack.push(node);
            } else {
                low[node] = low[node].min(low[uses[node][position - 1]]);
            }
            let unseen = (position..uses[node].len()).find(|edge| {
                let used = uses[node][*edge];
                if index[used] != UNSEEN && open[used] {
                    low[node] = low[node].min(index[used]);
                }
                index[used] == UNSEEN
            });
            if let Some(edge) = unseen {
                path.push((node, edge + 1));
                path.push((uses[node][edge], 0));
                continue;
            }
            if low[node] == index[node] {
                let start = stack.iter().rposition(|id| *id == node).expect("an open node is on the stack");
                let component = stack.split_off(start);
                component.iter().for_each(|id| open[*id] = false);
                components.push(component);
            }
        }
    }
    components
}

/// Collects the names that an inside uses, but those that a local or parameter hides.
struct Walk<'w> {
    named: &'w HashMap<Arc<str>, NodeId>,
    locals: Vec<&'w Arc<str>>,
    /// How often each name stands in `locals`.
    hidden: HashMap<&'w str, usize>,
    uses: HashSet<NodeId>,
    emits: bool,
}

impl<'w> Walk<'w> {
    fn new(named: &'w HashMap<Arc<str>, NodeId>) -> Walk<'w> {
        Walk { named, locals: Vec::new(), hidden: HashMap::new(), uses: HashSet::new(), emits: false }
    }

    fn declare(&mut self, name: &'w Arc<str>) {
        self.locals.push(name);
        *self.hidden.entry(name).or_default() += 1;
    }

    fn leave(&mut self, block: usize) {
        for name in self.locals.drain(block..) {
            *self.hidden.entry(name).or_default() -= 1;
        }
    }

    fn name(&mut self, name: &str) {
        if self.hidden.get(name).is_none_or(|times| *times == 0)
            && let Some(id) = self.named.get(name)
        {
            self.uses.insert(*id);
        }
    }

    fn block(&mut self, statements: &'w [Stmt]) {
        let locals = self.locals.len();
        for statement in statements {
            self.statement(statement);
        }
        self.leave(locals);
    }

    fn statement(&mut self, statement: &'w Stmt) {
        match &statement.kind {
            StmtKind::Let(binding) => {
                self.expr(&binding.value);
                self.declare(&binding.name.name);
            }
            StmtKind::Assign(_, value) | StmtKind::Expr(value) => self.expr(value),
            StmtKind::If(arms, otherwise) => {
                for (condition, body) in arms {
                    self.expr(condition);
                    self.block(body);
                }
                self.block(otherwise.as_deref().unwrap_or_default());
            }
            StmtKind::For(name, iterated, body) => {
                self.expr(iterated);
                let locals = self.locals.len();
                self.declare(&name.name);
                self.block(body);
                self.leave(locals);
            }
            StmtKind::While(condition, body) => {
                self.expr(condition);
                self.block(body);
            }
            StmtKind::Return(value) => value.iter().for_each(|value| self.expr(value)),
            StmtKind::Emit(_, args) => {
                self.emits = true;
                self.args(args);
            }
            StmtKind::Break | StmtKind::Continue => {}
        }
    }

    fn args(&mut self, args: &'w [Arg]) {
        args.iter().for_each(|arg| self.expr(&arg.value));
    }

    /// Left sides of chains are walked in a loop: the parser allows long ones.
    fn expr(&mut self, mut expr: &'w Expr) {
        loop {
            expr = match &expr.kind {
                ExprKind::Binary(_, _, left, right)
                | ExprKind::And(_, left, right)
                | ExprKind::Or(_, left, right)
                | ExprKind::In(_, _, left, right)
                | ExprKind::Index(left, _, right) => {
                    self.expr(right);
                    left
                }
                ExprKind::IsNull(_, _, left) | ExprKind::IsOther(_, left) | ExprKind::Member(left, _) => left,
                ExprKind::Slice(left, _, from, to) => {
                    [from, to].into_iter().flatten().for_each(|bound| self.expr(bound));
                    left
                }
                ExprKind::Method(left, name, args) => {
                    self.name(&name.name);
                    self.args(args);
                    left
                }
                _ => break,
            };
        }
        self.leaf(expr);
    }

    fn leaf(&mut self, expr: &'w Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name),
            ExprKind::Call(name, args) => {
                self.name(&name.name);
                self.args(args);
            }
            ExprKind::Unary(_, _, operand) => self.expr(operand),
            ExprKind::Coalesce(_, a, b) | ExprKind::Range(_, _, a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|part| self.expr(part)),
            ExprKind::Array(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| self.expr(value)),
            ExprKind::Lambda(params, body) => {
                let locals = self.locals.len();
                params.iter().for_each(|param| self.declare(&param.name));
                match &**body {
                    LambdaBody::Expr(expr) => self.expr(expr),
                    LambdaBody::Block(statements) => self.block(statements),
                }
                self.leave(locals);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_after_what_they_rest_on() {
        let uses = [vec![1, 2], vec![2], vec![1, 3], vec![], vec![4], vec![0]];
        let found: Vec<Vec<NodeId>> = components(&uses)
            .into_iter()
            .map(|mut component| {
                component.sort_unstable();
                component
            })
            .collect();
        assert_eq!(found, [vec![3], vec![1, 2], vec![0], vec![4], vec![5]]);
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let uses: Vec<Vec<NodeId>> = (0..200_000).map(|id| if id < 199_999 { vec![id + 1] } else { vec![] }).collect();
        assert_eq!(components(&uses).len(), 200_000);
    }
}
