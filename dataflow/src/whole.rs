//! Records as they came: kept as raw spans of their chunk until somebody needs a value, so that a filter in front of an
//! output pays only for what passes.

use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// Declared fields of each input, by which raw records are converted when they are materialised.
pub type Declared = Arc<Vec<Option<Vec<(Arc<str>, Type)>>>>;

/// Records of a batch in full, one per row. Either still text or already values.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Whole {
    /// Spans of JSON objects in one chunk.
    Raw {
        /// The chunk's text.
        text: Arc<str>,
        /// Per row: start and length of the object that holds the fields, and the plan's input that it belongs to.
        rows: Arc<Vec<RawRow>>,
        /// Declared types by input.
        declared: Declared,
    },
    /// Materialised: each is a [`Value::Map`].
    Values(Arc<Vec<Value>>),
}

/// A record in its chunk.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct RawRow {
    /// First byte of the object.
    pub start: u32,
    /// Its length.
    pub len: u32,
    /// Index into the plan's inputs.
    pub input: u32,
    /// Which key gave the type and is therefore no field: 0 none, 1 `event_type`, 2 `type`.
    pub type_key: u8,
}
