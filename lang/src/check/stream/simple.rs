//! Operators that pass records on or drop them: where, having, distinct, limit, print, log, alert, and the hints.

use super::chain::{Chain, Stage};
use super::record::RecordScope;
use crate::ast::{Arg, Expr as AstExpr, ExprKind, Ident};
use crate::check::expression::{Expressions, Parameters};
use crate::check::scope::Scope;
use crate::check::suggestion::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::plan::{AlertPart, Expr, Op};
use crate::span::Span;
use crate::value::Value;
use std::sync::Arc;

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

impl Chain<'_, '_> {
    pub(super) fn filter(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind(word, &["condition"], 1, args);
        let Some(condition) = bound.args[0] else { return };
        self.keep(&condition.value, word.span);
    }

    /// Keeps the records for which a condition is true.
    pub(super) fn keep(&mut self, condition: &AstExpr, span: Span) {
        let condition = self.condition(condition);
        self.pass(Op::Filter(condition), span);
    }

    pub(super) fn having(&mut self, word: &Ident, args: &[Arg]) {
        if self.stage != Stage::Aggregated && !self.vague {
            let problem = Diagnostic::new("E0506", word.span, ".having needs an .aggregate before it");
            self.expressions.report(problem.help("use .where for a condition on records"));
        }
        self.filter(word, args);
    }

    pub(super) fn distinct(&mut self, word: &Ident, args: &[Arg]) {
        let mut by = Vec::new();
        let mut within = None;
        for arg in args {
            match &arg.name {
                None => by.push(self.check(&arg.value).expr),
                Some(name) if &*name.name == "within" => {
                    within = self.expressions.positive_duration("within", &arg.value);
                }
                Some(name) => {
                    let problem =
                        Diagnostic::new("E0304", name.span, format!("distinct has no parameter {}", name.name));
                    self.expressions.report(problem.help("it takes values and within:"));
                }
            }
        }
        if by.is_empty() {
            self.graph.need_whole(self.record.node);
        }
        let per_window = self.stage == Stage::Windowed;
        self.pass(Op::Distinct { by, within, per_window }, word.span);
    }

    pub(super) fn limit(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind(word, &["n"], 1, args);
        let Some(n) = bound.args[0] else { return };
        if let Some(n) = self.expressions.positive_integer("limit", &n.value) {
            self.pass(Op::Limit(n), word.span);
        }
    }

    pub(super) fn first(&mut self, word: &Ident, args: &[Arg]) {
        if self.bind(word, &[], 0, args).ok {
            self.pass(Op::Limit(1), word.span);
        }
    }

    pub(super) fn print(&mut self, word: &Ident, args: &[Arg]) {
        let mut scope = RecordScope { graph: self.graph, record: &self.record };
        let items = print_items(self.expressions, &mut scope, args);
        if items.is_empty() {
            self.graph.need_whole(self.record.node);
        }
        self.pass(Op::Print(items), word.span);
    }

    pub(super) fn log(&mut self, word: &Ident, args: &[Arg]) {
        let mut scope = RecordScope { graph: self.graph, record: &self.record };
        let (level, message, data) = log_items(self.expressions, &mut scope, word, args);
        if message.is_none() && data.is_none() {
            self.graph.need_whole(self.record.node);
        }
        self.pass(Op::Log { level, message, data }, word.span);
    }

    pub(super) fn alert(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind_named(word, &["webhook", "message"], args);
        let webhook = bound.args[0].and_then(|url| self.expressions.text("webhook", &url.value));
        let message = bound.args[1].map(|message| {
            let text = self.expressions.text("message", &message.value);
            text.map(|text| self.template(&text, message.value.span)).unwrap_or_default()
        });
        self.pass(Op::Alert { webhook, message: message.unwrap_or_default() }, word.span);
    }

