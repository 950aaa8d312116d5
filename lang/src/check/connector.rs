//! Connectors and contexts: known kinds, known parameters, constant values. Nothing is opened here.

use super::expression::{Constant, Expressions};
use super::scope::NoRecord;
use crate::ast::{self, Arg, Ident};
use crate::diagnostic::Diagnostic;
use crate::eval::time::parse_duration;
use crate::plan;
use crate::value::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// Kinds of other systems that are known and refused (E0904).
const UNSUPPORTED_KINDS: [&str; 11] =
    ["kafka", "nats", "database", "redis", "websocket", "pulsar", "kinesis", "amqp", "s3", "elasticsearch", "postgres"];

/// What a parameter takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Texts,
    Positive,
    Int,
    Qos,
    Number,
    Bool,
    Duration,
    Any,
}

impl Takes {
    fn what(self) -> (&'static str, &'static str) {
        match self {
            Takes::Text => ("a string", "write it in quotes"),
            Takes::Texts => ("a string", "or an array of strings: [\"host:1883\", …]"),
            Takes::Positive => ("a positive integer", "for example `1883`"),
            Takes::Int => ("an integer", "for example `1`"),
            Takes::Qos => ("0, 1 or 2", "1: at least once"),
            Takes::Number => ("a number that is not negative", "for example `1000`"),
            Takes::Bool => ("true or false", "without quotes"),
            Takes::Duration => ("a positive duration", "for example `30s`"),
            Takes::Any => ("a constant", "literals, globals and arithmetic"),
        }
    }

    fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Takes::Any, _) | (Takes::Text | Takes::Texts, Value::Str(_)) | (Takes::Bool, Value::Bool(_)) => true,
            (Takes::Texts, Value::Array(items)) => items.iter().all(|item| matches!(item, Value::Str(_))),
            (Takes::Positive, Value::Int(int)) => *int > 0,
            (Takes::Qos, Value::Int(int)) => (0..=2).contains(int),
            (Takes::Int, Value::Int(_)) => true,
            (Takes::Number, Value::Int(int)) => *int >= 0,
            (Takes::Number, Value::Float(float)) => *float >= 0.0,
            (Takes::Duration, Value::Duration(ns) | Value::Int(ns)) => *ns >= 0,
            _ => false,
        }
    }

    /// The value that a text stands for where parameters are texts, if it is one that is accepted.
    fn read(self, text: &str) -> Option<Value> {
        let int = || text.parse().ok().map(Value::Int);
        let value = match self {
            Takes::Text | Takes::Texts | Takes::Any => Some(Value::Str(text.into())),
            Takes::Positive | Takes::Int | Takes::Qos => int(),
            Takes::Number => {
                int().or_else(|| text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float))
            }
            Takes::Bool => text.parse().ok().map(Value::Bool),
            Takes::Duration => parse_duration(text).map(Value::Duration),
        };
        value.filter(|value| self.accepts(value))
    }
}

/// A kind of connector. `one_of`: one of these parameters is needed (empty: none). `not_run`: parameters that this build
/// does not run yet.
struct Kind {
    name: &'static str,
    params: &'static [(&'static str, Takes)],
    one_of: &'static [&'static str],
    not_run: &'static [&'static str],
}

