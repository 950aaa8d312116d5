//! Columns: the physical form of a field over the rows of a batch.
//!
//! A column whose static type is `any` takes the narrowest physical type that holds its values in this batch; mixed and
//! nested values are tagged ([`Column::Any`]). `2` and `2.0` stay distinct. Columns are cheap to clone (shared buffers).

use rarog_lang::value::Value;
use std::sync::Arc;

/// Values of one machine type. `valid` is `None` when no row is null; the value of a null row is unspecified.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Prim<T> {
    /// One per row.
    pub values: Arc<Vec<T>>,
    /// One per row: false is null.
    pub valid: Option<Arc<Vec<bool>>>,
}

/// Start and length in bytes; see [`StrColumn`].
pub type StrSpan = (u32, u32);

/// Start of a null row.
pub const NULL_SPAN: u32 = u32::MAX;
/// Set in the start of a span that points into [`StrColumn::extra`].
pub const EXTRA_BIT: u32 = 1 << 31;

/// Texts as spans into shared buffers: `text` is usually the input chunk itself (nothing is copied), `extra` holds what
/// had to be unescaped or computed. A start of [`NULL_SPAN`] is null; [`EXTRA_BIT`] selects `extra`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct StrColumn {
    /// Main buffer.
    pub text: Arc<str>,
    /// Second buffer.
    pub extra: Arc<str>,
    /// One per row.
    pub spans: Arc<Vec<StrSpan>>,
}

impl StrColumn {
    /// Bytes of a row's text; `None` is null. Comparing bytes spares the look for the characters' bounds.
    #[inline]
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        let (start, len) = self.spans[row];
        if start == NULL_SPAN {
            return None;
        }
        let (buffer, start) = if start & EXTRA_BIT != 0 {
            (self.extra.as_bytes(), (start & !EXTRA_BIT) as usize)
        } else {
            (self.text.as_bytes(), start as usize)
        };
        Some(&buffer[start..start + len as usize])
    }

    /// Text of a row; `None` is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        let (start, len) = self.spans[row];
        if start == NULL_SPAN {
            return None;
        }
        let (buffer, start) = if start & EXTRA_BIT != 0 {
            (&self.extra, (start & !EXTRA_BIT) as usize)
        } else {
            (&self.text, start as usize)
        };
        Some(&buffer[start..start + len as usize])
    }

    /// Copies texts into one buffer; more than spans can address stay values.
    pub fn from_texts<'t>(texts: impl Iterator<Item = Option<&'t str>> + Clone) -> Column {
        let bytes: usize = texts.clone().map(|text| text.map_or(0, str::len)).sum();
        StrColumn::build(bytes, texts.clone(), |buffer, text| buffer.push_str(text)).unwrap_or_else(|| {
            let value = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Str(text.into()));
            Column::Any(Arc::new(texts.map(value).collect()))
        })
    }

    /// Writes one text per row (`None`: null) into one buffer of `bytes` bytes; `None` if spans cannot address them.
    pub fn build<R>(
        bytes: usize,
        rows: impl Iterator<Item = Option<R>>,
        mut write: impl FnMut(&mut String, R),
    ) -> Option<Column> {
        if bytes >= EXTRA_BIT as usize {
            return None;
        }
        let mut buffer = String::with_capacity(bytes);
        let mut spans = Vec::with_capacity(rows.size_hint().0);
        for row in rows {
            spans.push(match row {
                Some(row) => {
                    let start = buffer.len();
                    write(&mut buffer, row);
                    (start as u32, (buffer.len() - start) as u32)
                }
                None => (NULL_SPAN, 0),
            });
        }
        let fits = buffer.len() < EXTRA_BIT as usize;
        fits.then(|| Column::Str(StrColumn { text: buffer.into(), extra: "".into(), spans: Arc::new(spans) }))
    }
}

/// A column of a batch.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Column {
    /// All rows are null.
    Null(usize),
    /// bool
    Bool(Prim<bool>),
    /// int
    Int(Prim<i64>),
    /// float, always finite
    Float(Prim<f64>),
    /// timestamp, ns
    Time(Prim<i64>),
    /// duration, ns
    Duration(Prim<i64>),
    /// str
    Str(StrColumn),
    /// Mixed or nested values.
    Any(Arc<Vec<Value>>),
}

fn is_valid(valid: &Option<Arc<Vec<bool>>>, row: usize) -> bool {
    valid.as_ref().is_none_or(|valid| valid[row])
}

