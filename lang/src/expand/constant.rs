//! The integer `const`s that bounds of templates may name.
//!
//! A `const` whose value is no integer known here is left alone: the parser and the checker report what is wrong with it.

use super::lines::{Content, Line};
use super::{Expander, Origin, substitute};
use crate::ast::{Expr, ExprKind};
use crate::eval::ops;
use crate::parser;
use crate::value::Value;
use std::collections::HashMap;

impl Expander<'_> {
    /// Notes the value of the `const` that begins in line `at`.
    pub(super) fn constant(&mut self, at: usize, base: &str) {
        let continues = |line: &Line| {
            let begins_item =
                self.text[line.start + line.indent..].starts_with(|char: char| char.is_ascii_alphabetic());
            line.content == Content::Code && !(line.indent <= base.len() && begins_item)
        };
        let more = self.lines[at + 1..].iter().take_while(|line| continues(line)).count();
        let range = self.lines[at].start..self.lines[at + more].end;
        let mut text = String::new();
        let mut origin = Origin::new(self.file, self.text.len() as u32);
        substitute(self.text, range, &self.variables, &mut text, &mut origin);
        self.charged += text.len();
        let Some(global) = parser::first_global(&text) else { return };
        if let Some(Value::Int(value)) = integer(&global.value, &self.consts) {
            self.consts.insert(global.name.name.to_string(), value);
        }
    }
}

/// Integer arithmetic over the constants above.
fn integer(expr: &Expr, consts: &HashMap<String, i64>) -> Option<Value> {
    match &expr.kind {
        ExprKind::Int(value) => Some(Value::Int(*value)),
        ExprKind::Name(name) => consts.get(&**name).copied().map(Value::Int),
        ExprKind::Unary(op, _, operand) => Some(ops::unary(*op, &integer(operand, consts)?)),
        ExprKind::Binary(op, _, left, right) => {
            Some(ops::binary(*op, &integer(left, consts)?, &integer(right, consts)?))
        }
        _ => None,
    }
}