impl Kind {
    /// What is wrong if none of the parameters is given of which one is needed.
    fn lacks(&self, given: impl Fn(&str) -> bool) -> Option<String> {
        if self.one_of.is_empty() || self.one_of.iter().any(|name| given(name)) {
            return None;
        }
        let needed = match self.one_of {
            [one] => (*one).to_string(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
            [] => String::new(),
        };
        Some(format!("{} needs {needed}", self.name))
    }

    /// What is to be said of a parameter that this build does not run yet.
    fn does_not_run(&self, name: &str, value: &Value) -> Option<String> {
        let old_protocol = name == "protocol" && *value == Value::Str("3.1.1".into());
        (old_protocol || self.not_run.contains(&name))
            .then(|| format!("{name} of {} connectors is not supported yet", self.name))
    }
}

const FORMAT: (&str, Takes) = ("format", Takes::Text);

const KINDS: &[Kind] = &[
    Kind {
        name: "mqtt",
        params: &[
            ("host", Takes::Text),
            ("url", Takes::Text),
            ("brokers", Takes::Texts),
            ("servers", Takes::Texts),
            ("port", Takes::Positive),
            ("client_id", Takes::Text),
            ("username", Takes::Text),
            ("password", Takes::Text),
            ("qos", Takes::Qos),
            ("topic", Takes::Text),
            ("client_id_mode", Takes::Any),
            ("session_expiry", Takes::Duration),
            ("protocol", Takes::Text),
            ("tls", Takes::Bool),
            ("ca_file", Takes::Text),
            ("cert_file", Takes::Text),
            ("key_file", Takes::Text),
            ("keep_alive", Takes::Duration),
        ],
        one_of: &["host", "url", "brokers", "servers"],
        not_run: &["tls", "ca_file", "cert_file", "key_file"],
    },
    Kind { name: "file", params: &[("path", Takes::Text), FORMAT], one_of: &["path"], not_run: &[] },
    Kind { name: "stdin", params: &[FORMAT], one_of: &[], not_run: &[] },
    Kind { name: "stdout", params: &[FORMAT], one_of: &[], not_run: &[] },
    Kind { name: "console", params: &[FORMAT], one_of: &[], not_run: &[] },
    Kind {
        name: "http",
        params: &[
            ("url", Takes::Text),
            ("base_url", Takes::Text),
            ("method", Takes::Text),
            ("headers", Takes::Any),
            ("token", Takes::Text),
            ("timeout", Takes::Duration),
            ("host", Takes::Text),
            ("port", Takes::Positive),
            ("path", Takes::Text),
        ],
        one_of: &[],
        not_run: &[],
    },
    Kind {
        name: "generator",
        params: &[
            ("rate", Takes::Number),
            ("count", Takes::Positive),
            ("keys", Takes::Positive),
            ("seed", Takes::Int),
            ("interval", Takes::Duration),
        ],
        one_of: &[],
        not_run: &[],
    },
];

/// A connector that is registered outside of programs, where all parameters are texts: the same as if it were declared, or
/// everything that is wrong with it.
pub fn registered<'t>(
    name: &str,
    kind: &str,
    params: impl Iterator<Item = (&'t str, &'t str)>,
) -> Result<plan::Connector, Vec<String>> {
    let Some(known) = KINDS.iter().find(|known| known.name == kind) else {
        let kinds = KINDS.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
        let state = if UNSUPPORTED_KINDS.contains(&kind) { "is not supported yet" } else { "is unknown" };
        return Err(vec![format!("connector kind {kind} {state}; the kinds are {kinds}")]);
    };
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for (param, text) in params {
        match registered_param(known, param, text) {
            Ok(value) => read.push((param.into(), value)),
            Err(message) => wrong.push(message),
        }
    }
    let given = |name: &str| read.iter().any(|(param, _): &(Arc<str>, Value)| **param == *name);
    wrong.extend(known.lacks(given));
    if wrong.is_empty() {
        Ok(plan::Connector { name: name.into(), kind: kind.into(), params: read })
    } else {
        Err(wrong)
    }
}

fn registered_param(kind: &Kind, name: &str, text: &str) -> Result<Value, String> {
    let Some((_, takes)) = kind.params.iter().find(|(known, _)| *known == name) else {
        let names = kind.params.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
        return Err(format!("{} has no parameter {name}; its parameters are {names}", kind.name));
    };
    // The value does not show: it may be a secret under any name.
    let value = takes.read(text).ok_or_else(|| format!("parameter {name} takes {}", takes.what().0))?;
    kind.does_not_run(name, &value).map_or(Ok(value), Err)
}

