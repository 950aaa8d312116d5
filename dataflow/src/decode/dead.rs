//! What could not be used, and why (docs/language.md).

/// Why a line or message is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    /// Not JSON, or nested deeper than the limit.
    BadJson,
    /// JSON, but no object.
    NotObject,
    /// Nothing says which type it has.
    NoType,
    /// Not a line of the `.evt` format.
    BadLine,
    /// The time field is there and cannot be read.
    BadEventTime,
    /// A declared field has a value of another type.
    BadField,
    /// Longer than [`super::MESSAGE_BYTES`].
    TooLarge,
    /// Live: too far ahead of the wall clock.
    Future,
}

impl Reason {
    /// The name that dead letters and metrics carry.
    pub fn name(self) -> &'static str {
        match self {
            Reason::BadJson => "bad_json",
            Reason::NotObject => "not_object",
            Reason::NoType => "no_type",
            Reason::BadLine => "bad_line",
            Reason::BadEventTime => "bad_event_time",
            Reason::BadField => "bad_field",
            Reason::TooLarge => "too_large",
            Reason::Future => "future",
        }
    }
}

/// A refusal on its way to becoming a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: Reason,
    /// What is wrong, in words.
    pub detail: String,
}

impl Refusal {
    #[cold]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Refusal {
        Refusal { reason, detail: detail.into() }
    }
}
