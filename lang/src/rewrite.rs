//! Rewriting of plan expressions: a copy with some of its parts replaced.

use crate::plan::{Body, Expr, Stmt};

type Replace<'r> = &'r dyn Fn(&Expr) -> Option<Expr>;

impl Expr {
    /// A copy in which every part for which `replace` has an answer is replaced by it. Captures of sequences are kept.
    pub fn map(&self, replace: Replace) -> Expr {
        if let Some(replaced) = replace(self) {
            return replaced;
        }
        let one = |expr: &Expr| Box::new(expr.map(replace));
        let option = |expr: &Option<Box<Expr>>| expr.as_ref().map(|expr| one(expr));
        match self {
            Expr::Unary(op, a) => Expr::Unary(*op, one(a)),
            Expr::Binary(op, a, b) => Expr::Binary(*op, one(a), one(b)),
            Expr::And(a, b) => Expr::And(one(a), one(b)),
            Expr::Or(a, b) => Expr::Or(one(a), one(b)),
            Expr::Coalesce(a, b) => Expr::Coalesce(one(a), one(b)),
            Expr::In(a, b) => Expr::In(one(a), one(b)),
            Expr::IsNull(a) => Expr::IsNull(one(a)),
            Expr::Range(closed, a, b) => Expr::Range(*closed, one(a), one(b)),
            Expr::If(c, a, b) => Expr::If(one(c), one(a), one(b)),
            Expr::Array(items) => Expr::Array(all(items, replace)),
            Expr::Map(items) => Expr::Map(items.iter().map(|(key, value)| (key.clone(), value.map(replace))).collect()),
            Expr::Index(a, i) => Expr::Index(one(a), one(i)),
            Expr::Slice(a, i, j) => Expr::Slice(one(a), option(i), option(j)),
            Expr::Member(a, name) => Expr::Member(one(a), name.clone()),
            Expr::Call(function, args) => Expr::Call(*function, all(args, replace)),
            Expr::CallFn(function, args) => Expr::CallFn(*function, all(args, replace)),
            Expr::Lambda(params, body) => Expr::Lambda(params.clone(), Box::new(body.map(replace))),
            Expr::Apply(params, body, args) => {
                Expr::Apply(params.clone(), Box::new(body.map(replace)), all(args, replace))
            }
            Expr::Convert(ty, a) => Expr::Convert(ty.clone(), one(a)),
            leaf => leaf.clone(),
        }
    }
}

fn all(exprs: &[Expr], replace: Replace) -> Vec<Expr> {
    exprs.iter().map(|expr| expr.map(replace)).collect()
}

impl Body {
    fn map(&self, replace: Replace) -> Body {
        match self {
            Body::Expr(expr) => Body::Expr(expr.map(replace)),
            Body::Block(stmts) => Body::Block(block(stmts, replace)),
        }
    }
}

fn block(stmts: &[Stmt], replace: Replace) -> Vec<Stmt> {
    stmts.iter().map(|stmt| stmt.map(replace)).collect()
}

impl Stmt {
    fn map(&self, replace: Replace) -> Stmt {
        match self {
            Stmt::Set(slot, ty, value) => Stmt::Set(*slot, ty.clone(), value.map(replace)),
            Stmt::If(arms, otherwise) => {
                let arm = |(condition, body): &(Expr, Vec<Stmt>)| (condition.map(replace), block(body, replace));
                Stmt::If(arms.iter().map(arm).collect(), block(otherwise, replace))
            }
            Stmt::For(slot, over, body) => Stmt::For(*slot, over.map(replace), block(body, replace)),
            Stmt::While(condition, body) => Stmt::While(condition.map(replace), block(body, replace)),
            Stmt::Return(value) => Stmt::Return(value.as_ref().map(|value| value.map(replace))),
            Stmt::Emit(event, items) => {
                Stmt::Emit(event.clone(), items.iter().map(|(name, item)| (name.clone(), item.map(replace))).collect())
            }
            Stmt::Expr(expr) => Stmt::Expr(expr.map(replace)),
            leaf @ (Stmt::Break | Stmt::Continue) => leaf.clone(),
        }
    }
}
