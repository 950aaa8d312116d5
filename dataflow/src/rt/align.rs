//! Puts the envelopes of a chunk together again, and chunks into order, by counting.
//!
//! Every edge carries exactly one envelope per chunk and sending peer, so a consumer knows when it has all of a chunk.

use super::envelope::Envelope;
use crate::batch::{Chunk, Rows};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A chunk that is complete at a consumer: for each port the rows of each sender, in order of arrival.
pub struct Aligned {
    /// The chunk.
    pub chunk: Arc<Chunk>,
    /// Per port.
    pub ports: Vec<Vec<Rows>>,
}

struct Pending {
    arrived: usize,
    aligned: Aligned,
}

/// Collects envelopes until a chunk is complete.
pub struct Align {
    ports: usize,
    expected: usize,
    /// Chunks must leave in the order of their numbers, without gaps.
    in_order: bool,
    next: u64,
    pending: BTreeMap<u64, Pending>,
}

impl Align {
    /// `expected` envelopes per chunk over all `ports`; chunks are numbered from `first`.
    pub fn new(ports: usize, expected: usize, in_order: bool, first: u64) -> Align {
        Align { ports, expected, in_order, next: first, pending: BTreeMap::new() }
    }

    /// Takes an envelope.
    pub fn push(&mut self, envelope: Envelope) {
        let ports = self.ports;
        let chunk = envelope.batch.chunk;
        let entry = self.pending.entry(chunk.seq).or_insert_with(|| Pending {
            arrived: 0,
            aligned: Aligned { chunk, ports: (0..ports).map(|_| Vec::new()).collect() },
        });
        entry.arrived += 1;
        if let Some(rows) = envelope.batch.rows {
            entry.aligned.ports[envelope.port as usize].push(rows);
        }
    }

    /// Is nothing waiting?
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The next complete chunk.
    pub fn pop(&mut self) -> Option<Aligned> {
        let seq = if self.in_order {
            self.pending.get(&self.next).filter(|p| p.arrived == self.expected).map(|_| self.next)?
        } else {
            *self.pending.iter().find(|(_, p)| p.arrived == self.expected)?.0
        };
        self.next = seq + 1;
        self.pending.remove(&seq).map(|p| p.aligned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    fn envelope(seq: u64) -> Envelope {
        Envelope {
            port: 0,
            to: 0,
            batch: Batch { chunk: Arc::new(Chunk { seq, ..Chunk::default() }), rows: None, late: None },
        }
    }

    #[test]
    fn chunks_leave_in_order_and_only_when_complete() {
        let mut align = Align::new(1, 2, true, 0);
        for seq in [1, 1, 0] {
            align.push(envelope(seq));
        }
        assert!(align.pop().is_none());
        align.push(envelope(0));
        assert_eq!(align.pop().map(|a| a.chunk.seq), Some(0));
        assert_eq!(align.pop().map(|a| a.chunk.seq), Some(1));
        assert!(align.pop().is_none());
    }

    #[test]
    fn without_order_a_complete_chunk_leaves_at_once() {
        let mut align = Align::new(1, 1, false, 0);
        align.push(envelope(7));
        assert_eq!(align.pop().map(|a| a.chunk.seq), Some(7));
    }
}
