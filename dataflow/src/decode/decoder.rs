//! The decoder: chunks in, rows of the plan's inputs and dead letters out.

use super::dead::{Reason, Refusal};
use super::gather::{Arrival, Gather};
use super::lines::{each_line, line_spans};
use super::messages::{Messages, each_message};
use super::relay::Baton;
use super::scan::Scanner;
use super::tables::Tables;
use super::{CHUNK_BYTES, evt};
use crate::batch::Chunk;
use crate::rt::{DeadRecord, Decoded};
use rarog_lang::plan::Plan;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Decodes chunks for the inputs of a plan.
pub struct Decoder {
    tables: Tables,
    /// One pool per way of ending a record: what is learned in one does not hold in the other.
    lines: Pool,
    messages: Pool,
}

/// What threads that are not decoding have left for those that will.
#[derive(Default)]
struct Pool(Mutex<Vec<Kept>>);

/// What is kept from chunk to chunk.
#[derive(Default)]
struct Kept {
    scanner: Scanner,
    /// Rows to expect, by input.
    expected: Vec<usize>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, inputs: usize) -> Kept {
        let mut kept = self.lock().pop().unwrap_or_default();
        kept.expected.resize(inputs, 0);
        kept
    }

    fn put(&self, kept: Kept) {
        self.lock().push(kept);
    }
}

/// A line or message that cannot be used.
pub(super) struct Refused {
    /// Its index among those that were decoded.
    pub index: usize,
    /// Its first byte and the one behind its last.
    pub span: (usize, usize),
    pub refusal: Box<Refusal>,
}

impl Refused {
    pub fn new(index: usize, span: (usize, usize), reason: Reason, detail: impl Into<String>) -> Refused {
        Refused { index, span, refusal: Box::new(Refusal::new(reason, detail)) }
    }

    /// `spoilt`: how it came, if that is not UTF-8.
    fn into_dead(self, chunk: u64, text: &[u8], spoilt: Option<&Vec<u8>>) -> DeadRecord {
        let raw = spoilt.map_or(text, Vec::as_slice);
        let mut refusal = self.refusal;
        if let (Reason::BadJson, Err(error)) = (refusal.reason, std::str::from_utf8(raw)) {
            refusal.detail = format!("not UTF-8: its byte {} begins no character", error.valid_up_to() + 1);
        }
        DeadRecord {
            reason: refusal.reason.name(),
            chunk,
            index: self.index as u64,
            position: Some(self.span.0 as u64),
            stream: None,
            detail: refusal.detail,
            raw: raw.to_vec(),
        }
    }
}

/// Parts of a text that were not UTF-8, by their first byte.
type Spoilt = HashMap<usize, Vec<u8>>;

/// The bytes as text. Parts (lines, messages) that are not UTF-8 are handed back, and have control characters for their
/// non-ASCII bytes in the text: nothing in it can be a record then.
fn utf8(bytes: &[u8], parts: impl FnOnce(&[u8]) -> Vec<(usize, usize)>) -> (Arc<str>, Spoilt) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.into(), Spoilt::new());
    }
    let (mut bytes, mut spoilt) = (bytes.to_vec(), Spoilt::new());
    for (start, end) in parts(&bytes) {
        let part = &mut bytes[start..end];
        if std::str::from_utf8(part).is_err() {
            spoilt.insert(start, part.to_vec());
            part.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = 1);
        }
    }
    (String::from_utf8(bytes).expect("all parts are UTF-8 now").into(), spoilt)
}

impl Decoder {
    /// A decoder for the inputs of a plan.
    pub fn new(plan: &Plan) -> Decoder {
        Decoder { tables: Tables::new(plan), lines: Pool::default(), messages: Pool::default() }
    }

