//! The two ends of a stream: `.from` and `.to`.

use super::chain::Chain;
use crate::ast::{Arg, ExprKind, Ident};
use crate::check::suggestion::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::plan::{Op, Subscription};
use crate::value::Value;
use std::sync::Arc;

const FROM: [&str; 6] = ["topic", "qos", "client_id", "timestamp", "path", "format"];
const TO: [&str; 7] = ["topic", "qos", "client_id", "retain", "path", "format", "method"];

type Params = Vec<(Arc<str>, Value)>;

impl Chain<'_, '_> {
    pub(super) fn from(&mut self, word: &Ident, args: &[Arg]) {
        let Some(event) = self.event.clone() else {
            let problem = Diagnostic::new("E0404", word.span, ".from is not allowed here");
            self.expressions.report(problem.help("it stands on an event type: stream S = MyEvent .from(C, …)"));
            return;
        };
        let Some((connector, mut params)) = self.end_of(word, &FROM, args) else { return };
        let time_field = params.iter().position(|(name, _)| &**name == "timestamp").map(|place| params.remove(place).1);
        let time_field = match time_field {
            Some(Value::Str(field)) => Some(field),
            _ => None,
        };
        if let Some(field) = &time_field {
            self.known_time_field(&event, field, args);
        }
        let subscription = Subscription { connector, event, params, time_field, idle: None };
        self.subscriptions.push((word.clone(), subscription));
    }

    fn known_time_field(&mut self, event: &str, field: &Arc<str>, args: &[Arg]) {
        let Some(declared) = self.expressions.declared().event(event) else { return };
        if !declared.complete || declared.fields.iter().any(|(name, _)| name == field) {
            return;
        }
        let known: Vec<&str> = declared.fields.iter().map(|(name, _)| &**name).collect();
        let place = args.iter().find(|arg| arg.name.as_ref().is_some_and(|name| &*name.name == "timestamp"));
        let Some(place) = place else { return };
        let problem = Diagnostic::new("E0206", place.value.span, format!("{event} has no field {field}"));
        let help = did_you_mean(field, known).unwrap_or_else(|| "declare it in the event".into());
        self.expressions.report(problem.help(help));
    }

    pub(super) fn to(&mut self, word: &Ident, args: &[Arg]) {
        let Some((connector, params)) = self.end_of(word, &TO, args) else {
            self.has_output = true;
            return;
        };
        let output = !self.has_emit;
        self.output(Op::Send { connector, params, output }, word.span);
    }

    /// The connector and the other parameters.
    fn end_of(&mut self, word: &Ident, known: &[&str], args: &[Arg]) -> Option<(u32, Params)> {
        let mut params: Params = Vec::new();
        let mut connector = None;
        let mut named = false;
        for (index, arg) in args.iter().enumerate() {
            match &arg.name {
                None if index == 0 => {
                    named = true;
                    connector = self.connector_name(word, arg);
                }
                None => {
                    let problem = Diagnostic::new("E0304", arg.value.span, "name this parameter");
                    self.expressions.report(problem.help(format!("one of {}", known.join(", "))));
                }
                Some(name) => {
                    if let Some(value) = self.end_param(word, name, known, arg, &params) {
                        params.push((name.name.clone(), value));
                    }
                }
            }
        }
        if !named {
            let problem = Diagnostic::new("E0303", word.span, format!("{} takes a connector first", word.name));
            self.expressions.report(problem.help(format!(".{}(C, topic: \"…\")", word.name)));
        }
        connector.map(|connector| (connector, params))
    }

    fn connector_name(&mut self, word: &Ident, arg: &Arg) -> Option<u32> {
        let ExprKind::Name(name) = &arg.value.kind else {
            let (what, help) = ("the name of a connector", "declare it: connector C = mqtt(host: \"localhost\")");
            self.expressions.misfit(&word.name, what, help, arg.value.span);
            return None;
        };
        self.expressions.connector(&Ident { name: name.clone(), span: arg.value.span })
    }

    fn end_param(&mut self, word: &Ident, name: &Ident, known: &[&str], arg: &Arg, given: &Params) -> Option<Value> {
        if !known.contains(&&*name.name) {
            let problem = Diagnostic::new("E0304", name.span, format!("{} has no parameter {}", word.name, name.name));
            let all = || format!("its parameters are {}", known.join(", "));
            self.expressions.report(problem.help(did_you_mean(&name.name, known.iter().copied()).unwrap_or_else(all)));
            return None;
        }
        if given.iter().any(|(other, _)| *other == name.name) {
            let message = format!("parameter {} is given twice", name.name);
            self.expressions.report(Diagnostic::new("E0217", name.span, message));
        }
        if let (true, ExprKind::Name(field)) = (&*name.name == "timestamp", &arg.value.kind)
            && self.expressions.declared().global(field).is_none()
        {
            return Some(Value::Str(field.clone()));
        }
        match &*name.name {
            "qos" => self.expressions.asked("qos", &arg.value, "0, 1 or 2", "1: at least once", |value| match value {
                Value::Int(0..=2) => Some(value.clone()),
                _ => None,
            }),
            "retain" => {
                self.expressions.asked("retain", &arg.value, "true or false", "without quotes", |value| match value {
                    Value::Bool(_) => Some(value.clone()),
                    _ => None,
                })
            }
            text => self.expressions.text(text, &arg.value).map(Value::Str),
        }
    }
}
