//! `and`, `or` in three values, and the parts of `??` and `if` that put two operands together row by row.

use super::operand::{Operand, Valid};
use crate::column::{Column, NULL_SPAN, Prim, StrColumn, from_values};
use rarog_lang::value::Value;
use std::sync::Arc;

/// An operand as truth values: what is no bool counts as null.
pub fn truth(operand: &Operand, rows: usize) -> Prim<bool> {
    let constant = |value: bool, valid: bool| Prim {
        values: Arc::new(vec![value; rows]),
        valid: (!valid).then(|| Arc::new(vec![false; rows])),
    };
    match operand {
        Operand::Const(Value::Bool(value)) => constant(*value, true),
        Operand::Column(Column::Bool(prim)) => prim.clone(),
        Operand::Column(Column::Any(values)) => Prim {
            values: Arc::new(values.iter().map(|value| *value == Value::Bool(true)).collect()),
            valid: Some(Arc::new(values.iter().map(|value| matches!(value, Value::Bool(_))).collect())),
        },
        _ => constant(false, false),
    }
}

/// Three-valued `and` (`absorbing` false) or `or` (`absorbing` true): the absorbing value wins over null.
pub fn connect(absorbing: bool, a: &Prim<bool>, b: &Prim<bool>) -> Prim<bool> {
    let (left, right) = (a.values.iter(), b.values.iter());
    let values = match absorbing {
        false => left.zip(right).map(|(a, b)| a & b).collect(),
        true => left.zip(right).map(|(a, b)| a | b).collect(),
    };
    if a.valid.is_none() && b.valid.is_none() {
        return Prim { values: Arc::new(values), valid: None };
    }
    let known = |prim: &Prim<bool>, row: usize| prim.valid.as_ref().is_none_or(|valid| valid[row]);
    let rows = 0..values.len();
    let flags = rows.map(|row| {
        let (left, right) = (known(a, row), known(b, row));
        let (wins, also) = (left & (a.values[row] == absorbing), right & (b.values[row] == absorbing));
        (wins | also, (left & right) | wins | also)
    });
    // Where one absorbs that is the value, whatever stands in a null row beside it; else both are the other value.
    let (absorbed, valid): (Vec<bool>, Vec<bool>) = flags.unzip();
    let values = absorbed.into_iter().map(|absorbed| absorbed == absorbing).collect();
    let valid = (!valid.iter().all(|valid| *valid)).then(|| Arc::new(valid));
    Prim { values: Arc::new(values), valid }
}

/// Row by row `a` where the mask holds, else `b`.
pub fn blend(mask: &[bool], a: &Operand, b: &Operand) -> Column {
    let rows = mask.len();
    macro_rules! prims {
        ($kind:ident) => {
            if let (Some(a), Some(b)) = (prim!($kind, a), prim!($kind, b)) {
                let values = mask.iter().enumerate().map(|(row, &mask)| if mask { a.value(row) } else { b.value(row) });
                let values = values.collect();
                return Column::$kind(Prim { values: Arc::new(values), valid: blend_valid(mask, &a.valid, &b.valid) });
            }
        };
    }
    macro_rules! prim {
        ($kind:ident, $operand:expr) => {
            match $operand {
                Operand::Const(Value::$kind(value)) => Some(Part { one: *value, each: None, valid: None }),
                Operand::Column(Column::$kind(prim)) => {
                    Some(Part { one: Default::default(), each: Some(&prim.values[..]), valid: prim.valid.clone() })
                }
                Operand::Const(Value::Null) | Operand::Column(Column::Null(_)) => {
                    Some(Part { one: Default::default(), each: None, valid: Some(Arc::new(vec![false; rows])) })
                }
                _ => None,
            }
        };
    }
    if is_null(a) && is_null(b) {
        return Column::Null(rows);
    }
    prims!(Float);
    prims!(Int);
    prims!(Bool);
    prims!(Time);
    prims!(Duration);
    if let Some(texts) = blend_texts(mask, a, b) {
        return Column::Str(texts);
    }
    let mut scratch = Value::Null;
    from_values(
        mask.iter().enumerate().map(|(row, &mask)| if mask { a } else { b }.at(row, &mut scratch).clone()).collect(),
    )
}

/// One side of a blend.
struct Part<'a, T> {
    one: T,
    each: Option<&'a [T]>,
    valid: Valid,
}

impl<T: Copy> Part<'_, T> {
    #[inline]
    fn value(&self, row: usize) -> T {
        self.each.map_or(self.one, |each| each[row])
    }
}

fn is_null(operand: &Operand) -> bool {
    matches!(operand, Operand::Const(Value::Null) | Operand::Column(Column::Null(_)))
}

fn blend_valid(mask: &[bool], a: &Valid, b: &Valid) -> Valid {
    if a.is_none() && b.is_none() {
        return None;
    }
    let valid = |valid: &Valid, row: usize| valid.as_ref().is_none_or(|valid| valid[row]);
    super::operand::flags(mask.iter().enumerate().map(|(row, &mask)| if mask { valid(a, row) } else { valid(b, row) }))
}

/// Texts whose buffers can be had without copying: constants, and columns of one buffer or of the same two.
fn blend_texts(mask: &[bool], a: &Operand, b: &Operand) -> Option<StrColumn> {
    let empty: Arc<str> = "".into();
    let buffers = |operand: &Operand| match operand {
        Operand::Const(Value::Str(text)) => Some((text.clone(), empty.clone())),
        Operand::Column(Column::Str(texts)) => Some((texts.text.clone(), texts.extra.clone())),
        Operand::Const(Value::Null) | Operand::Column(Column::Null(_)) => Some((empty.clone(), empty.clone())),
        _ => None,
    };
    let ((text, extra), (other, more)) = (buffers(a)?, buffers(b)?);
    let shared = Arc::ptr_eq(&text, &other) && Arc::ptr_eq(&extra, &more);
    let free = extra.is_empty() && more.is_empty();
    if !(shared || free) {
        return None;
    }
    // The second operand's buffer becomes the extra one, unless they are the same buffers.
    let moved = if shared { 0 } else { crate::column::EXTRA_BIT };
    let span = |operand: &Operand, row: usize, moved: u32| match operand {
        Operand::Const(Value::Str(text)) => (moved, text.len() as u32),
        Operand::Column(Column::Str(texts)) if texts.spans[row].0 != NULL_SPAN => {
            (texts.spans[row].0 | moved, texts.spans[row].1)
        }
        _ => (NULL_SPAN, 0),
    };
    let spans = mask.iter().enumerate().map(|(row, &mask)| if mask { span(a, row, 0) } else { span(b, row, moved) });
    Some(StrColumn { text, extra: if shared { extra } else { other }, spans: Arc::new(spans.collect()) })
}