    /// Text with `{f}` for fields.
    fn template(&mut self, text: &str, span: Span) -> Vec<AlertPart> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((path, after)) = behind.split_once('}').filter(|(path, _)| is_path(path)) else {
                parts.push(AlertPart::Text(format!("{before}{{").into()));
                rest = behind;
                continue;
            };
            parts.push(AlertPart::Text(before.into()));
            let field = self.check(&path_expression(path, span));
            parts.push(AlertPart::Field(field.expr));
            rest = after;
        }
        parts.push(AlertPart::Text(rest.into()));
        parts.retain(|part| !matches!(part, AlertPart::Text(text) if text.is_empty()));
        parts
    }

    pub(super) fn watermark(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind_named(word, &["out_of_order", "idle"], args);
        if let Some(value) = bound.args[0] {
            self.out_of_order = self.expressions.duration_or_zero("out_of_order", &value.value).unwrap_or(0);
        }
        if let Some(value) = bound.args[1] {
            self.idle = self.expressions.duration_or_zero("idle", &value.value);
        }
        if bound.ok && bound.args.iter().all(Option::is_none) {
            let (what, help) = ("out_of_order: or idle:", "for example .watermark(out_of_order: 5s)");
            self.expressions.misfit("watermark", what, help, word.span);
        }
    }

    pub(super) fn allow_lateness(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind(word, &["d"], 1, args);
        let given = bound.args[0].and_then(|arg| self.expressions.duration_or_zero("allowed_lateness", &arg.value));
        if let Some(lateness) = given {
            self.allowed_lateness.get_or_insert((word.span, lateness));
        }
    }

    pub(super) fn context(&mut self, word: &Ident, args: &[Arg]) {
        let bound = self.bind(word, &["context"], 1, args);
        if let Some(arg) = bound.args[0] {
            self.context_name(&arg.value);
        }
    }

    /// E0212
    pub(super) fn context_name(&mut self, context: &AstExpr) {
        let ExprKind::Name(name) = &context.kind else {
            self.expressions.misfit("context", "the name of a context", "declare it: context c", context.span);
            return;
        };
        if !self.expressions.declared().is_context(name) {
            let known: Vec<Arc<str>> = self.expressions.declared().names_of_contexts();
            let problem = Diagnostic::new("E0212", context.span, format!("unknown context {name}"));
            let declare = || format!("declare it: context {name}");
            self.expressions
                .report(problem.help(did_you_mean(name, known.iter().map(|name| &**name)).unwrap_or_else(declare)));
        }
    }
}

/// What `print` prints.
pub(super) fn print_items(expressions: &mut Expressions, scope: &mut dyn Scope, args: &[Arg]) -> Vec<Expr> {
    let items = args.iter().map(|arg| expressions.check(&arg.value, scope).expr).collect();
    if let Some(named) = args.iter().find_map(|arg| arg.name.as_ref()) {
        let problem = Diagnostic::new("E0304", named.span, "print takes positional arguments");
        expressions.report(problem.help(format!("leave out `{}:`", named.name)));
    }
    items
}

/// Level, message and data of `log`.
pub(super) fn log_items(
    expressions: &mut Expressions,
    scope: &mut dyn Scope,
    word: &Ident,
    args: &[Arg],
) -> (Arc<str>, Option<Expr>, Option<Expr>) {
    let parameters = Parameters { names: &["level", "message", "data"], positional: 0, required: 0, given: 0 };
    let bound = expressions.bind(word, parameters, args);
    let level = bound.args[0].and_then(|level| {
        let what = format!("one of {}", LEVELS.join(", "));
        expressions.asked("level", &level.value, &what, "in quotes", |value| match value {
            Value::Str(text) if LEVELS.contains(&&**text) => Some(text.clone()),
            _ => None,
        })
    });
    let message = bound.args[1].map(|message| expressions.check(&message.value, scope).expr);
    let data = bound.args[2].map(|data| expressions.check(&data.value, scope).expr);
    (level.unwrap_or_else(|| "info".into()), message, data)
}

fn is_path(path: &str) -> bool {
    let is_name = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
            && chars.all(|char| char == '_' || char.is_ascii_alphanumeric())
    };
    path.split('.').all(is_name)
}

fn path_expression(path: &str, span: Span) -> AstExpr {
    let mut names = path.split('.');
    let first = ExprKind::Name(names.next().unwrap_or_default().into());
    names.fold(AstExpr { kind: first, span }, |of, name| {
        let member = ExprKind::Member(Box::new(of), Ident { name: name.into(), span });
        AstExpr { kind: member, span }
    })
}
