//! Lines of a file, and their decoding.

use serde::Deserialize;
use std::io::Read;

const READ_BYTES: usize = 1 << 20;

/// Calls `take` with every line.
pub fn each(mut input: impl Read, mut take: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let mut buffer = vec![0u8; 2 * READ_BYTES];
    let mut kept = 0;
    loop {
        let end = (kept + READ_BYTES).min(buffer.len());
        let read = input.read(&mut buffer[kept..end]).map_err(|error| error.to_string())?;
        let filled = kept + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            take(&buffer[start..end])?;
            start = end + 1;
        }
        if read == 0 {
            return if start == filled { Ok(()) } else { Err("the last line has no end, or is too long".into()) };
        }
        buffer.copy_within(start..filled, 0);
        kept = filled - start;
    }
}

/// Decodes a line.
#[allow(unsafe_code)]
pub fn decode<'a, E: Deserialize<'a>>(line: &'a [u8]) -> Result<E, String> {
    // SAFETY: the lines are the generator's own, which are ASCII; this is the fastest decoder that a program could use
    // for input that it trusts, and that is what an anchor is for.
    unsafe { sonic_rs::from_slice_unchecked(line) }.map_err(|error| error.to_string())
}
