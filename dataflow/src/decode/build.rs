//! Columns while a chunk is being read: values are appended row by row, and taken back if the record turns out unusable.

use super::recipe::Action;
use super::string::unescape;
use super::token::{Kind, Token};
use super::value;
use crate::column::{Column, EXTRA_BIT, NULL_SPAN, Prim, StrColumn, StrSpan};
use rarog_lang::eval::convert::{convert, integral};
use rarog_lang::eval::time::{from_epoch_ms, parse_duration, parse_rfc3339};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// The texts of a chunk: what it says as it came, and what had to be unescaped.
pub(super) struct Texts<'t> {
    pub text: &'t str,
    pub extra: String,
}

impl Texts<'_> {
    /// A text as a span, unescaped first if need be.
    #[inline(always)]
    fn span(&mut self, token: Token) -> StrSpan {
        if token.kind == Kind::Escaped { self.unescaped(token) } else { token.span() }
    }

    #[cold]
    fn unescaped(&mut self, token: Token) -> StrSpan {
        let start = self.extra.len();
        let (from, len) = token.span();
        unescape(&self.text[from as usize..(from + len) as usize], &mut self.extra);
        (start as u32 | EXTRA_BIT, (self.extra.len() - start) as u32)
    }

    /// What stands in a token's span.
    #[inline(always)]
    pub fn raw(&self, token: Token) -> &str {
        let (from, len) = token.span();
        &self.text[from as usize..(from + len) as usize]
    }

    /// A text, unescaped.
    pub fn with_text<R>(&self, token: Token, read: impl FnOnce(&str) -> R) -> R {
        if token.kind != Kind::Escaped {
            return read(self.raw(token));
        }
        let mut text = String::new();
        unescape(self.raw(token), &mut text);
        read(&text)
    }

    /// The value of a token.
    #[cold]
    pub fn value(&self, token: Token) -> Value {
        match token.kind {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Int => Value::Int(token.int()),
            Kind::Float => Value::Float(token.float()),
            Kind::Text | Kind::Escaped => self.with_text(token, |text| Value::Str(text.into())),
            Kind::Nested => value::read(self.raw(token)),
        }
    }
}

