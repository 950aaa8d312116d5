//! Names that an expression mentions, whatever they stand for.

use crate::ast::{Expr, ExprKind, LambdaBody, Op};
use std::sync::Arc;

/// Does it read a member of anything that has a name (`a.f`)?
pub(super) fn reads_member(expr: &Expr) -> bool {
    let mut found = Vec::new();
    walk(expr, &mut |expr| {
        if let ExprKind::Member(of, _) = &expr.kind
            && let ExprKind::Name(name) = &of.kind
        {
            found.push(name);
        }
    });
    !found.is_empty()
}

/// The last operator that mentions each of these names, also in the text of an alert.
pub(super) fn last_mentions<'n>(ops: &[Op], wanted: &[&'n str]) -> Vec<(&'n str, usize)> {
    let mut last: Vec<(&str, Option<usize>)> = wanted.iter().map(|name| (*name, None)).collect();
    for (index, op) in ops.iter().enumerate() {
        let (Op::Call(_, args) | Op::EmitAs { args, .. }) = op else { continue };
        for arg in args {
            walk(&arg.value, &mut |expr| {
                for (name, last) in &mut last {
                    let mentions = match &expr.kind {
                        ExprKind::Name(other) => **other == **name,
                        ExprKind::Str(text) => text.contains(*name),
                        // What statements mention is not looked for.
                        ExprKind::Lambda(_, body) => matches!(**body, LambdaBody::Block(_)),
                        _ => false,
                    };
                    if mentions {
                        *last = Some(index);
                    }
                }
            });
        }
    }
    last.into_iter().filter_map(|(name, last)| Some((name, last?))).collect()
}

/// Adds them.
pub(super) fn names<'e>(expr: &'e Expr, found: &mut Vec<&'e Arc<str>>) {
    walk(expr, &mut |expr| {
        if let ExprKind::Name(name) = &expr.kind {
            found.push(name);
        }
    });
}

/// Visits an expression and all its parts. A loop, not a recursion: long chains nest deeply on their left side.
fn walk<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        visit(expr);
        match &expr.kind {
            ExprKind::Unary(_, _, a) | ExprKind::IsNull(_, _, a) | ExprKind::IsOther(_, a) | ExprKind::Member(a, _) => {
                open.push(a);
            }
            ExprKind::Binary(_, _, a, b)
            | ExprKind::And(_, a, b)
            | ExprKind::Or(_, a, b)
            | ExprKind::Coalesce(_, a, b)
            | ExprKind::In(_, _, a, b)
            | ExprKind::Range(_, _, a, b)
            | ExprKind::Index(a, _, b) => open.extend([&**a, &**b]),
            ExprKind::If(a, b, c) => open.extend([&**a, &**b, &**c]),
            ExprKind::Slice(a, _, b, c) => {
                open.push(a);
                open.extend(b.iter().chain(c).map(|bound| &**bound));
            }
            ExprKind::Array(items) => open.extend(items),
            ExprKind::Map(items) => open.extend(items.iter().map(|(_, item)| item)),
            ExprKind::Lambda(_, body) => {
                if let LambdaBody::Expr(body) = &**body {
                    open.push(body);
                }
            }
            ExprKind::Method(a, _, args) => {
                open.push(a);
                open.extend(args.iter().map(|arg| &arg.value));
            }
            ExprKind::Call(_, args) => open.extend(args.iter().map(|arg| &arg.value)),
            ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Duration(_)
            | ExprKind::Time(_)
            | ExprKind::Bool(_)
            | ExprKind::Null => {}
        }
    }
}
