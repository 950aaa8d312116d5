//! The parts of a condition: what must be true together, and what each part reads.
//!
//! A condition passes only on true, and `a and b` is true exactly if both are, so that its conjuncts may be asked apart and in
//! any order.

use crate::plan::{BinOp, Body, Capture, Expr, Stmt};
use crate::value::Value;
use std::cell::RefCell;

/// Adds the conjuncts of a condition, in order. A loop, not a recursion: `a and b and …` nests deeply on its left side.
pub(super) fn split(condition: Expr, into: &mut Vec<Expr>) {
    let mut open = vec![condition];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::And(left, right) => open.extend([*right, *left]),
            // What is true anyway need not be asked.
            Expr::Const(Value::Bool(true)) => {}
            other => into.push(other),
        }
    }
}

/// All of these joined by `and`.
pub(super) fn all(conjuncts: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    conjuncts.into_iter().reduce(|left, right| Expr::And(Box::new(left), Box::new(right)))
}

/// The sides of `a == b`.
pub(super) fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Binary(BinOp::Eq, left, right) => Some((left, right)),
        _ => None,
    }
}

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The record that is tried: its columns, or it as a map.
    pub record: bool,
    /// Inputs of a join, or slots.
    pub parts: Vec<u32>,
    /// Something else that depends on the place: event time, the match.
    pub other: bool,
    /// A local of an expression around it.
    pub local: bool,
}

/// What an expression reads.
pub(super) fn reads(expr: &Expr) -> Reads {
    let found = RefCell::new((Reads::default(), Vec::new(), Vec::new()));
    visit(expr, &found);
    let (mut reads, mut bound, mut read): (Reads, Vec<u32>, Vec<u32>) = found.into_inner();
    bound.sort_unstable();
    read.sort_unstable();
    reads.local = read.iter().any(|slot| bound.binary_search(slot).is_err());
    reads.parts.sort_unstable();
    reads.parts.dedup();
    reads
}

type Found = RefCell<(Reads, Vec<u32>, Vec<u32>)>;

fn visit(expr: &Expr, found: &Found) {
    expr.map(&|part| {
        let mut noted = found.borrow_mut();
        match part {
            Expr::Column(_) | Expr::Record => noted.0.record = true,
            Expr::Of(place, _) => noted.0.parts.push(*place),
            Expr::Captured(place, capture) => {
                noted.0.parts.push(*place);
                drop(noted);
                match capture {
                    Capture::At(_, index) => visit(index, found),
                    Capture::Aggregate(call) => call.argument.iter().for_each(|argument| visit(argument, found)),
                    _ => {}
                }
            }
            Expr::EventTime | Expr::EventType | Expr::MatchStart | Expr::Key(_) | Expr::Partition => {
                noted.0.other = true;
            }
            Expr::Local(slot) => noted.2.push(*slot),
            Expr::Lambda(params, body) | Expr::Apply(params, body, _) => {
                noted.1.extend(params);
                if let Body::Block(stmts) = &**body {
                    bound(stmts, &mut noted.1);
                }
            }
            _ => {}
        }
        None
    });
}

/// Slots that statements set.
fn bound(stmts: &[Stmt], slots: &mut Vec<u32>) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(slot, ..) => slots.push(*slot),
            Stmt::For(slot, _, body) => {
                slots.push(*slot);
                bound(body, slots);
            }
            Stmt::While(_, body) => bound(body, slots),
            Stmt::If(arms, otherwise) => {
                arms.iter().for_each(|(_, body)| bound(body, slots));
                bound(otherwise, slots);
            }
            Stmt::Return(_) | Stmt::Break | Stmt::Continue | Stmt::Emit(..) | Stmt::Expr(_) => {}
        }
    }
}
