//! The tight end of expressions: literals, names, calls, members, indices, brackets, `if`, lambdas.

use super::cursor::{Mode, Parsed, Parser};
use super::expr::{Chain, Tree};
use super::message::is_reserved;
use super::notes::{Begins, Glue};
use crate::ast::{Arg, Expr, ExprKind, Ident, LambdaBody};
use crate::eval::time::parse_timestamp_literal;
use crate::lexer::{Kind, number, quoted};
use crate::span::Span;

impl Parser<'_> {
    /// A primary with its members, calls and indices.
    pub(super) fn postfix(&mut self) -> Parsed<Tree> {
        let mut tree = self.primary()?;
        let mut chain = Chain::new();
        loop {
            if self.is_cut() {
                return Ok(tree);
            }
            let place = self.token().span;
            tree = match self.kind() {
                Kind::Dot | Kind::QuestionDot if !self.is_operator() => {
                    self.link(&mut chain, place)?;
                    self.member(tree)?
                }
                Kind::OpenBracket => {
                    self.link(&mut chain, place)?;
                    self.index(tree)?
                }
                Kind::OpenParen if self.is_behind_name(&tree) => {
                    self.link(&mut chain, place)?;
                    self.call(tree)?
                }
                _ => return Ok(tree),
            };
        }
    }

    /// Is the `.` that comes the next operator of a stream?
    fn is_operator(&self) -> bool {
        let emit_as = || {
            self.word_at(1) == "emit"
                && self.word_at(2) == "as"
                && self.kind_at(3) == Kind::Word
                && self.kind_at(4) == Kind::OpenParen
        };
        self.mode.operators
            && self.kind() == Kind::Dot
            && self.kind_at(1) == Kind::Word
            && (self.kind_at(2) == Kind::OpenParen || emit_as())
    }

    /// Only a bare name can be called, not one in brackets.
    fn is_behind_name(&self, tree: &Tree) -> bool {
        matches!(tree.expr.kind, ExprKind::Name(_)) && self.tokens[self.at - 1].kind == Kind::Word
    }

    fn member(&mut self, tree: Tree) -> Parsed<Tree> {
        let dot = self.bump().span;
        let name = self.any_name("a name")?;
        if self.kind() != Kind::OpenParen || self.is_cut() {
            let span = tree.expr.span.to(name.span);
            return self.raise(dot, tree.height, Expr { kind: ExprKind::Member(tree.expr.into(), name), span });
        }
        let (args, height) = self.args_with_height()?;
        let span = tree.expr.span.to(self.last_span());
        let kind = ExprKind::Method(tree.expr.into(), name, args);
        self.raise(dot, tree.height.max(height), Expr { kind, span })
    }

    fn call(&mut self, tree: Tree) -> Parsed<Tree> {
        let name_span = tree.expr.span;
        let ExprKind::Name(name) = tree.expr.kind else { return Ok(tree) };
        let (args, height) = self.args_with_height()?;
        let kind = ExprKind::Call(Ident { name, span: name_span }, args);
        self.raise(name_span, height, Expr { kind, span: name_span.to(self.last_span()) })
    }

    /// `[i]`, `[a:b]`
    fn index(&mut self, tree: Tree) -> Parsed<Tree> {
        let start = self.token().span;
        self.glue(Glue::Call);
        let (from, to) = self.bracketed(Kind::OpenBracket, "`[`", |p| {
            let from = if p.kind() == Kind::Colon { None } else { Some(p.tree()?) };
            let mut to = None;
            if p.kind() == Kind::Colon {
                p.glue(Glue::Tight);
                p.bump();
                to = Some(if p.kind() == Kind::CloseBracket { None } else { Some(p.tree()?) });
            }
            p.expect(Kind::CloseBracket, if to.is_some() { "`]`" } else { "`]` or `:`" })?;
            Ok((from, to))
        })?;
        let place = start.to(self.last_span());
        let span = tree.expr.span.to(place);
        let height = |part: &Option<Tree>| part.as_ref().map_or(0, |part| part.height);
        let highest = tree.height.max(height(&from)).max(to.as_ref().map_or(0, height));
        let boxed = |part: Option<Tree>| part.map(|part| Box::new(part.expr));
        let object = Box::new(tree.expr);
        let kind = match (from, to) {
            (Some(at), None) => ExprKind::Index(object, place, at.expr.into()),
            (from, to) => ExprKind::Slice(object, place, boxed(from), boxed(to.flatten())),
        };
        self.raise(place, highest, Expr { kind, span })
    }

    /// `( [arg {, arg} [,]] )`
    pub(super) fn args(&mut self) -> Parsed<Vec<Arg>> {
        Ok(self.args_with_height()?.0)
    }

    fn args_with_height(&mut self) -> Parsed<(Vec<Arg>, u32)> {
        let mut highest = 0;
        self.glue(Glue::Call);
        let args = self.bracketed(Kind::OpenParen, "`(`", |p| {
            p.list(Kind::CloseParen, "`,` or `)`", |p| {
                let named = p.kind() == Kind::Word && p.kind_at(1) == Kind::Colon;
                let name = if named { Some(p.any_name("a name")?) } else { None };
                if named {
                    p.bump();
                }
                let value = p.tree()?;
                highest = highest.max(value.height);
                Ok(Arg { name, value: value.expr })
            })
        })?;
        Ok((args, highest))
    }

    /// Elements with commas between and perhaps behind them, up to `close`.
    pub(super) fn list<T>(
        &mut self,
        close: Kind,
        separator: &str,
        mut element: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut elements = Vec::new();
        while !self.eat(close) {
            elements.push(element(self)?);
            if !self.eat(Kind::Comma) {
                self.expect(close, separator)?;
                break;
            }
        }
        // A list starts with room for four, which is a lot for the usual one.
        elements.shrink_to_fit();
        Ok(elements)
    }

    fn primary(&mut self) -> Parsed<Tree> {
        let token = self.token();
        let written = self.written(&token);
        let kind = match token.kind {
            Kind::Int => match number::int(written).ok().and_then(|value| i64::try_from(value).ok()) {
                Some(value) => ExprKind::Int(value),
                None => return Err(self.int_out_of_range()),
            },
            Kind::Float => ExprKind::Float(number::float(written).unwrap_or_default()),
            Kind::Duration => ExprKind::Duration(number::duration(written).unwrap_or_default()),
            Kind::Time => ExprKind::Time(parse_timestamp_literal(&written[1..]).unwrap_or_default()),
            Kind::Str => ExprKind::Str(quoted::value(written).into()),
            Kind::Word => return self.word_primary(),
            Kind::OpenParen => return self.parenthesised(),
            Kind::OpenBracket => return self.array(),
            Kind::OpenBrace => return self.map(),
            _ => return Err(self.fail("an expression")),
        };
        self.bump();
        Ok(Tree::leaf(kind, token.span))
    }

    fn int_out_of_range(&mut self) -> super::cursor::Abort {
        let token = self.token();
        let fault = number::int_out_of_range(self.written(&token));
        self.report(crate::diagnostic::Diagnostic::new(fault.code, token.span, fault.message).help(fault.help))
    }

    fn word_primary(&mut self) -> Parsed<Tree> {
        let token = self.token();
        let kind = match self.word() {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "null" => ExprKind::Null,
            "if" => return self.if_expr(),
            word if is_reserved(word) || self.begins_declaration() => return Err(self.fail("an expression")),
            word => ExprKind::Name(word.into()),
        };
        self.bump();
        Ok(Tree::leaf(kind, token.span))
    }

    fn parenthesised(&mut self) -> Parsed<Tree> {
        let start = self.token().span;
        let mut tree = self.bracketed(Kind::OpenParen, "`(`", |p| {
            let tree = p.tree()?;
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(tree)
        })?;
        tree.expr.span = start.to(self.last_span());
        Ok(tree)
    }

    fn array(&mut self) -> Parsed<Tree> {
        let start = self.token().span;
        let mut highest = 0;
        let elements = self.bracketed(Kind::OpenBracket, "`[`", |p| {
            p.list(Kind::CloseBracket, "`,` or `]`", |p| {
                let tree = p.tree()?;
                highest = highest.max(tree.height);
                Ok(tree.expr)
            })
        })?;
        let span = start.to(self.last_span());
        self.raise(start, highest, Expr { kind: ExprKind::Array(elements), span })
    }

    fn map(&mut self) -> Parsed<Tree> {
        let start = self.token().span;
        let mut highest = 0;
        let entries = self.bracketed(Kind::OpenBrace, "`{`", |p| {
            p.list(Kind::CloseBrace, "`,` or `}`", |p| {
                let key = p.key()?;
                p.expect(Kind::Colon, "`:`")?;
                let tree = p.tree()?;
                highest = highest.max(tree.height);
                Ok((key, tree.expr))
            })
        })?;
        let span = start.to(self.last_span());
        self.raise(start, highest, Expr { kind: ExprKind::Map(entries), span })
    }

    fn key(&mut self) -> Parsed<Ident> {
        let token = self.token();
        if token.kind != Kind::Str {
            return self.any_name("a key");
        }
        self.bump();
        Ok(Ident { name: quoted::value(self.written(&token)).into(), span: token.span })
    }

    /// `if c then a else b`
    fn if_expr(&mut self) -> Parsed<Tree> {
        let word = self.bump().span;
        self.enter(word)?;
        let condition = self.tree()?;
        self.if_expr_after(word, condition)
    }

    /// The same from `then` on; the level of the `if` was entered.
    pub(super) fn if_expr_after(&mut self, word: Span, condition: Tree) -> Parsed<Tree> {
        self.expect_word("then")?;
        let yes = self.tree()?;
        self.expect_word("else")?;
        let no = self.tree()?;
        self.leave();
        let height = condition.height.max(yes.height).max(no.height);
        let span = word.to(no.expr.span);
        let kind = ExprKind::If(condition.expr.into(), yes.expr.into(), no.expr.into());
        self.raise(word, height, Expr { kind, span })
    }

    /// Does `x =>` or `(a, b) =>` come?
    pub(super) fn is_lambda(&self) -> bool {
        match self.kind() {
            Kind::Word => self.kind_at(1) == Kind::FatArrow,
            Kind::OpenParen => {
                let mut ahead = 1;
                while self.kind_at(ahead) == Kind::Word && self.kind_at(ahead + 1) == Kind::Comma {
                    ahead += 2;
                }
                ahead += usize::from(self.kind_at(ahead) == Kind::Word);
                self.kind_at(ahead) == Kind::CloseParen && self.kind_at(ahead + 1) == Kind::FatArrow
            }
            _ => false,
        }
    }

    pub(super) fn lambda(&mut self) -> Parsed<Tree> {
        let start = self.token().span;
        let params = if self.eat(Kind::OpenParen) {
            self.list(Kind::CloseParen, "`,` or `)`", |p| p.name("a name"))?
        } else {
            vec![self.name("a name")?]
        };
        let arrow = self.expect(Kind::FatArrow, "`=>`")?.span;
        self.enter(arrow)?;
        let (body, height) = if self.is_block() { self.lambda_block()? } else { self.lambda_expr()? };
        self.leave();
        let span = start.to(self.last_span());
        self.raise(arrow, height, Expr { kind: ExprKind::Lambda(params, body.into()), span })
    }

    fn lambda_expr(&mut self) -> Parsed<(LambdaBody, u32)> {
        let tree = self.tree()?;
        Ok((LambdaBody::Expr(tree.expr), tree.height))
    }

    /// Is the `{` behind `=>` a block? `{}` and `{key: …` are maps.
    fn is_block(&self) -> bool {
        let is_entry = matches!(self.kind_at(1), Kind::Word | Kind::Str) && self.kind_at(2) == Kind::Colon;
        self.kind() == Kind::OpenBrace && self.kind_at(1) != Kind::CloseBrace && !is_entry
    }

    /// `{ stmt; stmt }`: its lines matter, as in any block.
    fn lambda_block(&mut self) -> Parsed<(LambdaBody, u32)> {
        let around = std::mem::take(&mut self.tallest);
        self.glue(Glue::Roomy);
        let statements = self.bracketed(Kind::OpenBrace, "`{`", |p| {
            p.mode = Mode { lines: true, operators: false };
            let mut statements = Vec::new();
            while !p.eat(Kind::CloseBrace) {
                p.begins(Begins::Statement);
                statements.push(p.statement()?);
                p.eat(Kind::Semicolon);
            }
            p.glue_at(p.at - 1, Glue::Roomy);
            Ok(statements)
        })?;
        let height = std::mem::replace(&mut self.tallest, around);
        Ok((LambdaBody::Block(statements), height))
    }
}
