//! Locals and the slots of the frame in which they live at run time.
//!
//! A slot belongs to one local for the whole of a function (or of an expression outside functions): a lambda that is bound
//! by `let` is written out where it is called, long after its parameters have gone out of scope.

use crate::ast::Ident;
use crate::plan::Body;
use crate::value::Type;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Locals of a function, or of an expression outside functions.
#[derive(Debug, Default)]
pub struct Frame {
    locals: Vec<Local>,
    /// Places of the locals of each name, the innermost last.
    by_name: HashMap<Arc<str>, Vec<usize>>,
    slots: u32,
    /// Loops around the statement that is being lowered.
    pub(in crate::check) loops: u32,
    /// May `emit` stand here?
    pub(in crate::check) emits: bool,
    /// Name and declared result of the function, for its `return`s; `None` in a lambda.
    pub(in crate::check) result: Option<(Ident, Type)>,
}

/// A parameter, `let`, `var`, `const`, loop variable or lambda parameter.
#[derive(Clone, Debug)]
pub struct Local {
    /// Name.
    pub name: Arc<str>,
    /// Where it lives.
    pub slot: u32,
    /// What is known of its values.
    pub ty: Type,
    /// What it was declared as; assignments convert to it.
    pub declared: Type,
    /// May `:=` change it?
    pub mutable: bool,
    /// What it stands for if it is a lambda.
    pub lambda: Option<Rc<BoundLambda>>,
}

/// A lambda bound by `let`.
#[derive(Debug)]
pub struct BoundLambda {
    /// Slots of its parameters.
    pub params: Vec<u32>,
    /// Lowered once.
    pub body: Body,
    /// Type of its value.
    pub ty: Type,
    /// Text of the body, with that of the lambdas it calls.
    pub bytes: u64,
}

impl Frame {
    /// The frame of a function with this name and result type.
    pub fn of_function(result: (Ident, Type)) -> Frame {
        Frame { emits: true, result: Some(result), ..Frame::default() }
    }

    /// A frame of its own for a new expression outside functions.
    pub(super) fn restart(&mut self) {
        if self.locals.is_empty() && self.result.is_none() && !self.emits {
            self.slots = 0;
        }
    }

    /// Number of slots.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Where the current block begins; give it back to [`Frame::leave`].
    pub fn enter(&self) -> usize {
        self.locals.len()
    }

    /// Ends a block.
    pub fn leave(&mut self, block: usize) {
        for local in self.locals.drain(block..).rev() {
            if let Some(places) = self.by_name.get_mut(&local.name) {
                places.pop();
            }
        }
    }

    /// A slot for a new local.
    pub fn slot(&mut self) -> u32 {
        self.slots += 1;
        self.slots - 1
    }

    /// Declares a local.
    pub fn declare(&mut self, local: Local) {
        self.by_name.entry(local.name.clone()).or_default().push(self.locals.len());
        self.locals.push(local);
    }

    /// The innermost local of this name.
    pub fn find(&self, name: &str) -> Option<&Local> {
        self.by_name.get(name)?.last().map(|place| &self.locals[*place])
    }

    /// Names of all locals, for did-you-mean.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.locals.iter().map(|local| local.name.clone())
    }
}
