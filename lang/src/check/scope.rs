//! The seam between expressions and what stands around them: what a name means is the scope's business, what an
//! expression does with it is the expression checker's.
//!
//! A bare name is, first found: a local or parameter (the expression checker's frame); [`Scope::name`] (declared field,
//! alias or source, `match_*`, `window_*`); a global; [`Scope::open_field`] (field of an undeclared event).

use super::expression::Expressions;
use crate::ast::{Arg, Expr as AstExpr, Ident};
use crate::plan::Expr;
use crate::span::Span;
use crate::value::Type;
use std::sync::Arc;

/// A checked expression: lowered, with its static type. What was refused is `null` of type `Any`, so that nothing follows
/// from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// For the plan.
    pub expr: Expr,
    /// What is known of its value.
    pub ty: Type,
}

/// An alias, source, event type, captured record…: something with members that is not simply a value. Numbers are the scope's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object(pub u32);

/// What a name or member stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A value.
    Value(Typed),
    /// Something with members.
    Object(Object),
    /// Known, and not allowed here; the scope has reported why.
    Refused,
    /// Nothing in this scope.
    Unknown,
}

/// What surrounds an expression.
pub trait Scope {
    /// A bare name: declared field, alias or source, `match_*`, `window_*`. Columns that are read are noted here.
    fn name(&mut self, name: &Ident, expressions: &mut Expressions) -> Found;

    /// A bare name that nothing else knows: a field of a record whose fields are not all known.
    fn open_field(&mut self, name: &Ident, expressions: &mut Expressions) -> Found;

    /// An object used as a value: the record as a map (Kleene: an array of them).
    fn object(&mut self, object: Object, span: Span, expressions: &mut Expressions) -> Typed;

    /// `object.name`
    fn member(&mut self, object: Object, name: &Ident, expressions: &mut Expressions) -> Found;

    /// `object[index]` (Kleene elements); [`Found::Unknown`]: the object is indexed as a value.
    fn index(&mut self, object: Object, index: &AstExpr, expressions: &mut Expressions) -> Found;

    /// `name(args)` before functions are looked at: aggregate functions, `prev(b)`, `count(b)`, `event_time(alias)`.
    fn call(&mut self, name: &Ident, args: &[Arg], span: Span, expressions: &mut Expressions) -> Option<Found>;

    /// Is there a record (`event_time()`, `event_type()`; an unknown name is E0206), or not (E0207)?
    fn has_record(&self) -> bool;

    /// Names that could have been meant, for did-you-mean.
    fn names(&self) -> Vec<Arc<str>>;
}

/// Functions, globals, connector parameters: no record.
pub struct NoRecord;

impl Scope for NoRecord {
    fn name(&mut self, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn open_field(&mut self, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn object(&mut self, _: Object, _: Span, _: &mut Expressions) -> Typed {
        unreachable!("this scope gives no objects")
    }
    fn member(&mut self, _: Object, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn index(&mut self, _: Object, _: &AstExpr, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn call(&mut self, _: &Ident, _: &[Arg], _: Span, _: &mut Expressions) -> Option<Found> {
        None
    }
    fn has_record(&self) -> bool {
        false
    }
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}
