//! Functions of texts over columns, without making values of the texts.

use super::compare::answers;
use super::operand::{Operand, Texts, View};
use crate::column::{Column, Prim, StrColumn};
use rarog_lang::eval::nesting::TEXT_BYTES;
use rarog_lang::eval::text::write_text;
use rarog_lang::plan::Builtin;
use std::sync::Arc;

/// Calls a function of which one argument at least is a column; `None`: it has no loop for these.
pub fn call(function: Builtin, args: &[Operand], rows: usize) -> Option<Column> {
    match (function, args) {
        (Builtin::Len, [a]) => lengths(a, rows),
        (Builtin::Lower, [a]) => changed(a, rows, |text| text.to_lowercase()),
        (Builtin::Upper, [a]) => changed(a, rows, |text| text.to_uppercase()),
        (Builtin::Trim, [Operand::Column(Column::Str(texts))]) => Some(trimmed(texts)),
        (Builtin::StartsWith, [a, b]) => tested(a, b, rows, |text, part| text.starts_with(part)),
        (Builtin::EndsWith, [a, b]) => tested(a, b, rows, |text, part| text.ends_with(part)),
        (Builtin::ToString, [Operand::Column(Column::Str(texts))]) => Some(Column::Str(texts.clone())),
        (Builtin::ToString | Builtin::Concat, args) => joined(args, rows),
        _ => None,
    }
}

fn lengths(a: &Operand, rows: usize) -> Option<Column> {
    let View::Str(texts) = a.view() else { return None };
    let values = (0..rows).map(|row| texts.get(row).map_or(0, |text| text.chars().count() as i64)).collect();
    Some(Column::Int(Prim { values: Arc::new(values), valid: a.valid(rows) }))
}

fn tested(a: &Operand, b: &Operand, rows: usize, test: impl Fn(&[u8], &[u8]) -> bool) -> Option<Column> {
    let (View::Str(texts), View::Str(parts)) = (a.view(), b.view()) else { return None };
    match answers(rows, |row| Some(test(texts.bytes(row)?, parts.bytes(row)?))).into_operand(rows) {
        Operand::Column(column) => Some(column),
        Operand::Const(_) => None,
    }
}

fn changed(a: &Operand, rows: usize, change: impl Fn(&str) -> String) -> Option<Column> {
    let View::Str(texts @ Texts::Each(_)) = a.view() else { return None };
    let bytes = (0..rows).map(|row| texts.get(row).map_or(0, str::len)).sum();
    StrColumn::build(bytes, (0..rows).map(|row| texts.get(row)), |out, text| out.push_str(&change(text)))
}

/// Spans into the same buffers.
fn trimmed(texts: &StrColumn) -> Column {
    let spans = texts.spans.iter().enumerate().map(|(row, &(start, len))| match texts.get(row) {
        Some(text) => {
            let before = text.len() - text.trim_start().len();
            (start + before as u32, text.trim().len() as u32)
        }
        None => (start, len),
    });
    let spans = Arc::new(spans.collect());
    Column::Str(StrColumn { text: texts.text.clone(), extra: texts.extra.clone(), spans })
}

/// Text forms end to end; null if one is null.
fn joined(args: &[Operand], rows: usize) -> Option<Column> {
    if args.iter().any(|arg| matches!(arg.view(), View::Any)) {
        return None;
    }
    let valid: Vec<_> = args.iter().map(|arg| arg.valid(rows)).collect();
    let row = |row: usize| valid.iter().all(|valid| valid.as_ref().is_none_or(|valid| valid[row])).then_some(row);
    let mut longest = 0;
    let mut scratch = rarog_lang::value::Value::Null;
    let column = StrColumn::build(0, (0..rows).map(row), |out, row| {
        let start = out.len();
        for arg in args {
            match arg.view() {
                View::Str(texts) => out.push_str(texts.get(row).unwrap_or_default()),
                _ => write_text(out, arg.at(row, &mut scratch)),
            }
        }
        longest = longest.max(out.len() - start);
    });
    // What is too long for a text is null: that is decided value by value.
    column.filter(|_| longest <= TEXT_BYTES)
}
