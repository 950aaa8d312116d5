//! What the parser tells the formatter about tokens: how they stick to their neighbours, and what begins with them.
//!
//! Notes are taken only for the formatter, which alone cares whether a `-` has a left side and which `.` begins an operator.

use super::cursor::Parser;
use std::ops::Range;

/// How a token stands to its neighbours, where its kind does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Glue {
    /// As is usual for its kind.
    #[default]
    Usual,
    /// An opening bracket that belongs to what stands before it.
    Call,
    /// An operator before its only operand.
    Prefix,
    /// A sign behind what it belongs to: a quantifier, `T?`, the `>` of a type.
    Postfix,
    /// Nothing around it: `..`, the `:` of a slice, the `<` of a type.
    Tight,
    /// A brace with blanks inside.
    Roomy,
    /// A `.` with a blank before it.
    Apart,
    /// Blanks as they were written: nobody knows what it means.
    AsIs,
}

/// What begins with a token. `header` is the number of the token that a block hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Nothing.
    #[default]
    Nothing,
    /// A declaration, or the header of a `for` template.
    Declaration,
    /// An operator of a stream.
    Operator,
    /// `->` of a stream.
    Arrow,
    /// A line of an indented block.
    Item { header: usize },
    /// `elif` or `else`.
    Arm { header: usize },
    /// A statement in the braces of a lambda.
    Statement,
    /// A line of a block that is skipped; `first` is the block's first token.
    Skipped { header: usize, first: usize },
}

/// Notes for every token.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    pub glue: Vec<Glue>,
    pub begins: Vec<Begins>,
}

impl Notes {
    pub fn new(tokens: usize) -> Notes {
        Notes { glue: vec![Glue::Usual; tokens], begins: vec![Begins::Nothing; tokens] }
    }
}

impl Parser<'_> {
    /// Notes how token `at` sticks.
    pub(super) fn glue_at(&mut self, at: usize, glue: Glue) {
        if let Some(notes) = &mut self.notes {
            notes.glue[at] = glue;
        }
    }

    /// Notes how the current token sticks.
    pub(super) fn glue(&mut self, glue: Glue) {
        self.glue_at(self.at, glue);
    }

    /// Notes that the blanks between some tokens are to stay.
    pub(super) fn glue_as_is(&mut self, tokens: Range<usize>) {
        for at in tokens {
            self.glue_at(at, Glue::AsIs);
        }
    }

    /// Notes what begins with the current token.
    pub(super) fn begins(&mut self, begins: Begins) {
        if let Some(notes) = &mut self.notes {
            notes.begins[self.at] = begins;
        }
    }
}