impl<T: Copy> Prim<T> {
    /// Value of a row; `None` is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        is_valid(&self.valid, row).then(|| self.values[row])
    }

    fn take(&self, rows: &[u32]) -> Prim<T> {
        let valid = self.valid.as_ref();
        Prim {
            values: Arc::new(rows.iter().map(|&row| self.values[row as usize]).collect()),
            valid: valid.map(|valid| Arc::new(rows.iter().map(|&row| valid[row as usize]).collect())),
        }
    }

    /// Appends parts; one that is of no such type is a column of nulls.
    fn concat<'p>(parts: &[&'p Column], prim: impl Fn(&'p Column) -> Option<&'p Prim<T>>, filler: T) -> Prim<T>
    where
        T: 'p,
    {
        let rows = parts.iter().map(|part| part.len()).sum();
        let nulls = parts.iter().any(|part| prim(part).is_none_or(|prim| prim.valid.is_some()));
        let mut values = Vec::with_capacity(rows);
        let mut valid = Vec::with_capacity(if nulls { rows } else { 0 });
        for part in parts {
            match prim(part) {
                Some(prim) => values.extend_from_slice(&prim.values),
                None => values.resize(values.len() + part.len(), filler),
            }
            match prim(part) {
                _ if !nulls => {}
                Some(Prim { valid: Some(own), .. }) => valid.extend_from_slice(own),
                own => valid.resize(values.len(), own.is_some()),
            }
        }
        Prim { values: Arc::new(values), valid: nulls.then(|| Arc::new(valid)) }
    }

    fn collect(values: impl Iterator<Item = Option<T>>, unspecified: T) -> Prim<T> {
        let (values, valid): (Vec<T>, Vec<bool>) =
            values.map(|value| (value.unwrap_or(unspecified), value.is_some())).unzip();
        let valid = (!valid.iter().all(|valid| *valid)).then(|| Arc::new(valid));
        Prim { values: Arc::new(values), valid }
    }
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Null(len) => *len,
            Column::Bool(prim) => prim.values.len(),
            Column::Int(prim) | Column::Time(prim) | Column::Duration(prim) => prim.values.len(),
            Column::Float(prim) => prim.values.len(),
            Column::Str(texts) => texts.spans.len(),
            Column::Any(values) => values.len(),
        }
    }

    /// No rows?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value of a row.
    pub fn get(&self, row: usize) -> Value {
        let value = match self {
            Column::Null(_) => None,
            Column::Bool(prim) => prim.get(row).map(Value::Bool),
            Column::Int(prim) => prim.get(row).map(Value::Int),
            Column::Float(prim) => prim.get(row).map(Value::Float),
            Column::Time(prim) => prim.get(row).map(Value::Time),
            Column::Duration(prim) => prim.get(row).map(Value::Duration),
            Column::Str(texts) => texts.get(row).map(|text| Value::Str(text.into())),
            Column::Any(values) => Some(values[row].clone()),
        };
        value.unwrap_or_default()
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Column {
        match self {
            Column::Null(_) => Column::Null(rows.len()),
            Column::Bool(prim) => Column::Bool(prim.take(rows)),
            Column::Int(prim) => Column::Int(prim.take(rows)),
            Column::Float(prim) => Column::Float(prim.take(rows)),
            Column::Time(prim) => Column::Time(prim.take(rows)),
            Column::Duration(prim) => Column::Duration(prim.take(rows)),
            Column::Str(texts) => Column::Str(StrColumn {
                text: texts.text.clone(),
                extra: texts.extra.clone(),
                spans: Arc::new(rows.iter().map(|&row| texts.spans[row as usize]).collect()),
            }),
            Column::Any(values) => {
                Column::Any(Arc::new(rows.iter().map(|&row| values[row as usize].clone()).collect()))
            }
        }
    }

    /// All rows of the parts, one part after the other. Parts of one physical type are appended as they are; others go
    /// into the narrowest type that holds them.
    pub fn concat(parts: &[&Column]) -> Column {
        if let [only] = parts {
            return (*only).clone();
        }
        macro_rules! prims {
            ($kind:ident, $filler:expr) => {
                Column::$kind(Prim::concat(
                    parts,
                    |part| if let Column::$kind(prim) = part { Some(prim) } else { None },
                    $filler,
                ))
            };
        }
        let mut typed = parts.iter().filter(|part| !matches!(part, Column::Null(_)));
        let Some(first) = typed.next() else { return Column::Null(parts.iter().map(|part| part.len()).sum()) };
        let same = typed.all(|part| std::mem::discriminant(*part) == std::mem::discriminant(*first));
        match first {
            Column::Bool(_) if same => prims!(Bool, false),
            Column::Int(_) if same => prims!(Int, 0),
            Column::Float(_) if same => prims!(Float, 0.0),
            Column::Time(_) if same => prims!(Time, 0),
            Column::Duration(_) if same => prims!(Duration, 0),
            Column::Str(first) if same && shared_buffers(first, parts) => Column::Str(StrColumn {
                text: first.text.clone(),
                extra: first.extra.clone(),
                spans: Arc::new(parts.iter().flat_map(|part| spans(part)).collect()),
            }),
            Column::Str(_) if same => StrColumn::from_texts(parts.iter().flat_map(|part| texts(part))),
            _ => from_values(parts.iter().flat_map(|part| (0..part.len()).map(|row| part.get(row))).collect()),
        }
    }
}

