//! Patterns: `->`, `OR`, `AND`, `SEQ(…)`, groups.
//!
//! A group in brackets is what stands in them: `(A OR B) as x` is the `Or` with that alias. It becomes a step whose target
//! is a group only where it carries what no other form has room for: a quantifier, a sign, an alias on a sequence or a step.

use super::cursor::{Parsed, Parser};
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
        let mut pattern = Pattern { name, expr, within: Vec::new(), partition: Vec::new() };
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
    pub(super) fn pexpr(&mut self) -> Parsed<PExpr> {
        let first = self.por()?;
        if self.kind() != Kind::Arrow {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat(Kind::Arrow) {
            parts.push(self.por()?);
        }
        Ok(self.whole(parts, PKind::Seq))
    }

    fn por(&mut self) -> Parsed<PExpr> {
        let first = self.pand()?;
        if self.word() != "OR" {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat_word("OR") {
            parts.push(self.pand()?);
        }
        Ok(self.whole(parts, |parts| PKind::Or(parts, None)))
    }

    fn pand(&mut self) -> Parsed<PExpr> {
        let first = self.pprim()?;
        if self.word() != "AND" {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat_word("AND") {
            parts.push(self.pprim()?);
        }
        Ok(self.whole(parts, |parts| PKind::And(parts, None)))
    }

    fn whole(&self, parts: Vec<PExpr>, make: impl FnOnce(Vec<PExpr>) -> PKind) -> PExpr {
        let span = parts[0].span.to(self.last_span());
        PExpr { kind: make(parts), span }
    }

    fn pprim(&mut self) -> Parsed<PExpr> {
        let start = self.token().span;
        let word = if self.kind_at(1) == Kind::OpenParen { self.word() } else { "" };
        let kind = match word {
            "SEQ" => PKind::Seq(self.members()?),
            "AND" => {
                let members = self.members()?;
                PKind::And(members, self.group_alias()?)
            }
            "OR" => {
                let members = self.members()?;
                PKind::Or(members, self.group_alias()?)
            }
            _ => {
                let step = self.step(Place::Pattern)?;
                return Ok(unwrapped(step));
            }
        };
        Ok(PExpr { kind, span: start.to(self.last_span()) })
    }

    /// `( pexpr {, pexpr} [,] )` behind a word.
    fn members(&mut self) -> Parsed<Vec<PExpr>> {
        self.bump();
        self.bracketed(Kind::OpenParen, "`(`", |p| {
            if p.kind() == Kind::CloseParen {
                return Err(p.fail("a step"));
            }
            p.list(Kind::CloseParen, "`,` or `)`", Self::pexpr)
        })
    }

    fn group_alias(&mut self) -> Parsed<Option<Ident>> {
        if !self.eat_word("as") {
            return Ok(None);
        }
        Ok(Some(self.name("a name")?))
    }

    /// `( pexpr )`
    pub(super) fn group(&mut self) -> Parsed<PExpr> {
        let start = self.token().span;
        let mut group = self.bracketed(Kind::OpenParen, "`(`", |p| {
            let group = p.pexpr()?;
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(group)
        })?;
        group.span = start.to(self.last_span());
        Ok(group)
    }
}

/// A step, or what a group without anything of its own contains.
fn unwrapped(step: Step) -> PExpr {
    let span: Span = step.span;
    let plain = step.quantifier.is_none() && !step.negated;
    let Step { target: StepTarget::Group(group), alias, .. } = step else {
        return PExpr { kind: PKind::Step(step), span };
    };
    match (plain, alias, group.kind) {
        (true, None, kind) => PExpr { kind, span },
        (true, alias, PKind::Or(members, None)) => PExpr { kind: PKind::Or(members, alias), span },
        (true, alias, PKind::And(members, None)) => PExpr { kind: PKind::And(members, alias), span },
        (_, alias, kind) => {
            let target = StepTarget::Group(PExpr { kind, span: group.span }.into());
            PExpr { kind: PKind::Step(Step { target, alias, ..step }), span }
        }
    }
}
