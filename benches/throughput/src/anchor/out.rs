//! Where rows go.

use crate::rows::Rows;
use std::fmt::Write as _;

/// Counts rows, and sums them up if it is to.
pub struct Out {
    rows: Rows,
    text: String,
    count_only: bool,
}

impl Out {
    /// Without rows.
    pub fn new(count_only: bool) -> Out {
        Out { rows: Rows::default(), text: String::new(), count_only }
    }

    /// Takes a row: `out.row(format_args!("{user},{a}"))`. Counted rows are evaluated, too, and only not formatted.
    #[inline]
    pub fn row(&mut self, row: std::fmt::Arguments<'_>) {
        if self.count_only {
            std::hint::black_box(&row);
            self.rows.count += 1;
            return;
        }
        self.text.clear();
        // Writing to a string cannot fail.
        _ = self.text.write_fmt(row);
        self.rows.add(&self.text);
    }

    /// All rows.
    pub fn rows(self) -> Rows {
        self.rows
    }
}

/// A number in the units that rows have.
pub fn scaled(value: f64, by: f64) -> i64 {
    (value * by).round() as i64
}