impl Expressions<'_> {
    /// The connector of this name, as an index into the plan's; a connector of the cluster joins them when it is first
    /// used. E0204 if there is none.
    pub fn connector(&mut self, name: &Ident) -> Option<u32> {
        let place = self.connectors.iter().position(|connector| connector.name == name.name).or_else(|| {
            let registered = self.cluster.iter().find(|connector| connector.name == name.name)?;
            self.connectors.push(registered.clone());
            Some(self.connectors.len() - 1)
        });
        if place.is_none() {
            let known = || self.connectors.iter().chain(self.cluster).map(|connector| connector.name.clone()).collect();
            let near = self.did_you_mean(&name.name, known);
            let problem = Diagnostic::new("E0204", name.span, format!("unknown connector {}", name.name));
            let declare = || format!("declare it: `connector {} = mqtt(host: \"localhost\")`", name.name);
            self.report(problem.help(near.unwrap_or_else(declare)));
        }
        place.map(|place| u32::try_from(place).expect("a program has fewer than 2^32 connectors"))
    }

    pub(super) fn lower_connectors(&mut self) {
        for connector in self.declared.connectors() {
            let params = self.connector_params(connector);
            if self.declared.connector(&connector.name.name).is_some_and(|first| std::ptr::eq(first, connector)) {
                let (name, kind) = (connector.name.name.clone(), connector.kind.name.clone());
                self.connectors.push(plan::Connector { name, kind, params });
            }
        }
    }

    fn connector_params(&mut self, connector: &ast::Connector) -> Vec<(Arc<str>, Value)> {
        let kind = &connector.kind;
        let Some(known) = KINDS.iter().find(|known| *known.name == *kind.name) else {
            self.unknown_kind(kind);
            return Vec::new();
        };
        let mut params: Vec<(Arc<str>, Value)> = Vec::new();
        let mut given: HashSet<Arc<str>> = HashSet::new();
        for arg in &connector.args {
            if let Some((name, value)) = self.connector_param(known, arg, &mut given) {
                params.push((name, value));
            }
        }
        if let Some(message) = known.lacks(|name| given.contains(name)) {
            let problem = Diagnostic::new("E0211", connector.name.span, message);
            self.report(problem.help(format!("add `{}: …`", known.one_of[0])));
        }
        params
    }

    fn unknown_kind(&mut self, kind: &Ident) {
        if UNSUPPORTED_KINDS.contains(&&*kind.name) {
            let message = format!("connector kind {} is not supported yet", kind.name);
            self.report(Diagnostic::new("E0904", kind.span, message).help("mqtt, http, file and console are"));
            return;
        }
        let problem = Diagnostic::new("E0210", kind.span, format!("unknown connector kind {}", kind.name));
        let names = || KINDS.iter().map(|known| known.name);
        let all = || format!("the kinds are {}", names().collect::<Vec<_>>().join(", "));
        let near = self.did_you_mean(&kind.name, || names().collect());
        self.report(problem.help(near.unwrap_or_else(all)));
    }

    fn connector_param(
        &mut self,
        kind: &'static Kind,
        arg: &Arg,
        given: &mut HashSet<Arc<str>>,
    ) -> Option<(Arc<str>, Value)> {
        let Some(name) = &arg.name else {
            let problem = Diagnostic::new("E0304", arg.value.span, "name this parameter");
            let example = kind.params.first().map_or("name", |(name, _)| *name);
            self.report(problem.help(format!("for example `{example}: …`")));
            return None;
        };
        let Some((_, takes)) = kind.params.iter().find(|(known, _)| **known == *name.name) else {
            self.unknown_connector_param(kind, name);
            self.check(&arg.value, &mut NoRecord);
            return None;
        };
        if !given.insert(name.name.clone()) {
            let message = format!("parameter {} is given twice", name.name);
            self.report(Diagnostic::new("E0217", name.span, message));
        }
        let (what, help) = takes.what();
        let value =
            self.asked(&name.name, &arg.value, what, help, |value| takes.accepts(value).then(|| value.clone()))?;
        if let Some(message) = kind.does_not_run(&name.name, &value) {
            self.report(Diagnostic::new("E0900", name.span, message));
        }
        Some((name.name.clone(), value))
    }

    fn unknown_connector_param(&mut self, kind: &Kind, name: &Ident) {
        let message = format!("{} has no parameter {}", kind.name, name.name);
        let names = || kind.params.iter().map(|(known, _)| *known);
        let all = || format!("its parameters are {}", names().collect::<Vec<_>>().join(", "));
        let problem = Diagnostic::new("E0211", name.span, message);
        let near = self.did_you_mean(&name.name, || names().collect());
        self.report(problem.help(near.unwrap_or_else(all)));
    }

    /// `context c(cores: e)`: a hint, but a wrong expression is an error all the same.
    pub(super) fn check_contexts(&mut self) {
        for context in self.declared.contexts() {
            if let Some(cores) = &context.cores
                && self.constant(cores) == Constant::Other
            {
                self.misfit("cores", "a constant", "for example `2` or `[0, 1]`", cores.span);
            }
        }
    }
}
