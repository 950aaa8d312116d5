//! Rows to JSON: the line of stdout, the flat object of sinks, and the fields alone.
//!
//! Shown are the fields of a record: all of a whole record in order, else the columns that are not hidden, nulls left
//! out unless the item keeps them. Invariant: the keys of an object are unique.

mod raw;

use crate::batch::Rows;
use crate::column::Column;
use rarog_lang::eval::text::{
    TextSink, write_duration, write_float, write_int, write_json, write_json_string, write_time,
};
use rarog_lang::plan::Layout;
use rarog_lang::value::{Map, Value};
use raw::RawFields;
use std::sync::Arc;

/// Writes the records of one layout.
#[derive(Clone, Debug)]
pub struct Encoder {
    fields: Vec<Field>,
}

/// A column that is shown.
#[derive(Clone, Debug)]
struct Field {
    column: usize,
    name: Arc<str>,
    /// `"name":`
    key: Vec<u8>,
    keep_null: bool,
    /// Later columns of the same name: what they show replaces this one.
    shadows: Vec<usize>,
}

/// Keys of the envelope that a flat object has already.
#[derive(Clone, Copy, Default)]
struct Taken {
    event_type: bool,
    timestamp: bool,
}

impl Encoder {
    /// An encoder for the records of a layout.
    pub fn new(layout: &Layout) -> Encoder {
        let shown = || layout.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
        let fields = shown().map(|(column, def)| {
            let mut key = Vec::with_capacity(def.name.len() + 3);
            write_json_string(&mut key, &def.name);
            key.push(b':');
            let later = shown().filter(|(other, of)| *other > column && of.name == def.name);
            let shadows = later.map(|(other, _)| other).collect();
            Field { column, name: def.name.clone(), key, keep_null: def.keep_null, shadows }
        });
        Encoder { fields: fields.collect() }
    }

    /// Appends the line of `--output jsonl`: `{"event_type":"S","timestamp":"…","data":{…}}`.
    pub fn jsonl(&self, out: &mut Vec<u8>, rows: &Rows, row: usize) {
        out.extend_from_slice(b"{\"event_type\":");
        write_json_string(out, rows.event.get(row));
        out.extend_from_slice(b",\"timestamp\":");
        time(out, rows.time[row]);
        out.extend_from_slice(b",\"data\":");
        self.record(out, rows, row);
        out.extend_from_slice(b"}\n");
    }

    /// Appends the flat object of sinks: `{"event_type":…,"timestamp":…,fields…}`. Fields of these names take the
    /// envelope's place.
    pub fn flat(&self, out: &mut Vec<u8>, rows: &Rows, row: usize) {
        let record = Record::of(rows, row);
        let taken = match &record {
            Record::Raw(fields) => {
                Taken { event_type: fields.contains("event_type"), timestamp: fields.contains("timestamp") }
            }
            Record::Map(map) => {
                Taken { event_type: map.contains_key("event_type"), timestamp: map.contains_key("timestamp") }
            }
            Record::Columns => self.taken(rows, row),
        };
        let mut separator = b'{';
        if !taken.event_type {
            out.extend_from_slice(b"{\"event_type\":");
            write_json_string(out, rows.event.get(row));
            separator = b',';
        }
        if !taken.timestamp {
            out.push(separator);
            out.extend_from_slice(b"\"timestamp\":");
            time(out, rows.time[row]);
            separator = b',';
        }
        self.fields(out, &record, rows, row, separator);
    }

    /// Appends the fields alone: `{…}`.
    pub fn record(&self, out: &mut Vec<u8>, rows: &Rows, row: usize) {
        self.fields(out, &Record::of(rows, row), rows, row, b'{');
    }

    /// The fields behind a separator, and the closing bracket.
    fn fields(&self, out: &mut Vec<u8>, record: &Record<'_>, rows: &Rows, row: usize, separator: u8) {
        match record {
            Record::Raw(fields) => {
                let separator = fields.write(out, separator);
                close(out, separator);
            }
            Record::Map(map) => entries(out, map, separator),
            Record::Columns => self.columns(out, rows, row, separator),
        }
    }

