//! Where the bytes of an expanded text stood in the program.
//!
//! ```text
//! program   for i in 0..2:⏎    stream S{i} = E⏎
//! expanded  stream S0 = E⏎stream S1 = E⏎
//!           └literal┘└{i}┘└literal┘…
//! ```
//! A piece is *literal* (byte for byte as written) or the value of a variable, which stands for the whole `{i}`. Pieces lie
//! in the order of the expanded text, so that a reader who goes forward finds them in constant time.

use crate::span::Span;

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First byte in the expanded text.
    at: u32,
    /// First byte in the program.
    start: u32,
    /// For a value: one past the placeholder's last byte in the program.
    placeholder_end: Option<u32>,
}

/// The map from an expanded text to the program.
#[derive(Clone, Debug)]
pub struct Origin {
    file: u16,
    /// Bytes of the program.
    program_len: u32,
    /// Bytes of the expanded text.
    expanded_len: u32,
    pieces: Vec<Piece>,
}

impl Origin {
    /// The map of a text that is empty so far.
    pub(super) fn new(file: u16, program_len: u32) -> Origin {
        Origin { file, program_len, expanded_len: 0, pieces: Vec::new() }
    }

    /// The map of a text that is as it was written.
    pub fn identity(file: u16, program_len: u32) -> Origin {
        let mut origin = Origin::new(file, program_len);
        origin.push_literal(0, program_len);
        origin
    }

    /// `length` bytes were copied from `start` of the program.
    pub(super) fn push_literal(&mut self, start: u32, length: u32) {
        let continues = self.pieces.last().is_some_and(|piece| {
            piece.placeholder_end.is_none() && piece.start + (self.expanded_len - piece.at) == start
        });
        if !continues && length > 0 {
            self.pieces.push(Piece { at: self.expanded_len, start, placeholder_end: None });
        }
        self.expanded_len += length;
    }

    /// `length` bytes took the place of `start..end` of the program.
    pub(super) fn push_value(&mut self, start: u32, end: u32, length: u32) {
        self.pieces.push(Piece { at: self.expanded_len, start, placeholder_end: Some(end) });
        self.expanded_len += length;
    }

    /// A reader that goes forward.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { origin: self, last: 0 }
    }
}

/// Looks up places; cheap as long as they do not go back.
#[derive(Debug)]
pub struct Cursor<'a> {
    origin: &'a Origin,
    last: usize,
}

impl Cursor<'_> {
    /// The place in the program of a range of the expanded text; an empty range at its end is the program's end.
    pub fn span(&mut self, start: usize, end: usize) -> Span {
        let file = self.origin.file;
        if start as u32 >= self.origin.expanded_len {
            return Span { file, start: self.origin.program_len, end: self.origin.program_len };
        }
        let first = self.piece(start as u32);
        let from = match first.placeholder_end {
            Some(_) => first.start,
            None => first.start + (start as u32 - first.at),
        };
        if end <= start {
            return Span { file, start: from, end: from };
        }
        let last = self.piece(end as u32 - 1);
        let to = last.placeholder_end.unwrap_or(last.start + (end as u32 - last.at));
        // A comment may reach from one turn of a template into the next, whose text stands before it.
        Span { file, start: from, end: to.max(from) }
    }

    fn piece(&mut self, at: u32) -> Piece {
        let pieces = &self.origin.pieces;
        if pieces[self.last].at > at {
            self.last = pieces.partition_point(|piece| piece.at <= at).saturating_sub(1);
        }
        while pieces.get(self.last + 1).is_some_and(|next| next.at <= at) {
            self.last += 1;
        }
        pieces[self.last]
    }
}
