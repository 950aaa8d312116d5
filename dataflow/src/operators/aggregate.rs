//! Things that windows and aggregates share: late records and limits met while a result was computed.

use super::Context;
use crate::batch::{Chunk, Rows, phase};
use crate::rt::DeadRecord;
use std::sync::atomic::Ordering;

impl Context {
    /// Reports a late record of the first input: counted, and a dead letter.
    pub fn late(&self, chunk: &Chunk, rows: &Rows, row: usize) {
        self.late_at(0, chunk, rows, row);
    }

    /// Reports a late record of input `port`.
    pub fn late_at(&self, port: usize, chunk: &Chunk, rows: &Rows, row: usize) {
        self.shared.counters.late.fetch_add(1, Ordering::Relaxed);
        self.shared.host.dead(DeadRecord {
            reason: "late",
            chunk: chunk.seq,
            index: rows.pos[row] >> phase::BITS,
            position: None,
            stream: Some(self.stream()),
            detail: "every window that it belongs to is closed; .watermark(out_of_order: d) waits longer".into(),
            raw: crate::encode::record_json(rows, self.input_layout(port), row),
        });
    }

    /// Reports a result whose computation ran into a limit, by the index of the record that caused it.
    pub fn result_limit(&self, chunk: &Chunk, index: u64) {
        self.shared.host.dead(DeadRecord {
            reason: "eval_limit",
            chunk: chunk.seq,
            index,
            position: None,
            stream: Some(self.stream()),
            detail: "an item of the aggregate made more than 128 nested calls or 10000000 loop turns; it is null"
                .into(),
            raw: Vec::new(),
        });
    }
}