    fn columns(&self, out: &mut Vec<u8>, rows: &Rows, row: usize, mut separator: u8) {
        for field in &self.fields {
            let before = out.len();
            out.push(separator);
            out.extend_from_slice(&field.key);
            let shown = cell(out, &rows.columns[field.column], row) || (field.keep_null && null(out));
            if shown && !self.replaced(field, rows, row) {
                separator = b',';
            } else {
                out.truncate(before);
            }
        }
        close(out, separator);
    }

    /// Does a later column show something under this field's name?
    fn replaced(&self, field: &Field, rows: &Rows, row: usize) -> bool {
        field.shadows.iter().any(|&column| {
            let keeps = || self.fields.iter().any(|field| field.column == column && field.keep_null);
            rows.columns[column].get(row) != Value::Null || keeps()
        })
    }

    fn taken(&self, rows: &Rows, row: usize) -> Taken {
        let shows = |name: &str| {
            let named = self.fields.iter().filter(|field| &*field.name == name);
            named.into_iter().any(|field| field.keep_null || rows.columns[field.column].get(row) != Value::Null)
        };
        Taken { event_type: shows("event_type"), timestamp: shows("timestamp") }
    }
}

/// Where the fields of a row are.
enum Record<'r> {
    /// In the text of a whole record.
    Raw(RawFields<'r>),
    /// In a whole record.
    Map(Arc<Map>),
    /// In the columns.
    Columns,
}

impl Record<'_> {
    fn of(rows: &Rows, row: usize) -> Record<'_> {
        let Some(whole) = &rows.whole else { return Record::Columns };
        if let Some(fields) = RawFields::of(whole, row) {
            return Record::Raw(fields);
        }
        match whole.get(row) {
            Value::Map(map) => Record::Map(map),
            _ => Record::Columns,
        }
    }
}

fn entries(out: &mut Vec<u8>, map: &Map, mut separator: u8) {
    for (name, value) in map {
        out.push(separator);
        separator = b',';
        write_json_string(out, name);
        out.push(b':');
        write_json(out, value);
    }
    close(out, separator);
}

/// Ends an object whose next separator would have been this one.
fn close(out: &mut Vec<u8>, separator: u8) {
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

fn time(out: &mut Vec<u8>, ns: i64) {
    out.push(b'"');
    write_time(out, ns);
    out.push(b'"');
}

fn duration(out: &mut Vec<u8>, ns: i64) {
    out.push(b'"');
    write_duration(out, ns);
    out.push(b'"');
}

fn null(out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"null");
    true
}

/// Appends the value of a row; false and nothing if it is null.
fn cell(out: &mut Vec<u8>, column: &Column, row: usize) -> bool {
    fn put<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) -> bool {
        value.map(|value| write(out, value)).is_some()
    }
    match column {
        Column::Null(_) => false,
        Column::Bool(prim) => put(out, prim.get(row), |out, value| out.push_str(if value { "true" } else { "false" })),
        Column::Int(prim) => put(out, prim.get(row), write_int),
        Column::Float(prim) => put(out, prim.get(row), write_float),
        Column::Time(prim) => put(out, prim.get(row), time),
        Column::Duration(prim) => put(out, prim.get(row), duration),
        Column::Str(texts) => put(out, texts.get(row), write_json_string),
        Column::Any(values) => {
            let value = &values[row];
            put(out, (*value != Value::Null).then_some(value), write_json)
        }
    }
}

/// Appends the line of `--output jsonl` of a row.
pub fn encode_jsonl(out: &mut Vec<u8>, rows: &Rows, layout: &Layout, row: usize) {
    Encoder::new(layout).jsonl(out, rows, row);
}

/// Appends the flat object that sinks send of a row.
pub fn encode_flat(out: &mut Vec<u8>, rows: &Rows, layout: &Layout, row: usize) {
    Encoder::new(layout).flat(out, rows, row);
}

/// The fields of a row as a JSON object.
pub fn record_json(rows: &Rows, layout: &Layout, row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(layout).record(&mut out, rows, row);
    out
}

#[cfg(test)]
mod tests;
