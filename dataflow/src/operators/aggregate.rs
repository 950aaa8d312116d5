//! What windows and aggregates share: limits met while a result was computed.

use super::Context;
use crate::batch::Chunk;
use crate::rt::DeadRecord;

impl Context {
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
