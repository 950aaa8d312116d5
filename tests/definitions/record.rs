//! Records as the definition sees them, and what is put out.

use crate::expr::{Agg, Ex, Scope};
use crate::value::{V, time_text};
use std::rc::Rc;

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Rec {
    /// Event time, ns.
    pub time: i64,
    /// Fields in order; no name twice.
    pub fields: Vec<(String, V)>,
    /// Names and values of the keys that the last `partition_by` gave it.
    pub keys: Vec<(String, V)>,
    /// `window_start`, `window_end` of the window that released it.
    pub bounds: Option<(i64, i64)>,
    /// Number of the release that it belongs to, behind a window.
    pub release: Option<u64>,
    /// How often its window had fired before.
    pub revision: i64,
    /// What was joined or captured, by input or alias.
    pub parts: Rc<Vec<Part>>,
    /// Start and end of a match.
    pub matched: Option<(i64, i64)>,
}

/// An input of a row of a join, or what was captured under one name.
#[derive(Clone, Debug)]
pub struct Part {
    /// Alias, or type.
    pub name: String,
    /// Type of the records.
    pub of: String,
    /// The records.
    pub records: Vec<Rec>,
}

impl Rec {
    /// The value of a field, null if it has none.
    pub fn field(&self, name: &str) -> V {
        self.fields.iter().find(|(other, _)| other == name).map_or(V::Null, |(_, value)| value.clone())
    }

    fn part(&self, alias: &str) -> Option<&Part> {
        let by_name = self.parts.iter().find(|part| part.name == alias);
        by_name.or_else(|| self.parts.iter().find(|part| part.of == alias))
    }
}

impl Scope for Rec {
    fn name(&self, name: &str) -> V {
        if let Some((_, value)) = self.fields.iter().find(|(other, _)| other == name) {
            return value.clone();
        }
        match (name, self.bounds, self.matched) {
            ("window_start", Some((start, _)), _) => V::Time(start),
            ("window_end", Some((_, end)), _) => V::Time(end),
            ("match_start", _, Some((start, _))) => V::Time(start),
            ("match_end", _, Some((_, end))) => V::Time(end),
            ("match_duration_ms", _, Some((start, end))) => V::Int((end - start) / crate::value::MILLI),
            ("_revision", ..) => V::Int(self.revision),
            _ => {
                let of = |part: &Part| part.records.last().map_or(V::Null, |record| record.field(name));
                self.parts.iter().map(of).find(|value| !value.is_null()).unwrap_or(V::Null)
            }
        }
    }

    fn of(&self, alias: &str, field: &str) -> V {
        match self.part(alias) {
            Some(part) => part.records.last().map_or(V::Null, |record| record.field(field)),
            // `Type.f` below a chain of filters reads the record itself.
            None if self.parts.is_empty() => self.field(field),
            // What another alternative would have captured.
            None => V::Null,
        }
    }

    fn elements(&self, alias: &str) -> Vec<&dyn Scope> {
        let records = self.part(alias).map(|part| part.records.as_slice()).unwrap_or_default();
        records.iter().map(|record| record as &dyn Scope).collect()
    }

    fn time(&self, alias: Option<&str>) -> V {
        match alias {
            None => V::Time(self.time),
            Some(alias) => {
                let last = self.part(alias).and_then(|part| part.records.last());
                last.map_or(V::Null, |record| V::Time(record.time))
            }
        }
    }

    fn aggregate(&self, agg: Agg, argument: Option<&Ex>) -> V {
        let alias = argument.and_then(alias_of).unwrap_or_default();
        let records = self.part(&alias).map(|part| part.records.as_slice()).unwrap_or_default();
        crate::define::aggregate::over_alias(agg, argument, &alias, records)
    }
}

/// The alias that an aggregate's argument is about.
pub fn alias_of(argument: &Ex) -> Option<String> {
    match argument {
        Ex::Name(alias) | Ex::Of(alias, _) => Some(alias.clone()),
        Ex::Bin(_, left, right) => alias_of(left).or_else(|| alias_of(right)),
        Ex::Neg(inner) | Ex::Not(inner) | Ex::IsNull(inner) => alias_of(inner),
        _ => None,
    }
}

/// What a run puts out.
#[derive(Clone, Debug)]
pub struct Output {
    /// Type.
    pub event: String,
    /// The record.
    pub record: Rec,
}

impl Output {
    /// The line of `--output jsonl`.
    pub fn line(&self) -> String {
        let text = |text: &str| serde_json::to_string(text).expect("a text has a JSON form");
        let field = |(name, value): &(String, V)| format!("{}:{}", text(name), value.json());
        let data = self.record.fields.iter().map(field).collect::<Vec<_>>().join(",");
        let time = text(&time_text(self.record.time));
        format!("{{\"event_type\":{},\"timestamp\":{time},\"data\":{{{data}}}}}\n", text(&self.event))
    }
}