fn shared_buffers(first: &StrColumn, parts: &[&Column]) -> bool {
    parts.iter().all(|part| match part {
        Column::Str(texts) => Arc::ptr_eq(&texts.text, &first.text) && Arc::ptr_eq(&texts.extra, &first.extra),
        _ => true,
    })
}

/// Spans of a column of texts or nulls.
fn spans(part: &Column) -> impl Iterator<Item = StrSpan> {
    (0..part.len()).map(move |row| if let Column::Str(texts) = part { texts.spans[row] } else { (NULL_SPAN, 0) })
}

/// Rows of a column of texts or nulls.
fn texts(part: &Column) -> impl Iterator<Item = Option<&str>> + Clone {
    (0..part.len()).map(move |row| if let Column::Str(texts) = part { texts.get(row) } else { None })
}

/// The kind of physical column that a value asks for; nulls fit all.
fn kind(value: &Value) -> Option<u8> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => 0,
        Value::Int(_) => 1,
        Value::Float(_) => 2,
        Value::Time(_) => 3,
        Value::Duration(_) => 4,
        Value::Str(_) => 5,
        Value::Array(_) | Value::Map(_) => 6,
    })
}

/// A column of the narrowest physical type that holds these values.
pub fn from_values(values: Vec<Value>) -> Column {
    let mut kinds = values.iter().filter_map(kind);
    let Some(first) = kinds.next() else { return Column::Null(values.len()) };
    if first == 6 || kinds.any(|other| other != first) {
        return Column::Any(Arc::new(values));
    }
    let ints = |value: &Value| match value {
        Value::Int(int) | Value::Time(int) | Value::Duration(int) => Some(*int),
        _ => None,
    };
    match first {
        0 => Column::Bool(Prim::collect(
            values.iter().map(|v| if let Value::Bool(b) = v { Some(*b) } else { None }),
            false,
        )),
        1 => Column::Int(Prim::collect(values.iter().map(ints), 0)),
        2 => Column::Float(Prim::collect(
            values.iter().map(|v| if let Value::Float(f) = v { Some(*f) } else { None }),
            0.0,
        )),
        3 => Column::Time(Prim::collect(values.iter().map(ints), 0)),
        4 => Column::Duration(Prim::collect(values.iter().map(ints), 0)),
        _ => StrColumn::from_texts(values.iter().map(|v| if let Value::Str(text) = v { Some(&**text) } else { None })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(column: &Column) -> Vec<Value> {
        (0..column.len()).map(|row| column.get(row)).collect()
    }

    #[test]
    fn columns_give_back_what_they_were_made_of() {
        let text = |text: &str| Value::Str(text.into());
        let samples = [
            vec![Value::Int(2), Value::Null, Value::Int(-1)],
            vec![Value::Int(2), Value::Float(2.0)],
            vec![text("é"), Value::Null, text("")],
            vec![Value::Null, Value::Null],
            vec![Value::Time(1), Value::Time(2)],
            vec![Value::Bool(true), text("x")],
        ];
        for sample in samples {
            let column = from_values(sample.clone());
            assert_eq!(values(&column), sample);
            let taken = column.take(&[1, 0]);
            assert_eq!(values(&taken), [sample[1].clone(), sample[0].clone()]);
            let twice = Column::concat(&[&column, &taken]);
            assert_eq!(values(&twice), [sample, values(&taken)].concat());
        }
    }

    #[test]
    fn parts_of_any_types_follow_each_other() {
        let text = |text: &str| Value::Str(text.into());
        let parts = [
            vec![text("a"), Value::Null],
            vec![Value::Null; 2],
            vec![text("bc")],
            vec![Value::Int(1), Value::Null],
            vec![Value::Int(2)],
            vec![],
            vec![Value::Float(2.0)],
            vec![Value::Bool(true), Value::Int(3)],
        ];
        let columns = parts.clone().map(from_values);
        for first in 0..parts.len() {
            for last in first..parts.len() {
                for middle in first..=last {
                    let picked = [first, middle, last];
                    let whole = Column::concat(&picked.map(|part| &columns[part]));
                    assert_eq!(values(&whole), picked.map(|part| parts[part].clone()).concat());
                }
            }
        }
        let cut = Column::concat(&[&columns[0], &columns[0].take(&[0])]);
        assert!(matches!((&cut, &columns[0]), (Column::Str(a), Column::Str(b)) if Arc::ptr_eq(&a.text, &b.text)));
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert!(matches!(from_values(vec![Value::Int(2), Value::Null]), Column::Int(_)));
        assert!(matches!(from_values(vec![Value::Int(2), Value::Float(2.0)]), Column::Any(_)));
    }
}
