//! Patterns: `->`, `OR`, `AND`, `SEQ(…)`, groups.
//!
//! A group in brackets is what stands in them: `(A OR B) as x` is the `Or` with that alias. It becomes a step whose target
//! is a group only where it carries what no other form has room for: a quantifier, a sign, an alias on a sequence or a step.

use super::cursor::{Parsed, Parser};
use super::expr::Chain;
use super::notes::Glue;
use super::stream::Place;
use crate::ast::{Ident, PExpr, PKind, Pattern, Step, StepTarget};
use crate::lexer::Kind;
use crate::span::Span;

impl Parser<'_> {
    /// `pattern ID = pexpr { within expr | partition by ID, … }`
    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        self.bump();
        let name = self.name("the pattern's name")?;
        self.expect(Kind::Eq, "`=`")?;
        let expr = self.pexpr()?;
        let mut pattern = Pattern { name, expr: *expr, within: Vec::new(), partition: Vec::new() };
        loop {
            match self.word() {
                "within" => {
                    let word = self.bump().span;
                    pattern.within.push((word, self.expr()?));
                }
                "partition" => {
                    let word = self.bump().span;
                    let place = word.to(self.expect_word("by")?.span);
                    let mut fields = vec![self.any_name("a field")?];
                    while self.eat(Kind::Comma) {
                        fields.push(self.any_name("a field")?);
                    }
                    pattern.partition.push((place, fields));
                }
                _ => return Ok(pattern),
            }
        }
    }

    /// `por { "->" por }`
    pub(super) fn pexpr(&mut self) -> Parsed<Box<PExpr>> {
        let first = self.por()?;
        self.parts(first, |p| p.kind() == Kind::Arrow, Self::por, PKind::Seq)
    }

    fn por(&mut self) -> Parsed<Box<PExpr>> {
        let first = self.pand()?;
        self.parts(first, |p| p.word() == "OR", Self::pand, |parts| PKind::Or(parts, None))
    }

    fn pand(&mut self) -> Parsed<Box<PExpr>> {
        let first = self.pprim()?;
        self.parts(first, |p| p.word() == "AND", Self::pprim, |parts| PKind::And(parts, None))
    }

    /// `first`, or what it makes together with the parts behind the operators that come.
    fn parts(
        &mut self,
        first: Box<PExpr>,
        is_operator: fn(&Self) -> bool,
        part: fn(&mut Self) -> Parsed<Box<PExpr>>,
        make: fn(Vec<PExpr>) -> PKind,
    ) -> Parsed<Box<PExpr>> {
        if !is_operator(self) {
            return Ok(first);
        }
        let start = first.span;
        let mut parts = vec![*first];
        let mut chain = Chain::new();
        while is_operator(self) {
            self.link(&mut chain, self.token().span)?;
            self.bump();
            parts.push(*part(self)?);
        }
        Ok(Box::new(PExpr { kind: make(parts), span: start.to(self.last_span()) }))
    }

    fn pprim(&mut self) -> Parsed<Box<PExpr>> {
        let start = self.token().span;
        if self.kind() == Kind::OpenParen {
            let group = self.group()?;
            return self.after_group(start, group);
        }
        match if self.kind_at(1) == Kind::OpenParen { self.word() } else { "" } {
            "SEQ" => self.members(start, |members, _| PKind::Seq(members)),
            "AND" => self.members(start, PKind::And),
            "OR" => self.members(start, PKind::Or),
            _ => self.plain_step(),
        }
    }

    fn plain_step(&mut self) -> Parsed<Box<PExpr>> {
        let step = self.step(Place::Pattern)?;
        let span = step.span;
        Ok(Box::new(PExpr { kind: PKind::Step(*step), span }))
    }

    /// `( pexpr {, pexpr} [,] )` behind a word, and the alias of an `AND` or `OR`.
    fn members(&mut self, start: Span, make: fn(Vec<PExpr>, Option<Ident>) -> PKind) -> Parsed<Box<PExpr>> {
        let is_sequence = self.word() == "SEQ";
        self.bump();
        self.glue(Glue::Call);
        let members = self.bracketed(Kind::OpenParen, "`(`", |p| {
            if p.kind() == Kind::CloseParen {
                return Err(p.fail("a step"));
            }
            p.list(Kind::CloseParen, "`,` or `)`", |p| Ok(*p.pexpr()?))
        })?;
        let alias = if !is_sequence && self.eat_word("as") { Some(self.name("a name")?) } else { None };
        Ok(Box::new(PExpr { kind: make(members, alias), span: start.to(self.last_span()) }))
    }

    /// `( pexpr )`
    pub(super) fn group(&mut self) -> Parsed<Box<PExpr>> {
        let start = self.token().span;
        let mut group = self.bracketed(Kind::OpenParen, "`(`", |p| {
            let group = p.pexpr()?;
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(group)
        })?;
        group.span = start.to(self.last_span());
        Ok(group)
    }

    /// A group of a pattern with what stands behind it.
    fn after_group(&mut self, start: Span, group: Box<PExpr>) -> Parsed<Box<PExpr>> {
        let step = self.group_step(start, group, Place::Pattern)?;
        Ok(unwrapped(step))
    }
}

/// What a group without anything of its own contains, or the group as a step.
fn unwrapped(step: Box<Step>) -> Box<PExpr> {
    let span = step.span;
    let plain = step.quantifier.is_none() && !step.negated;
    let Step { target: StepTarget::Group(group), alias, .. } = *step else {
        return Box::new(PExpr { kind: PKind::Step(*step), span });
    };
    let kind = match (plain, alias, group.kind) {
        (true, None, kind) => kind,
        (true, alias, PKind::Or(members, None)) => PKind::Or(members, alias),
        (true, alias, PKind::And(members, None)) => PKind::And(members, alias),
        (_, alias, kind) => {
            let target = StepTarget::Group(PExpr { kind, span: group.span }.into());
            PKind::Step(Step { target, alias, ..*step })
        }
    };
    Box::new(PExpr { kind, span })
}
