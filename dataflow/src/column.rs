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
