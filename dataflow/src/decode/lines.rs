//! A buffer of JSON lines, record by record.

use super::dead::{Reason, Refusal};
use super::decoder::Refused;
use super::gather::{Gather, Record, refusal};
use super::scan::{Scanned, Scanner};
use super::tables::Tables;
use super::token::{blank, document, first};
use super::{JSON_DEPTH, MESSAGE_BYTES};

/// Decodes every line; `offset` has the event time that stands beside a line. Gives back what cannot be used.
pub(super) fn each_line(
    scanner: &mut Scanner,
    text: &str,
    tables: &Tables,
    offset: impl Fn(usize) -> Option<i64>,
    gather: &mut Gather<'_>,
) -> Vec<Refused> {
    let bytes = text.as_bytes();
    let mut refused = Vec::new();
    let (mut start, mut index) = (0, 0);
    while start < bytes.len() {
        if let Some(after) = follow::<true>(scanner, (start, None), bytes, offset(index), None, gather) {
            (start, index) = (after + 1, index + 1);
            continue;
        }
        let scanned = scanner.record::<true>(&bytes[start..], bytes.len(), tables);
        let next = match scanned.filter(|record| record.after >= bytes.len() || bytes[record.after] == b'\n') {
            Some(record) => {
                let taken = take(scanner, text, (start, record), tables, None, offset(index), gather);
                if let Err(refusal) = taken {
                    refused.push(Refused { index, span: (start, end_of_line(bytes, start)), refusal });
                }
                record.after
            }
            None => {
                let end = end_of_line(bytes, start);
                if bytes[start..end].iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
                    let refusal = invalid::<true>(bytes, (start, end));
                    refused.push(Refused { index, span: (start, end), refusal });
                }
                end
            }
        };
        (start, index) = (next + 1, index + 1);
    }
    refused
}

/// First byte of each line and the one behind its last.
pub(super) fn line_spans(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let end = end_of_line(bytes, start);
        spans.push((start, end));
        start = end + 1;
    }
    spans
}

/// The line break behind `start`, or the end.
pub(super) fn end_of_line(bytes: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |length| start + length)
}

/// Takes a record that begins at `start` and follows a template; gives where its line or message ends, which is `end` if
/// that is known. `topic`: the input that a topic tells.
#[inline(always)]
pub(super) fn follow<const LINES: bool>(
    scanner: &mut Scanner,
    (start, end): (usize, Option<usize>),
    bytes: &[u8],
    offset: Option<i64>,
    topic: Option<Option<u32>>,
    gather: &mut Gather<'_>,
) -> Option<usize> {
    let rest = &bytes[start..];
    for rank in scanner.order.tries() {
        let template = &scanner.templates[scanner.order.at(rank)];
        let input = template.recipe.input;
        if template.recipe.type_key == 0 && topic != Some(input) {
            continue;
        }
        let Some(begun) = template.begin(rest) else { continue };
        let (columns, texts) = gather.columns(input);
        if let Some(behind) = template.read::<LINES>(begun, bytes.len(), &mut scanner.tokens, columns, texts) {
            let after = if LINES && first(behind) == b'\n' { behind } else { blank::<LINES>(behind) };
            let closed = bytes.len() - behind.len();
            let stop = bytes.len() - after.len();
            let ends = end.map_or(after.is_empty() || after[0] == b'\n', |end| stop == end);
            let record = Record { recipe: &template.recipe, tokens: &scanner.tokens, span: (start, closed), offset };
            if ends && stop - start <= MESSAGE_BYTES && gather.take(record).is_ok() {
                scanner.order.followed(rank);
                return Some(stop);
            }
        }
        // Whatever it is, the scanner finds it out.
        gather.take_back(input);
    }
    None
}

/// Takes a record that has been scanned.
#[inline(always)]
pub(super) fn take(
    scanner: &mut Scanner,
    text: &str,
    (start, record): (usize, Scanned),
    tables: &Tables,
    topic: Option<&str>,
    offset: Option<i64>,
    gather: &mut Gather<'_>,
) -> Result<(), Box<Refusal>> {
    if record.after - start > MESSAGE_BYTES {
        return Err(too_large(record.after - start));
    }
    let (input, type_key) = scanner.input(record.end, text, topic, tables).ok_or_else(no_type)?;
    let recipe = scanner.paths.recipe(record.end, input, type_key, tables);
    gather.take(Record { recipe, tokens: &scanner.tokens, span: (start, record.closed), offset })?;
    scanner.template(record.end, text, tables);
    Ok(())
}

#[cold]
fn no_type() -> Box<Refusal> {
    refusal(Reason::NoType, "neither event_type nor type is a text")
}

#[cold]
fn too_large(bytes: usize) -> Box<Refusal> {
    refusal(Reason::TooLarge, format!("{bytes} bytes; the limit is {MESSAGE_BYTES}"))
}

/// Why a line or message that the scanner did not take cannot be used.
#[cold]
pub(super) fn invalid<const LINES: bool>(bytes: &[u8], (start, end): (usize, usize)) -> Box<Refusal> {
    if end - start > MESSAGE_BYTES {
        return too_large(end - start);
    }
    if document::<LINES>(&bytes[start..]).map(|behind| bytes.len() - behind.len()) == Some(end) {
        let kind = match first(&bytes[start..]) {
            b'[' => "an array",
            _ => "a single value",
        };
        return refusal(Reason::NotObject, format!("{kind}, not an object"));
    }
    refusal(Reason::BadJson, why_not_json(&bytes[start..end]))
}

/// What is wrong with a document, in words.
fn why_not_json(bytes: &[u8]) -> String {
    if depth(bytes) > JSON_DEPTH as usize {
        return format!("nested deeper than {JSON_DEPTH}");
    }
    // Structure first: the second reader looks into the escapes of texts, too.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return error.to_string();
    }
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Err(error) => format!("an escape \\u that is no character, such as half of a surrogate pair: {error}"),
        Ok(_) => "not a JSON document on one line".into(),
    }
}

/// How deep brackets nest, those in texts aside.
fn depth(bytes: &[u8]) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                while let Some(byte) = rest.next().filter(|byte| **byte != b'"') {
                    if *byte == b'\\' {
                        rest.next();
                    }
                }
            }
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
