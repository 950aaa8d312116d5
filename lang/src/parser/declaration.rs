//! Declarations other than streams and patterns.

use super::cursor::{Abort, Mode, Parsed, Parser};
use super::message::{expected, meant_declaration};
use super::notes::{Begins, Glue};
use crate::ast::{Connector, Context, Event, FieldDecl, Fn, Import, Item, Param, TypeBody, TypeDecl};
use crate::diagnostic::Diagnostic;
use crate::lexer::{Kind, quoted};
use crate::limits::NESTING_LEVELS;

impl Parser<'_> {
    /// One declaration.
    pub(super) fn item(&mut self) -> Parsed<Item> {
        if self.kind() == Kind::Word && self.kind_at(1) == Kind::Assign {
            return Err(self.top_level_assignment());
        }
        match self.word() {
            "event" => Ok(Item::Event(self.event()?)),
            "type" => Ok(Item::Type(self.type_declaration()?)),
            "stream" => Ok(Item::Stream(self.stream()?)),
            "pattern" => Ok(Item::Pattern(self.pattern()?)),
            "connector" => Ok(Item::Connector(self.connector()?)),
            "context" => Ok(Item::Context(self.context()?)),
            "fn" => Ok(Item::Fn(self.function()?)),
            "let" | "var" | "const" => {
                let mode = Mode { lines: true, operators: false };
                Ok(Item::Global(self.with_mode(mode, Self::binding)?))
            }
            "import" => Ok(Item::Import(self.import()?)),
            "config" => self.config(),
            _ => Err(self.no_declaration()),
        }
    }

    fn top_level_assignment(&mut self) -> Abort {
        let message = format!("assignment to the top-level variable {} is not supported yet", self.word());
        let diagnostic = Diagnostic::new("E0903", self.token().span, message);
        self.report(diagnostic.help("use an aggregate, or a var inside of a fn, to keep what changes"))
    }

    fn no_declaration(&mut self) -> Abort {
        let token = self.token();
        if matches!(self.word(), "if" | "for" | "while" | "return" | "break" | "continue" | "emit" | "elif" | "else") {
            let message = format!("{} is not allowed at top level", self.word());
            let help = match self.word() {
                "for" => "a for that repeats declarations begins in column 0; other loops stand in a fn",
                "emit" => "as a stream's operator it is .emit(…); as a statement it stands in a fn",
                _ => "statements stand in a fn",
            };
            return self.report(Diagnostic::new("E0111", token.span, message).help(help));
        }
        let follows = self.kind_at(1);
        let meant = meant_declaration(self.word());
        if let (Some(meant), Kind::Word | Kind::Str | Kind::OpenBrace | Kind::Colon) = (meant, follows) {
            let diagnostic = expected("a declaration", &token, self.text);
            return self.report(diagnostic.help(format!("did you mean {meant}?")));
        }
        if token.kind == Kind::Word && matches!(follows, Kind::OpenParen | Kind::OpenBracket | Kind::Dot) {
            let diagnostic = Diagnostic::new("E0111", token.span, "an expression is not allowed at top level");
            return self.report(diagnostic.help("statements stand in a fn; a stream's operators begin with ."));
        }
        self.fail_with(
            "a declaration",
            "declarations begin with stream, event, pattern, fn, let, const, connector, type, context, import",
        )
    }

    fn event(&mut self) -> Parsed<Event> {
        let header = self.at;
        self.bump();
        let name = self.name("the event's name")?;
        let extends = if self.eat_word("extends") { Some(self.name("an event")?) } else { None };
        Ok(Event { name, extends, fields: self.fields(header, "`:` or `{`")? })
    }

    fn type_declaration(&mut self) -> Parsed<TypeDecl> {
        let header = self.at;
        self.bump();
        let name = self.name("the type's name")?;
        let body = if self.eat(Kind::Eq) {
            TypeBody::Alias(self.type_expr()?)
        } else {
            TypeBody::Struct(self.fields(header, "`=`, `:` or `{`")?)
        };
        Ok(TypeDecl { name, body })
    }

    /// `{ … }`, fields behind a colon, or a block of them.
    fn fields(&mut self, header: usize, what: &str) -> Parsed<Vec<FieldDecl>> {
        let mut fields = Vec::new();
        if self.kind() == Kind::OpenBrace {
            self.glue(Glue::Roomy);
            self.bracketed(Kind::OpenBrace, what, |p| {
                while !p.eat(Kind::CloseBrace) {
                    fields.push(p.field("a field or `}`")?);
                    p.eat(Kind::Comma);
                }
                p.glue_at(p.at - 1, Glue::Roomy);
                Ok(())
            })?;
            return Ok(fields);
        }
        self.expect(Kind::Colon, what)?;
        if self.kind() != Kind::End && !self.is_first_of_line() {
            fields.push(self.field("a field")?);
            while self.eat(Kind::Comma) {
                fields.push(self.field("a field")?);
            }
            return Ok(fields);
        }
        self.block(header, |p| {
            fields.push(p.field("a field")?);
            p.eat(Kind::Comma);
            while p.kind() == Kind::Word && !p.is_first_of_line() {
                fields.push(p.field("a field")?);
                p.eat(Kind::Comma);
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn field(&mut self, what: &str) -> Parsed<FieldDecl> {
        let name = self.any_name(what)?;
        self.expect(Kind::Colon, "`:`")?;
        Ok(FieldDecl { name, ty: self.type_expr()? })
    }

    fn connector(&mut self) -> Parsed<Connector> {
        self.bump();
        let name = self.name("the connector's name")?;
        self.expect(Kind::Eq, "`=`")?;
        let kind = self.name("a kind of connector")?;
        Ok(Connector { name, kind, args: self.args()? })
    }

    fn context(&mut self) -> Parsed<Context> {
        self.bump();
        let name = self.name("the context's name")?;
        let mut cores = None;
        if self.kind() == Kind::OpenParen {
            self.glue(Glue::Call);
            cores = Some(self.bracketed(Kind::OpenParen, "`(`", |p| {
                p.expect_word("cores")?;
                p.expect(Kind::Colon, "`:`")?;
                let cores = p.expr()?;
                p.eat(Kind::Comma);
                p.expect(Kind::CloseParen, "`)`")?;
                Ok(cores)
            })?);
        }
        Ok(Context { name, cores })
    }

    fn function(&mut self) -> Parsed<Fn> {
        let header = self.at;
        self.bump();
        let name = self.name("the function's name")?;
        self.glue(Glue::Call);
        let params = self.bracketed(Kind::OpenParen, "`(`", |p| {
            p.list(Kind::CloseParen, "`,` or `)`", |p| {
                let name = p.name("a parameter or `)`")?;
                let ty = if p.eat(Kind::Colon) { Some(p.type_expr()?) } else { None };
                Ok(Param { name, ty })
            })
        })?;
        let ret = if self.eat(Kind::Arrow) { Some(self.type_expr()?) } else { None };
        if self.kind() == Kind::OpenBrace {
            return Err(self.fail_with("`:`", "a body stands behind a colon, or in indented lines below it"));
        }
        if self.kind() != Kind::Colon {
            return Err(self.fail(if ret.is_some() { "`:`" } else { "`:` or `->`" }));
        }
        Ok(Fn { name, params, ret, body: self.body(header)? })
    }

    fn import(&mut self) -> Parsed<Import> {
        self.bump();
        if self.word() == "fn" {
            return Err(self.unsupported_import("import fn", "import the whole file: import \"file.vpl\""));
        }
        let token = self.expect(Kind::Str, "a file's name in quotes")?;
        if self.word() == "as" {
            return Err(self.unsupported_import("import … as", "the file's names are used as they are"));
        }
        Ok(Import { path: quoted::value(self.written(&token)).into(), span: token.span })
    }

    fn unsupported_import(&mut self, what: &str, help: &str) -> Abort {
        let diagnostic = Diagnostic::new("E0902", self.token().span, format!("{what} is not supported yet"));
        self.report(diagnostic.help(help))
    }

    /// `config … { … }` or `config …:` with a block; what it says is skipped.
    fn config(&mut self) -> Parsed<Item> {
        let header = self.at;
        let word = self.bump();
        if self.kind() == Kind::Word && !self.begins_declaration() {
            self.bump();
        }
        match self.kind() {
            Kind::OpenBrace => {
                let open = self.at;
                self.skip_balanced()?;
                self.glue_as_is(open + 1..self.at);
            }
            Kind::Colon => {
                self.bump();
                self.skip_block(header)?;
            }
            _ => return Err(self.fail("`:` or `{`")),
        }
        Ok(Item::Config(word.span))
    }

    /// From an opening bracket to the closing one.
    pub(super) fn skip_balanced(&mut self) -> Parsed<()> {
        let mut open = Vec::new();
        loop {
            let close = match self.kind() {
                Kind::OpenParen => Some((Kind::CloseParen, "`)`")),
                Kind::OpenBracket => Some((Kind::CloseBracket, "`]`")),
                Kind::OpenBrace => Some((Kind::CloseBrace, "`}`")),
                _ => None,
            };
            match (close, open.last()) {
                (Some(close), _) => {
                    if self.depth as usize + open.len() == NESTING_LEVELS as usize {
                        let place = self.token().span;
                        self.depth = NESTING_LEVELS;
                        self.enter(place)?;
                    }
                    open.push(close);
                }
                (None, Some((close, _))) if self.kind() == *close => {
                    open.pop();
                }
                (None, Some((_, what))) if self.kind() == Kind::End || self.is_close() => return Err(self.fail(what)),
                _ => {}
            }
            self.bump();
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    fn is_close(&self) -> bool {
        matches!(self.kind(), Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace)
    }

    /// What stands behind a colon in its line, or the deeper lines below.
    fn skip_block(&mut self, header: usize) -> Parsed<()> {
        let first = self.at;
        if self.kind() != Kind::End && !self.is_first_of_line() {
            while self.kind() != Kind::End && !self.is_first_of_line() {
                self.bump();
            }
        } else {
            let outer = self.indent(self.tokens[header].line).len();
            self.block(header, |p| {
                p.bump();
                while p.kind() != Kind::End && (!p.is_first_of_line() || p.indent(p.token().line).len() > outer) {
                    if p.is_first_of_line() {
                        p.begins(Begins::Skipped { header, first });
                    }
                    p.bump();
                }
                Ok(())
            })?;
        }
        self.glue_as_is(first..self.at);
        Ok(())
    }
}
