//! Statements, bodies and indented blocks. A block is a matter of columns: there are no tokens for indentation.

use super::cursor::{Abort, Mode, Parsed, Parser};
use super::expr::Tree;
use super::notes::Begins;
use super::operator::Operator;
use crate::ast::{Let, LetKind, Stmt, StmtKind};
use crate::diagnostic::Diagnostic;
use crate::lexer::Kind;
use std::cmp::Ordering;

impl Parser<'_> {
    /// `body`, below a header that begins with token `header`: a statement behind the colon, or a block.
    pub(super) fn body(&mut self, header: usize) -> Parsed<Vec<Stmt>> {
        let colon = self.expect(Kind::Colon, "`:`")?.span;
        self.enter(colon)?;
        let mode = Mode { lines: true, operators: false };
        let statements = self.with_mode(mode, |p| {
            if p.kind() == Kind::End || p.is_first_of_line() {
                p.block(header, Self::statement)
            } else {
                Ok(vec![p.statement()?])
            }
        })?;
        self.leave();
        Ok(statements)
    }

    /// Items in lines of one indentation, deeper than that of token `header`.
    pub(super) fn block<T>(&mut self, header: usize, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let outer = self.indent(self.tokens[header].line);
        let inside = if self.kind() == Kind::End { Some(Ordering::Less) } else { self.compare_indent(outer) };
        match inside {
            Some(Ordering::Greater) => {}
            Some(_) => return Err(self.missing_block()),
            None => return Err(self.inconsistent()),
        }
        let own = self.indent(self.token().line);
        let mut items = Vec::new();
        loop {
            self.begins(Begins::Item { header });
            items.push(item(self)?);
            let closed = matches!(
                self.kind(),
                Kind::End | Kind::CloseBrace | Kind::CloseParen | Kind::CloseBracket | Kind::Semicolon | Kind::Comma
            );
            if closed {
                return Ok(items);
            }
            if !self.is_first_of_line() {
                return Err(self.fail("the end of the line"));
            }
            match self.compare_indent(own) {
                Some(Ordering::Equal) => {}
                Some(Ordering::Less)
                    if matches!(self.compare_indent(outer), Some(Ordering::Less | Ordering::Equal)) =>
                {
                    return Ok(items);
                }
                _ => return Err(self.inconsistent()),
            }
        }
    }

    fn missing_block(&mut self) -> Abort {
        let diagnostic = Diagnostic::new("E0107", self.token().span, "expected an indented block");
        self.block_problem(diagnostic.help("indent the lines that belong to the colon above, all alike"))
    }

    fn inconsistent(&mut self) -> Abort {
        let diagnostic = Diagnostic::new("E0107", self.token().span, "inconsistent indentation");
        self.block_problem(diagnostic.help("lines of one block begin with the same blanks and tabs"))
    }

    fn block_problem(&mut self, diagnostic: Diagnostic) -> Abort {
        if self.kind() == Kind::Error { Abort } else { self.report(diagnostic) }
    }

    /// `stmt`
    pub(super) fn statement(&mut self) -> Parsed<Stmt> {
        let start = self.token().span;
        let kind = self.statement_kind()?;
        Ok(Stmt { kind, span: start.to(self.last_span()) })
    }

    fn statement_kind(&mut self) -> Parsed<StmtKind> {
        if self.kind() == Kind::Word && self.kind_at(1) == Kind::Assign {
            let name = self.name("a name")?;
            self.bump();
            return Ok(StmtKind::Assign(name, self.whole_expr()?));
        }
        let next_is_name = self.kind_at(1) == Kind::Word && !matches!(self.word_at(1), "and" | "or" | "in" | "is");
        match self.word() {
            "let" | "var" | "const" if next_is_name => Ok(StmtKind::Let(self.binding()?)),
            "if" => self.if_statement(),
            "for" if next_is_name => self.for_statement(),
            "while" if !self.is_operand() => {
                let header = self.at;
                self.bump();
                let condition = self.whole_expr()?;
                Ok(StmtKind::While(condition, self.body(header)?))
            }
            "return" if !self.is_operand() => {
                self.bump();
                let value = if self.is_statement_over() { None } else { Some(self.whole_expr()?) };
                Ok(StmtKind::Return(value))
            }
            "break" | "continue" if self.is_alone() => {
                let word = self.bump();
                Ok(if self.written(&word) == "break" { StmtKind::Break } else { StmtKind::Continue })
            }
            "emit" if self.kind_at(1) == Kind::Word && self.kind_at(2) == Kind::OpenParen => {
                self.bump();
                let name = self.any_name("a name")?;
                Ok(StmtKind::Emit(name, self.args()?))
            }
            "elif" | "else" => Err(self.fail_with("a statement", "its if stands in the same column above it")),
            _ => Ok(StmtKind::Expr(self.whole_expr()?)),
        }
    }

    /// An expression of a statement; its height counts for the lambda around.
    fn whole_tree(&mut self) -> Parsed<Tree> {
        let tree = self.tree()?;
        self.tallest = self.tallest.max(tree.height);
        Ok(tree)
    }

    fn whole_expr(&mut self) -> Parsed<crate::ast::Expr> {
        Ok(self.whole_tree()?.expr)
    }

    /// Is the current word a name, because an operator follows that needs something on its left?
    fn is_operand(&self) -> bool {
        let next = self.tokens.get(self.at + 1).filter(|next| next.line == self.token().line);
        next.is_some_and(|next| match next.kind {
            Kind::Minus => false,
            Kind::Dot | Kind::QuestionDot | Kind::DotDot | Kind::DotDotEq => true,
            Kind::Word => Operator::of_words(self.written(next), self.word_at(2)).is_some(),
            kind => Operator::of_symbol(kind).is_some(),
        })
    }

    /// Is the current word the whole statement?
    fn is_alone(&self) -> bool {
        let next = &self.tokens[(self.at + 1).min(self.tokens.len() - 1)];
        next.line > self.token().line
            || matches!(next.kind, Kind::End | Kind::CloseBrace | Kind::Semicolon)
            || matches!(self.word_at(1), "elif" | "else")
    }

    fn is_statement_over(&self) -> bool {
        self.is_first_of_line()
            || matches!(self.kind(), Kind::End | Kind::CloseBrace | Kind::Semicolon)
            || matches!(self.word(), "elif" | "else")
    }

    /// `let ID [: T] = expr`
    pub(super) fn binding(&mut self) -> Parsed<Let> {
        let word = self.bump();
        let kind = match self.written(&word) {
            "let" => LetKind::Let,
            "var" => LetKind::Var,
            _ => LetKind::Const,
        };
        let name = self.name("a name")?;
        let ty = if self.eat(Kind::Colon) { Some(self.type_expr()?) } else { None };
        self.expect(Kind::Eq, if ty.is_some() { "`=`" } else { "`=` or `:`" })?;
        Ok(Let { kind, word: word.span, name, ty, value: self.whole_expr()? })
    }

    fn for_statement(&mut self) -> Parsed<StmtKind> {
        let header = self.at;
        self.bump();
        let name = self.name("a name")?;
        self.expect_word("in")?;
        let over = self.whole_expr()?;
        Ok(StmtKind::For(name, over, self.body(header)?))
    }

    /// `if c: … elif c: … else: …`, or an expression that begins with `if`.
    fn if_statement(&mut self) -> Parsed<StmtKind> {
        let header = self.at;
        let word = self.bump();
        self.enter(word.span)?;
        let condition = self.whole_tree()?;
        if self.word() == "then" {
            let tree = self.if_expr_after(word.span, condition)?;
            self.tallest = self.tallest.max(tree.height);
            return Ok(StmtKind::Expr(tree.expr));
        }
        self.leave();
        if self.kind() != Kind::Colon {
            return Err(self.fail("`:` or `then`"));
        }
        let mut arms = vec![(condition.expr, self.body(header)?)];
        while self.is_arm("elif", header) {
            self.begins(Begins::Arm { header });
            self.bump();
            let condition = self.whole_expr()?;
            arms.push((condition, self.body(header)?));
        }
        let mut otherwise = None;
        if self.is_arm("else", header) {
            self.begins(Begins::Arm { header });
            self.bump();
            if self.word() == "if" {
                return Err(self.fail_with("`:`", "write elif instead of else if"));
            }
            otherwise = Some(self.body(header)?);
        }
        Ok(StmtKind::If(arms, otherwise))
    }

    /// Does an arm of the `if` that is token `header` come: in the same line, or first in a line of the same indentation?
    fn is_arm(&self, word: &str, header: usize) -> bool {
        self.word() == word
            && (!self.is_first_of_line()
                || self.compare_indent(self.indent(self.tokens[header].line)) == Some(Ordering::Equal))
    }
}
