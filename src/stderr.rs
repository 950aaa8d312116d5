//! Standard error for lines to people: when nobody reads it any more (`2>&1 | head`), that is no reason to end.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Writes a text; what cannot be written is left out.
pub fn write(text: Arguments) {
    _ = io::stderr().lock().write_fmt(text);
}

/// A text to stderr.
macro_rules! say {
    ($($text:tt)*) => { $crate::stderr::write(format_args!($($text)*)) };
}

/// A line to stderr.
macro_rules! say_line {
    ($($text:tt)*) => { $crate::stderr::write(format_args!("{}\n", format_args!($($text)*))) };
}
