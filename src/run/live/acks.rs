//! The late acknowledgement: one counter per input message, over all streams and outputs.
//!
//! ```text
//!   open ──> complete ──> [ message 0: 0 ][ message 1: 2 ][ message 2: 1 ]
//!                             done            └── confirm, confirm: done
//! ```
//! A message is done when its chunk is through (filtered out, dead letter written, taken into a window's state) and every
//! output that it caused is confirmed. Pure: what a message is acknowledged by is the caller's.
//!
//! Invariant: a receipt is given back at most once, and never before both hold.

use std::collections::VecDeque;

/// Names a message between the sending and the confirmation of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64);

/// Bits of a tag for the message's index in its chunk.
const INDEX_BITS: u32 = 24;
/// An output that no message waits for.
const NOBODY: u64 = (1 << INDEX_BITS) - 1;

impl Tag {
    /// As a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// From [`Tag::number`].
    pub fn from_number(number: u64) -> Tag {
        Tag(number)
    }
}

#[derive(Debug)]
struct InFlight<R> {
    receipts: Vec<R>,
    /// Indices of messages that never became records, rising.
    refused: Vec<u32>,
    /// Outputs not confirmed, per message; empty until there is one.
    waiting: Vec<u32>,
    /// Outputs not confirmed, those included that no message caused.
    unconfirmed: u64,
    through: bool,
    /// Receipts not given back.
    left: usize,
}

impl<R: Copy> InFlight<R> {
    /// An output of a message is confirmed; its receipt, if it was the last.
    fn confirm(&mut self, message: usize) -> Option<R> {
        let waiting = self.waiting.get_mut(message)?;
        *waiting = waiting.checked_sub(1)?;
        if *waiting > 0 || !self.through {
            return None;
        }
        self.left -= 1;
        Some(self.receipts[message])
    }
}

/// The chunks under way.
#[derive(Debug)]
pub struct Acks<R> {
    chunks: VecDeque<InFlight<R>>,
    /// Number of the first of them.
    first: u64,
    /// Outputs not confirmed.
    unconfirmed: u64,
}

impl<R> Default for Acks<R> {
    fn default() -> Self {
        Acks { chunks: VecDeque::new(), first: 0, unconfirmed: 0 }
    }
}

impl<R: Copy> Acks<R> {
    /// Nothing is under way; the first chunk has this number.
    pub fn starting_at(first: u64) -> Acks<R> {
        Acks { first, ..Acks::default() }
    }

    /// Are all chunks up to this one through, and all their outputs confirmed?
    pub fn is_done_up_to(&self, seq: u64) -> bool {
        self.first > seq
    }

    /// The next chunk is under way, with these messages.
    pub fn open(&mut self, seq: u64, receipts: Vec<R>) {
        debug_assert_eq!(seq, self.first + self.chunks.len() as u64, "chunks are numbered without gaps");
        let left = receipts.len();
        self.chunks.push_back(InFlight {
            receipts,
            refused: Vec::new(),
            waiting: Vec::new(),
            unconfirmed: 0,
            through: false,
            left,
        });
    }

    /// These messages of a chunk (indices, rising) did not become records.
    pub fn refused(&mut self, seq: u64, indices: Vec<u32>) {
        if let Some(chunk) = self.chunk(seq) {
            chunk.refused = indices;
        }
    }

    /// Index of the message that became this record of the chunk.
    pub fn message(&self, seq: u64, record: u64) -> u64 {
        let chunk = seq.checked_sub(self.first).and_then(|index| self.chunks.get(index as usize));
        let refused = chunk.map_or(&[][..], |chunk| &chunk.refused);
        refused.iter().fold(record, |message, refused| message + u64::from(u64::from(*refused) <= message))
    }

    /// A message of the chunk caused an output.
    pub fn caused(&mut self, seq: u64, message: u64) -> Tag {
        self.unconfirmed += 1;
        if let Some(chunk) = self.chunk(seq) {
            chunk.unconfirmed += 1;
        }
        match self.chunk(seq) {
            Some(chunk) if (message as usize) < chunk.receipts.len() && message < NOBODY => {
                chunk.waiting.resize(chunk.receipts.len(), 0);
                chunk.waiting[message as usize] += 1;
                Tag(seq << INDEX_BITS | message)
            }
            // What fired by time alone, or came from a source that acknowledges nothing.
            _ => Tag(seq << INDEX_BITS | NOBODY),
        }
    }

