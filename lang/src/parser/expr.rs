//! Expressions, by precedence climbing: one loop for all binary operators, so that a bracket costs few stack frames.
//!
//! Besides an expression, every rule gives the height of its tree, which bounds the recursion of all later readers.

use super::cursor::{Mode, Parsed, Parser};
use super::message::is_reserved;
use super::notes::Glue;
use super::operator::{Form, Operator, level};
use crate::ast::{BinOp, Expr, ExprKind, UnOp};
use crate::diagnostic::Diagnostic;
use crate::lexer::{Kind, number};
use crate::limits::{CHAIN_LINKS, TREE_LEVELS};
use crate::span::Span;

/// An expression and the height of its tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub expr: Expr,
    pub height: u32,
}

impl Tree {
    pub fn leaf(kind: ExprKind, span: Span) -> Tree {
        Tree { expr: Expr { kind, span }, height: 1 }
    }
}

/// Counts the links of one chain.
pub(super) struct Chain {
    links: u32,
}

impl Parser<'_> {
    /// `expr`
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        Ok(self.tree()?.expr)
    }

    /// `fexpr`: ended by the next operator of a stream.
    pub(super) fn operator_expr(&mut self) -> Parsed<Expr> {
        let mode = Mode { operators: true, ..self.mode };
        self.with_mode(mode, Self::expr)
    }

    pub(super) fn tree(&mut self) -> Parsed<Tree> {
        if self.is_lambda() {
            return self.lambda();
        }
        let left = self.binary(level::OR)?;
        self.range_after(left, level::OR)
    }

    /// `.. b`, `..= b`, if it stands there; both ends have operators of `min` and tighter.
    fn range_after(&mut self, left: Tree, min: u8) -> Parsed<Tree> {
        let inclusive = self.kind() == Kind::DotDotEq;
        if self.is_cut() || !(inclusive || self.kind() == Kind::DotDot) {
            return Ok(left);
        }
        self.glue(Glue::Tight);
        let symbol = self.bump().span;
        let right = self.binary(min)?;
        self.join(symbol, left, right, |a, b| ExprKind::Range(inclusive, symbol, a, b))
    }

    /// A node above two others.
    fn join(
        &mut self,
        place: Span,
        left: Tree,
        right: Tree,
        kind: impl FnOnce(Box<Expr>, Box<Expr>) -> ExprKind,
    ) -> Parsed<Tree> {
        let height = left.height.max(right.height);
        let span = left.expr.span.to(right.expr.span);
        self.raise(place, height, Expr { kind: kind(left.expr.into(), right.expr.into()), span })
    }

    /// A node above trees of this height.
    pub(super) fn raise(&mut self, place: Span, height: u32, expr: Expr) -> Parsed<Tree> {
        if height >= TREE_LEVELS {
            return Err(self.too_long(place));
        }
        Ok(Tree { expr, height: height + 1 })
    }

    fn too_long(&mut self, place: Span) -> super::cursor::Abort {
        let message = format!("more than {CHAIN_LINKS} operators in a row");
        self.report(Diagnostic::new("E0108", place, message).help("split it: give parts a name with let"))
    }

    pub(super) fn link(&mut self, chain: &mut Chain, place: Span) -> Parsed<()> {
        chain.links += 1;
        if chain.links > CHAIN_LINKS { Err(self.too_long(place)) } else { Ok(()) }
    }

    /// Operators of `min` and tighter.
    fn binary(&mut self, min: u8) -> Parsed<Tree> {
        let mut left = self.prefix(min)?;
        let mut chain = Chain { links: 0 };
        let mut last = u8::MAX;
        while let Some(operator) = self.operator().filter(|operator| operator.level >= min) {
            if operator.level != last {
                chain.links = 0;
            } else if operator.level == level::COMPARE {
                return Err(self.chained_comparison());
            }
            last = operator.level;
            self.link(&mut chain, self.token().span)?;
            left = self.apply(left, operator)?;
        }
        Ok(left)
    }

    fn chained_comparison(&mut self) -> super::cursor::Abort {
        let diagnostic = Diagnostic::new("E0110", self.token().span, "comparisons do not chain");
        self.report(diagnostic.help("write a < b and b < c, or put one comparison into brackets"))
    }

    /// The current token as a binary operator, if it is one here.
    fn operator(&self) -> Option<Operator> {
        if self.is_cut() {
            return None;
        }
        match self.kind() {
            Kind::Word => Operator::of_words(self.word(), self.word_at(1)),
            kind => Operator::of_symbol(kind),
        }
    }

    /// `left op right`, from `op` on.
    fn apply(&mut self, left: Tree, operator: Operator) -> Parsed<Tree> {
        let symbol = self.bump().span;
        let level = operator.level;
        match operator.form {
            Form::Binary(BinOp::Pow) | Form::Coalesce => {
                self.enter(symbol)?;
                let right = self.binary(level)?;
                self.leave();
                let form = operator.form;
                self.join(symbol, left, right, |a, b| match form {
                    Form::Coalesce => ExprKind::Coalesce(symbol, a, b),
                    _ => ExprKind::Binary(BinOp::Pow, symbol, a, b),
                })
            }
            Form::Binary(op) => {
                let right = self.binary(level + 1)?;
                self.join(symbol, left, right, |a, b| ExprKind::Binary(op, symbol, a, b))
            }
            Form::And => {
                let right = self.binary(level + 1)?;
                self.join(symbol, left, right, |a, b| ExprKind::And(symbol, a, b))
            }
            Form::Or => {
                let right = self.binary(level + 1)?;
                self.join(symbol, left, right, |a, b| ExprKind::Or(symbol, a, b))
            }
            Form::In { negated } => {
                let place = if negated { symbol.to(self.bump().span) } else { symbol };
                let right = self.binary(level + 1)?;
                let right = self.range_after(right, level + 1)?;
                self.join(place, left, right, |a, b| ExprKind::In(negated, place, a, b))
            }
            Form::Is => self.is_test(left, symbol),
        }
    }

    /// `is [not] null`, from behind `is` on.
    fn is_test(&mut self, left: Tree, symbol: Span) -> Parsed<Tree> {
        let negated = self.eat_word("not");
        let place = symbol.to(self.last_span());
        let operand = left.expr.span;
        if self.eat_word("null") {
            let span = operand.to(self.last_span());
            return self.raise(
                place,
                left.height,
                Expr { kind: ExprKind::IsNull(negated, place, left.expr.into()), span },
            );
        }
        let is_test =
            matches!(self.kind(), Kind::Word | Kind::Int | Kind::Float | Kind::Str | Kind::Duration | Kind::Time);
        if !is_test || (is_reserved(self.word()) && !matches!(self.word(), "true" | "false")) {
            return Err(self.fail(if negated { "`null`" } else { "`null` or `not null`" }));
        }
        let other = self.bump().span;
        self.raise(
            place,
            left.height,
            Expr { kind: ExprKind::IsOther(other, left.expr.into()), span: operand.to(other) },
        )
    }

    /// `not`, where operators of `min` may stand, or something tighter.
    fn prefix(&mut self, min: u8) -> Parsed<Tree> {
        if min > level::NOT || self.word() != "not" {
            return self.unary();
        }
        let symbol = self.bump().span;
        self.enter(symbol)?;
        let operand = self.binary(level::NOT)?;
        self.leave();
        let span = symbol.to(operand.expr.span);
        let kind = ExprKind::Unary(UnOp::Not, symbol, operand.expr.into());
        self.raise(symbol, operand.height, Expr { kind, span })
    }

    fn unary(&mut self) -> Parsed<Tree> {
        let op = match self.kind() {
            Kind::Minus => UnOp::Neg,
            Kind::Tilde => UnOp::BitNot,
            _ => return self.postfix(),
        };
        self.glue(Glue::Prefix);
        let symbol = self.bump().span;
        if op == UnOp::Neg && self.is_smallest_int() {
            let span = symbol.to(self.bump().span);
            return Ok(Tree::leaf(ExprKind::Int(i64::MIN), span));
        }
        self.enter(symbol)?;
        let operand = self.unary()?;
        self.leave();
        let span = symbol.to(operand.expr.span);
        self.raise(symbol, operand.height, Expr { kind: ExprKind::Unary(op, symbol, operand.expr.into()), span })
    }

    /// Is the current token 2^63, with nothing that binds tighter than `-` behind it?
    fn is_smallest_int(&self) -> bool {
        let token = self.token();
        let tighter = matches!(self.kind_at(1), Kind::Dot | Kind::QuestionDot | Kind::OpenBracket);
        token.kind == Kind::Int && !tighter && number::int(self.written(&token)) == Ok(1 << 63)
    }

    /// Does a line break end the expression before the current token?
    pub(super) fn is_cut(&self) -> bool {
        if !self.mode.lines || !self.is_first_of_line() {
            return false;
        }
        match self.kind() {
            Kind::Word => !matches!(self.word(), "and" | "or" | "in" | "is" | "then" | "else" | "not"),
            Kind::Dot | Kind::QuestionDot | Kind::DotDot | Kind::DotDotEq => false,
            Kind::Minus => true,
            kind => Operator::of_symbol(kind).is_none(),
        }
    }
}

impl Chain {
    pub fn new() -> Chain {
        Chain { links: 0 }
    }
}