    /// Decodes JSON lines; the last one may lack its line break. `chunk` has everything but the clocks; `baton` knows the
    /// time of the last record before.
    ///
    /// # Panics
    /// Above [`CHUNK_BYTES`].
    pub fn lines(&self, chunk: Chunk, bytes: &[u8], baton: &Baton) -> Decoded {
        assert!(bytes.len() <= CHUNK_BYTES, "a chunk's spans have 31 bits");
        let (text, spoilt) = utf8(bytes, line_spans);
        let Kept { mut scanner, expected } = self.lines.take(self.tables.inputs.len());
        let mut gather = Gather::new(&self.tables, &text, &expected, Arrival::Before(None), chunk.now);
        let refused = each_line(&mut scanner, &text, &self.tables, |_| None, &mut gather);
        if let Some(time) = gather.last_time() {
            baton.pass(time);
        }
        if gather.is_untimed() {
            gather.date(baton.time_before());
        }
        if gather.last_time().is_none() {
            baton.pass(baton.time_before());
        }
        let dead = refused.into_iter().map(|refused| {
            let (start, end) = refused.span;
            refused.into_dead(chunk.seq, &text.as_bytes()[start..end], spoilt.get(&start))
        });
        let dead = dead.collect();
        conclude(chunk, gather, &text, dead, scanner, &self.lines)
    }

    /// Decodes lines of `.evt`. `batch`: the offset of the last BATCH line before this chunk, ns.
    ///
    /// # Panics
    /// Above [`CHUNK_BYTES`].
    pub fn evt(&self, chunk: Chunk, bytes: &[u8], batch: i64) -> Decoded {
        assert!(bytes.len() <= CHUNK_BYTES / 8, "a chunk's spans have 31 bits, and JSON takes more room");
        let (original, spoilt) = utf8(bytes, line_spans);
        let evt::Translated { text, lines, mut refused } =
            evt::translate(&original, batch, |start| spoilt.contains_key(&start));
        let text: Arc<str> = text.into();
        let Kept { mut scanner, expected } = self.lines.take(self.tables.inputs.len());
        let mut gather = Gather::new(&self.tables, &text, &expected, Arrival::At(0), chunk.now);
        let of_json = each_line(&mut scanner, &text, &self.tables, |line| lines[line].offset, &mut gather);
        refused.extend(of_json.into_iter().map(|refused| {
            let line = &lines[refused.index];
            Refused { index: line.index, span: line.span, ..refused }
        }));
        refused.sort_by_key(|refused| refused.index);
        let dead = refused.into_iter().map(|refused| {
            let (start, end) = refused.span;
            refused.into_dead(chunk.seq, &original.as_bytes()[start..end], spoilt.get(&start))
        });
        let dead = dead.collect();
        conclude(chunk, gather, &text, dead, scanner, &self.lines)
    }

    /// Decodes messages that arrived at `chunk.now` (without it: 1970).
    ///
    /// # Panics
    /// Above [`CHUNK_BYTES`].
    pub fn messages(&self, chunk: Chunk, messages: &Messages) -> Decoded {
        assert!(messages.bytes.len() <= CHUNK_BYTES, "a chunk's spans have 31 bits");
        let Messages { bytes, messages } = messages;
        let spans = || messages.iter().map(|message| message.span).collect();
        let (text, spoilt) = utf8(bytes, |_| spans());
        let Kept { mut scanner, expected } = self.messages.take(self.tables.inputs.len());
        let arrival = Arrival::At(chunk.now.unwrap_or_default());
        let mut gather = Gather::new(&self.tables, &text, &expected, arrival, chunk.now);
        let refused = each_message(&mut scanner, &text, messages, &self.tables, &mut gather);
        let dead = refused.into_iter().map(|refused| {
            let (start, end) = refused.span;
            let dead = refused.into_dead(chunk.seq, &text.as_bytes()[start..end], spoilt.get(&start));
            DeadRecord { position: None, ..dead }
        });
        let dead = dead.collect();
        conclude(chunk, gather, &text, dead, scanner, &self.messages)
    }
}

fn conclude(
    mut chunk: Chunk,
    gather: Gather<'_>,
    text: &Arc<str>,
    dead: Vec<DeadRecord>,
    scanner: Scanner,
    pool: &Pool,
) -> Decoded {
    let gathered = gather.finish(text);
    let rows = gathered.inputs.iter().map(|rows| rows.as_ref().map_or(0, |rows| rows.len()));
    let expected = rows.map(|rows| rows + rows / 8).collect();
    pool.put(Kept { scanner, expected });
    let records = gathered.clocks.len() as u64;
    chunk.clocks = gathered.clocks;
    chunk.records = gathered.records;
    Decoded { chunk, inputs: gathered.inputs, dead, records, no_reader: gathered.no_reader, early: gathered.early }
}
