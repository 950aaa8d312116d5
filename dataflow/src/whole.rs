//! Records as they came: kept as raw spans of their chunk until somebody needs a value, so that a filter in front of an
//! output pays only for what passes.
//!
//! Invariant: what a raw row materialises to is what the decoder would have put into columns: declared fields converted,
//! the key that gave the type left out, of a double key the last.

use crate::batch::Rows;
use crate::decode;
use rarog_lang::eval::convert::convert;
use rarog_lang::plan::Layout;
use rarog_lang::value::{Map, Type, Value};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RawRow {
    /// First byte of the object.
    pub start: u32,
    /// Its length.
    pub len: u32,
    /// Index into the plan's inputs.
    pub input: u32,
    /// Which key gave the type and is therefore no field: 0 none, 1 `event_type`, 2 `type`; or [`IN_DATA`].
    pub type_key: u8,
}

/// [`RawRow::type_key`] of an object that holds the fields in the object in its `data`.
pub const IN_DATA: u8 = 3;

/// The key that gave the type, as [`RawRow::type_key`] says.
pub(crate) fn type_key(code: u8) -> Option<&'static str> {
    match code {
        1 => Some("event_type"),
        2 => Some("type"),
        _ => None,
    }
}

/// Fields of a raw record, declared ones converted.
fn materialise(text: &str, row: RawRow, declared: &Declared) -> Map {
    let mut map = decode::read_object(&text[row.start as usize..row.start as usize + row.len as usize]);
    if row.type_key == IN_DATA
        && let Some(Value::Map(fields)) = map.shift_remove("data")
    {
        map = Arc::unwrap_or_clone(fields);
    }
    if let Some(key) = type_key(row.type_key) {
        map.shift_remove(key);
    }
    for (name, ty) in declared.get(row.input as usize).and_then(Option::as_ref).into_iter().flatten() {
        if let Some(value) = map.get_mut(name) {
            let taken = std::mem::take(value);
            *value = convert(ty, taken).unwrap_or_default();
        }
    }
    map
}

impl Whole {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Whole::Raw { rows, .. } => rows.len(),
            Whole::Values(values) => values.len(),
        }
    }

    /// No rows?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of a row: a map of its fields in order.
    pub fn get(&self, row: usize) -> Value {
        match self {
            Whole::Raw { text, rows, declared } => Value::Map(Arc::new(materialise(text, rows[row], declared))),
            Whole::Values(values) => values[row].clone(),
        }
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, indices: &[u32]) -> Whole {
        match self {
            Whole::Raw { text, rows, declared } => {
                let rows = Arc::new(indices.iter().map(|&row| rows[row as usize]).collect());
                Whole::Raw { text: text.clone(), rows, declared: declared.clone() }
            }
            Whole::Values(values) => {
                Whole::Values(Arc::new(indices.iter().map(|&row| values[row as usize].clone()).collect()))
            }
        }
    }

    /// All rows of the parts, one part after the other. Parts of one chunk stay text.
    pub fn concat(parts: &[&Whole]) -> Whole {
        if let [only] = parts {
            return (*only).clone();
        }
        if let Some(raw) = Whole::concat_raw(parts) {
            return raw;
        }
        Whole::Values(Arc::new(parts.iter().flat_map(|part| (0..part.len()).map(|row| part.get(row))).collect()))
    }

    fn concat_raw(parts: &[&Whole]) -> Option<Whole> {
        let Whole::Raw { text, declared, .. } = parts.first()? else { return None };
        let mut all = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            match part {
                Whole::Raw { text: other, rows, declared: types }
                    if Arc::ptr_eq(text, other) && Arc::ptr_eq(declared, types) =>
                {
                    all.extend_from_slice(rows);
                }
                _ => return None,
            }
        }
        Some(Whole::Raw { text: text.clone(), rows: Arc::new(all), declared: declared.clone() })
    }

    /// Records with the fields that the layout shows: nulls left out unless they are kept.
    pub fn of_columns(rows: &Rows, layout: &Layout) -> Whole {
        let record = |row| Value::Map(Arc::new(Whole::fields(rows, layout, row)));
        Whole::Values(Arc::new((0..rows.len()).map(record).collect()))
    }

    /// The fields of a row that the layout shows.
    pub fn fields(rows: &Rows, layout: &Layout, row: usize) -> Map {
        let mut map = Map::default();
        for (column, def) in rows.columns.iter().zip(&layout.columns).filter(|(_, def)| !def.hidden) {
            let value = column.get(row);
            if value != Value::Null || def.keep_null {
                map.insert(def.name.clone(), value);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::EventTypes;
    use crate::column::from_values;
    use rarog_lang::plan::ColumnDef;

    fn raw(lines: &[&str], type_key: u8) -> Whole {
        let text: Arc<str> = lines.concat().into();
        let mut start = 0;
        let mut rows = Vec::new();
        for line in lines {
            rows.push(RawRow { start, len: line.len() as u32, input: 0, type_key });
            start += line.len() as u32;
        }
        let declared = Arc::new(vec![Some(vec![("t".into(), Type::Float), ("absent".into(), Type::Int)])]);
        Whole::Raw { text, rows: Arc::new(rows), declared }
    }

    fn json(value: &Value) -> String {
        rarog_lang::eval::text::to_text(value)
    }

    #[test]
    fn raw_records_show_declared_types_and_no_type_key() {
        let whole = raw(&[r#"{"type":"A","t":60,"z":{"k":1},"t":61}"#, r#"{"event_type":1}"#], 2);
        assert_eq!(json(&whole.get(0)), r#"{"t":61.0,"z":{"k":1}}"#);
        assert_eq!(json(&whole.get(1)), r#"{"event_type":1}"#);
    }

    #[test]
    fn rows_are_taken_and_joined() {
        let whole = raw(&[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#], 0);
        let taken = whole.take(&[2, 0]);
        assert!(matches!(Whole::concat(&[&taken, &whole]), Whole::Raw { .. }));
        let other = raw(&[r#"{"b":1}"#], 0);
        let joined = Whole::concat(&[&taken, &other]);
        let shown: Vec<String> = (0..joined.len()).map(|row| json(&joined.get(row))).collect();
        assert_eq!(shown, [r#"{"a":3}"#, r#"{"a":1}"#, r#"{"b":1}"#]);
    }

    #[test]
    fn records_of_columns_leave_out_nulls_and_hidden_columns() {
        let column = |name: &str, keep_null, hidden| ColumnDef { name: name.into(), ty: Type::Any, keep_null, hidden };
        let layout = Layout {
            columns: vec![column("a", false, false), column("b", true, false), column("c", false, true)],
            open: false,
        };
        let values =
            [vec![Value::Int(1), Value::Null], vec![Value::Null, Value::Null], vec![Value::Int(5), Value::Int(6)]];
        let rows = Rows {
            pos: Arc::new(vec![1, 5]),
            time: Arc::new(vec![0, 0]),
            event: EventTypes::One("A".into()),
            columns: values.map(from_values).to_vec(),
            whole: None,
            released: None,
            rank: None,
        };
        let whole = Whole::of_columns(&rows, &layout);
        assert_eq!(json(&whole.get(0)), r#"{"a":1,"b":null}"#);
        assert_eq!(json(&whole.get(1)), r#"{"b":null}"#);
    }
}
