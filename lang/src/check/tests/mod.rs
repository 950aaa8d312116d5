//! Programs and expressions against what the checker says about them: code and the text under the diagnostic.

mod declarations;
mod expressions;
mod functions;
mod running;
mod soundness;
mod typing;

use super::declared::Declared;
use super::expression::Expressions;
use super::problems::Problems;
use super::scope::{Found, NoRecord, Object, Scope, Typed};
use super::types;
use crate::ast::{self, Arg, Expr as AstExpr, Ident, Item, Op, Program};
use crate::diagnostic::Diagnostic;
use crate::parser::parse;
use crate::plan::{Connector, Expr, Function};
use crate::span::Span;
use crate::value::Type;
use std::sync::Arc;

/// A record with these fields, and others if it is `open`.
struct Record {
    fields: Vec<(&'static str, Type)>,
    open: bool,
}

impl Record {
    fn closed() -> Record {
        let array = |of: Type| Type::Array(Box::new(of));
        let person =
            Type::Record("Person".into(), Arc::new(vec![("name".into(), Type::Str), ("age".into(), Type::Int)]));
        let fields = vec![
            ("i", Type::Int),
            ("j", Type::Int),
            ("f", Type::Float),
            ("s", Type::Str),
            ("ok", Type::Bool),
            ("t", Type::Time),
            ("d", Type::Duration),
            ("xs", array(Type::Int)),
            ("words", array(Type::Str)),
            ("m", Type::Map(Box::new(Type::Str), Box::new(Type::Float))),
            ("p", person),
            ("x", Type::Any),
        ];
        Record { fields, open: false }
    }
}

impl Scope for Record {
    fn name(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        match self.fields.iter().position(|(field, _)| **field == *name.name) {
            Some(place) => {
                let expr = Expr::Column(u32::try_from(place).expect("few fields"));
                Found::Value(Typed { expr, ty: self.fields[place].1.clone() })
            }
            None => Found::Unknown,
        }
    }
    fn open_field(&mut self, _: &Ident, _: &mut Expressions) -> Found {
        if self.open { Found::Value(Typed { expr: Expr::Column(99), ty: Type::Any }) } else { Found::Unknown }
    }
    fn object(&mut self, _: Object, _: Span, expressions: &mut Expressions) -> Typed {
        expressions.refused()
    }
    fn member(&mut self, _: Object, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn index(&mut self, _: Object, _: &AstExpr, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn call(&mut self, _: &Ident, _: &[Arg], _: Span, _: &mut Expressions) -> Option<Found> {
        None
    }
    fn has_record(&self) -> bool {
        true
    }
    fn names(&self) -> Vec<Arc<str>> {
        self.fields.iter().map(|(field, _)| Arc::from(*field)).collect()
    }
}

/// What the checker makes of a program and of one expression.
struct Outcome {
    typed: Option<Typed>,
    functions: Vec<Function>,
    connectors: Vec<Connector>,
    problems: Vec<Diagnostic>,
    text: String,
}

impl Outcome {
    /// Code and the text under it, in order of position, errors only.
    fn errors(&self) -> Vec<(&str, &str)> {
        let errors = self.problems.iter().filter(|problem| problem.code.starts_with('E'));
        errors.map(|p| (p.code, &self.text[p.span.start as usize..p.span.end as usize])).collect()
    }

    fn typed(&self) -> &Typed {
        self.typed.as_ref().expect("an expression was checked")
    }
}

/// Checks `declarations`, and `expr` over `record` if it is not empty.
fn outcome(declarations: &str, expr: &str, record: &mut dyn Scope) -> Outcome {
    let text = if expr.is_empty() {
        declarations.to_string()
    } else {
        format!("{declarations}\nstream Probe = E\n    .where({expr})\n")
    };
    let (program, syntax) = parse(&text, 0);
    assert_eq!(syntax, [], "{text}");
    let line = |span: Span| format!("line {}", text[..span.start as usize].matches('\n').count() + 1);
    let mut problems = Problems::default();
    let declared = Declared::new(program.items.iter().collect(), &line, &mut problems);
    let mut expressions = Expressions::new(&declared, &[], problems);
    let probe = (!expr.is_empty()).then(|| probe(&program));
    let typed = probe.map(|probe| expressions.check(probe, record));
    let checked = expressions.finish();
    let (functions, connectors) = (checked.functions, checked.connectors);
    Outcome { typed, functions, connectors, problems: checked.problems.finish(), text: text.clone() }
}

fn probe(program: &Program) -> &AstExpr {
    let Some(Item::Stream(ast::Stream { ops, .. })) = program.items.last() else {
        panic!("the probe is the last item")
    };
    let Some(Op::Call(_, args)) = ops.first() else { panic!("the probe has one operator") };
    &args[0].value
}

/// Errors in declarations alone.
#[track_caller]
fn declared_errors(declarations: &str, expected: &[(&str, &str)]) {
    let outcome = outcome(declarations, "", &mut NoRecord);
    assert_eq!(outcome.errors(), expected, "{declarations}\n{:#?}", outcome.problems);
}

/// Errors of an expression over the record of [`Record::closed`].
#[track_caller]
fn expression_errors(expr: &str, expected: &[(&str, &str)]) {
    let outcome = outcome("", expr, &mut Record::closed());
    assert_eq!(outcome.errors(), expected, "{expr}\n{:#?}", outcome.problems);
}

/// The type of a right expression, as a program writes it.
#[track_caller]
fn expression_type(expr: &str) -> String {
    let outcome = outcome("", expr, &mut Record::closed());
    assert_eq!(outcome.errors(), [], "{expr}\n{:#?}", outcome.problems);
    types::name(&outcome.typed().ty)
}