/// Values of one machine type; `valid` is empty as long as there is no null.
pub(super) struct Scalars<T> {
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T: Copy + Default> Scalars<T> {
    fn new(rows: usize) -> Scalars<T> {
        Scalars { values: Vec::with_capacity(rows), valid: Vec::new() }
    }

    fn nulls(count: usize, rows: usize) -> Scalars<T> {
        let mut scalars = Scalars::new(rows.max(count));
        if count > 0 {
            scalars.values.resize(count, T::default());
            scalars.valid.resize(count, false);
        }
        scalars
    }

    #[inline(always)]
    fn push(&mut self, value: T) {
        self.values.push(value);
        if !self.valid.is_empty() {
            self.valid.push(true);
        }
    }

    #[cold]
    fn push_null(&mut self) {
        self.valid.resize(self.values.len(), true);
        self.valid.push(false);
        self.values.push(T::default());
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn finish(self) -> Prim<T> {
        let nulls = self.valid.iter().any(|valid| !valid);
        Prim { values: Arc::new(self.values), valid: nulls.then(|| Arc::new(self.valid)) }
    }

    fn get(&self, row: usize) -> Option<T> {
        self.valid.get(row).is_none_or(|valid| *valid).then(|| self.values[row])
    }
}

/// A column that is being filled.
pub(super) enum Build {
    /// A field of any type of which nothing but nulls has come.
    Nulls(usize),
    Bool(Scalars<bool>),
    Int(Scalars<i64>),
    Float(Scalars<f64>),
    Time(Scalars<i64>),
    Duration(Scalars<i64>),
    Str(Vec<StrSpan>),
    Values(Vec<Value>),
}

impl Build {
    /// An empty column for a field of this declared type.
    pub fn new(ty: &Type, rows: usize) -> Build {
        match ty {
            Type::Any => Build::Nulls(0),
            Type::Bool => Build::Bool(Scalars::new(rows)),
            Type::Int => Build::Int(Scalars::new(rows)),
            Type::Float => Build::Float(Scalars::new(rows)),
            Type::Time => Build::Time(Scalars::new(rows)),
            Type::Duration => Build::Duration(Scalars::new(rows)),
            Type::Str => Build::Str(Vec::with_capacity(rows)),
            Type::Null | Type::Array(_) | Type::Map(..) | Type::Record(..) => Build::Values(Vec::new()),
        }
    }

    /// Appends null.
    pub fn push_null(&mut self) {
        match self {
            Build::Nulls(count) => *count += 1,
            Build::Bool(scalars) => scalars.push_null(),
            Build::Int(scalars) | Build::Time(scalars) | Build::Duration(scalars) => scalars.push_null(),
            Build::Float(scalars) => scalars.push_null(),
            Build::Str(spans) => spans.push((NULL_SPAN, 0)),
            Build::Values(values) => values.push(Value::Null),
        }
    }

    /// Appends an int; `None`: it is another column.
    #[inline(always)]
    pub fn push_int(&mut self, int: i64) -> Option<()> {
        let Build::Int(scalars) = self else { return None };
        scalars.push(int);
        Some(())
    }

    /// Appends a float; `None`: it is another column.
    #[inline(always)]
    pub fn push_float(&mut self, float: f64) -> Option<()> {
        let Build::Float(scalars) = self else { return None };
        scalars.push(float);
        Some(())
    }

    /// Appends a text without escapes; `None`: it is another column.
    #[inline(always)]
    pub fn push_span(&mut self, span: StrSpan) -> Option<()> {
        let Build::Str(spans) = self else { return None };
        spans.push(span);
        Some(())
    }

    /// Takes back what is behind this many rows.
    pub fn truncate(&mut self, rows: usize) {
        match self {
            Build::Nulls(count) => *count = rows.min(*count),
            Build::Bool(scalars) => scalars.truncate(rows),
            Build::Int(scalars) | Build::Time(scalars) | Build::Duration(scalars) => scalars.truncate(rows),
            Build::Float(scalars) => scalars.truncate(rows),
            Build::Str(spans) => spans.truncate(rows),
            Build::Values(values) => values.truncate(rows),
        }
    }

    /// Appends a token of a field of any type.
    #[inline]
    pub fn push_any(&mut self, token: Token, texts: &mut Texts<'_>) {
        match (&mut *self, token.kind) {
            (Build::Int(scalars), Kind::Int) => scalars.push(token.int()),
            (Build::Float(scalars), Kind::Float) => scalars.push(token.float()),
            (Build::Bool(scalars), Kind::False | Kind::True) => scalars.push(token.kind == Kind::True),
            (Build::Str(spans), Kind::Text | Kind::Escaped) => spans.push(texts.span(token)),
            (_, Kind::Null) => self.push_null(),
            (Build::Values(values), _) => values.push(texts.value(token)),
            _ => {
                self.widen(token.kind, texts);
                self.push_any(token, texts);
            }
        }
    }

    /// Becomes a column that takes values of this kind, too.
    #[cold]
    fn widen(&mut self, kind: Kind, texts: &Texts<'_>) {
        let rows = texts.text.len() / 128;
        *self = match (std::mem::replace(self, Build::Nulls(0)), kind) {
            (Build::Nulls(count), Kind::Int) => Build::Int(Scalars::nulls(count, rows)),
            (Build::Nulls(count), Kind::Float) => Build::Float(Scalars::nulls(count, rows)),
            (Build::Nulls(count), Kind::False | Kind::True) => Build::Bool(Scalars::nulls(count, rows)),
            (Build::Nulls(count), Kind::Text | Kind::Escaped) => Build::Str(vec![(NULL_SPAN, 0); count]),
            (other, _) => Build::Values(other.into_values(texts)),
        };
    }

    fn into_values(self, texts: &Texts<'_>) -> Vec<Value> {
        fn values<T: Copy + Default>(scalars: &Scalars<T>, of: impl Fn(T) -> Value) -> Vec<Value> {
            (0..scalars.values.len()).map(|row| scalars.get(row).map_or(Value::Null, &of)).collect()
        }
        match self {
            Build::Nulls(count) => vec![Value::Null; count],
            Build::Bool(scalars) => values(&scalars, Value::Bool),
            Build::Int(scalars) => values(&scalars, Value::Int),
            Build::Float(scalars) => values(&scalars, Value::Float),
            Build::Time(scalars) => values(&scalars, Value::Time),
            Build::Duration(scalars) => values(&scalars, Value::Duration),
            Build::Str(spans) => spans.iter().map(|span| texts.text_of(*span)).collect(),
            Build::Values(values) => values,
        }
    }

    /// The column.
    pub fn finish(self, text: &Arc<str>, extra: &Arc<str>) -> Column {
        match self {
            Build::Nulls(count) => Column::Null(count),
            Build::Bool(scalars) => Column::Bool(scalars.finish()),
            Build::Int(scalars) => Column::Int(scalars.finish()),
            Build::Float(scalars) => Column::Float(scalars.finish()),
            Build::Time(scalars) => Column::Time(scalars.finish()),
            Build::Duration(scalars) => Column::Duration(scalars.finish()),
            Build::Str(spans) => {
                Column::Str(StrColumn { text: text.clone(), extra: extra.clone(), spans: Arc::new(spans) })
            }
            Build::Values(values) => Column::Any(Arc::new(values)),
        }
    }
}

impl Texts<'_> {
    fn text_of(&self, (start, len): StrSpan) -> Value {
        if start == NULL_SPAN {
            return Value::Null;
        }
        let (buffer, start) = if start & EXTRA_BIT != 0 {
            (&self.extra[..], (start & !EXTRA_BIT) as usize)
        } else {
            (self.text, start as usize)
        };
        Value::Str(buffer[start..start + len as usize].into())
    }
}

/// A token as a declared type has it.
#[inline(always)]
fn int(token: Token) -> Option<i64> {
    match token.kind {
        Kind::Int => Some(token.int()),
        Kind::Float => integral(token.float()),
        _ => None,
    }
}

#[inline(always)]
fn float(token: Token) -> Option<f64> {
    match token.kind {
        Kind::Float => Some(token.float()),
        Kind::Int => Some(token.int() as f64),
        _ => None,
    }
}

fn bool(token: Token) -> Option<bool> {
    matches!(token.kind, Kind::False | Kind::True).then_some(token.kind == Kind::True)
}

/// A readable time: epoch milliseconds or text with a zone.
#[inline(always)]
pub(super) fn time_of(token: Token, texts: &Texts<'_>) -> Option<i64> {
    match token.kind {
        Kind::Int => from_epoch_ms(token.int()),
        Kind::Text => parse_rfc3339(texts.raw(token).as_bytes()),
        Kind::Escaped => texts.with_text(token, |text| parse_rfc3339(text.as_bytes())),
        _ => None,
    }
}

fn duration(token: Token, texts: &Texts<'_>) -> Option<i64> {
    if token.is_text() { texts.with_text(token, parse_duration) } else { None }
}

/// Appends a token to the column of a declared field; `None`: a misfit.
#[inline(always)]
pub(super) fn push(build: &mut Build, action: Action, ty: &Type, token: Token, texts: &mut Texts<'_>) -> Option<()> {
    match (action, &mut *build) {
        (Action::Any, _) => build.push_any(token, texts),
        (_, _) if token.kind == Kind::Null => build.push_null(),
        (Action::Float, Build::Float(scalars)) => scalars.push(float(token)?),
        (Action::Int, Build::Int(scalars)) => scalars.push(int(token)?),
        (Action::Str, Build::Str(spans)) if token.is_text() => spans.push(texts.span(token)),
        (Action::Bool, Build::Bool(scalars)) => scalars.push(bool(token)?),
        (Action::Time, Build::Time(scalars)) => scalars.push(time_of(token, texts)?),
        (Action::Duration, Build::Duration(scalars)) => scalars.push(duration(token, texts)?),
        (Action::Deep, Build::Values(values)) => values.push(convert(ty, texts.value(token))?),
        _ => return None,
    }
    Some(())
}

/// Does a token fit a declared type?
#[inline(always)]
pub(super) fn fits(action: Action, ty: &Type, token: Token, texts: &Texts<'_>) -> bool {
    if token.kind == Kind::Null {
        return true;
    }
    match action {
        Action::Any => true,
        Action::Float => matches!(token.kind, Kind::Int | Kind::Float),
        Action::Int => int(token).is_some(),
        Action::Str => token.is_text(),
        Action::Bool => bool(token).is_some(),
        Action::Time => time_of(token, texts).is_some(),
        Action::Duration => duration(token, texts).is_some(),
        Action::Deep => convert(ty, texts.value(token)).is_some(),
    }
}
