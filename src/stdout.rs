//! Standard output for texts: written whole, and quiet when the reader has gone (`| head`).

use std::io::{self, ErrorKind, Write};

/// Prints a text.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say_line!("rarog: cannot write to standard output: {error}")
        }
        _ => {}
    }
}
