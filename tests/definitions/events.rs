//! What goes in: events, and their lines.

use crate::value::{MILLI, V};

/// An event, in order of arrival.
#[derive(Clone, Debug)]
pub struct Event {
    /// Type.
    pub of: String,
    /// Event time, ns; a multiple of a millisecond.
    pub time: i64,
    /// Fields. One that is missing is not here; null is.
    pub fields: Vec<(String, V)>,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of `.evt`: the time is the line's offset.
    Evt,
    /// JSON lines: the time is the field `ts`, in ms.
    Jsonl,
}

impl Format {
    /// The name of the input of a golden case.
    pub fn file(self) -> &'static str {
        match self {
            Format::Evt => "input.evt",
            Format::Jsonl => "input.jsonl",
        }
    }

    /// The lines of some events.
    pub fn lines(self, events: &[Event]) -> String {
        events.iter().map(|event| if self == Format::Evt { evt(event) } else { json(event) }).collect()
    }
}

fn evt(event: &Event) -> String {
    let field = |(name, value): &(String, V)| format!("{name}: {}", value.json());
    let fields = event.fields.iter().map(field).collect::<Vec<_>>().join(", ");
    format!("@{}ms {} {{ {fields} }}\n", event.time / MILLI, event.of)
}

fn json(event: &Event) -> String {
    let field = |(name, value): &(String, V)| format!(",\"{name}\":{}", value.json());
    format!("{{\"type\":\"{}\"{}}}\n", event.of, event.fields.iter().map(field).collect::<String>())
}
