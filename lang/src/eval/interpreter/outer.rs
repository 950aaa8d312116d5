//! Parameters of lambdas that an aggregate over captured records stands in. Its argument is evaluated apart, record by
//! record, so their values have to be put into it.

use crate::plan::{AggregateCall, Body, Capture, Expr, Stmt};
use crate::value::Value;
use std::cell::RefCell;

/// Does the argument of an aggregate read a parameter of a lambda around it?
pub(super) fn reads_locals(call: &AggregateCall) -> bool {
    let Some(argument) = call.argument.as_ref().filter(|argument| !matches!(argument, Expr::Of(..))) else {
        return false;
    };
    let read = RefCell::new(false);
    with_locals(argument, &own_locals(argument), &|_| {
        *read.borrow_mut() = true;
        Value::Null
    });
    read.into_inner()
}

/// The slots that an expression sets itself: parameters of its lambdas, and what their blocks set.
pub(super) fn own_locals(expr: &Expr) -> Vec<u32> {
    let own = RefCell::new(Vec::new());
    expr.map(&|expr| {
        if let Expr::Lambda(params, body) | Expr::Apply(params, body, _) = expr {
            own.borrow_mut().extend(params);
            if let Body::Block(stmts) = &**body {
                set_in(stmts, &mut own.borrow_mut());
            }
        }
        None
    });
    own.into_inner()
}

fn set_in(stmts: &[Stmt], own: &mut Vec<u32>) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(slot, ..) => own.push(*slot),
            Stmt::For(slot, _, body) => {
                own.push(*slot);
                set_in(body, own);
            }
            Stmt::While(_, body) => set_in(body, own),
            Stmt::If(arms, otherwise) => {
                arms.iter().for_each(|(_, body)| set_in(body, own));
                set_in(otherwise, own);
            }
            _ => {}
        }
    }
}

/// An expression with the values of all slots that are not its own.
pub(super) fn with_locals(expr: &Expr, own: &[u32], value: &dyn Fn(u32) -> Value) -> Expr {
    expr.map(&|expr| match expr {
        Expr::Local(slot) if !own.contains(slot) => Some(Expr::Const(value(*slot))),
        Expr::Captured(element, Capture::At(column, at)) => {
            Some(Expr::Captured(*element, Capture::At(*column, Box::new(with_locals(at, own, value)))))
        }
        _ => None,
    })
}
