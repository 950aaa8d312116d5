//! Whole records that are still text, written without being built as values.
//!
//! What comes out is what the materialised record would give (`Whole::get`): declared fields converted, the key that gave
//! the type left out, numbers and texts in their text form. Records with double or escaped keys take the way over values.

use crate::decode::{Entries, Kind, Token, entries, read};
use crate::whole::{IN_DATA, RawRow, Whole, type_key};
use rarog_lang::eval::convert::{convert, integral};
use rarog_lang::eval::text::{write_float, write_int, write_json, write_json_string, write_time};
use rarog_lang::eval::time::{from_epoch_ms, parse_rfc3339};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// The fields of a record, as they stand in its text.
pub(super) struct RawFields<'w> {
    text: &'w str,
    fields: Vec<(&'w str, Token)>,
    declared: &'w [(Arc<str>, Type)],
}

impl<'w> RawFields<'w> {
    /// The fields of a row, if it is raw and its keys are plain and unique.
    pub fn of(whole: &'w Whole, row: usize) -> Option<RawFields<'w>> {
        let Whole::Raw { text, rows, declared } = whole else { return None };
        let RawRow { start, len, input, type_key: code } = rows[row];
        if code == IN_DATA {
            return None;
        }
        let object = &text[start as usize..(start + len) as usize];
        let left_out = type_key(code);
        let mut fields: Vec<(&str, Token)> = Vec::with_capacity(16);
        let mut seen = 0_u64;
        let mut entries: Entries<'w> = entries(object);
        for (key, token) in &mut entries {
            if left_out == Some(key) {
                continue;
            }
            // A bit per key; where two share one, the keys are compared.
            let bytes = key.as_bytes();
            let mix =
                bytes.iter().take(4).chain(bytes.last()).fold(bytes.len(), |mix, byte| mix * 31 + usize::from(*byte));
            let bit = 1 << (mix % 64);
            if seen & bit != 0 && fields.iter().any(|(earlier, _)| *earlier == key) {
                return None;
            }
            seen |= bit;
            fields.push((key, token));
        }
        let declared = declared.get(input as usize).and_then(Option::as_deref).unwrap_or_default();
        entries.is_plain().then_some(RawFields { text: object, fields, declared })
    }

    /// Is there a field of this name?
    pub fn contains(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| *key == name)
    }

    /// Appends the fields as an object that begins with this separator; gives the separator that would follow.
    pub fn write(&self, out: &mut Vec<u8>, mut separator: u8) -> u8 {
        // Records mostly have their fields in the order of the declaration.
        let mut next = 0;
        for (key, token) in &self.fields {
            out.push(separator);
            separator = b',';
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            let place = self.declared.get(next).filter(|(name, _)| **name == **key).map(|_| next);
            match place.or_else(|| self.declared.iter().position(|(name, _)| **name == **key)) {
                Some(place) => {
                    next = place + 1;
                    self.declared_value(out, *token, &self.declared[place].1);
                }
                None => self.value(out, *token),
            }
        }
        separator
    }

    fn inside(&self, token: Token) -> &'w str {
        let (start, length) = token.span();
        &self.text[start as usize..(start + length) as usize]
    }

    fn value(&self, out: &mut Vec<u8>, token: Token) {
        match token.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::False => out.extend_from_slice(b"false"),
            Kind::True => out.extend_from_slice(b"true"),
            Kind::Int => write_int(out, token.int()),
            Kind::Float => write_float(out, token.float()),
            Kind::Text => {
                // Without escapes, so nothing in it needs one.
                out.push(b'"');
                out.extend_from_slice(self.inside(token).as_bytes());
                out.push(b'"');
            }
            Kind::Escaped => match self.materialised(token) {
                Value::Str(text) => write_json_string(out, &text),
                other => write_json(out, &other),
            },
            Kind::Nested => write_json(out, &self.materialised(token)),
        }
    }

    fn declared_value(&self, out: &mut Vec<u8>, token: Token, ty: &Type) {
        match (ty, token.kind) {
            (_, Kind::Null)
            | (Type::Any, _)
            | (Type::Str, Kind::Text | Kind::Escaped)
            | (Type::Bool, Kind::False | Kind::True)
            | (Type::Int, Kind::Int)
            | (Type::Float, Kind::Float) => self.value(out, token),
            (Type::Float, Kind::Int) => write_float(out, token.int() as f64),
            (Type::Int, Kind::Float) => match integral(token.float()) {
                Some(int) => write_int(out, int),
                None => out.extend_from_slice(b"null"),
            },
            (Type::Time, Kind::Int) => time(out, from_epoch_ms(token.int())),
            (Type::Time, Kind::Text) => time(out, parse_rfc3339(self.inside(token).as_bytes())),
            _ => write_json(out, &convert(ty, self.materialised(token)).unwrap_or_default()),
        }
    }

    fn materialised(&self, token: Token) -> Value {
        match token.kind {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Int => Value::Int(token.int()),
            Kind::Float => Value::Float(token.float()),
            Kind::Nested => read(self.inside(token)),
            Kind::Text | Kind::Escaped => {
                let (start, length) = token.span();
                read(&self.text[start as usize - 1..(start + length) as usize + 1])
            }
        }
    }
}

fn time(out: &mut Vec<u8>, ns: Option<i64>) {
    let Some(ns) = ns else { return out.extend_from_slice(b"null") };
    out.push(b'"');
    write_time(out, ns);
    out.push(b'"');
}