    /// The chunk is through, and all outputs that it caused are counted: gives back what is done.
    pub fn complete(&mut self, seq: u64, done: &mut Vec<R>) {
        let Some(chunk) = self.chunk(seq) else { return };
        chunk.through = true;
        if chunk.waiting.is_empty() {
            done.append(&mut chunk.receipts);
            chunk.left = 0;
        } else {
            let before = done.len();
            let receipts = chunk.receipts.iter().zip(&chunk.waiting);
            done.extend(receipts.filter(|(_, waiting)| **waiting == 0).map(|(receipt, _)| *receipt));
            chunk.left -= done.len() - before;
        }
        self.forget();
    }

    /// An output is confirmed, or written off with its dead letter.
    pub fn confirm(&mut self, tag: Tag) -> Option<R> {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        let (seq, message) = (tag.0 >> INDEX_BITS, (tag.0 & NOBODY) as usize);
        let chunk = self.chunk(seq)?;
        chunk.unconfirmed = chunk.unconfirmed.saturating_sub(1);
        let receipt = chunk.confirm(message);
        self.forget();
        receipt
    }

    /// Outputs that are not confirmed.
    pub fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    fn chunk(&mut self, seq: u64) -> Option<&mut InFlight<R>> {
        self.chunks.get_mut(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn forget(&mut self) {
        while self.chunks.front().is_some_and(|chunk| chunk.through && chunk.left == 0 && chunk.unconfirmed == 0) {
            self.chunks.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(acks: &mut Acks<char>, seq: u64) -> String {
        let mut done = Vec::new();
        acks.complete(seq, &mut done);
        done.into_iter().collect()
    }

    #[test]
    fn a_message_is_done_when_its_last_output_is_confirmed() {
        let mut acks = Acks::default();
        acks.open(0, vec!['a', 'b', 'c']);
        let (one, two) = (acks.caused(0, 1), acks.caused(0, 1));
        assert_eq!(acks.confirm(one), None, "the chunk is not through: more may follow");
        assert_eq!(complete(&mut acks, 0), "ac");
        assert_eq!(acks.unconfirmed(), 1);
        assert_eq!(acks.confirm(two), Some('b'));
        assert_eq!((acks.chunks.len(), acks.first, acks.unconfirmed()), (0, 1, 0));
    }

    #[test]
    fn an_output_that_is_confirmed_early_does_not_hold_its_message() {
        let mut acks = Acks::default();
        acks.open(0, vec!['a', 'b']);
        let tag = acks.caused(0, 0);
        assert_eq!(acks.confirm(tag), None);
        assert_eq!(complete(&mut acks, 0), "ab");
        assert!(acks.chunks.is_empty());
    }

    #[test]
    fn outputs_that_no_message_caused_hold_nobody() {
        let mut acks = Acks::default();
        acks.open(0, vec!['a']);
        acks.open(1, Vec::new());
        let behind = acks.caused(0, 1); // fired behind the last record
        let idle = acks.caused(1, 0); // fired by time
        assert_eq!(complete(&mut acks, 0), "a");
        assert_eq!(complete(&mut acks, 1), "");
        assert_eq!((acks.confirm(behind), acks.confirm(idle)), (None, None));
        assert_eq!((acks.chunks.len(), acks.unconfirmed()), (0, 0));
    }

    #[test]
    fn a_chunk_is_done_when_what_time_fired_is_confirmed_too() {
        let mut acks = Acks::starting_at(7);
        acks.open(7, vec!['a']);
        acks.open(8, Vec::new());
        let (behind, idle) = (acks.caused(7, 1), acks.caused(8, 0));
        assert_eq!(complete(&mut acks, 7), "a");
        assert_eq!(complete(&mut acks, 8), "");
        assert!(!acks.is_done_up_to(7));
        acks.confirm(idle);
        assert!(!acks.is_done_up_to(7));
        acks.confirm(behind);
        assert!(acks.is_done_up_to(8));
    }

    #[test]
    fn chunks_are_forgotten_in_order() {
        let mut acks = Acks::default();
        acks.open(0, vec!['a']);
        acks.open(1, vec!['b']);
        let tag = acks.caused(0, 0);
        assert_eq!(complete(&mut acks, 0), "");
        assert_eq!(complete(&mut acks, 1), "b");
        assert_eq!(acks.chunks.len(), 2);
        assert_eq!(acks.confirm(tag), Some('a'));
        assert_eq!(acks.chunks.len(), 0);
        acks.open(2, vec!['c']);
        assert_eq!(complete(&mut acks, 2), "c");
    }

    #[test]
    fn records_are_numbered_without_what_was_refused() {
        let mut acks = Acks::default();
        acks.open(0, vec!['a', 'b', 'c', 'd', 'e', 'f']);
        acks.refused(0, vec![0, 2, 3]);
        let messages: Vec<u64> = (0..3).map(|record| acks.message(0, record)).collect();
        assert_eq!(messages, [1, 4, 5]);
    }
}
