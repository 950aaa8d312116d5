//! Types as written: `T`, `[T]`, `{K: V}`, `Stream<T>`, each with `?`.

use super::cursor::{Parsed, Parser};
use super::notes::Glue;
use crate::ast::{TypeExpr, TypeKind};
use crate::lexer::Kind;

impl Parser<'_> {
    /// `T`
    pub(super) fn type_expr(&mut self) -> Parsed<TypeExpr> {
        let start = self.token().span;
        let kind = match self.kind() {
            Kind::Word if self.word() == "Stream" && self.kind_at(1) == Kind::Lt => self.stream_type()?,
            Kind::Word => TypeKind::Name(self.any_name("a type")?),
            Kind::OpenBracket => self.bracketed(Kind::OpenBracket, "`[`", |p| {
                let element = p.type_expr()?;
                p.expect(Kind::CloseBracket, "`]`")?;
                Ok(TypeKind::Array(element.into()))
            })?,
            Kind::OpenBrace => self.bracketed(Kind::OpenBrace, "`{`", |p| {
                let key = p.type_expr()?;
                p.expect(Kind::Colon, "`:`")?;
                let value = p.type_expr()?;
                p.expect(Kind::CloseBrace, "`}`")?;
                Ok(TypeKind::Map(key.into(), value.into()))
            })?,
            Kind::OpenParen => self.bracketed(Kind::OpenParen, "`(`", Self::tuple)?,
            _ => return Err(self.fail("a type")),
        };
        let ty = TypeExpr { kind, span: start.to(self.last_span()) };
        if self.kind() == Kind::Question {
            self.glue(Glue::Postfix);
            self.bump();
            let span = start.to(self.last_span());
            return Ok(TypeExpr { kind: TypeKind::Optional(ty.into()), span });
        }
        Ok(ty)
    }

    fn stream_type(&mut self) -> Parsed<TypeKind> {
        self.bump();
        self.glue(Glue::Tight);
        self.bracketed(Kind::Lt, "`<`", |p| {
            let element = p.type_expr()?;
            p.glue(Glue::Postfix);
            if p.eat_half(Kind::Shr, Kind::Gt).or_else(|| p.eat_half(Kind::Ge, Kind::Eq)).is_none() {
                p.expect(Kind::Gt, "`>`")?;
            }
            Ok(TypeKind::Stream(element.into()))
        })
    }

    fn tuple(&mut self) -> Parsed<TypeKind> {
        while self.kind() != Kind::CloseParen {
            self.type_expr()?;
            if !self.eat(Kind::Comma) {
                break;
            }
        }
        self.expect(Kind::CloseParen, "`)`")?;
        Ok(TypeKind::Tuple)
    }
}
