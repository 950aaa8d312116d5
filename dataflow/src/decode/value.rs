//! Values out of JSON text that has been validated before. Of a double key the last counts.

use super::number::{Number, number};
use super::string::{string, unescape};
use rarog_lang::value::{Map, Value};
use std::sync::Arc;

/// The value that the text is. Text that has not been validated gives some value, never a panic.
pub(crate) fn read(text: &str) -> Value {
    let mut reader = Reader { text, pos: 0 };
    reader.value()
}

/// The entries of the object that the text is.
pub(crate) fn read_object(text: &str) -> Map {
    match read(text) {
        Value::Map(map) => Arc::unwrap_or_clone(map),
        _ => Map::default(),
    }
}

struct Reader<'t> {
    text: &'t str,
    pos: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.pos) {
            self.pos += 1;
        }
        bytes.get(self.pos).copied().unwrap_or_default()
    }

    fn value(&mut self) -> Value {
        match self.peek() {
            b'"' => Value::Str(self.string()),
            b'{' => self.object(),
            b'[' => self.array(),
            b't' => self.word(4, Value::Bool(true)),
            b'f' => self.word(5, Value::Bool(false)),
            b'n' => self.word(4, Value::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, length: usize, value: Value) -> Value {
        self.pos = self.text.len().min(self.pos + length);
        value
    }

    fn number(&mut self) -> Value {
        let Some((number, length)) = number(&self.text.as_bytes()[self.pos..]) else {
            self.pos = self.text.len();
            return Value::Null;
        };
        self.pos += length;
        match number {
            Number::Int(int) => Value::Int(int),
            Number::Float(float) => Value::Float(float),
            Number::Beyond => Value::Null,
        }
    }

    fn string(&mut self) -> Arc<str> {
        let start = self.pos + 1;
        let Some((length, escaped)) = string(&self.text.as_bytes()[start..]) else {
            self.pos = self.text.len();
            return "".into();
        };
        self.pos = start + length + 1;
        let inside = &self.text[start..start + length];
        if !escaped {
            return inside.into();
        }
        let mut out = String::with_capacity(inside.len());
        unescape(inside, &mut out);
        out.into()
    }

    fn close(&mut self) {
        self.pos = self.text.len().min(self.pos + 1);
    }

    fn array(&mut self) -> Value {
        self.pos += 1;
        let mut items = Vec::new();
        while self.peek() != b']' && self.pos < self.text.len() {
            items.push(self.value());
            if self.peek() == b',' {
                self.pos += 1;
            }
        }
        self.close();
        Value::Array(Arc::new(items))
    }

    fn object(&mut self) -> Value {
        self.pos += 1;
        let mut map = Map::default();
        while self.peek() == b'"' {
            let key = self.string();
            if self.peek() == b':' {
                self.pos += 1;
            }
            let value = self.value();
            map.insert(key, value);
            if self.peek() == b',' {
                self.pos += 1;
            }
        }
        self.close();
        Value::Map(Arc::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let text =
            r#" { "a" : [ 1 , 2.0, -0.5e1, null,true , false], "b": "x\ny", "a\u0062": {}, "c": 1e999, "b": [] } "#;
        let map = read_object(text);
        let keys: Vec<&str> = map.keys().map(|key| &**key).collect();
        assert_eq!(keys, ["a", "b", "ab", "c"]);
        let items =
            [Value::Int(1), Value::Float(2.0), Value::Float(-5.0), Value::Null, Value::Bool(true), Value::Bool(false)];
        assert_eq!(map["a"], Value::Array(Arc::new(items.to_vec())));
        assert_eq!(map["b"], Value::Array(Arc::new(vec![])));
        assert_eq!(map["ab"], Value::Map(Arc::new(Map::default())));
        assert_eq!(map["c"], Value::Null);
    }

    #[test]
    fn broken_text_never_panics() {
        for text in ["", "{", "[", "[1", "{\"a\"", "{\"a\":", "\"", "-", "tru", "[}", "{]", "[,", "x"] {
            read(text);
        }
    }
}
