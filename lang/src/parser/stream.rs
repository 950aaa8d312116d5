//! Streams: their source, their operators, and the steps of sequences.

use super::cursor::{Parsed, Parser};
use super::expr::Chain;
use super::notes::{Begins, Glue};
use crate::ast::{Expr, Ident, Input, JoinKind, Op, PExpr, PKind, Quantifier, Source, Step, StepTarget, Stream};
use crate::diagnostic::Diagnostic;
use crate::lexer::Kind;
use crate::span::Span;

/// Where a step stands, which decides how it may be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a stream's chain: not at all.
    Chain,
    /// In `sequence(…)`: `.within(d)`.
    Sequence,
    /// In a pattern: `within d` before `->`.
    Pattern,
}

impl Parser<'_> {
    /// `stream ID [: T] = source { op }`
    pub(super) fn stream(&mut self) -> Parsed<Stream> {
        self.bump();
        let name = self.name("the stream's name")?;
        let ty = if self.eat(Kind::Colon) { Some(self.type_expr()?) } else { None };
        self.expect(Kind::Eq, if ty.is_some() { "`=`" } else { "`=` or `:`" })?;
        let source = self.source()?;
        let mut ops = Vec::new();
        let mut chain = Chain::new();
        while matches!(self.kind(), Kind::Arrow | Kind::Dot) {
            self.link(&mut chain, self.token().span)?;
            ops.push(self.op()?);
        }
        ops.shrink_to_fit();
        Ok(Stream { name, ty, source, ops })
    }

    fn source(&mut self) -> Parsed<Source> {
        let place = self.token().span;
        if self.kind() == Kind::OpenParen {
            return Ok(Source::Pattern(self.pexpr()?));
        }
        if self.kind_at(1) != Kind::OpenParen {
            return Ok(Source::Step(self.step(Place::Chain)?));
        }
        let join = |kind| move |inputs| Source::Join(kind, place, inputs);
        match self.word() {
            "merge" => self.inputs(|inputs| Source::Merge(place, inputs)),
            "join" | "inner_join" => self.inputs(join(JoinKind::Inner)),
            "left_join" => self.inputs(join(JoinKind::Left)),
            "right_join" => self.inputs(join(JoinKind::Right)),
            "full_join" => self.inputs(join(JoinKind::Full)),
            "timer" => {
                self.bump();
                Ok(Source::Timer(place, self.args()?))
            }
            "late" => {
                self.bump();
                self.glue(Glue::Call);
                let stream = self.bracketed(Kind::OpenParen, "`(`", |p| {
                    let stream = p.name("a stream")?;
                    p.expect(Kind::CloseParen, "`)`")?;
                    Ok(stream)
                })?;
                Ok(Source::Late(place, stream))
            }
            "sequence" => self.sequence(place),
            "fork" => {
                let word = self.bump();
                self.skip_balanced()?;
                Ok(Source::Unsupported(self.ident(&word)))
            }
            "SEQ" | "AND" | "OR" | "NOT" => Ok(Source::Pattern(self.pexpr()?)),
            _ => Ok(Source::Step(self.step(Place::Chain)?)),
        }
    }

    fn sequence(&mut self, place: Span) -> Parsed<Source> {
        self.bump();
        self.glue(Glue::Call);
        let steps = self.bracketed(Kind::OpenParen, "`(`", |p| {
            if p.kind() == Kind::CloseParen {
                return Err(p.fail("a step, such as a: A"));
            }
            p.list(Kind::CloseParen, "`,` or `)`", |p| {
                let name = p.name("a step, such as a: A")?;
                p.expect(Kind::Colon, "`:`")?;
                Ok((name, *p.step(Place::Sequence)?))
            })
        })?;
        Ok(Source::Sequence(place, steps))
    }

    fn inputs(&mut self, make: impl FnOnce(Vec<Input>) -> Source) -> Parsed<Source> {
        self.bump();
        self.glue(Glue::Call);
        let inputs = self.bracketed(Kind::OpenParen, "`(`", |p| {
            if p.kind() == Kind::CloseParen {
                return Err(p.fail("an event or stream"));
            }
            p.list(Kind::CloseParen, "`,` or `)`", Self::input)
        })?;
        Ok(make(inputs))
    }

    fn input(&mut self) -> Parsed<Input> {
        let named = self.word() == "stream" && self.kind_at(1) == Kind::Word && self.kind_at(2) == Kind::Eq;
        let name = if named {
            self.bump();
            let name = self.name("a name")?;
            self.bump();
            Some(name)
        } else {
            None
        };
        let mut input = Input {
            name,
            source: self.name("an event or stream")?,
            alias: None,
            conditions: Vec::new(),
            on: Vec::new(),
        };
        loop {
            match self.kind() {
                Kind::Word if self.word() == "as" => self.alias(&mut input.alias)?,
                Kind::Word if self.word() == "where" => {
                    self.bump();
                    input.conditions.push(self.operator_expr()?);
                }
                Kind::Word if self.word() == "on" => {
                    let word = self.bump().span;
                    input.on.push((word, self.operator_expr()?));
                }
                Kind::Dot => {
                    self.glue(Glue::Apart);
                    self.bump();
                    let word = self.token();
                    match self.word() {
                        "where" | "filter" => {
                            self.bump();
                            input.conditions.push(self.bracketed_expr()?);
                        }
                        "on" => {
                            self.bump();
                            input.on.push((word.span, self.bracketed_expr()?));
                        }
                        _ => return Err(self.fail("where, filter or on")),
                    }
                }
                _ => return Ok(input),
            }
        }
    }

    /// `( expr )`, with a comma behind it or not.
    fn bracketed_expr(&mut self) -> Parsed<Expr> {
        self.glue(Glue::Call);
        self.bracketed(Kind::OpenParen, "`(`", |p| {
            let expr = p.expr()?;
            p.eat(Kind::Comma);
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(expr)
        })
    }

    /// `as ID`; there is one place for it.
    fn alias(&mut self, alias: &mut Option<Ident>) -> Parsed<()> {
        if alias.is_some() {
            return Err(self.fail_with("one alias", "it has a name already: remove one of the two as"));
        }
        self.bump();
        *alias = Some(self.name("a name")?);
        Ok(())
    }

    /// The operator that comes.
    fn op(&mut self) -> Parsed<Op> {
        if self.kind() == Kind::Arrow {
            self.begins(Begins::Arrow);
            let arrow = self.bump().span;
            return Ok(Op::Then(arrow, *self.step(Place::Chain)?));
        }
        self.begins(Begins::Operator);
        self.bump();
        let name = self.any_name("an operator's name")?;
        match &*name.name {
            "emit" if self.word() == "as" => {
                self.bump();
                let ty = self.name("a type's name")?;
                Ok(Op::EmitAs { word: name.span, ty, args: self.args()? })
            }
            "not" if self.kind() == Kind::OpenParen => {
                self.glue(Glue::Call);
                let step = self.bracketed(Kind::OpenParen, "`(`", |p| {
                    let step = p.step(Place::Chain)?;
                    p.expect(Kind::CloseParen, "`)`")?;
                    Ok(step)
                })?;
                Ok(Op::Not(name.span, *step))
            }
            _ => Ok(Op::Call(name, self.args()?)),
        }
    }

    /// `step`
    pub(super) fn step(&mut self, place: Place) -> Parsed<Box<Step>> {
        let start = self.token().span;
        if self.kind() == Kind::OpenParen {
            let group = self.group()?;
            return self.group_step(start, group, place);
        }
        let negated = matches!(self.word(), "not" | "NOT") && matches!(self.kind_at(1), Kind::Word | Kind::OpenParen);
        if negated {
            self.bump();
            if self.kind() == Kind::OpenParen {
                return self.negated_brackets(start, place);
            }
        }
        let all = !negated && self.word() == "all" && self.is_prefix();
        if all {
            self.bump();
        }
        if self.kind_at(1) == Kind::OpenParen && matches!(self.word(), "SEQ" | "AND" | "OR") {
            return Err(
                self.fail_with("an event or stream", "write the group as (A AND B), or give it a name by pattern")
            );
        }
        let target = StepTarget::Name(self.name("an event or stream")?);
        self.behind_target(Step { negated, all, ..bare(target, start) }, place)
    }

    /// Quantifier and suffixes.
    fn behind_target(&mut self, step: Step, place: Place) -> Parsed<Box<Step>> {
        let mut step = Box::new(step);
        self.quantifier(&mut step)?;
        self.suffixes(&mut step, place)?;
        step.span = step.span.to(self.last_span());
        Ok(step)
    }

    /// A group as a step.
    pub(super) fn group_step(&mut self, start: Span, group: Box<PExpr>, place: Place) -> Parsed<Box<Step>> {
        self.behind_target(bare(StepTarget::Group(group), start), place)
    }

    /// `not (step)`: the step itself with its sign turned, unless it has one already.
    fn negated_brackets(&mut self, start: Span, place: Place) -> Parsed<Box<Step>> {
        let mut step = self.bracketed(Kind::OpenParen, "`(`", |p| {
            let inner = p.step(place)?;
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(inner)
        })?;
        if step.negated {
            step = doubly_negated(step);
        }
        step.negated = true;
        step.span = start;
        self.suffixes(&mut step, place)?;
        step.span = start.to(self.last_span());
        Ok(step)
    }

    /// Is `all` here the word before a name, and not a name itself?
    fn is_prefix(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        let begins_line = next.is_some_and(|next| next.start == self.lines[next.line as usize].start);
        let suffix = matches!(self.word_at(1), "as" | "where" | "within" | "partition" | "AND" | "OR" | "on");
        !self.word_at(1).is_empty() && !suffix && !begins_line
    }

    /// `+`, `*`, `?`, if it stands there.
    fn quantifier(&mut self, step: &mut Step) -> Parsed<()> {
        let quantifier = match self.kind() {
            Kind::Plus => Quantifier::Plus,
            Kind::Star => Quantifier::Star,
            Kind::Question | Kind::QuestionDot => Quantifier::Optional,
            _ => return Ok(()),
        };
        if step.quantifier.is_some() {
            return Err(self.fail_with("one quantifier", "a step has one of + * ?"));
        }
        self.glue(Glue::Postfix);
        let half = self.eat_half(Kind::QuestionDot, Kind::Dot);
        let place = half.unwrap_or_else(|| self.bump().span);
        step.quantifier = Some((quantifier, place));
        Ok(())
    }

    fn suffixes(&mut self, step: &mut Step, place: Place) -> Parsed<()> {
        let is_group = matches!(step.target, StepTarget::Group(_));
        loop {
            match self.kind() {
                Kind::Word if self.word() == "as" => self.alias(&mut step.alias)?,
                Kind::Word if self.word() == "where" && !is_group => {
                    self.bump();
                    step.conditions.push(self.operator_expr()?);
                }
                Kind::Word if self.is_step_limit(place) && !is_group => {
                    let word = self.bump().span;
                    let limit = self.expr()?;
                    self.limit(step, word, limit);
                }
                Kind::OpenBracket if !is_group => {
                    self.glue(Glue::Call);
                    let condition = self.bracketed(Kind::OpenBracket, "`[`", |p| {
                        let condition = p.expr()?;
                        p.expect(Kind::CloseBracket, "`]`")?;
                        Ok(condition)
                    })?;
                    step.conditions.push(condition);
                    self.quantifier(step)?;
                }
                Kind::Dot if !is_group && matches!(self.word_at(1), "increasing" | "decreasing") => {
                    self.monotone(step)?
                }
                Kind::Dot if place == Place::Sequence => self.sequence_limit(step)?,
                _ => return Ok(()),
            }
        }
    }

    /// Does `within DUR ->` come, in a pattern?
    fn is_step_limit(&self, place: Place) -> bool {
        place == Place::Pattern
            && self.word() == "within"
            && self.kind_at(1) == Kind::Duration
            && self.kind_at(2) == Kind::Arrow
    }

    fn monotone(&mut self, step: &mut Step) -> Parsed<()> {
        self.glue(Glue::Apart);
        self.bump();
        let word = self.bump();
        let increasing = self.written(&word) == "increasing";
        self.glue(Glue::Call);
        let field = self.bracketed(Kind::OpenParen, "`(`", |p| {
            let field = p.any_name("a field")?;
            p.expect(Kind::CloseParen, "`)`")?;
            Ok(field)
        })?;
        step.monotone.push((increasing, word.span, field));
        Ok(())
    }

    /// `.within(d)` of a step in `sequence()`.
    fn sequence_limit(&mut self, step: &mut Step) -> Parsed<()> {
        self.glue(Glue::Apart);
        self.bump();
        let word = self.token().span;
        if self.word() != "within" {
            return Err(self.fail("within, increasing or decreasing"));
        }
        self.bump();
        let limit = self.bracketed_expr()?;
        self.limit(step, word, limit);
        Ok(())
    }

    fn limit(&mut self, step: &mut Step, word: Span, limit: Expr) {
        if step.within.is_some() {
            let diagnostic = Diagnostic::new("E0404", word, "within is given twice");
            self.report(diagnostic.help("a step has one limit; .within behind the sequence limits all of it"));
        } else {
            step.within = Some((word, limit));
        }
    }
}

fn bare(target: StepTarget, span: Span) -> Step {
    Step {
        negated: false,
        all: false,
        target,
        quantifier: None,
        conditions: Vec::new(),
        alias: None,
        monotone: Vec::new(),
        within: None,
        span,
    }
}

fn doubly_negated(inner: Box<Step>) -> Box<Step> {
    let span = inner.span;
    Box::new(bare(StepTarget::Group(PExpr { kind: PKind::Step(*inner), span }.into()), span))
}
